package bottle

import (
	"context"
	"errors"
	"sync"
	"time"

	"bottlebar.app/egress"
	"bottlebar.app/internal/fault"
	"bottlebar.app/sidecar"
	"bottlebar.app/snapshot"
)

// Policies decide what each bottle may reach. They keep what belongs to one
// bottle until it is forgotten.
type Policies interface {
	// Begin takes what a launch says of its own. An error ends the launch.
	Begin(id, artifact, artifactID string, own OwnPolicy) error
	// Of is what a bottle may reach now. Revision and API.Upstream are the
	// rack's to fill in.
	Of(id, artifact, artifactID string) egress.Policy
	// Slept is called when this computer has slept, before any bottle's door
	// opens again: what was allowed for a while is over.
	Slept()
	// Forget is called when nothing of a bottle is left.
	Forget(id string)
}

// OwnPolicy is what a launch says of its bottle's policy: texts of policy
// files, nil where there is none.
type OwnPolicy struct {
	Bottle  []byte
	Project []byte // that of the folder which is copied in
}

// policyTimeout is for giving one bottle its policy.
const policyTimeout = 10 * time.Second

// policy is what the bottle may reach.
func (b *Bottle) policy() egress.Policy {
	artifact, id := b.Artifact()
	p := b.rack.cfg.Policies.Of(b.id, artifact, id)
	if u := b.rack.cfg.Upstream; u != nil && p.API != nil {
		p.API = &egress.API{Upstream: u.URL, Roots: u.Roots}
	}
	p.Revision = uint64(b.rack.cfg.Now().UnixNano()) //nolint:gosec // after 1970
	return p
}

// inForce is all that the bottle's sidecar is to obey: the policy, and what
// belongs to this bottle alone.
func (b *Bottle) inForce() egress.Policy {
	p := b.policy()
	p.Hold = b.hold()
	b.allowWeb(&p)
	p.Canaries = b.probing.canaries()
	return p
}

// Artifact is the one that the bottle was launched from: its name then, and its ID.
func (b *Bottle) Artifact() (name, id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.entry.Artifact, b.entry.ArtifactID
}

// Hits counts what was let through and what the block list refused.
func (b *Bottle) Hits() Hits { return b.hits.copy() }

// letOut gives the sidecar its policy and credential and opens it, if the last
// proof held. A sidecar that does not take them leaves the bottle without a way
// out, as keepIn says.
func (b *Bottle) letOut(ctx context.Context, l *live) error {
	b.tell.Lock()
	defer b.tell.Unlock()
	b.mu.Lock()
	proved := b.isolation == snapshot.Proved
	b.mu.Unlock()
	if !proved {
		return fault.New("opening the way out of "+b.name, "its isolation is not proved", "bottlebar prove "+b.name)
	}
	cred, err := b.rack.cfg.Credential(ctx)
	if err != nil {
		return err
	}
	if cred != nil {
		b.mu.Lock()
		cred.Placeholder = b.entry.Session.Canary
		b.mu.Unlock()
	}
	car := l.sidecar()
	if car == nil {
		return nil // another is on its way, and gets the policy when it is proved
	}
	way, login, err := b.rack.cfg.Way(ctx)
	if err != nil {
		return err
	}
	return b.instruct(ctx, l, func(ctx context.Context) error {
		if err := car.SetWay(ctx, way, login); err != nil {
			return err
		}
		cut, err := b.spending(ctx, car)
		if err != nil {
			return err
		}
		policy := b.inForce()
		if err := b.recordable(policy); err != nil {
			return err
		}
		if err := car.Configure(ctx, policy, cred); err != nil {
			return err
		}
		if cut {
			return car.Shut(ctx)
		}
		if err := car.Open(ctx); err != nil {
			return err
		}
		b.opened(policy)
		return nil
	})
}

// applyPolicy gives the sidecar its policy and nothing else: a change is in
// force without a look into the key store. It opens nothing that is shut.
func (b *Bottle) applyPolicy(ctx context.Context, l *live) error {
	b.tell.Lock()
	defer b.tell.Unlock()
	b.mu.Lock()
	proved := b.isolation == snapshot.Proved
	b.mu.Unlock()
	car := l.sidecar()
	if car == nil || !proved { // it gets the policy when it is let out
		return nil
	}
	return b.instruct(ctx, l, func(ctx context.Context) error {
		policy := b.inForce()
		if err := b.recordable(policy); err != nil {
			return err
		}
		if err := car.SetPolicy(ctx, policy); err != nil {
			return err
		}
		b.settleAsks(policy)
		return nil
	})
}

// instruct tells a sidecar what it is to obey. It is seen through when whoever
// asked goes away: half of it is no rule.
func (b *Bottle) instruct(ctx context.Context, l *live, tell func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), policyTimeout)
	defer cancel()
	if err := tell(ctx); err != nil {
		return b.keepIn(l, err)
	}
	return nil
}

