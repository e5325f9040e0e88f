package vt

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// check panics where the grid breaks one of its own rules.
func (m *machine) check() error {
	for name, p := range map[string]*page{"main": &m.main, "alt": &m.alt} {
		if len(p.rows) != m.rows {
			return fmt.Errorf("%s has %d lines, want %d", name, len(p.rows), m.rows)
		}
		for y, r := range p.rows {
			if len(r.cells) != m.cols {
				return fmt.Errorf("%s line %d has %d columns, want %d", name, y, len(r.cells), m.cols)
			}
			for x, c := range r.cells {
				if x >= r.used && !c.empty() {
					return fmt.Errorf("%s %d,%d is written beyond used %d", name, x, y, r.used)
				}
				spacer := x > 0 && r.cells[x-1].Attr&attrWide != 0
				if (c.Attr&attrSpacer != 0) != spacer {
					return fmt.Errorf("%s %d,%d: half a wide character", name, x, y)
				}
			}
			if r.cells[m.cols-1].Attr&attrWide != 0 {
				return fmt.Errorf("%s line %d ends in half a wide character", name, y)
			}
		}
	}
	if m.cur.x < 0 || m.cur.x >= m.cols || m.cur.y < 0 || m.cur.y >= m.rows {
		return fmt.Errorf("cursor at %d,%d of %dx%d", m.cur.x, m.cur.y, m.cols, m.rows)
	}
	if m.hist.count > m.hist.max || len(m.events) > maxEvents || len(m.tabs) != m.cols || len(m.hist.slabs) > maxSlabs ||
		len(m.clusters.texts) > maxClusters || len(m.extras.list) > maxExtras+1 || m.extras.bytes > maxLinkBytes+4096 ||
		cap(m.str) > 2*maxOSC52 || len(m.titleStack) > 10 || len(m.palette) > 256 {
		return fmt.Errorf("a bound is broken")
	}
	return nil
}

var pieces = []string{
	"\x1b[", "\x1b]", "\x1bP", "\x1b_", "\x1b^", "\x1b\\", "\x07", "\x1b(", "0", "B", "?", ">", "=", "<", ";", ":",
	"4294967295", "0", "1", "2", "5", "7", "10", "25", "69h", "1049h", "1049l", "47h", "2026h", "2026l", "\x1b7", "\x1b8", "\x1bD", "\x1bM", "\x1bE",
	"\x1bc", "\x1b#8", "r", "s", "u", "L", "M", "P", "@", "X", "b", "J", "K", "S", "T", "A", "B", "C", "D", "H", "f", "d", "G", "I", "Z", "m", "h", "l",
	"$p", "$x", "$z", "${", "$v", "$r", "$t", "'}", "'~", " @", " A", "!p", "\"p", "\"q", " q", "t", "n", "c", "q",
	"38;5;", "48:2::1:2:3", "4:3", "58;2;1;2;3", "hello world", "日本語", "👩‍💻", "🇬🇧", "e\u0301", "✳️", "\u0915\u094d\u0937", "\u200d", "각",
	"\x18", "\x1a", "\x9c", "\x80", "\xe2\x9c", "\xff", "\n", "\r", "\b", "\t", "\x0e", "\x0f",
	"\x1bP$q", "\x1bP+q", "544e", "436f", "*|", "$|", "*x", "?996n", "5n", "6n", "?6n", "?15n", "?63;7n", ">c", "=c", ">q", "18t", "14t", "?u", ">5u", "=3;2u",
	"1000h", "1001h", "1006h", "1016h", "2031h", "2048h", "2027l", "45h", "95h", "40h", "3h", "20h", "?4m", ">4;2m", "\x1b6", "\x1b9", "*y", "22t", "23t", "3J",
	"8;;http://x/y", "52;c;aGVsbG8=", "133;A", "0;title", "4;1;rgb:ff/00/00", "4;1;?", "10;?",
}

