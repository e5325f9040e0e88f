package terminal

import (
	"image"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/widget"

	"bottlebar.app/terminal/vt"
)

// Options are what a Terminal needs from its owner.
type Options struct {
	// Post runs a function on the toolkit's goroutine, soon and in order:
	// fyne.Do. A test gathers the functions instead. Required.
	Post func(func())

	Theme      Theme   // the zero value is DarkTheme
	TextSize   float32 // in points; 0 is 13
	Scrollback int     // lines; 0 is 50 000
	Name       string  // answer to XTVERSION; empty is bottlebar
	Version    string

	// Fonts may be shared by terminals; nil makes new ones.
	Fonts *Fonts

	// Mac says that Command, not Control, is the key of the app's own
	// shortcuts, and that Option composes characters.
	Mac bool
	// OptionIsMeta sends ESC before the key while Option is held, where Mac
	// is set; else Option types what the keyboard says.
	OptionIsMeta bool
}

// Text sizes in points.
const (
	DefaultTextSize = 13
	minTextSize     = 6
	maxTextSize     = 48
)

// padding around the grid, in points.
const padding = 6

// Terminal is the widget. Its fields are set before it is shown; they are
// called on the toolkit's goroutine, on which all methods must be called too,
// but for Close.
type Terminal struct {
	widget.BaseWidget

	// OnEnd is called once when the attached Conn has ended: err is nil
	// after io.EOF. The screen stays as it was.
	OnEnd func(err error)
	// OnEvent is told of titles, bells, notifications and the like. Their
	// text comes from the program.
	OnEvent func(vt.Event)
	// OnTextSize is told of a zoom.
	OnTextSize func(points float32)
	// OnInput is told that the person typed, clicked or pasted.
	OnInput func()
	// OnShortcut is asked first about each shortcut; true means that it was
	// the window's own.
	OnShortcut func(fyne.Shortcut) bool
	// OnLink is asked to open a link that was clicked with the shortcut
	// modifier held.
	OnLink func(Link)
	// OnHover is told of the address of the link under the pointer while the
	// shortcut modifier is held, and of the empty one after that.
	OnHover func(uri string)
	// OnPaste is asked about text that may do more than one thinks; calling
	// paste goes on with it. Nil pastes it at once.
	OnPaste func(d PasteDoubt, paste func())
	// OnClipboard is told that the program has put text on the clipboard;
	// undo puts back the text that was there. Nil lets no program do so.
	OnClipboard func(text string, undo func())
	// OnMenu gives further entries for the context menu.
	OnMenu func() []*fyne.MenuItem
	// OnFocus is told when the widget gains or loses the keyboard.
	OnFocus func(focused bool)
	// OnSized is told once, when Sized becomes true.
	OnSized func()
	// OnFound is told how far a search is, whenever that changes.
	OnFound func(Found)

	core   *vt.Terminal
	opts   Options
	post   func(func())
	raster *canvas.Raster
	paint  painter

	wires            // the Conn and its goroutines
	frame  *beat     // wakes for painting
	size   *debounce // tells the grid its size
	scale  float32   // device pixels a point; 0 before the first paint
	hidden bool

	focused bool
	since   time.Time // of the last input, for blinking
	back    int       // lines scrolled back
	epoch   uint64

	touched time.Time // of the person's last own key or click
	clip    offered
	mouse   pointer
	auto    *beat // scrolls while a selection is dragged beyond an edge
	held    held
	sel     *vt.Selection
	find    search
	option  bool // the next rune is Option's, and was sent as Meta
	lastKey fyne.KeyName
	mods    func() fyne.KeyModifier
	now     func() time.Time
}

// New returns a terminal without a program.
func New(o Options) *Terminal {
	if o.Theme == (Theme{}) {
		o.Theme = DarkTheme()
	}
	if o.Fonts == nil {
		o.Fonts = NewFonts("")
	}
	if o.TextSize == 0 {
		o.TextSize = DefaultTextSize
	}
	t := &Terminal{opts: o, post: o.Post, now: time.Now, mods: heldKeys}
	t.core = vt.New(vt.Options{
		Scrollback: o.Scrollback, Name: o.Name, Version: o.Version, Colors: o.Theme.colors(), TellTheme: true,
	})
	t.paint = painter{fonts: o.Fonts, theme: o.Theme}
	t.setScale(1)
	t.raster = canvas.NewRaster(t.generate)
	t.raster.ScaleMode = canvas.ImageScalePixels
	t.frame = newBeat(t.post, t.tick)
	t.auto = newBeat(t.post, t.scrollOn)
	t.size = &debounce{post: t.post, call: t.applySize}
	t.ExtendBaseWidget(t)
	return t
}

func heldKeys() fyne.KeyModifier {
	if d, ok := fyne.CurrentApp().Driver().(desktop.Driver); ok {
		return d.CurrentKeyModifiers()
	}
	return 0
}

// CreateRenderer is for the toolkit.
func (t *Terminal) CreateRenderer() fyne.WidgetRenderer {
	t.ExtendBaseWidget(t)
	return &face{t: t}
}

// face places the picture on whole device pixels.
type face struct{ t *Terminal }

func (f *face) Layout(size fyne.Size) { f.t.place(size) }

func (f *face) MinSize() fyne.Size {
	s := f.t.paint.sheet
	k := max(f.t.scale, 1)
	return fyne.NewSize(float32(20*s.cellW)/k+2*padding, float32(4*s.cellH)/k+2*padding)
}

func (f *face) Refresh()                     { f.t.frame.wake() }
func (f *face) Objects() []fyne.CanvasObject { return []fyne.CanvasObject{f.t.raster} }
func (f *face) Destroy()                     {}

