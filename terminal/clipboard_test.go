package terminal

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"

	"bottlebar.app/terminal/vt"
)

func TestPasteAsksAboutControlsAndManyLines(t *testing.T) {
	term, p, q := started(t, Options{})
	var asked []PasteDoubt
	var goOn func()
	term.OnPaste = func(d PasteDoubt, paste func()) { asked, goOn = append(asked, d), paste }
	twelve := strings.Repeat("x\r\n", 12)
	for _, c := range []struct {
		name, modes, text string
		want              PasteDoubt
	}{
		{"one line", "", "ls\n", PasteDoubt{}},
		{"ten lines", "", strings.Repeat("x\n", 10), PasteDoubt{}},
		{"twelve lines", "", twelve, PasteDoubt{Lines: 12}},
		{"eleven with CR", "", strings.Repeat("x\r", 10) + "x", PasteDoubt{Lines: 11}},
		{"twelve in brackets", "\x1b[?2004h", twelve, PasteDoubt{}},
		{"controls in brackets", "\x1b[?2004h", "a\x1b[201~\u009b\tb", PasteDoubt{Controls: 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			run(t, term, p, q, "\x1bc"+c.modes)
			asked = nil
			sure := c.want == PasteDoubt{}
			sent := string(term.core.EncodePaste(nil, c.text))
			want := sent
			if !sure {
				want = ""
			}
			sends(t, term, p, q, want, func() { term.Paste(c.text) })
			if sure {
				if len(asked) != 0 {
					t.Errorf("asked %+v", asked)
				}
				return
			}
			if len(asked) != 1 || asked[0] != c.want {
				t.Fatalf("asked %+v, want %+v", asked, c.want)
			}
			sends(t, term, p, q, sent, func() { goOn() })
		})
	}
}

func TestWhatIsCopiedDoesNothing(t *testing.T) {
	term, p, q := started(t, Options{})
	run(t, term, p, q, "safe\x1b[8m; rm -rf ~\x1b[m \u202etext\u200b\r\n\r\n")
	term.SelectAll()
	if got := term.SelectedText(); got != "safe text" {
		t.Errorf("copied %q", got)
	}
}

func TestAProgramReachesTheClipboardOnlyRightAfterThePerson(t *testing.T) {
	term, p, q := started(t, Options{})
	clip := fyne.CurrentApp().Clipboard()
	clock := time.Unix(1000, 0)
	term.now = func() time.Time { return clock }
	put := func(s string) {
		run(t, term, p, q, "\x1b]52;c;"+base64.StdEncoding.EncodeToString([]byte(s))+"\x07")
	}
	var undo func()
	told := ""
	handler := func(text string, u func()) { told, undo = text, u }
	key := func() { term.KeyDown(&fyne.KeyEvent{Name: fyne.KeyY}) }
	click := func() {
		e := &desktop.MouseEvent{Button: desktop.MouseButtonPrimary}
		term.MouseDown(e)
		term.MouseUp(e)
	}
	for _, c := range []struct {
		name string
		do   func()
		want bool
	}{
		{"nobody did anything", func() { term.touched = time.Time{} }, false},
		{"after a key", key, true},
		{"after a click", click, true},
		{"late", func() { key(); clock = clock.Add(offerFor + time.Millisecond) }, false},
		{"not in front", func() { key(); term.FocusLost() }, false},
		{"hidden", func() { key(); term.SetSuspended(true) }, false},
		{"nobody shows it", func() { key(); term.OnClipboard = nil }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			term.OnClipboard = handler
			term.FocusGained()
			term.SetSuspended(false)
			clip.SetContent("mine")
			told = ""
			c.do()
			put("the\u202e program's\n")
			want := "mine"
			if c.want {
				want = "the program's"
			}
			if clip.Content() != want || (told != "") != c.want {
				t.Errorf("the clipboard holds %q, told %q", clip.Content(), told)
			}
		})
	}

	term.OnClipboard = handler
	term.FocusGained()
	term.SetSuspended(false)
	clip.SetContent("mine")
	key()
	put("one")
	put("two")
	undo()
	if clip.Content() != "mine" {
		t.Errorf("undone it holds %q", clip.Content())
	}
	put("three")
	clip.SetContent("mine again")
	undo()
	if clip.Content() != "mine again" {
		t.Errorf("undo took %q from the person", clip.Content())
	}
}

