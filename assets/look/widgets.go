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

// Fill is a rectangle in a token's colour that follows light and dark.
type Fill struct {
	widget.BaseWidget
	Color  fyne.ThemeColorName
	Edge   fyne.ThemeColorName // "" draws no edge
	Radius float32
	Least  fyne.Size
}

// NewFill returns a plain rectangle.
func NewFill(c fyne.ThemeColorName) *Fill {
	f := &Fill{Color: c}
	f.ExtendBaseWidget(f)
	return f
}

// NewCard returns the ground of a card: raised, with rounded corners.
func NewCard() *Fill {
	f := &Fill{Color: ColorRaised, Radius: Radius}
	f.ExtendBaseWidget(f)
	return f
}

// NewLine returns a separator, one pixel high and wide at least.
func NewLine() *Fill {
	f := &Fill{Color: ColorLine, Least: fyne.NewSquareSize(Hairline)}
	f.ExtendBaseWidget(f)
	return f
}

// NewSpace returns an invisible thing of a size.
func NewSpace(w, h float32) fyne.CanvasObject {
	r := canvas.NewRectangle(color.Transparent)
	r.SetMinSize(fyne.NewSize(w, h))
	return r
}

// CreateRenderer is for the toolkit.
func (f *Fill) CreateRenderer() fyne.WidgetRenderer {
	f.ExtendBaseWidget(f)
	r := &fillRenderer{f: f, rect: canvas.NewRectangle(color.Transparent)}
	r.Refresh()
	return r
}

type fillRenderer struct {
	f    *Fill
	rect *canvas.Rectangle
}

func (r *fillRenderer) Destroy()                     {}
func (r *fillRenderer) Objects() []fyne.CanvasObject { return []fyne.CanvasObject{r.rect} }
func (r *fillRenderer) MinSize() fyne.Size           { return r.f.Least }
func (r *fillRenderer) Layout(s fyne.Size)           { r.rect.Resize(s) }
func (r *fillRenderer) Refresh() {
	r.rect.FillColor, r.rect.CornerRadius = themed(r.f.Color), r.f.Radius
	r.rect.StrokeWidth, r.rect.StrokeColor = 0, color.Transparent
	if r.f.Edge != "" {
		r.rect.StrokeWidth, r.rect.StrokeColor = Hairline, themed(r.f.Edge)
	}
	r.rect.Refresh()
}

// Shape is one of the small shapes in a token's colour.
type Shape struct {
	widget.BaseWidget
	name  assets.ShapeName
	color fyne.ThemeColorName
	img   *canvas.Image
}

// NewShape returns a shape, ShapeSize square.
func NewShape(n assets.ShapeName, c fyne.ThemeColorName) *Shape {
	s := &Shape{name: n, color: c}
	s.ExtendBaseWidget(s)
	return s
}

// Set changes what is shown.
func (s *Shape) Set(n assets.ShapeName, c fyne.ThemeColorName) {
	if s.name == n && s.color == c {
		return
	}
	s.name, s.color = n, c
	if s.img != nil {
		s.img.Resource = assets.Shape(n, c)
		s.img.Refresh()
	}
}

// Name is the shape shown now.
func (s *Shape) Name() assets.ShapeName { return s.name }

// CreateRenderer is for the toolkit.
func (s *Shape) CreateRenderer() fyne.WidgetRenderer {
	s.ExtendBaseWidget(s)
	s.img = canvas.NewImageFromResource(assets.Shape(s.name, s.color))
	s.img.FillMode = canvas.ImageFillContain
	s.img.SetMinSize(fyne.NewSquareSize(ShapeSize))
	return widget.NewSimpleRenderer(s.img)
}

// Button is the toolkit's button with room at its sides.
type Button struct{ widget.Button }

// NewButton returns a plain button.
func NewButton(label string, tapped func()) *Button {
	b := &Button{}
	b.Text, b.OnTapped = label, tapped
	b.ExtendBaseWidget(b)
	return b
}

// NewPrimary returns the one button of a group that is in the accent colour.
func NewPrimary(label string, tapped func()) *Button {
	b := NewButton(label, tapped)
	b.Importance = widget.HighImportance
	return b
}

// MinSize leaves Gap beside the label.
func (b *Button) MinSize() fyne.Size {
	b.ExtendBaseWidget(b)
	s := b.Button.BaseWidget.MinSize()
	if b.Text != "" {
		s.Width += 2 * Gap
	}
	return s
}

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
	p.text.Text, p.text.Color = label, c
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

// Progress is a thin bar in the accent colour on the line's colour. It does
// not animate.
type Progress struct {
	widget.BaseWidget
	value float64 // 0 to 1
	thick float32
	bare  bool // nothing under the bar
}

// NewProgress returns a bar, thick pixels high; bare leaves out the ground.
func NewProgress(thick float32, bare bool) *Progress {
	p := &Progress{thick: thick, bare: bare}
	p.ExtendBaseWidget(p)
	return p
}

// Set shows done of total; a total of 0 or less is not known and shows nothing.
func (p *Progress) Set(done, total int64) {
	v := 0.0
	if total > 0 {
		v = min(1, max(0, float64(done)/float64(total)))
	}
	if v != p.value {
		p.value = v
		p.Refresh()
	}
}

// CreateRenderer is for the toolkit.
func (p *Progress) CreateRenderer() fyne.WidgetRenderer {
	p.ExtendBaseWidget(p)
	r := &progressRenderer{p: p, ground: canvas.NewRectangle(color.Transparent), bar: canvas.NewRectangle(color.Transparent)}
	r.Refresh()
	return r
}

type progressRenderer struct {
	p           *Progress
	ground, bar *canvas.Rectangle
}

func (r *progressRenderer) Destroy() {}
func (r *progressRenderer) Objects() []fyne.CanvasObject {
	return []fyne.CanvasObject{r.ground, r.bar}
}
func (r *progressRenderer) MinSize() fyne.Size { return fyne.NewSize(4*Step, r.p.thick) }
func (r *progressRenderer) Layout(s fyne.Size) {
	r.ground.Resize(s)
	r.bar.Resize(fyne.NewSize(s.Width*float32(r.p.value), s.Height))
}

func (r *progressRenderer) Refresh() {
	r.ground.FillColor, r.ground.CornerRadius = color.Transparent, 0
	if !r.p.bare {
		r.ground.FillColor, r.ground.CornerRadius = themed(ColorLine), r.p.thick/2
		r.bar.CornerRadius = r.p.thick / 2
	}
	r.bar.FillColor = themed(ColorAccent)
	r.Layout(r.p.Size())
	r.ground.Refresh()
	r.bar.Refresh()
}
