package bottle

import (
	"context"
	"errors"
	"time"

	"bottlebar.app/internal/fault"
	"bottlebar.app/smolvm"
	"bottlebar.app/snapshot"
)

// Stop ends the bottle in whatever state it is, and removes all of it. A
// launch that runs is cancelled first. What could not be removed stays in the
// journal and is tried again at the next stop or start.
func (b *Bottle) Stop(ctx context.Context) error {
	b.interrupt()
	if err := b.take(ctx); err != nil {
		return err
	}
	defer b.give()
	b.mu.Lock()
	nothing := len(b.entry.Undo) == 0
	b.mu.Unlock()
	if nothing {
		b.rack.drop(b)
		return nil
	}
	if err := b.save(func(e *entry) { e.Phase = stopping }); err != nil {
		return err
	}
	b.set(func() { b.state = snapshot.Stopping })
	if err := b.dismantle(ctx); err != nil {
		err = fault.Wrap(err, "stopping "+b.name, "stop it again")
		b.demote()
		b.set(func() { b.state, b.problem = snapshot.Failed, problemOf(err) })
		return err
	}
	b.rack.drop(b)
	return nil
}

// Prove runs the escape test again. A bottle that fails it is stopped at once,
// and what was found is kept: see Proof.Evidence.
func (b *Bottle) Prove(ctx context.Context) (snapshot.Proof, error) {
	if _, err := b.running(); err != nil {
		return snapshot.Proof{}, err
	}
	if err := b.take(ctx); err != nil {
		return snapshot.Proof{}, err
	}
	defer b.give()
	l, in, err := b.whatRuns(ctx)
	if err != nil {
		return snapshot.Proof{}, err
	}
	if l.sidecar() == nil || l.door.isShut() {
		// It has no way out at the moment. What proves it then lets it out, too.
		return b.proveShut(ctx, l, in)
	}
	p := b.prove(ctx, l, in, whyAsked)
	if err := ctx.Err(); err != nil {
		return snapshot.Proof{}, err
	}
	if err = b.keepProof(p, in); err == nil {
		err = b.reopen(ctx, l)
	}
	return b.told(ctx, l, err)
}

// proveShut proves a bottle that has no way out, and opens it where that holds.
func (b *Bottle) proveShut(ctx context.Context, l *live, in *smolvm.Install) (snapshot.Proof, error) {
	var err error
	if l.sidecar() == nil {
		err = b.replaceSidecar(ctx, l)
	} else {
		err = b.proveAndOpen(ctx, l, in, whyAsked)
	}
	return b.told(ctx, l, err)
}

// told is what whoever asked for a proof is told: the report, also of one that
// misses, or why none could be made.
func (b *Bottle) told(ctx context.Context, l *live, err error) (snapshot.Proof, error) {
	missed := errors.Is(err, errProof)
	b.settle(ctx, l, err, "proving "+b.name)
	if err != nil && !missed {
		return snapshot.Proof{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return *b.proof, nil
}

// Resume starts a bottle that stopped by itself: the same disk, a new agent
// root, a new sidecar, a new secret and the whole proof. When it fails, the
// bottle is stopped again as it was.
func (b *Bottle) Resume(ctx context.Context) error {
	if err := b.take(ctx); err != nil {
		return err
	}
	defer b.give()
	b.mu.Lock()
	state := b.state
	b.mu.Unlock()
	if state != snapshot.Stopped {
		return fault.New("resuming "+b.name, "it is "+string(state), "only a stopped bottle can be resumed")
	}
	ctx, done := b.cancellable(ctx)
	defer done()
	b.set(func() {
		b.state, b.problem, b.exit, b.isolation = snapshot.Preparing, nil, nil, snapshot.Unproved
		b.steps = launchSteps()
	})
	err := b.guarded(ctx, b.restart)
	if err == nil {
		return nil
	}
	if l := b.runs(); l != nil && errors.Is(err, errProof) {
		err = b.withEvidence(ctx, l, err)
	}
	err = fault.Wrap(err, "resuming "+b.name, "")
	if herr := b.halt(ctx, problemOf(err)); herr != nil {
		b.rack.cfg.Log.Error("halting a bottle", "bottle", b.name, "error", herr)
	}
	return err
}

func (b *Bottle) restart(ctx context.Context) error {
	in, err := b.rack.cfg.Install(ctx)
	if err != nil {
		return err
	}
	if err := checkInstall(in); err != nil {
		return err
	}
	if err := b.step(ctx, stepCheck, func(context.Context) error { return checkDisk(b.rack.cfg.Paths.Homes) }); err != nil {
		return err
	}
	hash, err := "", error(nil)
	if err = b.step(ctx, stepHome, func(ctx context.Context) error {
		hash, err = b.rack.makeRoot(ctx, in, b.id)
		return err
	}); err != nil {
		return err
	}
	if err := b.save(func(e *entry) {
		e.RootHash = hash
		e.startedBy(in)
	}); err != nil {
		return err
	}
	if err := b.step(ctx, stepSidecar, func(ctx context.Context) error {
		car, err := b.claim(ctx)
		if err != nil {
			return err
		}
		b.mu.Lock()
		b.live = &live{car: car, cancel: func() {}}
		b.mu.Unlock()
		return nil
	}); err != nil {
		return err
	}
	b.mu.Lock()
	car := b.live.sidecar()
	b.mu.Unlock()
	if err := b.start(ctx, in, car); err != nil {
		return err
	}
	return b.enter(ctx, "")
}

// stoppedByItself keeps a bottle whose machine has ended: its disk is whole.
func (b *Bottle) stoppedByItself() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(b.rack.ctx), 2*time.Minute)
	defer cancel()
	if err := b.take(ctx); err != nil {
		return
	}
	defer b.give()
	b.mu.Lock()
	ready := b.state == snapshot.Ready || b.state == snapshot.Lost
	b.mu.Unlock()
	if !ready || b.rack.ctx.Err() != nil {
		return
	}
	if err := b.halt(ctx, nil); err != nil {
		b.rack.cfg.Log.Error("halting a bottle", "bottle", b.name, "error", err)
	}
}

