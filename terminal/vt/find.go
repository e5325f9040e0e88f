package vt

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// Pattern is a text to be found. Capitals matter only where it has some.
type Pattern struct {
	text  []byte
	exact bool
}

// maxPattern bounds a pattern in bytes.
const maxPattern = 1000

// NewPattern returns the pattern for a text; ok is false where there is
// nothing to find.
func NewPattern(text string) (p Pattern, ok bool) {
	if len(text) > maxPattern {
		return Pattern{}, false
	}
	for _, r := range text {
		p.exact = p.exact || unicode.IsUpper(r)
	}
	for _, r := range text {
		p.text = utf8.AppendRune(p.text, p.fold(r))
	}
	return p, len(p.text) > 0
}

func (p Pattern) fold(r rune) rune {
	if p.exact {
		return r
	}
	return unicode.ToLower(r)
}

// Find returns the places of a pattern in the lines from the first up to, not
// including, the second, in reading order, at most limit of them. Soft wraps
// are joined, within these lines.
func (s *Screen) Find(p Pattern, from, to, limit int) []Selection {
	var out []Selection
	var f finder
	f.p = p
	from, to = max(from, s.First), min(to, s.Top+s.Rows)
	for n := from; n < to && len(out) < limit; n++ {
		l := s.Line(n)
		f.add(s, n, l.Cells)
		if l.Wrapped && n+1 < to && len(f.starts) < maxJoined {
			continue
		}
		out = f.search(s, out, limit)
	}
	return out
}

// finder gathers the text of lines that belong together.
type finder struct {
	p      Pattern
	text   []byte
	first  int   // number of the line that starts at starts[0]
	starts []int // where in text each line begins
}

func (f *finder) add(s *Screen, n int, cells []Cell) {
	if len(f.starts) == 0 {
		f.first = n
	}
	f.starts = append(f.starts, len(f.text))
	for _, c := range cells {
		f.text = f.append(s, f.text, c)
	}
}

// append adds the folded text of a cell. What is concealed is not found.
func (f *finder) append(s *Screen, dst []byte, c Cell) []byte {
	switch {
	case c.Attr&attrSpacer != 0:
		return dst
	case c.ch == 0 || c.Attr&Concealed != 0:
		return append(dst, ' ')
	case c.ch < 0x80:
		b := byte(c.ch)
		if !f.p.exact && b >= 'A' && b <= 'Z' {
			b += 'a' - 'A'
		}
		return append(dst, b)
	case c.ch&clusterBit == 0:
		return utf8.AppendRune(dst, f.p.fold(rune(c.ch)))
	}
	for _, r := range s.m.clusters.text(c.ch) {
		dst = utf8.AppendRune(dst, f.p.fold(r))
	}
	return dst
}

// search appends the places in the gathered text and empties it.
func (f *finder) search(s *Screen, out []Selection, limit int) []Selection {
	for at := 0; len(out) < limit; {
		i := bytes.Index(f.text[at:], f.p.text)
		if i < 0 {
			break
		}
		i += at
		at = i + len(f.p.text)
		out = append(out, Selection{From: f.point(s, i), To: f.point(s, at-1)})
	}
	f.text, f.starts = f.text[:0], f.starts[:0]
	return out
}

// point returns the cell that a byte of the gathered text came from.
func (f *finder) point(s *Screen, at int) Point {
	i := len(f.starts) - 1
	for i > 0 && f.starts[i] > at {
		i--
	}
	var buf [64]byte
	left := at - f.starts[i]
	cells := s.Line(f.first + i).Cells
	for x, c := range cells {
		left -= len(f.append(s, buf[:0], c))
		if left < 0 {
			return Point{Line: f.first + i, Col: x}
		}
	}
	return Point{Line: f.first + i, Col: max(len(cells)-1, 0)}
}
