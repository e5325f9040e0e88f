package egress

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
)

// Usage is what the API says that requests took, in tokens.
type Usage struct {
	Input      int64 `json:"input"`       // read afresh
	CacheWrite int64 `json:"cache_write"` // read and kept for later
	CacheRead  int64 `json:"cache_read"`  // kept from earlier
	Output     int64 `json:"output"`
}

// Total is all of it; caps count tokens, whatever they cost.
func (u Usage) Total() int64 { return u.Input + u.CacheWrite + u.CacheRead + u.Output }

// Plus is the sum of both.
func (u Usage) Plus(v Usage) Usage {
	return Usage{u.Input + v.Input, u.CacheWrite + v.CacheWrite, u.CacheRead + v.CacheRead, u.Output + v.Output}
}

// wireUsage is the usage object of the Messages API. An event of a stream
// repeats the fields that changed; they are sums, not differences.
type wireUsage struct {
	Input      *int64 `json:"input_tokens"`
	CacheWrite *int64 `json:"cache_creation_input_tokens"`
	CacheRead  *int64 `json:"cache_read_input_tokens"`
	Output     *int64 `json:"output_tokens"`
	Turns      turns  `json:"iterations"`
}

// turns is the sum of usage.iterations: what each turn of the model took, where
// Anthropic's servers went on by themselves, as when they compact a
// conversation. The fields beside it are then those of a part; the bill is for
// all.
type turns Usage

// UnmarshalJSON takes a list of usage objects. Anything else counts as none.
func (t *turns) UnmarshalJSON(b []byte) error {
	var all []wireUsage
	if json.Unmarshal(b, &all) == nil {
		for _, w := range all {
			t.add(&w)
		}
	}
	return nil
}

func (t *turns) add(w *wireUsage) {
	sum := Usage(*t).Plus(w.over(Usage{}))
	*t = turns{min(sum.Input, maxUsage), min(sum.CacheWrite, maxUsage), min(sum.CacheRead, maxUsage), min(sum.Output, maxUsage)}
}

// over puts the fields that are there over u. A field that shrinks or makes no
// sense leaves what is known: what was counted once stays counted.
func (w *wireUsage) over(u Usage) Usage {
	set := func(to *int64, from *int64) {
		if from != nil && *from > *to && *from <= maxUsage {
			*to = *from
		}
	}
	set(&u.Input, w.Input)
	set(&u.CacheWrite, w.CacheWrite)
	set(&u.CacheRead, w.CacheRead)
	set(&u.Output, w.Output)
	set(&u.Input, &w.Turns.Input)
	set(&u.CacheWrite, &w.Turns.CacheWrite)
	set(&u.CacheRead, &w.Turns.CacheRead)
	set(&u.Output, &w.Turns.Output)
	return u
}

const maxUsage = 1 << 40

const (
	maxEventLine = 256 << 10 // of an event that is read for its usage
	maxReply     = 64 << 20  // of a reply in one piece
)

// usageTap reads the usage out of a reply as it passes. It holds nothing back:
// it is shown what has already been sent on.
type usageTap interface {
	// see takes the next bytes.
	see(p []byte)
	// result is what was read, and whether it is all that the request took.
	result() (Usage, bool)
}

// tapFor returns the tap for a reply of the Messages API.
func tapFor(h http.Header) usageTap {
	kind, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	switch strings.ToLower(strings.TrimSpace(kind)) {
	case "text/event-stream":
		return new(eventTap)
	case "application/json":
		return newReplyTap()
	}
	return noTap{}
}

// noTap is for a reply in no form that is known: nothing can be read.
type noTap struct{}

func (noTap) see([]byte)            {}
func (noTap) result() (Usage, bool) { return Usage{}, false }

// eventTap reads server-sent events: the usage comes with the first, and with
// one before the last. All others pass unread.
type eventTap struct {
	usage Usage
	ended bool // the event that has the final usage was read

	line    []byte // the line that is being read, as far as it matters
	skip    bool   // the rest of the line does not matter
	cr      bool   // the last byte was a carriage return
	name    string // of the event that is being read
	data    []byte // of it
	dropped bool   // a line of it was too long
}

func (t *eventTap) see(p []byte) {
	for len(p) > 0 {
		if t.cr && p[0] == '\n' { // CRLF is one end of a line
			t.cr, p = false, p[1:]
			continue
		}
		t.cr = false
		end := lineEnd(p)
		if end < 0 {
			t.part(p)
			return
		}
		t.part(p[:end])
		t.cr = p[end] == '\r'
		t.endLine()
		p = p[end+1:]
	}
}

// lineEnd finds the end of a line. Carriage returns are rare: they are looked
// for in the line alone.
func lineEnd(p []byte) int {
	end := bytes.IndexByte(p, '\n')
	line := p
	if end >= 0 {
		line = p[:end]
	}
	if cr := bytes.IndexByte(line, '\r'); cr >= 0 {
		return cr
	}
	return end
}

