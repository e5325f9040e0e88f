package screen

import (
	"strconv"
	"time"

	"fyne.io/fyne/v2"

	"bottlebar.app/assets/look"
	"bottlebar.app/snapshot"
)

// notifyEvery is the shortest time between two notices about one bottle:
// whatever it asks for, it cannot flood anybody.
const notifyEvery = 5 * time.Minute

// notices remember what each bottle was told about.
type notices map[string]notice

type notice struct {
	news int // snapshot.Asks.News when it was looked at last
	told time.Time
}

// due are the bottles that ask for something new, nobody having been told for a
// while. Somebody who looks needs no notice.
func (n notices) due(all []snapshot.Bottle, looking bool, now time.Time) []snapshot.Bottle {
	var out []snapshot.Bottle
	seen := make(map[string]bool, len(all))
	for _, b := range all {
		seen[b.ID] = true
		last, known := n[b.ID]
		switch {
		case b.Asks.News <= last.news && known, !known && b.Asks.News == 0:
			last.news = b.Asks.News
		case looking:
			last.news = b.Asks.News
		case last.told.IsZero() || now.Sub(last.told) >= notifyEvery:
			last.news, last.told = b.Asks.News, now
			out = append(out, b)
		}
		n[b.ID] = last
	}
	for id := range n {
		if !seen[id] {
			delete(n, id)
		}
	}
	return out
}

// noticeOf is the text about one bottle.
func noticeOf(b snapshot.Bottle) (title, text string) {
	title = look.Clean(b.Name, 40) + " asks for a host"
	rows := b.Asks.Rows
	if len(rows) == 0 {
		return title, "Activity lists it."
	}
	text = look.CutLeft(look.Clean(rows[0].Host, 255), 60) + ":" + strconv.Itoa(rows[0].Port)
	if more := len(rows) - 1 + b.Asks.MoreNames; more > 0 {
		text += " and " + look.Count(more, "other", "others")
	}
	return title, text + ". It was refused; Activity lists it."
}

// notify tells about what bottles ask for. It runs on the toolkit's goroutine.
func (s *screen) notify(snap snapshot.Snapshot) {
	for _, b := range s.notices.due(snap.Bottles, s.windows.ActivityShown(), time.Now()) {
		title, text := noticeOf(b)
		s.fyne.SendNotification(fyne.NewNotification(title, text))
	}
}
