package terminal

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/widget"

	"bottlebar.app/terminal/vt"
)

// menu shows what can be done with the text.
func (t *Terminal) menu(e *desktop.MouseEvent) {
	if c := canvasOf(t); c != nil {
		widget.ShowPopUpMenuAtPosition(fyne.NewMenu("", t.entries(e.Position)...), c, e.AbsolutePosition)
	}
}

// entries are those of the context menu at a place.
func (t *Terminal) entries(p fyne.Position) []*fyne.MenuItem {
	at, _, _ := t.cellAt(p)
	var link Link
	columns, tall := false, false
	t.core.View(func(s *vt.Screen) {
		link, _, _ = linkAt(s, at)
		if t.sel != nil {
			columns, tall = t.sel.Block, t.sel.From.Line != t.sel.To.Line
		}
	})
	none := t.SelectedText() == ""
	var out []*fyne.MenuItem
	add := func(label string, disabled bool, do func()) {
		m := fyne.NewMenuItem(label, do)
		m.Disabled = disabled
		out = append(out, m)
	}
	if link.URI != "" {
		// Asked about even where it is plain: a menu shows no address.
		add("Open link…", t.OnLink == nil, func() { t.OnLink(Link{URI: link.URI}) })
		add("Copy link address", false, func() { copyText(link.URI) })
		out = append(out, fyne.NewMenuItemSeparator())
	}
	add("Copy", none, func() { t.Copy() })
	add("Paste", false, t.PasteClipboard)
	add("Select all", false, t.SelectAll)
	if columns {
		add("Select whole lines", false, func() { t.selectColumns(false) })
	} else {
		add("Select columns", none || !tall, func() { t.selectColumns(true) })
	}
	out = append(out, fyne.NewMenuItemSeparator())
	add("Copy screen as text", false, func() { copyText(t.ScreenText()) })
	add("Copy screen and scrollback as text", false, func() { copyText(t.AllText()) })
	add("Clear scrollback", false, t.Clear)
	if t.OnMenu != nil {
		out = append(append(out, fyne.NewMenuItemSeparator()), t.OnMenu()...)
	}
	return out
}

// selectColumns makes a block of the selection, or lines again.
func (t *Terminal) selectColumns(on bool) {
	if t.sel != nil {
		sel := *t.sel
		sel.Block = on
		t.sel = &sel
		t.frame.wake()
	}
}
