package window

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/storage"
	"fyne.io/fyne/v2/widget"

	"bottlebar.app/assets"
	"bottlebar.app/assets/look"
	"bottlebar.app/snapshot"
)

// suffix is what the names of artifact files end with.
const suffix = ".smolmachine"

// library is the Library window.
type library struct {
	w   *Windows
	win fyne.Window

	all      []snapshot.Artifact
	rows     []snapshot.Artifact // what passes the search
	selected string              // ID
	added    string              // ID to select once a snapshot shows it

	search *widget.Entry
	list   *widget.List
	body   *fyne.Container // the list, or what is said when it is empty
	bars   *fyne.Container // files on their way in, and what went wrong
}

// ShowLibrary opens the Library window with that artifact selected; "" selects none.
func (w *Windows) ShowLibrary(artifact string) {
	f := w.present("library", "Library — Bottlebar", func(win fyne.Window) content {
		l := newLibrary(w, win)
		return content{view: l, root: l.root(), update: l.update, dropped: l.dropped, size: fyne.NewSize(760, 480), lasting: true}
	})
	if artifact != "" {
		f.view.(*library).selectID(artifact)
	}
}

// ShowAdd opens the Library window and asks for a file.
func (w *Windows) ShowAdd() {
	w.ShowLibrary("")
	w.open["library"].view.(*library).choose()
}

func newLibrary(w *Windows, win fyne.Window) *library {
	l := &library{w: w, win: win, bars: look.Column(0), body: container.NewStack()}
	l.search = widget.NewEntry()
	l.search.SetPlaceHolder("Search")
	l.search.OnChanged = func(string) { l.filter() }
	l.list = widget.NewList(func() int { return len(l.rows) },
		func() fyne.CanvasObject { return newArtifactRow(l) },
		func(i widget.ListItemID, o fyne.CanvasObject) {
			if i < len(l.rows) {
				o.(*artifactRow).show(l.rows[i], l.rows[i].ID == l.selected)
			}
		})
	l.list.HideSeparators = true
	l.list.OnSelected = func(i widget.ListItemID) {
		if i < len(l.rows) {
			l.selected = l.rows[i].ID
			l.list.Refresh()
		}
	}
	return l
}

func (l *library) root() fyne.CanvasObject {
	tools := look.Sides(
		look.Row(look.Gap, look.NewButton("Add…", l.choose), look.NewButton("Pack from Image…", l.w.ShowPack), look.NewButton("Make…", func() { l.w.ShowMake("") })),
		container.NewGridWrap(fyne.NewSize(200, look.RowHeight), l.search))
	top := look.Column(0, look.Pad(tools, look.Gap, look.Edge), look.NewLine(), l.bars)
	return container.New(stacked{}, top, l.body)
}

// stacked puts one thing above another that takes the rest, without a gap.
type stacked struct{}

func (stacked) MinSize(o []fyne.CanvasObject) fyne.Size {
	a, b := o[0].MinSize(), o[1].MinSize()
	return fyne.NewSize(max(a.Width, b.Width), a.Height+b.Height)
}

func (stacked) Layout(o []fyne.CanvasObject, s fyne.Size) {
	h := o[0].MinSize().Height
	o[0].Resize(fyne.NewSize(s.Width, h))
	o[0].Move(fyne.NewPos(0, 0))
	o[1].Resize(fyne.NewSize(s.Width, s.Height-h))
	o[1].Move(fyne.NewPos(0, h))
}

func (l *library) update(s snapshot.Snapshot) {
	l.all = s.Library
	if l.added != "" {
		for _, a := range l.all {
			if a.ID == l.added {
				l.selected, l.added = a.ID, ""
			}
		}
	}
	l.filter()
}

// filter applies the search and shows the rows that pass.
func (l *library) filter() {
	l.rows = matching(l.all, l.search.Text)
	l.body.RemoveAll()
	switch {
	case len(l.all) == 0:
		l.body.Add(l.empty())
	case len(l.rows) == 0:
		l.body.Add(container.NewCenter(look.NewText("No artifact has that in its name or image").Colored(look.ColorQuiet)))
	default:
		l.body.Add(container.New(stacked{}, artifactHeader(), look.Pad(l.list, look.Step, look.Gap)))
		l.mark()
	}
	l.body.Refresh()
}