func TestLinksAreOpenedOnlyToTheWebAndByWhatIsSeen(t *testing.T) {
	term, p, q := started(t, Options{})
	var opened []Link
	term.OnLink = func(l Link) { opened = append(opened, l) }
	hovered := ""
	term.OnHover = func(uri string) { hovered = uri }
	osc8 := func(uri, text string) string { return "\x1b]8;;" + uri + "\x1b\\" + text + "\x1b]8;;\x1b\\" }
	for _, c := range []struct {
		out  string
		want Link
	}{
		{"https://a.example/x", Link{"https://a.example/x", true}},
		{osc8("https://a.example/", "https://a.example/"), Link{"https://a.example/", true}},
		{osc8("https://evil.example/", "https://bank.example/"), Link{"https://evil.example/", false}},
		{osc8("https://evil.example/", "click"), Link{"https://evil.example/", false}},
		{"https://bank.example@evil.example/", Link{"https://bank.example@evil.example/", false}},
		{"https://аpple.example/", Link{"https://аpple.example/", false}},
		{osc8("file:///etc/passwd", "file"), Link{}},
		{osc8("javascript:alert(1)", "script"), Link{}},
		{osc8("https:///nohost", "none"), Link{}},
		{osc8("ssh://host", "ssh"), Link{}},
		{"no link", Link{}},
	} {
		run(t, term, p, q, "\x1bc"+c.out)
		opened, hovered = nil, ""
		e := &desktop.MouseEvent{Button: desktop.MouseButtonPrimary}
		e.Position = at(term, 2, 0)
		term.MouseMoved(e)
		term.MouseDown(e)
		term.MouseUp(e)
		if len(opened) != 0 || hovered != "" {
			t.Errorf("%q: a plain click opens %v", c.out, opened)
		}
		e.Modifier = fyne.KeyModifierControl
		term.MouseMoved(e)
		if hovered != c.want.URI {
			t.Errorf("%q: hovering shows %q", c.out, hovered)
		}
		term.MouseDown(e)
		term.MouseUp(e)
		if c.want == (Link{}) && len(opened) == 0 {
			continue
		}
		if len(opened) != 1 || opened[0] != c.want {
			t.Errorf("%q opens %+v, want %+v", c.out, opened, c.want)
		}
		term.MouseOut()
		if hovered != "" {
			t.Errorf("%q: the address stays", c.out)
		}
	}
}

func TestContextMenu(t *testing.T) {
	term, p, q := started(t, Options{})
	run(t, term, p, q, strings.Repeat("gone\r\n", 30)+"\x1b[2J\x1b[Habc\r\ndef https://a.example/\r\n")
	term.OnLink = func(Link) {}
	term.OnMenu = func() []*fyne.MenuItem { return []*fyne.MenuItem{fyne.NewMenuItem("Ours", func() {})} }
	entry := func(x, y int, label string) *fyne.MenuItem {
		for _, m := range term.entries(at(term, x, y)) {
			if m.Label == label {
				return m
			}
		}
		return nil
	}
	if entry(0, 0, "Open link…") != nil || entry(6, 1, "Open link…") == nil {
		t.Error("the link is offered at a wrong place")
	}
	if !entry(0, 0, "Copy").Disabled || !entry(0, 0, "Select columns").Disabled || entry(0, 0, "Ours") == nil {
		t.Error("entries are not as they should be without a selection")
	}
	clip := fyne.CurrentApp().Clipboard()
	entry(0, 0, "Copy screen as text").Action()
	if got := clip.Content(); got != "abc\ndef https://a.example/" {
		t.Errorf("the screen is copied as %q", got)
	}
	entry(0, 0, "Copy screen and scrollback as text").Action()
	if got := clip.Content(); !strings.HasPrefix(got, "gone\n") || !strings.HasSuffix(got, "\nabc\ndef https://a.example/") {
		t.Errorf("all is copied as %q", got)
	}
	term.core.View(func(s *vt.Screen) {
		term.sel = &vt.Selection{From: vt.Point{Line: s.Top, Col: 1}, To: vt.Point{Line: s.Top + 1, Col: 1}}
	})
	entry(0, 0, "Select columns").Action()
	if got := term.SelectedText(); got != "b\ne" {
		t.Errorf("as columns it is %q", got)
	}
	entry(0, 0, "Select whole lines").Action()
	if got := term.SelectedText(); got != "bc\nde" {
		t.Errorf("as lines it is %q", got)
	}
}
