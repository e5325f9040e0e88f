package terminal

import (
	"sync"
	"time"
)

// beat runs a function on the toolkit's goroutine when woken, at most sixty
// times a second, and sleeps otherwise.
type beat struct {
	post  func(func())
	call  func()
	mu    sync.Mutex
	timer *time.Timer
	due   time.Time // of the timer; zero when none runs
	last  time.Time
	off   bool
}

const beatEvery = time.Second / 60

func newBeat(post func(func()), call func()) *beat { return &beat{post: post, call: call} }

func (b *beat) wake() { b.wakeAt(0) }

// wakeAt runs the function after d, or sooner.
func (b *beat) wakeAt(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.off {
		return
	}
	due := time.Now().Add(d)
	if first := b.last.Add(beatEvery); due.Before(first) {
		due = first
	}
	if !b.due.IsZero() && !due.Before(b.due) {
		return
	}
	b.due = due
	if b.timer == nil {
		b.timer = time.AfterFunc(time.Until(due), b.fire)
		return
	}
	b.timer.Reset(time.Until(due))
}

func (b *beat) fire() {
	b.mu.Lock()
	b.due = time.Time{}
	off := b.off
	// No beat is planned until this one has run: the toolkit may be slow.
	b.last = time.Now().Add(time.Second)
	b.mu.Unlock()
	if off {
		return
	}
	b.post(func() {
		b.mu.Lock()
		b.last, b.due = time.Now(), time.Time{}
		b.timer.Stop()
		off := b.off
		b.mu.Unlock()
		if !off {
			b.call()
		}
	})
}

func (b *beat) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.off = true
	if b.timer != nil {
		b.timer.Stop()
	}
}

// debounce runs a function once things have been quiet for a moment.
type debounce struct {
	post  func(func())
	call  func()
	mu    sync.Mutex
	timer *time.Timer
	off   bool
}

const settle = 60 * time.Millisecond

func (d *debounce) trigger() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.off {
		return
	}
	if d.timer == nil {
		d.timer = time.AfterFunc(settle, func() { d.post(d.call) })
		return
	}
	d.timer.Reset(settle)
}

func (d *debounce) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.off = true
	if d.timer != nil {
		d.timer.Stop()
	}
}
