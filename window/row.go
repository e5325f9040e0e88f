package window

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/widget"

	"bottlebar.app/assets"
	"bottlebar.app/assets/look"
	"bottlebar.app/snapshot"
)

// The widths of the columns at the right of a row.
const (
	sizeWidth = 72
	ageWidth  = 88
)

// artifactRow is one row of the library: two lines at the left; at the right
// its numbers, or its buttons while it is selected.
type artifactRow struct {
	widget.BaseWidget
	l       *library
	a       snapshot.Artifact
	name    *look.Text
	second  *look.Text
	digest  *look.Text
	numbers *fyne.Container
	cells   [3]*look.Text // size, added, used
	buttons *fyne.Container
	root    *fyne.Container
	launch  *look.Button
}

func newArtifactRow(l *library) *artifactRow {
	r := &artifactRow{l: l, name: look.NewText("").Cutting(look.CutEnd), second: look.NewSecond("").Cutting(look.CutEnd), digest: look.NewSecond("")}
	for i := range r.cells {
		r.cells[i] = look.NewSecond("").Right()
	}
	r.numbers = container.New(columns{}, r.cells[0], r.cells[1], r.cells[2])
	r.launch = look.NewPrimary("Launch", func() { l.launch(r.a) })
	r.buttons = look.Row(look.Gap, r.launch,
		look.NewButton("Details", func() { l.details(r.a) }),
		look.NewButton("Rename", func() { l.rename(r.a) }),
		look.NewButton("Remove", func() { l.remove(r.a) }))
	text := look.Column(2, r.name, container.New(follow{}, r.second, r.digest))
	r.root = look.Pad(look.Sides(text, container.New(atEnd{}, r.numbers, r.buttons)), 0, look.Edge-look.Gap)
	r.ExtendBaseWidget(r)
	return r
}

// follow puts the second thing right behind the first, which gives way.
type follow struct{}

func (follow) MinSize(o []fyne.CanvasObject) fyne.Size {
	a, b := o[0].MinSize(), o[1].MinSize()
	return fyne.NewSize(a.Width+look.Gap+b.Width, max(a.Height, b.Height))
}

func (follow) Layout(o []fyne.CanvasObject, s fyne.Size) {
	text := o[0].(*look.Text)
	full := fyne.MeasureText(text.Text, text.Points, text.Style).Width
	b := o[1].MinSize()
	w := max(0, min(full+1, s.Width-look.Gap-b.Width))
	o[0].Resize(fyne.NewSize(w, s.Height))
	o[0].Move(fyne.NewPos(0, 0))
	o[1].Resize(b)
	o[1].Move(fyne.NewPos(w+look.Gap, (s.Height-b.Height)/2))
}

// atEnd puts whichever thing is visible at the right end.
type atEnd struct{}

func (atEnd) MinSize(o []fyne.CanvasObject) fyne.Size {
	var s fyne.Size
	for _, x := range o {
		if x.Visible() {
			s = s.Max(x.MinSize())
		}
	}
	return s
}

func (atEnd) Layout(o []fyne.CanvasObject, s fyne.Size) {
	for _, x := range o {
		m := x.MinSize()
		x.Resize(m)
		x.Move(fyne.NewPos(s.Width-m.Width, (s.Height-m.Height)/2))
	}
}

// columns lays the three numbers out, all rows alike.
type columns struct{}

func (columns) MinSize([]fyne.CanvasObject) fyne.Size {
	return fyne.NewSize(sizeWidth+2*ageWidth, look.BodySize)
}

func (columns) Layout(o []fyne.CanvasObject, s fyne.Size) {
	x := s.Width - sizeWidth - 2*ageWidth
	for i, w := range []float32{sizeWidth, ageWidth, ageWidth} {
		h := o[i].MinSize().Height
		o[i].Resize(fyne.NewSize(w, h))
		o[i].Move(fyne.NewPos(x, (s.Height-h)/2))
		x += w
	}
}

func artifactHeader() fyne.CanvasObject {
	cells := container.New(columns{}, look.NewSecond("Size").Right(), look.NewSecond("Added").Right(), look.NewSecond("Last used").Right())
	return look.Column(0, look.Pad(look.Sides(look.NewSecond("Name"), cells), look.Step, look.Edge), look.NewLine())
}

// show fills the row with an artifact.
func (r *artifactRow) show(a snapshot.Artifact, selected bool) {
	r.a = a
	now := r.l.w.o.Now()
	r.name.Set(look.Clean(a.Name, 64))
	r.second.Set(secondLine(a))
	r.digest.Set(shortDigest(a))
	switch r.second.SetColor(look.ColorQuiet); {
	case a.Problem != nil:
		r.second.SetColor(look.ColorFailed)
	case a.Stale:
		r.second.SetColor(look.ColorNeedsYou)
	}
	r.cells[0].Set(look.Size(a.Size))
	r.cells[1].Set(look.Ago(a.Added, now))
	used := "never"
	if a.LastUsed != nil {
		used = look.Ago(*a.LastUsed, now)
	}
	r.cells[2].Set(used)
	if a.Problem != nil {
		r.launch.Disable()
	} else {
		r.launch.Enable()
	}
	r.numbers.Hidden, r.buttons.Hidden = selected, !selected
	r.root.Refresh()
}

// secondLine is the image, or what is wrong with the file.
func secondLine(a snapshot.Artifact) string {
	if a.Problem != nil {
		return look.Clean(a.Problem.Why, 120)
	}
	if a.Stale {
		return "stale: the " + look.Clean(a.Image, 80) + " has changed since"
	}
	return look.Clean(a.Image, 120)
}

// shortDigest stands behind the image.
func shortDigest(a snapshot.Artifact) string {
	if a.Problem != nil {
		return ""
	}
	return look.Clean(look.ShortDigest(a.Digest), 16)
}

// MinSize makes all rows equally high.
func (r *artifactRow) MinSize() fyne.Size {
	r.ExtendBaseWidget(r)
	return fyne.NewSize(r.root.MinSize().Width, look.TallRow-look.Step) // a list puts Step between rows
}

// CreateRenderer is for the toolkit.
func (r *artifactRow) CreateRenderer() fyne.WidgetRenderer {
	return widget.NewSimpleRenderer(r.root)
}

// details shows everything that is known of an artifact.
func (l *library) details(a snapshot.Artifact) {
	grid := container.New(layout.NewFormLayout())
	for _, f := range artifactFacts(a, l.w.o.Now()) {
		grid.Add(look.NewText(f[0]).Colored(look.ColorQuiet))
		v := look.NewText(f[1]).Cutting(look.CutEnd)
		v.Width = 440
		grid.Add(v)
	}
	var p *widget.PopUp
	p = sheet(l.win, look.Clean(a.Name, 48), grid, copyButton(l.w, a.ID, "Copy SHA-256"), look.NewPrimary("Close", func() { p.Hide() }))
}

// markOf is a glyph of the mark for windows.
func markOf(g assets.Glyph, size float32) fyne.CanvasObject {
	img := canvas.NewImageFromResource(assets.Mark(g, look.ColorQuiet))
	img.FillMode = canvas.ImageFillContain
	img.SetMinSize(fyne.NewSquareSize(size))
	return img
}
