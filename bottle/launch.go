package bottle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"golang.org/x/sync/errgroup"

	"bottlebar.app/cache"
	"bottlebar.app/hop"
	"bottlebar.app/internal/fault"
	"bottlebar.app/sidecar"
	"bottlebar.app/smolvm"
	"bottlebar.app/snapshot"
)

// Options say what to launch.
type Options struct {
	Artifact string   // name or ID prefix in the library
	Name     string   // the bottle's; empty: the artifact's, "-2" on a clash
	Folder   string   // a folder of this computer to copy in; the session starts in the copy
	Command  []string // instead of the artifact's
	Hold     bool     // first connections to unlisted places wait for an answer
	Cap      int64    // in tokens: 0 for the settings', NoCap for none
	Web      bool     // web search and fetch, from Claude's servers
	Mode     string   // Claude's permission mode; empty: the artifact's, else the setting
	Policy   OwnPolicy
	Began    func(id string) // told the bottle's ID once it is on the rack; may be nil
}

// Launch builds a bottle and returns it ready. When it fails, or ctx ends,
// everything that was built is taken away again.
func (r *Rack) Launch(ctx context.Context, o Options) (*Bottle, error) {
	a, err := r.cfg.Library.Get(o.Artifact)
	if err != nil {
		return nil, err
	}
	if o.Folder != "" {
		if fi, err := os.Stat(o.Folder); err != nil || !fi.IsDir() {
			return nil, fault.New("launching on "+o.Folder, "it is not a folder", "choose a folder")
		}
	}
	// Asked for again when the bottle is let out; what cannot be had then is
	// better told before anything was made.
	if _, _, err := r.cfg.Way(ctx); err != nil {
		return nil, err
	}
	e := &entry{
		ID: newID(), Phase: launching, Created: r.cfg.Now().UTC(), Artifact: a.Name, ArtifactID: a.ID,
		Hold: o.Hold, Session: session{Command: o.Command, Mode: o.Mode, Web: o.Web},
	}
	b := newBottle(r, e)

	b.state, b.steps = snapshot.Preparing, launchSteps()
	if err := b.take(ctx); err != nil {
		return nil, err
	}
	defer b.give()
	if err := r.add(b, o.Name, a.Name); err != nil {
		return nil, err
	}
	if err := r.till.setCap(ctx, b.id, o.Cap); err != nil {
		r.drop(b)
		return nil, err
	}
	ctx, done := b.cancellable(ctx)
	defer done()
	if o.Began != nil {
		o.Began(b.id)
	}
	r.cfg.Changed()
	err = b.guarded(ctx, func(ctx context.Context) error {
		if err := r.cfg.Policies.Begin(b.id, a.Name, a.ID, o.Policy); err != nil {
			return err
		}
		return b.build(ctx, o.Folder)
	})
	if err != nil {
		return nil, b.failLaunch(ctx, err)
	}
	return b, nil
}

// cancellable makes ctx end when somebody stops the bottle or the rack closes.
func (b *Bottle) cancellable(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(b.rack.ctx, cancel)
	b.mu.Lock()
	b.stop = cancel
	b.mu.Unlock()
	return ctx, func() {
		b.mu.Lock()
		b.stop = nil
		b.mu.Unlock()
		stop()
		cancel()
	}
}

// guarded turns a panic into an error, so that what was built is undone.
func (b *Bottle) guarded(ctx context.Context, run func(ctx context.Context) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			b.rack.cfg.Log.Error("panic in a launch", "bottle", b.name, "panic", p, "stack", string(debug.Stack()))
			err = &fault.Error{What: "launching " + b.name, Why: fmt.Sprint(p), Cure: "report this", Detail: string(debug.Stack())}
		}
	}()
	return run(ctx)
}

