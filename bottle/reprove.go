package bottle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"bottlebar.app/internal/fault"
	"bottlebar.app/smolvm"
	"bottlebar.app/snapshot"
)

// Woke is called when this computer has slept. It returns at once: the doors of
// all running bottles are shut, and each opens again when its proof holds.
func (r *Rack) Woke() {
	r.cfg.Log.Info("this computer slept; the bottles are proved again")
	var again []func()
	for _, b := range r.all() {
		b.mu.Lock()
		l, ready := b.live, b.state == snapshot.Ready
		b.mu.Unlock()
		if l == nil || !ready {
			continue
		}
		l.door.shut()
		b.demote()
		again = append(again, func() { b.again(r.ctx, l, whyWake) })
	}
	r.cfg.Policies.Slept()
	for _, prove := range again {
		r.work.Go(prove)
	}
}

// noticeSleep looks whether this computer slept. It is asked before a bottle's
// stream is let through, so that none slips out between a wake and its news.
func (r *Rack) noticeSleep() {
	if r.naps.slept(r.cfg.Now()) {
		r.Woke()
	}
}

func (r *Rack) all() []*Bottle {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.bottles)
}

// againTimeout bounds one attempt to prove a running bottle again.
const againTimeout = 2 * time.Minute

// again proves a bottle that runs. Until the proof holds nothing leaves it: one
// that misses is stopped, with what was found kept; one that cannot be made is
// tried again by the shared timer.
func (b *Bottle) again(ctx context.Context, l *live, why string) {
	ctx, cancel := context.WithTimeout(ctx, againTimeout)
	defer cancel()
	if err := b.take(ctx); err != nil {
		return
	}
	defer b.give()
	b.mu.Lock()
	stale := b.live != l || b.state != snapshot.Ready
	b.mu.Unlock()
	if stale {
		return
	}
	if why != whyUpgrade && l.sidecar() != nil && !l.door.isShut() {
		return // another attempt came first, and held
	}
	b.set(func() { b.proving = true })
	defer b.set(func() { b.proving = false })
	in, err := b.rack.cfg.Install(ctx)
	switch {
	case err != nil:
	case l.sidecar() == nil:
		err = b.replaceSidecar(ctx, l)
	case l.door.isShut():
		err = b.proveAndOpen(ctx, l, in, why)
	default: // it goes on meanwhile
		p := b.prove(ctx, l, in, why)
		if err = ctx.Err(); err == nil {
			err = b.keepProof(p, in)
		}
	}
	b.settle(ctx, l, err, "proving "+b.name+" again")
}

// proveAndOpen proves a bottle with a sidecar and lets it out. Until it has its
// policy nothing goes out but what the proof itself asks for.
func (b *Bottle) proveAndOpen(ctx context.Context, l *live, in *smolvm.Install, why string) error {
	if err := b.quiet(ctx, l); err != nil {
		return err
	}
	if err := b.checkProof(ctx, l, in, why); err != nil {
		return err
	}
	if err := b.letOut(ctx, l); err != nil {
		return err
	}
	b.set(func() { b.problem = nil })
	return nil
}

// settle does what the outcome of a later proof asks for.
func (b *Bottle) settle(ctx context.Context, l *live, err error, what string) {
	switch {
	case err == nil || b.rack.ctx.Err() != nil:
	case errors.Is(err, errProof):
		b.condemn(ctx, l, err)
	default:
		b.rack.cfg.Log.Warn("nothing leaves a bottle", "bottle", b.name, "error", err)
		l.door.shut()
		b.demote()
		b.set(func() { b.problem = problemOf(fault.Wrap(err, what, "")) })
	}
}

// demote takes back what the last proof said: it is not true any more, or not
// known to be.
func (b *Bottle) demote() {
	b.set(func() {
		if b.isolation == snapshot.Proved {
			b.isolation = snapshot.Unproved
		}
	})
}

// condemn stops a bottle whose proof missed and keeps what was found. Its disk
// stays as it is: what was made in it can be fetched after a proof that holds.
func (b *Bottle) condemn(ctx context.Context, l *live, why error) {
	l.door.shut()
	if car := l.sidecar(); car != nil {
		b.tell.Lock() // whoever is about to open it sees first that the proof failed
		_ = car.Shut(context.WithoutCancel(ctx))
		b.tell.Unlock()
	}
	why = b.withEvidence(ctx, l, why)
	b.rack.cfg.Log.Error("a bottle is stopped: its isolation does not hold", "bottle", b.name, "error", why)
	problem := problemOf(why)
	problem.What = "the isolation of " + b.name + " did not hold, and it was stopped"
	if err := b.halt(ctx, problem); err != nil {
		b.rack.cfg.Log.Error("halting a bottle", "bottle", b.name, "error", err)
	}
	b.set(func() { b.isolation = snapshot.ProofFailed })
}

// due says why a running bottle has to be proved again, or "" if it has not.
func (b *Bottle) due(l *live, in *smolvm.Install) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.proving:
		return ""
	case l.sidecar() == nil:
		return whySidecar
	case b.isolation == snapshot.Unproved && l.door.isShut():
		return whyShut
	case in != nil && b.isolation == snapshot.Proved && b.entry.ProvedWith != "" && b.entry.ProvedWith != commandID(in):
		return whyUpgrade
	}
	return ""
}

// checkDue proves a bottle again where that is due. It is called by the shared
// timer and does not wait.
func (b *Bottle) checkDue(l *live, in *smolvm.Install) {
	why := b.due(l, in)
	if why == "" {
		return
	}
	b.rack.cfg.Log.Info("proving a bottle again", "bottle", b.name, "why", why)
	b.rack.work.Go(func() { b.again(b.rack.ctx, l, why) })
}

// noSidecar is what a bottle's row says while it has none.
func noSidecar(name string, why error) *snapshot.Problem {
	return &snapshot.Problem{What: "the sidecar of " + name, Why: fmt.Sprint("it ended: ", why), Cure: "another is being started"}
}
