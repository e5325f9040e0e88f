package session

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"fyne.io/fyne/v2"

	"bottlebar.app/assets"
	"bottlebar.app/assets/look"
	"bottlebar.app/snapshot"
	"bottlebar.app/terminal"
)

// Main is the name of the session that a bottle was launched for. Further
// shells are "shell-1", "shell-2" and so on.
const Main = "main"

// Backend is where the bytes come from and go to. Its methods are called on
// goroutines of this package, never on the toolkit's.
type Backend interface {
	// Attach joins a session of the bottle with that ID, and starts it when
	// it does not run. A Conn may also be an [Exiter]; it may be closed twice.
	Attach(ctx context.Context, bottle, session string, cols, rows int) (terminal.Conn, error)
	// CopyIn copies files and folders into the session's folder and returns
	// where each lies in the VM. One that cannot be copied does not keep the
	// others: the error may be several joined ones beside paths. progress is
	// told bytes, as often as the backend likes; total is 0 until it is known.
	CopyIn(ctx context.Context, bottle string, paths []string, progress func(done, total int64)) ([]string, error)
}

// Exiter is a Conn that knows how its program ended, once Read gave io.EOF.
type Exiter interface{ ExitCode() (code int, known bool) }

// Opener opens other windows, and stops bottles. Its methods are called on the
// toolkit's goroutine and return at once.
type Opener interface {
	Stop(bottle string) // also cancels a launch
	ShowProblem(bottle string)
	ShowBottles(bottle string)
	ShowLibrary(artifact string)
	ShowActivity(bottle string)
	ShowProof(bottle string)
}

// Options are what Windows needs. All fields are required down to Now.
type Options struct {
	App     fyne.App
	Backend Backend
	Opener  Opener
	Post    func(func()) // runs a function on the toolkit's goroutine: fyne.Do
	Now     func() time.Time
	Mac     bool   // Command is the key of shortcuts
	Version string // told to programs that ask for the terminal's version
	// OptionIsMeta says for each new window whether Option on a Mac is Meta
	// and types no accents; nil is no.
	OptionIsMeta func() bool
	// FontCache is where the index of the system's fonts is kept; empty is
	// the user's cache folder.
	FontCache string
}

// Windows holds the session windows of all bottles. Its methods belong to the
// toolkit's goroutine.
type Windows struct {
	o      Options
	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup
	open   map[key]*window
	fonts  *terminal.Fonts // shared by all windows
	last   snapshot.Snapshot
	// awaited are the bottles whose windows open as soon as they are known.
	awaited []string
}

type key struct{ bottle, session string }

// window is one session window.
type window struct {
	fyne.Window
	view  *view
	shown bool
}

// New returns Windows without any window.
func New(o Options) *Windows {
	ctx, cancel := context.WithCancel(context.Background())
	w := &Windows{o: o, ctx: ctx, cancel: cancel, open: map[key]*window{}, fonts: terminal.NewFonts(o.FontCache)}
	o.App.Settings().AddListener(func(fyne.Settings) { w.retheme() })
	return w
}

// Open shows the session window of the bottle with that ID: the steps of its
// launch, then its session. For a bottle that no snapshot has shown yet the
// window comes with the first one that does.
func (w *Windows) Open(bottle string) {
	if _, known := find(w.last.Bottles, bottle); !known && w.open[key{bottle, Main}] == nil {
		w.awaited = append(w.awaited, bottle)
		return
	}
	w.show(key{bottle, Main})
}

// Shell shows a further window with a shell in the bottle: one that was closed
// while its shell went on, else a new one.
func (w *Windows) Shell(bottle string) {
	for n := 1; ; n++ {
		k := key{bottle, fmt.Sprintf("shell-%d", n)}
		if win, taken := w.open[k]; !taken || !win.shown {
			w.show(k)
			return
		}
	}
}