// failLaunch undoes a launch. One that was cancelled leaves no trace; one that
// failed stays on the rack with its error until it is discarded, but nothing
// of it is left on the computer.
func (b *Bottle) failLaunch(ctx context.Context, err error) error {
	cancelled := ctx.Err() != nil
	b.set(func() { b.state = snapshot.Stopping })
	if l := b.runs(); l != nil && errors.Is(err, errProof) {
		err = b.withEvidence(ctx, l, err)
	}
	b.demote()
	undo := b.dismantle(ctx)
	if undo != nil {
		b.rack.cfg.Log.Error("undoing a launch", "bottle", b.name, "error", undo)
	}
	if cancelled && undo == nil {
		b.rack.drop(b)
		b.forget()
		return context.Canceled
	}
	err = errors.Join(err, undo)
	if undo == nil {
		f := fault.Wrap(firstOf(err), "launching "+b.name, "")
		if f.Cure == "" {
			f.Cure = "launch again; its details hold what was said"
		}
		err = f
	}
	b.set(func() {
		b.state, b.problem = snapshot.Failed, problemOf(err)
		for i := range b.steps {
			if b.steps[i].State == snapshot.StepDone {
				b.steps[i].State = snapshot.StepUndone
			}
		}
	})
	return err
}

// firstOf takes a single error out of a join of one.
func firstOf(err error) error {
	if j, ok := err.(interface{ Unwrap() []error }); ok {
		if all := j.Unwrap(); len(all) == 1 {
			return all[0]
		}
	}
	return err
}

// build takes every step of a launch.
func (b *Bottle) build(ctx context.Context, folder string) error {
	var in *smolvm.Install
	var a cache.Artifact
	err := b.step(ctx, stepCheck, func(ctx context.Context) error {
		var err error
		in, a, err = b.check(ctx)
		return err
	})
	if err != nil {
		return err
	}
	b.set(func() { b.state = snapshot.Creating })
	if err := os.Mkdir(b.rack.cfg.Paths.folder(b.id), 0o700); err != nil {
		return err
	}
	reach, err := b.rack.cfg.Paths.reach(b.id)
	if err != nil {
		return err
	}
	p, err := b.rack.plan(in, a, filepath.Join(reach, socketName))
	if err != nil {
		return err
	}
	if err := b.save(func(e *entry) {
		e.CreateArgv, e.Hop = p.argv, p.pipe.Name()
		e.Undo = append(e.Undo, undoStep{Kind: undoMachine})
	}); err != nil {
		return err
	}
	car, err := b.together(ctx, p)
	if err != nil {
		if car != nil {
			_ = car.Close(context.WithoutCancel(ctx))
		}
		return err
	}
	if err := b.start(ctx, in, car); err != nil {
		return err
	}
	return b.enter(ctx, folder)
}

// check finds everything that a launch needs before anything is built.
func (b *Bottle) check(ctx context.Context) (*smolvm.Install, cache.Artifact, error) {
	r := b.rack
	in, err := r.cfg.Install(ctx)
	if err != nil {
		return nil, cache.Artifact{}, err
	}
	if err := checkInstall(in); err != nil {
		return nil, cache.Artifact{}, err
	}
	if err := checkDisk(r.cfg.Paths.Homes); err != nil {
		return nil, cache.Artifact{}, err
	}
	a, err := r.artifact(ctx, b.entry.ArtifactID)
	if err != nil {
		return nil, a, err
	}
	s := a.Settings
	err = b.save(func(e *entry) {
		e.startedBy(in)
		e.Arch, e.Workdir = arch(a), a.Workdir
		e.Settings = snapshot.ArtifactSettings(s)
		e.Undo = append(e.Undo, undoStep{Kind: undoFolder})
	})
	return in, a, err
}

// together claims a sidecar and makes the home, side by side.
func (b *Bottle) together(ctx context.Context, p *plan) (*sidecar.Sidecar, error) {
	var car *sidecar.Sidecar
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		return b.step(gctx, stepSidecar, func(ctx context.Context) error {
			var err error
			car, err = b.claim(ctx)
			return err
		})
	})
	// Noted while something else takes longer: the click need not wait for it.
	g.Go(func() error { return b.rack.cfg.Library.Used(p.artifact.ID, b.rack.cfg.Now()) })
	g.Go(func() error {
		return b.step(gctx, stepHome, func(ctx context.Context) error {
			if err := b.rack.makeHome(ctx, p, b.id); err != nil {
				return err
			}
			hash, err := b.rack.makeRoot(ctx, p.install, b.id)
			if err != nil {
				return err
			}
			return b.save(func(e *entry) { e.RootHash = hash })
		})
	})
	return car, g.Wait()
}