func randomStream(r *rand.Rand, n int) []byte {
	var b []byte
	for range n {
		if r.IntN(12) == 0 {
			b = append(b, byte(r.IntN(256)))
			continue
		}
		b = append(b, pieces[r.IntN(len(pieces))]...)
	}
	return b
}

// TestRandomStreamsAndResizesBreakNothing sends 1 200 streams of control
// sequences, with a resize after each.
func TestRandomStreamsAndResizesBreakNothing(t *testing.T) { randomStreams(t, 300) }

// BenchmarkTwentyThousandStreams is the same with 20 000 for each turn.
func BenchmarkTwentyThousandStreams(b *testing.B) {
	for b.Loop() {
		randomStreams(b, 5000)
	}
}

func randomStreams(t testing.TB, seeds uint64) {
	t.Helper()
	for seed := range seeds {
		r := rand.New(rand.NewPCG(seed, 1))
		term := New(Options{Cols: 80, Rows: 25, Scrollback: 200})
		term.SetPixels(8, 18)
		for range 4 {
			term.Write(randomStream(r, 120))
			if err := term.check(); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			if rest := strange(term.TakeReplies(nil)); rest != nil {
				t.Fatalf("seed %d: a reply that is none of the standard ones: %q", seed, rest)
			}
			term.Resize(1+r.IntN(120), 1+r.IntN(50))
			if err := term.check(); err != nil {
				t.Fatalf("seed %d after resize: %v", seed, err)
			}
		}
	}
}

