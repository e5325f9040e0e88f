package vt

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// picture writes down all that one sees of a terminal: cells with colours and
// attributes, cursor, modes, title.
func picture(t *Terminal) string {
	var b strings.Builder
	t.View(func(s *Screen) {
		for y := range s.Rows {
			for _, c := range s.Line(s.Top + y).Cells {
				txt := s.Text(c)
				id, uri := s.Link(c)
				a := c.Attr & (sgrMask | Protected | attrWide | attrSpacer)
				fmt.Fprintf(&b, "%q", txt)
				if a != 0 || c.FG != 0 || c.BG != 0 || id != 0 {
					fmt.Fprintf(&b, "%x,%x,%x,%x,%s", c.FG, c.BG, a, s.UnderlineColor(c), uri)
				}
			}
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%+v %+v %q", s.Cursor, s.Modes, s.Title)
	})
	fmt.Fprintf(&b, "%v %d %d %d %d %v", t.cur.wrap, t.top, t.bottom, t.left, t.right, t.tabs)
	return b.String()
}

func TestRedrawRebuildsTheScreen(t *testing.T) {
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 3))
		a := New(Options{Cols: 30, Rows: 8, Scrollback: 50})
		a.Write(randomStream(r, 200))
		a.Write([]byte("\x1b\\\x18\x1b[?2026l")) // no sequence half way, nothing held
		b := New(Options{Cols: 30, Rows: 8, Scrollback: 50})
		b.Write([]byte("what was there before\x1b[?1049h\x1b[31mx"))
		b.Write(a.AppendReplay(nil, 20))
		if pa, pb := picture(a), picture(b); pa != pb {
			la, lb := strings.Split(pa, "\n"), strings.Split(pb, "\n")
			for i := range la {
				if i >= len(lb) || la[i] != lb[i] {
					t.Fatalf("seed %d line %d:\n%s\n%s", seed, i, la[i], lb[i])
				}
			}
		}
	}
}

func TestReplayBringsTheScrollbackAlong(t *testing.T) {
	a := New(Options{Cols: 20, Rows: 4})
	a.Write([]byte(numbered(12) + "a line that is too long for it\r\n$ "))
	b := New(Options{Cols: 20, Rows: 4})
	b.Write(a.AppendReplay(nil, 100))
	if all(a) != all(b) {
		t.Errorf("got %q, want %q", all(b), all(a))
	}
	c := New(Options{Cols: 20, Rows: 4})
	c.Write(a.AppendReplay(nil, 2))
	if got := c.hist.count; got != 2 {
		t.Errorf("%d lines came along, want 2", got)
	}
}

func TestReplayOfTheAlternateScreenKeepsTheMainOne(t *testing.T) {
	a := New(Options{Cols: 20, Rows: 4})
	a.Write([]byte("$ vi\r\n\x1b[?1049h\x1b[2;3Hvi\x1b[?25l"))
	b := New(Options{Cols: 20, Rows: 4})
	b.Write(a.AppendRedraw(nil))
	if got := text(b); got != "|  vi" {
		t.Errorf("alternate screen is %q", got)
	}
	b.Write([]byte("\x1b[?1049lX"))
	if got := text(b); got != "$ vi|X" {
		t.Errorf("main screen is %q", got)
	}
}

// TestRendererKeepsAnotherTerminalTheSame feeds random output through a
// Renderer into a second terminal, which must show the same after each frame.
func TestRendererKeepsAnotherTerminalTheSame(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 4))
		a := New(Options{Cols: 30, Rows: 8, Scrollback: 100})
		b := New(Options{Cols: 30, Rows: 8, Scrollback: 100})
		b.Write([]byte("$ bottlebar attach x\r\n"))
		re := NewRenderer(30, 8)
		for range 8 {
			a.Write(randomStream(r, 60))
			a.Write([]byte("\x1b\\\x18\x1b[?2026l"))
			b.Write(re.Frame(nil, a))
			if ta, tb := strings.Join(lines(a), "\n"), strings.Join(lines(b), "\n"); ta != tb {
				t.Fatalf("seed %d:\n%s\n--- want\n%s", seed, tb, ta)
			}
		}
		if out := re.Frame(nil, a); len(out) != 0 {
			t.Fatalf("a frame without a change is %q", out)
		}
	}
}

func TestRendererLetsLinesScrollOff(t *testing.T) {
	a := New(Options{Cols: 20, Rows: 5})
	b := New(Options{Cols: 20, Rows: 5})
	re := NewRenderer(20, 5)
	b.Write(re.Frame(nil, a))
	for i := range 40 {
		fmt.Fprintf(a, "line %d\r\n", i)
		if i%7 == 0 {
			b.Write(re.Frame(nil, a))
		}
	}
	b.Write(re.Frame(nil, a))
	if all(a) != all(b) {
		t.Errorf("got\n%s\nwant\n%s", all(b), all(a))
	}
}

