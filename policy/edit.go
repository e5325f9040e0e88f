package policy

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"bottlebar.app/egress"
)

// An edit changes the text of a policy file and nothing else in it: comments,
// order, blank lines and keys that this version does not know stay.
type edit struct {
	name string
	doc  document
}

func newEdit(name string, text []byte) (*edit, error) {
	d, err := scan(name, text)
	return &edit{name: name, doc: d}, err
}

// apply replaces the text, and reads it anew.
func (e *edit) apply(text []byte) error {
	d, err := scan(e.name, text)
	if err != nil {
		return fmt.Errorf("editing %s: the outcome would be no policy file: %w", e.name, err)
	}
	e.doc = d
	return nil
}

// found is what an edit knows of a table.
type found struct {
	Entry
	expires time.Time
}

// remove takes out the tables of a kind that match, and says how many.
func (e *edit) remove(kind string, match func(found) bool) (int, error) {
	text := slices.Clone(e.doc.text)
	n := 0
	for _, t := range slices.Backward(e.doc.tables) {
		if t.name != kind {
			continue
		}
		f, ok := entryOf(t)
		if !ok || !match(f) {
			continue
		}
		text = cut(text, t.start, t.end)
		n++
	}
	return n, e.apply(text)
}

// cut removes bytes, and one of two blank lines that would meet.
func cut(text []byte, start, end int) []byte {
	before, after := text[:start], text[end:]
	if rest, ok := bytes.CutPrefix(after, []byte("\n")); ok && (len(before) == 0 || bytes.HasSuffix(before, []byte("\n\n"))) {
		after = rest
	}
	return slices.Concat(before, after)
}

// entryOf reads host and port of a table, whichever kind it is.
func entryOf(t tableNode) (found, bool) {
	var e found
	for _, k := range t.keys {
		switch k.name {
		case "host":
			h, err := egress.ParseHost(k.value.text)
			if err != nil {
				return e, false
			}
			e.Host = h
		case "expires":
			e.expires = k.value.time.UTC()
		case "port":
			e.Port = uint16(min(max(k.value.number, 0), 65535)) //nolint:gosec // bounded
		}
	}
	if t.name == tableAllow && e.Port == 0 {
		e.Port = egress.DefaultPort
	}
	return e, e.Host.Name != ""
}

// add appends a table.
func (e *edit) add(kind string, lines ...string) error {
	text := slices.Clone(e.doc.text)
	if len(text) > 0 {
		if text[len(text)-1] != '\n' {
			text = append(text, '\n')
		}
		text = append(text, '\n')
	}
	text = fmt.Appendf(text, "[[%s]]\n%s\n", kind, strings.Join(lines, "\n"))
	return e.apply(text)
}

// setNames makes the list of names of a key at the top what it should be.
func (e *edit) setNames(key string, names []string) error {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = strconv.Quote(n)
	}
	line := key + " = [" + strings.Join(quoted, ", ") + "]"
	text := e.doc.text
	for _, k := range e.doc.keys {
		if k.name == key {
			return e.apply(slices.Concat(text[:k.start], []byte(line), text[k.end:]))
		}
	}
	if len(names) == 0 {
		return nil
	}
	at := e.top()
	lead := ""
	if at > 0 && text[at-1] != '\n' {
		lead = "\n"
	}
	return e.apply(slices.Concat(text[:at], []byte(lead+line+"\n"), text[at:]))
}

// top is where a further key of the top is written: below the last one, else
// above the first table and the comment that stands on it.
func (e *edit) top() int {
	text := e.doc.text
	if n := len(e.doc.keys); n > 0 {
		end := e.doc.keys[n-1].end
		if i := bytes.IndexByte(text[end:], '\n'); i >= 0 {
			return end + i + 1
		}
		return len(text)
	}
	if len(e.doc.tables) == 0 {
		return len(text)
	}
	at := e.doc.tables[0].start
	for at > 0 {
		prev := bytes.LastIndexByte(text[:at-1], '\n') + 1
		if !bytes.HasPrefix(bytes.TrimSpace(text[prev:at]), []byte("#")) {
			break
		}
		at = prev
	}
	return at
}

// lines are the keys of a rule as a file holds them.
func (a Allow) lines() []string {
	out := []string{"host = " + strconv.Quote(a.Host.String())}
	if a.Rule.Port != egress.DefaultPort {
		out = append(out, fmt.Sprintf("port = %d", a.Rule.Port))
	}
	if len(a.Rule.Methods) > 0 {
		quoted := make([]string, len(a.Rule.Methods))
		for i, m := range a.Rule.Methods {
			quoted[i] = strconv.Quote(m)
		}
		out = append(out, "methods = ["+strings.Join(quoted, ", ")+"]")
	}
	if a.Rule.Private {
		out = append(out, "private = true")
	}
	if !a.Expires.IsZero() {
		out = append(out, "granted = "+a.Granted.UTC().Format(time.RFC3339), "expires = "+a.Expires.UTC().Format(time.RFC3339))
	}
	return out
}

func (e Entry) lines() []string {
	out := []string{"host = " + strconv.Quote(e.Host.String())}
	if e.Port != 0 {
		out = append(out, fmt.Sprintf("port = %d", e.Port))
	}
	return out
}
