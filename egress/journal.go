package egress

import (
	"sync"
	"time"
)

const (
	linesPerSecond = 200             // deny lines
	quietFor       = 5 * time.Second // like denies within it become one line
	maxQuiet       = 4096            // kinds of denies that are counted at once
)

// journal passes decisions on. Lines about what was let through always pass,
// and wait until they have: no line, no connection. Denies are gathered by
// host, and dropped with a count when there are too many, so that a flood of
// them can neither fill the channel nor hide the rest.
type journal struct {
	sink func(Decision)

	mu     sync.Mutex
	tokens float64
	filled time.Time
	quiet  map[denyKey]*gathered
	lost   int
	timer  *time.Timer // set while something waits to be told
	closed bool
}

type denyKey struct {
	via, host, sni string
	port           uint16
	reason         Reason
}

type gathered struct {
	d     Decision
	until time.Time
	more  int // beyond the line that was told
}

func newJournal(sink func(Decision)) *journal {
	return &journal{sink: sink, tokens: linesPerSecond, quiet: map[denyKey]*gathered{}}
}

// tell passes d on.
func (j *journal) tell(d Decision) {
	if d.Time.IsZero() {
		d.Time = time.Now().UTC()
	}
	if d.Count == 0 {
		d.Count = 1
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return
	}
	if d.Kind != Denied || d.Canary {
		j.sink(d)
		return
	}
	key := denyKey{d.Via, d.Host, d.SNI, d.Port, d.Reason}
	now := time.Now()
	if g := j.quiet[key]; g != nil && now.Before(g.until) {
		g.more++
		g.d.Time = d.Time
		j.wake()
		return
	}
	if !j.token(now) {
		j.lost++
		j.wake()
		return
	}
	if len(j.quiet) >= maxQuiet {
		j.forget(now)
	}
	if len(j.quiet) < maxQuiet {
		j.quiet[key] = &gathered{d: d, until: now.Add(quietFor)}
	}
	j.sink(d)
}

// ask passes on that something waits for an answer, unless there are too many
// lines: a guest makes these, too.
func (j *journal) ask(d Decision) bool {
	d.Time, d.Count = time.Now().UTC(), 1
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed || !j.token(time.Now()) {
		return false
	}
	j.sink(d)
	return true
}

func (j *journal) token(now time.Time) bool {
	if !j.filled.IsZero() {
		j.tokens = min(linesPerSecond, j.tokens+now.Sub(j.filled).Seconds()*linesPerSecond)
	}
	j.filled = now
	if j.tokens < 1 {
		return false
	}
	j.tokens--
	return true
}

// wake sees to it that what was gathered is told. Called with mu held.
func (j *journal) wake() {
	if j.timer == nil {
		j.timer = time.AfterFunc(quietFor, j.flush)
	}
}

func (j *journal) flush() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.timer = nil
	if j.closed {
		return
	}
	now := time.Now()
	for key, g := range j.quiet {
		if now.Before(g.until) && g.more > 0 {
			continue
		}
		if g.more > 0 {
			d := g.d
			d.Count = g.more
			if j.token(now) {
				j.sink(d)
			} else {
				j.lost += g.more
			}
		}
		if !now.Before(g.until) {
			delete(j.quiet, key)
		}
	}
	if j.lost > 0 {
		j.sink(Decision{Time: now.UTC(), Kind: Lost, Via: "connect", Count: j.lost})
		j.lost = 0
	}
	for _, g := range j.quiet {
		if g.more > 0 {
			j.wake()
			break
		}
	}
}

// forget drops what is past and has nothing left to tell. Called with mu held.
func (j *journal) forget(now time.Time) {
	for key, g := range j.quiet {
		if g.more == 0 && !now.Before(g.until) {
			delete(j.quiet, key)
		}
	}
}

// close stops the timer; what was gathered is told first.
func (j *journal) close() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return
	}
	for _, g := range j.quiet {
		if g.more > 0 {
			d := g.d
			d.Count = g.more
			j.sink(d)
		}
	}
	if j.lost > 0 {
		j.sink(Decision{Time: time.Now().UTC(), Kind: Lost, Via: "connect", Count: j.lost})
	}
	j.closed = true
	if j.timer != nil {
		j.timer.Stop()
	}
}