// claim takes a sidecar and writes its undo.
func (b *Bottle) claim(ctx context.Context) (*sidecar.Sidecar, error) {
	fleet, err := b.rack.cfg.Fleet(ctx)
	if err != nil {
		return nil, err
	}
	car, err := fleet.Claim(ctx)
	if err != nil {
		b.rack.halfMade.Store(true)
		return nil, err
	}
	handle, err := json.Marshal(car.Handle())
	if err == nil {
		err = b.built(undoStep{Kind: undoSidecar, Data: handle})
	}
	if b.rack.halfMade.Load() {
		b.rack.work.Go(func() { b.rack.clearHalfMade(b.rack.ctx) })
	}
	return car, err
}

// start opens the pipe and starts the machine; the helper answers afterwards.
// The machine, the sidecar and everything in this process end with an undo of
// what the journal holds.
func (b *Bottle) start(ctx context.Context, in *smolvm.Install, car *sidecar.Sidecar) error {
	secret := hop.NewSecret()
	if err := b.save(func(e *entry) {
		e.Secret = secret
		e.Session.Canary, e.Session.Planted = newCanary(), nil
		if b.rack.cfg.Decoys() {
			e.Session.Planted = newPlanted()
		}
	}); err != nil {
		return err
	}
	l, err := b.open(in, car)
	if err != nil {
		_ = car.Close(context.WithoutCancel(ctx))
		return err
	}
	err = b.step(ctx, stepStart, func(ctx context.Context) error {
		b.set(func() { b.state = snapshot.Starting })
		wire := b.pipe().Wire(l.listener.Path())
		return startMachine(ctx, l.client, wire.AuthSock)
	})
	if err != nil {
		return err
	}
	return b.step(ctx, stepHelper, func(ctx context.Context) error {
		if err := b.putHelper(ctx, l, in); err != nil {
			return err
		}
		wait, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		if _, err := l.listener.Session(wait); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return &fault.Error{
				What: "reaching into the VM", Why: "the helper started there and did not answer",
				Cure: "look at the log with bottlebar logs; another kind of hop can be chosen in the settings", Err: err,
			}
		}
		return nil
	})
}

func (b *Bottle) pipe() hop.Pipe {
	for _, p := range hop.Pipes() {
		if p.Name() == b.entry.Hop {
			return p
		}
	}
	return hop.AgentSocket{}
}

// open makes this process's side: the pipe's listener and the goroutines that
// serve it.
func (b *Bottle) open(in *smolvm.Install, car *sidecar.Sidecar) (*live, error) {
	client, err := b.rack.client(in, b.id)
	if err != nil {
		return nil, err
	}
	reach, err := b.rack.cfg.Paths.reach(b.id)
	if err != nil {
		return nil, err
	}
	listener, err := hop.Listen(filepath.Join(reach, socketName))
	if err != nil {
		return nil, err
	}
	if err := b.keepRecord(); err != nil {
		_ = listener.Close()
		return nil, err
	}
	ctx, cancel := context.WithCancel(b.rack.ctx)
	l := &live{client: client, listener: listener, egress: make(chan resettable), door: newDoor(), ctx: ctx, cancel: cancel, car: car}
	b.mu.Lock()
	b.live = l
	secret := b.entry.Secret
	b.mu.Unlock()
	l.work.Go(func() {
		_ = listener.Serve(ctx, hop.Config{Secret: secret, Limits: hop.DefaultLimits(), Log: b.happened})
	})
	l.work.Go(func() { b.receive(ctx, l) })
	l.work.Go(func() { b.relay(ctx, l) })
	return l, nil
}
