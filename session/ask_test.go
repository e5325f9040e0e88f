package session

import (
	"encoding/base64"
	"io"
	"net/url"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/test"

	"bottlebar.app/terminal"
)

// choose presses the button of a question with that label.
func choose(t *testing.T, v *view, label string) {
	t.Helper()
	for _, c := range v.asking.Choices {
		if c.Label == label {
			c.Do()
			return
		}
	}
	t.Fatalf("%q is not offered by %+v", label, v.asking)
}

func TestDoubtfulPastesAreAskedAbout(t *testing.T) {
	for _, c := range []struct {
		d           terminal.PasteDoubt
		title, line string
	}{
		{terminal.PasteDoubt{Lines: 12}, "Paste 12 lines", "Return"},
		{terminal.PasteDoubt{Controls: 1}, "Paste text with 1 control character", "taken out"},
		{terminal.PasteDoubt{Controls: 3, Lines: 40}, "Paste 40 lines", "taken out"},
	} {
		m := pasting(c.d, func() {})
		if m.Title != c.title || !strings.Contains(strings.Join(m.Lines, " "), c.line) {
			t.Errorf("%+v is asked about as %q %q", c.d, m.Title, m.Lines)
		}
	}
	w, wo, l := setup(t)
	v := open(t, w, wo, l)
	v.term.Paste(strings.Repeat("x\n", 12))
	choose(t, v, "Cancel")
	v.term.Paste(strings.Repeat("y\n", 12))
	choose(t, v, "Paste")
	l.until(t, "the paste", func() bool { v.term.Refresh(); return wo.last().typed() == strings.Repeat("y\r", 12) })
	if v.asking.Title != "" {
		t.Errorf("%q stays", v.asking.Title)
	}
}

func TestAPasteIsNotAskedAboutOnceNobodyIsThereToTakeIt(t *testing.T) {
	w, wo, l := setup(t)
	v := open(t, w, wo, l)
	v.term.Paste(strings.Repeat("x\n", 12))
	_ = wo.last().out.Close()
	l.until(t, "the end", func() bool { return v.phase == ended })
	if v.asking.Title != "" {
		t.Errorf("%q stays after the session's end", v.asking.Title)
	}
	v.offered("text", func() {})
	w.Update(with())
	if v.phase != removed || v.asking.Title == "" {
		t.Error("what a program put on the clipboard cannot be taken back once its bottle is gone")
	}
}

func TestALinkWhoseAddressWasNotSeenIsShownFirst(t *testing.T) {
	w, wo, l := setup(t)
	v := open(t, w, wo, l)
	v.follow(terminal.Link{URI: "https://аpple.example/login?next=" + strings.Repeat("x", 50)})
	if v.asking.Title != "Open a page of xn--pple-43d.example" {
		t.Errorf("asked %q", v.asking.Title)
	}
	choose(t, v, "Copy address")
	if got := w.o.App.Clipboard().Content(); !strings.HasPrefix(got, "https://аpple.example/login") {
		t.Errorf("copied %q", got)
	}
	v.follow(terminal.Link{URI: "https://bank.example@evil.example/"})
	if v.asking.Title != "Open a page of evil.example" {
		t.Errorf("asked %q", v.asking.Title)
	}
	choose(t, v, "Cancel")
	v.follow(terminal.Link{URI: "https://a.example/", Plain: true})
	if v.asking.Title != "" {
		t.Error("an address that stands on the screen is asked about")
	}
	u, _ := url.Parse("https://bank.example@evil.example/")
	if got := realHost(u); got != "evil.example" {
		t.Errorf("the host is %q", got)
	}
}

func TestWhatAProgramPutsOnTheClipboardCanBeUndone(t *testing.T) {
	w, wo, l := setup(t)
	v := open(t, w, wo, l)
	clip := w.o.App.Clipboard()
	clip.SetContent("mine")
	v.term.FocusGained()
	v.term.KeyDown(&fyne.KeyEvent{Name: fyne.KeyY})
	go io.WriteString(wo.last().out, "\x1b]52;c;"+base64.StdEncoding.EncodeToString([]byte("theirs"))+"\x07")
	l.until(t, "the question", func() bool { return v.asking.Title != "" })
	if clip.Content() != "theirs" || v.asking.Lines[0] != "theirs" {
		t.Errorf("the clipboard holds %q, the bar shows %q", clip.Content(), v.asking.Lines)
	}
	choose(t, v, "Undo")
	if clip.Content() != "mine" || v.asking.Title != "" {
		t.Errorf("undone it holds %q", clip.Content())
	}
}

func TestTheWindowsShortcuts(t *testing.T) {
	for _, mac := range []bool{false, true} {
		w, wo, l := setup(t)
		w.o.Mac = mac
		v := open(t, w, wo, l)
		mod := fyne.KeyModifierControl | fyne.KeyModifierShift
		if mac {
			mod = fyne.KeyModifierSuper
		}
		press := func(k fyne.KeyName) {
			v.term.TypedShortcut(&desktop.CustomShortcut{KeyName: k, Modifier: mod})
		}
		press(fyne.KeyF)
		c := w.open[v.k].Canvas()
		if !v.find.open || c.Focused() != fyne.Focusable(v.find.entry) {
			t.Fatal("find does not open")
		}
		test.Type(v.find.entry, "absent")
		l.until(t, "the search", func() bool { return v.find.count.Text == "Not found" })
		v.find.entry.TypedKey(&fyne.KeyEvent{Name: fyne.KeyEscape})
		if v.find.open || c.Focused() != fyne.Focusable(v.term) {
			t.Error("Escape does not give the keyboard back")
		}
		press(fyne.KeyN)
		if _, ok := w.open[key{"b1", "shell-1"}]; !ok {
			t.Error("no new shell")
		}
		press(fyne.KeyF)
		v.find.entry.TypedShortcut(&desktop.CustomShortcut{KeyName: fyne.KeyW, Modifier: mod})
		if w.Shown("b1") {
			t.Error("the window is not closed")
		}
	}
}

func TestFoundWords(t *testing.T) {
	for _, c := range []struct {
		f          terminal.Found
		text, want string
	}{
		{terminal.Found{Done: true}, "", ""},
		{terminal.Found{}, "x", "Searching"},
		{terminal.Found{Done: true}, "x", "Not found"},
		{terminal.Found{At: 1, Total: 3}, "x", "1 of 3+"},
		{terminal.Found{At: 2, Total: 3, Done: true}, "x", "2 of 3"},
	} {
		if got := foundWords(c.f, c.text); got != c.want {
			t.Errorf("%+v is %q, want %q", c.f, got, c.want)
		}
	}
}

func TestTheAddressUnderThePointerIsShown(t *testing.T) {
	w, wo, l := setup(t)
	v := open(t, w, wo, l)
	v.term.OnHover("https://a.example/")
	if v.line.right[0].Label() != "https://a.example/" {
		t.Errorf("the line shows %q", v.line.right[0].Label())
	}
	v.term.OnHover("")
	if v.line.right[0].Label() != "" {
		t.Error("the address stays")
	}
}
