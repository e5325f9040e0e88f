package sidecar

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"
)

const (
	beatEvery = 10 * time.Second
	// refillAfter keeps the next warm one out of the way of the launch that
	// took the last.
	refillAfter = 5 * time.Second
)

// FleetOptions are what a Fleet needs besides its driver.
type FleetOptions struct {
	// Beat tells when to renew the leases; nil means a clock of the fleet's
	// own, every 10 s, which runs only while there is something to renew.
	Beat <-chan time.Time
	// Cold makes sidecars only when they are asked for.
	Cold bool
	Log  *slog.Logger // nil: none
}

// Fleet hands out sidecars and keeps one warm, so that a launch need not wait
// for a container to start. It renews the leases of all that it handed out.
type Fleet struct {
	driver Driver
	opt    FleetOptions
	log    *slog.Logger
	ctx    context.Context
	stop   context.CancelFunc
	wg     sync.WaitGroup

	starting sync.RWMutex // held for reading while one is made to be handed out

	mu     sync.Mutex
	closed bool
	warm   *Sidecar
	making chan struct{} // closed when the warm one that is being made is there, or failed
	later  *time.Timer
	live   map[*Sidecar]struct{} // handed out or warm
	beat   bool                  // the clock runs
}

// NewFleet returns a fleet of d's sidecars. Call Warm to have the first made.
func NewFleet(d Driver, o FleetOptions) *Fleet {
	f := &Fleet{driver: d, opt: o, log: o.Log, live: map[*Sidecar]struct{}{}}
	if f.log == nil {
		f.log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	f.ctx, f.stop = context.WithCancel(context.Background())
	return f
}

// Driver is the driver's kind.
func (f *Fleet) Driver() string { return f.driver.Kind() }

// Warm has the warm sidecar made in the background, if there is none. It is
// tried once; Claim tries again.
func (f *Fleet) Warm() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || f.opt.Cold || f.warm != nil || f.making != nil {
		return
	}
	made := make(chan struct{})
	f.making = made
	f.wg.Go(func() {
		s, err := f.driver.Start(f.ctx, true)
		f.mu.Lock()
		f.making = nil
		if err == nil && !f.closed {
			f.warm = s
			f.track(s)
			s = nil
		}
		f.mu.Unlock()
		close(made)
		if err != nil && f.ctx.Err() == nil {
			f.log.Warn("no sidecar is kept ready", "why", err)
		}
		if s != nil && err == nil {
			_ = s.Close(context.Background())
		}
	})
}

// Claim returns a sidecar that serves health and echo only: the warm one when
// it is there, else a new one.
func (f *Fleet) Claim(ctx context.Context) (*Sidecar, error) {
	f.mu.Lock()
	making := f.making
	f.mu.Unlock()
	if making != nil {
		select {
		case <-making:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return nil, errClosed
	}
	s := f.warm
	f.warm = nil
	f.mu.Unlock()
	defer f.refill()
	if s != nil {
		if !s.isDone() {
			return s, nil
		}
		_ = s.Close(ctx)
	}
	f.starting.RLock() // until it is ours, a sweep would take it for nobody's
	defer f.starting.RUnlock()
	s, err := f.driver.Start(ctx, false)
	if err != nil {
		return nil, err
	}
	return f.keep(s)
}

var errClosed = errors.New("the fleet is closed")

// Adopt takes over a sidecar of an earlier run of the app, by its handle. It
// comes back closed, without policy and credential. ErrNotAdoptable when it is
// not there any more.
func (f *Fleet) Adopt(ctx context.Context, h Handle) (*Sidecar, error) {
	s, err := f.driver.Adopt(ctx, h)
	if err != nil {
		return nil, err
	}
	return f.keep(s)
}

// Sweep removes what earlier runs of this app left behind, except the sidecars
// whose IDs are in keep and those that this fleet handed out. It returns the
// IDs it removed.
func (f *Fleet) Sweep(ctx context.Context, keep []string) ([]string, error) {
	f.mu.Lock()
	making := f.making
	f.mu.Unlock()
	if making != nil {
		// One that is half made has no owner yet and would be swept.
		select {
		case <-making:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	f.starting.Lock()
	defer f.starting.Unlock()
	f.mu.Lock()
	all := append([]string(nil), keep...)
	for s := range f.live {
		all = append(all, s.ID())
	}
	f.mu.Unlock()
	return f.driver.Sweep(ctx, all)
}

// Close removes the warm sidecar and lets go of the driver. Those that were
// handed out go on, without their lease being renewed, for the next run to
// adopt.
func (f *Fleet) Close(ctx context.Context) error {
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return nil
	}
	f.closed = true
	warm := f.warm
	f.warm = nil
	if f.later != nil {
		f.later.Stop()
	}
	f.mu.Unlock()
	f.stop()
	f.wg.Wait()
	var err error
	if warm != nil {
		err = warm.Close(ctx)
	}
	return errors.Join(err, f.driver.Close())
}

func (f *Fleet) keep(s *Sidecar) (*Sidecar, error) {
	f.mu.Lock()
	if !f.closed {
		defer f.mu.Unlock()
		f.track(s)
		return s, nil
	}
	f.mu.Unlock()
	return nil, errors.Join(errClosed, s.Close(context.Background()))
}

// refill makes the next warm one, a little later.
func (f *Fleet) refill() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || f.opt.Cold {
		return
	}
	if f.later != nil {
		f.later.Stop()
	}
	f.later = time.AfterFunc(refillAfter, f.Warm)
}

// track renews s's lease from now on. Called with mu held.
func (f *Fleet) track(s *Sidecar) {
	f.live[s] = struct{}{}
	f.wg.Go(func() {
		select {
		case <-s.Done():
		case <-f.ctx.Done():
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.live, s)
	})
	if !f.beat {
		f.beat = true
		f.wg.Go(f.renew)
	}
}

// renew pings every sidecar on each beat, while there are any.
func (f *Fleet) renew() {
	beat := f.opt.Beat
	if beat == nil {
		t := time.NewTicker(beatEvery)
		defer t.Stop()
		beat = t.C
	}
	for {
		select {
		case <-f.ctx.Done():
			return
		case <-beat:
		}
		f.mu.Lock()
		all := make([]*Sidecar, 0, len(f.live))
		for s := range f.live {
			all = append(all, s)
		}
		if len(all) == 0 && f.opt.Beat == nil {
			f.beat = false
			f.mu.Unlock()
			return
		}
		f.mu.Unlock()
		for _, s := range all {
			s.ping()
		}
	}
}
