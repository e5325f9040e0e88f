package egress

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// Refusal is why a body is refused; Text is for whoever sent it.
type Refusal struct{ Text string }

func (r *Refusal) Error() string { return r.Text }

func refuse(format string, args ...any) error { return &Refusal{Text: fmt.Sprintf(format, args...)} }

const instead = " Do not retry; ask the user, or do it from inside the bottle."

// messageReader looks at the body of a Messages request, or of its count of
// tokens, for what would make Anthropic's servers reach somewhere on the
// bottle's behalf: sources that are fetched or were uploaded, MCP servers,
// containers, and tools that run there. Web search and web fetch pass where
// web is set.
//
// Everything is looked at but what the API hands on unread: the input of a
// tool call, and JSON schemas.
type messageReader struct {
	web    bool
	spots  []spot
	tokens int64 // max_tokens; -1 while it was not there
	stream bool
	load   load
}

// place is what an object or a list means where it stands.
type place uint8

const (
	placeOther place = iota // no more is known; a source in it counts all the same
	placeTop
	placeMessages
	placeMessage
	placeContent // a list of blocks
	placeBlock
	placeSource
	placeTools // the list
	placeTool
	placeFormat // of structured output
	placeOpaque // data
	placeNever  // refused unless it is null
	placeMax    // max_tokens
	placeType   // of a block, a source or a tool
	placeStream
	placeData   // of a source: what comes whole
	placeManage // of the context, and what is edited in it
)

// spot is an object or a list that is open.
type spot struct {
	place place
	list  bool
	next  place  // of the value behind the last key
	name  string // the last key, where next is placeNever
	kind  string // of a block, a source, a tool or an edit: its type
	typed bool   // it has one
	data  int64  // of a source: its size; of a block: that of a source in it
	whole bool   // a block: a source in it comes whole, in base64
}

func newMessageReader(web bool) *messageReader { return &messageReader{web: web, tokens: -1} }

// known are the keys that mean something here, and where they lead.
var known = map[place]map[string]place{
	placeTop: {
		"messages": placeMessages, "system": placeContent, "tools": placeTools, "metadata": placeOpaque,
		"output_format": placeFormat, "output_config": placeFormat, "max_tokens": placeMax, "stream": placeStream,
		"mcp_servers": placeNever, "container": placeNever, "betas": placeNever, "anthropic_beta": placeNever,
		"source": placeSource, "content": placeContent, "context_management": placeManage,
	},
	placeMessage: {"content": placeContent, "source": placeSource},
	placeBlock:   {"content": placeContent, "source": placeSource, "input": placeOpaque, "type": placeType, "file_id": placeNever},
	placeSource:  {"content": placeContent, "type": placeType, "data": placeData, "url": placeNever, "file_id": placeNever, "source": placeSource},
	placeTool:    {"type": placeType, "input_schema": placeOpaque, "input_examples": placeOpaque, "source": placeSource},
	placeFormat:  {"format": placeFormat, "schema": placeOpaque, "source": placeSource},
	placeManage:  {"edits": placeManage, "type": placeType, "content": placeContent, "source": placeSource},
	placeOther:   {"content": placeContent, "source": placeSource},
	placeData:    {"content": placeContent, "source": placeSource},
}

func (m *messageReader) top() *spot { return &m.spots[len(m.spots)-1] }

// here is the place of the value that comes.
func (m *messageReader) here() place {
	if len(m.spots) == 0 {
		return placeTop
	}
	s := m.top()
	if !s.list {
		return s.next
	}
	switch s.place {
	case placeMessages:
		return placeMessage
	case placeContent:
		return placeBlock
	case placeTools:
		return placeTool
	}
	return s.place
}

func (m *messageReader) begin(kind byte) error {
	at, list := m.here(), kind == '['
	switch at {
	case placeNever:
		return m.never()
	case placeMax, placeType, placeStream:
		return refuse("This API request is blocked by the bottle's policy: a number or a word in it is a list or an object." + instead)
	case placeTop:
		if list {
			return errJSON
		}
	case placeMessages, placeTools:
		if !list {
			return refuse("This API request is blocked by the bottle's policy: its messages or tools are not a list." + instead)
		}
	case placeMessage, placeTool, placeSource:
		if list {
			return refuse("This API request is blocked by the bottle's policy: a message, a tool or a source in it is a list." + instead)
		}
	case placeContent:
		if !list {
			at = placeBlock
		}
	}
	m.spots = append(m.spots, spot{place: at, list: list})
	return nil
}

func (m *messageReader) end() error {
	s := *m.top()
	m.spots = m.spots[:len(m.spots)-1]
	if s.list {
		return nil
	}
	switch s.place {
	case placeSource:
		m.carry(s)
		return checkSource(s.kind)
	case placeBlock:
		m.load.block(s)
	case placeTool:
		if s.typed {
			m.load.tool(s.kind)
			return checkTool(s.kind, m.web)
		}
	case placeManage:
		m.load.edit(s.kind)
	}
	return nil
}

func (m *messageReader) key(name []byte) error {
	s := m.top()
	if s.place == placeOpaque {
		s.next = placeOpaque
		return nil
	}
	table := known[s.place]
	next, ok := table[string(name)]
	if !ok {
		// No client spells a key in another way, and some parsers would take it.
		if odd(name) {
			if _, same := table[fold(name)]; same {
				return refuse("This API request is blocked by the bottle's policy: the key %q in it is spelled oddly."+instead, shown(string(name)))
			}
		}
		s.next = placeOther
		return nil
	}
	if s.next = next; next == placeNever {
		s.name = string(name)
	}
	return nil
}

