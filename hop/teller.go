package hop

import (
	"sync"
	"time"
)

// teller thins what a guest can cause at will: per kind a few at once, then
// one in five seconds, with the number of those left out.
type teller struct {
	log func(Happening)

	mu      sync.Mutex
	buckets map[EventKind]*bucket
	dropped map[EventKind]int64
}

func newTeller(log func(Happening)) *teller {
	return &teller{log: log, buckets: map[EventKind]*bucket{}, dropped: map[EventKind]int64{}}
}

func (t *teller) tell(h Happening) {
	if t.log == nil {
		return
	}
	t.mu.Lock()
	b := t.buckets[h.Kind]
	if b == nil {
		b = &bucket{rate: 0.2, burst: 10, level: 10, last: time.Now()}
		t.buckets[h.Kind] = b
	}
	if !b.take(time.Now()) {
		t.dropped[h.Kind]++
		t.mu.Unlock()
		return
	}
	if h.Number == 0 {
		h.Number = t.dropped[h.Kind]
	}
	t.dropped[h.Kind] = 0
	t.mu.Unlock()
	t.log(h)
}
