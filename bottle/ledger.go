package bottle

import (
	"sync"
	"time"

	"bottlebar.app/egress"
	"bottlebar.app/snapshot"
)

// ledgerSize bounds what is remembered of one bottle's decisions.
const ledgerSize = 2000

// ledger remembers the latest decisions of a bottle and counts all of them.
type ledger struct {
	mu               sync.Mutex
	lines            []snapshot.Decision // a ring once it is full
	next             int
	allowed, blocked int
}

func newLedger() *ledger { return new(ledger) }

// add takes one line of the sidecar. The end of an allowed tunnel replaces
// nothing: it is a line of its own with the bytes, and counts once.
func (l *ledger) add(d egress.Decision) {
	line := snapshot.Decision{
		Time: d.Time, Kind: d.Via, Host: d.Host, Port: int(d.Port), Address: d.IP, Rule: d.Rule, Method: d.Method,
		Path: d.Path, Status: d.Status, Up: d.Up, Down: d.Down, Took: time.Duration(d.Millis) * time.Millisecond, Count: max(d.Count, 1),
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch d.Kind {
	case egress.Denied:
		line.Verdict, line.Rule = "denied", string(d.Reason)
		if d.Reason != egress.NotOpen { // the proof's own attempts are nobody's news
			l.blocked += line.Count
		}
	case egress.Lost:
		line.Verdict, line.Rule = "denied", "lines dropped"
		l.blocked += line.Count
	case egress.Allowed:
		line.Verdict = "allowed"
		l.allowed += line.Count
	case egress.APICall:
		line.Verdict = "allowed"
		if d.Reason != "" {
			line.Verdict, line.Rule = "denied", string(d.Reason)
			l.blocked += line.Count
			break
		}
		if line.Rule == "" {
			line.Rule = "api route"
		}
		l.allowed += line.Count
	case egress.Closed:
		line.Verdict = "closed"
	}
	if len(l.lines) < ledgerSize {
		l.lines = append(l.lines, line)
		return
	}
	l.lines[l.next] = line
	l.next = (l.next + 1) % ledgerSize
}

func (l *ledger) counts() (allowed, blocked int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.allowed, l.blocked
}

func (l *ledger) list(name string) []snapshot.Decision {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]snapshot.Decision, 0, len(l.lines))
	out = append(append(out, l.lines[l.next:]...), l.lines[:l.next]...)
	for i := range out {
		out[i].Bottle = name
	}
	return out
}

// denied tells whether a name was refused since a moment, for the proof.
func (l *ledger) denied(host string, since time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range l.lines {
		if d.Verdict == "denied" && d.Host == host && !d.Time.Before(since.Add(-time.Minute)) {
			return true
		}
	}
	return false
}
