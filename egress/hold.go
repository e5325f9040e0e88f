package egress

import (
	"context"
	"time"
)

const (
	maxHeld  = 16               // requests that wait for an answer at once
	longHold = 30 * time.Second // the longest that one waits
)

// Hold makes the first request to an unlisted place wait for a person's
// answer, which is a change of policy, instead of being refused at once. Its
// name is not looked up meanwhile.
type Hold struct {
	// Millis is how long a request waits, at most 30 s.
	Millis int64 `json:"ms"`
	// Except are names that were answered with no: they are refused at once.
	Except []string `json:"except,omitempty"`
}

// hold is the compiled form.
type hold struct {
	wait   time.Duration
	except map[string]bool
}

func (h *Hold) compile() hold {
	if h == nil || h.Millis <= 0 {
		return hold{}
	}
	out := hold{wait: min(time.Duration(min(h.Millis, longHold.Milliseconds()))*time.Millisecond, longHold), except: make(map[string]bool, len(h.Except))}
	for _, name := range h.Except {
		if n, _, err := normalise(name); err == nil {
			out.except[n] = true
		}
	}
	return out
}

// may tells whether a request to host waits.
func (h hold) may(host string) bool { return h.wait > 0 && !h.except[host] }

// admitHeld is admit that waits for an answer where the policy says so: until a
// policy lets the request through, or names it, or the time is over, or the
// client hangs up.
func (p *Proxy) admitHeld(ctx context.Context, t Target, d Decision) (*flow, Reason) {
	f, why := p.admit(ctx, t, false)
	if why != NotAllowed {
		return f, why
	}
	return p.awaitAnswer(ctx, t, d)
}

// awaitAnswer holds a request that no rule names.
func (p *Proxy) awaitAnswer(ctx context.Context, t Target, d Decision) (*flow, Reason) {
	wait, changed := p.startHold(t)
	if wait == 0 {
		return nil, NotAllowed
	}
	defer p.endHold()
	// The answer may have come between the refusal and the watch for it.
	if f, now := p.admit(ctx, t, false); now != NotAllowed {
		return f, now
	}
	d.Kind, d.Millis = Held, wait.Milliseconds()
	if !p.journal.ask(d) {
		return nil, NotAllowed // too many lines already: nobody would see the question
	}
	over := time.NewTimer(wait)
	defer over.Stop()
	for {
		select {
		case <-changed:
		case <-over.C:
			return nil, NotAllowed
		case <-ctx.Done():
			return nil, NotAllowed
		}
		f, now := p.admit(ctx, t, false)
		if now != NotAllowed {
			return f, now
		}
		if changed = p.stillHeld(t); changed == nil {
			return nil, NotAllowed
		}
	}
}

// startHold takes a place among those that wait; 0 when there is none, or when
// the policy lets nobody wait.
func (p *Proxy) startHold(t Target) (time.Duration, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.rules.hold.may(t.Host) || p.held >= maxHeld || p.done {
		return 0, nil
	}
	p.held++
	return p.rules.hold.wait, p.changed
}

func (p *Proxy) endHold() {
	p.mu.Lock()
	p.held--
	p.mu.Unlock()
}

// stillHeld is what to wait for next, nil when the policy answers with no.
func (p *Proxy) stillHeld(t Target) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.open || p.done || !p.rules.hold.may(t.Host) {
		return nil
	}
	return p.changed
}

// tellHeld wakes those that wait. Called with mu held, after what they look at
// has changed.
func (p *Proxy) tellHeld() {
	close(p.changed)
	p.changed = make(chan struct{})
}
