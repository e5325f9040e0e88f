package screen

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/theme"

	"bottlebar.app/app"
	"bottlebar.app/assets/look"
	"bottlebar.app/control"
	"bottlebar.app/macos"
	"bottlebar.app/session"
	"bottlebar.app/snapshot"
	"bottlebar.app/tray"
	"bottlebar.app/window"
)

// Options are what Run needs besides the app.
type Options struct {
	Version string
	Log     *slog.Logger
}

// core is the app as this package uses it.
type core interface {
	Snapshot() snapshot.Snapshot
	Watch(ctx context.Context) <-chan snapshot.Snapshot
	Shown() <-chan struct{} // another start of the app asks to be shown
	Left() <-chan struct{}  // the bottles were handed to another owner

	AddArtifact(ctx context.Context, req control.AddRequest, progress func(control.Progress)) (snapshot.Artifact, error)
	RenameArtifact(ctx context.Context, name, to string) (snapshot.Artifact, error)
	RemoveArtifact(ctx context.Context, name string) error
	PackArtifact(ctx context.Context, req control.PackRequest, progress func(control.Progress)) (snapshot.Artifact, error)
	MakeArtifact(ctx context.Context, req control.MakeRequest, progress func(control.Progress)) (snapshot.Artifact, error)
	Images(ctx context.Context) ([]snapshot.Image, error)
	Recipes(ctx context.Context) ([]snapshot.Recipe, error)

	Begin(ctx context.Context, req control.LaunchRequest, began func(id string)) (snapshot.Bottle, error)
	Stop(ctx context.Context, bottle string) error
	Resume(ctx context.Context, bottle string, progress func(snapshot.Bottle)) (snapshot.Bottle, error)
	Prove(ctx context.Context, bottle string) (snapshot.Proof, error)
	Attach(ctx context.Context, bottle string, req control.AttachRequest, conn io.ReadWriter) error
	Copy(ctx context.Context, bottle string, req control.CopyRequest, progress func(snapshot.Transfer)) (control.CopyReply, error)
	Activity(ctx context.Context, bottle string) ([]snapshot.Decision, error)
	AllActivity(ctx context.Context) ([]snapshot.Decision, error)
	AnswerAsk(ctx context.Context, bottle string, a control.AskAnswer) error
	Policy(ctx context.Context, bottle string) (control.PolicyView, error)

	Doctor(ctx context.Context) ([]snapshot.Check, error)
	SetCredential(ctx context.Context, kind, secret string) (control.CredentialStatus, error)
	ClearCredential(ctx context.Context) error
	TestCredential(ctx context.Context) (control.CredentialTrial, error)
}

// screen holds what people see. Its fields belong to the toolkit's goroutine.
type screen struct {
	fyne     fyne.App
	app      core
	post     func(func()) // runs a function on the toolkit's goroutine
	log      *slog.Logger
	tray     *tray.Tray
	windows  *window.Windows
	sessions *session.Windows
	last     snapshot.Snapshot
	calls    calls
	quit     *quitting // nil while it is not shown
	notices  notices

	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup
}

