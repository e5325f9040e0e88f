package bottle

import (
	"sync"
	"time"
)

// napAtLeast is by how much the two clocks must part: a computer that slept
// shorter than that is looked after as if it had not.
const napAtLeast = 15 * time.Second

// naps notices that this computer slept: the wall clock went on while the
// monotonic one stood still, as it does on macOS and Linux. A wall clock that
// was set is taken for a nap too, which costs one proof.
type naps struct {
	mono func() time.Duration // since some moment, without sleep

	mu   sync.Mutex
	gap  time.Duration
	seen bool
}

// newNaps returns one that goes by this process's own monotonic clock.
func newNaps() *naps {
	began := time.Now()
	return &naps{mono: func() time.Duration { return time.Since(began) }}
}

// slept reports, once for each, that the clocks have parted since the last call.
func (n *naps) slept(now time.Time) bool {
	gap := time.Duration(now.UnixNano()) - n.mono()
	n.mu.Lock()
	defer n.mu.Unlock()
	by := (gap - n.gap).Abs()
	if !n.seen {
		n.seen, n.gap = true, gap
		return false
	}
	if by < napAtLeast {
		return false
	}
	n.gap = gap
	return true
}
