package terminal

import "bottlebar.app/terminal/vt"

// Bounds of a search: lines looked through at a time, so that the toolkit's
// goroutine is free in between, and places that are kept.
const (
	findStep = 4000
	maxFound = 9999
)

// Found tells how far a search is.
type Found struct {
	At    int  // the place that is shown, counted from 1 at the newest; 0 for none
	Total int  // places there are, as far as is known
	Done  bool // everything was looked through
}

// search is a text that is looked for.
type search struct {
	pattern vt.Pattern
	on      bool
	run     int            // counts searches; a step of an older one does nothing
	next    int            // the line above which is yet to be looked through
	places  []vt.Selection // the newest first
	at      int            // index of the one that is shown, -1 for none
	aim     vt.Point       // go to the first place before this one
	seq     uint64         // of the screen that was looked through
	move    int            // what to do once done: 1 older, -1 newer
	done    bool
}

// Find looks for a text in all lines that are kept, marks it where it is seen
// and shows the newest place. An empty text ends the search. OnFound is told.
func (t *Terminal) Find(text string) {
	run := t.find.run + 1
	p, ok := vt.NewPattern(text)
	t.find = search{pattern: p, on: ok, run: run, at: -1}
	t.frame.wake()
	if !ok {
		t.found()
		return
	}
	t.core.View(func(s *vt.Screen) { t.find.aim = vt.Point{Line: s.Top + s.Rows} })
	t.lookThrough()
}

// FindNext shows the next place up, or down with newer set; after the last one
// comes the first one again.
func (t *Terminal) FindNext(newer bool) {
	f := &t.find
	if !f.on {
		return
	}
	move := 1
	if newer {
		move = -1
	}
	changed := false
	t.core.View(func(s *vt.Screen) { changed = s.Seq != f.seq })
	if !f.done || !changed {
		t.showPlace(f.at + move)
		return
	}
	// There is other text now: look again, then go on from where one was.
	if f.at >= 0 {
		f.aim = f.places[f.at].From
	}
	f.move = move
	t.lookThrough()
}

// lookThrough begins a search at the newest line.
func (t *Terminal) lookThrough() {
	f := &t.find
	f.run++
	f.places, f.at, f.done = nil, -1, false
	t.core.View(func(s *vt.Screen) { f.next, f.seq = s.Top+s.Rows, s.Seq })
	t.findMore(f.run)
}

// findMore looks through some lines and leaves the rest for later.
func (t *Terminal) findMore(run int) {
	f := &t.find
	if !f.on || f.run != run || f.done {
		return
	}
	t.core.View(f.step)
	switch {
	case f.at < 0 && f.move == 0:
		t.aimAt()
	case f.done && f.move != 0:
		t.moveOn()
	}
	t.found()
	if !f.done {
		t.post(func() { t.findMore(run) })
	}
}

// step looks through the next lines up.
func (f *search) step(s *vt.Screen) {
	to := min(f.next, s.Top+s.Rows)
	from := max(to-findStep, s.First)
	for n := 0; from > s.First && n < findStep && s.Line(from-1).Wrapped; n++ {
		from--
	}
	more := s.Find(f.pattern, from, to, maxFound)
	for i := len(more) - 1; i >= 0 && len(f.places) < maxFound; i-- {
		f.places = append(f.places, more[i])
	}
	f.next = from
	f.done = from <= s.First || len(f.places) == maxFound
}

// moveOn goes from where one was before the search was begun again.
func (t *Terminal) moveOn() {
	f := &t.find
	move := f.move
	f.move = 0
	t.aimAt()
	if move < 0 || f.at >= 0 && f.places[f.at].From == f.aim {
		t.showPlace(f.at + move)
	}
}

// aimAt shows the newest place that is not after the aim.
func (t *Terminal) aimAt() {
	for i, p := range t.find.places {
		if !t.find.aim.Before(p.From) {
			t.showPlace(i)
			return
		}
	}
	if t.find.done && len(t.find.places) > 0 {
		t.showPlace(0)
	}
}

// showPlace brings a place into view.
func (t *Terminal) showPlace(i int) {
	f := &t.find
	n := len(f.places)
	if n == 0 {
		return
	}
	f.at = (i%n + n) % n
	line := f.places[f.at].From.Line
	t.core.View(func(s *vt.Screen) {
		t.follow(s)
		if top := s.Top - t.back; line < top || line >= top+s.Rows {
			t.back = min(max(s.Top-line+s.Rows/3, 0), s.Top-s.First)
			t.mouse.top = s.Top - t.back
		}
	})
	t.found()
	t.frame.wake()
}

func (t *Terminal) found() {
	if t.OnFound != nil {
		f := &t.find
		t.OnFound(Found{At: f.at + 1, Total: len(f.places), Done: f.done || !f.on})
	}
}

// marks returns where the pattern stands in the lines that are seen, and which
// of these places is the one that was gone to.
func (f *search) marks(s *vt.Screen, top int) (all []vt.Selection, current int) {
	if !f.on {
		return nil, -1
	}
	from, to := top, top+s.Rows
	for n := 0; from > s.First && n < s.Rows && s.Line(from-1).Wrapped; n++ {
		from--
	}
	for n := 0; n < s.Rows && s.Line(to-1).Wrapped; n++ {
		to++
	}
	current = -1
	all = s.Find(f.pattern, from, to, maxFound)
	for i := range all {
		if f.at >= 0 && all[i] == f.places[f.at] {
			current = i
		}
	}
	return all, current
}
