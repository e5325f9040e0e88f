package inside

import (
	"runtime/debug"
	"time"

	"bottlebar.app/egress"
)

// restAfter is how long a sidecar must have been quiet before it gives back
// what it does not need to wait.
const restAfter = 5 * time.Second

// rest notices when a sidecar has become quiet.
type rest struct {
	last   egress.Stats
	asked  bool // something came over the control stream since the last look
	rested bool
}

// due looks once more, and says whether it is time: nothing runs, nothing
// happened since the look before, and memory was not given back since then.
func (r *rest) due(now egress.Stats) bool {
	still := !r.asked && now == r.last && now.Tunnels == 0 && now.Calls == 0
	r.asked, r.last = false, now
	if !still {
		r.rested = false
		return false
	}
	due := !r.rested
	r.rested = true
	return due
}

// giveBack returns memory to the system: what the heap holds free, and those
// pages of the program that only starting and working needed. They come back
// by themselves from the system's cache.
func giveBack(program []mapping) {
	debug.FreeOSMemory()
	for _, m := range program {
		m.drop()
	}
}
