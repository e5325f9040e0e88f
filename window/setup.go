package window

import (
	"context"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/widget"

	"bottlebar.app/assets/look"
	"bottlebar.app/snapshot"
)

// setup is the Setup window: a check each, its finding, and its cure.
type setup struct {
	w    *Windows
	win  fyne.Window
	head *fyne.Container
	rows *fyne.Container

	testing bool // the API is asked about the credential
}

// ShowSetup opens the Setup window.
func (w *Windows) ShowSetup() {
	w.present("setup", "Setup — Bottlebar", func(win fyne.Window) content {
		s := &setup{w: w, win: win, head: container.NewStack(), rows: look.Column(0)}
		root := look.Pad(container.New(stacked{}, s.head, container.NewVScroll(s.rows)), 0, 0)
		return content{view: s, root: root, update: s.update, size: fyne.NewSize(640, 420), lasting: true}
	})
}

func (s *setup) update(sn snapshot.Snapshot) {
	s.head.Objects = []fyne.CanvasObject{s.heading(sn)}
	s.rows.RemoveAll()
	for _, c := range sn.Setup {
		s.rows.Add(s.row(c))
		s.rows.Add(look.Pad(look.NewLine(), 0, look.Edge))
	}
	s.win.Content().Refresh()
}

// heading is one calm line on all checks, and the way on.
func (s *setup) heading(sn snapshot.Snapshot) fyne.CanvasObject {
	text, second, good := setupHeading(sn)
	buttons := look.Row(look.Gap, look.NewButton("Check again", s.recheck))
	if good {
		buttons.Add(look.NewPrimary("Show library", func() { s.w.ShowLibrary("") }))
	}
	lines := look.Column(2, look.NewTitle(text).Cutting(look.CutEnd))
	if second != "" {
		lines.Add(look.NewSecond(second).Cutting(look.CutEnd))
	}
	return look.Column(0, look.Pad(look.Sides(lines, buttons), look.Edge, look.Edge), look.NewLine())
}

// setupHeading sums all checks up in a line, and says whether one can launch.
func setupHeading(sn snapshot.Snapshot) (text, second string, good bool) {
	if sn.Simulated {
		second = "Bottles here are " + look.Simulated + "."
	}
	missing, notes, busy := look.Todo(sn)
	switch {
	case missing > 0:
		return look.Count(missing, "thing is missing", "things are missing"), second, false
	case busy > 0 || len(sn.Setup) == 0:
		return "Looking at this computer", second, false
	case notes > 0 && len(sn.Library) == 0:
		return look.Count(notes, "thing to do", "things to do"), second, false
	case notes > 0:
		return "You can launch; " + look.Count(notes, "thing is left to do", "things are left to do"), second, true
	}
	return "All good: you can launch", second, true
}

func (s *setup) row(c snapshot.Check) fyne.CanvasObject {
	st := look.OfCheck(c.State)
	text := look.Column(2, look.NewText(look.Clean(c.Title, 40)), s.finding(c))
	if c.Cure != "" && (c.State != snapshot.CheckOK || c.Credential) {
		text.Add(secondParagraph(look.Sentence(look.Clean(c.Cure, 240))))
	}
	cure := container.NewHBox()
	if o := s.cure(c); o != nil {
		cure = look.Row(look.Gap, o)
	}
	row := look.Sides(look.Lead(look.NewShape(st.Shape, st.Color), text), cure)
	return look.Pad(row, look.Gap, look.Edge)
}

// finding is one line where all is good, and as many as it takes where not.
func (s *setup) finding(c snapshot.Check) fyne.CanvasObject {
	said := look.Clean(c.Finding, 240)
	switch {
	case c.Credential && s.testing:
		return look.NewSecond("Asking the API about it")
	case c.State == snapshot.CheckOK && !c.Credential:
		return look.NewSecond(said).Cutting(look.CutEnd)
	}
	return quietParagraph(said)
}