// odd reports whether name has anything but lower-case ASCII.
func odd(name []byte) bool {
	return bytes.ContainsFunc(name, func(r rune) bool { return r > 0x7e || r >= 'A' && r <= 'Z' })
}

// fold is name in the one form that all its spellings have, as encoding/json
// folds keys.
func fold(name []byte) string {
	if len(name) > 64 {
		return ""
	}
	return string(bytes.Map(func(r rune) rune {
		for {
			next := unicode.SimpleFold(r)
			if next <= r {
				return unicode.ToLower(next)
			}
			r = next
		}
	}, name))
}

func (m *messageReader) never() error {
	switch name := m.top().name; name {
	case "mcp_servers":
		return refuse("This API request is blocked by the bottle's policy: it asks Anthropic's servers to talk to MCP servers." + instead)
	case "url":
		return refuse("This API request is blocked by the bottle's policy: it asks Anthropic's servers to fetch an address." + instead)
	case "file_id":
		return refuse("This API request is blocked by the bottle's policy: it names a file that was uploaded to Anthropic." + instead)
	case "container":
		return refuse("This API request is blocked by the bottle's policy: it asks for a container at Anthropic." + instead)
	default:
		return refuse("This API request is blocked by the bottle's policy: its body holds %q."+instead, name)
	}
}

func (m *messageReader) text(v []byte, size int64) error {
	if len(m.spots) == 0 {
		return errJSON
	}
	switch m.here() {
	case placeNever:
		return m.never()
	case placeMax:
		return refuse("This API request is blocked by the bottle's policy: its max_tokens is not a number.")
	case placeTool:
		return refuse("This API request is blocked by the bottle's policy: a tool in it is a word." + instead)
	case placeType:
		s := m.top()
		s.kind, s.typed = string(v), true // no type that is let through is as long as what is cut
		if s.place == placeBlock && s.kind == "container_upload" {
			return refuse("This API request is blocked by the bottle's policy: it moves an uploaded file into a container at Anthropic." + instead)
		}
	case placeData:
		m.top().data = size
	}
	return nil
}

func (m *messageReader) other(v []byte) error {
	if len(m.spots) == 0 {
		return errJSON
	}
	null := v[0] == 'n'
	switch m.here() {
	case placeNever:
		if !null {
			return m.never()
		}
	case placeMax:
		// Of a longer number an exponent may be missing.
		n, err := strconv.ParseFloat(string(v), 64)
		if err != nil || n < 0 || n > maxTokens || len(v) == maxString {
			return refuse("This API request is blocked by the bottle's policy: its max_tokens is not a number that makes sense.")
		}
		m.tokens = int64(math.Ceil(n))
	case placeStream:
		m.stream = v[0] == 't'
	case placeType:
		if s := m.top(); s.place != placeBlock && !null {
			return refuse("This API request is blocked by the bottle's policy: a type in it is not a word." + instead)
		}
	case placeTool:
		return refuse("This API request is blocked by the bottle's policy: a tool in it is not an object." + instead)
	}
	return nil
}

// maxTokens is far above what any model gives in one reply.
const maxTokens = 10_000_000

// sourceTypes come whole in the body; all others are fetched or were uploaded.
var sourceTypes = map[string]bool{"base64": true, "text": true, "content": true}

func checkSource(kind string) error {
	if sourceTypes[kind] {
		return nil
	}
	return refuse("This API request is blocked by the bottle's policy: a source of type %q would be fetched by Anthropic's servers; send it as base64 or text."+instead, shown(kind))
}

var (
	clientTool = regexp.MustCompile(`^(custom|(bash|text_editor|computer|memory)_[0-9]{8})$`)
	webTool    = regexp.MustCompile(`^web_(search|fetch)_[0-9]{8}$`)
)

func checkTool(kind string, web bool) error {
	switch {
	case clientTool.MatchString(kind):
		return nil
	case !webTool.MatchString(kind):
		return refuse("This API request is blocked by the bottle's policy: the tool %q runs on Anthropic's servers."+instead, shown(kind))
	case web:
		return nil
	}
	return refuse("Web search and fetch are off for this bottle: Claude's servers would contact the internet on the bottle's behalf. " +
		"Do not retry; the user can switch it on with `bottlebar web NAME on` on the host.")
}

// refusedBetas are switched on by a header and reach somewhere from
// Anthropic's servers, or keep something there.
var refusedBetas = []string{"mcp-client-", "files-api-", "code-execution-", "skills-"}

// checkHeader judges what the header of an API request asks for.
func checkHeader(h http.Header) error {
	for _, line := range h["Anthropic-Beta"] {
		for beta := range strings.SplitSeq(line, ",") {
			beta = strings.ToLower(strings.TrimSpace(beta))
			for _, no := range refusedBetas {
				if strings.HasPrefix(beta, no) {
					return refuse("This API request is blocked by the bottle's policy: the beta %q is not let through."+instead, shown(beta))
				}
			}
		}
	}
	for _, e := range h["Content-Encoding"] {
		if !strings.EqualFold(strings.TrimSpace(e), "identity") {
			return refuse("This API request is blocked by the bottle's policy: its body is compressed, so it cannot be looked at. Send it plain.")
		}
	}
	return nil
}

// unread is the text for a body that is no JSON of the one kind that is read.
func unread(err error) string {
	why := "it cannot be read"
	if errors.Is(err, errTwice) || errors.Is(err, errTooNested) {
		why = err.Error()
	}
	return "This API request is blocked by the bottle's policy: its body must be one JSON object in UTF-8 that reads in one way only, but " + why + "."
}
