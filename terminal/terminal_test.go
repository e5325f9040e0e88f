package terminal

import (
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/test"

	"bottlebar.app/terminal/vt"
)

// queue stands for the toolkit's goroutine: the test runs what was posted.
type queue struct{ ch chan func() }

func newQueue() *queue { return &queue{ch: make(chan func(), 1000)} }

func (q *queue) post(f func()) { q.ch <- f }

// until runs posted functions until ok, at most ten seconds.
func (q *queue) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	late := time.After(10 * time.Second)
	for !ok() {
		select {
		case f := <-q.ch:
			f()
		case <-late:
			t.Fatalf("%s did not happen", what)
		}
	}
}

// program is a Conn whose output the test writes and whose input it reads.
type program struct {
	mu    sync.Mutex
	in    []byte
	sizes [][2]int
	wrote chan struct{}
	out   *io.PipeReader
	say   *io.PipeWriter
}

func newProgram() *program {
	p := &program{wrote: make(chan struct{}, 1000)}
	p.out, p.say = io.Pipe()
	return p
}

func (p *program) Read(b []byte) (int, error) { return p.out.Read(b) }

func (p *program) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.in = append(p.in, b...)
	p.wrote <- struct{}{}
	return len(b), nil
}

func (p *program) Close() error { return p.say.CloseWithError(errors.New("closed")) }

func (p *program) Resize(c, r int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sizes = append(p.sizes, [2]int{c, r})
	return nil
}

func (p *program) got() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return string(p.in)
}

// started returns a terminal of 80 by 24 cells in a window, with a program.
func started(t *testing.T, o Options) (*Terminal, *program, *queue) {
	t.Helper()
	test.NewTempApp(t)
	q := newQueue()
	o.Post, o.Fonts = q.post, testFonts(t)
	term := New(o)
	t.Cleanup(func() { term.Close() })
	w := test.NewTempWindow(t, term)
	w.SetPadded(false)
	s := term.paint.sheet
	w.Resize(fyne.NewSize(float32(80*s.cellW+2*padding), float32(24*s.cellH+2*padding)))
	w.Canvas().Capture()
	p := newProgram()
	term.Attach(p)
	term.FocusGained()
	return term, p, q
}

// testFonts are fonts that leave nothing behind.
func testFonts(t testing.TB) *Fonts {
	f := NewFonts(t.TempDir())
	t.Cleanup(f.Close)
	return f
}

// run feeds output and waits until it was taken in.
func run(t *testing.T, term *Terminal, p *program, q *queue, out string) {
	t.Helper()
	const mark = "\x1b]2;seen\x07"
	done := false
	old := term.OnEvent
	term.OnEvent = func(e vt.Event) {
		if e.Kind == vt.EventTitle && e.Text == "seen" {
			done = true
		} else if old != nil {
			old(e)
		}
	}
	go io.WriteString(p.say, out+mark+"\x1b]2;\x07\x1b]2;seen\x07")
	q.until(t, "output", func() bool { return done })
	term.OnEvent = old
}

// sends checks what do makes the terminal send: all of it, since something
// known is sent after it.
func sends(t *testing.T, term *Terminal, p *program, q *queue, want string, do func()) {
	t.Helper()
	const end = "<end>"
	p.mu.Lock()
	p.in = nil
	p.mu.Unlock()
	do()
	term.input([]byte(end))
	late := time.After(10 * time.Second)
	for !strings.HasSuffix(p.got(), end) {
		select {
		case f := <-q.ch:
			f()
		case <-p.wrote:
		case <-late:
			t.Fatal("nothing was sent")
		}
	}
	if got := strings.TrimSuffix(p.got(), end); got != want {
		t.Errorf("sends %q, want %q", got, want)
	}
}

