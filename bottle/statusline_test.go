package bottle

import (
	"fmt"
	"testing"

	"bottlebar.app/hop"
)

// said is lineSays as text, "-" where nothing is known.
func (u lineSays) said() string {
	context, cost := "-", "-"
	if u.context != nil {
		context = fmt.Sprint(*u.context)
	}
	if u.cost != nil {
		cost = fmt.Sprint(*u.cost)
	}
	return context + " " + cost
}

func TestWhatASessionUsedIsReadAndBounded(t *testing.T) {
	for body, want := range map[string]string{
		`{"context_window":{"used_percentage":42.4},"cost":{"total_cost_usd":0.31049}}`: "42 0.3105",
		`{}`:                            "- -",
		`{"cost":{"total_cost_usd":0}}`: "- 0",
		`{"context_window":{"used_percentage":7}}`:                                     "7 -",
		`{"context_window":{"used_percentage":1e300},"cost":{"total_cost_usd":1e300}}`: "100 -",
		`{"context_window":{"used_percentage":-1},"cost":{"total_cost_usd":-0.01}}`:    "- -",
		`{"context_window":{"used_percentage":null},"cost":null}`:                      "- -",
	} {
		if u, ok := lineOf([]byte(body)); !ok || u.said() != want {
			t.Errorf("%s is %q (%v), want %q", body, u.said(), ok, want)
		}
	}
	for _, body := range []string{``, `[]`, `{"cost":"much"}`, `{"cost":{"total_cost_usd":1e999}}`, `{"context_window":{"used_percentage":NaN}}`} {
		if u, ok := lineOf([]byte(body)); ok {
			t.Errorf("%s is read as %q", body, u.said())
		}
	}
}

func FuzzStatusLine(f *testing.F) {
	f.Add([]byte(`{"context_window":{"used_percentage":42.4},"cost":{"total_cost_usd":0.31}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		u, _ := lineOf(body)
		if u.context != nil && (*u.context < 0 || *u.context > 100) || u.cost != nil && !(*u.cost >= 0 && *u.cost <= maxCost) {
			t.Errorf("%q is %s", body, u.said())
		}
	})
}

func TestUsageIsShownAndChangesNoState(t *testing.T) {
	changes := 0
	b := newBottle(&Rack{cfg: Config{Changed: func() { changes++ }}}, &entry{})
	for range 3 {
		b.heard(hop.EventMessage{Name: hop.StatusEvent, Body: []byte(`{"hook_event_name":"Stop","context_window":{"used_percentage":42},"cost":{"total_cost_usd":0.31}}`)})
	}
	v := b.View()
	if v.Context == nil || *v.Context != 42 || v.Cost == nil || *v.Cost != 0.31 || v.Session != "" || changes != 1 {
		t.Errorf("shown as %+v after %d changes", v, changes)
	}
}
