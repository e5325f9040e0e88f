package sidecar

import (
	"sync"

	"bottlebar.app/egress"
)

// maxQueue is how many lines may wait for their reader.
const maxQueue = 8192

// queue hands decisions from the goroutine that reads a sidecar's output to
// whoever wants them, without one holding up the other for long.
type queue struct {
	out chan egress.Decision

	mu       sync.Mutex
	waiting  []egress.Decision
	lost     int
	finished bool
	changed  chan struct{} // has a value when there may be something new
	room     chan struct{} // has a value when there may be room
	quit     chan struct{} // the reader is gone
	once     sync.Once
	wg       sync.WaitGroup
}

func newQueue() *queue {
	q := &queue{
		out: make(chan egress.Decision), changed: make(chan struct{}, 1),
		room: make(chan struct{}, 1), quit: make(chan struct{}),
	}
	q.wg.Go(q.run)
	return q
}

// put adds d. When too many wait, a deny is counted instead, and anything else
// waits until there is room or done is closed.
func (q *queue) put(d egress.Decision, done <-chan struct{}) {
	for {
		q.mu.Lock()
		if len(q.waiting) < maxQueue {
			if q.lost > 0 {
				q.waiting = append(q.waiting, egress.Decision{Time: d.Time, Kind: egress.Lost, Count: q.lost})
				q.lost = 0
			}
			q.waiting = append(q.waiting, d)
			q.mu.Unlock()
			poke(q.changed)
			return
		}
		if d.Kind == egress.Denied && !d.Canary {
			q.lost += d.Count
			q.mu.Unlock()
			return
		}
		q.mu.Unlock()
		select {
		case <-q.room:
		case <-done:
			return
		}
	}
}

// finish closes out once what waits has been read.
func (q *queue) finish() {
	q.mu.Lock()
	q.finished = true
	q.mu.Unlock()
	poke(q.changed)
}

// close closes out now and waits for that.
func (q *queue) close() {
	q.once.Do(func() { close(q.quit) })
	q.wg.Wait()
}

func (q *queue) run() {
	defer close(q.out)
	for {
		q.mu.Lock()
		batch := q.waiting
		q.waiting = nil
		finished := q.finished
		q.mu.Unlock()
		poke(q.room)
		for _, d := range batch {
			select {
			case q.out <- d:
			case <-q.quit:
				return
			}
		}
		if len(batch) > 0 {
			continue
		}
		if finished {
			return
		}
		select {
		case <-q.changed:
		case <-q.quit:
			return
		}
	}
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
