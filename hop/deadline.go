package hop

import (
	"sync"
	"time"
)

// deadline is a moment that can be moved; passed is closed once it is over.
type deadline struct {
	mu    *sync.Mutex
	timer *time.Timer
	over  chan struct{}
}

func newDeadline() deadline { return deadline{mu: new(sync.Mutex), over: make(chan struct{})} }

func (d *deadline) passed() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.over
}

func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil && !d.timer.Stop() {
		<-d.over // the timer is about to close it
	}
	d.timer = nil
	if isClosed(d.over) {
		d.over = make(chan struct{})
	}
	if t.IsZero() {
		return
	}
	if wait := time.Until(t); wait > 0 {
		over := d.over
		d.timer = time.AfterFunc(wait, func() { close(over) })
		return
	}
	close(d.over)
}
