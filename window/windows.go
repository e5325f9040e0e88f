package window

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"fyne.io/fyne/v2"

	"bottlebar.app/assets"
	"bottlebar.app/assets/look"
	"bottlebar.app/snapshot"
)

// Library changes the library. Artifacts go by their ID.
type Library interface {
	// Add takes a file into the library. progress is told bytes.
	Add(ctx context.Context, path string, progress func(done, total int64)) (snapshot.Artifact, error)
	Rename(ctx context.Context, artifact, name string) error
	Remove(ctx context.Context, artifact string) error
	// Pack makes an artifact from an image, of a registry or of the local
	// container engine, and adds it. progress is told what smolvm prints, line
	// by line.
	Pack(ctx context.Context, image string, engine bool, name string, progress func(line string)) (snapshot.Artifact, error)
	// Make builds a recipe, packs it and adds it; an empty base is the recipe's.
	Make(ctx context.Context, recipe, base, name string, progress func(line string)) (snapshot.Artifact, error)
	// Images are those of the local engine, Recipes what Make can make.
	Images(ctx context.Context) ([]snapshot.Image, error)
	Recipes(ctx context.Context) ([]snapshot.Recipe, error)
}

// Bottles starts and ends bottles. Bottles go by their ID.
type Bottles interface {
	// Launch returns the new bottle's ID as soon as there is one; how its
	// launch goes on is told by snapshots. folder is copied in; "" is none.
	Launch(ctx context.Context, artifact, folder string) (bottle string, err error)
	// Stop ends a bottle in whatever state it is and removes all of it: also
	// a launch under way, a stopped bottle, a failed one.
	Stop(ctx context.Context, bottle string) error
	Resume(ctx context.Context, bottle string) error
	// Prove runs the escape test now.
	Prove(ctx context.Context, bottle string) (snapshot.Proof, error)
}

// Copier copies files into a bottle's session folder and out of it. Both give
// back where things lie now, and may give joined errors beside that.
type Copier interface {
	CopyIn(ctx context.Context, bottle string, paths []string, progress func(done, total int64)) ([]string, error)
	CopyOut(ctx context.Context, bottle string, paths []string, folder string, progress func(done, total int64)) ([]string, error)
}

// Setup looks at the computer again and keeps the credential.
type Setup interface {
	Recheck(ctx context.Context) error
	// SetCredential keeps a secret of a kind, "token" or "key".
	SetCredential(ctx context.Context, kind, secret string) error
	ClearCredential(ctx context.Context) error
	// TestCredential asks the API whether it takes the credential; what it found
	// is shown as the check's finding.
	TestCredential(ctx context.Context) error
}

// Activity tells what bottles reached, the newest last, and what they may reach. An empty ID is all of them.
type Activity interface {
	Decisions(ctx context.Context, bottle string) ([]snapshot.Decision, error)
	// Answer answers one row of what a bottle asks for: "once", "bottle",
	// "always", "never" or "no". ID and hash are those of the row that was drawn.
	Answer(ctx context.Context, bottle, id, hash, answer string) error
	// Policy is the effective policy of a bottle, or what every bottle gets.
	Policy(ctx context.Context, bottle string) ([]snapshot.PolicyRule, error)
}

// Sessions opens session windows. Its methods are called on the toolkit's
// goroutine and return at once; a bottle that no snapshot has shown yet may be
// named.
type Sessions interface {
	Open(bottle string)
}

// Backend is the world behind the windows. Its methods, but those of Sessions,
// are called on goroutines of this package. A context that the person
// cancelled ends them with an error that matches context.Canceled, which is
// not shown.
type Backend struct {
	Library  Library
	Bottles  Bottles
	Copier   Copier
	Setup    Setup
	Activity Activity
	Sessions Sessions
}

// Options are what Windows needs. All fields are required.
type Options struct {
	App     fyne.App
	Backend Backend
	Post    func(func()) // runs a function on the toolkit's goroutine: fyne.Do
	Now     func() time.Time
}

// Windows holds the windows. Its methods belong to the toolkit's goroutine.
type Windows struct {
	o      Options
	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup
	last   snapshot.Snapshot
	open   map[string]*frame
}

// frame is one open window and what it shows.
type frame struct {
	view any // the window's own type, for callers that do more than show it
	fyne.Window
	update func(snapshot.Snapshot)
	shown  bool
}

// close closes the window while the others go on.
func (f *frame) close() {
	f.SetOnClosed(nil)
	f.Window.Close()
}

// content is what a kind of window puts into its frame.
type content struct {
	view    any
	root    fyne.CanvasObject
	update  func(snapshot.Snapshot) // nil: nothing in it follows the snapshot
	dropped func([]string)          // files and folders dropped on it; nil: takes none
	closed  func()                  // when the window goes for good
	size    fyne.Size
	lasting bool // closing hides it
}

