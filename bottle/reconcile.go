package bottle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"bottlebar.app/internal/fault"
	"bottlebar.app/sidecar"
	"bottlebar.app/smolvm"
	"bottlebar.app/snapshot"
)

// Report says what Reconcile found.
type Report struct {
	Adopted []string // bottles that still ran
	Kept    []string // bottles that stopped with their disk whole
	Cleared []string // half-made things that were taken away
	Errors  []error
}

// Reconcile compares what was intended with what is there: a bottle that runs
// is adopted and proved again, one that stopped is kept, what was half-made is
// taken apart. Homes without a journal entry and sidecars that nobody claims
// go too. tick is the one timer that looks after running bottles.
func (r *Rack) Reconcile(ctx context.Context, tick <-chan time.Time) Report {
	var rep Report
	entries, bad := r.journal.read()
	rep.Errors = bad
	var mu sync.Mutex
	var wg sync.WaitGroup
	known := make(map[string]bool)
	for _, e := range entries {
		known[e.ID] = true
		b := newBottle(r, e)
		b.state = snapshot.Lost
		r.mu.Lock()
		r.bottles = append(r.bottles, b)
		r.mu.Unlock()
		wg.Go(func() {
			what, err := b.reconcile(ctx)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				rep.Errors = append(rep.Errors, fmt.Errorf("bottle %q: %w", b.name, err))
			}
			switch what {
			case running:
				rep.Adopted = append(rep.Adopted, b.name)
			case stopped:
				rep.Kept = append(rep.Kept, b.name)
			case launching, stopping:
				rep.Cleared = append(rep.Cleared, b.name)
			}
		})
	}
	wg.Wait()
	// The engine may still be making what an owner that was killed had asked for:
	// it is looked for again later.
	r.halfMade.Store(slices.ContainsFunc(entries, func(e *entry) bool { return e.Phase == launching }))
	cleared, err := r.clearStrangers(ctx, known)
	rep.Cleared = append(rep.Cleared, cleared...)
	if err != nil {
		rep.Errors = append(rep.Errors, err)
	}
	r.sweepRecords()
	r.work.Go(func() { r.watch(r.ctx, tick) })
	r.cfg.Changed()
	return rep
}

// reconcile settles one bottle of the journal and says what became of it.
func (b *Bottle) reconcile(ctx context.Context) (phase, error) {
	if err := b.take(ctx); err != nil {
		return "", err
	}
	defer b.give()
	b.mu.Lock()
	e := b.entry
	was := e.Phase
	b.mu.Unlock()
	switch was {
	case stopped:
		if err := b.keepRecord(); err != nil { // nothing runs: it is told when it is resumed
			b.rack.cfg.Log.Warn("reading a ledger", "bottle", b.name, "error", err)
		}
		b.set(func() {
			b.state = snapshot.Stopped
			if e.Evidence != "" {
				b.isolation = snapshot.ProofFailed
				b.problem = &snapshot.Problem{What: "the isolation of " + b.name, Why: "it did not hold, and the bottle was stopped", Cure: "what was found is kept in " + e.Evidence}
			}
		})
		return stopped, nil
	case running:
		return b.adopt(ctx)
	default:
		err := b.dismantle(ctx)
		if err == nil {
			b.rack.drop(b)
			return was, nil
		}
		b.set(func() {
			b.state, b.problem = snapshot.Failed, problemOf(fault.Wrap(err, "removing "+b.name, "stop it again"))
		})
		return was, err
	}
}

// adopt takes over a bottle that ran when the last owner ended.
func (b *Bottle) adopt(ctx context.Context) (phase, error) {
	in, err := b.rack.cfg.Install(ctx)
	if err != nil {
		b.set(func() { b.problem = problemOf(err) })
		return "", err
	}
	client, err := b.rack.client(in, b.id)
	if err != nil {
		return "", err
	}
	m, err := client.Status(ctx, machineName)
	if err == nil && m.State == smolvm.StateUnreachable {
		// The word is stored and can be old: it is no reason to stop a machine.
		var alive bool
		if alive, err = client.Alive(ctx, machineName); err == nil && alive {
			m.State = smolvm.StateRunning
		}
	}
	switch {
	case errors.Is(err, smolvm.ErrUnknownMachine):
		if err := b.dismantle(ctx); err != nil {
			return stopping, err
		}
		b.rack.drop(b)
		return stopping, nil
	case err != nil:
		b.set(func() { b.problem = problemOf(err) })
		return "", err
	case m.State != smolvm.StateRunning:
		return stopped, b.halt(ctx, nil)
	}
	if err := b.adoptRunning(ctx, in); errors.Is(err, errProof) {
		return stopped, err
	} else if err != nil {
		b.set(func() {
			b.state, b.problem = snapshot.Lost, problemOf(fault.Wrap(err, "adopting "+b.name, "run bottlebar prove "+b.name+", or stop it"))
		})
		return running, err
	}
	return running, nil
}

