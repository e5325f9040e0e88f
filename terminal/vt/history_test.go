package vt

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unsafe"
)

// all returns everything that is kept, scrollback first, as text.
func all(t *Terminal) string {
	out := ""
	t.View(func(s *Screen) { out = strings.TrimRight(s.Selected(s.All()), "\n") })
	return out
}

func numbered(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "line %d\r\n", i)
	}
	return b.String()
}

func TestScrollbackKeepsTheNewestLines(t *testing.T) {
	term := New(Options{Cols: 20, Rows: 3, Scrollback: 10})
	term.Write([]byte(numbered(30)))
	term.View(func(s *Screen) {
		if s.Top-s.First != 10 {
			t.Errorf("%d lines are kept, want 10", s.Top-s.First)
		}
		first := s.Line(s.First)
		if got := s.Selected(Selection{Point{s.First, 0}, Point{s.First, 19}, false}); got != "line 18" {
			t.Errorf("the oldest line is %q", got)
		}
		if len(first.Cells) != 20 || first.Seq == 0 {
			t.Errorf("line has %d cells, seq %d", len(first.Cells), first.Seq)
		}
		if l := s.Line(s.First - 1); l.Cells != nil {
			t.Error("a line that is gone is still there")
		}
	})
}

func TestScrollbackIsFedFromTheTopOfTheMainScreenOnly(t *testing.T) {
	for in, want := range map[string]int{
		"\x1b[?1049h" + numbered(10):      0,
		"\x1b[2;3r\x1b[3;1H\n\n\n":        0,
		"\x1b[1;2r\x1b[2;1H\n\n":          2,
		"\x1b[2S":                         2,
		"\x1b[H\x1b[2M":                   0,
		"\x1b[?69h\x1b[2;5s\x1b[3;3H\n\n": 0,
		"\x1b[2J":                         0,
	} {
		term := New(Options{Cols: 10, Rows: 3})
		term.Write([]byte(in))
		term.View(func(s *Screen) {
			if got := term.hist.count; got != want {
				t.Errorf("%q puts %d lines into the scrollback, want %d", in, got, want)
			}
		})
	}
}

func TestEraseSavedLines(t *testing.T) {
	term := New(Options{Cols: 10, Rows: 3})
	term.Write([]byte(numbered(10) + "\x1b[3J"))
	if term.hist.count != 0 || lines(term)[0] != "line 8" {
		t.Errorf("%d lines left, screen %q", term.hist.count, text(term))
	}
}

// TestPackedLinesComeBackTheSame packs random lines, styles and widths and
// reads them again.
func TestPackedLinesComeBackTheSame(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	term := New(Options{Cols: 60, Rows: 2, Scrollback: 3000})
	for range 2000 {
		term.Write(randomStream(r, 30))
		term.Write([]byte("\x1b[?1049l\x1b[r\x1b[?69l"))
		row := term.main.rows[0]
		want := append([]Cell(nil), row.cells...)
		term.hist.push(row)
		got, _ := term.hist.line(term.hist.next()-1, nil)
		for len(got) < len(want) {
			got = append(got, Cell{})
		}
		for x := range want {
			if got[x] != want[x] && (got[x].ch != 0 || want[x].ch != 0 || got[x].BG != want[x].BG) {
				t.Fatalf("column %d is %+v, was %+v", x, got[x], want[x])
			}
		}
	}
}

// TestFiftyThousandLinesFitInSixtyMegabytes counts what is held for lines of
// 120 columns, and for such as are made to take the most.
func TestFiftyThousandLinesFitInSixtyMegabytes(t *testing.T) {
	held := func(term *Terminal) int {
		size := len(term.hist.refs) * int(unsafe.Sizeof(lineRef{}))
		for _, s := range term.hist.slabs {
			size += cap(s.b)
		}
		return size
	}
	term := New(Options{Cols: 120, Rows: 40})
	fill(term, 51_000)
	if size := held(term); term.hist.count != 50_000 || size > 60<<20 {
		t.Errorf("%d lines take %d MB", term.hist.count, size>>20)
	}
	var line []byte
	for x := range 120 {
		line = fmt.Appendf(line, "\x1b[38;2;%d;1;2;48;2;3;4;%dmx", x, x)
	}
	line = append(line, "\r\n"...)
	costly := New(Options{Cols: 120, Rows: 40})
	for range 40_000 {
		costly.Write(line)
	}
	if size := held(costly); size > 60<<20 || costly.hist.count < 20_000 {
		t.Errorf("%d costly lines take %d MB", costly.hist.count, size>>20)
	}
	if err := costly.check(); err != nil {
		t.Error(err)
	}
}

func TestReflowWrapsAndJoinsAgain(t *testing.T) {
	const long = "the quick brown fox jumps over the lazy dog and 日本語 too"
	for _, start := range []int{80, 33, 7} {
		term := New(Options{Cols: start, Rows: 6})
		term.Write([]byte(numbered(20) + long + "\r\n\x1b[31mred\x1b[m end"))
		before := all(term)
		for _, cols := range []int{5, 11, 2, 200, 9, start} {
			term.Resize(cols, 6)
			if got := all(term); got != before {
				t.Fatalf("from %d at %d columns the text is\n%s\nwant\n%s", start, cols, got, before)
			}
			if err := term.check(); err != nil {
				t.Fatal(err)
			}
		}
		term.Write([]byte("!"))
		if got := all(term); got != before+"!" {
			t.Errorf("the cursor was lost: %q", got[len(got)-20:])
		}
	}
}

