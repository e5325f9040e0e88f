package bottle

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"time"

	"bottlebar.app/bottle/ledger"
	"bottlebar.app/egress"
	"bottlebar.app/snapshot"
)

const (
	maxAsks  = 20   // places of one bottle that have a row of their own
	maxNames = 4096 // further names that are told apart
)

// asks are the places that a bottle wanted and no rule names: one row each,
// however often it asks. A flood of names becomes one number, and takes no
// more room than that.
type asks struct {
	mu    sync.Mutex
	id    string // of the bottle
	rows  []snapshot.Ask
	muted func(host string, port int) bool // places that nobody is to be asked about
	seed  maphash.Seed
	names map[uint64]struct{} // beyond the rows
	more  int                 // how often they asked
	no    []string            // hosts that were answered with no while they waited
	news  int                 // rows and names that came, ever
}

func newAsks(id string) *asks { return &asks{id: id, seed: maphash.MakeSeed()} }

// asksFor tells whether a line is of a place that a rule could open.
func asksFor(d snapshot.Decision) bool {
	return d.Verdict == ledger.VerdictDenied && d.Rule == string(egress.NotAllowed) && d.Host != "" && d.Port != 0 &&
		(d.Kind == "connect" || d.Kind == "http")
}

// saw takes a line of the record.
func (a *asks) saw(d snapshot.Decision, now time.Time) {
	held := d.Verdict == verdictHeld
	if !held && !asksFor(d) {
		return
	}
	a.mu.Lock()
	known := a.find(d.Host, d.Port) >= 0
	a.mu.Unlock()
	// Asked without the lock: whoever answers may look at the bottle.
	if !known && a.muted != nil && a.muted(d.Host, d.Port) {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if i := a.find(d.Host, d.Port); i >= 0 {
		a.rows[i].Last = d.Time
		if held {
			a.rows[i].HeldUntil = heldUntil(d, now)
		} else {
			a.rows[i].Count += d.Count
			a.rows[i].HeldUntil = nil
		}
		return
	}
	if len(a.rows) >= maxAsks && !held {
		a.overflow(d)
		return
	}
	if len(a.rows) >= maxAsks { // one that waits is worth more than the oldest that does not
		a.rows = slices.Delete(a.rows, 0, 1)
	}
	row := snapshot.Ask{Host: d.Host, Port: d.Port, Kind: d.Kind, First: d.Time, Last: d.Time, Count: d.Count}
	if held {
		row.Count, row.HeldUntil = 1, heldUntil(d, now)
	}
	row.ID, row.Hash = askID(a.id, d.Host, d.Port, d.Time), askHash(a.id, row)
	a.rows = append(a.rows, row)
	a.news++
}

func (a *asks) overflow(d snapshot.Decision) {
	a.more += d.Count
	if len(a.names) >= maxNames {
		return
	}
	if a.names == nil {
		a.names = make(map[uint64]struct{})
	}
	key := maphash.String(a.seed, fmt.Sprintf("%s:%d", d.Host, d.Port))
	if _, ok := a.names[key]; !ok {
		a.names[key] = struct{}{}
		a.news++
	}
}

func (a *asks) find(host string, port int) int {
	return slices.IndexFunc(a.rows, func(r snapshot.Ask) bool { return r.Host == host && r.Port == port })
}

// view is the rows as they are shown, the newest first, and what has none.
func (a *asks) view() snapshot.Asks {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := snapshot.Asks{Rows: slices.Clone(a.rows), MoreNames: len(a.names), MoreCount: a.more, News: a.news}
	slices.SortStableFunc(out.Rows, func(x, y snapshot.Ask) int {
		if c := y.First.Compare(x.First); c != 0 {
			return c
		}
		return strings.Compare(x.ID, y.ID)
	})
	return out
}

// take returns the row that an answer is about and removes it; false when the
// row is not there or is not what was drawn.
func (a *asks) take(id, hash string) (snapshot.Ask, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	i := slices.IndexFunc(a.rows, func(r snapshot.Ask) bool { return r.ID == id && r.Hash == hash })
	if i < 0 || id == "" || hash == "" {
		return snapshot.Ask{}, false
	}
	row := a.rows[i]
	a.rows = slices.Delete(a.rows, i, i+1)
	return row, true
}

// putBack restores a row whose answer could not be carried out.
func (a *asks) putBack(row snapshot.Ask) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.find(row.Host, row.Port) < 0 {
		a.rows = append(a.rows, row)
	}
}

// settle removes the rows that a policy answers by now.
func (a *asks) settle(answered func(host string, port int) bool) {
	gone := make(map[string]bool)
	for _, r := range a.view().Rows {
		gone[r.ID] = answered(r.Host, r.Port)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.rows = slices.DeleteFunc(a.rows, func(r snapshot.Ask) bool { return gone[r.ID] })
}

// clear forgets all rows and names.
func (a *asks) clear() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.rows, a.names, a.more = nil, nil, 0
}

// maxNo bounds the hosts that are remembered as refused: they wait again once
// others have taken their place.
const maxNo = 64

// refuse remembers that a host is not to wait for an answer any more.
func (a *asks) refuse(host string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if slices.Contains(a.no, host) {
		return
	}
	if a.no = append(a.no, host); len(a.no) > maxNo {
		a.no = slices.Delete(a.no, 0, 1)
	}
}

// allow takes a host out of those again.
func (a *asks) allow(host string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.no = slices.DeleteFunc(a.no, func(h string) bool { return h == host })
}

func (a *asks) refused() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.no)
}

// askID names one appearance of a row: a place that comes again after it was
// answered is another row.
func askID(bottle, host string, port int, first time.Time) string {
	return digest("ask", bottle, host, fmt.Sprint(port), first.UTC().Format(time.RFC3339Nano))
}

// askHash stands for what a person reads of a row when they answer it.
func askHash(bottle string, r snapshot.Ask) string {
	return digest("row", bottle, r.ID, r.Kind, r.Host, fmt.Sprint(r.Port))
}

func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:8])
}

const verdictHeld = ledger.VerdictHeld

// heldUntil is when the sidecar gives up; the line tells for how long it waits.
func heldUntil(d snapshot.Decision, now time.Time) *time.Time {
	t := now.Add(d.Took)
	return &t
}