// errKeptIn is the cause where a bottle's way out is shut because its sidecar
// was not given what it is to obey.
var errKeptIn = errors.New("the sidecar was not given its policy")

// keepIn shuts the way out of a bottle whose sidecar may still obey what it was
// told before. The shared timer proves the bottle and tells the sidecar anew.
func (b *Bottle) keepIn(l *live, why error) error {
	if errors.Is(why, sidecar.ErrGone) {
		return why // nothing goes through it; another is on its way
	}
	l.door.shut()
	b.demote()
	cure := fault.Of(why).Cure
	if cure == "" {
		cure = "it is tried again within seconds; if that does not help, stop " + b.name + " and launch it again"
	}
	err := fault.Wrap(why, "the way out of "+b.name+" is shut until it has its policy", cure)
	err.Err = errors.Join(errKeptIn, why)
	b.rack.cfg.Log.Error("a bottle's sidecar was not given its policy; nothing leaves it", "bottle", b.name, "error", why)
	b.set(func() { b.problem = problemOf(err) })
	return err
}

// quietTimeout is how long a sidecar may take to shut itself before it is removed.
const quietTimeout = 5 * time.Second

// quiet shuts the sidecar itself, so that a door may open for a proof while it
// still has an earlier policy. One that does not obey is removed, and replaced.
func (b *Bottle) quiet(ctx context.Context, l *live) error {
	car := l.sidecar()
	if car == nil {
		return nil // the proof says so
	}
	b.tell.Lock()
	defer b.tell.Unlock()
	ctx, cancel := context.WithTimeout(ctx, quietTimeout)
	defer cancel()
	err := car.Shut(ctx)
	if err == nil || errors.Is(err, sidecar.ErrGone) {
		return err
	}
	b.rack.work.Go(func() { _ = car.Close(context.WithoutCancel(ctx)) })
	return fault.Wrap(err, "shutting the sidecar of "+b.name, "another is being started")
}

// Reconfigure gives every running bottle the policy and the credential as they
// are now.
func (r *Rack) Reconfigure(ctx context.Context) { _ = r.each(ctx, (*Bottle).letOut) }

// ApplyPolicies gives every running bottle the policy as it is now. An error
// names those that could not be given it; nothing leaves them until they are.
func (r *Rack) ApplyPolicies(ctx context.Context) error { return r.each(ctx, (*Bottle).applyPolicy) }

// each does something to every running bottle whose proof held, side by side:
// one whose sidecar does not answer keeps no other waiting.
func (r *Rack) each(ctx context.Context, do func(*Bottle, context.Context, *live) error) error {
	r.mu.Lock()
	all := append([]*Bottle(nil), r.bottles...)
	r.mu.Unlock()
	var wg sync.WaitGroup
	errs := make([]error, len(all))
	for i, b := range all {
		b.mu.Lock()
		l, proved := b.live, b.isolation == snapshot.Proved
		b.mu.Unlock()
		if l == nil || !proved || l.sidecar() == nil {
			continue
		}
		wg.Go(func() {
			err := do(b, ctx, l)
			if errs[i] = err; err != nil && !errors.Is(err, errKeptIn) {
				errs[i] = fault.Wrap(err, "giving "+b.name+" its policy", "run bottlebar prove "+b.name+", or stop it")
				r.cfg.Log.Error("giving a bottle its policy", "bottle", b.name, "error", err)
				b.set(func() { b.problem = problemOf(errs[i]) })
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Hits are counters by place. Allowed is by the text of the rule that let
// something through, "host:port" or "api"; Blocked by the host and port that the
// block list refused.
type Hits struct {
	Allowed map[string]int
	Blocked map[Place]int
}

// Place is a host that a guest named, and a port.
type Place struct {
	Host string
	Port uint16
}

// maxPlaces bounds the places that a guest can make us count.
const maxPlaces = 4096

// hits counts decisions by what decided.
type hits struct {
	mu sync.Mutex
	n  Hits
}

func newHits() *hits {
	return &hits{n: Hits{Allowed: map[string]int{}, Blocked: map[Place]int{}}}
}

func (h *hits) add(d egress.Decision) {
	n := max(d.Count, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case d.Kind == egress.Allowed:
		h.n.Allowed[d.Rule] += n
	case d.Kind == egress.APICall && d.Reason == "":
		h.n.Allowed["api"] += n
	case d.Kind == egress.Denied && d.Reason == egress.Blocked:
		p := Place{d.Host, d.Port}
		if _, known := h.n.Blocked[p]; known || len(h.n.Blocked) < maxPlaces {
			h.n.Blocked[p] += n
		}
	}
}

func (h *hits) copy() Hits {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := Hits{Allowed: make(map[string]int, len(h.n.Allowed)), Blocked: make(map[Place]int, len(h.n.Blocked))}
	for k, v := range h.n.Allowed {
		out.Allowed[k] = v
	}
	for k, v := range h.n.Blocked {
		out.Blocked[k] = v
	}
	return out
}