func FuzzWrite(f *testing.F) {
	f.Add([]byte("hello\r\n\x1b[31mred\x1b[0m"), uint8(80), uint8(24))
	f.Add([]byte("\x1b[?1049h\x1b[2J\x1b[10;20Hx\x1b[5L\x1b[?69h\x1b[3;9s\x1b[2M"), uint8(20), uint8(10))
	f.Add([]byte("\x1b]0;t\x07\x1bP$qm\x1b\\\x1b_x\x1b\\日本👩‍💻\x1b[4294967295b"), uint8(3), uint8(3))
	for seed := range uint64(10) {
		f.Add(randomStream(rand.New(rand.NewPCG(seed, 2)), 60), uint8(40), uint8(12))
	}
	f.Fuzz(func(t *testing.T, b []byte, cols, rows uint8) {
		term := New(Options{Cols: 40, Rows: 12, Scrollback: 50})
		term.SetPixels(8, 18)
		half := len(b) / 2
		term.Write(b[:half])
		term.Resize(int(cols), int(rows))
		term.Write(b[half:])
		if err := term.check(); err != nil {
			t.Fatal(err)
		}
		if rest := strange(term.TakeReplies(nil)); rest != nil {
			t.Fatalf("a reply that is none of the standard ones: %q", rest)
		}
		term.Resize(40, 12)
		if err := term.check(); err != nil {
			t.Fatal(err)
		}
		term.View(func(s *Screen) { s.Selected(s.All()) })
		copyOf := New(Options{Cols: 40, Rows: 12})
		copyOf.Write(term.AppendReplay(nil, 10))
		if err := copyOf.check(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestNoReplyCarriesTheSendersText sends a marker in every place that text
// can go, with every query after it, and looks for it in the answers.
func TestNoReplyCarriesTheSendersText(t *testing.T) {
	const mark = "ZQXJ"
	term := New(Options{Cols: 40, Rows: 10})
	var in strings.Builder
	for _, s := range []string{
		"\x1b]0;%s\x07", "\x1b]2;%s\x1b\\", "\x1b]1;%s\x07", "\x1b]4;1;%s\x07", "\x1b]10;%s\x07", "\x1b]7;file:///%s\x07",
		"\x1b]8;id=%[1]s;http://%[1]s\x07", "\x1bP$q%s\x1b\\", "\x1bP+q%s\x1b\\", "\x1bP%s\x1b\\", "\x1b_%s\x1b\\", "\x1b^%s\x1b\\", "%s",
		"\x1b]52;c;%s\x07", "\x1b]52;c;?\x07", "\x1b]777;notify;%[1]s;%[1]s\x07",
	} {
		fmt.Fprintf(&in, s, mark)
	}
	for _, q := range []string{
		"\x1b[c", "\x1b[>c", "\x1b[=c", "\x1b[>q", "\x1b[5n", "\x1b[6n", "\x1b[?6n", "\x1b[20t", "\x1b[21t", "\x1b[18t", "\x1b[14t", "\x1b[11t", "\x05",
		"\x1b[1;1;1;1;10;40*y", "\x1b]4;1;?\x07", "\x1b]10;?\x07", "\x1b]11;?\x07", "\x1bP$qm\x1b\\", "\x1bP$qr\x1b\\", "\x1bP$q q\x1b\\", "\x1b[?u", "\x1b[?996n", "\x1bZ", "\x1b[x",
		"\x1bP+q544e\x1b\\", "\x1b[?1$p", "\x1b[4$p", "\x1b[?63;1n",
	} {
		in.WriteString(q)
	}
	term.Write([]byte(in.String()))
	got := term.TakeReplies(nil)
	if len(got) == 0 {
		t.Fatal("no reply at all")
	}
	if rest := strange(got); rest != nil {
		t.Fatalf("a reply that is none of the standard ones: %q", rest)
	}
	if bytes.Contains(got, []byte(mark)) || bytes.Contains(got, []byte("5A51584A")) {
		t.Fatalf("a reply carries the sender's text: %q", got)
	}
}

// TestRepliesAreBounded asks forty thousand questions with nobody reading.
func TestRepliesAreBounded(t *testing.T) {
	term := New(Options{})
	term.Write(bytes.Repeat([]byte("\x1b[c\x1b[6n"), 20_000))
	if n := len(term.TakeReplies(nil)); n == 0 || n > maxReplies {
		t.Fatalf("%d bytes of replies are queued", n)
	}
}

func TestEventsAreBounded(t *testing.T) {
	term := New(Options{})
	term.Write(bytes.Repeat([]byte("\x07\x1b]9;hi\x07\x1b]133;A\x07\x1b]0;a\x07\x1b]0;b\x07"), 10_000))
	if n := len(term.TakeEvents()); n > maxEvents {
		t.Fatalf("%d events are queued", n)
	}
}

// TestStringsAreBounded sends endless strings of each kind.
func TestStringsAreBounded(t *testing.T) {
	for _, start := range []string{"\x1b]0;", "\x1b]52;c;", "\x1bP", "\x1bPq", "\x1b_", "\x1b^", "\x1bX"} {
		term := New(Options{})
		term.Write([]byte(start))
		for range 20 {
			term.Write(bytes.Repeat([]byte("A"), 64<<10))
		}
		if cap(term.str) > 1<<20 {
			t.Errorf("%q keeps %d bytes", start, cap(term.str))
		}
		term.Write([]byte("\x1b\\\x1b[Hok"))
		if got := lines(term)[0]; got != "ok" {
			t.Errorf("after %q the screen says %q", start, got)
		}
	}
}

// TestClustersAndLinksAreBounded fills the side tables far beyond their size.
func TestClustersAndLinksAreBounded(t *testing.T) {
	term := New(Options{Cols: 80, Rows: 5, Scrollback: 10})
	var b []byte
	for i := range 150_000 {
		b = fmt.Appendf(b[:0], "%c\u0301%c", 'a'+i%26, 0x300+i/26%0x6f)
		b = fmt.Appendf(b, "%c\x1b]8;;http://x/%d\x07y\x1b[58;2;%d;%d;%dmz", 0x300+i/3000, i, i&255, i>>8&255, i>>16)
		term.Write(b)
	}
	if len(term.clusters.texts) > maxClusters || len(term.extras.list) > maxExtras+1 || term.extras.bytes > maxLinkBytes+4096 {
		t.Fatalf("tables grew to %d, %d, %d bytes", len(term.clusters.texts), len(term.extras.list), term.extras.bytes)
	}
	if err := term.check(); err != nil {
		t.Fatal(err)
	}
}
