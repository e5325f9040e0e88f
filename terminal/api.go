package terminal

import (
	"image/color"

	"bottlebar.app/terminal/vt"
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/widget"
)

// New returns a terminal without a program.
func New(o Options) *Terminal {
	t := &Terminal{opts: o, core: vt.New(vt.Options{})}
	t.raster = canvas.NewRaster(nil)
	t.ExtendBaseWidget(t)
	return t
}

// CreateRenderer is for the toolkit.
func (t *Terminal) CreateRenderer() fyne.WidgetRenderer {
	return widget.NewSimpleRenderer(canvas.NewRectangle(color.Black))
}

// Attach shows and feeds conn from now on. A Conn that was attached before is
// closed first. The size is told at once.
func (t *Terminal) Attach(conn Conn) {}

// Close ends the Conn and waits for the reader to stop.
func (t *Terminal) Close() error { return nil }

// Type sends text as if it were typed: at the prompt, without brackets.
// Controls are taken out.
func (t *Terminal) Type(text string) {}

// Paste sends text as pasted.
func (t *Terminal) Paste(text string) {}

// SelectedText returns what is selected, as it goes to the clipboard.
func (t *Terminal) SelectedText() string { return "" }

// ScreenText returns the visible lines as text.
func (t *Terminal) ScreenText() string { return "" }

// Core returns the emulator behind the widget.
func (t *Terminal) Core() *vt.Terminal { return t.core }

// SetTheme changes the colours.
func (t *Terminal) SetTheme(th Theme) {}

// SetTextSize changes the size of the letters, in points, 6 to 48.
func (t *Terminal) SetTextSize(points float32) {}

// TextSize returns the size of the letters in points.
func (t *Terminal) TextSize() float32 { return t.opts.TextSize }

// GridSize returns the columns and rows that fit now.
func (t *Terminal) GridSize() (cols, rows int) { return t.core.Size() }

// Dim paints everything at 35 per cent, for what lies over the terminal.
func (t *Terminal) Dim(on bool) {}

// DarkTheme returns the colours for a dark window.
func DarkTheme() Theme { return Theme{Dark: true} }

// LightTheme returns the colours for a light window.
func LightTheme() Theme { return Theme{} }
