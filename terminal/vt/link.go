package vt

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

var webAddress = regexp.MustCompile("https?://[^\\s<>\"'`{}|\\\\^]+")

// LinkAt returns the link at a cell and the cells that it covers: an OSC 8
// one, or a web address in the text, across soft wraps. The address is what
// the program wrote.
func (s *Screen) LinkAt(p Point) (uri string, sel Selection) {
	l := s.Line(p.Line)
	if p.Col < 0 || p.Col >= len(l.Cells) {
		return "", Selection{}
	}
	if id, uri := s.Link(l.Cells[p.Col]); id != 0 {
		same := func(q Point) bool {
			i, _ := s.Link(s.Line(q.Line).Cells[q.Col])
			return i == id
		}
		return uri, s.grow(p, same)
	}
	return s.addressAt(p)
}

// grow returns the cells around p, across soft wraps, for which same holds.
func (s *Screen) grow(p Point, same func(Point) bool) Selection {
	sel := Selection{From: p, To: p}
	for q, ok := s.step(p, -1); ok && same(q); q, ok = s.step(q, -1) {
		sel.From = q
	}
	for q, ok := s.step(p, 1); ok && same(q); q, ok = s.step(q, 1) {
		sel.To = q
	}
	return sel
}

// maxAddressLines bounds how far an address may run over lines.
const maxAddressLines = 12

// addressAt looks for a web address that covers p.
func (s *Screen) addressAt(p Point) (string, Selection) {
	par := s.Paragraph(p)
	from := max(par.From.Line, p.Line-maxAddressLines)
	to := min(par.To.Line, p.Line+maxAddressLines)
	var text []byte
	var at []Point // of each byte
	here := -1
	for n := from; n <= to; n++ {
		for x, c := range s.Line(n).Cells {
			if c.Attr&attrSpacer != 0 {
				continue
			}
			q := Point{n, x}
			if !p.Before(q) {
				here = len(text)
			}
			text = s.m.appendText(text, c)
			for len(at) < len(text) {
				at = append(at, q)
			}
		}
	}
	for _, m := range webAddress.FindAllIndex(text, -1) {
		uri := trimAddress(string(text[m[0]:m[1]]))
		end := m[0] + len(uri)
		if here >= m[0] && here < end {
			_, last := utf8.DecodeLastRuneInString(uri)
			return uri, Selection{From: at[m[0]], To: at[end-last]}
		}
	}
	return "", Selection{}
}

// trimAddress takes off what belongs to the sentence around an address: dots
// and commas, and a closing bracket without its opening one.
func trimAddress(s string) string {
	for {
		t := strings.TrimRight(s, ".,;:!?")
		for _, b := range [...]string{"()", "[]"} {
			if strings.HasSuffix(t, b[1:]) && strings.Count(t, b[:1]) < strings.Count(t, b[1:]) {
				t = t[:len(t)-1]
			}
		}
		if t == s {
			return s
		}
		s = t
	}
}
