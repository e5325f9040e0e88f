package bottle

import (
	"context"
	"errors"
	"sync"
	"time"

	"bottlebar.app/bottle/ledger"
	"bottlebar.app/hop"
	"bottlebar.app/internal/fault"
	"bottlebar.app/sidecar"
	"bottlebar.app/smolvm"
	"bottlebar.app/snapshot"
)

// Bottle is one bottle. Its methods may be called from several goroutines;
// those that change what runs take turns.
type Bottle struct {
	rack *Rack
	id   string
	name string // set once, when the rack takes it

	turn chan struct{} // held by launch, resume, prove and stop
	tell sync.Mutex    // held while the sidecar is given its policy: the latest is the last
	hits *hits

	mu        sync.Mutex
	entry     *entry
	state     snapshot.BottleState
	isolation snapshot.Isolation
	steps     []snapshot.Step
	problem   *snapshot.Problem
	helper    bool // the helper's session is lost
	title     string
	screen    string // the title that the session's program gave its terminal
	rang      bool   // its bell rang, and nobody has typed since
	hooked    bool   // hooks tell what the session does
	lineSays  lineSays
	activity  snapshot.SessionState
	exit      *int
	transfer  *snapshot.Transfer
	recent    *ledger.Ledger
	asks      *asks
	probing   probing
	known     map[string]bool // the rules that the sidecar has, as text; nil before the first
	// unrecorded says that the way out was closed because lines could not be written.
	unrecorded bool
	diary      diary
	stop       context.CancelFunc // cancels the launch that runs
	live       *live              // nil while nothing runs
	proof      *snapshot.Proof
	proving    bool // a proof runs that nobody asked for
}

// live is what a running bottle holds open in this process.
type live struct {
	client   *smolvm.Client
	listener *hop.Listener
	held     *smolvm.Process // the exec that carries the helper on 0.8.0
	egress   chan resettable
	door     *door
	ctx      context.Context // ends with cancel
	cancel   context.CancelFunc
	work     sync.WaitGroup
	lines    sync.WaitGroup // who reads the sidecars' decisions; they end with them

	mu  sync.Mutex
	car *sidecar.Sidecar
}

func (l *live) sidecar() *sidecar.Sidecar {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.car
}

func (l *live) setSidecar(c *sidecar.Sidecar) {
	l.mu.Lock()
	l.car = c
	l.mu.Unlock()
}

func newBottle(r *Rack, e *entry) *Bottle {
	b := &Bottle{
		rack: r, id: e.ID, name: e.Name, entry: e,
		turn: make(chan struct{}, 1), isolation: snapshot.Unproved, recent: ledger.New(ledger.Options{Now: r.cfg.Now}), asks: newAsks(e.ID), hits: newHits(),
	}
	if muted := r.cfg.Muted; muted != nil {
		b.asks.muted = func(host string, port int) bool { return muted(b, host, port) }
	}
	return b
}

// ID is the bottle's own, 8 base32 characters; Name is the one that people use.
func (b *Bottle) ID() string { return b.id }

// Name is unique among the bottles of a rack.
func (b *Bottle) Name() string { return b.name }

// View is the bottle as it is shown.
func (b *Bottle) View() snapshot.Bottle {
	usage := b.usage()
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.entry
	driver := ""
	if b.live != nil {
		if car := b.live.sidecar(); car != nil {
			driver = car.Handle().Driver
		}
	}
	allowed, blocked := b.recent.Counts()
	title := b.title
	if title == "" {
		title = b.screen
	}
	problem := b.problem
	if e.Cut != nil && problem == nil {
		problem = cutProblem(b.name, e.Cut)
	}
	v := snapshot.Bottle{
		Cut: e.Cut, Web: e.Session.Web, Usage: usage,
		ID: b.id, Name: b.name, State: b.state, Session: b.activity, Artifact: e.Artifact, ArtifactID: e.ArtifactID,
		Simulated: e.Simulated, Driver: driver, Isolation: b.isolation, ProvedAt: e.ProvedAt, StartedAt: e.Started, CreatedAt: e.Created,
		Release: e.Release, Folder: e.Session.Folder, User: e.Session.User, Command: e.Session.Command, Mode: e.Session.Mode,
		Title: title, Rang: b.rang, Context: b.lineSays.context, Cost: b.lineSays.cost, ExitCode: b.exit, HelperLost: b.helper, Problem: problem, Transfer: b.transfer,
		Allowed: allowed, Blocked: blocked, Asks: b.asks.view(), Hold: e.Hold, Steps: append([]snapshot.Step(nil), b.steps...),
	}
	v.Evidence = e.Evidence
	if u := b.rack.cfg.Upstream; u != nil {
		v.Upstream = u.URL
	}
	return v
}

