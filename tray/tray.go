package tray

import (
	"sync"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"

	"bottlebar.app/assets"
	"bottlebar.app/assets/look"
	"bottlebar.app/snapshot"
)

// pace is the shortest time between two changes of the native menu or icon:
// each rebuild re-adds every entry and costs milliseconds on the main goroutine.
const pace = 250 * time.Millisecond

// Host shows a menu and an icon. Its methods are called on the toolkit's goroutine.
type Host interface {
	SetMenu(*fyne.Menu)
	SetIcon(fyne.Resource)
}

// Actions carries out what a click asks for. Do is called on the toolkit's
// goroutine and returns at once: a click that comes while another is still
// being answered is lost by the toolkit.
type Actions interface{ Do(Action) }

// OnDesktop returns the Host of a desktop application.
func OnDesktop(d desktop.App) Host { return host{d} }

type host struct{ app desktop.App }

func (h host) SetMenu(m *fyne.Menu)    { h.app.SetSystemTrayMenu(m) }
func (h host) SetIcon(r fyne.Resource) { h.app.SetSystemTrayIcon(r) }

// Options are what a Tray needs. All fields but Light are required.
type Options struct {
	Host    Host
	Actions Actions
	Post    func(func()) // runs a function on the toolkit's goroutine: fyne.Do
	Now     func() time.Time
	// Template says that the system colours icons itself, as macOS does.
	Template bool
	// Light says whether the desktop's panel is light, where Template is
	// false; nil takes it for dark, as panels mostly are, even on desktops
	// with light windows. Called on the toolkit's goroutine.
	Light func() bool
}

// Tray shows snapshots. Make one with [New], feed it with Update.
type Tray struct {
	o    Options
	menu *fyne.Menu
	wake chan struct{} // holds at most one
	stop chan struct{}
	done chan struct{}

	mu     sync.Mutex
	next   snapshot.Snapshot
	fresh  bool // next was not drawn yet
	posted bool // a draw waits on the toolkit's goroutine
	tick   int

	// Only the toolkit's goroutine touches these.
	shown   []Entry
	started bool
	icon    string
	gen     uint64
}

// New shows first and returns the Tray that goes on from there; Close ends its
// one goroutine. Call it on the main goroutine before the toolkit runs: a tray
// that is set later is never started.
func New(o Options, first snapshot.Snapshot) *Tray {
	t := &Tray{o: o, menu: fyne.NewMenu(""), wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	t.next, t.fresh = first, true
	t.draw()
	go t.run()
	return t
}

// Update shows s soon. Any goroutine may call it, as often as it likes; what
// is shown is always the last. Call it also every minute or so while bottles
// run, so that the times in the menu stay true.
func (t *Tray) Update(s snapshot.Snapshot) {
	t.mu.Lock()
	t.next, t.fresh = s, true
	t.mu.Unlock()
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// Close stops updating and waits for the goroutine. Call it before the toolkit quits.
func (t *Tray) Close() {
	close(t.stop)
	<-t.done
}

// run paces the updates. It sleeps for good while nothing changes, and ticks
// only while something starts or stops.
func (t *Tray) run() {
	defer close(t.done)
	for {
		select {
		case <-t.wake:
		case <-t.stop:
			return
		}
		for {
			moving := t.post()
			pause := time.NewTimer(pace)
			select {
			case <-pause.C:
			case <-t.stop:
				pause.Stop()
				return
			}
			if !moving {
				break
			}
		}
	}
}

// post hands one draw to the toolkit unless one still waits there, and reports
// whether the icon moves.
func (t *Tray) post() (moving bool) {
	t.mu.Lock()
	moving = look.Moving(t.next.Bottles)
	if moving {
		t.tick++
	}
	waits := t.posted
	t.posted = true
	t.mu.Unlock()
	if !waits {
		t.o.Post(t.draw)
	}
	return moving
}

// draw shows the newest snapshot. It runs on the toolkit's goroutine.
func (t *Tray) draw() {
	t.mu.Lock()
	s, tick, fresh := t.next, t.tick, t.fresh
	t.posted, t.fresh = false, false
	t.mu.Unlock()
	select {
	case <-t.stop:
		return
	default:
	}
	t.drawIcon(s.Bottles, tick)
	if !fresh {
		return
	}
	entries := Entries(s, t.o.Now())
	if t.started && Equal(entries, t.shown) {
		return
	}
	t.shown, t.started = entries, true
	t.gen++
	// One menu for good, with new items: once the desktop's tray is ready, the
	// toolkit shows the menu again that it was given first, which may be late.
	t.menu.Items = t.items(entries, t.gen)
	t.o.Host.SetMenu(t.menu)
}

func (t *Tray) drawIcon(bottles []snapshot.Bottle, tick int) {
	glyph := look.Glyph(bottles, tick)
	light := t.o.Light != nil && t.o.Light()
	key := string(glyph)
	if light {
		key += " on light"
	}
	if key == t.icon {
		return
	}
	t.icon = key
	if t.o.Template {
		t.o.Host.SetIcon(assets.Template(glyph))
		return
	}
	t.o.Host.SetIcon(assets.Panel(glyph, !light))
}

// items builds the native form of entries. The toolkit adds a Quit of its own
// to a menu that does not end with one, but too late to be shown, and gives an
// action to one that has none, but too late to be heard: ours has both.
func (t *Tray) items(entries []Entry, gen uint64) []*fyne.MenuItem {
	items := make([]*fyne.MenuItem, len(entries))
	for i, e := range entries {
		items[i] = t.item(e, gen)
	}
	return items
}

func (t *Tray) item(e Entry, gen uint64) *fyne.MenuItem {
	if e.Separator {
		return fyne.NewMenuItemSeparator()
	}
	it := fyne.NewMenuItem(e.Label, nil)
	it.Disabled, it.Checked, it.IsQuit = e.Disabled, e.Checked, e.Quit
	if len(e.Children) > 0 {
		it.ChildMenu = fyne.NewMenu("", t.items(e.Children, gen)...)
	}
	if e.Action.Verb != "" {
		action := e.Action
		it.Action = func() { t.click(action, gen) }
	}
	return it
}

// click passes an action on. A click on a menu that has been replaced since
// counts only if the new one offers the very same.
func (t *Tray) click(a Action, gen uint64) {
	if gen != t.gen && !offers(t.shown, a) {
		return
	}
	t.o.Actions.Do(a)
}

func offers(entries []Entry, a Action) bool {
	for i := range entries {
		e := &entries[i]
		if (e.Action == a && !e.Disabled) || offers(e.Children, a) {
			return true
		}
	}
	return false
}
