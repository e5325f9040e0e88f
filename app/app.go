package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"bottlebar.app/bottle"
	"bottlebar.app/cache"
	"bottlebar.app/control"
	"bottlebar.app/credential"
	"bottlebar.app/egress"
	"bottlebar.app/hop"
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
	o       Options
	paths   Paths
	log     *slog.Logger
	library *cache.Library
	rack    *bottle.Rack
	finder  smolvm.Finder
	creds   credential.Store
	helpers helpers
	lock    *lock
	bus     *bus

	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup
	left   chan struct{} // closed when another process asks for the bottles
	leave  sync.Once
	show   chan struct{}
	beat   chan time.Time // renews the sidecars' leases

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
		return nil, fault.Wrap(err, "opening Bottlebar's folders", "look whether they can be written")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	l, err := takeLock(filepath.Join(paths.State, lockName))
	if err != nil {
		return nil, err
	}
	a := &App{o: o, paths: paths, log: o.Log, lock: l, left: make(chan struct{}), show: make(chan struct{}, 1)}
	a.ctx, a.cancel = context.WithCancel(context.Background())
	if err := a.open(ctx); err != nil {
		a.cancel()
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
	a.helpers = helpers{dir: filepath.Join(a.paths.Cache, "helper"), from: a.o.Binaries}
	upstream, err := testUpstream(a.o.Getenv, ok)
	if err != nil {
		return err
	}
	a.bus = newBus(a.snapshot)
	a.rack, err = bottle.Open(bottle.Config{
		Paths: a.paths.bottles(), Library: a.library, Install: a.install, Fleet: a.sidecars,
		Hosts: a.hosts, Credential: a.credential, Helper: a.helpers.path, Pipe: a.pipe, Permission: a.permission,
		Identity: hostIdentity(ctx, a.o.Getenv), Upstream: upstream, Env: standinEnv(a.o.Getenv),
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

// install finds smolvm for a launch.
func (a *App) install(ctx context.Context) (*smolvm.Install, error) {
	s, err := a.settings()
	if err != nil {
		return nil, err
	}
	command := a.o.Getenv("BOTTLEBAR_SMOLVM")
	if command == "" {
		command = s.Smolvm
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return nil, err
	}
	return a.finder.Find(ctx, smolvm.FindOptions{
		Command: command, Home: home, Path: a.o.Getenv("PATH"), GOOS: runtime.GOOS, GOARCH: runtime.GOARCH,
		AgentRoot: a.o.Getenv("SMOLVM_AGENT_ROOTFS"), DataHome: a.o.Getenv("XDG_DATA_HOME"), Env: standinEnv(a.o.Getenv),
	})
}

// standinEnv passes on what the stand-in command is told by its environment;
// the real one does not know these names.
func standinEnv(getenv func(string) string) []string {
	var env []string
	for _, k := range []string{"STANDIN_VERSION", "STANDIN_FAULT", "STANDIN_IMAGES"} {
		if v := getenv(k); v != "" {
			env = append(env, k+"="+v)
		}
	}
	return env
}

// sidecars returns the fleet, on the engine that is there now or as a child
// process. It is made once; until that succeeds each call tries again.
func (a *App) sidecars(ctx context.Context) (*sidecar.Fleet, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.fleet != nil {
		return a.fleet, nil
	}
	choice, err := a.choose(ctx)
	if err != nil {
		return nil, err
	}
	s, err := a.settings()
	if err != nil {
		return nil, err
	}
	var d sidecar.Driver
	if choice.Kind == sidecar.KindDocker {
		d, err = sidecar.NewDocker(choice.Engine, sidecar.DockerOptions{App: Instance(a.paths.State), Binaries: a.o.Binaries, Subnet: s.Subnet, Log: a.log})
	} else {
		p := sidecar.ProcessOptions{Binaries: a.o.Binaries, Log: a.log}
		if len(a.o.Sidecar) > 0 {
			p.Path, p.Args = a.o.Sidecar[0], a.o.Sidecar[1:]
		}
		d, err = sidecar.NewProcess(p)
	}
	if err != nil {
		return nil, err
	}
	a.choice = choice
	a.fleet = sidecar.NewFleet(d, sidecar.FleetOptions{Beat: a.beat, Log: a.log})
	return a.fleet, nil
}

func (a *App) choose(ctx context.Context) (sidecar.Choice, error) {
	s, err := a.settings()
	if err != nil {
		return sidecar.Choice{}, err
	}
	host := a.o.Getenv("BOTTLEBAR_DOCKER_HOST")
	if host == "" {
		host = s.DockerHost
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return sidecar.Choice{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	return sidecar.Choose(ctx, s.Driver, sidecar.FindOptions{Host: host, Home: home, UID: os.Getuid(), GOOS: runtime.GOOS, Getenv: a.o.Getenv})
}

// Instance names the owner of a state folder on an engine, so that two owners
// with different folders leave each other's sidecars alone.
func Instance(state string) string {
	sum := sha256.Sum256([]byte(state))
	return hex.EncodeToString(sum[:8])
}

func (a *App) hosts() []egress.Rule {
	s, err := a.settings()
	if err != nil {
		a.log.Error("settings", "error", err)
		return nil // fewer hosts, never more
	}
	rules := make([]egress.Rule, 0, len(s.Hosts))
	for _, h := range s.Hosts {
		rules = append(rules, egress.Rule{Host: h.Name, Port: uint16(h.Port), Private: h.Private}) //nolint:gosec // checked when read
	}
	return rules
}

func (a *App) pipe() hop.Pipe {
	if s, err := a.settings(); err == nil && s.Hop == "mount-socket" {
		return hop.MountSocket{}
	}
	return hop.AgentSocket{}
}

func (a *App) permission() string {
	s, err := a.settings()
	if err != nil {
		return ""
	}
	return s.Permission
}

// credential is what the sidecar adds to API requests; nil when none is set.
func (a *App) credential(ctx context.Context) (*egress.Credential, error) {
	c, err := a.creds.Get(ctx)
	if errors.Is(err, credential.ErrNotSet) {
		return nil, nil
	}
	if err != nil {
		// Without a keychain a launch still works; the API route answers a 403
		// that names the cure.
		a.log.Warn("reading the credential", "error", err)
		return nil, nil
	}
	return &egress.Credential{Kind: egress.CredentialKind(c.Kind), Secret: c.Secret.Reveal()}, nil
}

// testUpstream sends the API route to a fake, only with a credential from the
// environment: the person's own is never sent to a test server.
func testUpstream(getenv func(string) string, given bool) (*bottle.Upstream, error) {
	url := getenv("BOTTLEBAR_TEST_UPSTREAM")
	if url == "" {
		return nil, nil
	}
	if !given {
		return nil, fault.New("using BOTTLEBAR_TEST_UPSTREAM", "the credential does not come from the environment", "set CLAUDE_CODE_OAUTH_TOKEN or ANTHROPIC_API_KEY to a made-up one")
	}
	u := &bottle.Upstream{URL: url}
	if root := getenv("BOTTLEBAR_TEST_ROOT"); root != "" {
		if !strings.Contains(root, "BEGIN CERTIFICATE") {
			b, err := os.ReadFile(root)
			if err != nil {
				return nil, fault.Wrap(err, "reading BOTTLEBAR_TEST_ROOT", "name a PEM file")
			}
			root = string(b)
		}
		u.Roots = root
	}
	return u, nil
}
