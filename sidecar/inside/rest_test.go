package inside

import (
	"testing"

	"bottlebar.app/egress"
)

func TestAQuietSidecarRestsOnceUntilSomethingHappens(t *testing.T) {
	var r rest
	for i, look := range []struct {
		stats egress.Stats
		asked bool
		due   bool
	}{
		{asked: true},                            // it was set up
		{due: true},                              // nothing since
		{},                                       // and it has rested
		{stats: egress.Stats{Tunnels: 1}},        // a tunnel opens
		{stats: egress.Stats{Tunnels: 1}},        // and says nothing for long
		{stats: egress.Stats{Allowed: 1, Up: 9}}, // it ended
		{stats: egress.Stats{Allowed: 1, Up: 9}, due: true},
		{stats: egress.Stats{Allowed: 1, Up: 9}, asked: true}, // a new policy
		{stats: egress.Stats{Allowed: 1, Up: 9}, due: true},
		{stats: egress.Stats{Allowed: 1, Up: 9, Calls: 1}},
		{stats: egress.Stats{Allowed: 1, Up: 9, Calls: 1}},
	} {
		r.asked = look.asked
		if due := r.due(look.stats); due != look.due {
			t.Errorf("look %d: due is %v", i, due)
		}
	}
}

func TestTheShippedRootsAreRead(t *testing.T) {
	// More than a hundred; Subjects is deprecated for the system's sets alone.
	if n := len(roots().Subjects()); n < 100 { //nolint:staticcheck // this set is not the system's
		t.Errorf("there are %d", n)
	}
}
