package bottle

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"bottlebar.app/egress"
)

// meter is a sidecar's side of the till: it spends what it was allowed.
type meter struct {
	id      string
	n       egress.Totals
	allowed int64
	capped  bool
	short   *egress.Shortage
	deaf    bool
}

func (m *meter) ID() string            { return m.id }
func (m *meter) Totals() egress.Totals { return m.n }

func (m *meter) Allow(_ context.Context, a egress.Allowance, _ uint64) (egress.Allowance, error) {
	if m.deaf {
		return a, errors.New("it does not answer")
	}
	if a.Capped {
		a.Tokens = max(a.Tokens, m.n.Spent()+m.n.Held)
	}
	m.allowed, m.capped, m.short = a.Tokens, a.Capped, a.Short
	return a, nil
}

// take reserves n tokens, asking the till where it must, and says whether it may.
func (m *meter) take(t *testing.T, till *till, bottle string, n int64) bool {
	t.Helper()
	missing := m.n.Spent() + m.n.Held + n - m.allowed
	if m.capped && missing > 0 {
		if err := till.answer(t.Context(), bottle, egress.Want{ID: 1, Tokens: missing}); err != nil {
			t.Fatal(err)
		}
		if m.n.Spent()+m.n.Held+n > m.allowed {
			if m.short == nil {
				t.Fatal("it got less than it asked for, and no reason")
			}
			return false
		}
	}
	m.n.Held += n
	return true
}

func (m *meter) settle(held, used int64) {
	m.n.Held -= held
	m.n.Usage.Output += used
}

type tillRig struct {
	*till
	t    *testing.T
	at   time.Time
	caps Caps
	path string
}

func newTillRig(t *testing.T, caps Caps) *tillRig {
	r := &tillRig{t: t, at: time.Date(2026, 11, 27, 22, 0, 0, 0, time.Local), caps: caps, path: filepath.Join(t.TempDir(), "tokens.json")}
	r.restart()
	return r
}

// restart opens the till anew from its file, as after a crash.
func (r *tillRig) restart() {
	r.till = openTill(r.path, func() time.Time { return r.at }, func() Caps { return r.caps }, slog.New(slog.DiscardHandler))
}

func (r *tillRig) in(bottle, car string) *meter {
	r.t.Helper()
	m := &meter{id: car}
	if err := r.bind(r.t.Context(), bottle, m); err != nil {
		r.t.Fatal(err)
	}
	return m
}

func TestTheDaysCapIsSharedAndWhatOneDoesNotUseIsTakenBack(t *testing.T) {
	r := newTillRig(t, Caps{Day: 100})
	a, b := r.in("a", "1"), r.in("b", "2")
	if !a.take(t, r.till, "a", 80) {
		t.Fatal("80 of 100 are refused")
	}
	a.settle(80, 10) // 70 of what a was allowed are left
	if b.take(t, r.till, "b", 95) {
		t.Error("b gets 95 besides the 10 that a spent")
	}
	if s := b.short; s.Cap != "day" || s.Limit != 100 || s.Used != 10 || !s.Resets.Equal(time.Date(2026, 11, 28, 0, 0, 0, 0, time.Local)) {
		t.Errorf("the reason is %+v", s)
	}
	if !b.take(t, r.till, "b", 90) {
		t.Error("b does not get what a does not use")
	}
	if a.take(t, r.till, "a", 1) {
		t.Error("a gets more than there is")
	}
	// One that does not answer keeps what it was allowed.
	b.settle(90, 0)
	b.deaf = true
	if a.take(t, r.till, "a", 1) {
		t.Error("what a deaf sidecar may still spend is given twice")
	}
	b.deaf = false
	if !a.take(t, r.till, "a", 90) {
		t.Error("nothing is taken back once it answers")
	}
	r.caps.Day = 1000
	if !a.take(t, r.till, "a", 500) {
		t.Error("a raised cap changes nothing")
	}
}

