package ledger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"bottlebar.app/internal/atomicfile"
	"bottlebar.app/internal/fault"
	"bottlebar.app/snapshot"
)

const (
	passedName  = "passed" // allowed, closed, api, canary, policy, probe
	deniedName  = "denied"
	olderName   = "older.json"
	aboutName   = "about.json"
	reserveName = "reserve"

	// recentSize is how many lines are held in memory.
	recentSize = 2000
	// reserveSize is given back to a disk that is full, so that the lines of what
	// was let through before the way out is closed still find room: 8192 may wait.
	reserveSize = 4 << 20
)

// ErrFull is what Add and Ready return while lines cannot be written.
var ErrFull = errors.New("what the bottle reaches cannot be recorded")

// Options are the budgets; zero values are the defaults.
type Options struct {
	Passed  Budget // 16 files of 4 MiB: a quarter of a million lines, then sums
	Denied  Budget // 4 files of 1 MiB
	Reserve int64  // bytes that are kept free for the end; 4 MiB
	Now     func() time.Time
}

func (o Options) withDefaults() Options {
	if o.Passed.Segment == 0 {
		o.Passed = Budget{4 << 20, 16}
	}
	if o.Denied.Segment == 0 {
		o.Denied = Budget{1 << 20, 4}
	}
	if o.Reserve == 0 {
		o.Reserve = reserveSize
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Ledger is one bottle's record. Until Open it is kept in memory alone.
type Ledger struct {
	o   Options
	dir string // empty: in memory alone

	mu     sync.Mutex
	passed stream
	denied stream
	total  tally
	last   uint64
	lost   int   // refusals that could not be written
	full   error // why lines cannot be written
	closed bool

	recent []snapshot.Decision // a ring once it is full
	next   int
	more   chan struct{} // closed when a line came
}

// New returns a ledger in memory.
func New(o Options) *Ledger {
	return &Ledger{o: o.withDefaults(), more: make(chan struct{})}
}

// Open goes on with the record in dir, or begins one; the folder is made. What
// is in memory so far is written, too.
func (l *Ledger) Open(dir string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dir != "" || l.closed {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return opening(err)
	}
	l.passed = stream{dir: dir, name: passedName, budget: l.o.Passed}
	l.denied = stream{dir: dir, name: deniedName, budget: l.o.Denied}
	before := l.list()
	l.recent, l.next, l.total, l.last = nil, 0, tally{}, 0
	var passed, denied []snapshot.Decision
	now := l.o.Now()
	err := l.passed.open(now, tail(&passed))
	if err == nil {
		err = l.denied.open(now, tail(&denied))
	}
	if err != nil {
		l.abandon()
		return opening(err)
	}
	for d := range merged(passed, denied) {
		l.remember(d)
	}
	l.total = sum(l.passed.total, l.denied.total)
	l.last = max(l.passed.last, l.denied.last)
	l.dir = dir
	if err := l.reserve(); err != nil {
		l.abandon()
		return opening(err)
	}
	for _, d := range before {
		if err := l.add(d); err != nil {
			return err
		}
	}
	return nil
}

func opening(err error) error {
	return fault.Wrap(err, "opening a bottle's ledger", "free some space, and look whether Bottlebar's state folder can be written")
}

// abandon goes back to memory alone.
func (l *Ledger) abandon() {
	_ = l.passed.close()
	_ = l.denied.close()
	l.dir = ""
}

// tail keeps the newest lines of a stream, as many as are held in memory.
func tail(into *[]snapshot.Decision) func(snapshot.Decision) {
	return func(d snapshot.Decision) {
		if *into = append(*into, d); len(*into) >= 2*recentSize {
			*into = append((*into)[:0], (*into)[recentSize:]...)
		}
	}
}

func sum(a, b tally) tally {
	return tally{a.Allowed + b.Allowed, a.Blocked + b.Blocked}
}

// Add writes one line. A refusal that cannot be written is counted instead and
// is no error; for anything else an error means that the way out must close.
func (l *Ledger) Add(d snapshot.Decision) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.add(d)
}

func (l *Ledger) add(d snapshot.Decision) error {
	if l.closed {
		return os.ErrClosed
	}
	if d.Time.IsZero() {
		d.Time = l.o.Now()
	}
	d.Time, d.Count = d.Time.UTC(), max(d.Count, 1)
	if refusal(d) {
		l.addRefusal(d)
		return nil
	}
	d.Seq = l.last + 1
	if err := l.writePassed(d); err != nil {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	l.written(d)
	if l.full != nil {
		return fmt.Errorf("%w: %w", ErrFull, l.full)
	}
	return nil
}

// addRefusal writes a refusal, or counts it for a later line.
func (l *Ledger) addRefusal(d snapshot.Decision) {
	if l.lost > 0 {
		lost := snapshot.Decision{Seq: l.last + 1, Time: d.Time, Kind: KindLost, Verdict: VerdictDenied, Rule: "lines dropped", Count: l.lost}
		if l.dir == "" || l.denied.add(lost, d.Time, nil) == nil {
			l.lost = 0
			l.written(lost)
		}
	}
	d.Seq = l.last + 1
	if l.dir != "" && l.denied.add(d, d.Time, nil) != nil {
		l.lost += d.Count
		return
	}
	l.written(d)
}

// writePassed writes a line that is never dropped. One that finds the disk
// full goes into what was kept free for the end.
func (l *Ledger) writePassed(d snapshot.Decision) error {
	if l.dir == "" {
		return nil
	}
	err := l.passed.add(d, d.Time, l.fold)
	if err == nil {
		return nil
	}
	l.full = err
	os.Remove(filepath.Join(l.dir, reserveName))
	return l.passed.add(d, d.Time, nil)
}

// written notes a line that is on record, and wakes who follows.
func (l *Ledger) written(d snapshot.Decision) {
	l.last = d.Seq
	l.total.add(d)
	l.remember(d)
	close(l.more)
	l.more = make(chan struct{})
}

// Ready tells whether lines can be written; after a full disk it tries anew.
// Ask it before a way out is opened.
func (l *Ledger) Ready() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.full == nil || l.dir == "" {
		return nil
	}
	if err := l.reserve(); err != nil {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	l.full = nil
	return nil
}

// Full is why lines cannot be written, or nil.
func (l *Ledger) Full() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.full
}

// reserve takes the room that is given back when the disk is full. It is
// written, not only sized: a hole takes no room.
func (l *Ledger) reserve() error {
	path := filepath.Join(l.dir, reserveName)
	if st, err := os.Lstat(path); err == nil && st.Mode().IsRegular() && st.Size() == l.o.Reserve {
		return nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	block := make([]byte, 64<<10)
	for left := l.o.Reserve; left > 0 && err == nil; left -= int64(len(block)) {
		block = block[:min(int64(len(block)), left)]
		_, err = f.Write(block)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		os.Remove(path)
	}
	return err
}

// Counts are how much was allowed and how much was blocked, ever.
func (l *Ledger) Counts() (allowed, blocked int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.total.Allowed, l.total.Blocked + l.lost
}

// Recent are the latest lines, oldest first.
func (l *Ledger) Recent() []snapshot.Decision {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.list()
}

func (l *Ledger) list() []snapshot.Decision {
	out := make([]snapshot.Decision, 0, len(l.recent))
	return append(append(out, l.recent[l.next:]...), l.recent[:l.next]...)
}

func (l *Ledger) remember(d snapshot.Decision) {
	if len(l.recent) < recentSize {
		l.recent = append(l.recent, d)
		return
	}
	l.recent[l.next] = d
	l.next = (l.next + 1) % recentSize
}

// About says whose ledger a folder is, once the bottle is gone.
type About struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	Artifact string    `json:"artifact"`
	Created  time.Time `json:"created"`
}

// Sign writes whose ledger it is into its folder.
func (l *Ledger) Sign(a About) error {
	l.mu.Lock()
	dir := l.dir
	l.mu.Unlock()
	if dir == "" {
		return nil
	}
	return atomicfile.WriteJSON(aboutPath(dir), a)
}

// Close ends writing, and gives back what was kept free. The record stays.
func (l *Ledger) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	close(l.more)
	if l.dir == "" {
		return nil
	}
	os.Remove(filepath.Join(l.dir, reserveName))
	return errors.Join(l.passed.close(), l.denied.close())
}
