package bottle

import (
	"encoding/json"
	"math"
)

// maxCost is the largest sum that is shown: what is beyond it is no sum that a
// session can have cost.
const maxCost = 1e6 // US dollars

// lineSays is what a session says it has used. It is the guest's word, and shown
// as that; nil is not known.
type lineSays struct {
	context *int     // per cent of the model's context, 0 to 100
	cost    *float64 // US dollars, in steps of a hundredth of a cent
}

// lineOf reads what Claude Code tells its status line. Numbers that cannot be
// meant are left out.
func lineOf(body []byte) (lineSays, bool) {
	var in struct {
		Context struct {
			Used *float64 `json:"used_percentage"`
		} `json:"context_window"`
		Cost struct {
			USD *float64 `json:"total_cost_usd"`
		} `json:"cost"`
	}
	if json.Unmarshal(body, &in) != nil {
		return lineSays{}, false
	}
	var u lineSays
	if p := in.Context.Used; p != nil && *p >= 0 {
		whole := int(math.Round(min(*p, 100)))
		u.context = &whole
	}
	if c := in.Cost.USD; c != nil && *c >= 0 && *c <= maxCost {
		sum := math.Round(*c*1e4) / 1e4
		u.cost = &sum
	}
	return u, true
}

// used takes what the session told its status line.
func (b *Bottle) used(body []byte) {
	u, ok := lineOf(body)
	if !ok {
		return
	}
	b.mu.Lock()
	same := equal(b.lineSays.context, u.context) && equal(b.lineSays.cost, u.cost)
	b.mu.Unlock()
	if !same {
		b.set(func() { b.lineSays = u })
	}
}

func equal[T comparable](a, b *T) bool {
	return a == b || a != nil && b != nil && *a == *b
}
