package bottle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"bottlebar.app/snapshot"
)

func TestClocksThatPartAreASleepAndClocksThatGoTogetherAreNone(t *testing.T) {
	mono, wall := time.Duration(0), time.Unix(1_800_000_000, 0)
	n := &naps{mono: func() time.Duration { return mono }}
	go2 := func(w, m time.Duration) bool {
		wall, mono = wall.Add(w), mono+m
		return n.slept(wall)
	}
	if go2(0, 0) || go2(time.Hour, time.Hour) || go2(10*time.Second, time.Second) {
		t.Error("a sleep where there was none")
	}
	if !go2(time.Hour, time.Second) {
		t.Error("an hour of sleep was not seen")
	}
	if go2(time.Second, time.Second) {
		t.Error("one sleep was seen twice")
	}
	if !go2(-time.Hour, time.Second) {
		t.Error("a clock that was set back was not seen")
	}
	// Small steps of a clock that is being set add up to a nap at some time.
	seen := false
	for range 20 {
		seen = go2(2*time.Second, time.Second) || seen
	}
	if !seen {
		t.Error("a clock that creeps away was never seen")
	}
}

// guestStream is one stream of a guest, whose other end the test has.
type guestStream struct {
	net.Conn
	reset atomic.Bool
}

func (s *guestStream) CloseWrite() error { return s.Close() }
func (s *guestStream) Reset()            { s.reset.Store(true); _ = s.Close() }

func TestNothingPassesADoorThatIsShut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor()
		if !d.isShut() {
			t.Error("it is open before anything is proved")
		}
		d.open()
		in, done, err := d.pass(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer done()
		d.shut()
		synctest.Wait()
		if !errors.Is(context.Cause(in), errShut) {
			t.Errorf("what was let in before goes on: %v", context.Cause(in))
		}
		passed := atomic.Bool{}
		go func() {
			if _, done, err := d.pass(t.Context()); err == nil {
				passed.Store(true)
				done()
			}
		}()
		time.Sleep(time.Hour) //nolint:forbidigo // of the bubble's own time
		if synctest.Wait(); passed.Load() {
			t.Error("passed while it is shut")
		}
		d.open()
		d.open()
		if synctest.Wait(); !passed.Load() {
			t.Error("did not pass once it was open")
		}
		d.shut()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := d.pass(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("waiting ended with %v", err)
		}
	})
}

// While there is no relay the guest's streams wait, then are told; and nothing
// else waits for them.
func TestAStreamThatNobodyCarriesIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &live{egress: make(chan resettable)}
		ours, theirs := net.Pipe()
		s := &guestStream{Conn: ours}
		began := time.Now()
		go l.carryOut(t.Context(), s)
		said, err := io.ReadAll(theirs)
		if err != nil || !strings.HasPrefix(string(said), "HTTP/1.1 503 ") || !strings.Contains(string(said), noWayOut) || s.reset.Load() {
			t.Errorf("the stream says %q and ends with %v, reset %v", said, err, s.reset.Load())
		}
		if took := time.Since(began); took != heldAtMost {
			t.Errorf("it was held for %v", took)
		}
	})
}

func TestEvidenceIsBoundedByNumberAgeAndSize(t *testing.T) {
	dir := t.TempDir()
	now := time.Unix(1_800_000_000, 0)
	r := &Rack{cfg: Config{Paths: Paths{Evidence: dir}, Now: func() time.Time { return now }}}
	folder := func(i int, age time.Duration) string {
		path := filepath.Join(dir, fmt.Sprintf("aaaaaa%c%c", 'a'+i/26, 'a'+i%26))
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, now.Add(-age), now.Add(-age)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for i := range 15 {
		folder(i, time.Duration(i)*time.Hour)
	}
	foreign := filepath.Join(dir, "somebody-elses")
	if err := os.Mkdir(foreign, 0o700); err != nil {
		t.Fatal(err)
	}
	old := folder(20, evidenceAge+time.Hour)
	r.pruneEvidence(old) // the one that is being written
	left, _ := os.ReadDir(dir)
	if len(left) != evidenceKept+1 {
		t.Errorf("%d folders are left", len(left))
	}
	for _, keep := range []string{foreign, old} {
		if _, err := os.Stat(keep); err != nil {
			t.Error(err)
		}
	}
	r.pruneEvidence("")
	if _, err := os.Stat(old); err == nil {
		t.Error("an old folder is kept")
	}
	if got := tail(strings.Repeat("x", evidenceFile)+"end", evidenceFile); len(got) != evidenceFile || !strings.HasSuffix(got, "end") {
		t.Errorf("a file of %d bytes", len(got))
	}
}

// What could not be tried is no miss, and no proof either.
func TestWhatCouldNotBeTriedIsNoMissAndNoProof(t *testing.T) {
	p := new(proof)
	out := p.under(groupWay, byGuest)
	out.add("a", "look", "x", "x", true)
	out.untried("b", "ask", "y", errors.Join(errors.New("one"), errors.New("two")))
	p.verdict()
	if err := p.outcome(); p.report.Holds || !errors.Is(err, errUntried) || errors.Is(err, errProof) {
		t.Errorf("holds %v, %v", p.report.Holds, err)
	}
	out.untried("c", "ask", "y", errors.New("three"))
	p.verdict()
	if err := p.outcome(); !errors.Is(err, errUntried) {
		t.Errorf("two that could not be tried: %v", err)
	}
	out.add("d", "connect", "out of reach", "connected", false)
	p.verdict()
	if err := p.outcome(); !errors.Is(err, errProof) || errors.Is(err, errUntried) {
		t.Errorf("a miss beside it: %v", err)
	}
	text := reportText(snapshot.Proof{Bottle: "b", Why: whyWake, Lines: p.report.Lines})
	if !strings.Contains(text, "DOES NOT HOLD") || !strings.Contains(text, "MISS  connect: expected out of reach, found connected") {
		t.Errorf("the report reads\n%s", text)
	}
}
