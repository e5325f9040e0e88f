package vt

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
)

var update = flag.Bool("update", false, "write the golden files anew")

// examiner is the program vttest on a terminal of ours.
type examiner struct {
	t     *testing.T
	pty   *os.File
	term  *Terminal
	out   chan []byte
	since []byte // what it wrote since it was answered
}

// examine starts vttest on 80 by 24 cells that know no 132 columns. Debian has
// it in the package vttest, which script/setup.sh test brings.
func examine(t *testing.T) *examiner {
	t.Helper()
	cmd := exec.Command("vttest", "24x80.80")
	cmd.Env = []string{"TERM=xterm-256color", "PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "LC_ALL=C.UTF-8"}
	cmd.Dir = t.TempDir()
	f, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 80})
	if err != nil {
		t.Fatalf("starting vttest, which script/setup.sh test brings: %v", err)
	}
	e := &examiner{t: t, pty: f, term: New(Options{Cols: 80, Rows: 24}), out: make(chan []byte)}
	done := make(chan struct{})
	go func() {
		defer close(e.out)
		for {
			b := make([]byte, 4096)
			n, err := f.Read(b)
			if n > 0 {
				select {
				case e.out <- b[:n]:
				case <-done:
					return
				}
			}
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		close(done)
		cmd.Process.Kill()
		cmd.Wait()
		f.Close()
	})
	return e
}

// await takes output in until the program asks for something.
func (e *examiner) await() {
	e.t.Helper()
	late := time.After(20 * time.Second)
	for {
		for _, ask := range []string{"Push <RETURN>", "Enter choice number", "Push a key", "Hit any key"} {
			if bytes.Contains(e.since, []byte(ask)) && e.waits(ask) {
				e.since = nil
				return
			}
		}
		select {
		case b, ok := <-e.out:
			if !ok {
				e.t.Fatalf("vttest ended with\n%s", e.screen())
			}
			e.since = append(e.since, b...)
			e.term.Write(b)
			e.pty.Write(e.term.TakeReplies(nil))
		case <-late:
			e.t.Fatalf("vttest asks for nothing:\n%s", e.screen())
		}
	}
}

// waits says whether the cursor stands behind a question.
func (e *examiner) waits(ask string) bool {
	ok := false
	e.term.View(func(s *Screen) {
		var b strings.Builder
		for _, c := range s.Line(s.Top + s.Cursor.Y).Cells[:s.Cursor.X] {
			b.WriteString(s.Text(c))
		}
		line := strings.TrimSpace(b.String())
		ok = strings.HasSuffix(line, ask) || strings.Contains(line, ask) && strings.HasSuffix(line, ":")
	})
	return ok
}

func (e *examiner) answer(s string) {
	e.since = nil
	e.pty.Write([]byte(s))
}

// screen is the text with what is not plain in it: the attributes of a cell
// stand in a second picture below, one letter each.
func (e *examiner) screen() string {
	var text, marks strings.Builder
	any := false
	e.term.View(func(s *Screen) {
		for y := range s.Rows {
			var t, m strings.Builder
			for _, c := range s.Line(s.Top + y).Cells {
				t.WriteString(s.Text(c))
				m.WriteString(markOf(c))
			}
			line := strings.TrimRight(m.String(), " ")
			any = any || line != ""
			fmt.Fprintln(&text, strings.TrimRight(t.String(), " "))
			fmt.Fprintln(&marks, line)
		}
		if s.Modes.Reverse {
			text.WriteString("(the screen is reversed)\n")
		}
	})
	if any {
		return text.String() + "-- attributes\n" + marks.String()
	}
	return text.String()
}

// markOf writes the look of a cell as a letter: hexadecimal of bold, faint or
// italic, underline, blink and inverse; colours as c.
func markOf(c Cell) string {
	n := 0
	for i, on := range []bool{c.Attr&Bold != 0, c.Attr.Underline() != 0, c.Attr&Blink != 0, c.Attr&Inverse != 0} {
		if on {
			n |= 1 << i
		}
	}
	switch {
	case c.Width() == 0:
		return ""
	case n > 0:
		return fmt.Sprintf("%x", n)
	case c.Attr&(Faint|Italic|Strike|Concealed) != 0:
		return "z"
	case !c.FG.IsDefault() || !c.BG.IsDefault():
		return "c"
	}
	return " "
}