func (b *Bottle) adoptRunning(ctx context.Context, in *smolvm.Install) error {
	car, err := b.adoptSidecar(ctx)
	if err != nil {
		return err
	}
	l, err := b.open(in, car)
	if err != nil {
		return err
	}
	wait, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	if _, err := l.listener.Session(wait); err != nil {
		b.set(func() { b.state, b.helper = snapshot.Ready, true })
		return &fault.Error{
			What: "reaching into " + b.name, Why: ErrHelperLost.Error(),
			Cure: "stop the bottle and launch again, or copy what you need by smolvm: bottlebar exec --via-smolvm", Err: ErrHelperLost,
		}
	}
	err = b.proveAndOpen(ctx, l, in, whyAdoption)
	if errors.Is(err, errProof) {
		b.condemn(ctx, l, err)
	}
	if err != nil {
		return err
	}
	b.set(func() { b.state, b.activity = snapshot.Ready, snapshot.Idle })
	b.look(ctx, l)
	return nil
}

// adoptSidecar takes over the bottle's sidecar, or claims another where it did
// not outlive its owner.
func (b *Bottle) adoptSidecar(ctx context.Context) (*sidecar.Sidecar, error) {
	fleet, err := b.rack.cfg.Fleet(ctx)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	undo := append([]undoStep(nil), b.entry.Undo...)
	b.mu.Unlock()
	for _, u := range undo {
		if u.Kind != undoSidecar {
			continue
		}
		var h sidecar.Handle
		if err := json.Unmarshal(u.Data, &h); err != nil {
			return nil, err
		}
		car, err := fleet.Adopt(ctx, h)
		if err == nil {
			return car, nil
		}
		if !errors.Is(err, sidecar.ErrNotAdoptable) {
			return nil, err
		}
		if err := b.save(func(e *entry) { e.Undo = without(e.Undo, u) }); err != nil {
			return nil, err
		}
	}
	return b.claim(ctx)
}

// clearStrangers removes homes and sidecars that no journal entry names.
func (r *Rack) clearStrangers(ctx context.Context, known map[string]bool) ([]string, error) {
	var cleared []string
	var errs []error
	names, err := os.ReadDir(r.cfg.Paths.Homes)
	if err != nil {
		errs = append(errs, err)
	}
	for _, n := range names {
		if !n.IsDir() || !validID(n.Name()) || known[n.Name()] {
			continue
		}
		err := r.removeMachine(ctx, n.Name())
		if err == nil {
			err = removeAll(r.cfg.Paths.folder(n.Name()))
			r.cfg.Paths.unreach(n.Name())
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("removing the half-made home %s: %w", n.Name(), err))
			continue
		}
		cleared = append(cleared, "home "+n.Name())
	}
	half, _ := os.ReadDir(r.cfg.Paths.Prepared)
	for _, d := range half {
		if strings.HasSuffix(d.Name(), nextName) {
			errs = append(errs, removeAll(r.cfg.Paths.Prepared+"/"+d.Name()))
		}
	}
	fleet, err := r.cfg.Fleet(ctx)
	if err != nil {
		// Without an engine there is nothing to sweep, or no way to: Setup says so.
		return cleared, errors.Join(errs...)
	}
	swept, err := fleet.Sweep(ctx, r.sidecars())
	for _, id := range swept {
		cleared = append(cleared, "sidecar "+id)
	}
	return cleared, errors.Join(append(errs, err)...)
}

// sidecars lists the sidecars that bottles claim, by ID.
func (r *Rack) sidecars() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var ids []string
	for _, b := range r.bottles {
		b.mu.Lock()
		for _, u := range b.entry.Undo {
			var h sidecar.Handle
			if u.Kind == undoSidecar && json.Unmarshal(u.Data, &h) == nil {
				ids = append(ids, h.ID)
			}
		}
		b.mu.Unlock()
	}
	return ids
}
