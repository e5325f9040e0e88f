package window

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/storage"
	"fyne.io/fyne/v2/widget"

	"bottlebar.app/assets"
	"bottlebar.app/assets/look"
)

// job is the lower part of a window that asks for something and then does it:
// the button, how far it is, and what went wrong.
type job struct {
	w      *Windows
	win    fyne.Window
	root   *fyne.Container
	bars   *fyne.Container
	start  *look.Button
	cancel context.CancelFunc
}

// newJob returns the lower part of a window; begin is what its button does.
func newJob(w *Windows, win fyne.Window, verb string, begin func()) *job {
	j := &job{w: w, win: win, bars: look.Column(0)}
	j.start = look.NewPrimary(verb, begin)
	j.root = look.Column(0, j.bars, look.NewLine(), look.Pad(look.Sides(look.NewSpace(0, 0), j.start), look.Gap, look.Edge))
	return j
}

// run does the work in the background. done is told on the toolkit's
// goroutine, with an error only if the person did not cancel.
func (j *job) run(title string, work func(ctx context.Context, progress func(done, total int64)) error, done func(err error)) {
	ctx, cancel := context.WithCancel(j.w.ctx)
	j.cancel = cancel
	b := newTransferBar(title, cancel)
	j.say(look.Column(0, look.NewLine(), b.root))
	j.start.Disable()
	report := paced(j.w.o.Now, j.w.post, b.set)
	j.w.background(func(context.Context) {
		defer cancel()
		err := work(ctx, report)
		stopped := ctx.Err() != nil && errors.Is(err, context.Canceled)
		j.w.post(func() {
			j.start.Enable()
			j.say(nil)
			if stopped {
				return
			}
			done(err)
		})
	})
}

// say puts something above the button, or takes it away.
func (j *job) say(o fyne.CanvasObject) {
	j.bars.RemoveAll()
	if o != nil {
		j.bars.Add(o)
	}
	j.win.Content().Refresh()
}

// trouble shows what went wrong above the button.
func (j *job) trouble(err error) {
	column := look.Column(0)
	for _, p := range look.Problems(err) {
		var choices []look.Choice
		if p.Detail != "" {
			choices = []look.Choice{{Label: "Details", Do: func() { j.w.showProblem(p) }}}
		}
		column.Add(look.NewLine())
		column.Add(look.NewBar(look.Trouble(p, choices...)))
		if len(column.Objects) >= 6 {
			break
		}
	}
	j.say(column)
}

// stop ends what runs when the window goes.
func (j *job) stop() {
	if j.cancel != nil {
		j.cancel()
	}
}

// good says that something is done.
func good(text, second string) fyne.CanvasObject {
	m := look.Message{Shape: assets.ShapeDone, Color: look.ColorGood, Title: text}
	if second != "" {
		m.Lines = []string{second}
	}
	return look.Column(0, look.NewLine(), look.NewBar(m))
}

// field is a labelled line of a form.
func field(label string, o fyne.CanvasObject, hint string) fyne.CanvasObject {
	c := look.Column(look.Step, look.NewText(label), o)
	if hint != "" {
		c.Add(look.NewSecond(hint).Cutting(look.CutEnd))
	}
	return c
}

// withButton is a field that takes the room beside a button.
func withButton(o fyne.CanvasObject, label string, tapped func()) fyne.CanvasObject {
	return container.NewBorder(nil, nil, nil, look.Row(0, look.NewSpace(look.Step, 0), look.NewButton(label, tapped)), o)
}

// chooseFolder asks for a folder.
func chooseFolder(win fyne.Window, title string, chosen func(path string)) {
	d := dialog.NewFolderOpen(func(u fyne.ListableURI, err error) {
		if u != nil && err == nil {
			chosen(u.Path())
		}
	}, win)
	choose(d, win, title, "Choose")
}

// chooseFile asks for a file; a nil filter lets all through.
func chooseFile(win fyne.Window, title, verb string, filter storage.FileFilter, chosen func(path string)) {
	d := dialog.NewFileOpen(func(r fyne.URIReadCloser, err error) {
		if r == nil || err != nil {
			return // closed without a choice
		}
		_ = r.Close() // the path is all that is wanted
		chosen(r.URI().Path())
	}, win)
	if filter != nil {
		d.SetFilter(filter)
	}
	choose(d, win, title, verb)
}

// choose shows the toolkit's file dialog as large as its window. It has no
// size before it is shown.
func choose(d *dialog.FileDialog, win fyne.Window, title, verb string) {
	d.SetTitleText(title)
	d.SetConfirmText(verb)
	d.Show()
	d.Resize(win.Canvas().Size())
}

// footed puts one thing under another that takes the rest.
type footed struct{}

func (footed) MinSize(o []fyne.CanvasObject) fyne.Size { return stacked{}.MinSize(o) }

func (footed) Layout(o []fyne.CanvasObject, s fyne.Size) {
	h := o[1].MinSize().Height
	o[0].Resize(fyne.NewSize(s.Width, s.Height-h))
	o[0].Move(fyne.NewPos(0, 0))
	o[1].Resize(fyne.NewSize(s.Width, h))
	o[1].Move(fyne.NewPos(0, s.Height-h))
}

// ShowLaunchOn opens the window that launches an artifact on a folder.
func (w *Windows) ShowLaunchOn(artifact string) {
	a, ok := w.artifact(artifact)
	if !ok {
		return
	}
	title := "Launch " + look.Clean(a.Name, 40) + " on a folder"
	w.present("launch "+artifact, title, func(win fyne.Window) content {
		path := widget.NewEntry()
		path.SetPlaceHolder("/path/of/a/project")
		var j *job
		begin := func() {
			folder := strings.TrimSpace(path.Text)
			j.run("Launching", func(context.Context, func(done, total int64)) error {
				return isFolder(folder)
			}, func(err error) {
				if err != nil {
					j.trouble(err)
					return
				}
				w.Launch(artifact, folder)
				w.dismiss("launch " + artifact)
			})
		}
		j = newJob(w, win, "Launch", begin)
		path.OnSubmitted = func(string) { begin() }
		form := field("Folder", withButton(path, "Choose…", func() { chooseFolder(win, "Choose a folder", path.SetText) }),
			"It is copied into the VM, and the session starts in the copy. Or drop a folder on this window.")
		root := container.New(footed{}, look.Pad(container.NewVBox(form), look.Edge, look.Edge), j.root)
		return content{root: root, size: fyne.NewSize(560, 400), closed: j.stop, dropped: func(p []string) {
			if len(p) > 0 {
				path.SetText(p[0])
			}
		}}
	})
}

// isFolder reports, as an error, why a path is no folder that can be read.
func isFolder(path string) error {
	st, err := os.Stat(path)
	switch {
	case err != nil:
		return folderError(path, "it is not there or cannot be read", err)
	case !st.IsDir():
		return folderError(path, "it is not a folder", nil)
	}
	d, err := os.Open(path)
	if err != nil {
		return folderError(path, "it cannot be read", err)
	}
	return d.Close()
}

// ShowCopyIn opens the window that copies files into a bottle.
func (w *Windows) ShowCopyIn(bottle string) { w.showCopy(bottle, true) }

// ShowCopyOut opens the window that copies files out of a bottle.
func (w *Windows) ShowCopyOut(bottle string) { w.showCopy(bottle, false) }

// base is the name at the end of a path, cleaned.
func base(path string) string { return look.Clean(filepath.Base(path), 60) }
