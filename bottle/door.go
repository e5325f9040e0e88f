package bottle

import (
	"context"
	"errors"
	"sync"
	"time"

	"bottlebar.app/internal/noway"
	"bottlebar.app/sidecar"
)

// door stands between a bottle's streams and its sidecar. While it is shut no
// stream is carried; shutting it ends those that are.
type door struct {
	mu     sync.Mutex
	opened chan struct{} // closed while it is open
	shutIt context.CancelCauseFunc
	until  context.Context // ends when it is shut
}

// errShut is why streams end when the door is shut.
var errShut = errors.New("the bottle's isolation is being proved again")

// newDoor returns a door that is shut: a proof opens it.
func newDoor() *door { return &door{opened: make(chan struct{})} }

func (d *door) open() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.until == nil {
		d.until, d.shutIt = context.WithCancelCause(context.Background())
		close(d.opened)
	}
}

func (d *door) shut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.until != nil {
		d.shutIt(errShut)
		d.until, d.shutIt, d.opened = nil, nil, make(chan struct{})
	}
}

func (d *door) isShut() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.until == nil
}

// pass waits until the door is open and returns a context that ends when it is
// shut again, or with ctx.
func (d *door) pass(ctx context.Context) (context.Context, context.CancelFunc, error) {
	for {
		d.mu.Lock()
		until, opened := d.until, d.opened
		d.mu.Unlock()
		if until != nil {
			in, cancel := context.WithCancelCause(ctx)
			stop := context.AfterFunc(until, func() { cancel(errShut) })
			return in, func() { stop(); cancel(nil) }, nil
		}
		select {
		case <-opened:
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	}
}

// heldAtMost is how long a guest's stream waits for a door that is shut, or for
// a sidecar; after it the guest is told that there is no way out.
const heldAtMost = 10 * time.Second

// carryOut takes one stream of the guest to the relay, and gives it up where
// none takes it in time: a bottle without a sidecar must not hold up what its
// hooks have to say.
func (l *live) carryOut(ctx context.Context, s resettable) {
	late := time.NewTimer(heldAtMost)
	defer late.Stop()
	select {
	case l.egress <- s:
	case <-late.C:
		_ = noway.Say(s, noWayOut)
		_ = s.Close()
	case <-ctx.Done():
		s.Reset()
	}
}

const noWayOut = "This bottle has no way out at the moment: its isolation is being proved, or its sidecar replaced. Try again in a few seconds."

type resettable interface {
	sidecar.Stream
	Reset()
}
