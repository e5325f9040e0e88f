package bottle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"bottlebar.app/cache"
	"bottlebar.app/egress"
	"bottlebar.app/hop"
	"bottlebar.app/internal/fault"
	"bottlebar.app/sidecar"
	"bottlebar.app/smolvm"
	"bottlebar.app/snapshot"
)

// Library is what a Rack needs of the library of artifacts.
type Library interface {
	Get(name string) (cache.Artifact, error)
	// Ready returns an artifact that may be unpacked now: verified, unchanged since.
	Ready(ctx context.Context, name string, progress func(cache.Progress)) (cache.Artifact, error)
	Path(a cache.Artifact) string
	Used(name string, at time.Time) error
}

// Identity is what a session takes over from this computer's user.
type Identity struct {
	TimeZone string // in the tz database, such as "Europe/Berlin"
	GitName  string
	GitEmail string
}

// Upstream sends the API route elsewhere, for tests.
type Upstream struct {
	URL   string
	Roots string // PEM, for its certificate
}

// Config is what a Rack works with. Functions are called when a launch needs
// their answer, so that settings apply to the next launch.
type Config struct {
	Paths      Paths
	Library    Library
	Install    func(ctx context.Context) (*smolvm.Install, error)
	Fleet      func(ctx context.Context) (*sidecar.Fleet, error)
	Policies   Policies
	Credential func(ctx context.Context) (*egress.Credential, error) // without placeholder; nil, nil: none is set
	Way        func(ctx context.Context) (egress.Way, *egress.Login, error)
	Helper     func(arch string) (path string, err error) // the guest helper for a processor, unpacked
	Pipe       func() hop.Pipe
	// Muted tells whether nobody is to be asked about a place; nil: about none.
	Muted      func(b *Bottle, host string, port int) bool
	Permission func() string // Claude's permission mode for a launch that names none
	Caps       func() Caps
	Decoys     func() bool // plant decoys besides the placeholder
	Identity   Identity
	Upstream   *Upstream
	Env        []string // for the smolvm command; the stand-in's faults in tests
	Changed    func()   // something that is shown has changed; must not block
	Log        *slog.Logger
	Now        func() time.Time
}

// Rack owns the bottles.
type Rack struct {
	cfg     Config
	journal journal
	roots   pristine
	naps    *naps
	till    *till

	mu      sync.Mutex
	bottles []*Bottle // oldest first
	closed  bool

	halfMade  atomic.Bool // a sidecar failed, and may have left something on the engine
	preparing sync.Map    // key of a prepared home → *sync.Mutex
	work      sync.WaitGroup
	ctx       context.Context // ends with Close
	cancel    context.CancelFunc
}

