package look

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
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