// TestRendererPassesNothingOn sends what must never reach a person's own
// terminal and looks at each sequence that does.
func TestRendererPassesNothingOn(t *testing.T) {
	a := New(Options{Cols: 30, Rows: 5})
	re := NewRenderer(30, 5)
	a.Write([]byte("\x1b]0;evil\x07\x1b]52;c;ZXZpbA==\x07\x1b]8;;http://evil\x07link\x1b]8;;\x07\x1bPevil\x1b\\\x1b_evil\x1b\\\x1b[21t\x1b[c\x1b[6n\x1b[>4;2m\x1b[>1u\x1b]1337;File=x\x07\x1b[5i\x1b[4i\x1b]50;x\x07\x9b\u009b\u202ehi\x1b[2 q\x1b[?1003h\x1b[?9h\x1b[8;1;1t\x1b[20h\x1b[12h\x1b(0q"))
	out := string(re.Frame(nil, a)) + string(re.Finish(nil))
	for i := 0; i < len(out); i++ {
		if out[i] != 0x1b {
			if out[i] < 0x20 && out[i] != '\r' && out[i] != '\n' && out[i] != 0x0f {
				t.Fatalf("control %q in %q", out[i], out)
			}
			continue
		}
		if i+1 >= len(out) || out[i+1] != '[' {
			t.Fatalf("escape in %q", out[i:])
		}
		j := i + 2
		for j < len(out) && (out[j] < 0x40 || out[j] > 0x7e) {
			j++
		}
		if f := out[j]; !strings.ContainsRune("HGJKmhlqr", rune(f)) {
			t.Fatalf("sequence %q is not on the list", out[i:j+1])
		}
		i = j
	}
	if strings.Contains(out, "evil") || strings.Contains(out, "\u202e") {
		t.Fatalf("text got through: %q", out)
	}
}

func TestSynchronizedOutputIsShownWholeOrAfterItsTime(t *testing.T) {
	now := time.Unix(0, 0)
	term := New(Options{Cols: 10, Rows: 2, Now: func() time.Time { return now }})
	term.Write([]byte("old\x1b[?2026h\x1b[2J\x1b[Hnew"))
	if got := text(term); got != "old" {
		t.Errorf("while held the screen is %q", got)
	}
	term.Write([]byte("er\x1b[?2026l\x1b[?2026h\x1b[2J\x1b[Hthird"))
	if got := text(term); got != "newer" {
		t.Errorf("held again the screen is %q", got)
	}
	term.View(func(s *Screen) {
		if s.Held != now.Add(syncLimit) {
			t.Errorf("held until %v", s.Held)
		}
	})
	now = now.Add(syncLimit)
	if got := text(term); got != "third" {
		t.Errorf("after the time the screen is %q", got)
	}
}

func TestSeqSaysWhichLinesChanged(t *testing.T) {
	term := New(Options{Cols: 10, Rows: 3})
	term.Write([]byte("a\r\nb\r\nc"))
	seqs := func() (out [3]uint64) {
		term.View(func(s *Screen) {
			for y := range out {
				out[y] = s.Line(s.Top + y).Seq
			}
		})
		return out
	}
	before := seqs()
	term.Write([]byte("\x1b[2;1HB\x1b[H"))
	after := seqs()
	if before[0] != after[0] || before[1] == after[1] || before[2] != after[2] {
		t.Errorf("from %v to %v after line 2 changed", before, after)
	}
	term.Write([]byte("\x1b[3;1H\n"))
	if got := seqs(); got[0] != after[1] || got[1] != after[2] {
		t.Errorf("a scroll changed %v into %v", after, got)
	}
}

func TestEvents(t *testing.T) {
	for in, want := range map[string]Event{
		"\x1b]0;a\u202eb\x01c\x07":                    {Kind: EventTitle, Text: "abc"},
		"\x1b]2;✳ Claude Code\x1b\\":                  {Kind: EventTitle, Text: "✳ Claude Code"},
		"\x07":                                        {Kind: EventBell},
		"\x1b]7;file://h/tmp\x07":                     {Kind: EventCwd, Text: "file://h/tmp"},
		"\x1b]9;done\x07":                             {Kind: EventNotify, Text: "done"},
		"\x1b]9;4;1;50\x07":                           {Kind: EventProgress, Code: 1, Value: 50},
		"\x1b]9;4;1;5000\x07":                         {Kind: EventProgress, Code: 1, Value: 100},
		"\x1b]777;notify;T;body\x07":                  {Kind: EventNotify, Title: "T", Text: "body"},
		"\x1b]52;c;aGk=\x07":                          {Kind: EventClipboard, Text: "hi"},
		"\x1b]133;A\x07":                              {Kind: EventPrompt, Mark: 'A', Code: -1},
		"\x1b]133;D;3\x07":                            {Kind: EventPrompt, Mark: 'D', Code: 3},
		"\x1b]133;D;99999\x07":                        {Kind: EventPrompt, Mark: 'D', Code: -1},
		"\x1b[?1049h":                                 {Kind: EventModes},
		"\x1b]0;" + strings.Repeat("é", 400) + "\x07": {Kind: EventTitle, Text: strings.Repeat("é", 256)},
	} {
		term := New(Options{})
		term.Write([]byte(in))
		got := term.TakeEvents()
		if len(got) != 1 || got[0] != want {
			t.Errorf("%q gives %+v, want %+v", in, got, want)
		}
	}
	for _, in := range []string{"\x1b]52;c;!!!\x07", "\x1b]52;c;?\x07", "\x1b]777;exec;x;y\x07", "\x1b]1337;x\x07", "\x1b]133;Z\x07", "\x1b]0;\x07"} {
		term := New(Options{})
		term.Write([]byte(in))
		if got := term.TakeEvents(); len(got) != 0 {
			t.Errorf("%q gives %+v", in, got)
		}
	}
}

func TestRepliesReaderEndsAfterClose(t *testing.T) {
	term := New(Options{})
	term.Write([]byte("\x1b[5n"))
	r := term.Replies()
	buf := make([]byte, 2)
	var got []byte
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			n, err := r.Read(buf)
			got = append(got, buf[:n]...)
			if err != nil {
				return
			}
		}
	}()
	term.Close()
	<-done
	if string(got) != "\x1b[0n" {
		t.Errorf("read %q", got)
	}
}
