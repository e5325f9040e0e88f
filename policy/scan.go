package policy

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// The tables of a policy file.
const (
	tableAllow = "allow"
	tableBlock = "block"
	tableMute  = "mute"
)

// document is a file with the place of each thing in it, so that problems have
// lines and an edit touches nothing else.
type document struct {
	text   []byte
	keys   []keyValue  // of the top
	tables []tableNode // in order
}

// tableNode is one [[name]] or [name] with its keys.
type tableNode struct {
	name       string
	single     bool // [name], not one of a list
	line       int
	start, end int // bytes: from the beginning of the header's line to the end of the last key's line
	keys       []keyValue
}

type keyValue struct {
	name       string
	line       int
	start, end int // bytes of "key = value"
	value      value
}

type valueKind int

const (
	kindOther valueKind = iota
	kindText
	kindNumber
	kindFlag
	kindTime
	kindList
)

type value struct {
	kind   valueKind
	line   int
	text   string
	number int64
	flag   bool
	time   time.Time
	list   []value
}

// scan reads a document. Its errors are *BadFileError.
func scan(name string, text []byte) (document, error) {
	bad := func(line int, why string) error {
		return &BadFileError{[]Problem{{File: name, Line: line, Why: why, Fix: "correct that line"}}}
	}
	var any map[string]any
	if err := toml.Unmarshal(text, &any); err != nil {
		var at *toml.DecodeError
		if errors.As(err, &at) {
			row, _ := at.Position()
			return document{}, bad(row, strings.TrimPrefix(at.Error(), "toml: "))
		}
		return document{}, bad(0, err.Error())
	}
	s := scanner{doc: document{text: text}, lines: lineStarts(text)}
	s.parser.Reset(text)
	for s.parser.NextExpression() {
		s.expression(s.parser.Expression())
	}
	if err := s.parser.Error(); err != nil {
		return document{}, bad(0, err.Error())
	}
	return s.doc, nil
}

type scanner struct {
	doc    document
	parser unstable.Parser
	lines  []int
}

func lineStarts(text []byte) []int {
	starts := []int{0}
	for i, c := range text {
		if c == '\n' {
			starts = append(starts, i+1)
		}
	}
	return starts
}

// line is the number of the line that holds a byte.
func (s *scanner) line(offset int) int {
	i, found := slices.BinarySearch(s.lines, offset)
	if found {
		i++
	}
	return i
}

// lineEnd is where the line of a byte ends, its newline included.
func (s *scanner) lineEnd(offset int) int {
	if n := s.line(offset); n < len(s.lines) {
		return s.lines[n]
	}
	return len(s.doc.text)
}

func (s *scanner) expression(n *unstable.Node) {
	switch n.Kind {
	case unstable.Table, unstable.ArrayTable:
		key, at := path(n)
		line := s.line(at)
		s.doc.tables = append(s.doc.tables, tableNode{name: key, single: n.Kind == unstable.Table, line: line, start: s.lines[line-1], end: s.lineEnd(at)})
	case unstable.KeyValue:
		key, at := path(n)
		raw := n.Raw
		kv := keyValue{name: key, line: s.line(at), start: int(raw.Offset), end: int(raw.Offset + raw.Length), value: s.value(n.Value(), s.line(at))}
		if len(s.doc.tables) == 0 {
			s.doc.keys = append(s.doc.keys, kv)
			return
		}
		t := &s.doc.tables[len(s.doc.tables)-1]
		t.keys, t.end = append(t.keys, kv), s.lineEnd(max(kv.end-1, 0))
	}
}

// isRule reports whether a key is of the tables that hold rules.
func isRule(key string) bool {
	first, _, _ := strings.Cut(key, ".")
	return first == tableAllow || first == tableBlock || first == tableMute
}

// path joins a dotted key and tells where it begins.
func path(n *unstable.Node) (string, int) {
	var parts []string
	at := -1
	for it := n.Key(); it.Next(); {
		if at < 0 {
			at = int(it.Node().Raw.Offset)
		}
		parts = append(parts, string(it.Node().Data))
	}
	return strings.Join(parts, "."), max(at, 0)
}

func (s *scanner) value(n *unstable.Node, line int) value {
	v := value{line: line}
	if n.Raw.Length > 0 {
		v.line = s.line(int(n.Raw.Offset))
	}
	switch n.Kind {
	case unstable.String:
		v.kind, v.text = kindText, string(n.Data)
	case unstable.Integer:
		number, err := strconv.ParseInt(strings.ReplaceAll(string(n.Data), "_", ""), 0, 64)
		if err == nil {
			v.kind, v.number = kindNumber, number
		}
	case unstable.Bool:
		v.kind, v.flag = kindFlag, string(n.Data) == "true"
	case unstable.DateTime:
		t, err := time.Parse(time.RFC3339, strings.ToUpper(strings.Replace(string(n.Data), " ", "T", 1)))
		if err == nil {
			v.kind, v.time = kindTime, t
		}
	case unstable.Array:
		v.kind = kindList
		for it := n.Children(); it.Next(); {
			if it.Node().Kind != unstable.Comment {
				v.list = append(v.list, s.value(it.Node(), line))
			}
		}
	}
	return v
}