// part takes bytes of a line; data of an event that does not matter is not
// kept.
func (t *eventTap) part(p []byte) {
	if t.skip {
		return
	}
	const head = len("data:")
	if room := head - len(t.line); room > 0 {
		n := min(room, len(p))
		t.line = append(t.line, p[:n]...)
		p = p[n:]
		if len(t.line) < head {
			return
		}
	}
	if string(t.line[:head]) == "data:" && t.name != "" && !t.matters() {
		t.skip = true
		return
	}
	if len(t.line)+len(p) > maxEventLine {
		t.skip, t.dropped = true, true
		return
	}
	t.line = append(t.line, p...)
}

// matters reports whether the event's data is read.
func (t *eventTap) matters() bool {
	return t.name == "message_start" || t.name == "message_delta"
}

func (t *eventTap) endLine() {
	line := t.line
	t.line = t.line[:0]
	if t.skip {
		t.skip = false
		return
	}
	if len(line) == 0 {
		t.dispatch()
		return
	}
	field, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimPrefix(value, []byte(" "))
	switch string(field) {
	case "event":
		t.name = string(value)
	case "data":
		if len(t.data)+len(value) > maxEventLine {
			t.dropped = true
			return
		}
		if len(t.data) > 0 {
			t.data = append(t.data, '\n')
		}
		t.data = append(t.data, value...)
	}
}

func (t *eventTap) dispatch() {
	name, data, dropped := t.name, t.data, t.dropped
	t.name, t.data, t.dropped = "", t.data[:0], false
	if dropped || len(data) == 0 || name != "" && name != "message_start" && name != "message_delta" {
		return
	}
	var e struct {
		Type    string     `json:"type"`
		Usage   *wireUsage `json:"usage"`
		Message struct {
			Usage *wireUsage `json:"usage"`
		} `json:"message"`
	}
	if json.Unmarshal(data, &e) != nil {
		return
	}
	switch {
	case e.Type == "message_start" && e.Message.Usage != nil:
		t.usage = e.Message.Usage.over(t.usage)
	case e.Type == "message_delta" && e.Usage != nil:
		t.usage, t.ended = e.Usage.over(t.usage), e.Usage.Output != nil
	}
}

func (t *eventTap) result() (Usage, bool) { return t.usage, t.ended }

// replyTap reads a reply in one piece: the usage lies at its top.
type replyTap struct {
	reader *jsonReader
	size   int
	failed bool

	depth  int
	inside bool   // the object "usage" at the top is open
	turns  bool   // the list "iterations" in it is, too
	field  string // the last key, at the top, in usage or in a turn
	wire   wireUsage
	turn   wireUsage
	found  bool
}

func newReplyTap() *replyTap {
	t := &replyTap{}
	t.reader = newJSONReader(t)
	return t
}

func (t *replyTap) see(p []byte) {
	if t.size += len(p); t.failed || t.size > maxReply || t.reader.feed(p) != nil {
		t.failed = true
	}
}

func (t *replyTap) result() (Usage, bool) {
	done := !t.failed && t.reader.finish() == nil && t.found && t.wire.Output != nil
	return t.wire.over(Usage{}), done
}

func (t *replyTap) begin(kind byte) error {
	t.depth++
	switch {
	case t.depth == 2 && t.field == "usage" && kind == '{':
		t.inside, t.found = true, true
	case t.depth == 3 && t.inside && t.field == "iterations" && kind == '[':
		t.turns = true
	}
	return nil
}

func (t *replyTap) end() error {
	t.depth--
	switch {
	case t.depth == 1:
		t.inside, t.field = false, ""
	case t.depth == 2 && t.turns:
		t.turns, t.field = false, ""
	case t.depth == 3 && t.turns:
		t.wire.Turns.add(&t.turn)
		t.turn, t.field = wireUsage{}, ""
	}
	return nil
}

func (t *replyTap) key(name []byte) error {
	if t.depth == 1 || t.inside && t.depth == 2 || t.turns && t.depth == 4 {
		t.field = string(name)
	}
	return nil
}

func (t *replyTap) text([]byte, int64) error { return nil }

func (t *replyTap) other(v []byte) error {
	w := &t.wire
	switch {
	case t.turns && t.depth == 4:
		w = &t.turn
	case !t.inside || t.depth != 2:
		return nil
	}
	to := map[string]**int64{
		"input_tokens": &w.Input, "cache_creation_input_tokens": &w.CacheWrite,
		"cache_read_input_tokens": &w.CacheRead, "output_tokens": &w.Output,
	}[t.field]
	var n int64
	if to != nil && json.Unmarshal(v, &n) == nil {
		*to = &n
	}
	return nil
}
