package terminal

import (
	"image/color"
	"io"

	"bottlebar.app/terminal/vt"
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/widget"
)

// Conn is the program at the other end: its output is read, input is written.
// Read ends with io.EOF when the program has ended in order. Resize may be
// called while a Read or Write is under way; Close ends both.
type Conn interface {
	io.ReadWriteCloser
	Resize(cols, rows int) error
}

// Theme is the set of colours that the defaults and the palette stand for.
type Theme struct {
	Foreground, Background color.NRGBA
	Cursor                 color.NRGBA
	Selection              color.NRGBA // painted under selected text; may be translucent
	Palette                [16]color.NRGBA
	Dark                   bool
}

// Options are what a Terminal needs from its owner.
type Options struct {
	// Post runs a function on the toolkit's goroutine: fyne.Do. A test
	// gathers the functions instead. Required.
	Post func(func())

	Theme      Theme   // the zero value is DarkTheme
	TextSize   float32 // in points; 0 is 13
	Scrollback int     // lines; 0 is 50 000
	Name       string  // answer to XTVERSION
	Version    string

	// Mac says that Command, not Control, is the key of the app's own
	// shortcuts, and that Option composes characters.
	Mac bool
	// OptionIsMeta sends ESC before the key while Option is held (Mac only).
	OptionIsMeta bool
}

// Terminal is the widget. Its fields are set before the widget is shown;
// callbacks run on the toolkit's goroutine.
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
	// OnLink is asked to open the address of a link that was clicked with
	// the shortcut modifier held. Only http and https arrive here.
	OnLink func(uri string)
	// OnFocus is told when the widget gains or loses the keyboard.
	OnFocus func(focused bool)

	core   *vt.Terminal
	opts   Options
	raster *canvas.Raster
}
