package vt

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
)

// answer is what a real xterm (patch 379) made of a case on 10 by 5 cells;
// testdata/xterm/record.py asked it.
type answer struct {
	name, in, text, marks string
	y, x                  int
	origin                bool
}

func (a *answer) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, &[]any{&a.name, &a.in, &a.text, &a.marks, &a.y, &a.x, &a.origin})
}

func xtermAnswers(t *testing.T) []answer {
	t.Helper()
	f, err := os.Open("testdata/xterm/answers.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []answer
	for s := bufio.NewScanner(f); s.Scan(); {
		var a answer
		if err := json.Unmarshal(s.Bytes(), &a); err != nil {
			t.Fatal(err)
		}
		all = append(all, a)
	}
	if len(all) < 1000 {
		t.Fatalf("only %d answers", len(all))
	}
	return all
}

// marksOf writes the attributes that DECRQCRA counts: bit 10 underline, 20
// inverse, 40 blink, 80 bold.
func marksOf(t *Terminal) string {
	var b strings.Builder
	any := false
	for y, r := range t.main.rows {
		if y > 0 {
			b.WriteByte('|')
		}
		for x, c := range r.cells {
			n := 0
			for bit, on := range map[int]bool{
				0x10: c.Attr.Underline() != 0, 0x20: c.Attr&Inverse != 0, 0x40: c.Attr&Blink != 0, 0x80: c.Attr&Bold != 0,
			} {
				if on {
					n |= bit
				}
			}
			any = any || n != 0
			if x > 0 {
				b.WriteByte(' ')
			}
			fmt.Fprintf(&b, "%x", n)
		}
	}
	if !any {
		return ""
	}
	return b.String()
}

// departures are where we do something else than xterm 379, and why.
var departures = []struct{ function, place, why string }{
	{"reverse wrap", "", "only into a line that ran on into this one, as xterm does since patch 383"},
	{"CHT", "beside the margins", "a tab does not move back"},
	{"CHT", "behind the margins", "a tab does not move back"},
	{"HT", "beside the margins", "a tab does not move back"},
	{"HT", "behind the margins", "a tab does not move back"},
	{"wide text", "", "the column that a wide character did not fit into is empty, so that copied and rewrapped text is right"},
	{"DECFRA 0", "origin mode", "corners left out are those of the margins (VT510)"},
	{"DECCARA 0;0;0;0", "origin mode", "corners left out are those of the margins (VT510)"},
	{"DECCARA without corners", "origin mode", "corners left out are those of the margins (VT510)"},
	{"DECRARA 0", "", "reverses all attributes (VT510)"},
	{"IL", "wide ones across both margins", "the line above stays as it is"},
	{"DCH", "wide ones across both margins", "half a wide character is blank"},
	{"SL", "wide ones across both margins", "half a wide character is blank"},
	{"DECDC", "wide ones across both margins", "half a wide character is blank"},
	{"DECCRA too far", "half of a wide one", "half a wide character is blank"},
	{"DECCRA too far", "wide ones across both margins", "half a wide character is blank"},
	{"DECCARA", "wide ones across both margins", "a wide character changes as a whole"},
	{"DECSACE", "wide ones across both margins", "a wide character changes as a whole"},
	{"DECRARA", "wide ones across both margins", "a wide character changes as a whole"},
}

// TestAsXtermDoes compares with xterm in every place where functions differ:
// margins, origin mode, a wrap that waits, wide characters cut in half, counts
// of 0 and 2^32. Where we depart from it somebody has said why.
func TestAsXtermDoes(t *testing.T) {
	met := make([]bool, len(departures))
	for _, a := range xtermAnswers(t) {
		term := New(Options{Cols: 10, Rows: 5})
		term.Write([]byte(a.in + "\x1b[6n"))
		y, x := 0, 0
		fmt.Sscanf(string(term.TakeReplies(nil)), "\x1b[%d;%dR", &y, &x)
		if err := term.check(); err != nil {
			t.Errorf("%s: %v", a.name, err)
		}
		if text(term) == a.text && marksOf(term) == a.marks && y == a.y && x == a.x && term.modes.has(modeOrigin) == a.origin {
			continue
		}
		function, place, _ := strings.Cut(a.name, ", ")
		known := false
		for i, d := range departures {
			if strings.HasPrefix(function, d.function) && (d.place == "" || d.place == place) {
				met[i], known = true, true
			}
		}
		if !known {
			t.Errorf("%s: %q\n shows %s %s, cursor %d;%d\n xterm %s %s, cursor %d;%d, origin mode %v",
				a.name, a.in, text(term), marksOf(term), y, x, a.text, a.marks, a.y, a.x, a.origin)
		}
	}
	for i, d := range departures {
		if !met[i] {
			t.Errorf("%s %s does as xterm does and is still listed", d.function, d.place)
		}
	}
}

// everyCase are the inputs of both tables.
func everyCase(t *testing.T) []string {
	var in []string
	for _, c := range conformance {
		in = append(in, c.in)
	}
	for _, a := range xtermAnswers(t) {
		in = append(in, a.in)
	}
	return in
}

// cuts bounds how many places of a case are cut: the last ones, since the
// tables begin with the same few set-ups.
const cuts = 12

// TestSplitAnywhereMeansTheSame sends each case cut in two at every byte.
func TestSplitAnywhereMeansTheSame(t *testing.T) {
	for _, in := range everyCase(t) {
		whole := New(Options{Cols: 10, Rows: 5})
		whole.Write([]byte(in))
		want := picture(whole)
		for i := max(1, len(in)-cuts); i < len(in); i++ {
			term := New(Options{Cols: 10, Rows: 5})
			term.Write([]byte(in[:i]))
			term.Write([]byte(in[i:]))
			if got := picture(term); got != want {
				t.Fatalf("%q cut at %d is\n%s\nwant\n%s", in, i, got, want)
			}
		}
	}
}

// TestResizeInBetweenKeepsTheRules changes the size between any two bytes of
// each case and back after it.
func TestResizeInBetweenKeepsTheRules(t *testing.T) {
	sizes := [...][2]int{{1, 1}, {7, 3}, {10, 2}, {13, 9}, {3, 5}, {200, 5}, {2, 8}}
	for n, in := range everyCase(t) {
		for i := max(1, len(in)-cuts); i < len(in); i++ {
			size := sizes[(i+n)%len(sizes)]
			term := New(Options{Cols: 10, Rows: 5, Scrollback: 20})
			term.Write([]byte(in[:i]))
			for step, f := range []func(){
				func() { term.Resize(size[0], size[1]) },
				func() { term.Write([]byte(in[i:])) },
				func() { term.Resize(10, 5) },
			} {
				f()
				if err := term.check(); err != nil {
					t.Fatalf("%q, %v at %d, step %d: %v", in, size, i, step, err)
				}
			}
		}
	}
}