// mark keeps the list's selection on the same artifact when rows move.
func (l *library) mark() {
	l.list.Refresh()
	for i, a := range l.rows {
		if a.ID == l.selected {
			l.list.Select(i)
			return
		}
	}
	l.list.UnselectAll()
}

func (l *library) selectID(id string) {
	l.selected = id
	l.search.SetText("")
	l.filter()
}

// matching are the artifacts with text in the name or the image.
func matching(all []snapshot.Artifact, text string) []snapshot.Artifact {
	text = strings.ToLower(strings.TrimSpace(text))
	if text == "" {
		return all
	}
	var out []snapshot.Artifact
	for _, a := range all {
		if strings.Contains(strings.ToLower(a.Name), text) || strings.Contains(strings.ToLower(a.Image), text) {
			out = append(out, a)
		}
	}
	return out
}

// empty is what the window shows before there is an artifact.
func (l *library) empty() fyne.CanvasObject {
	mark := bigMark()
	title := look.NewTitle("No artifacts yet")
	title.Align = fyne.TextAlignCenter
	what := look.NewText("An artifact is a packed machine with Claude Code in it: a file that ends in " + suffix + ".").Colored(look.ColorQuiet)
	what.Align = fyne.TextAlignCenter
	drop := look.NewSecond("Or drop one anywhere on this window.")
	drop.Align = fyne.TextAlignCenter
	buttons := look.Row(look.Gap, look.NewPrimary("Make a Claude Artifact…", func() { l.w.ShowMake("") }),
		look.NewButton("Add a file…", l.choose), look.NewButton("Pack from Image…", l.w.ShowPack))
	return container.NewCenter(look.Column(look.Gap, container.NewCenter(mark), title, what, look.NewSpace(0, look.Gap), container.NewCenter(buttons), drop))
}

// choose asks for a file.
func (l *library) choose() {
	chooseFile(l.win, "Add an artifact", "Add", storage.NewExtensionFileFilter([]string{suffix}), l.add)
}

// dropped takes files that were dropped on the window.
func (l *library) dropped(paths []string) {
	for _, p := range paths {
		l.add(p)
	}
}

// add takes one file into the library, with a bar that tells how far it is.
func (l *library) add(path string) {
	ctx, cancel := context.WithCancel(l.w.ctx)
	name := filepath.Base(path)
	b := newTransferBar("Adding "+look.Clean(name, 48), cancel)
	l.pushBar(b.root)
	post := l.w.post
	report := paced(l.w.o.Now, post, func(done, total int64) { b.set(done, total) })
	l.w.background(func(context.Context) {
		defer cancel()
		a, err := l.w.o.Backend.Library.Add(ctx, path, report)
		post(func() {
			l.dropBar(b.root)
			switch {
			case err == nil:
				l.selected, l.added = a.ID, a.ID
				l.update(l.w.last)
			case !errors.Is(err, context.Canceled):
				l.complain(err)
			}
		})
	})
}

// complain shows an error at the top of the window until it is dismissed.
func (l *library) complain(err error) {
	if err == nil || errors.Is(err, context.Canceled) {
		return
	}
	p := look.Problem(err)
	var root *fyne.Container
	choices := []look.Choice{}
	if p.Detail != "" {
		choices = append(choices, look.Choice{Label: "Details", Do: func() { l.w.showProblem(p) }})
	}
	choices = append(choices, look.Choice{Label: "Dismiss", Do: func() { l.dropBar(root) }})
	root = look.Column(0, look.NewBar(look.Trouble(p, choices...)), look.NewLine())
	l.pushBar(root)
}

func (l *library) pushBar(o fyne.CanvasObject) {
	l.bars.Add(o)
	l.win.Content().Refresh()
}

