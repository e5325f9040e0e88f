package terminal

import (
	"fmt"
	"strings"
	"testing"
)

func TestFindShowsThePlacesFromTheNewestUp(t *testing.T) {
	term, p, q := started(t, Options{})
	var last Found
	term.OnFound = func(f Found) { last = f }
	var out strings.Builder
	for i := range 9000 {
		if i%3000 == 10 {
			fmt.Fprintf(&out, "a needle %d\r\n", i)
			continue
		}
		out.WriteString("hay\r\n")
	}
	run(t, term, p, q, out.String())
	shown := func(want string) {
		t.Helper()
		if got := term.ScreenText(); !strings.Contains(got, want) {
			t.Errorf("the view is not at %q", want)
		}
	}
	term.Find("NEEDLE")
	q.until(t, "a search for capitals", func() bool { return last.Done })
	if last.Total != 0 {
		t.Errorf("capitals that are not there are found: %+v", last)
	}
	term.Find("needle")
	q.until(t, "the search", func() bool { return last.Done && last.Total == 3 })
	shown("needle 6010")
	term.FindNext(false)
	shown("needle 3010")
	term.FindNext(false)
	shown("needle 10")
	term.FindNext(false)
	shown("needle 6010")
	term.FindNext(true)
	shown("needle 10")
	if last.At != 3 {
		t.Errorf("at %d", last.At)
	}

	// What came since is looked through before one goes on.
	run(t, term, p, q, "one more needle\r\n")
	term.FindNext(true)
	q.until(t, "the search", func() bool { return last.Done && last.Total == 4 })
	shown("needle 3010")
	term.Find("")
	if last.Total != 0 {
		t.Errorf("after the end %+v", last)
	}
}

func TestFoundTextIsMarked(t *testing.T) {
	term, p, q := started(t, Options{})
	run(t, term, p, q, "\x1b[?25lone needle\r\nneedle\r\nother")
	pixelAt := func(x, y int) string {
		s := term.paint.sheet
		i := (padding+y*s.cellH)*term.paint.img.Stride + (padding+x*s.cellW)*4
		return string(term.paint.img.Pix[i : i+4])
	}
	term.render()
	plain := pixelAt(4, 0)
	term.Find("needle")
	term.render()
	if pixelAt(4, 0) == plain || pixelAt(0, 1) == plain || pixelAt(0, 2) != plain || pixelAt(0, 0) != plain {
		t.Error("not exactly what was found is marked")
	}
	if pixelAt(4, 0) == pixelAt(0, 1) {
		t.Error("the place that was gone to looks like the others")
	}
	term.Find("")
	term.render()
	if pixelAt(4, 0) != plain || pixelAt(0, 1) != plain {
		t.Error("marks stay after the search")
	}
}