// Open makes a Rack. Call Reconcile before anything else.
func Open(cfg Config) (*Rack, error) {
	for _, dir := range []string{cfg.Paths.Homes, cfg.Paths.Journal, cfg.Paths.Prepared, cfg.Paths.Ledger} {
		if dir == "" {
			continue
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Way == nil {
		cfg.Way = func(context.Context) (egress.Way, *egress.Login, error) { return egress.Way{}, nil, nil }
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Changed == nil {
		cfg.Changed = func() {}
	}
	if cfg.Caps == nil {
		cfg.Caps = func() Caps { return Caps{} }
	}
	if cfg.Decoys == nil {
		cfg.Decoys = func() bool { return true }
	}
	r := &Rack{cfg: cfg, journal: journal{cfg.Paths.Journal}, naps: newNaps()}
	r.till = openTill(filepath.Join(filepath.Dir(cfg.Paths.Journal), tillName), cfg.Now, cfg.Caps, cfg.Log)
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r, nil
}

// Close lets go of the bottles: their machines and sidecars go on, and whoever
// opens a Rack next adopts them. A launch that runs is cancelled and undone.
func (r *Rack) Close() {
	r.mu.Lock()
	r.closed = true
	all := slices.Clone(r.bottles)
	r.mu.Unlock()
	for _, b := range all {
		b.interrupt()
	}
	for _, b := range all {
		b.letGo()
		_ = b.recent.Close()
	}
	r.cancel()
	r.work.Wait()
	if r.halfMade.Load() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		r.clearHalfMade(ctx)
	}
}

// clearHalfMade removes sidecars that no bottle claims, after one has failed:
// an engine that died keeps what was made on it until it is back.
func (r *Rack) clearHalfMade(ctx context.Context) {
	fleet, err := r.cfg.Fleet(ctx)
	if err == nil {
		_, err = fleet.Sweep(ctx, r.sidecars())
	}
	if err != nil {
		r.cfg.Log.Warn("clearing sidecars that nobody claims", "error", err)
		return
	}
	r.halfMade.Store(false)
}

// Bottles lists the bottles as they are shown, the newest first.
func (r *Rack) Bottles() []snapshot.Bottle {
	r.mu.Lock()
	all := slices.Clone(r.bottles)
	r.mu.Unlock()
	out := make([]snapshot.Bottle, 0, len(all))
	for _, b := range slices.Backward(all) {
		out = append(out, b.View())
	}
	return out
}

// Get finds a bottle by its name or its ID.
func (r *Rack) Get(name string) (*Bottle, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range r.bottles {
		if b.name == name || b.id == name {
			return b, nil
		}
	}
	names := make([]string, 0, len(r.bottles))
	for _, b := range r.bottles {
		names = append(names, b.name)
	}
	why, cure := "there is no bottle", "launch one first"
	if len(names) > 0 {
		why, cure = "there is no bottle of that name", "the bottles are "+strings.Join(names, ", ")
	}
	return nil, &NotFoundError{Name: name, why: why, cure: cure}
}

// NotFoundError says that there is no bottle of a name.
type NotFoundError struct{ Name, why, cure string }

func (e *NotFoundError) Error() string { return fmt.Sprintf("bottle %q: %s", e.Name, e.why) }

// Cure names the bottles there are.
func (e *NotFoundError) Cure() string { return e.cure }

// add puts a bottle on the rack under a free name. want is the name that was
// asked for; without one, base gets "-2" and so on until it is free. A bottle
// whose launch failed holds its name for nobody.
func (r *Rack) add(b *Bottle, want, base string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return errors.New("bottlebar is ending")
	}
	taken := func(name string) bool {
		return slices.ContainsFunc(r.bottles, func(o *Bottle) bool { return o.name == name && !o.gone() })
	}
	name := want
	if want != "" {
		if err := checkName(want); err != nil {
			return err
		}
		if taken(want) {
			return fault.New(fmt.Sprintf("launching %q", want), "a bottle of that name exists", "choose another name, or stop that bottle first")
		}
	} else {
		name = base
		for n := 2; taken(name); n++ {
			suffix := "-" + strconv.Itoa(n)
			name = strings.TrimRight(base[:min(len(base), maxName-len(suffix))], "-") + suffix
		}
	}
	r.bottles = slices.DeleteFunc(r.bottles, func(o *Bottle) bool {
		if o.name == name {
			_ = o.recent.Close()
		}
		return o.name == name
	})
	b.name, b.entry.Name = name, name
	r.bottles = append(r.bottles, b)
	return nil
}

func (r *Rack) drop(b *Bottle) {
	b.dropEvidence()
	r.mu.Lock()
	r.bottles = slices.DeleteFunc(r.bottles, func(o *Bottle) bool { return o == b })
	r.mu.Unlock()
	_ = b.recent.Close()
	r.sweepRecords()
	r.cfg.Changed()
}

// maxName keeps names whole in narrow columns and legal as a DNS label.
const maxName = 63

// checkName takes lower-case DNS labels: they are safe as a word in a command
// line, a file name and a menu.
func checkName(name string) error {
	bad := func(why string) error {
		return fault.New(fmt.Sprintf("the name %q", name), why, "use lower-case letters, digits and single hyphens, at most 63")
	}
	switch {
	case name == "":
		return bad("is empty")
	case len(name) > maxName:
		return bad("is too long")
	case strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "":
		return bad("has a character that is not allowed")
	case name[0] == '-' || name[len(name)-1] == '-':
		return bad("starts or ends with a hyphen")
	case strings.Contains(name, "--"):
		return bad("has two hyphens in a row")
	}
	return nil
}
