package screen

import (
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"bottlebar.app/assets/look"
	"bottlebar.app/internal/fault"
	"bottlebar.app/snapshot"
)

// quitter counts the quits of an application.
type quitter struct {
	fyne.App
	quits int
}

func (q *quitter) Quit() { q.quits++ }

func quitScreen(t *testing.T, f *fake, all ...snapshot.Bottle) (*screen, *quitter, chan func()) {
	t.Helper()
	s, posted := newScreen(t, f)
	q := &quitter{App: s.fyne}
	s.fyne, s.last, f.now = q, snapshot.Snapshot{Bottles: all}, snapshot.Snapshot{Bottles: all}
	return s, q, posted
}

// press presses the button with that label in the window that asks.
func press(t *testing.T, s *screen, label string) {
	t.Helper()
	for _, o := range s.quit.buttons.Objects {
		if b := o.(*look.Button); b.Label() == label {
			test.Tap(b)
			return
		}
	}
	t.Fatalf("there is no button %q", label)
}

func running3() []snapshot.Bottle {
	return []snapshot.Bottle{
		{ID: "b1", Name: "api-refactor", State: snapshot.Ready},
		{ID: "b2", Name: "docs-fix", State: snapshot.Starting},
		{ID: "b3", Name: "old-fix", State: snapshot.Stopped},
		{ID: "b4", Name: "broken", State: snapshot.Failed},
	}
}

func TestQuitAsksNothingWhileNothingRuns(t *testing.T) {
	s, q, _ := quitScreen(t, &fake{}, running3()[2:]...)
	s.askQuit()
	if q.quits != 1 || s.quit != nil {
		t.Errorf("%d quits, asked: %v", q.quits, s.quit != nil)
	}
}

func TestQuitSaysWhatRunsAndCanBeCancelled(t *testing.T) {
	s, q, _ := quitScreen(t, &fake{}, running3()...)
	s.askQuit()
	first := s.quit
	s.askQuit()
	if s.quit != first {
		t.Error("asked in two windows")
	}
	if s.quit.title.Text != "2 bottles are running" || s.quit.names.Text != "api-refactor, docs-fix" {
		t.Errorf("%q, %q", s.quit.title.Text, s.quit.names.Text)
	}
	press(t, s, "Cancel")
	if q.quits != 0 || s.quit != nil {
		t.Errorf("%d quits, still asked: %v", q.quits, s.quit != nil)
	}
}

func TestBottlesMayBeLeftRunning(t *testing.T) {
	f := &fake{}
	s, q, _ := quitScreen(t, f, running3()...)
	s.askQuit()
	press(t, s, "Leave running")
	if q.quits != 1 || len(f.stopped) != 0 {
		t.Errorf("%d quits, stopped %q", q.quits, f.stopped)
	}
}

func TestStopAndQuitStopsWhatRuns(t *testing.T) {
	f := &fake{}
	s, q, posted := quitScreen(t, f, running3()...)
	s.askQuit()
	press(t, s, "Stop and quit")
	(<-posted)()
	if q.quits != 1 || strings.Join(f.stopped, " ") != "b1 b2" {
		t.Errorf("%d quits, stopped %q", q.quits, f.stopped)
	}
}

// A bottle that cannot be stopped is not left behind in silence, and does not
// keep the others.
func TestABottleThatCannotBeStoppedIsToldBeforeTheEnd(t *testing.T) {
	f := &fake{stop: func(id string) error {
		if id == "b1" {
			return fault.New("stopping api-refactor", "the engine does not answer", "start it")
		}
		return nil
	}}
	s, q, posted := quitScreen(t, f, running3()...)
	s.askQuit()
	press(t, s, "Stop and quit")
	(<-posted)()
	if q.quits != 0 || len(f.stopped) != 2 || s.quit.title.Text != "Not everything could be stopped" ||
		s.quit.text.Text != "Stopping api-refactor: the engine does not answer. Start it." {
		t.Errorf("%d quits, stopped %q, %q, %q", q.quits, f.stopped, s.quit.title.Text, s.quit.text.Text)
	}
	press(t, s, "Quit")
	if q.quits != 1 {
		t.Error("Quit does not quit")
	}
}

func TestOneBottleIsNotThey(t *testing.T) {
	if title, text := quitWords(1); title != "1 bottle is running" || strings.Contains(text, "They") {
		t.Errorf("%q, %q", title, text)
	}
}