// Proof is the report of the last proof, nil before the first.
func (b *Bottle) Proof() *snapshot.Proof {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.proof
}

// set changes the bottle under its lock and tells whoever shows it.
func (b *Bottle) set(change func()) {
	b.mu.Lock()
	change()
	b.mu.Unlock()
	b.rack.cfg.Changed()
}

// save changes the journal entry and writes it before it returns.
func (b *Bottle) save(change func(e *entry)) error {
	b.mu.Lock()
	change(b.entry)
	err := b.rack.journal.write(b.entry)
	b.mu.Unlock()
	b.rack.cfg.Changed()
	return err
}

// built writes the undo of a step that is about to be taken.
func (b *Bottle) built(u undoStep) error {
	return b.save(func(e *entry) { e.Undo = append(e.Undo, u) })
}

func (b *Bottle) gone() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state == snapshot.Failed && len(b.entry.Undo) == 0
}

// take waits for the bottle's turn.
func (b *Bottle) take(ctx context.Context) error {
	select {
	case b.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (b *Bottle) give() { <-b.turn }

// interrupt cancels a launch that runs.
func (b *Bottle) interrupt() {
	b.mu.Lock()
	stop := b.stop
	b.mu.Unlock()
	if stop != nil {
		stop()
	}
}

// letGo closes what this process holds; machine and sidecar go on.
func (b *Bottle) letGo() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := b.take(ctx); err != nil {
		return
	}
	defer b.give()
	l := b.closeLive()
	if l == nil {
		return
	}
	if car := l.sidecar(); car != nil {
		car.Release()
	}
	l.lines.Wait()
}

// closeLive ends the goroutines and connections of this process, but for the
// sidecar's, and returns what ran.
func (b *Bottle) closeLive() *live {
	b.mu.Lock()
	l := b.live
	b.live = nil
	b.mu.Unlock()
	if l == nil {
		return nil
	}
	l.cancel()
	if l.listener != nil {
		_ = l.listener.Close()
	}
	l.work.Wait()
	if l.held != nil {
		_ = l.held.Close()
	}
	return l
}

// runs returns what runs, in whatever state the bottle is; nil while nothing does.
func (b *Bottle) runs() *live {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.live == nil || b.live.client == nil {
		return nil // or only a sidecar that is there already
	}
	return b.live
}

// running returns what runs, or an error that says why nothing does.
func (b *Bottle) running() (*live, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.live != nil && (b.state == snapshot.Ready || b.state == snapshot.Lost) {
		return b.live, nil
	}
	what, cure := "using bottle "+b.name, ""
	switch b.state {
	case snapshot.Stopped:
		cure = "bottlebar resume " + b.name
	case snapshot.Failed:
		cure = "stop it and launch again"
	default:
		cure = "wait until it is ready"
	}
	return nil, fault.New(what, "it is "+string(b.state), cure)
}

// ErrHelperLost is what calls into a bottle return while its helper does not
// answer.
var ErrHelperLost = errors.New("the helper in the bottle does not answer")

// session is the helper's live session. A helper that lost it dials again
// every second, so a short wait is enough.
func (l *live) session(ctx context.Context) (*hop.Session, error) {
	wait, cancel := context.WithTimeout(ctx, 4*time.Second)
	defer cancel()
	s, err := l.listener.Session(wait)
	if err == nil {
		return s, nil
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return nil, &fault.Error{
		What: "reaching into the bottle", Why: ErrHelperLost.Error(),
		Cure: "wait a moment; if it stays so, fetch what you need with bottlebar exec --via-smolvm, then stop the bottle", Err: ErrHelperLost,
	}
}

func problemOf(err error) *snapshot.Problem {
	f := fault.Of(err)
	if f == nil {
		return nil
	}
	return &snapshot.Problem{What: f.What, Why: f.Why, Cure: f.Cure, Detail: f.Detail}
}
