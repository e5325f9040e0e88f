package vt

import "strings"

// lines returns the screen as text, without trailing blanks.
func lines(t *Terminal) []string {
	var out []string
	t.View(func(s *Screen) {
		for y := range s.Rows {
			var b strings.Builder
			for _, c := range s.Line(s.Top + y).Cells {
				b.WriteString(s.Text(c))
			}
			out = append(out, strings.TrimRight(b.String(), " "))
		}
	})
	return out
}

// text is lines joined by bars, without empty ones at the end.
func text(t *Terminal) string { return strings.TrimRight(strings.Join(lines(t), "|"), "|") }
