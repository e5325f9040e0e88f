package terminal

import (
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"

	"bottlebar.app/terminal/vt"
)

// scrollEvery is the time between two scrolls while a drag rests beyond an
// edge.
const scrollEvery = 40 * time.Millisecond

// press begins a selection: of characters, of words at the second press, of
// lines at the third; of columns with Alt. With Shift it moves the end of the
// one there is.
func (t *Terminal) press(e *desktop.MouseEvent) {
	at, _, _ := t.cellAt(e.Position)
	now := t.now()
	if e.Modifier&fyne.KeyModifierShift != 0 && t.mouse.anchor != nil {
		t.extend(at, e.Modifier)
		return
	}
	if now.Sub(t.mouse.at) < doubleClick && at == t.mouse.cell {
		t.mouse.clicks = t.mouse.clicks%3 + 1
	} else {
		t.mouse.clicks = 1
	}
	t.mouse.at, t.mouse.cell = now, at
	t.core.View(func(s *vt.Screen) {
		sel := t.unit(s, at)
		sel.Block = e.Modifier&fyne.KeyModifierAlt != 0
		t.mouse.anchor = &sel
		t.sel = nil
		if t.mouse.clicks > 1 {
			t.sel = &sel
		}
	})
	t.frame.wake()
}

// unit is what one step of a selection takes at a cell: the cell, its word or
// its line, by the number of clicks.
func (t *Terminal) unit(s *vt.Screen, at vt.Point) vt.Selection {
	switch t.mouse.clicks {
	case 2:
		return s.Word(at)
	case 3:
		return s.Paragraph(at)
	}
	return vt.Selection{From: at, To: at}
}

// extend takes the selection from its anchor to a cell, by whole words or
// lines where it began with one. Alt may be pressed and let go on the way.
func (t *Terminal) extend(at vt.Point, m fyne.KeyModifier) {
	a := t.mouse.anchor
	t.core.View(func(s *vt.Screen) {
		to := t.unit(s, at)
		sel := vt.Selection{From: a.From, To: to.To, Block: a.Block || m&fyne.KeyModifierAlt != 0}
		if at.Before(a.From) {
			sel.From, sel.To = to.From, a.To
		}
		t.sel = &sel
	})
	t.frame.wake()
}

// Dragged is a move with a button down. Beyond the upper and lower edges the
// view scrolls, for as long as the pointer stays there.
func (t *Terminal) Dragged(e *fyne.DragEvent) {
	m := t.mods()
	if t.mouse.report {
		t.report(e.Position, vt.MouseEvent{Button: buttonOf(t.mouse.button), Motion: true}, m)
		return
	}
	if t.mouse.anchor == nil || t.mouse.button != desktop.MouseButtonPrimary {
		return
	}
	t.mouse.beyond = e.Position
	if t.overshoot() != 0 {
		t.auto.wake()
		return
	}
	at, _, _ := t.cellAt(e.Position)
	if at == t.mouse.cell && t.sel == nil {
		return
	}
	t.extend(at, m)
}

// overshoot is how many lines to scroll at a time: up where it is more than 0.
func (t *Terminal) overshoot() int {
	y, h := t.mouse.beyond.Y, t.Size().Height
	switch {
	case y < 0:
		return 1 + int(-y/20)
	case y > h:
		return -1 - int((y-h)/20)
	}
	return 0
}

// scrollOn scrolls and selects while a drag rests beyond an edge.
func (t *Terminal) scrollOn() {
	n := t.overshoot()
	if n == 0 || t.mouse.anchor == nil || t.mouse.report || t.mouse.button != desktop.MouseButtonPrimary {
		return
	}
	t.scrollBy(n)
	at, _, _ := t.cellAt(t.mouse.beyond)
	t.extend(at, t.mods())
	t.auto.wakeAt(scrollEvery)
}

// DragEnd is for the toolkit.
func (t *Terminal) DragEnd() { t.mouse.beyond = fyne.Position{} }

// release forgets the button that was down.
func (t *Terminal) release() {
	t.mouse.button, t.mouse.report, t.mouse.beyond = 0, false, fyne.Position{}
}
