package egress

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
)

// Decoy is a secret that opens nothing. It lies in a bottle to be seen when
// something carries it away: the placeholder of the credential, and what is
// planted besides it.
type Decoy struct {
	Name  string `json:"name"`  // what people call it: "the placeholder key"
	Value string `json:"value"` // at least minDecoy bytes
}

// minDecoy is what no honest text holds by chance; maxDecoys bounds what is
// looked for.
const (
	minDecoy  = 16
	maxDecoys = 16
	maxValue  = 256
)

// lookout finds decoys in what leaves a bottle: as they are, backwards, and in
// hex, base32 and base64, at every alignment. What is encrypted, or encoded in
// another way, it does not see.
//
// The search is that of Wu and Manber: a look at two bytes tells in most places
// how far the next possible end is, so nearly all bytes are skipped.
type lookout struct {
	needles []needle
	min     int        // length of the shortest
	max     int        // of the longest
	skip    []uint8    // by two bytes: how far no needle can end
	ends    [][]uint16 // by a hash of two bytes: needles of which the first min bytes end so
	// names are the same in lower case and without dots, as a host name can
	// carry them.
	names []needle
}

type needle struct {
	text string
	name string
}

func newLookout(decoys []Decoy) *lookout {
	l := &lookout{}
	for _, d := range decoys {
		if len(d.Value) < minDecoy || len(d.Value) > maxValue || len(l.names) > maxDecoys*16 {
			continue
		}
		for _, f := range forms(d.Value) {
			l.needles = append(l.needles, needle{f, d.Name})
			if low := inName(f); len(low) >= minDecoy {
				l.names = append(l.names, needle{low, d.Name})
			}
		}
	}
	if len(l.needles) == 0 {
		return nil
	}
	l.min, l.max = maxValue, 0
	for _, n := range l.needles {
		l.min, l.max = min(l.min, len(n.text)), max(l.max, len(n.text))
	}
	l.skip = make([]uint8, 1<<16)
	for i := range l.skip {
		l.skip[i] = uint8(l.min - 1)
	}
	l.ends = make([][]uint16, 1<<10)
	for i, n := range l.needles {
		for at := 1; at < l.min; at++ {
			p := pair(n.text[at-1], n.text[at])
			l.skip[p] = min(l.skip[p], uint8(l.min-1-at))
		}
		h := pair(n.text[l.min-2], n.text[l.min-1]) & (1<<10 - 1)
		l.ends[h] = append(l.ends[h], uint16(i))
	}
	return l
}

func pair(a, b byte) int { return int(a)<<8 | int(b) }

// forms are the ways in which a value is looked for.
func forms(v string) []string {
	raw := []byte(v)
	back := slices.Clone(raw)
	slices.Reverse(back)
	h := hex.EncodeToString(raw)
	out := []string{v, string(back), h, strings.ToUpper(h)}
	// What stands before a value shifts its digits: of each alignment those are
	// looked for that depend on the value alone.
	for shift := range 3 {
		for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			s := enc.EncodeToString(append(make([]byte, shift), raw...))
			out = append(out, inner(s, shift, len(raw), 3, 4, 6))
		}
	}
	for shift := range 5 {
		s := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(append(make([]byte, shift), raw...))
		s = inner(s, shift, len(raw), 5, 8, 5)
		out = append(out, s, strings.ToLower(s))
	}
	slices.Sort(out)
	out = slices.Compact(out)
	return slices.DeleteFunc(out, func(s string) bool { return len(s) < minDecoy })
}

// inner cuts from the encoding of shift foreign bytes and n of ours the digits
// that hold bits of ours alone.
func inner(s string, shift, n, _, _, bits int) string {
	first := (shift*8 + bits - 1) / bits
	last := (shift + n) * 8 / bits
	return s[first:min(last, len(s))]
}

// inName is s as a host name can carry it: without case, and in letters and
// digits alone.
func inName(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			return r
		}
		return -1
	}, s)
}

// find returns the name of a decoy that p holds, or "".
func (l *lookout) find(p []byte) string {
	if l == nil {
		return ""
	}
	for end := l.min - 1; end < len(p); {
		s := int(l.skip[pair(p[end-1], p[end])])
		if s > 0 {
			end += s
			continue
		}
		start := end - l.min + 1
		for _, i := range l.ends[pair(p[end-1], p[end])&(1<<10-1)] {
			n := l.needles[i]
			if len(p)-start >= len(n.text) && string(p[start:start+len(n.text)]) == n.text {
				return n.name
			}
		}
		end++
	}
	return ""
}

// inHost looks in a host name, whose dots, hyphens and case anybody may set as
// they like.
func (l *lookout) inHost(host string) string {
	if l == nil {
		return ""
	}
	if name := l.find([]byte(host)); name != "" {
		return name
	}
	flat := inName(host)
	if len(flat) < minDecoy {
		return ""
	}
	for _, n := range l.names {
		if strings.Contains(flat, n.text) {
			return n.name
		}
	}
	return ""
}

// inText looks in a path, a query or a header's value, as it is and with its
// escapes read.
func (l *lookout) inText(s string) string {
	if l == nil {
		return ""
	}
	if name := l.find([]byte(s)); name != "" || !strings.Contains(s, "%") {
		return name
	}
	return l.find(unescaped(s))
}

// unescaped reads the escapes of an address. What is none stays as it is: one
// that is broken on purpose hides no other.
func unescaped(s string) []byte {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			high, ok1 := hexDigit(s[i+1])
			low, ok2 := hexDigit(s[i+2])
			if ok1 && ok2 {
				out = append(out, byte(high<<4|low))
				i += 2
				continue
			}
		}
		out = append(out, s[i])
	}
	return out
}

// inHeader looks in names and values, but for those in except.
func (l *lookout) inHeader(h http.Header, except ...string) string {
	if l == nil {
		return ""
	}
	for name, values := range h {
		if slices.Contains(except, name) {
			continue
		}
		if found := l.inHost(name); found != "" {
			return found
		}
		for _, v := range values {
			if found := l.inText(v); found != "" {
				return found
			}
		}
	}
	return ""
}

// errDecoy ends the reading of a body that holds a decoy.
var errDecoy = errors.New("a decoy is in it")

// watched reads a body and stops before the piece that completes a decoy.
type watched struct {
	io.ReadCloser
	look  *lookout
	tail  []byte // the end of what was read before
	found func(name string)
	done  bool
}

func (l *lookout) watch(body io.ReadCloser, found func(name string)) io.ReadCloser {
	if l == nil || body == nil || body == http.NoBody {
		return body
	}
	return &watched{ReadCloser: body, look: l, found: found}
}

func (w *watched) Read(p []byte) (int, error) {
	if w.done {
		return 0, errDecoy
	}
	n, err := w.ReadCloser.Read(p)
	if n == 0 {
		return n, err
	}
	name := w.look.find(p[:n])
	keep := w.look.max - 1
	if name == "" && len(w.tail) > 0 {
		seam := append(slices.Clone(w.tail), p[:min(n, keep)]...)
		name = w.look.find(seam)
	}
	if name != "" {
		w.done = true
		w.found(name)
		return 0, errDecoy
	}
	w.tail = append(w.tail, p[max(0, n-keep):n]...)
	w.tail = w.tail[max(0, len(w.tail)-keep):]
	return n, err
}
