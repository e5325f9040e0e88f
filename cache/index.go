package cache

import (
	"bytes"
	"encoding/json"
	"errors"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// The index is JSON with one artifact per line, sorted by name, so that ten
// thousand of them are read in milliseconds: a line as we write it is taken
// apart in place, and only what does not look like that goes through
// encoding/json.

const (
	indexHead = "{\"version\":1,\"artifacts\":["
	indexTail = "\n]}\n"
)

var errIndex = errors.New("the index is damaged")

func encodeIndex(list []Artifact) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(indexHead)
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for i := range list {
		if i > 0 {
			b.Truncate(b.Len() - 1) // the line's end that Encode wrote
			b.WriteByte(',')
		}
		b.WriteByte('\n')
		if err := enc.Encode(&list[i]); err != nil {
			return nil, err
		}
	}
	if len(list) > 0 {
		b.Truncate(b.Len() - 1)
	}
	b.WriteString(indexTail)
	return b.Bytes(), nil
}

// partSize is how much of an index is worth a goroutine of its own, in bytes.
const partSize = 512 << 10

// decodeIndex returns artifacts whose fields are parts of s.
func decodeIndex(s string) ([]Artifact, error) {
	s, ok1 := strings.CutPrefix(s, indexHead)
	s, ok2 := strings.CutSuffix(s, indexTail)
	if !ok1 || !ok2 {
		return nil, errIndex
	}
	list := make([]Artifact, strings.Count(s, "\n"))
	size := max(partSize, len(s)/runtime.GOMAXPROCS(0)+1)
	var group errgroup.Group
	for rows := list; s != ""; {
		part := s
		if i := strings.IndexByte(s[min(size, len(s)):], '\n'); i >= 0 {
			part = s[:size+i]
		}
		s = s[len(part):]
		n := strings.Count(part, "\n")
		into := rows[:n]
		rows = rows[n:]
		last := s == ""
		group.Go(func() error { return decodeRows(part, into, last) })
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return list, nil
}

// decodeRows reads lines, each behind its "\n" and, but for the last of all,
// before a comma.
func decodeRows(s string, list []Artifact, last bool) error {
	for i := range list {
		line, ok := strings.CutPrefix(s, "\n")
		if end := strings.IndexByte(line, '\n'); end >= 0 {
			line = line[:end]
		}
		s = s[min(len(s), 1+len(line)):]
		row, comma := strings.CutSuffix(line, ",")
		if !ok || comma == (last && i == len(list)-1) {
			return errIndex
		}
		if err := decodeRow(row, &list[i]); err != nil {
			return err
		}
	}
	if s != "" {
		return errIndex
	}
	return nil
}

func decodeRow(line string, a *Artifact) error {
	if r := (row{s: line}); r.object(a) {
		return nil
	}
	*a = Artifact{}
	if err := json.Unmarshal([]byte(line), a); err != nil {
		return errors.Join(errIndex, err)
	}
	return nil
}

// row is a line that is being taken apart. Its methods return false when the
// line is not as encodeIndex writes it.
type row struct {
	s string // what is left
}

func (r *row) take(c byte) bool {
	if r.s == "" || r.s[0] != c {
		return false
	}
	r.s = r.s[1:]
	return true
}

func (r *row) object(a *Artifact) bool {
	if !r.take('{') {
		return false
	}
	for first := true; ; first = false {
		if r.take('}') {
			return r.s == "" && !first
		}
		if !first && !r.take(',') {
			return false
		}
		key, ok := r.text()
		if !ok || !r.take(':') || !r.field(key, a) {
			return false
		}
	}
}

// text takes a string in which nothing is escaped.
func (r *row) text() (string, bool) {
	if !r.take('"') {
		return "", false
	}
	i := strings.IndexByte(r.s, '"')
	if i < 0 || strings.IndexByte(r.s[:i], '\\') >= 0 {
		return "", false
	}
	out := r.s[:i]
	r.s = r.s[i+1:]
	return out, true
}

// word takes what stands there up to the next comma or brace.
func (r *row) word() string {
	i := strings.IndexAny(r.s, ",}")
	if i < 0 {
		i = len(r.s)
	}
	out := r.s[:i]
	r.s = r.s[i:]
	return out
}

func (r *row) field(key string, a *Artifact) bool {
	if p := textField(key, a); p != nil {
		var ok bool
		*p, ok = r.text()
		return ok
	}
	if p := timeField(key, a); p != nil {
		s, ok := r.text()
		t, err := time.Parse(time.RFC3339Nano, s)
		*p = t.UTC()
		return ok && err == nil
	}
	switch key {
	case "settings":
		return r.nested(&a.Settings)
	case "source":
		return r.nested(&a.Source)
	}
	word := r.word()
	switch key {
	case "network":
		a.Network = word == "true"
		return a.Network
	case "has_command":
		a.HasCommand = word == "true"
		return a.HasCommand
	case "pinned":
		a.Pinned = word == "true"
		return a.Pinned
	}
	return numberField(key, word, a)
}

func textField(key string, a *Artifact) *string {
	switch key {
	case "id":
		return &a.ID
	case "name":
		return &a.Name
	case "image":
		return &a.Image
	case "digest":
		return &a.Digest
	case "platform":
		return &a.Platform
	case "mode":
		return &a.Mode
	case "workdir":
		return &a.Workdir
	case "release":
		return &a.Release
	case "created":
		return &a.Created
	case "origin":
		return &a.Origin
	case "problem":
		return &a.Problem
	}
	return nil
}

func timeField(key string, a *Artifact) *time.Time {
	switch key {
	case "added":
		return &a.Added
	case "last_used":
		return &a.LastUsed
	case "verified":
		return &a.Verified
	case "mtime":
		return &a.ModTime
	}
	return nil
}

func numberField(key, word string, a *Artifact) bool {
	if len(word) > 1 && word[0] == '0' {
		return false // JSON has no such number
	}
	n, err := strconv.ParseUint(word, 10, 63)
	if err != nil {
		return false
	}
	switch key {
	case "size":
		a.Size = int64(n)
	case "entries":
		a.Entries = int64(n)
	case "unpacked":
		a.Unpacked = int64(n)
	case "cpus":
		a.CPUs = int(n)
	case "mem_mib":
		a.MemMiB = int(n)
	case "rules":
		a.Rules = int(n)
	case "crc":
		a.CRC = uint32(n)
		return n <= 1<<32-1
	default:
		return false
	}
	return true
}

// nested takes an object up to its closing brace, into what v points to.
func (r *row) nested(v any) bool {
	depth, quoted := 0, false
	for i := 0; i < len(r.s); i++ {
		switch c := r.s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth == 0 {
				err := json.Unmarshal([]byte(r.s[:i+1]), v)
				r.s = r.s[i+1:]
				return err == nil
			}
		case depth == 0:
			return false
		}
	}
	return false
}
