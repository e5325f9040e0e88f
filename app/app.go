package app

import (
	"context"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"bottlebar.app/bottle"
	"bottlebar.app/cache"
	"bottlebar.app/control"
	"bottlebar.app/credential"
	"bottlebar.app/internal/fault"
	"bottlebar.app/sidecar"
	"bottlebar.app/smolvm"
)

// Options are what an App takes from the process it runs in.
type Options struct {
	Version  string
	Screen   bool     // windows and a menu can be shown
	Sidecar  []string // program and arguments that run the sidecar as a child process
	Binaries fs.FS    // the Linux programs: sidecar-<arch>.gz and helper-<arch>.gz
	Getenv   func(string) string
	Unsetenv func(string) error
	Log      *slog.Logger
}

// App owns the bottles of one user.
type App struct {
	o        Options
	paths    Paths
	log      *slog.Logger
	library  *cache.Library
	rack     *bottle.Rack
	finder   smolvm.Finder
	creds    credential.Store
	logins   *credential.Logins
	own      own
	upstream *bottle.Upstream
	helpers  helpers
	policy   *policies
	lock     *lock
	bus      *bus

	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup
	left   chan struct{} // closed when another process asks for the bottles
	leave  sync.Once
	show   chan struct{}
	beat   chan time.Time // renews the sidecars' leases
	making sync.Mutex     // held while something is built on the engine
	swept  chan struct{}  // closed once what an earlier owner built is cleared
	known  recipes

	server atomic.Pointer[control.Server]

	mu     sync.Mutex
	fleet  *sidecar.Fleet
	choice sidecar.Choice
	state  shown
}

// Open takes the lock, opens everything and settles what an earlier owner left.
// ErrOwned when another process owns the bottles.
func Open(ctx context.Context, o Options) (*App, error) {
	paths, err := FindPaths(o.Getenv("BOTTLEBAR_HOME"))
	if err != nil {
		return nil, err
	}
	if err := paths.make(); err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	l, err := takeLock(filepath.Join(paths.State, lockName))
	if err != nil {
		return nil, err
	}
	a := &App{o: o, paths: paths, log: o.Log, lock: l, left: make(chan struct{}), swept: make(chan struct{}), show: make(chan struct{}, 1)}
	a.ctx, a.cancel = context.WithCancel(context.Background())
	if err := a.open(ctx); err != nil {
		a.cancel()
		if a.policy != nil {
			a.policy.close()
		}
		l.release()
		return nil, err
	}
	return a, nil
}

func (a *App) open(ctx context.Context) error {
	if _, err := readSettings(a.paths.Settings); err != nil {
		return err
	}
	library, err := cache.Open(filepath.Join(a.paths.Cache, libraryName))
	if err != nil {
		return err
	}
	a.library = library
	given, ok, err := credential.FromEnv(a.o.Getenv, a.o.Unsetenv)
	if err != nil {
		return fault.Wrap(err, "reading the credential from the environment", "")
	}
	if a.creds = credential.System(); ok {
		a.creds = given
	}
	if a.logins, ok, err = credential.LoginFromEnv(a.o.Getenv, a.o.Unsetenv); err != nil {
		return fault.Wrap(err, "reading the proxy's login from the environment", "")
	} else if !ok {
		a.logins = credential.SystemLogins()
	}
	a.helpers = helpers{dir: filepath.Join(a.paths.Cache, "helper"), from: a.o.Binaries}
	if a.upstream, err = testUpstream(a.o.Getenv, given != nil); err != nil {
		return err
	}
	a.bus = newBus(a.snapshot)
	if a.policy, err = openPolicies(a); err != nil {
		return err
	}
	a.rack, err = bottle.Open(bottle.Config{
		Paths: a.paths.bottles(), Library: a.library, Install: a.install, Fleet: a.sidecars,
		Policies: a.policy, Muted: a.policy.muted, Credential: a.credential, Helper: a.helpers.path, Pipe: a.pipe, Permission: a.permission,
		Caps: a.caps, Decoys: a.decoys,
		Identity: hostIdentity(ctx, a.o.Getenv), Upstream: a.upstream, Way: a.way, Env: standinEnv(a.o.Getenv),
		Changed: a.bus.changed, Log: a.log,
	})
	if err != nil {
		return err
	}
	a.work.Go(func() { a.bus.run(a.ctx) })
	bottles := make(chan time.Time)
	a.beat = make(chan time.Time)
	a.work.Go(func() { a.tick(bottles) })
	rep := a.rack.Reconcile(ctx, bottles)
	a.policy.start()
	for _, e := range rep.Errors {
		a.log.Error("reconcile", "error", e)
	}
	if n := len(rep.Adopted) + len(rep.Kept) + len(rep.Cleared); n > 0 {
		a.log.Info("reconciled", "adopted", rep.Adopted, "kept", rep.Kept, "cleared", rep.Cleared)
	}
	a.mu.Lock()
	a.state.recovered = rep
	a.mu.Unlock()
	if changes, err := a.library.Watch(a.ctx); err == nil {
		a.work.Go(func() {
			for range changes {
				a.bus.changed()
			}
		})
	}
	a.work.Go(func() {
		_, _ = a.Doctor(a.ctx)
		a.warm()
	})
	old := a.oldPacks()
	a.work.Go(func() { a.sweepPacks(old) })
	return nil
}

