package look

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
)

// Pad puts room around a thing.
func Pad(o fyne.CanvasObject, vertical, horizontal float32) *fyne.Container {
	return container.New(layout.NewCustomPaddedLayout(vertical, vertical, horizontal, horizontal), o)
}

// Row puts things side by side, each in the middle of the row's height.
func Row(gap float32, o ...fyne.CanvasObject) *fyne.Container {
	return container.New(row{gap}, o...)
}

// Column puts things below each other, each as wide as the column.
func Column(gap float32, o ...fyne.CanvasObject) *fyne.Container {
	return container.New(layout.NewCustomPaddedVBoxLayout(gap), o...)
}

// Sides puts one thing at the left, as wide as there is room, and another at
// the right, both in the middle of the height.
func Sides(left, right fyne.CanvasObject) *fyne.Container {
	return container.New(sides{}, left, right)
}

// lineHeight is the height of a line of body text.
const lineHeight = 18

// Lead puts a thing as wide as there is room after another, with Gap between.
// The first is level with the first line of the rest.
func Lead(first, rest fyne.CanvasObject) *fyne.Container {
	return container.New(lead{}, first, rest)
}

// row is the layout of Row: the toolkit's own stretches things to its height.
type row struct{ gap float32 }

func (l row) MinSize(all []fyne.CanvasObject) fyne.Size {
	var s fyne.Size
	for _, o := range all {
		if !o.Visible() {
			continue
		}
		m := o.MinSize()
		if s.Width > 0 {
			s.Width += l.gap
		}
		s.Width += m.Width
		s.Height = max(s.Height, m.Height)
	}
	return s
}

func (l row) Layout(all []fyne.CanvasObject, s fyne.Size) {
	x := float32(0)
	for _, o := range all {
		if !o.Visible() {
			continue
		}
		m := o.MinSize()
		o.Resize(m)
		o.Move(fyne.NewPos(x, (s.Height-m.Height)/2))
		x += m.Width + l.gap
	}
}

type sides struct{}

func (sides) MinSize(o []fyne.CanvasObject) fyne.Size {
	a, b := o[0].MinSize(), o[1].MinSize()
	if !o[1].Visible() {
		b = fyne.Size{}
	}
	return fyne.NewSize(a.Width+Group+b.Width, max(a.Height, b.Height))
}

func (sides) Layout(o []fyne.CanvasObject, s fyne.Size) {
	a, b := o[0].MinSize(), o[1].MinSize()
	width := s.Width
	if o[1].Visible() && b.Width > 0 {
		o[1].Resize(b)
		o[1].Move(fyne.NewPos(s.Width-b.Width, (s.Height-b.Height)/2))
		width -= b.Width + Group
	}
	o[0].Resize(fyne.NewSize(width, a.Height))
	o[0].Move(fyne.NewPos(0, (s.Height-a.Height)/2))
}

type lead struct{}

func (lead) MinSize(o []fyne.CanvasObject) fyne.Size {
	a, b := o[0].MinSize(), o[1].MinSize()
	return fyne.NewSize(a.Width+Gap+b.Width, max(a.Height, b.Height))
}

func (lead) Layout(o []fyne.CanvasObject, s fyne.Size) {
	a, b := o[0].MinSize(), o[1].MinSize()
	o[0].Resize(a)
	o[0].Move(fyne.NewPos(0, (s.Height-b.Height)/2+(min(b.Height, lineHeight)-a.Height)/2))
	o[1].Resize(fyne.NewSize(s.Width-a.Width-Gap, b.Height))
	o[1].Move(fyne.NewPos(a.Width+Gap, (s.Height-b.Height)/2))
}
