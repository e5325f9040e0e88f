package ledger

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"path/filepath"
	"strings"
	"time"

	"bottlebar.app/snapshot"
)

// Query selects lines. Zero values let all pass.
type Query struct {
	After   uint64    // lines whose number is higher
	Since   time.Time // not older
	Verdict string    // "allowed" (its end, too) or "denied"
	Kind    string
	Host    string // a name; "*" stands for any run of characters
}

// Passes tells whether the query selects d.
func (q Query) Passes(d snapshot.Decision) bool {
	switch {
	case d.Seq <= q.After && (q.After > 0 || d.Kind != KindSum),
		!q.Since.IsZero() && d.Time.Before(q.Since),
		q.Kind != "" && d.Kind != q.Kind,
		q.Verdict == VerdictDenied && d.Verdict != VerdictDenied,
		q.Verdict == VerdictAllowed && d.Verdict != VerdictAllowed && d.Verdict != VerdictClosed,
		q.Host != "" && !glob(strings.ToLower(q.Host), strings.ToLower(d.Host)):
		return false
	}
	return true
}

// glob matches s against a pattern in which "*" is any run of characters. Its
// time is the product of both lengths at worst.
func glob(pattern, s string) bool {
	star, mark := -1, 0
	p, i := 0, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && pattern[p] == s[i]:
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// Read yields the lines on record in a folder that a query selects, oldest
// first; before them the sums of those that are no longer kept one by one. It
// may run while the ledger is written.
func Read(dir string, q Query) iter.Seq2[snapshot.Decision, error] {
	return func(yield func(snapshot.Decision, error) bool) {
		if q.After == 0 {
			for _, d := range readOlder(dir).lines() {
				if q.Passes(d) && !yield(d, nil) {
					return
				}
			}
		}
		for d, err := range merge(readStream(dir, passedName, q.Since), readStream(dir, deniedName, q.Since)) {
			if err != nil {
				yield(d, err)
				return
			}
			if q.Passes(d) && !yield(d, nil) {
				return
			}
		}
	}
}

// readStream yields the lines of one stream. Files that end before since are
// not opened.
func readStream(dir, name string, since time.Time) iter.Seq2[snapshot.Decision, error] {
	return func(yield func(snapshot.Decision, error) bool) {
		all, err := numbers(dir, name)
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				yield(snapshot.Decision{}, err)
			}
			return
		}
		s := stream{dir: dir, name: name}
		for i, n := range all {
			if i+1 < len(all) && !since.IsZero() {
				if next, err := readHead(s.path(all[i+1])); err == nil && next.Begun.Before(since) {
					continue
				}
			}
			for d, err := range readFile(s.path(n)) {
				if !yield(d, err) || err != nil {
					return
				}
			}
		}
	}
}

// merge puts two streams together by the lines' numbers.
func merge(a, b iter.Seq2[snapshot.Decision, error]) iter.Seq2[snapshot.Decision, error] {
	return func(yield func(snapshot.Decision, error) bool) {
		nextA, stopA := iter.Pull2(a)
		defer stopA()
		nextB, stopB := iter.Pull2(b)
		defer stopB()
		da, erra, okA := nextA()
		db, errb, okB := nextB()
		for okA || okB {
			if okA && (!okB || erra != nil || (errb == nil && da.Seq <= db.Seq)) {
				if !yield(da, erra) {
					return
				}
				da, erra, okA = nextA()
				continue
			}
			if !yield(db, errb) {
				return
			}
			db, errb, okB = nextB()
		}
	}
}

// merged is merge for lines in memory.
func merged(a, b []snapshot.Decision) iter.Seq[snapshot.Decision] {
	return func(yield func(snapshot.Decision) bool) {
		for len(a) > 0 || len(b) > 0 {
			from := &a
			if len(a) == 0 || len(b) > 0 && b[0].Seq < a[0].Seq {
				from = &b
			}
			if !yield((*from)[0]) {
				return
			}
			*from = (*from)[1:]
		}
	}
}

// Each calls each for the lines that a query selects, oldest first. With
// follow it goes on with those that come, until ctx ends, each returns an
// error, or the ledger is closed. However slow each is, nothing is left out
// that is still on record, and the ledger never waits.
func (l *Ledger) Each(ctx context.Context, q Query, follow bool, each func([]snapshot.Decision) error) error {
	for {
		l.mu.Lock()
		dir, more, closed, last := l.dir, l.more, l.closed, l.last
		recent := l.list()
		l.mu.Unlock()
		lines := Read(dir, q)
		if dir == "" || (q.After > 0 && (len(recent) == 0 || recent[0].Seq <= q.After+1)) {
			lines = inMemory(recent, q)
		}
		seen, err := inBatches(ctx, lines, each)
		if err != nil {
			return err
		}
		q.After = max(q.After, last, seen)
		if !follow || closed {
			return nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// inBatches calls each for some lines at a time, and returns the highest
// number among them.
func inBatches(ctx context.Context, lines iter.Seq2[snapshot.Decision, error], each func([]snapshot.Decision) error) (uint64, error) {
	const size = 256
	var seen uint64
	var batch []snapshot.Decision
	for d, err := range lines {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return seen, err
		}
		seen = max(seen, d.Seq)
		if batch = append(batch, d); len(batch) < size {
			continue
		}
		if err := each(batch); err != nil {
			return seen, err
		}
		batch = nil
	}
	if len(batch) == 0 {
		return seen, nil
	}
	return seen, each(batch)
}

func inMemory(all []snapshot.Decision, q Query) iter.Seq2[snapshot.Decision, error] {
	return func(yield func(snapshot.Decision, error) bool) {
		for _, d := range all {
			if q.Passes(d) && !yield(d, nil) {
				return
			}
		}
	}
}

// Dir is where the ledger lies; empty while it is in memory alone.
func (l *Ledger) Dir() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dir
}

// aboutPath is where a folder says whose ledger it is.
func aboutPath(dir string) string { return filepath.Join(dir, aboutName) }