// place puts the picture over the widget, moved by the part of a pixel that
// the widget itself is off.
func (t *Terminal) place(size fyne.Size) {
	off := fyne.Position{}
	if c := canvasOf(t); c != nil && c.Scale() > 0 {
		at := fyne.CurrentApp().Driver().AbsolutePositionForObject(t)
		k := c.Scale()
		off.X = float32(round(at.X*k))/k - at.X
		off.Y = float32(round(at.Y*k))/k - at.Y
	}
	t.raster.Move(off)
	t.raster.Resize(size)
}

func canvasOf(o fyne.CanvasObject) fyne.Canvas {
	a := fyne.CurrentApp()
	if a == nil {
		return nil
	}
	return a.Driver().CanvasForObject(o)
}

func round(v float32) int { return int(v + 0.5) }

// setScale fits the glyphs to a number of device pixels a point.
func (t *Terminal) setScale(k float32) {
	t.scale = k
	t.paint.sheet = t.opts.Fonts.sheet(float64(t.opts.TextSize * k))
	t.paint.pad = round(padding * k)
	t.paint.invalidate()
	t.core.SetPixels(t.paint.sheet.cellW, t.paint.sheet.cellH)
}

// generate returns the picture, w by h device pixels. The toolkit calls it
// when it is about to show it.
func (t *Terminal) generate(w, h int) image.Image {
	if w <= 0 || h <= 0 {
		return image.NewRGBA(image.Rect(0, 0, 1, 1))
	}
	if size := t.raster.Size(); size.Width > 0 {
		if k := float32(w) / size.Width; k > t.scale*1.01 || k < t.scale*0.99 {
			if c := canvasOf(t); c != nil && c.Scale() > 0 {
				k = c.Scale()
			}
			t.setScale(k)
		}
	}
	fresh := t.paint.img == nil
	if fresh {
		defer t.post(func() {
			if t.OnSized != nil {
				t.OnSized()
			}
		})
	}
	if cols, rows := t.paint.resize(w, h); t.sizeDiffers(cols, rows) {
		if fresh {
			t.applySize()
		} else {
			t.size.trigger()
		}
	}
	t.render()
	return t.paint.img
}

func (t *Terminal) sizeDiffers(cols, rows int) bool {
	c, r := t.core.Size()
	return c != cols || r != rows
}

// applySize gives the grid, then the program, the size of the widget.
func (t *Terminal) applySize() {
	if t.paint.img == nil {
		return
	}
	b := t.paint.img.Rect
	cols, rows := t.paint.grid(b.Dx(), b.Dy())
	t.core.Resize(cols, rows)
	t.wires.resize(cols, rows)
	t.frame.wake()
}

// tick paints what changed and shows it. Nothing is painted while hidden.
func (t *Terminal) tick() {
	t.deliver()
	if t.hidden || !t.Visible() || t.paint.img == nil {
		return
	}
	if t.render() {
		t.raster.Refresh()
	}
}

// render brings the picture up to date.
func (t *Terminal) render() bool {
	changed := false
	var next time.Time
	blinks := false
	t.core.View(func(s *vt.Screen) {
		t.follow(s)
		changed = t.paint.paint(s, t.scene(s))
		next = s.Held
		blinks = s.Cursor.Blink && s.Cursor.Visible && t.focused
	})
	if t.paint.holes {
		t.paint.holes = false
		t.awaitFonts()
	}
	if !next.IsZero() {
		t.frame.wakeAt(time.Until(next))
	} else if d := t.now().Sub(t.since); blinks && d >= 0 && d < blinkFor {
		t.frame.wakeAt(blinkHalf - d%blinkHalf)
	}
	return changed
}

// awaitFonts paints again when the system's fonts are known.
func (t *Terminal) awaitFonts() {
	again := func() {
		t.post(func() {
			t.paint.invalidate()
			t.frame.wake()
		})
	}
	if !t.opts.Fonts.others.whenScanned(again) {
		t.paint.invalidate()
		t.frame.wake()
	}
}

// follow keeps the lines that one looks at in place while others come.
func (t *Terminal) follow(s *vt.Screen) {
	if t.epoch != s.Epoch {
		t.epoch = s.Epoch
		t.mouse.anchor = nil
		t.sel = nil
		if t.find.on {
			t.post(t.lookThrough) // the places have other numbers now
		}
	}
	if t.back > 0 {
		t.back = max(s.Top-t.mouse.top, 0)
	}
	t.back = min(t.back, s.Top-s.First)
	t.mouse.top = s.Top - t.back
}

// scene is what is to be seen of a screen.
func (t *Terminal) scene(s *vt.Screen) scene {
	sc := scene{top: s.Top - t.back, sel: t.sel, scroll: -1, link: t.mouse.link}
	if t.back > 0 {
		total := float64(s.Top - s.First + s.Rows)
		sc.thumb = float64(s.Rows) / total
		sc.scroll = float64(sc.top-s.First) / float64(s.Top-s.First)
	}
	sc.marks, sc.mark = t.find.marks(s, sc.top)
	c := s.Cursor
	sc.row = c.Y + t.back
	sc.caret = caret{
		on: c.Visible && sc.row < s.Rows, col: c.X, shape: c.Shape, hollow: !t.focused,
	}
	if c.Blink && t.focused && t.blinkOff() {
		sc.caret.on = false
	}
	return sc
}

// Blinking: on and off for blinkHalf each, for blinkFor after the last input.
const (
	blinkHalf = 530 * time.Millisecond
	blinkFor  = 12 * blinkHalf
)

func (t *Terminal) blinkOff() bool {
	d := t.now().Sub(t.since)
	return d < blinkFor && d/blinkHalf%2 == 1
}
