package sidecar

import (
	"context"
	"sync"

	"bottlebar.app/egress"
	"bottlebar.app/sidecar/control"
)

// maxWants is more than a sidecar's API route runs at once; beyond it a wish is
// not heard, and its request is refused after a while.
const maxWants = 64

// spending is what a sidecar tells about tokens: the totals, of which only the
// latest count, and wishes for more.
type spending struct {
	mu      *sync.Mutex
	totals  *egress.Totals
	changed chan struct{}
	wants   chan egress.Want
}

func newSpending() spending {
	return spending{mu: new(sync.Mutex), totals: new(egress.Totals), changed: make(chan struct{}, 1), wants: make(chan egress.Want, maxWants)}
}

// set takes totals in unless later ones are known: those in an answer may have
// been overtaken by an event.
func (s spending) set(n egress.Totals) {
	s.mu.Lock()
	if n.Turn >= s.totals.Turn {
		*s.totals = n
	}
	s.mu.Unlock()
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

func (s spending) wish(w egress.Want) {
	s.set(w.Totals)
	select {
	case s.wants <- w:
	default:
	}
}

// Totals are what the sidecar has counted, as far as it was heard.
func (s *Sidecar) Totals() egress.Totals {
	s.spending.mu.Lock()
	defer s.spending.mu.Unlock()
	return *s.spending.totals
}

// Spent receives after the totals have changed.
func (s *Sidecar) Spent() <-chan struct{} { return s.spending.changed }

// Wants receives the sidecar's wishes for more than it is allowed; each is
// answered by Allow with its ID.
func (s *Sidecar) Wants() <-chan egress.Want { return s.spending.wants }

// Allow replaces what the API route may spend, and answers the wish want if it
// is not 0. It returns the allowance in force, which is never below what is
// spent and held.
func (s *Sidecar) Allow(ctx context.Context, a egress.Allowance, want uint64) (egress.Allowance, error) {
	e, err := s.call(ctx, control.Command{Op: control.Allow, Allow: &a, Want: want})
	if err != nil {
		return egress.Allowance{}, err
	}
	if e.Totals != nil {
		s.spending.set(*e.Totals)
	}
	if e.Allow == nil {
		return a, nil
	}
	return *e.Allow, nil
}

// Watch replaces what is looked for in everything that leaves the bottle.
func (s *Sidecar) Watch(ctx context.Context, decoys []egress.Decoy) error {
	_, err := s.call(ctx, control.Command{Op: control.Watch, Decoys: decoys})
	return err
}

// Reopen opens a sidecar that shut itself when it saw a decoy.
func (s *Sidecar) Reopen(ctx context.Context) error {
	_, err := s.call(ctx, control.Command{Op: control.Reopen})
	return err
}

// Try tests the credential that was configured at the API.
func (s *Sidecar) Try(ctx context.Context) (egress.Trial, error) {
	e, err := s.callWithin(ctx, tryTimeout, control.Command{Op: control.Try})
	if err != nil || e.Trial == nil {
		return egress.Trial{}, err
	}
	return *e.Trial, nil
}