func TestABottlesCapHoldsOverItsSidecars(t *testing.T) {
	r := newTillRig(t, Caps{Bottle: 50})
	a := r.in("a", "1")
	if !a.take(t, r.till, "a", 30) || a.take(t, r.till, "a", 30) {
		t.Error("30 of 50, twice")
	}
	if a.short.Cap != "bottle" || a.short.Limit != 50 || a.short.Used != 30 {
		t.Errorf("the reason is %+v", a.short)
	}
	a.settle(30, 20)
	r.spent("a")
	// Another sidecar goes on where the one before ended.
	a = r.in("a", "2")
	if a.take(t, r.till, "a", 31) || !a.take(t, r.till, "a", 30) {
		t.Error("20 were spent by the sidecar before")
	}
	if n, limit := r.bottleUse("a"); n.Spent() != 20 || n.Held != 30 || limit != 50 {
		t.Errorf("shown as %+v of %d", n, limit)
	}
	// A cap of its own, and none.
	if err := r.setCap(t.Context(), "a", 60); err != nil || !a.take(t, r.till, "a", 10) || a.take(t, r.till, "a", 1) {
		t.Errorf("a cap of 60: %v", err)
	}
	if err := r.setCap(t.Context(), "a", NoCap); err != nil || a.capped || !a.take(t, r.till, "a", 1e9) {
		t.Errorf("no cap: %v", err)
	}
	if err := r.setCap(t.Context(), "a", 0); err != nil || !a.capped || a.take(t, r.till, "a", 1) {
		t.Errorf("the settings' cap again: %v", err)
	}
	// Without a cap of its own, another bottle has the settings' one to itself.
	if b := r.in("b", "3"); !b.take(t, r.till, "b", 50) {
		t.Error("another bottle is short")
	}
}

func TestWhatASidecarWasAllowedCountsWhenItEndsUnheard(t *testing.T) {
	r := newTillRig(t, Caps{Day: 100, Bottle: 100})
	a := r.in("a", "1")
	if !a.take(t, r.till, "a", 60) {
		t.Fatal("60 of 100")
	}
	r.restart() // the app is killed: of what a did meanwhile nobody knows
	a = r.in("a", "2")
	if a.take(t, r.till, "a", 41) || !a.take(t, r.till, "a", 40) {
		t.Error("60 may have been spent")
	}
	if n, _ := r.bottleUse("a"); n.Unread != 60 {
		t.Errorf("shown as %+v", n)
	}
	// One that lives on is found as it is.
	r.restart()
	if err := r.bind(t.Context(), "a", a); err != nil {
		t.Fatal(err)
	}
	a.settle(40, 5)
	if a.take(t, r.till, "a", 36) || !a.take(t, r.till, "a", 35) {
		t.Error("60 and 5 of 100 are spent")
	}
}

