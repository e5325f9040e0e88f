package session

import (
	"strconv"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/widget"

	"bottlebar.app/assets/look"
	"bottlebar.app/terminal"
)

// findBar is where one types what to look for, above the status line.
type findBar struct {
	v     *view
	root  *fyne.Container
	entry *findEntry
	count *look.Text
	open  bool
}

func newFindBar(v *view) *findBar {
	f := &findBar{v: v, count: look.NewSecond("").Right()}
	f.count.Width = 120
	f.entry = &findEntry{bar: f}
	f.entry.ExtendBaseWidget(f.entry)
	f.entry.SetPlaceHolder("Find")
	f.entry.OnChanged = v.term.Find
	buttons := look.Row(look.Gap,
		f.count,
		look.NewButton("Older", func() { v.term.FindNext(false) }),
		look.NewButton("Newer", func() { v.term.FindNext(true) }),
		look.NewButton("Done", f.close),
	)
	content := container.NewBorder(nil, nil, nil, look.Row(look.Gap, look.NewSpace(0, 0), buttons), f.entry)
	f.root = container.NewStack(look.NewFill(look.ColorRaised), look.Pad(content, look.Step, look.Edge))
	v.term.OnFound = f.found
	return f
}

// show opens the bar and takes the keyboard; what was looked for last is still
// there, to be replaced by typing.
func (f *findBar) show() {
	f.open = true
	f.v.show()
	if c := fyne.CurrentApp().Driver().CanvasForObject(f.v.term); c != nil {
		c.Focus(f.entry)
	}
	f.entry.TypedShortcut(&fyne.ShortcutSelectAll{})
	f.v.term.Find(f.entry.Text)
}

// close ends the search and gives the keyboard back.
func (f *findBar) close() {
	f.open = false
	f.v.term.Find("")
	f.v.show()
	f.v.appeared()
}

func (f *findBar) found(s terminal.Found) {
	f.count.Set(foundWords(s, f.entry.Text))
}

// foundWords says how far a search is.
func foundWords(s terminal.Found, text string) string {
	total := strconv.Itoa(s.Total)
	switch {
	case text == "":
		return ""
	case s.Total == 0 && !s.Done:
		return "Searching"
	case s.Total == 0:
		return "Not found"
	case !s.Done:
		total += "+"
	}
	return strconv.Itoa(s.At) + " of " + total
}

// findEntry is the bar's field: Return goes to the next older place, with
// Shift to the newer one, Escape closes the bar.
type findEntry struct {
	widget.Entry
	bar *findBar
}

// TypedKey is for the toolkit.
func (e *findEntry) TypedKey(k *fyne.KeyEvent) {
	switch k.Name {
	case fyne.KeyReturn, fyne.KeyEnter, fyne.KeyUp:
		e.bar.v.term.FindNext(k.Name != fyne.KeyUp && shiftHeld())
	case fyne.KeyDown:
		e.bar.v.term.FindNext(true)
	case fyne.KeyEscape:
		e.bar.close()
	default:
		e.Entry.TypedKey(k)
	}
}

// TypedShortcut is for the toolkit: the window's shortcuts work here too.
func (e *findEntry) TypedShortcut(s fyne.Shortcut) {
	if !e.bar.v.shortcut(s) {
		e.Entry.TypedShortcut(s)
	}
}

func shiftHeld() bool {
	d, ok := fyne.CurrentApp().Driver().(desktop.Driver)
	return ok && d.CurrentKeyModifiers()&fyne.KeyModifierShift != 0
}
