package app

import (
	"context"
	"sync"
	"time"

	"bottlebar.app/snapshot"
)

// pace is the shortest time between two snapshots: a launch or a copy changes
// something many times a second, and nobody can read faster.
const pace = 50 * time.Millisecond

// bus makes a snapshot whenever something changed and hands it to whoever
// watches, the latest only.
type bus struct {
	build func() snapshot.Snapshot
	dirty chan struct{}

	mu       sync.Mutex
	latest   snapshot.Snapshot
	watchers map[chan snapshot.Snapshot]struct{}
}

func newBus(build func() snapshot.Snapshot) *bus {
	return &bus{build: build, dirty: make(chan struct{}, 1), watchers: make(map[chan snapshot.Snapshot]struct{})}
}

// changed says that a new snapshot would differ. It never blocks.
func (b *bus) changed() {
	select {
	case b.dirty <- struct{}{}:
	default:
	}
}

// now makes a snapshot at once.
func (b *bus) now() snapshot.Snapshot {
	s := b.build()
	b.mu.Lock()
	defer b.mu.Unlock()
	s.Revision = b.latest.Revision + 1
	b.latest = s
	return s
}

// run sleeps while nothing changes.
func (b *bus) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			b.mu.Lock()
			for w := range b.watchers {
				close(w)
			}
			b.watchers = nil
			b.mu.Unlock()
			return
		case <-b.dirty:
		}
		s := b.now()
		b.mu.Lock()
		for w := range b.watchers {
			offer(w, s)
		}
		b.mu.Unlock()
		rest := time.NewTimer(pace)
		select {
		case <-rest.C:
		case <-ctx.Done():
			rest.Stop()
		}
	}
}

// offer replaces a snapshot that was not taken yet.
func offer(w chan snapshot.Snapshot, s snapshot.Snapshot) {
	select {
	case <-w:
	default:
	}
	w <- s
}

func (b *bus) watch(ctx context.Context) <-chan snapshot.Snapshot {
	w := make(chan snapshot.Snapshot, 1)
	w <- b.now()
	b.mu.Lock()
	if b.watchers == nil {
		close(w)
		b.mu.Unlock()
		return w
	}
	b.watchers[w] = struct{}{}
	b.mu.Unlock()
	context.AfterFunc(ctx, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if _, ok := b.watchers[w]; ok {
			delete(b.watchers, w)
			close(w)
		}
	})
	return w
}
