package egress

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// notes keeps what a journal tells.
type notes struct {
	mu    sync.Mutex
	lines []Decision
}

func (n *notes) add(d Decision) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines = append(n.lines, d)
}

func (n *notes) all() []Decision {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]Decision(nil), n.lines...)
}

func TestFloodOfDeniesIsCountedAndHidesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := &notes{}
		j := newJournal(told.add)
		for i := range 100_000 {
			j.tell(Decision{Kind: Denied, Via: "connect", Host: fmt.Sprintf("h%d.example", i), Reason: NotAllowed})
		}
		j.tell(Decision{Kind: Allowed, Host: "allowed.example"})
		j.tell(Decision{Kind: Denied, Host: "canary.example", Canary: true})
		j.tell(Decision{Kind: Denied, Host: "canary.example", Canary: true})
		lines := told.all()
		if len(lines) > linesPerSecond+3 {
			t.Errorf("%d lines", len(lines))
		}
		last := lines[len(lines)-3:]
		if last[0].Kind != Allowed || last[1].Host != "canary.example" || last[2].Host != "canary.example" {
			t.Errorf("the lines that matter are %+v", last)
		}
		<-time.After(2 * quietFor) // fake time
		synctest.Wait()
		lines = told.all()
		total := 0
		for _, d := range lines {
			if d.Kind == Denied && d.Host != "canary.example" || d.Kind == Lost {
				total += d.Count
			}
		}
		if total != 100_000 {
			t.Errorf("the counts add up to %d", total)
		}
		j.close()
	})
}

func TestLikeDeniesBecomeOneLineWithACount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := &notes{}
		j := newJournal(told.add)
		for range 50 {
			j.tell(Decision{Kind: Denied, Via: "connect", Host: "a.example", Port: 443, Reason: NotAllowed})
		}
		j.tell(Decision{Kind: Denied, Via: "connect", Host: "a.example", Port: 80, Reason: NotAllowed})
		lines := told.all()
		if len(lines) != 2 || lines[0].Count != 1 || lines[1].Port != 80 {
			t.Fatalf("at once: %+v", lines)
		}
		<-time.After(3 * quietFor)
		synctest.Wait()
		lines = told.all()
		if len(lines) != 3 || lines[2].Count != 49 || lines[2].Host != "a.example" {
			t.Fatalf("later: %+v", lines)
		}
		j.tell(Decision{Kind: Denied, Via: "connect", Host: "a.example", Port: 443, Reason: NotAllowed})
		if n := len(told.all()); n != 4 {
			t.Errorf("after a while: %d lines", n)
		}
		j.close()
	})
}