// New returns Windows with none open.
func New(o Options) *Windows {
	ctx, cancel := context.WithCancel(context.Background())
	return &Windows{o: o, ctx: ctx, cancel: cancel, open: map[string]*frame{}}
}

// Update shows what is known now in every open window.
func (w *Windows) Update(s snapshot.Snapshot) {
	w.last = s
	for _, f := range w.open {
		if f.update != nil && f.shown {
			f.update(s)
		}
	}
}

// Close ends all background work and waits for it. Call it once the toolkit
// has stopped.
func (w *Windows) Close() {
	w.cancel()
	w.work.Wait()
}

// present opens the window called key, or brings the open one to the front.
func (w *Windows) present(key, title string, make func(win fyne.Window) content) *frame {
	f, ok := w.open[key]
	if !ok {
		f = w.frame(key, title, make)
	}
	f.shown = true
	if f.update != nil {
		f.update(w.last)
	}
	f.Show()
	f.RequestFocus() // Show alone leaves a menu-bar app's window behind others
	return f
}

func (w *Windows) frame(key, title string, make func(win fyne.Window) content) *frame {
	f := &frame{Window: w.o.App.NewWindow(title)}
	c := make(f.Window)
	f.update, f.view = c.update, c.view
	f.SetIcon(assets.AppIcon())
	f.SetOnClosed(w.cancel) // the toolkit quits: nothing may come back from here on
	f.SetPadded(false)
	f.SetContent(c.root)
	f.Resize(c.size)
	if c.dropped != nil {
		f.SetOnDropped(func(_ fyne.Position, uris []fyne.URI) { c.dropped(files(uris)) })
	}
	f.SetCloseIntercept(func() {
		f.shown = false
		if c.lasting {
			f.Hide()
			return
		}
		delete(w.open, key)
		if c.closed != nil {
			c.closed()
		}
		f.close()
	})
	w.open[key] = f
	return f
}

// files are the paths of what was dropped; anything that is no file is left out.
func files(uris []fyne.URI) []string {
	var out []string
	for _, u := range uris {
		if u.Scheme() == "file" {
			out = append(out, u.Path())
		}
	}
	return out
}

// post runs f on the toolkit's goroutine, unless the windows are closing: once
// the toolkit has ended it would run f on the goroutine that asks.
func (w *Windows) post(f func()) {
	if w.ctx.Err() != nil {
		return
	}
	w.o.Post(func() {
		if w.ctx.Err() == nil {
			f()
		}
	})
}

// background runs f on a goroutine that Close waits for.
func (w *Windows) background(f func(ctx context.Context)) {
	w.work.Add(1)
	go func() {
		defer w.work.Done()
		f(w.ctx)
	}()
}

// Launch launches an artifact and opens its session window, which shows how
// the launch goes.
func (w *Windows) Launch(artifact, folder string) {
	w.background(func(ctx context.Context) {
		id, err := w.o.Backend.Bottles.Launch(ctx, artifact, folder)
		w.post(func() {
			if w.failed(err) {
				return
			}
			w.o.Backend.Sessions.Open(id)
		})
	})
}

// Stop stops a bottle, cancels its launch, or discards it.
func (w *Windows) Stop(bottle string) {
	w.background(func(ctx context.Context) {
		err := w.o.Backend.Bottles.Stop(ctx, bottle)
		w.post(func() { w.failed(err) })
	})
}

// Resume starts a stopped bottle again and opens its session window.
func (w *Windows) Resume(bottle string) {
	w.o.Backend.Sessions.Open(bottle)
	w.background(func(ctx context.Context) {
		err := w.o.Backend.Bottles.Resume(ctx, bottle)
		w.post(func() { w.failed(err) })
	})
}

// failed shows an error in a window of its own, and reports whether there was
// one. What the person cancelled is no error.
func (w *Windows) failed(err error) bool {
	if err == nil {
		return false
	}
	if !errors.Is(err, context.Canceled) && w.ctx.Err() == nil {
		w.showProblem(look.Problem(err))
	}
	return true
}

func (w *Windows) bottle(id string) (snapshot.Bottle, bool) {
	i := slices.IndexFunc(w.last.Bottles, func(b snapshot.Bottle) bool { return b.ID == id })
	if i < 0 {
		return snapshot.Bottle{}, false
	}
	return w.last.Bottles[i], true
}

func (w *Windows) artifact(id string) (snapshot.Artifact, bool) {
	i := slices.IndexFunc(w.last.Library, func(a snapshot.Artifact) bool { return a.ID == id })
	if i < 0 {
		return snapshot.Artifact{}, false
	}
	return w.last.Library[i], true
}
