package tray

import (
	"sync"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"bottlebar.app/snapshot"
)

// desk stands for the desktop: it keeps what was set, and runs posted
// functions when told to, as the toolkit's loop does.
type desk struct {
	menus  int
	menu   *fyne.Menu
	icons  []string
	did    []Action
	mu     sync.Mutex
	posted []func()
	signal chan struct{}
}

func (d *desk) SetMenu(m *fyne.Menu)    { d.menus++; d.menu = m }
func (d *desk) SetIcon(r fyne.Resource) { d.icons = append(d.icons, r.Name()) }
func (d *desk) Do(a Action)             { d.did = append(d.did, a) }

func (d *desk) post(f func()) {
	d.mu.Lock()
	d.posted = append(d.posted, f)
	d.mu.Unlock()
	select {
	case d.signal <- struct{}{}:
	default:
	}
}

// turn waits for something to be posted and runs it, and reports how many there were.
func (d *desk) turn(t *testing.T) int {
	t.Helper()
	select {
	case <-d.signal:
	case <-time.After(10 * time.Second):
		t.Fatal("nothing was posted")
	}
	d.mu.Lock()
	all := d.posted
	d.posted = nil
	d.mu.Unlock()
	for _, f := range all {
		f()
	}
	return len(all)
}

func start(t *testing.T, first snapshot.Snapshot) (*Tray, *desk) {
	t.Helper()
	test.NewTempApp(t)
	d := &desk{signal: make(chan struct{}, 1)}
	tr := New(Options{Host: d, Actions: d, Post: d.post, Now: func() time.Time { return noon }}, first)
	t.Cleanup(tr.Close)
	return tr, d
}

func TestTheFirstMenuIsThereBeforeTheLoopRuns(t *testing.T) {
	_, d := start(t, snapshot.Snapshot{Library: library()})
	if d.menus != 1 || len(d.icons) != 1 {
		t.Fatalf("%d menus, %d icons", d.menus, len(d.icons))
	}
	last := d.menu.Items[len(d.menu.Items)-1]
	if !last.IsQuit || last.Action == nil {
		t.Errorf("the menu does not end with a quit of ours: %+v", last)
	}
}

func TestTheMenuIsRebuiltOnlyWhenItDiffers(t *testing.T) {
	tr, d := start(t, snapshot.Snapshot{Bottles: []snapshot.Bottle{aBottle(1, snapshot.Idle)}})
	first := d.menu
	same := snapshot.Snapshot{Revision: 9, Bottles: []snapshot.Bottle{aBottle(1, snapshot.Idle)}}
	tr.Update(same)
	d.turn(t)
	if d.menus != 1 {
		t.Errorf("a snapshot that looks the same built %d menus", d.menus)
	}
	tr.Update(snapshot.Snapshot{Bottles: []snapshot.Bottle{aBottle(1, snapshot.Working)}})
	d.turn(t)
	if d.menus != 2 {
		t.Errorf("%d menus after a change", d.menus)
	}
	// The toolkit shows the very first menu again once the desktop is ready.
	if d.menu != first {
		t.Error("the menu is another than the first one, which the toolkit may show again")
	}
}

func TestManyUpdatesAreOneRebuild(t *testing.T) {
	tr, d := start(t, snapshot.Snapshot{})
	for i := range 1000 {
		tr.Update(snapshot.Snapshot{Bottles: many(1 + i%5)})
	}
	final := snapshot.Snapshot{Bottles: []snapshot.Bottle{aBottle(7, snapshot.NeedsYou)}}
	tr.Update(final)
	if n := d.turn(t); n != 1 {
		t.Errorf("%d draws wait while the loop is busy", n)
	}
	if d.menus != 2 || d.menu.Items[0].Label != "◐ b7 — needs you, 7 min" {
		t.Errorf("%d menus, the last begins with %q", d.menus, d.menu.Items[0].Label)
	}
}

func TestTheIconMovesWhileABottleStarts(t *testing.T) {
	starting := snapshot.Bottle{ID: "s", Name: "s", State: snapshot.Starting}
	tr, d := start(t, snapshot.Snapshot{})
	tr.Update(snapshot.Snapshot{Bottles: []snapshot.Bottle{starting}})
	for range 3 {
		d.turn(t)
	}
	if len(d.icons) < 4 {
		t.Errorf("icons %q", d.icons)
	}
	if d.menus != 2 {
		t.Errorf("the moving icon built %d menus", d.menus)
	}
}

func TestAClickOnAStaleMenuReachesNothingThatIsGone(t *testing.T) {
	tr, d := start(t, snapshot.Snapshot{Bottles: []snapshot.Bottle{aBottle(1, snapshot.Idle), aBottle(2, snapshot.Idle)}})
	stop := func(items []*fyne.MenuItem) func() {
		kids := items[0].ChildMenu.Items
		return kids[len(kids)-1].Action
	}
	stopOne := stop(d.menu.Items)
	stopOne()
	tr.Update(snapshot.Snapshot{Bottles: []snapshot.Bottle{aBottle(1, snapshot.Working)}})
	d.turn(t)
	stopOne() // the same bottle is still there
	tr.Update(snapshot.Snapshot{Bottles: []snapshot.Bottle{aBottle(2, snapshot.Working)}})
	d.turn(t)
	stopOne() // now it is another
	if len(d.did) != 2 || d.did[0] != (Action{Stop, "id000001"}) || d.did[1] != d.did[0] {
		t.Errorf("did %v", d.did)
	}
}

func TestNothingIsDrawnAfterClose(t *testing.T) {
	test.NewTempApp(t)
	d := &desk{signal: make(chan struct{}, 1)}
	tr := New(Options{Host: d, Actions: d, Post: d.post, Now: func() time.Time { return noon }}, snapshot.Snapshot{})
	tr.Close()
	tr.Update(snapshot.Snapshot{Bottles: many(3)})
	tr.draw()
	if d.menus != 1 {
		t.Errorf("%d menus", d.menus)
	}
}
