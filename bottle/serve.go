package bottle

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"bottlebar.app/egress"
	"bottlebar.app/hop"
	"bottlebar.app/sidecar"
	"bottlebar.app/smolvm"
	"bottlebar.app/snapshot"
)

func number(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

// happened is told what goes on at the pipe; it must not block.
func (b *Bottle) happened(h hop.Happening) {
	b.diary.add(b.rack.cfg.Now(), h)
	log := b.rack.cfg.Log.With("bottle", b.name, "what", h.Text)
	switch h.Kind {
	case hop.EventUp:
		b.set(func() { b.helper = false })
	case hop.EventLost:
		b.set(func() { b.helper = b.state == snapshot.Ready })
	case hop.EventBreach, hop.EventSecond:
		log.Warn("the guest broke a rule of the pipe", "error", h.Err, "number", h.Number)
		b.set(func() {
			b.problem = &snapshot.Problem{
				What: "the pipe of " + b.name, Why: hop.Clean(h.Text, 200),
				Cure: "look at what runs in the bottle; stop it if you do not know",
			}
		})
	default:
		log.Log(context.Background(), slog.LevelDebug, "pipe", "kind", h.Kind, "error", h.Err)
	}
}

// receive takes the guest's streams, session after session: egress goes to the
// relay, events are answered.
func (b *Bottle) receive(ctx context.Context, l *live) {
	for {
		s, err := l.listener.Session(ctx)
		if err != nil {
			return
		}
		for {
			in, err := s.Accept(ctx)
			if err != nil {
				break
			}
			switch in.Type {
			case hop.Egress:
				b.rack.noticeSleep()
				l.work.Go(func() { l.carryOut(ctx, in.Stream) })
			case hop.Event:
				b.heard(in.Event)
				_ = in.Reply(nil)
			default:
				in.Reset()
			}
		}
		if ctx.Err() != nil {
			return
		}
		b.lost(ctx, l)
	}
}

// lost is called when the helper's session ended. A helper that lives dials
// again within a second; if the machine has stopped, the bottle has too.
func (b *Bottle) lost(ctx context.Context, l *live) {
	for wait := time.Second; ; wait = min(2*wait, 10*time.Second) {
		back, cancel := context.WithTimeout(ctx, wait+time.Second)
		_, err := l.listener.Session(back)
		cancel()
		if err == nil || ctx.Err() != nil {
			return
		}
		m, err := l.client.Status(ctx, machineName)
		if err == nil && (m.State == smolvm.StateStopped || m.State == smolvm.StateCreated) || errors.Is(err, smolvm.ErrUnknownMachine) {
			b.rack.work.Go(func() { b.stoppedByItself() })
			return
		}
	}
}

// relay carries the guest's connections to the sidecar; when the sidecar dies
// the bottle has no way out until another has been proved.
func (b *Bottle) relay(ctx context.Context, l *live) {
	car := l.sidecar()
	if car == nil || ctx.Err() != nil {
		return
	}
	l.lines.Go(func() { b.account(ctx, car) })
	drained := make(chan struct{})
	l.lines.Go(func() {
		defer close(drained)
		for d := range car.Decisions() {
			b.record(l, car, d)
			if d.Kind == egress.Canary {
				b.tripped(egress.Trip{Time: d.Time, Decoy: d.Rule, Via: d.Via, Host: d.Host, Port: d.Port})
			}
			b.rack.cfg.Changed()
		}
	})
	err := b.relayWhileOpen(ctx, l, car)
	if ctx.Err() != nil {
		return // the sidecar goes on, or its undo ends it and the decisions with it
	}
	b.rack.cfg.Log.Info("relay ended", "bottle", b.name, "error", err)
	select {
	case <-car.Done():
	case <-ctx.Done():
		return
	}
	<-drained
	l.setSidecar(nil)
	b.rack.work.Go(func() { b.renewSidecar(car.Err()) })
}

// relayWhileOpen relays whenever the door is open, until the sidecar or ctx ends.
func (b *Bottle) relayWhileOpen(ctx context.Context, l *live, car *sidecar.Sidecar) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	over := make(chan struct{})
	defer close(over)
	l.work.Go(func() { // one that dies behind a shut door is replaced, too
		select {
		case <-car.Done():
			cancel(sidecar.ErrGone)
		case <-over:
		}
	})
	for {
		open, done, err := l.door.pass(ctx)
		if err != nil {
			return err
		}
		err = sidecar.Relay(open, source{l.egress}, car, new(sidecar.Traffic))
		done()
		if !errors.Is(err, errShut) {
			return err
		}
	}
}

// source hands the guest's egress streams to the relay.
type source struct{ streams <-chan resettable }

func (s source) Accept(ctx context.Context) (sidecar.Stream, error) {
	select {
	case st := <-s.streams:
		return st, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// watch looks after running bottles once per tick: it is the only timer.
func (r *Rack) watch(ctx context.Context, tick <-chan time.Time) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick:
		}
		r.noticeSleep()
		r.lookAfter(ctx)
	}
}

// lookAfter looks once at every running bottle.
func (r *Rack) lookAfter(ctx context.Context) {
	var in *smolvm.Install
	for _, b := range r.all() {
		b.mu.Lock()
		l, state := b.live, b.state
		b.mu.Unlock()
		if l == nil || state != snapshot.Ready {
			continue
		}
		if in == nil {
			in, _ = r.cfg.Install(ctx) // one that is gone for a moment is being updated
		}
		b.look(ctx, l)
		b.checkBudget(l)
		b.checkDue(l, in)
	}
}
