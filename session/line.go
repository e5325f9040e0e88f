package session

import (
	"context"
	"slices"
	"strconv"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"bottlebar.app/assets/look"
)

// statusLine is the line under the terminal. Each part opens what it names.
type statusLine struct {
	v     *view
	root  *fyne.Container
	left  []*look.Part // state, bottle, caveat, artifact, proof, activity, usage
	right []*look.Part // what passes: a copy with its Cancel, or the size of letters
}

func newStatusLine(v *view) *statusLine {
	o := v.owner.o.Opener
	l := &statusLine{v: v}
	l.left = []*look.Part{
		look.NewPart("", v.toBottles),
		look.NewPart("", v.toBottles),
		look.NewPart("", nil), // early: it must be seen in a narrow window too
		look.NewPart("", func() { o.ShowLibrary(v.bottle.ArtifactID) }),
		look.NewPart("", v.toProof),
		look.NewPart("", func() { o.ShowActivity(v.k.bottle) }),
		look.NewPart("", v.toBottles),
	}
	l.right = []*look.Part{look.NewPart("", nil), look.NewPart("", v.cancelCopy)}
	l.transient("", false)
	var all []fyne.CanvasObject
	for _, p := range slices.Concat(l.left, l.right) {
		all = append(all, p)
	}
	parts := container.New(lineLayout{len(l.left)}, all...)
	l.root = container.NewStack(look.NewFill(look.ColorRaised), container.NewBorder(look.NewLine(), nil, nil, nil), parts)
	return l
}

func (l *statusLine) show(s line) {
	for i, p := range []piece{s.state, s.bottle, s.caveat, s.artifact, s.proof, s.activity, s.usage} {
		l.left[i].Set(p.shape, p.label, p.color)
	}
	l.root.Refresh()
}

// transient shows what passes at the right end; cancel offers to end it.
func (l *statusLine) transient(text string, cancel bool) {
	l.right[0].Set("", text, look.ColorText)
	label := ""
	if cancel {
		label = "Cancel"
	}
	l.right[1].Set("", label, look.ColorAccent)
	if l.root != nil {
		l.root.Refresh()
	}
}

// hint shows where a link leads while the pointer is on it.
func (l *statusLine) hint(text string) {
	if l.v.copies.now == nil {
		l.transient(text, false)
	}
}

// zoom shows the size of the letters for a moment.
func (l *statusLine) zoom(points float32) {
	if l.v.copies.now != nil {
		return // the copy has the place
	}
	text := strconv.FormatFloat(float64(points), 'f', -1, 32) + " pt"
	l.transient(text, false)
	l.v.owner.background(func(context.Context) {
		t := time.NewTimer(1500 * time.Millisecond)
		defer t.Stop()
		select {
		case <-t.C:
			l.v.owner.post(func() {
				if l.right[0].Label() == text {
					l.transient("", false)
				}
			})
		case <-l.v.ctx.Done():
		}
	})
}

// lineLayout puts the first parts at the left, the others at the right. What
// does not fit between is left out, the later first.
type lineLayout struct{ left int }

func (lineLayout) MinSize([]fyne.CanvasObject) fyne.Size {
	return fyne.NewSize(64, look.StatusHeight)
}

func (l lineLayout) Layout(o []fyne.CanvasObject, s fyne.Size) {
	end := s.Width - look.Step
	for i := len(o) - 1; i >= l.left; i-- {
		if !o[i].Visible() {
			continue
		}
		m := o[i].MinSize()
		end -= m.Width
		place(o[i], end, m, s.Height)
	}
	x := float32(look.Step)
	full := false
	for _, p := range o[:l.left] {
		if !p.Visible() {
			continue
		}
		m := p.MinSize()
		if full = full || x+m.Width > end; full {
			p.Resize(fyne.NewSize(0, 0))
			p.Move(fyne.NewPos(-1000, 0))
			continue
		}
		place(p, x, m, s.Height)
		x += m.Width + look.Step
	}
}

func place(o fyne.CanvasObject, x float32, m fyne.Size, height float32) {
	o.Resize(m)
	o.Move(fyne.NewPos(x, (height-m.Height)/2))
}
