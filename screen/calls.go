package screen

import (
	"time"

	"fyne.io/fyne/v2"

	"bottlebar.app/assets/look"
	"bottlebar.app/snapshot"
)

// Bounds of notifications: what is shown of a VM's own words, and the shortest
// time between two about the same bottle, and between any two.
const (
	maxCallTitle = 32
	maxCallText  = 120
	callAgain    = 10 * time.Second
	callNext     = 2 * time.Second
)

// calls knows which bottles have called for somebody.
type calls struct {
	begun bool // the first look tells nothing: all of it was there before
	known map[string]call
	last  time.Time
}

// call is what is known of one bottle.
type call struct {
	needs, rang bool
	at          time.Time // of the last notification
}

// of returns the notifications about what has changed: a bottle that needs
// somebody, or rang its bell, and that nobody watches. A bell that rings too
// soon again is shown in the menu alone.
func (c *calls) of(bottles []snapshot.Bottle, watched func(id string) bool, now time.Time) []*fyne.Notification {
	var out []*fyne.Notification
	known := make(map[string]call, len(bottles))
	for _, b := range bottles {
		was, is := c.known[b.ID], callOf(b)
		is.at = was.at
		switch {
		case !c.begun || !is.louder(was) || watched(b.ID):
		case soon(now, was.at, callAgain) || soon(now, c.last, callNext):
			is.needs = false // told with a later look; a bell is not
		default:
			out = append(out, notification(b, is.needs))
			is.at, c.last = now, now
		}
		known[b.ID] = is
	}
	c.known, c.begun = known, true
	return out
}

func callOf(b snapshot.Bottle) call {
	ready := b.State == snapshot.Ready
	return call{needs: ready && b.Session == snapshot.NeedsYou, rang: ready && b.Rang}
}

// louder says that a bottle calls for more than it did.
func (c call) louder(was call) bool {
	return c.needs && !was.needs || c.rang && !was.rang && !c.needs
}

// soon says that less than d has passed since a time, if there was one.
func soon(now, since time.Time, d time.Duration) bool {
	return !since.IsZero() && now.Sub(since) < d
}

// notification puts the VM's words in quotation marks, as the menu does.
func notification(b snapshot.Bottle, needs bool) *fyne.Notification {
	what := " rang the bell"
	if needs {
		what = " needs you"
	}
	text := look.Clean(b.Title, maxCallText)
	if text != "" {
		text = "“" + text + "”"
	}
	return fyne.NewNotification(look.Clean(b.Name, maxCallTitle)+what, text)
}