func TestAnAllowanceIsOnTheDiskBeforeItIsGiven(t *testing.T) {
	r := newTillRig(t, Caps{Day: 100})
	a := r.in("a", "1")
	r.path = filepath.Join(filepath.Dir(r.path), "gone", "x", "tokens.json")
	r.till.path = r.path
	if err := os.WriteFile(filepath.Dir(filepath.Dir(r.path)), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.answer(t.Context(), "a", egress.Want{ID: 1, Tokens: 10}); err == nil || a.allowed != 0 {
		t.Errorf("allowed %d, %v", a.allowed, err)
	}
}

func TestADayBeginsAtMidnightAndAClockThatJumpsBackFillsNothing(t *testing.T) {
	r := newTillRig(t, Caps{Day: 100})
	a := r.in("a", "1")
	if !a.take(t, r.till, "a", 100) || a.take(t, r.till, "a", 1) {
		t.Error("100 of 100")
	}
	a.settle(100, 90)
	r.at = r.at.Add(3 * time.Hour) // midnight is past
	if !a.take(t, r.till, "a", 100) || a.take(t, r.till, "a", 1) {
		t.Error("another 100 on the next day")
	}
	for _, back := range []time.Duration{3 * time.Hour, 24 * time.Hour, 400 * 24 * time.Hour} {
		r.at = r.at.Add(-back)
		if a.take(t, r.till, "a", 1) {
			t.Errorf("the clock jumped back by %s and the cap is filled again", back)
		}
		r.restart()
		if err := r.bind(t.Context(), "a", a); err != nil {
			t.Fatal(err)
		}
		if a.take(t, r.till, "a", 1) {
			t.Error("after a restart it is")
		}
	}
	a.settle(100, 100)
	r.at = time.Date(2026, 11, 28, 12, 0, 0, 0, time.Local)
	if a.take(t, r.till, "a", 1) {
		t.Error("the same day is filled a second time")
	}
	if err := r.resetDay(); err != nil || !a.take(t, r.till, "a", 100) {
		t.Errorf("a person starts it afresh: %v", err)
	}
	a.settle(100, 100)
	r.forget("a") // a bottle that is no more has spent all the same
	if b := r.in("b", "2"); b.take(t, r.till, "b", 1) {
		t.Error("what a stopped bottle spent is forgotten")
	}
}

func TestAClockThatWasAYearAheadLocksNoCap(t *testing.T) {
	r := newTillRig(t, Caps{Day: 100})
	a := r.in("a", "1")
	r.at = r.at.AddDate(1, 0, 0)
	if !a.take(t, r.till, "a", 100) {
		t.Fatal("100 of 100")
	}
	a.settle(100, 100)
	r.at = r.at.AddDate(-1, 0, 0) // it was set right: 22:00
	if a.take(t, r.till, "a", 1) {
		t.Error("setting it right filled the cap")
	}
	if _, _, resets := r.dayUse(); !resets.Equal(time.Date(2026, 11, 28, 0, 0, 0, 0, time.Local)) {
		t.Errorf("the day ends at %s", resets)
	}
	for day := range 2 {
		r.at = r.at.Add(3 * time.Hour)
		r.restart()
		if err := r.bind(t.Context(), "a", a); err != nil {
			t.Fatal(err)
		}
		if !a.take(t, r.till, "a", 100) || a.take(t, r.till, "a", 1) {
			t.Errorf("day %d does not begin at midnight, with 100", day+1)
		}
		a.settle(100, 100)
		r.spent("a")
		r.at = r.at.Add(21 * time.Hour)
	}
}

func TestNoOrderOfEventsOverspends(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for round := range 8 {
		r := newTillRig(t, Caps{Day: 1000, Bottle: 600})
		type one struct {
			*meter
			held []int64
		}
		cars := map[string]*one{}
		gone, lost := int64(0), map[string]int64{}
		next := 0
		for range 80 {
			name := string("abc"[rng.IntN(3)])
			c := cars[name]
			switch op := rng.IntN(12); {
			case c == nil || op == 0: // another sidecar
				if c != nil {
					gone += c.n.Spent() + c.n.Held
					lost[name] += c.n.Spent() + c.n.Held
				}
				next++
				cars[name] = &one{meter: r.in(name, string(rune('0'+next)))}
			case op == 1: // the app is killed and comes back
				r.restart()
				for n, o := range cars {
					if err := r.bind(t.Context(), n, o.meter); err != nil {
						t.Fatal(err)
					}
				}
			case op < 6 && len(c.held) > 0:
				h := c.held[0]
				c.held = c.held[1:]
				c.settle(h, rng.Int64N(h+1))
				r.spent(name)
			default:
				n := 1 + rng.Int64N(200)
				if c.take(t, r.till, name, n) {
					c.held = append(c.held, n)
				}
			}
			sum := gone
			for n, o := range cars {
				sum += o.n.Spent() + o.n.Held
				if all := lost[n] + o.n.Spent() + o.n.Held; all > 600 {
					t.Fatalf("round %d: bottle %s took %d of 600", round, n, all)
				}
			}
			if sum > 1000 {
				t.Fatalf("round %d: %d of 1000 are spent and held", round, sum)
			}
		}
	}
}

func TestADamagedTillIsSetAsideAndSaysSo(t *testing.T) {
	r := newTillRig(t, Caps{Day: 100})
	if err := os.WriteFile(r.path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.restart()
	if a := r.in("a", "1"); !a.take(t, r.till, "a", 10) {
		t.Error("it cannot be used")
	}
	if _, err := os.Stat(r.path + ".bad"); err != nil {
		t.Error(err)
	}
}