// tours are the parts of vttest that are looked at: the way through its menus
// to one, and the choices that are made there. What is left out needs eyes
// (smooth scrolling, double height), a keyboard or a pointer, or what we do not have
// (printer, soft fonts, several pages).
var tours = []struct {
	name    string
	way     []string
	choices []string
}{
	{"cursor", nil, []string{"1"}},
	{"screen", nil, []string{"2"}},
	{"charsets", []string{"3"}, []string{"8", "9", "10", "11"}},
	{"reports", []string{"6"}, []string{"3", "4", "5", "6", "7"}},
	{"known-bugs", []string{"9"}, []string{"2", "7", "9"}},
	{"reset", []string{"10"}, []string{"1", "3"}},
	{"insert-delete", nil, []string{"8"}},
	{"vt220-screen", []string{"11", "1", "2"}, []string{"3", "4"}},
	{"vt220-reports", []string{"11", "1", "1", "1"}, []string{"1", "2", "3"}},
	{"vt220-reset", []string{"11", "1"}, []string{"6"}},
	{"vt320-pan", []string{"11", "2", "2"}, []string{"1", "2"}},
	{"vt420-cursor", []string{"11", "3", "2"}, []string{"7", "8", "9", "10"}},
	{"vt420-editing", []string{"11", "3", "3"}, []string{"5", "6", "7", "8", "9", "10"}},
	{"vt420-rectangles", []string{"11", "3", "6"}, []string{"5", "6", "7", "8", "9", "10", "11", "12"}},
	{"vt420-rectangles-margins", []string{"11", "3", "6"}, []string{"2", "3", "4", "1", "7", "8", "9", "10", "11", "12"}},
	{"vt420-modes", []string{"11", "3", "7", "2", "2"}, []string{"1", "2"}},
	{"vt420-settings", []string{"11", "3", "7", "2", "3", "1"}, []string{"2", "3", "4", "5", "6", "7", "8", "9"}},
	{"vt420-status", []string{"11", "3", "7", "3"}, []string{"2", "3", "4", "5", "6", "7", "8", "9", "12"}},
	{"vt520-cursor", []string{"11", "4", "2"}, []string{"7", "8", "9", "10", "11", "12", "13", "14"}},
	{"vt520-cursor-margins", []string{"11", "4", "2"}, []string{"3", "4", "5", "2", "7", "8", "9", "10", "11", "12"}},
	{"iso6429-cursor", []string{"11", "5"}, []string{"1", "2", "3", "4", "5", "6", "7", "8", "9"}},
	{"iso6429-colours", []string{"11", "6"}, []string{"2", "3", "4", "5"}},
	{"iso6429-other", []string{"11", "7"}, []string{"2", "3", "4", "5", "6"}},
	{"alternate-screen", []string{"11", "8", "7"}, []string{"1", "2", "3"}},
}

// TestVttestLooksAsReviewed drives vttest and compares its screens with those
// that somebody has read.
func TestVttestLooksAsReviewed(t *testing.T) {
	for _, tour := range tours {
		t.Run(tour.name, func(t *testing.T) {
			t.Parallel()
			e := examine(t)
			e.await()
			for _, k := range tour.way {
				e.answer(k + "\r")
				e.await()
			}
			var got strings.Builder
			for _, k := range tour.choices {
				e.answer(k + "\r")
				e.await()
				last := ""
				for n := 0; !strings.Contains(e.screen(), "Enter choice number") && n < 60; n++ {
					if s := e.screen(); s != last {
						fmt.Fprintf(&got, "===== choice %s, screen %d\n%s", k, n+1, s)
						last = s
					}
					e.answer("\r")
					e.await()
				}
			}
			golden(t, filepath.Join("testdata", "vttest", tour.name+".txt"), got.String())
		})
	}
}

// golden compares with a file, or writes it.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got == string(want) {
		return
	}
	g, w := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			t.Fatalf("%s:%d is\n%s\nand was\n%s", path, i+1, g[i], w[i])
		}
	}
	t.Fatalf("%s has %d lines and had %d", path, len(g), len(w))
}
