package look

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"bottlebar.app/assets"
)

// Part is a piece of text that is a button: flat, with an optional shape
// before it, raised under the pointer. The status line is made of them.
type Part struct {
	widget.BaseWidget
	OnTapped func()

	shape   *Shape
	text    *Text
	hovered bool
}

// NewPart returns a part without a shape; tapped may be nil for text that
// opens nothing.
func NewPart(label string, tapped func()) *Part {
	p := &Part{OnTapped: tapped, text: newText(label, SecondSize, ColorQuiet, fyne.TextStyle{})}
	p.ExtendBaseWidget(p)
	return p
}

// Set changes shape, text and the colour of both; n may be "" for no shape.
func (p *Part) Set(n assets.ShapeName, label string, c fyne.ThemeColorName) {
	switch {
	case n == "":
		p.shape = nil
	case p.shape == nil:
		p.shape = NewShape(n, c)
	default:
		p.shape.Set(n, c)
	}
	p.text.Text, p.text.Color = label, OnRaised(c)
	p.Hidden = label == "" && n == ""
	p.text.Refresh()
	p.Refresh()
}

// Label is the text shown now.
func (p *Part) Label() string { return p.text.Text }

// Tapped is for the toolkit.
func (p *Part) Tapped(*fyne.PointEvent) {
	if p.OnTapped != nil {
		p.OnTapped()
	}
}

// MouseIn is for the toolkit.
func (p *Part) MouseIn(*desktop.MouseEvent) { p.hover(p.OnTapped != nil) }

// MouseMoved is for the toolkit.
func (p *Part) MouseMoved(*desktop.MouseEvent) {}

// MouseOut is for the toolkit.
func (p *Part) MouseOut() { p.hover(false) }

func (p *Part) hover(on bool) {
	if p.hovered != on {
		p.hovered = on
		p.Refresh()
	}
}

// Cursor is for the toolkit.
func (p *Part) Cursor() desktop.Cursor {
	if p.OnTapped == nil {
		return desktop.DefaultCursor
	}
	return desktop.PointerCursor
}

// CreateRenderer is for the toolkit.
func (p *Part) CreateRenderer() fyne.WidgetRenderer {
	p.ExtendBaseWidget(p)
	r := &partRenderer{p: p, ground: canvas.NewRectangle(color.Transparent)}
	r.ground.CornerRadius = Step
	r.Refresh()
	return r
}

type partRenderer struct {
	p      *Part
	ground *canvas.Rectangle
}

func (r *partRenderer) Destroy() {}

func (r *partRenderer) Objects() []fyne.CanvasObject {
	if r.p.shape == nil {
		return []fyne.CanvasObject{r.ground, r.p.text}
	}
	return []fyne.CanvasObject{r.ground, r.p.shape, r.p.text}
}

func (r *partRenderer) lead() float32 {
	if r.p.shape == nil {
		return 0
	}
	if r.p.text.Text == "" {
		return ShapeSize
	}
	return ShapeSize + Step
}

func (r *partRenderer) MinSize() fyne.Size {
	m := r.p.text.MinSize()
	return fyne.NewSize(m.Width+r.lead()+2*Step, max(m.Height, ShapeSize)+Step)
}

func (r *partRenderer) Layout(s fyne.Size) {
	r.ground.Resize(s)
	if r.p.shape != nil {
		r.p.shape.Resize(fyne.NewSquareSize(ShapeSize))
		r.p.shape.Move(fyne.NewPos(Step, (s.Height-ShapeSize)/2))
	}
	h := r.p.text.MinSize().Height
	r.p.text.Move(fyne.NewPos(Step+r.lead(), (s.Height-h)/2))
	r.p.text.Resize(fyne.NewSize(max(0, s.Width-r.lead()-2*Step), h))
}

func (r *partRenderer) Refresh() {
	r.ground.FillColor = color.Transparent
	if r.p.hovered {
		r.ground.FillColor = themed(theme.ColorNameHover)
	}
	r.ground.Refresh()
	r.Layout(r.p.Size())
	r.p.text.Refresh()
}