// Update tells all windows what is known now. Windows of bottles that are gone
// are closed if nobody looks at them or there never was a session to see, as
// after a cancelled launch; else they say so.
func (w *Windows) Update(s snapshot.Snapshot) {
	w.last = s
	awaited := w.awaited
	w.awaited = nil
	for _, id := range awaited {
		w.Open(id)
	}
	for k, win := range w.open {
		b, ok := find(s.Bottles, k.bottle)
		switch {
		case ok:
			win.view.update(b)
			win.SetTitle(title(b, k.session))
		case !win.shown, !win.view.joined:
			w.drop(k)
		default:
			win.view.gone()
		}
	}
}

// Shown reports whether the main window of a bottle is on the screen.
func (w *Windows) Shown(bottle string) bool {
	win, ok := w.open[key{bottle, Main}]
	return ok && win.shown
}

// Watched reports whether the keyboard is in one of the bottle's windows.
func (w *Windows) Watched(bottle string) bool {
	for k, win := range w.open {
		if k.bottle == bottle && win.shown && win.view.term.Focused() {
			return true
		}
	}
	return false
}

// Close ends all background work and waits for it. Call it after the toolkit
// has stopped, or before it does.
func (w *Windows) Close() {
	w.cancel()
	for k := range w.open {
		w.open[k].view.close()
	}
	w.work.Wait()
}

// retheme follows the system's change between light and dark.
func (w *Windows) retheme() {
	for _, win := range w.open {
		win.view.retheme()
	}
}

func (w *Windows) show(k key) {
	win, ok := w.open[k]
	if !ok {
		b, known := find(w.last.Bottles, k.bottle)
		if !known {
			return
		}
		win = w.make(k, b)
		w.open[k] = win
	}
	win.shown = true
	win.view.term.SetSuspended(false)
	win.Show()
	win.RequestFocus() // Show alone leaves a menu-bar app's window behind others
	win.view.appeared()
}

func (w *Windows) make(k key, b snapshot.Bottle) *window {
	win := &window{Window: w.o.App.NewWindow(title(b, k.session))}
	win.view = newView(w, k, win.Window)
	win.SetIcon(assets.AppIcon())
	win.SetOnClosed(w.cancel) // the toolkit quits: nothing may come back from here on
	win.SetPadded(false)
	win.SetContent(win.view.root)
	win.Resize(fyne.NewSize(880, 560))
	win.SetOnDropped(win.view.dropped)
	win.SetCloseIntercept(func() { w.hide(k) })
	win.view.update(b)
	return win
}

// hide takes a window from the screen; its session goes on. A window whose
// session has ended has nothing to come back to.
func (w *Windows) hide(k key) {
	win, ok := w.open[k]
	if !ok {
		return
	}
	if win.view.over() {
		w.drop(k)
		return
	}
	win.shown = false
	win.view.term.SetSuspended(true) // output is taken in, but not painted
	win.Hide()
}

// drop closes a window for good.
func (w *Windows) drop(k key) {
	win := w.open[k]
	delete(w.open, k)
	win.view.close()
	win.SetCloseIntercept(nil)
	win.SetOnClosed(nil)
	win.Window.Close()
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

// title is the window's title. A shell says that it is one.
func title(b snapshot.Bottle, session string) string {
	name := look.Clean(b.Name, 48)
	if n, ok := strings.CutPrefix(session, "shell-"); ok && n != "1" {
		name += " (shell " + n + ")"
	} else if session != Main {
		name += " (shell)"
	}
	return name + " — Bottlebar"
}

func find(all []snapshot.Bottle, id string) (snapshot.Bottle, bool) {
	i := slices.IndexFunc(all, func(b snapshot.Bottle) bool { return b.ID == id })
	if i < 0 {
		return snapshot.Bottle{}, false
	}
	return all[i], true
}

// link opens an address in the person's browser.
func (w *Windows) link(u *url.URL) {
	w.background(func(context.Context) { _ = w.o.App.OpenURL(u) })
}