// Run shows the app until the person quits or ctx ends. Everything it started
// has ended when it returns; the bottles go on.
func Run(ctx context.Context, f fyne.App, a *app.App, o Options) error {
	d, ok := f.(desktop.App)
	if !ok {
		return errors.New("this system has no menu bar that the toolkit knows")
	}
	s := &screen{fyne: f, app: a, post: fyne.Do, log: o.Log, notices: notices{}}
	s.ctx, s.cancel = context.WithCancel(ctx)
	f.Settings().SetTheme(look.Theme())
	s.windows = window.New(window.Options{App: f, Backend: s.backend(), Post: fyne.Do, Now: time.Now})
	s.sessions = session.New(session.Options{
		App: f, Backend: sessions{s}, Opener: s.windows, Post: fyne.Do, Now: time.Now, Mac: runtime.GOOS == "darwin", Version: o.Version,
		FontCache: a.FontCache(), OptionIsMeta: a.OptionIsMeta,
	})
	s.tray = tray.New(tray.Options{
		Host: tray.OnDesktop(d), Actions: s, Post: fyne.Do, Now: time.Now, Template: runtime.GOOS == "darwin",
		Light: func() bool { return lightPanel(look.Variant() == theme.VariantLight, os.Getenv("XDG_CURRENT_DESKTOP")) },
	}, a.Snapshot())
	f.Lifecycle().SetOnStarted(func() {
		if err := macos.HideDockIcon(); err != nil {
			s.log.Error("hiding the Dock icon", "error", err)
		}
		if err := macos.OnWake(a.Woke); err != nil {
			s.log.Error("asking to be told of a wake", "error", err)
		}
		s.work.Go(s.follow)
	})
	stop := context.AfterFunc(ctx, func() { fyne.Do(f.Quit) })
	f.Run()
	stop()
	// The toolkit may drop its own hook for the end, so all of it happens here.
	s.cancel()
	s.tray.Close()
	s.sessions.Close()
	s.windows.Close()
	s.work.Wait()
	return nil
}

// lightPanel guesses whether the desktop's panel is light: with light windows
// it mostly is, but for desktops whose panel is dark whatever the windows are.
func lightPanel(lightWindows bool, desktop string) bool {
	for _, dark := range []string{"GNOME", "Unity", "Cinnamon", "Pantheon"} {
		if strings.Contains(desktop, dark) {
			return false
		}
	}
	return lightWindows
}

// follow shows each snapshot, and refreshes the times in the menu while
// bottles run.
func (s *screen) follow() {
	updates := s.app.Watch(s.ctx)
	minute := time.NewTicker(time.Minute)
	defer minute.Stop()
	var last snapshot.Snapshot
	for {
		select {
		case snap, ok := <-updates:
			if !ok {
				return
			}
			last = snap
			s.tray.Update(snap)
			fyne.Do(func() { s.show(snap) })
		case <-minute.C:
			if len(last.Bottles) > 0 {
				s.tray.Update(last)
			}
		case <-s.app.Shown():
			fyne.Do(func() { s.windows.ShowBottles("") })
		case <-s.app.Left():
			fyne.Do(s.fyne.Quit)
		}
	}
}

// show runs on the toolkit's goroutine.
func (s *screen) show(snap snapshot.Snapshot) {
	s.last = snap
	s.notify(snap)
	s.windows.Update(snap)
	s.sessions.Update(snap)
	for _, n := range s.calls.of(snap.Bottles, s.sessions.Watched, time.Now()) {
		s.fyne.SendNotification(n)
	}
}

// Do implements tray.Actions.
func (s *screen) Do(a tray.Action) {
	if do, ok := s.verbs()[a.Verb]; ok {
		do(a.Target)
	}
}

// verbs is what each entry of the menu does to its target.
func (s *screen) verbs() map[tray.Verb]func(target string) {
	w := s.windows
	return map[tray.Verb]func(string){
		tray.Open: s.sessions.Open, tray.Shell: s.sessions.Shell,
		tray.CopyIn: w.ShowCopyIn, tray.CopyOut: w.ShowCopyOut, tray.Activity: w.ShowActivity, tray.Prove: w.ShowProof,
		tray.Stop: w.Stop, tray.Cancel: w.Stop, tray.Discard: w.Stop, tray.Resume: w.Resume, tray.ShowProblem: w.ShowProblem,
		tray.Launch: func(artifact string) { w.Launch(artifact, "") }, tray.LaunchOnFolder: w.ShowLaunchOn,
		tray.Make: func(string) { w.ShowMake("") }, tray.Pack: func(string) { w.ShowPack() }, tray.Add: func(string) { w.ShowAdd() },
		tray.Library: func(string) { w.ShowLibrary("") }, tray.Bottles: func(string) { w.ShowBottles("") },
		tray.Setup: func(string) { w.ShowSetup() }, tray.Quit: func(string) { s.askQuit() },
	}
}