func TestRepliesReachTheProgram(t *testing.T) {
	term, p, q := started(t, Options{Version: "1"})
	sends(t, term, p, q, "\x1bP>|bottlebar(1)\x1b\\\x1b[1;1R", func() { run(t, term, p, q, "\x1b[>q\x1b[6n") })
}

func TestPasteAndType(t *testing.T) {
	term, p, q := started(t, Options{})
	sends(t, term, p, q, "'/w/a b' ", func() { term.Type("'/w/a b'\n\x1b ") })
	run(t, term, p, q, "\x1b[?2004h")
	fyne.CurrentApp().Clipboard().SetContent("one\ntwo\x1b[201~")
	sends(t, term, p, q, "\x1b[200~one\rtwo[201~\x1b[201~", func() {
		term.TypedShortcut(&desktop.CustomShortcut{KeyName: fyne.KeyV, Modifier: fyne.KeyModifierControl | fyne.KeyModifierShift})
	})
}

func TestSizeIsToldToTheProgram(t *testing.T) {
	term, p, q := started(t, Options{})
	told := func(c, r int) func() bool {
		return func() bool {
			p.mu.Lock()
			defer p.mu.Unlock()
			return len(p.sizes) > 0 && p.sizes[len(p.sizes)-1] == [2]int{c, r}
		}
	}
	q.until(t, "the first size", func() bool { term.frame.wake(); return told(80, 24)() })
	s := term.paint.sheet
	term.generate(100*s.cellW+2*padding, 30*s.cellH+2*padding)
	q.until(t, "the new size", func() bool { term.frame.wake(); return told(100, 30)() })
	term.TypedShortcut(&desktop.CustomShortcut{KeyName: fyne.KeyPlus, Modifier: fyne.KeyModifierControl})
	if term.TextSize() != DefaultTextSize+1 {
		t.Errorf("zoomed to %v", term.TextSize())
	}
}

func TestTheEndIsToldOnce(t *testing.T) {
	term, p, q := started(t, Options{})
	n := 0
	var last error
	term.OnEnd = func(err error) { n, last = n+1, err }
	p.say.Close()
	q.until(t, "the end", func() bool { return n > 0 })
	term.Close()
	if n != 1 || last != nil {
		t.Errorf("told %d times, %v", n, last)
	}
}

func TestClosingIsNoEnd(t *testing.T) {
	term, _, q := started(t, Options{})
	term.OnEnd = func(error) { t.Error("OnEnd was called") }
	if err := term.Close(); err != nil {
		t.Error(err)
	}
	for len(q.ch) > 0 {
		(<-q.ch)()
	}
}

func TestNothingIsPaintedWhileHiddenOrUnchanged(t *testing.T) {
	term, p, q := started(t, Options{})
	run(t, term, p, q, "\x1b[2 qhello")
	term.FocusLost()
	term.render()
	if term.render() {
		t.Error("painted again without a change")
	}
	term.SetSuspended(true)
	before := append([]uint8(nil), term.paint.img.Pix...)
	run(t, term, p, q, "\r\nmore")
	if string(before) != string(term.paint.img.Pix) {
		t.Error("painted while hidden")
	}
	term.SetSuspended(false)
	if !term.render() {
		t.Error("not painted when shown again")
	}
}

func BenchmarkPaintAll(b *testing.B) {
	test.NewTempApp(b)
	term := New(Options{Post: func(func()) {}, Fonts: testFonts(b)})
	defer term.Close()
	s := term.paint.sheet
	term.generate(120*s.cellW+2*padding, 40*s.cellH+2*padding)
	term.applySize()
	for range 40 {
		io.WriteString(term.core, "\r\n\x1b[32mThe quick \x1b[1mbrown fox\x1b[m jumps over the lazy dog, and \x1b[48;5;24mthe dog does not mind it at all today\x1b[m, it says")
	}
	term.generate(120*s.cellW+2*padding, 40*s.cellH+2*padding)
	for b.Loop() {
		term.paint.invalidate()
		term.render()
	}
}
