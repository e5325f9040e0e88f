package terminal

import (
	"math"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"

	"bottlebar.app/terminal/vt"
)

var (
	_ desktop.Mouseable  = (*Terminal)(nil)
	_ desktop.Hoverable  = (*Terminal)(nil)
	_ desktop.Cursorable = (*Terminal)(nil)
	_ fyne.Scrollable    = (*Terminal)(nil)
	_ fyne.Draggable     = (*Terminal)(nil)
)

// pointer is what is known of the mouse.
type pointer struct {
	top    int // first line seen
	button desktop.MouseButton
	report bool // the press went to the program, so the release does too
	clicks int
	at     time.Time // of the last press
	cell   vt.Point
	anchor *vt.Selection // what the drag began with: a cell, a word or a line
	wheel  float32       // points not yet made lines
	last   vt.MouseEvent // the last motion reported
	link   *vt.Selection // shown under the pointer while the shortcut key is held
	target Link          // what it leads to
	beyond fyne.Position // where a drag is
}

const doubleClick = 400 * time.Millisecond

// cellAt returns the cell under a position of the widget, its line counted as
// the Screen does, and the pixel of the grid.
func (t *Terminal) cellAt(p fyne.Position) (at vt.Point, px, py int) {
	off := t.raster.Position()
	px = int((p.X-off.X)*t.scale) - t.paint.pad
	py = int((p.Y-off.Y)*t.scale) - t.paint.pad
	cols, rows := t.core.Size()
	x := int(math.Floor(float64(px) / float64(t.paint.sheet.cellW)))
	y := int(math.Floor(float64(py) / float64(t.paint.sheet.cellH)))
	at = vt.Point{Line: t.mouse.top + min(max(y, 0), rows-1), Col: min(max(x, 0), cols-1)}
	return at, max(px, 0), max(py, 0)
}

// wantsPointer says whether the program gets the pointer, which Shift keeps
// from it.
func (t *Terminal) wantsPointer(m fyne.KeyModifier) bool {
	on := false
	t.core.View(func(s *vt.Screen) { on = s.Modes.Mouse != vt.MouseNone })
	return on && m&fyne.KeyModifierShift == 0 && t.back == 0
}

// report sends an event of the pointer to the program.
func (t *Terminal) report(p fyne.Position, e vt.MouseEvent, m fyne.KeyModifier) {
	at, px, py := t.cellAt(p)
	e.Col, e.Row, e.PixelX, e.PixelY = at.Col, at.Line-t.mouse.top, px, py
	e.Mods = modsOf(m)
	if e.Motion && e == t.mouse.last {
		return
	}
	t.mouse.last = e
	t.input(t.core.EncodeMouse(nil, e))
}

func buttonOf(b desktop.MouseButton) vt.MouseButton {
	switch b {
	case desktop.MouseButtonSecondary:
		return vt.MouseRight
	case desktop.MouseButtonTertiary:
		return vt.MouseMiddle
	case desktop.MouseButtonPrimary:
		return vt.MouseLeft
	}
	return vt.MouseNoButton
}

// MouseDown is for the toolkit.
func (t *Terminal) MouseDown(e *desktop.MouseEvent) {
	if c := canvasOf(t); c != nil {
		c.Focus(t)
	}
	if t.OnInput != nil {
		t.OnInput()
	}
	t.touched = t.now()
	t.mouse.button = e.Button
	t.mouse.report = t.wantsPointer(e.Modifier)
	switch {
	case e.Button == desktop.MouseButtonPrimary && e.Modifier&t.appModifier() != 0 && t.openLink(e.Position):
	case t.mouse.report:
		t.report(e.Position, vt.MouseEvent{Button: buttonOf(e.Button)}, e.Modifier)
	case e.Button == desktop.MouseButtonPrimary:
		t.press(e)
	case e.Button == desktop.MouseButtonSecondary:
		t.menu(e)
	}
}

func (t *Terminal) appModifier() fyne.KeyModifier {
	if t.opts.Mac {
		return fyne.KeyModifierSuper
	}
	return fyne.KeyModifierControl
}

// MouseUp is for the toolkit.
func (t *Terminal) MouseUp(e *desktop.MouseEvent) {
	if t.mouse.report {
		t.report(e.Position, vt.MouseEvent{Button: buttonOf(e.Button), Release: true}, e.Modifier)
	}
	t.release()
}

// MouseIn is for the toolkit.
func (t *Terminal) MouseIn(e *desktop.MouseEvent) { t.MouseMoved(e) }

// MouseMoved is a move without a button.
func (t *Terminal) MouseMoved(e *desktop.MouseEvent) {
	if t.wantsPointer(e.Modifier) {
		t.report(e.Position, vt.MouseEvent{Button: vt.MouseNoButton, Motion: true}, e.Modifier)
	}
	t.hover(e.Position, e.Modifier&t.appModifier() != 0)
}

// MouseOut is for the toolkit.
func (t *Terminal) MouseOut() { t.hover(fyne.Position{}, false) }

// Cursor is the shape of the pointer.
func (t *Terminal) Cursor() desktop.Cursor {
	if t.mouse.link != nil {
		return desktop.PointerCursor
	}
	if t.wantsPointer(0) {
		return desktop.DefaultCursor
	}
	return desktop.TextCursor
}

// Scrolled is the wheel: reports where the program asked for them, arrow keys
// on the alternate screen, else the scrollback.
func (t *Terminal) Scrolled(e *fyne.ScrollEvent) {
	step := float32(t.paint.sheet.cellH) / t.scale
	d := e.Scrolled.DY
	if !t.opts.Mac {
		d *= 2 // a notch is three lines or so
	}
	t.mouse.wheel += d
	n := int(t.mouse.wheel / step)
	if n == 0 {
		return
	}
	t.mouse.wheel -= float32(n) * step
	m := t.mods()
	if t.wantsPointer(m) {
		b := vt.MouseWheelUp
		if n < 0 {
			b = vt.MouseWheelDown
		}
		for range min(abs(n), 10) {
			t.report(e.Position, vt.MouseEvent{Button: b}, m)
		}
		return
	}
	arrows := false
	t.core.View(func(s *vt.Screen) { arrows = s.Modes.AltScreen && s.Modes.AltScroll })
	if !arrows {
		t.scrollBy(n)
		return
	}
	k := vt.KeyUp
	if n < 0 {
		k = vt.KeyDown
	}
	for range min(abs(n), 10) {
		t.typed(t.core.EncodeKey(nil, vt.KeyEvent{Key: k}))
	}
}

func abs(n int) int { return max(n, -n) }