// cure is the button that helps, or the command to copy.
func (s *setup) cure(c snapshot.Check) fyne.CanvasObject {
	switch c.Action {
	case "credential":
		if c.Credential {
			test := look.NewButton("Test", s.test)
			if s.testing {
				test.Disable()
			}
			return look.Row(look.Gap, test, look.NewButton("Change…", s.credential), look.NewButton("Clear", s.clear))
		}
		return look.NewPrimary("Set…", s.credential)
	case "library":
		return look.Row(look.Gap, look.NewPrimary("Make one…", func() { s.w.ShowMake("") }), look.NewButton("Add a file…", s.w.ShowAdd))
	case "retry":
		return look.NewButton("Check again", s.recheck)
	}
	if c.Command == "" || c.State == snapshot.CheckOK {
		return nil
	}
	line := look.NewMono(look.Clean(c.Command, 200)).Cutting(look.CutEnd)
	line.Width = 240
	command := container.NewStack(look.NewCard(), look.Pad(line, look.Step, look.Gap))
	return look.Row(look.Step, command, copyButton(s.w, c.Command, "Copy"))
}

func (s *setup) recheck() {
	s.w.background(func(ctx context.Context) {
		err := s.w.o.Backend.Setup.Recheck(ctx)
		s.w.post(func() { s.w.failed(err) })
	})
}

// test asks the API about the credential; the check's row then shows what it
// said.
func (s *setup) test() {
	if s.testing {
		return
	}
	s.testing = true
	s.update(s.w.last)
	s.w.background(func(ctx context.Context) {
		err := s.w.o.Backend.Setup.TestCredential(ctx)
		s.w.post(func() {
			s.testing = false
			s.update(s.w.last)
			s.w.failed(err)
		})
	})
}

func (s *setup) clear() {
	var d *widget.PopUp
	d = ask(s.win, "Clear the credential", look.NewText("Sessions cannot ask Claude until one is set again."), "Clear", func() {
		d.Hide()
		s.w.background(func(ctx context.Context) {
			err := s.w.o.Backend.Setup.ClearCredential(ctx)
			s.w.post(func() { s.w.failed(err) })
		})
	})
}

// The two kinds of credential, as they are named and as the backend calls them.
var kinds = map[string]string{"Subscription token": "token", "API key": "key"}

// credential asks for the secret. It is never shown again, and what was typed
// is forgotten as soon as it was handed over.
func (s *setup) credential() {
	kind := widget.NewRadioGroup([]string{"Subscription token", "API key"}, nil)
	kind.Horizontal, kind.Required = true, true
	kind.SetSelected("Subscription token")
	entry := widget.NewPasswordEntry()
	entry.SetPlaceHolder("sk-ant-oat01-…")
	hint := look.NewSecond("")
	guide := func(k string) {
		if k == "API key" {
			entry.SetPlaceHolder("sk-ant-api03-…")
			hint.Set("From the API console. Requests are billed to its organisation.")
			return
		}
		entry.SetPlaceHolder("sk-ant-oat01-…")
		hint.Set("Printed by the command claude setup-token.")
	}
	kind.OnChanged = guide
	guide(kind.Selected)
	wrong := look.NewSecond("").Colored(look.ColorFailed)
	body := look.Column(look.Gap, kind, container.NewGridWrap(fyne.NewSize(420, look.RowHeight), entry), hint,
		look.NewSecond("It is kept in the keychain, added to requests outside the VM, and not shown again."), wrong)
	var d *widget.PopUp
	set := look.NewPrimary("Set", nil)
	submit := func() {
		secret := strings.TrimSpace(entry.Text)
		if secret == "" {
			return
		}
		set.Disable()
		s.w.background(func(ctx context.Context) {
			err := s.w.o.Backend.Setup.SetCredential(ctx, kinds[kind.Selected], secret)
			s.w.post(func() {
				set.Enable()
				if err != nil {
					wrong.Set(strings.Join(look.Reasons(look.Problem(err)), " "))
					return
				}
				entry.SetText("")
				d.Hide()
			})
		})
	}
	set.OnTapped = submit
	entry.OnSubmitted = func(string) { submit() }
	d = sheet(s.win, "Set the credential", body, look.NewButton("Cancel", func() { entry.SetText(""); d.Hide() }), set)
	s.win.Canvas().Focus(entry)
}
