package egress

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
)

// Totals are what one meter has counted since it began. They never fall, but
// for Held.
type Totals struct {
	Requests int64 `json:"requests"` // that went to the API
	Usage    Usage `json:"usage"`    // of requests whose usage was read
	// Unread are tokens of requests that were cut, or whose usage could not be
	// read: their whole reservation counts.
	Unread int64 `json:"unread,omitempty"`
	Held   int64 `json:"held,omitempty"` // reserved for what runs now
	// Turn rises with each change: of two totals of a meter the one with the
	// higher turn is the later.
	Turn uint64 `json:"turn,omitempty"`
}

// Spent is what counts against caps, without what is held.
func (t Totals) Spent() int64 { return t.Usage.Total() + t.Unread }

// Allowance is how much a meter may let through. The app hands it out in
// pieces: it alone knows the caps and what other bottles use.
type Allowance struct {
	Capped bool `json:"capped"` // without, everything passes
	// Tokens are what may be spent and held in all since the meter began.
	Tokens int64 `json:"tokens,omitempty"`
	// Short says why no more was allowed than that.
	Short *Shortage `json:"short,omitempty"`
}

// Shortage is a cap that is reached.
type Shortage struct {
	Cap    string    `json:"cap"` // "bottle" or "day"
	Limit  int64     `json:"limit"`
	Used   int64     `json:"used"` // with what is held
	Resets time.Time `json:"resets,omitzero"`
}

// Want is a meter's wish for more, to be answered with an Allowance.
type Want struct {
	ID     uint64 `json:"id"`
	Tokens int64  `json:"tokens"` // more than what is allowed now
	Totals Totals `json:"totals"`
}

// CapError refuses a request because of a cap.
type CapError struct {
	Short Shortage
	Need  int64
}

func (e *CapError) Error() string {
	s := e.Short
	what, cure := "This bottle's token cap", "The user can raise it with `bottlebar cap NAME --tokens N` on the host."
	if s.Cap == "day" {
		what, cure = "The day's token cap, which all bottles share,", "The user can raise it with `cap_day` in the settings on the host."
	}
	text := fmt.Sprintf("%s of %s is reached: %s used, and this request may take %s.", what, thousands(s.Limit), thousands(s.Used), thousands(e.Need))
	if !s.Resets.IsZero() {
		text += " It starts afresh at " + s.Resets.Format("15:04 on 2 January (MST)") + "."
	}
	return text + " Do not retry. " + cure
}

// errUnanswered means that the app did not answer a wish in time.
var errUnanswered = fmt.Errorf("the app did not say whether a cap allows it")

// thousands writes 1234567 as "1,234,567".
func thousands(n int64) string {
	s := fmt.Sprint(n)
	var b strings.Builder
	for i, c := range s {
		if i > 0 && c != '-' && (len(s)-i)%3 == 0 && s[i-1] != '-' {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// wantTimeout is how long the app may take to answer a wish.
const wantTimeout = 10 * time.Second

// Meter counts what a bottle spends and holds it to its allowance. It outlives
// the Proxy that uses it: an app that takes a sidecar over finds the counts as
// they are. It is used from any goroutine.
type Meter struct {
	wait time.Duration

	mu     sync.Mutex
	tell   func(Totals)
	ask    func(Want)
	totals Totals
	allow  Allowance
	last   uint64
	wants  map[uint64]chan *Shortage
}

// NewMeter returns a meter without a cap. tell is called with the totals
// whenever they change, before the request that changes them goes out; ask is
// called when more is wanted, and answered with Allow. Both are called one at
// a time and must not call back.
func NewMeter(tell func(Totals), ask func(Want)) *Meter {
	if tell == nil {
		tell = func(Totals) {}
	}
	if ask == nil {
		ask = func(Want) {}
	}
	return &Meter{wait: wantTimeout, tell: tell, ask: ask, wants: map[uint64]chan *Shortage{}}
}

// Totals is what was counted.
func (m *Meter) Totals() Totals {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.totals
}

// Allow replaces the allowance and answers the wish want, if it is not 0. What
// is spent and held already stays allowed: the allowance that holds from now on
// is returned, with the totals at that moment.
func (m *Meter) Allow(a Allowance, want uint64) (Allowance, Totals) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if a.Capped {
		a.Tokens = max(a.Tokens, m.totals.Spent()+m.totals.Held)
	}
	m.allow = a
	if answer := m.wants[want]; answer != nil {
		delete(m.wants, want)
		answer <- a.Short
	}
	if !a.Capped {
		for id, answer := range m.wants {
			delete(m.wants, id)
			answer <- nil
		}
	}
	return a, m.totals
}

// reserve holds need tokens, or says why not: a *CapError, errUnanswered, or
// the end of ctx.
func (m *Meter) reserve(ctx context.Context, need int64) (*reservation, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var deadline <-chan time.Time
	for {
		missing := m.totals.Spent() + m.totals.Held + need - m.allow.Tokens
		if !m.allow.Capped || missing <= 0 || need == 0 {
			m.totals.Requests++
			m.totals.Held += need
			m.change()
			return &reservation{meter: m, tokens: need}, nil
		}
		if deadline == nil {
			t := time.NewTimer(m.wait)
			defer t.Stop()
			deadline = t.C
		}
		m.last++
		id, answer := m.last, make(chan *Shortage, 1)
		m.wants[id] = answer
		m.ask(Want{ID: id, Tokens: missing, Totals: m.totals})
		m.mu.Unlock()
		var short *Shortage
		var err error
		select {
		case short = <-answer:
		case <-ctx.Done():
			err = ctx.Err()
		case <-deadline:
			err = errUnanswered
		}
		m.mu.Lock()
		delete(m.wants, id)
		if err != nil {
			return nil, err
		}
		if short != nil && m.allow.Capped && m.totals.Spent()+m.totals.Held+need > m.allow.Tokens {
			return nil, &CapError{Short: *short, Need: need}
		}
	}
}

// reservation is what a request holds. Exactly one of its methods is called, once.
type reservation struct {
	meter  *Meter
	tokens int64
	over   bool
}

// settle replaces the reservation by what was used.
func (h *reservation) settle(u Usage) {
	h.end(func(t *Totals) { t.Usage = t.Usage.Plus(u) })
}

// keep counts the reservation, or what was seen if that is more: nobody knows
// what the rest took.
func (h *reservation) keep(seen Usage) {
	h.end(func(t *Totals) { t.Unread += max(h.tokens, seen.Total()) })
}

// free gives it back: nothing was used.
func (h *reservation) free() { h.end(func(*Totals) {}) }

func (h *reservation) end(change func(*Totals)) {
	m := h.meter
	m.mu.Lock()
	defer m.mu.Unlock()
	if h.over {
		return
	}
	h.over = true
	m.totals.Held -= h.tokens
	change(&m.totals)
	m.change()
}

// change tells of totals that have changed. Called with mu held.
func (m *Meter) change() {
	m.totals.Turn++
	m.tell(m.totals)
}
