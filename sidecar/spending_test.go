package sidecar

import (
	"testing"

	"bottlebar.app/egress"
	"bottlebar.app/sidecar/control"
)

// A request may be counted while an earlier command is answered: the answer
// was made before it and is read after it.
func TestAnAnswerDoesNotTakeBackWhatWasSpentMeanwhile(t *testing.T) {
	s := &Sidecar{spending: newSpending()}
	s.event(control.Event{Event: control.Spent, Totals: &egress.Totals{Requests: 1, Held: 100, Turn: 1}})
	s.event(control.Event{Event: control.Spent, Totals: &egress.Totals{Requests: 1, Usage: egress.Usage{Output: 35}, Turn: 2}})
	s.spending.set(egress.Totals{})
	s.spending.wish(egress.Want{Totals: egress.Totals{Requests: 1, Held: 100, Turn: 1}})
	if n := s.Totals(); n.Spent() != 35 || n.Held != 0 || n.Requests != 1 {
		t.Errorf("the totals are %+v", n)
	}
}