func TestCursorStaysWithItsTextWhenReflowed(t *testing.T) {
	term := New(Options{Cols: 20, Rows: 5})
	term.Write([]byte("$ echo one two three four\x1b[4D"))
	for _, cols := range []int{7, 40, 13, 3, 20} {
		term.Resize(cols, 5)
		term.Write([]byte("X\b"))
		if got := all(term); got != "$ echo one two three Xour" {
			t.Fatalf("at %d columns %q", cols, got)
		}
	}
}

func TestGrowingTakesLinesBackAndShrinkingPutsThemAway(t *testing.T) {
	term := New(Options{Cols: 20, Rows: 5})
	term.Write([]byte(numbered(8) + "prompt"))
	before := all(term)
	for _, rows := range []int{3, 9, 20, 2, 5} {
		term.Resize(20, rows)
		if got := all(term); got != before {
			t.Fatalf("at %d rows %q", rows, got)
		}
		if got := lines(term)[term.cur.y]; got != "prompt" {
			t.Fatalf("at %d rows the cursor is on %q", rows, got)
		}
	}
}

func TestEmptyLinesComeBackFromTheScrollback(t *testing.T) {
	term := New(Options{Cols: 10, Rows: 2, Scrollback: 20})
	term.Write([]byte(strings.Repeat("\n", 8)))
	term.Resize(10, 5)
	term.View(func(s *Screen) {
		for n := s.First; n < s.Top; n++ {
			s.Line(n)
		}
	})
	term.Resize(10, 12)
	if err := term.check(); err != nil || term.hist.count != 0 {
		t.Errorf("%d lines stay above, %v", term.hist.count, err)
	}
}

func TestShrinkingDropsEmptyLinesBelowFirst(t *testing.T) {
	term := New(Options{Cols: 20, Rows: 10})
	term.Write([]byte("one\r\ntwo"))
	term.Resize(20, 3)
	if got := text(term); got != "one|two" || term.hist.count != 0 {
		t.Errorf("screen %q with %d lines above", got, term.hist.count)
	}
}

func TestAlternateScreenIsCutNotWrapped(t *testing.T) {
	term := New(Options{Cols: 10, Rows: 4})
	term.Write([]byte("main text that is long\x1b[?1049h\x1b[H0123456789"))
	term.Resize(5, 4)
	if got := text(term); got != "01234" {
		t.Errorf("alternate screen is %q", got)
	}
	term.Write([]byte("\x1b[?1049l"))
	if got := all(term); got != "main text that is long" {
		t.Errorf("main screen is %q", got)
	}
}

func TestResizeResetsMarginsAndKeepsTabs(t *testing.T) {
	term := New(Options{Cols: 20, Rows: 5})
	term.Write([]byte("\x1b[2;3r\x1b[4G\x1bH"))
	term.Resize(30, 6)
	if term.top != 0 || term.bottom != 5 || !term.tabs[3] || !term.tabs[24] {
		t.Errorf("margins %d to %d, tabs %v", term.top, term.bottom, term.tabs)
	}
}

func TestSelection(t *testing.T) {
	term := New(Options{Cols: 10, Rows: 5})
	term.Write([]byte("one two   \r\n0123456789abc\r\n日本 \x1b[8mhid\x1b[m\r\nend"))
	term.View(func(s *Screen) {
		at := func(y, x int) Point { return Point{s.Top + y, x} }
		for _, c := range []struct {
			name string
			sel  Selection
			want string
		}{
			{"trailing blanks go", Selection{From: at(0, 0), To: at(1, 2)}, "one two\n012"},
			{"backwards", Selection{From: at(0, 6), To: at(0, 4)}, "two"},
			{"soft wraps join", Selection{From: at(1, 5), To: at(2, 2)}, "56789abc"},
			{"block", Selection{From: at(0, 1), To: at(1, 2), Block: true}, "ne\n12"},
			{"concealed cells stay behind", Selection{From: at(3, 0), To: at(4, 9)}, "日本\nend"},
			{"word", s.Word(at(0, 5)), "two"},
			{"word across a wrap", s.Word(at(2, 1)), "0123456789abc"},
			{"paragraph", s.Paragraph(at(2, 0)), "0123456789abc"},
		} {
			if got := s.Selected(c.sel); got != c.want {
				t.Errorf("%s: %q, want %q", c.name, got, c.want)
			}
		}
	})
}

func TestLinks(t *testing.T) {
	term := New(Options{Cols: 20, Rows: 6})
	term.Write([]byte("see (https://a.example/x(y)), or\r\n\x1b]8;;https://b.example\x1b\\here\x1b]8;;\x1b\\ not\r\nhttps://c.example/long/path/that/wraps."))
	term.View(func(s *Screen) {
		for _, c := range []struct {
			y, x int
			want string
		}{
			{0, 8, "https://a.example/x(y)"},
			{0, 2, ""},
			{2, 1, "https://b.example"},
			{2, 6, ""},
			{4, 3, "https://c.example/long/path/that/wraps"},
		} {
			got, sel := s.LinkAt(Point{s.Top + c.y, c.x})
			if got != c.want {
				t.Errorf("at %d,%d the link is %q, want %q", c.y, c.x, got, c.want)
			}
			if c.y == 2 && c.want != "" && s.Selected(sel) != "here" {
				t.Errorf("link covers %q", s.Selected(sel))
			}
		}
	})
}
