package session

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"bottlebar.app/assets/look"
)

// The frame of a drop: where it lies and how it is dashed.
const (
	frameInset = 12
	frameWidth = 2
	dash       = 10
	dashGap    = 6
)

// dropCover lies over the terminal while files are copied: a dashed frame, the
// words in the middle, and a thin progress line on the top edge.
type dropCover struct {
	widget.BaseWidget
	text, size *look.Text
	bar        *look.Progress
	label      *fyne.Container
}

func newDropCover() *dropCover {
	d := &dropCover{text: look.NewStrong("").Cutting(look.CutEnd), size: look.NewSecond(""), bar: look.NewProgress(frameWidth, true)}
	d.text.Align, d.size.Align = fyne.TextAlignCenter, fyne.TextAlignCenter
	d.text.Width = 400
	words := container.New(layout.NewCustomPaddedVBoxLayout(2), d.text, d.size)
	d.label = container.NewStack(look.NewCard(), container.New(layout.NewCustomPaddedLayout(look.Gap, look.Gap, look.Group, look.Group), words))
	d.ExtendBaseWidget(d)
	d.Hide()
	return d
}

func (d *dropCover) show(text, size string) {
	d.text.Set(text)
	d.size.Hidden = size == ""
	d.size.Set(size)
	if d.Hidden {
		d.bar.Set(0, 0)
		d.Show()
	}
	d.Refresh()
}

func (d *dropCover) progress(done, total int64) { d.bar.Set(done, total) }

func (d *dropCover) hide() { d.Hide() }

// CreateRenderer is for the toolkit.
func (d *dropCover) CreateRenderer() fyne.WidgetRenderer {
	return &coverRenderer{d: d}
}

type coverRenderer struct {
	d      *dropCover
	dashes []*canvas.Rectangle
}

func (r *coverRenderer) Destroy()           {}
func (r *coverRenderer) MinSize() fyne.Size { return fyne.NewSize(0, 0) }

func (r *coverRenderer) Objects() []fyne.CanvasObject {
	out := make([]fyne.CanvasObject, 0, len(r.dashes)+2)
	for _, d := range r.dashes {
		out = append(out, d)
	}
	return append(out, r.d.label, r.d.bar)
}

func (r *coverRenderer) Layout(s fyne.Size) {
	r.d.bar.Move(fyne.NewPos(0, 0))
	r.d.bar.Resize(fyne.NewSize(s.Width, frameWidth))
	m := r.d.label.MinSize()
	m.Width = min(m.Width, max(0, s.Width-4*frameInset))
	r.d.label.Resize(m)
	r.d.label.Move(fyne.NewPos((s.Width-m.Width)/2, (s.Height-m.Height)/2))
	r.frame(s)
}

// frame lays the dashes along the four sides, corner to corner.
func (r *coverRenderer) frame(s fyne.Size) {
	n := 0
	put := func(x, y, w, h float32) {
		if n == len(r.dashes) {
			r.dashes = append(r.dashes, canvas.NewRectangle(look.Theme().Color(theme.ColorNamePrimary, look.Variant())))
		}
		r.dashes[n].Move(fyne.NewPos(x, y))
		r.dashes[n].Resize(fyne.NewSize(w, h))
		n++
	}
	w, h := s.Width-2*frameInset, s.Height-2*frameInset
	if w < 4*dash || h < 4*dash {
		r.dashes = nil
		return
	}
	run(w, func(at, long float32) {
		put(frameInset+at, frameInset, long, frameWidth)
		put(frameInset+at, s.Height-frameInset-frameWidth, long, frameWidth)
	})
	run(h, func(at, long float32) {
		put(frameInset, frameInset+at, frameWidth, long)
		put(s.Width-frameInset-frameWidth, frameInset+at, frameWidth, long)
	})
	r.dashes = r.dashes[:n]
}

// run places dashes on a side so that it begins and ends with a whole one.
func run(side float32, put func(at, long float32)) {
	n := int((side + dashGap) / (dash + dashGap))
	step := (side - dash) / float32(max(1, n-1))
	for i := range n {
		put(float32(i)*step, dash)
	}
}

func (r *coverRenderer) Refresh() {
	c := look.Theme().Color(theme.ColorNamePrimary, look.Variant())
	for _, d := range r.dashes {
		d.FillColor = c
	}
	r.Layout(r.d.Size())
	canvas.Refresh(r.d)
}
