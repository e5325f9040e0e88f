package vt

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Point is a cell by line (see Screen) and column.
type Point struct{ Line, Col int }

// Before says whether p comes before q in reading order.
func (p Point) Before(q Point) bool {
	return p.Line < q.Line || p.Line == q.Line && p.Col < q.Col
}

// Selection is a part of the lines: from a cell to another one, both within.
// A block takes the same columns of each line.
type Selection struct {
	From, To Point
	Block    bool
}

// ordered returns the selection with From before To.
func (sel Selection) ordered() Selection {
	if sel.To.Before(sel.From) {
		sel.From, sel.To = sel.To, sel.From
	}
	if sel.Block && sel.To.Col < sel.From.Col {
		sel.From.Col, sel.To.Col = sel.To.Col, sel.From.Col
	}
	return sel
}

// Columns returns the columns of a line of so many columns that are selected:
// from the first up to, not including, the second.
func (sel Selection) Columns(line, cols int) (x0, x1 int) {
	s := sel.ordered()
	if line < s.From.Line || line > s.To.Line {
		return 0, 0
	}
	x0, x1 = 0, cols
	if s.Block || line == s.From.Line {
		x0 = s.From.Col
	}
	if s.Block || line == s.To.Line {
		x1 = s.To.Col + 1
	}
	return clamp(x0, 0, cols), clamp(x1, 0, cols)
}

// Selected returns the text of a selection as it goes to a clipboard: soft
// wraps joined, trailing blanks and concealed cells left out, other lines
// ended by "\n" between them.
func (s *Screen) Selected(sel Selection) string {
	sel = sel.ordered()
	var b strings.Builder
	var line []byte
	gap := false
	for n := max(sel.From.Line, s.First); n <= min(sel.To.Line, s.Top+s.Rows-1); n++ {
		l := s.Line(n)
		x0, x1 := sel.Columns(n, len(l.Cells))
		line = line[:0]
		if gap && l.Cells[0].Attr&attrWide == 0 {
			line = append(line, ' ')
		}
		joined := l.Wrapped && !sel.Block && n < sel.To.Line
		// A wide character that did not fit leaves a column that is no text.
		if gap = joined && x1 > x0 && l.Cells[x1-1].empty(); gap {
			x1--
		}
		for _, c := range l.Cells[x0:x1] {
			if c.Attr&attrSpacer == 0 && c.Attr&Concealed == 0 {
				line = s.m.appendText(line, c)
			}
		}
		if !joined {
			for len(line) > 0 && line[len(line)-1] == ' ' {
				line = line[:len(line)-1]
			}
		}
		b.Write(line)
		if !joined && n < sel.To.Line {
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// All returns the selection of everything that is kept.
func (s *Screen) All() Selection {
	return Selection{From: Point{Line: s.First}, To: Point{Line: s.Top + s.Rows - 1, Col: s.Cols - 1}}
}

// maxJoined bounds how many soft-wrapped lines count as one.
const maxJoined = 500

// Word returns the word at p: a run of characters of the same kind, where
// what stands in words, paths and addresses is one kind, across soft wraps.
func (s *Screen) Word(p Point) Selection {
	l := s.Line(p.Line)
	if p.Col < 0 || p.Col >= len(l.Cells) {
		return Selection{From: p, To: p}
	}
	kind := s.kind(l.Cells, p.Col)
	return s.grow(p, func(q Point) bool { return s.kind(s.Line(q.Line).Cells, q.Col) == kind })
}

// step returns the cell next to p, on the line before or after only where the
// text wraps there.
func (s *Screen) step(p Point, dir int) (Point, bool) {
	q := Point{p.Line, p.Col + dir}
	switch {
	case q.Col < 0:
		q = Point{p.Line - 1, s.Cols - 1}
		return q, q.Line >= s.First && s.Line(q.Line).Wrapped
	case q.Col >= s.Cols:
		q = Point{p.Line + 1, 0}
		return q, q.Line < s.Top+s.Rows && s.Line(p.Line).Wrapped
	}
	return q, true
}

func (s *Screen) kind(cells []Cell, x int) int {
	if cells[x].Attr&attrSpacer != 0 && x > 0 {
		x--
	}
	r, size := utf8.DecodeRuneInString(s.Text(cells[x]))
	switch {
	case size == 0 || r == ' ' || unicode.IsSpace(r):
		return 0
	case unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) || strings.ContainsRune("-._~/:@%+#?&=$", r):
		return 1
	}
	return 2
}

// Paragraph returns the whole line at p with its soft-wrapped neighbours.
func (s *Screen) Paragraph(p Point) Selection {
	from, to := p.Line, p.Line
	for from > s.First && p.Line-from < maxJoined && s.Line(from-1).Wrapped {
		from--
	}
	for to < s.Top+s.Rows-1 && to-p.Line < maxJoined && s.Line(to).Wrapped {
		to++
	}
	return Selection{From: Point{Line: from}, To: Point{Line: to, Col: s.Cols - 1}}
}
