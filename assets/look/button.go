package look

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// Button is a push button as high as a row, in the weight of the text around
// it: the toolkit's own is bold, which shouts in a row of four.
type Button struct {
	widget.DisableableWidget
	OnTapped func()

	label   *Text
	primary bool
	hovered bool
	focused bool
}

// NewButton returns a plain button.
func NewButton(label string, tapped func()) *Button {
	b := &Button{OnTapped: tapped, label: NewText(label)}
	b.label.Align = fyne.TextAlignCenter
	b.ExtendBaseWidget(b)
	return b
}

// NewPrimary returns the one button of a group that is in the accent colour.
func NewPrimary(label string, tapped func()) *Button {
	b := NewButton(label, tapped)
	b.primary = true
	return b
}

// Label is what the button says.
func (b *Button) Label() string { return b.label.Text }

// Tapped is for the toolkit.
func (b *Button) Tapped(*fyne.PointEvent) {
	if !b.Disabled() && b.OnTapped != nil {
		b.OnTapped()
	}
}

// TypedKey is for the toolkit: space and Return press a button that has the
// keyboard.
func (b *Button) TypedKey(e *fyne.KeyEvent) {
	switch e.Name {
	case fyne.KeySpace, fyne.KeyReturn, fyne.KeyEnter:
		b.Tapped(nil)
	}
}

// TypedRune is for the toolkit.
func (b *Button) TypedRune(rune) {}

// FocusGained is for the toolkit.
func (b *Button) FocusGained() { b.set(&b.focused, true) }

// FocusLost is for the toolkit.
func (b *Button) FocusLost() { b.set(&b.focused, false) }

// MouseIn is for the toolkit.
func (b *Button) MouseIn(*desktop.MouseEvent) { b.set(&b.hovered, true) }

// MouseMoved is for the toolkit.
func (b *Button) MouseMoved(*desktop.MouseEvent) {}

// MouseOut is for the toolkit.
func (b *Button) MouseOut() { b.set(&b.hovered, false) }

func (b *Button) set(flag *bool, on bool) {
	if *flag != on {
		*flag = on
		b.Refresh()
	}
}

// CreateRenderer is for the toolkit.
func (b *Button) CreateRenderer() fyne.WidgetRenderer {
	b.ExtendBaseWidget(b)
	r := &buttonRenderer{b: b, ground: canvas.NewRectangle(color.Transparent), shade: canvas.NewRectangle(color.Transparent)}
	r.ground.CornerRadius, r.shade.CornerRadius = Radius, Radius
	r.Refresh()
	return r
}

type buttonRenderer struct {
	b             *Button
	ground, shade *canvas.Rectangle
}

func (r *buttonRenderer) Destroy() {}

func (r *buttonRenderer) Objects() []fyne.CanvasObject {
	return []fyne.CanvasObject{r.ground, r.shade, r.b.label}
}

func (r *buttonRenderer) MinSize() fyne.Size {
	m := r.b.label.MinSize()
	return fyne.NewSize(m.Width+3*Gap, RowHeight)
}

func (r *buttonRenderer) Layout(s fyne.Size) {
	for _, o := range r.Objects() {
		o.Resize(s)
	}
}

func (r *buttonRenderer) Refresh() {
	b := r.b
	r.ground.FillColor = themed(theme.ColorNameButton)
	text := fyne.ThemeColorName(ColorText)
	if b.primary {
		r.ground.FillColor, text = themed(ColorAccent), ColorOnAccent
	}
	if b.Disabled() {
		r.ground.FillColor, text = themed(theme.ColorNameDisabledButton), theme.ColorNameDisabled
	}
	r.shade.FillColor = color.Transparent
	if b.hovered && !b.Disabled() {
		r.shade.FillColor = themed(theme.ColorNamePressed)
	}
	r.shade.StrokeWidth, r.shade.StrokeColor = 0, color.Transparent
	r.shade.Hidden = !b.hovered && !b.focused // an empty one still draws an edge
	if b.focused {
		r.shade.StrokeWidth, r.shade.StrokeColor = 2, themed(ColorAccent)
		if b.primary {
			r.shade.StrokeColor = themed(ColorText)
		}
	}
	b.label.SetColor(text)
	b.label.Refresh()
	r.ground.Refresh()
	r.shade.Refresh()
	canvas.Refresh(b)
}