// beatEvery paces what looks after running bottles and renews the sidecars'
// leases, which last a minute.
const beatEvery = 10 * time.Second

// tick is the one timer at rest; whoever is busy misses a beat.
func (a *App) tick(bottles chan<- time.Time) {
	t := time.NewTicker(beatEvery)
	defer t.Stop()
	for {
		select {
		case <-a.ctx.Done():
			return
		case now := <-t.C:
			a.policy.beat()
			for _, c := range []chan<- time.Time{bottles, a.beat} {
				select {
				case c <- now:
				default:
				}
			}
		}
	}
}

// warm keeps a sidecar waiting, so that a launch need not.
func (a *App) warm() {
	if f, err := a.sidecars(a.ctx); err == nil {
		f.Warm()
	}
}

// Close lets go of the bottles, which go on running, and removes the one warm
// sidecar.
func (a *App) Close() {
	a.policy.close()
	a.rack.Close()
	a.cancel()
	a.mu.Lock()
	f := a.fleet
	a.mu.Unlock()
	if f != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := f.Close(ctx); err != nil {
			a.log.Error("closing the sidecars", "error", err)
		}
	}
	a.work.Wait()
	a.lock.release()
}

// Left is closed when another process asked for the bottles: the caller ends.
func (a *App) Left() <-chan struct{} { return a.left }

// Shown receives when another start of the app asks for the screen.
func (a *App) Shown() <-chan struct{} { return a.show }

// Socket is where the control server listens.
func (a *App) Socket() string { return a.paths.Socket }

// FontCache is where the session windows keep the index of the system's fonts.
func (a *App) FontCache() string { return filepath.Join(a.paths.Cache, fontsName) }

// Identity implements control.Core.
func (a *App) Identity() control.Identity {
	return control.Identity{PID: os.Getpid(), Version: a.o.Version, Screen: a.o.Screen}
}

// HandOver implements control.Core.
func (a *App) HandOver(context.Context) error {
	if a.o.Screen {
		return fault.New("taking over the bottles", "Bottlebar runs with its menu", "quit it from the menu first")
	}
	a.leave.Do(func() { close(a.left) })
	return nil
}

// Show implements control.Core.
func (a *App) Show(context.Context) error {
	if !a.o.Screen {
		return fault.New("showing Bottlebar", "it runs without a screen", "start bottlebar on a screen; it takes the bottles over")
	}
	select {
	case a.show <- struct{}{}:
	default:
	}
	return nil
}

// settings reads the file anew: it is small, and changes apply to the next
// launch. A damaged file is an error where it matters and was told at start.
func (a *App) settings() (Settings, error) { return readSettings(a.paths.Settings) }
