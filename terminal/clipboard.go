package terminal

import (
	"strings"
	"time"
	"unicode"

	"fyne.io/fyne/v2"

	"bottlebar.app/terminal/vt"
)

// maxUnasked is how many lines are pasted without asking where the program
// takes each of them as a command.
const maxUnasked = 10

// offerFor is how long after a key or a click of the person a program may put
// text on the clipboard.
const offerFor = 2 * time.Second

// PasteDoubt is why one may not want to paste a text.
type PasteDoubt struct {
	// Controls is the number of control characters in it. They are taken out.
	Controls int
	// Lines is the number of lines, where they are more than ten and the
	// program does not tell pasted text from typed one; else 0.
	Lines int
}

// Paste sends text as pasted: controls taken out, in brackets where the
// program asked for them. OnPaste is asked where there is a doubt.
func (t *Terminal) Paste(text string) {
	if text == "" {
		return
	}
	paste := func() { t.typed(t.core.EncodePaste(nil, text)) }
	d := doubt(text)
	t.core.View(func(s *vt.Screen) {
		if s.Modes.BracketedPaste || d.Lines <= maxUnasked {
			d.Lines = 0
		}
	})
	if d == (PasteDoubt{}) || t.OnPaste == nil {
		paste()
		return
	}
	t.OnPaste(d, paste)
}

// doubt counts what a text holds: CR LF and a line feed at the end are no
// lines of their own.
func doubt(text string) PasteDoubt {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	d := PasteDoubt{Lines: 1 + strings.Count(strings.TrimSuffix(text, "\n"), "\n")}
	for _, r := range text {
		switch {
		case r == '\n' || r == '\t':
		case r == '\r':
			d.Lines++
		case unicode.IsControl(r):
			d.Controls++
		}
	}
	return d
}

// SelectedText returns what is selected, as it goes to the clipboard: nothing
// in it does anything, and no line feed ends it, which a shell that it is
// pasted to would take for Return.
func (t *Terminal) SelectedText() string {
	out := ""
	t.core.View(func(s *vt.Screen) {
		if t.sel != nil {
			out = forClipboard(s.Selected(*t.sel))
		}
	})
	return out
}

func forClipboard(s string) string { return strings.TrimRight(vt.CleanText(s), "\n") }

// ScreenText returns the visible lines as text.
func (t *Terminal) ScreenText() string {
	out := ""
	t.core.View(func(s *vt.Screen) {
		top := s.Top - min(t.back, s.Top-s.First)
		out = s.Selected(vt.Selection{
			From: vt.Point{Line: top}, To: vt.Point{Line: top + s.Rows - 1, Col: s.Cols - 1},
		})
	})
	return out
}

// AllText returns the screen and all that scrolled away as text.
func (t *Terminal) AllText() string {
	out := ""
	t.core.View(func(s *vt.Screen) { out = s.Selected(s.All()) })
	return out
}

// SelectAll selects all lines that are kept.
func (t *Terminal) SelectAll() {
	t.core.View(func(s *vt.Screen) {
		all := s.All()
		t.sel = &all
	})
	t.frame.wake()
}

// Copy puts the selection on the clipboard and says whether there was one.
func (t *Terminal) Copy() bool {
	text := t.SelectedText()
	if text == "" {
		return false
	}
	fyne.CurrentApp().Clipboard().SetContent(text)
	return true
}

// copyText puts text of the screen on the clipboard.
func copyText(s string) { fyne.CurrentApp().Clipboard().SetContent(forClipboard(s)) }

// PasteClipboard pastes what is on the clipboard.
func (t *Terminal) PasteClipboard() { t.Paste(fyne.CurrentApp().Clipboard().Content()) }

// offered is what a program put on the clipboard last.
type offered struct{ text, before string }

// offer puts text of the program on the clipboard, where the person can have
// meant it: the terminal has the keyboard, and was used a moment ago.
func (t *Terminal) offer(text string) {
	text = forClipboard(text)
	if text == "" || t.OnClipboard == nil || t.hidden || !t.focused || t.now().Sub(t.touched) > offerFor {
		return
	}
	c := fyne.CurrentApp().Clipboard()
	now := offered{text: text, before: c.Content()}
	if t.clip.text != "" && now.before == t.clip.text {
		now.before = t.clip.before // undo goes back to what was the person's
	}
	t.clip = now
	c.SetContent(text)
	t.OnClipboard(text, func() {
		if c.Content() == text {
			c.SetContent(now.before)
		}
		t.clip = offered{}
	})
}