// halt stops the machine and removes the sidecar, and keeps the home: the
// bottle is stopped and can be resumed.
func (b *Bottle) halt(ctx context.Context, why *snapshot.Problem) error {
	ctx = context.WithoutCancel(ctx)
	b.set(func() { b.state = snapshot.Stopping })
	b.mu.Lock()
	var keep, remove []undoStep
	for _, u := range b.entry.Undo {
		if u.Kind == undoSidecar {
			remove = append(remove, u)
		} else {
			keep = append(keep, u)
		}
	}
	b.mu.Unlock()
	if err := b.endMachine(ctx); err != nil {
		err = fault.Wrap(err, "stopping the VM of "+b.name, "stop the bottle again")
		b.demote()
		b.set(func() { b.state, b.problem = snapshot.Lost, problemOf(err) })
		return err
	}
	b.mu.Lock()
	b.entry.Undo = remove
	b.mu.Unlock()
	err := b.dismantleInto(ctx, keep)
	b.demote()
	b.set(func() { b.state, b.problem, b.helper, b.activity = snapshot.Stopped, why, false, snapshot.NoSession })
	return err
}

// endMachine stops the machine by its name and, where smolvm cannot, by its
// process: nothing may call a bottle stopped whose VM runs.
func (b *Bottle) endMachine(ctx context.Context) error {
	in, err := b.rack.cfg.Install(ctx)
	if err != nil {
		return err
	}
	client, err := b.smolvm(ctx)
	if err != nil {
		return err
	}
	stop, cancel := context.WithTimeout(ctx, undoTimeout)
	defer cancel()
	if err := client.Stop(stop, machineName); err != nil && !errors.Is(err, smolvm.ErrUnknownMachine) {
		b.rack.cfg.Log.Warn("stopping a machine by its process", "bottle", b.name, "error", err)
	}
	return b.rack.killStrays(ctx, in, b.id)
}

// renewSidecar replaces a sidecar that died. Nothing leaves the bottle until
// the new one is proved.
func (b *Bottle) renewSidecar(why error) {
	ctx, cancel := context.WithTimeout(b.rack.ctx, 2*time.Minute)
	defer cancel()
	if err := b.take(ctx); err != nil {
		return
	}
	defer b.give()
	b.mu.Lock()
	l, ready := b.live, b.state == snapshot.Ready
	b.mu.Unlock()
	if l == nil || !ready {
		return
	}
	b.demote()
	b.set(func() { b.problem, b.proving = noSidecar(b.name, why), true })
	defer b.set(func() { b.proving = false })
	err := b.replaceSidecar(ctx, l)
	if err == nil || ctx.Err() != nil {
		return
	}
	b.settle(ctx, l, err, "starting another sidecar for "+b.name)
}

func (b *Bottle) replaceSidecar(ctx context.Context, l *live) error {
	// The old one's undo stays until the new one's is written: its container
	// may be there still, ended.
	b.mu.Lock()
	var old []undoStep
	for _, u := range b.entry.Undo {
		if u.Kind == undoSidecar {
			old = append(old, u)
		}
	}
	b.mu.Unlock()
	car, err := b.claim(ctx)
	if err != nil {
		return err
	}
	for _, u := range old {
		if err := b.undo(ctx, u, nil); err == nil {
			_ = b.save(func(e *entry) { e.Undo = without(e.Undo, u) })
		}
	}
	// The new one serves nobody before the host has seen that all is as it was.
	l.door.shut()
	l.setSidecar(car)
	l.work.Go(func() { b.relay(l.ctx, l) })
	in, err := b.rack.cfg.Install(ctx)
	if err != nil {
		return err
	}
	return b.proveAndOpen(ctx, l, in, whySidecar)
}

func without(steps []undoStep, gone undoStep) []undoStep {
	var out []undoStep
	for _, u := range steps {
		if u.Kind != gone.Kind || string(u.Data) != string(gone.Data) {
			out = append(out, u)
		}
	}
	return out
}
