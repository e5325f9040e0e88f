package session

import (
	"context"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/theme"

	"bottlebar.app/assets/look"
	"bottlebar.app/snapshot"
	"bottlebar.app/terminal"
	"bottlebar.app/terminal/vt"
)

// phase is how far a window is with its session.
type phase int

const (
	waiting    phase = iota // the bottle is not ready
	connecting              // Attach runs
	live
	ended   // the program ended; exit tells how, if known
	cutOff  // the way to the session broke; cause tells why
	removed // the bottle is gone
)

// view is the content of one session window.
type view struct {
	owner *Windows
	k     key
	ctx   context.Context
	stop  context.CancelFunc

	root    *fyne.Container
	term    *terminal.Terminal
	ground  *canvas.Rectangle // the terminal's own background, around it
	cover   *fyne.Container   // over the terminal while there is no session
	veil    *dropCover        // over the terminal while files are copied
	bars    *fyne.Container   // messages above the status line
	line    *statusLine
	drops   look.Message // what could not be copied; shown while it has a title
	asking  look.Message // about a paste, a link or the clipboard; shown while it has a title
	asked   int          // counts questions
	pastes  bool         // the question is about a paste
	find    *findBar
	bottle  snapshot.Bottle
	phase   phase
	attempt int // counts calls of attach; an answer to an older one is dropped
	conn    terminal.Conn
	joined  bool // there was a session once
	exit    *int
	cause   error
	copies  copies
}

// newView returns the content of a window that has no session yet.
func newView(w *Windows, k key, win fyne.Window) *view {
	v := &view{owner: w, k: k}
	v.ctx, v.stop = context.WithCancel(w.ctx)
	v.term = terminal.New(terminal.Options{
		Post: w.post, Fonts: w.fonts, Theme: termTheme(), TextSize: look.BodySize,
		Name: "Bottlebar", Version: w.o.Version, Mac: w.o.Mac,
		OptionIsMeta: w.o.OptionIsMeta != nil && w.o.OptionIsMeta(),
	})
	v.term.OnEnd = v.ended
	v.term.OnTextSize = func(float32) { v.line.zoom(v.term.TextSize()) }
	v.term.OnLink = v.follow
	v.term.OnHover = func(uri string) { v.line.hint(look.Clean(uri, 90)) }
	v.term.OnPaste = v.doubtful
	v.term.OnClipboard = v.offered
	v.term.OnMenu = v.entries
	v.term.OnEvent = v.event
	v.term.OnShortcut = v.shortcut
	v.ground = canvas.NewRectangle(termTheme().Background)
	v.cover = container.NewStack()
	v.veil = newDropCover()
	v.bars = look.Column(0)
	v.line = newStatusLine(v)
	v.find = newFindBar(v)
	screen := container.NewStack(v.ground, v.term, v.cover, v.veil) // the terminal has TermPadding around its grid
	v.root = container.New(&paneLayout{}, screen, v.bars, v.line.root)
	for _, s := range v.shortcuts() {
		win.Canvas().AddShortcut(s.keys, func(fyne.Shortcut) { s.do() })
	}
	return v
}

// paneLayout stacks the screen, the bars and the status line without the gaps
// of the toolkit's own border layout.
type paneLayout struct{}

func (paneLayout) MinSize(o []fyne.CanvasObject) fyne.Size {
	return fyne.NewSize(320, 120+o[1].MinSize().Height+look.StatusHeight)
}

func (paneLayout) Layout(o []fyne.CanvasObject, s fyne.Size) {
	bars := o[1].MinSize().Height
	top := s.Height - bars - look.StatusHeight
	o[0].Move(fyne.NewPos(0, 0))
	o[0].Resize(fyne.NewSize(s.Width, top))
	o[1].Move(fyne.NewPos(0, top))
	o[1].Resize(fyne.NewSize(s.Width, bars))
	o[2].Move(fyne.NewPos(0, top+bars))
	o[2].Resize(fyne.NewSize(s.Width, look.StatusHeight))
}

// update shows what is known of the bottle now, and attaches once it is ready.
func (v *view) update(b snapshot.Bottle) {
	back := v.bottle.HelperLost && !b.HelperLost
	v.bottle = b
	switch {
	case look.Launching(b) && v.phase != live && v.phase != removed:
		v.phase = waiting // also of a bottle that is resumed: its session is another
	case b.State != snapshot.Ready:
		if v.phase == connecting {
			v.phase = waiting
		}
	case v.phase == waiting, v.phase == cutOff && back:
		v.attach()
		return
	}
	v.show()
}

// gone says that the bottle was removed while somebody looked at its window.
func (v *view) gone() {
	if v.phase != removed {
		v.phase = removed
		v.forgetPaste()
		v.bottle.State = snapshot.Stopped
		v.show()
	}
}

// over says that there is nothing left to come back to.
func (v *view) over() bool { return v.phase == ended || v.phase == removed }

// attach joins the session in the background, once the window is there: until
// then nobody knows how large a screen the session is to be drawn for.
func (v *view) attach() {
	v.phase, v.exit, v.cause = connecting, nil, nil
	if !v.term.Sized() {
		v.term.OnSized = func() {
			if v.phase == connecting && v.ctx.Err() == nil {
				v.attach()
			}
		}
		v.show()
		return
	}
	v.attempt++
	attempt, o := v.attempt, v.owner.o
	cols, rows := v.term.GridSize()
	v.show()
	v.owner.background(func(context.Context) {
		conn, err := o.Backend.Attach(v.ctx, v.k.bottle, v.k.session, cols, rows)
		if err == nil {
			// Also if the window goes before the answer is taken.
			context.AfterFunc(v.ctx, func() { _ = conn.Close() })
		}
		v.owner.post(func() { v.attached(attempt, conn, err) })
	})
}