func (l *library) dropBar(o fyne.CanvasObject) {
	l.bars.Remove(o)
	l.win.Content().Refresh()
}

// transferBar tells how far a file is.
type transferBar struct {
	root  *fyne.Container
	bar   *look.Progress
	label *look.Text
}

func newTransferBar(title string, cancel func()) *transferBar {
	b := &transferBar{bar: look.NewProgress(look.Step, false), label: look.NewSecond("")}
	text := look.Column(look.Step, look.Sides(look.NewText(title).Cutting(look.CutEnd), b.label), b.bar)
	row := look.Pad(look.Sides(text, look.NewButton("Cancel", cancel)), look.Gap, look.Edge)
	b.root = look.Column(0, container.NewStack(look.NewFill(look.ColorRaised), row), look.NewLine())
	return b
}

func (b *transferBar) set(done, total int64) {
	b.bar.Set(done, total)
	if total > 0 {
		b.label.Set(look.Size(done) + " of " + look.Size(total))
	}
	b.root.Refresh()
}

// paced hands progress to the toolkit's goroutine at most ten times a second,
// and never while an earlier report still waits there.
func paced(now func() time.Time, post func(func()), show func(done, total int64)) func(done, total int64) {
	gate := make(chan struct{}, 1)
	var last time.Time
	return func(done, total int64) {
		select {
		case gate <- struct{}{}:
		default:
			return
		}
		t := now()
		if t.Sub(last) < 100*time.Millisecond {
			<-gate
			return
		}
		last = t
		post(func() {
			show(done, total)
			<-gate
		})
	}
}

func (l *library) launch(a snapshot.Artifact) { l.w.Launch(a.ID, "") }

func (l *library) rename(a snapshot.Artifact) {
	entry := widget.NewEntry()
	entry.SetText(a.Name)
	var d *widget.PopUp
	do := func() {
		name := strings.TrimSpace(entry.Text)
		d.Hide()
		if name == "" || name == a.Name {
			return
		}
		l.w.background(func(ctx context.Context) {
			err := l.w.o.Backend.Library.Rename(ctx, a.ID, name)
			l.w.post(func() { l.complain(err) })
		})
	}
	entry.OnSubmitted = func(string) { do() }
	d = ask(l.win, "Rename "+look.Clean(a.Name, 40), container.NewGridWrap(fyne.NewSize(320, look.RowHeight), entry), "Rename", do)
	l.win.Canvas().Focus(entry)
}

func (l *library) remove(a snapshot.Artifact) {
	text := look.Column(look.Step,
		look.NewText("Its file of "+look.Size(a.Size)+" leaves the library."),
		look.NewSecond("Bottles that were launched from it go on."))
	var d *widget.PopUp
	d = ask(l.win, "Remove "+look.Clean(a.Name, 40), text, "Remove", func() {
		d.Hide()
		l.w.background(func(ctx context.Context) {
			err := l.w.o.Backend.Library.Remove(ctx, a.ID)
			l.w.post(func() { l.complain(err) })
		})
	})
}

// sheet opens something over a window: a title, a body, and buttons at the
// lower right.
func sheet(win fyne.Window, title string, body fyne.CanvasObject, buttons ...fyne.CanvasObject) *widget.PopUp {
	foot := look.Sides(look.NewSpace(0, 0), look.Row(look.Gap, buttons...))
	p := widget.NewModalPopUp(look.Pad(look.Column(look.Group, look.NewTitle(title), body, foot), look.Gap+look.Step, look.Gap+look.Step), win.Canvas())
	p.Show()
	return p
}

// ask opens a question over a window, with Cancel and one verb.
func ask(win fyne.Window, title string, body fyne.CanvasObject, verb string, do func()) *widget.PopUp {
	var p *widget.PopUp
	p = sheet(win, title, body, look.NewButton("Cancel", func() { p.Hide() }), look.NewPrimary(verb, do))
	return p
}

// bigMark is the bottle, large, for empty windows.
func bigMark() fyne.CanvasObject { return markOf(assets.Outline, 56) }
