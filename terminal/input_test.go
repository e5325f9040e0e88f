package terminal

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
)

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

func TestADragBeyondTheEdgeScrollsForAsLongAsItStays(t *testing.T) {
	term, p, q := started(t, Options{})
	run(t, term, p, q, strings.Repeat("some line\r\n", 200))
	e := &desktop.MouseEvent{Button: desktop.MouseButtonPrimary}
	e.Position = at(term, 4, 3)
	term.MouseDown(e)
	term.Dragged(&fyne.DragEvent{PointEvent: fyne.PointEvent{Position: fyne.NewPos(50, -30)}})
	q.until(t, "scrolling by itself", func() bool { return term.back > 20 })
	if got := strings.Count(term.SelectedText(), "\n"); got < 20 {
		t.Errorf("%d line ends are selected", got)
	}
	term.Dragged(&fyne.DragEvent{PointEvent: fyne.PointEvent{Position: at(term, 4, 3)}})
	was := term.back
	term.scrollOn()
	if term.back != was {
		t.Error("it scrolls with the pointer inside")
	}
	term.Dragged(&fyne.DragEvent{PointEvent: fyne.PointEvent{Position: fyne.NewPos(50, -30)}})
	term.MouseUp(e)
	term.DragEnd()
	was = term.back
	term.scrollOn()
	if term.back != was {
		t.Error("it scrolls after the button was let go")
	}
}

func TestAltSelectsColumns(t *testing.T) {
	term, p, q := started(t, Options{})
	run(t, term, p, q, "abcdef\r\nghijkl\r\nmnopqr")
	var mods fyne.KeyModifier
	term.mods = func() fyne.KeyModifier { return mods }
	e := &desktop.MouseEvent{Button: desktop.MouseButtonPrimary}
	e.Position = at(term, 1, 0)
	term.MouseDown(e)
	to := &fyne.DragEvent{PointEvent: fyne.PointEvent{Position: at(term, 2, 2)}}
	term.Dragged(to)
	if got := term.SelectedText(); got != "bcdef\nghijkl\nmno" {
		t.Errorf("without Alt %q", got)
	}
	mods = fyne.KeyModifierAlt
	term.Dragged(to)
	if got := term.SelectedText(); got != "bc\nhi\nno" {
		t.Errorf("with Alt %q", got)
	}
}

func TestRepeatsAndReleasesAreToldToWhoAsked(t *testing.T) {
	term, p, q := started(t, Options{})
	term.mods = func() fyne.KeyModifier { return 0 }
	up, a := &fyne.KeyEvent{Name: fyne.KeyUp}, &fyne.KeyEvent{Name: fyne.KeyA}
	all := func() {
		term.KeyDown(up)
		term.TypedKey(up)
		term.TypedKey(up)
		term.KeyUp(up)
		term.KeyDown(a)
		term.TypedKey(a)
		term.TypedRune('a')
		term.KeyUp(a)
		term.KeyUp(&fyne.KeyEvent{Name: fyne.KeyDown}) // went down elsewhere
		term.KeyDown(a)
		term.TypedShortcut(&desktop.CustomShortcut{KeyName: fyne.KeyA, Modifier: fyne.KeyModifierControl})
		term.KeyUp(a)
	}
	sends(t, term, p, q, "\x1b[A\x1b[Aa\x01", all)
	run(t, term, p, q, "\x1b[>3u")
	sends(t, term, p, q, "\x1b[A\x1b[1;1:2A\x1b[1;1:3Aa\x1b[97;5u", all)
	run(t, term, p, q, "\x1b[>11u")
	sends(t, term, p, q, "\x1b[A\x1b[1;1:2A\x1b[1;1:3A\x1b[97u\x1b[97;1:3u\x1b[97;5u\x1b[97;1:3u", all)
	sends(t, term, p, q, "\x1b[A", func() {
		term.KeyDown(up)
		term.TypedKey(up)
		term.FocusLost()
		term.FocusGained()
		term.KeyUp(up)
	})
}

// echoing answers each write with the same bytes.
type echoing struct{ *flood }

func (e echoing) Read(p []byte) (int, error) {
	select {
	case k := <-e.keys:
		return copy(p, k), nil
	case <-e.done:
		return 0, io.EOF
	}
}

// TestEchoIsSeenInTheFrameOfItsKey runs nothing that was posted: what the key
// handler itself painted is what the toolkit draws next.
func TestEchoIsSeenInTheFrameOfItsKey(t *testing.T) {
	term, _, _ := started(t, Options{})
	term.Attach(echoing{newFlood(1)})
	term.render()
	seen := false
	for range 50 { // a busy computer may answer late
		before := bytes.Clone(term.paint.img.Pix)
		term.TypedRune('x')
		if seen = !bytes.Equal(before, term.paint.img.Pix); seen {
			break
		}
	}
	if !seen {
		t.Error("no echo was painted by the handler of its key")
	}
}