// attached takes the answer to an attempt.
func (v *view) attached(attempt int, conn terminal.Conn, err error) {
	if attempt != v.attempt || v.ctx.Err() != nil {
		if conn != nil {
			_ = conn.Close() // an answer that nobody waits for any more
		}
		return
	}
	if err != nil {
		v.phase, v.cause = cutOff, err
		v.show()
		return
	}
	v.phase, v.conn, v.joined = live, conn, true
	v.term.Attach(conn)
	v.show()
	v.appeared()
}

// ended is told by the terminal that its Conn is through.
func (v *view) ended(err error) {
	if v.phase == removed || v.ctx.Err() != nil {
		return
	}
	v.phase, v.cause = ended, nil
	v.forgetPaste()
	if err != nil {
		v.phase, v.cause = cutOff, err
	} else if x, ok := v.conn.(Exiter); ok {
		if code, known := x.ExitCode(); known {
			v.exit = &code
		}
	}
	v.conn = nil
	v.show()
}

// appeared puts the keyboard into the terminal.
func (v *view) appeared() {
	if c := fyne.CurrentApp().Driver().CanvasForObject(v.term); c != nil {
		c.Focus(v.term)
	}
}

// show brings everything around the terminal in line with the fields.
func (v *view) show() {
	v.line.show(status(v.bottle, v.owner.o.Now()))
	v.cover.RemoveAll()
	if c := v.covering(); c != nil {
		v.cover.Add(canvas.NewRectangle(termTheme().Background))
		v.cover.Add(c)
	}
	v.bars.RemoveAll()
	if m, ok := v.standing(); ok {
		v.bars.Add(look.NewLine())
		v.bars.Add(look.NewBar(m))
	}
	if v.drops.Title != "" {
		v.bars.Add(look.NewLine())
		v.bars.Add(look.NewBar(v.drops))
	}
	if v.asking.Title != "" {
		v.bars.Add(look.NewLine())
		v.bars.Add(look.NewBar(v.asking))
	}
	if v.find.open {
		v.bars.Add(look.NewLine())
		v.bars.Add(v.find.root)
	}
	v.root.Refresh()
}

// covering is what lies in the middle while there is no session to see.
func (v *view) covering() fyne.CanvasObject {
	switch v.phase {
	case waiting:
		if len(v.bottle.Steps) > 0 && v.bottle.State != snapshot.Stopped {
			return v.launch()
		}
	case connecting:
		return container.NewCenter(look.NewText("Connecting").Colored(look.ColorQuiet))
	case cutOff:
		if !v.joined {
			return look.NewSpace(0, 0) // there was never anything to see
		}
	}
	return nil
}

// event reacts to what the program asks of its window. The title is app's to
// show, cleaned; a bell has no place in a window that is looked at.
func (v *view) event(vt.Event) {}

func (v *view) retheme() {
	t := termTheme()
	v.ground.FillColor = t.Background
	v.ground.Refresh()
	v.term.SetTheme(t)
	v.veil.Refresh()
}

// close ends what runs in the background for this window.
func (v *view) close() {
	v.stop()
	_ = v.term.Close()
}

// shortcut is a key of the window and what it does.
type shortcut struct {
	keys fyne.Shortcut
	do   func()
}

// shortcuts are the window's own: with Command on a Mac, elsewhere with
// Control and Shift, since Control alone belongs to the program.
func (v *view) shortcuts() []shortcut {
	mod := fyne.KeyModifierControl | fyne.KeyModifierShift
	if v.owner.o.Mac {
		mod = fyne.KeyModifierSuper
	}
	with := func(k fyne.KeyName, do func()) shortcut {
		return shortcut{&desktop.CustomShortcut{KeyName: k, Modifier: mod}, do}
	}
	out := []shortcut{
		with(fyne.KeyW, func() { v.owner.hide(v.k) }),
		with(fyne.KeyN, v.shell),
		with(fyne.KeyF, v.find.show),
		with(fyne.KeyG, func() { v.term.FindNext(false) }),
	}
	if v.owner.o.Mac {
		mod |= fyne.KeyModifierShift
		out = append(out, with(fyne.KeyG, func() { v.term.FindNext(true) }))
	}
	return out
}

// shortcut answers whether s is the window's own, and does it.
func (v *view) shortcut(s fyne.Shortcut) bool {
	for _, own := range v.shortcuts() {
		if own.keys.ShortcutName() == s.ShortcutName() {
			own.do()
			return true
		}
	}
	return false
}

// entries are the window's own in the terminal's context menu.
func (v *view) entries() []*fyne.MenuItem {
	return []*fyne.MenuItem{fyne.NewMenuItem("Find…", v.find.show), fyne.NewMenuItem("New shell", v.shell)}
}

// termTheme is the terminal's colours for the variant that is shown.
func termTheme() terminal.Theme {
	if look.Variant() == theme.VariantLight {
		return terminal.LightTheme()
	}
	return terminal.DarkTheme()
}
