package terminal

import (
	"errors"
	"io"
	"math"
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
	o.Post = q.post
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

func TestKeysReachTheProgram(t *testing.T) {
	ctrl, alt, shift := fyne.KeyModifierControl, fyne.KeyModifierAlt, fyne.KeyModifierShift
	custom := func(k fyne.KeyName, m fyne.KeyModifier) fyne.Shortcut {
		return &desktop.CustomShortcut{KeyName: k, Modifier: m}
	}
	term, p, q := started(t, Options{})
	var held fyne.KeyModifier
	term.mods = func() fyne.KeyModifier { return held }
	key := func(k fyne.KeyName) func() { return func() { term.TypedKey(&fyne.KeyEvent{Name: k}) } }
	short := func(s fyne.Shortcut) func() { return func() { term.TypedShortcut(s) } }
	for _, c := range []struct {
		name string
		held fyne.KeyModifier
		do   func()
		want string
	}{
		{"text", 0, func() { term.TypedRune('é') }, "é"},
		{"Return", 0, key(fyne.KeyReturn), "\r"},
		{"Shift-Return", shift, key(fyne.KeyReturn), "\x1b\r"},
		{"Alt-Return", 0, short(custom(fyne.KeyReturn, alt)), "\x1b\r"},
		{"keypad Enter", 0, key(fyne.KeyEnter), "\r"},
		{"Tab", 0, key(fyne.KeyTab), "\t"},
		{"Shift-Tab", shift, key(fyne.KeyTab), "\x1b[Z"},
		{"Backspace", 0, key(fyne.KeyBackspace), "\x7f"},
		{"Escape", 0, key(fyne.KeyEscape), "\x1b"},
		{"Up", 0, key(fyne.KeyUp), "\x1b[A"},
		{"Shift-Left", shift, key(fyne.KeyLeft), "\x1b[1;2D"},
		{"Ctrl-Left", 0, short(custom(fyne.KeyLeft, ctrl)), "\x1b[1;5D"},
		{"Ctrl-C", 0, short(&fyne.ShortcutCopy{}), "\x03"},
		{"Ctrl-V", 0, short(&fyne.ShortcutPaste{}), "\x16"},
		{"Ctrl-X", 0, short(&fyne.ShortcutCut{}), "\x18"},
		{"Ctrl-A", 0, short(&fyne.ShortcutSelectAll{}), "\x01"},
		{"Ctrl-Z", 0, short(&fyne.ShortcutUndo{}), "\x1a"},
		{"Ctrl-Y", 0, short(&fyne.ShortcutRedo{}), "\x19"},
		{"Ctrl-D", 0, short(custom(fyne.KeyD, ctrl)), "\x04"},
		{"Ctrl-Space", 0, short(custom(fyne.KeySpace, ctrl)), "\x00"},
		{"Ctrl-[", 0, short(custom(fyne.KeyLeftBracket, ctrl)), "\x1b"},
		{"Alt-b", 0, short(custom(fyne.KeyB, alt)), "\x1bb"},
		{"Ctrl-Backspace", 0, short(custom(fyne.KeyBackspace, ctrl)), "\b"},
		{"F5", 0, key(fyne.KeyF5), "\x1b[15~"},
		{"Shift-Delete", shift, short(&fyne.ShortcutCut{Secondary: true}), "\x1b[3;2~"},
	} {
		t.Run(c.name, func(t *testing.T) {
			held = c.held
			sends(t, term, p, q, c.want, c.do)
		})
	}
}

func TestOptionOnAMac(t *testing.T) {
	optB := &desktop.CustomShortcut{KeyName: fyne.KeyB, Modifier: fyne.KeyModifierAlt}
	term, p, q := started(t, Options{Mac: true, OptionIsMeta: true})
	sends(t, term, p, q, "\x1bb", func() {
		term.KeyDown(&fyne.KeyEvent{Name: fyne.KeyB})
		term.TypedShortcut(optB)
		term.TypedRune('∫')
	})
	sends(t, term, p, q, "x", func() {
		term.KeyDown(&fyne.KeyEvent{Name: fyne.KeyX})
		term.TypedRune('x')
	})
	term.opts.OptionIsMeta = false
	sends(t, term, p, q, "∫", func() {
		term.TypedShortcut(optB)
		term.TypedRune('∫')
	})
	sends(t, term, p, q, "\x03", func() {
		term.TypedShortcut(&desktop.CustomShortcut{KeyName: fyne.KeyC, Modifier: fyne.KeyModifierControl})
	})
	sends(t, term, p, q, "", func() {
		term.TypedShortcut(&desktop.CustomShortcut{KeyName: fyne.KeyT, Modifier: fyne.KeyModifierSuper})
	})
}

func TestTheWindowsShortcutsComeFirst(t *testing.T) {
	term, p, q := started(t, Options{})
	term.OnShortcut = func(s fyne.Shortcut) bool { return true }
	sends(t, term, p, q, "", func() { term.TypedShortcut(&fyne.ShortcutCopy{}) })
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

// at is the middle of a cell of the screen.
func at(term *Terminal, x, y int) fyne.Position {
	s := term.paint.sheet
	return fyne.NewPos(padding+(float32(x)+0.5)*float32(s.cellW), padding+(float32(y)+0.5)*float32(s.cellH))
}

func TestSelectingWithTheMouse(t *testing.T) {
	term, p, q := started(t, Options{})
	run(t, term, p, q, "one two three\r\nfour five")
	clock := time.Unix(1000, 0)
	term.now = func() time.Time { return clock }
	press := func(x, y int) {
		e := &desktop.MouseEvent{Button: desktop.MouseButtonPrimary}
		e.Position = at(term, x, y)
		term.MouseDown(e)
		term.MouseUp(e)
	}
	drag := func(x, y int) {
		term.mouse.button = desktop.MouseButtonPrimary
		term.Dragged(&fyne.DragEvent{PointEvent: fyne.PointEvent{Position: at(term, x, y)}})
	}
	press(4, 0)
	if term.SelectedText() != "" {
		t.Errorf("a click selects %q", term.SelectedText())
	}
	drag(3, 1)
	if got := term.SelectedText(); got != "two three\nfour" {
		t.Errorf("a drag selects %q", got)
	}
	clock = clock.Add(time.Second)
	press(5, 0)
	press(5, 0)
	if got := term.SelectedText(); got != "two" {
		t.Errorf("a double click selects %q", got)
	}
	drag(1, 0)
	if got := term.SelectedText(); got != "one two" {
		t.Errorf("dragged by words it is %q", got)
	}
	clock = clock.Add(time.Second)
	press(5, 1)
	press(5, 1)
	press(5, 1)
	if got := term.SelectedText(); got != "four five" {
		t.Errorf("a triple click selects %q", got)
	}
	if !term.Copy() || fyne.CurrentApp().Clipboard().Content() != "four five" {
		t.Error("copy did not")
	}
}

func TestPointerGoesToTheProgramUnlessShiftIsHeld(t *testing.T) {
	term, p, q := started(t, Options{})
	run(t, term, p, q, "\x1b[?1002h\x1b[?1006h")
	click := func(m fyne.KeyModifier) {
		e := &desktop.MouseEvent{Button: desktop.MouseButtonPrimary, Modifier: m}
		e.Position = at(term, 9, 4)
		term.MouseDown(e)
		term.MouseUp(e)
	}
	sends(t, term, p, q, "\x1b[<0;10;5M\x1b[<0;10;5m", func() { click(0) })
	sends(t, term, p, q, "", func() { click(fyne.KeyModifierShift) })
	sends(t, term, p, q, "\x1b[<64;1;1M", func() {
		term.Scrolled(&fyne.ScrollEvent{PointEvent: fyne.PointEvent{Position: at(term, 0, 0)}, Scrolled: fyne.Delta{DY: 10}})
	})
}

func TestWheelSendsArrowsOnTheAlternateScreen(t *testing.T) {
	term, p, q := started(t, Options{})
	run(t, term, p, q, "\x1b[?1049h")
	sends(t, term, p, q, "\x1b[B\x1b[B", func() { term.Scrolled(&fyne.ScrollEvent{Scrolled: fyne.Delta{DY: -20}}) })
}

func TestScrollbackStaysPutUntilOneTypes(t *testing.T) {
	term, p, q := started(t, Options{})
	run(t, term, p, q, strings.Repeat("old\r\n", 60)+"here\r\n"+strings.Repeat("x\r\n", 22))
	term.mods = func() fyne.KeyModifier { return fyne.KeyModifierShift }
	term.TypedKey(&fyne.KeyEvent{Name: fyne.KeyPageUp})
	before := term.ScreenText()
	if !strings.Contains(before, "old") {
		t.Fatalf("Shift-PageUp shows %q", before)
	}
	run(t, term, p, q, strings.Repeat("more\r\n", 7))
	if got := term.ScreenText(); got != before {
		t.Errorf("the view moved to %q", got)
	}
	term.TypedRune('a')
	if got := term.ScreenText(); !strings.Contains(got, "more") {
		t.Errorf("after typing the view is %q", got)
	}
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

// TestOnlyChangedLinesArePainted spoils the picture and looks which lines a
// change mends.
func TestOnlyChangedLinesArePainted(t *testing.T) {
	term, p, q := started(t, Options{})
	run(t, term, p, q, "\x1b[2 q\x1b[?25la\r\nb\r\nc")
	term.render()
	for i := range term.paint.img.Pix {
		term.paint.img.Pix[i] = 7
	}
	run(t, term, p, q, "\x1b[2;1HB")
	term.render()
	h := term.paint.sheet.cellH
	line := func(y int) bool { return term.paint.img.Pix[(padding+y*h+h/2)*term.paint.img.Stride+8*padding] != 7 }
	if line(0) || !line(1) || line(2) {
		t.Errorf("painted lines: %v %v %v", line(0), line(1), line(2))
	}
}

func TestScrolledPictureIsThePaintedOne(t *testing.T) {
	term, p, q := started(t, Options{})
	run(t, term, p, q, strings.Repeat("some text 日本 here\r\n", 3)+strings.Repeat("more and \x1b[31mred\x1b[m\r\n", 25))
	term.render()
	run(t, term, p, q, "last\r\nlines\r\n")
	term.render()
	moved := append([]uint8(nil), term.paint.img.Pix...)
	term.paint.invalidate()
	term.render()
	if string(moved) != string(term.paint.img.Pix) {
		t.Error("moving the picture gives another one than painting it")
	}
}

func TestPromisedCharactersAreDrawn(t *testing.T) {
	f := NewFonts(t.TempDir())
	s := f.sheet(13)
	blank := func(g *glyph) bool {
		for _, v := range append(append([]uint8(nil), g.mask...), g.pix...) {
			if v != 0 {
				return false
			}
		}
		return true
	}
	box := f.missing(s, glyphKey{span: 1})
	for _, r := range "Aé⎿⏺✳✶✻✽✢·❯⠋☐☒✔●○◐▶⏵⏸─│╭╮╯╰█▌▝░\ue0b0…→" {
		g, sure := f.glyph(s, glyphKey{r: r, span: 1})
		if !sure || g == nil || blank(g) || string(g.mask) == string(box.mask) {
			t.Errorf("%c is not drawn", r)
		}
	}
	g, _ := f.glyph(s, glyphKey{r: '😀', span: 2})
	if g == nil || g.pix == nil || blank(g) {
		t.Error("😀 is not in colour")
	}
	if g, _ := f.glyph(s, glyphKey{r: '\U0001fffe', span: 2}); g == nil || g.w != 2*s.cellW {
		t.Error("what no font has is not a box of two cells")
	}
}

// TestLinesMeetWithoutASeam looks at the edges of shapes that must touch.
func TestLinesMeetWithoutASeam(t *testing.T) {
	for _, em := range []float64{11, 13, 14, 26, 31} {
		s := NewFonts("").sheet(em)
		for _, r := range "─━═┼╬█▀▄" {
			g := drawShape(s, r)
			left, right := false, false
			for y := range g.h {
				left = left || g.mask[y*g.w] == 255
				right = right || g.mask[y*g.w+g.w-1] == 255
			}
			if !left || !right {
				t.Errorf("%c at %v does not reach its edges", r, em)
			}
		}
		for _, pair := range []string{"─╮", "╭─", "─┐", "╰─", "─╯"} {
			rs := []rune(pair)
			a, b := drawShape(s, rs[0]), drawShape(s, rs[1])
			for y := range a.h {
				if (a.mask[y*a.w+a.w-1] > 200) != (b.mask[y*b.w] > 200) {
					t.Errorf("%s at %v does not join in row %d", pair, em, y)
					break
				}
			}
		}
	}
}

func TestPaletteIsReadable(t *testing.T) {
	for name, th := range map[string]Theme{"dark": DarkTheme(), "light": LightTheme()} {
		for i, c := range th.Palette {
			dim := name == "dark" && i == 0 || name == "light" && i == 15
			if r := contrast(solid(vt.RGB{R: c.R, G: c.G, B: c.B}), solid(vt.RGB{R: th.Background.R, G: th.Background.G, B: th.Background.B})); r < 4.2 && !dim {
				t.Errorf("%s colour %d has a contrast of %.1f", name, i, r)
			}
		}
	}
}

func contrast(a, b pixel) float64 {
	lum := func(p pixel) float64 {
		sum := 0.0
		for i, w := range [...]float64{0.2126, 0.7152, 0.0722} {
			v := float64(p>>(8*i)&0xff) / 255
			if v <= 0.03928 {
				v /= 12.92
			} else {
				v = math.Pow((v+0.055)/1.055, 2.4)
			}
			sum += w * v
		}
		return sum
	}
	la, lb := lum(a), lum(b)
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}

func BenchmarkPaintAll(b *testing.B) {
	test.NewTempApp(b)
	term := New(Options{Post: func(func()) {}})
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
