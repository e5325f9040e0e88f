package terminal

import (
	"math"
	"net/url"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/widget"

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
	uri    string
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
	t.mouse.button = e.Button
	t.mouse.report = t.wantsPointer(e.Modifier)
	switch {
	case e.Button == desktop.MouseButtonPrimary && e.Modifier&t.appModifier() != 0 && t.openLink(e.Position):
	case t.mouse.report:
		t.report(e.Position, vt.MouseEvent{Button: buttonOf(e.Button)}, e.Modifier)
	case e.Button == desktop.MouseButtonPrimary:
		t.press(e)
	case e.Button == desktop.MouseButtonSecondary:
		t.menu(e.AbsolutePosition)
	}
}

func (t *Terminal) appModifier() fyne.KeyModifier {
	if t.opts.Mac {
		return fyne.KeyModifierSuper
	}
	return fyne.KeyModifierControl
}

// press begins a selection: of characters, of words at the second press, of
// lines at the third. With Shift it moves the end of the one there is.
func (t *Terminal) press(e *desktop.MouseEvent) {
	at, _, _ := t.cellAt(e.Position)
	now := t.now()
	if e.Modifier&fyne.KeyModifierShift != 0 && t.mouse.anchor != nil {
		t.extend(at)
		return
	}
	if now.Sub(t.mouse.at) < doubleClick && at == t.mouse.cell {
		t.mouse.clicks = t.mouse.clicks%3 + 1
	} else {
		t.mouse.clicks = 1
	}
	t.mouse.at, t.mouse.cell = now, at
	t.core.View(func(s *vt.Screen) {
		sel := vt.Selection{From: at, To: at}
		switch t.mouse.clicks {
		case 2:
			sel = s.Word(at)
		case 3:
			sel = s.Paragraph(at)
		}
		sel.Block = e.Modifier&fyne.KeyModifierAlt != 0
		t.mouse.anchor = &sel
		t.sel = nil
		if t.mouse.clicks > 1 {
			t.sel = &sel
		}
	})
	t.frame.wake()
}

// extend takes the selection from its anchor to a cell, by whole words or
// lines where it began with one.
func (t *Terminal) extend(at vt.Point) {
	a := t.mouse.anchor
	t.core.View(func(s *vt.Screen) {
		to := vt.Selection{From: at, To: at}
		switch t.mouse.clicks {
		case 2:
			to = s.Word(at)
		case 3:
			to = s.Paragraph(at)
		}
		sel := vt.Selection{From: a.From, To: to.To, Block: a.Block}
		if at.Before(a.From) {
			sel.From, sel.To = to.From, a.To
		}
		t.sel = &sel
	})
	t.frame.wake()
}

// MouseUp is for the toolkit.
func (t *Terminal) MouseUp(e *desktop.MouseEvent) {
	if t.mouse.report {
		t.report(e.Position, vt.MouseEvent{Button: buttonOf(e.Button), Release: true}, e.Modifier)
	}
	t.mouse.button, t.mouse.report = 0, false
}

// Dragged is a move with a button down. Beyond the edges the view scrolls.
func (t *Terminal) Dragged(e *fyne.DragEvent) {
	m := t.mods()
	if t.mouse.report {
		t.report(e.Position, vt.MouseEvent{Button: buttonOf(t.mouse.button), Motion: true}, m)
		return
	}
	if t.mouse.anchor == nil || t.mouse.button != desktop.MouseButtonPrimary {
		return
	}
	switch size := t.Size(); {
	case e.Position.Y < 0:
		t.scrollBy(1 + int(-e.Position.Y/20))
	case e.Position.Y > size.Height:
		t.scrollBy(-1 - int((e.Position.Y-size.Height)/20))
	}
	at, _, _ := t.cellAt(e.Position)
	if at == t.mouse.cell && t.sel == nil {
		return
	}
	t.extend(at)
}

// DragEnd is for the toolkit.
func (t *Terminal) DragEnd() {}

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

// hover underlines the link under the pointer while the shortcut key is held.
func (t *Terminal) hover(p fyne.Position, on bool) {
	had := t.mouse.link
	t.mouse.link, t.mouse.uri = nil, ""
	if on {
		at, _, _ := t.cellAt(p)
		t.core.View(func(s *vt.Screen) {
			if uri, sel := s.LinkAt(at); uri != "" {
				t.mouse.link, t.mouse.uri = &sel, uri
			}
		})
	}
	if (had == nil) != (t.mouse.link == nil) || had != nil && *had != *t.mouse.link {
		t.frame.wake()
	}
}

// openLink hands the web address under the pointer to the owner.
func (t *Terminal) openLink(p fyne.Position) bool {
	t.hover(p, true)
	u, err := url.Parse(t.mouse.uri)
	if t.mouse.uri == "" || err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || t.OnLink == nil {
		return false
	}
	t.OnLink(t.mouse.uri)
	return true
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
		t.key(k, 0)
	}
}

func abs(n int) int { return max(n, -n) }

// menu shows what can be done with the text.
func (t *Terminal) menu(at fyne.Position) {
	c := canvasOf(t)
	if c == nil {
		return
	}
	copyItem := fyne.NewMenuItem("Copy", func() { t.Copy() })
	copyItem.Disabled = t.SelectedText() == ""
	items := fyne.NewMenu("",
		copyItem,
		fyne.NewMenuItem("Paste", t.PasteClipboard),
		fyne.NewMenuItem("Select all", t.SelectAll),
		fyne.NewMenuItemSeparator(),
		fyne.NewMenuItem("Clear scrollback", t.Clear),
	)
	widget.ShowPopUpMenuAtPosition(items, c, at)
}
