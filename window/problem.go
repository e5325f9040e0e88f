package window

import (
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/widget"

	"bottlebar.app/assets"
	"bottlebar.app/assets/look"
	"bottlebar.app/snapshot"
)

// ShowProblem explains why a bottle failed; without a bottle, what went wrong
// outside any.
func (w *Windows) ShowProblem(bottle string) {
	p := w.last.Notice
	if b, ok := w.bottle(bottle); ok {
		p = b.Problem
	}
	if p != nil {
		w.showProblem(*p)
	}
}

func (w *Windows) showProblem(p snapshot.Problem) {
	if f, ok := w.open["problem"]; ok {
		delete(w.open, "problem") // its text is another's
		f.close()
	}
	w.present("problem", "Bottlebar", func(win fyne.Window) content {
		return content{root: w.problem(p, win), size: fyne.NewSize(480, 200)}
	})
}

// problem lays out what failed, why, what to do, and behind Details the raw
// output.
func (w *Windows) problem(p snapshot.Problem, win fyne.Window) fyne.CanvasObject {
	m := look.Trouble(p)
	text := look.Column(look.Step, paragraph(m.Title, true))
	for _, l := range m.Lines {
		text.Add(paragraph(l, false))
	}
	head := container.NewBorder(nil, nil, container.NewVBox(look.Pad(look.NewShape(m.Shape, m.Color), 7, look.Step)), nil, text)
	done := look.NewPrimary("Close", func() { w.dismiss("problem") })
	if p.Detail == "" {
		return look.Pad(container.NewBorder(nil, look.Row(0, layout.NewSpacer(), done), nil, nil, container.NewVBox(head)), look.Edge, look.Edge)
	}
	raw := mono(p.Detail)
	details := container.NewBorder(look.Sides(look.NewSecond("What was printed"), copyButton(w, p.Detail, "Copy")), nil, nil, nil,
		container.NewStack(look.NewCard(), look.Pad(container.NewScroll(raw), look.Gap, look.Gap)))
	details.Hide()
	toggle := look.NewButton("Details", nil)
	toggle.OnTapped = func() {
		details.Show()
		toggle.Hide()
		win.Resize(fyne.NewSize(640, 420))
	}
	return look.Pad(container.NewBorder(container.NewVBox(head, look.NewSpace(0, look.Gap)), look.Pad(look.Sides(look.Row(look.Gap, toggle), done), look.Gap, 0), nil, nil, details), look.Edge, look.Edge)
}

// dismiss closes a window as its close button does.
func (w *Windows) dismiss(key string) {
	if f, ok := w.open[key]; ok {
		delete(w.open, key)
		f.close()
	}
}

// paragraph is text that wraps.
func paragraph(s string, strong bool) *widget.Label {
	l := widget.NewLabel(s)
	l.Wrapping = fyne.TextWrapWord
	l.TextStyle.Bold = strong
	return l
}

// secondParagraph is a second line that wraps, in line with others.
func secondParagraph(s string) fyne.CanvasObject {
	p := paragraph(s, false)
	p.SizeName = "helperText"
	return container.New(bare{}, p)
}

// quietParagraph is the same in the colour of second lines.
func quietParagraph(s string) fyne.CanvasObject {
	p := widget.NewRichText(&widget.TextSegment{Text: s, Style: widget.RichTextStyle{ColorName: look.ColorQuiet, SizeName: "helperText"}})
	p.Wrapping = fyne.TextWrapWord
	return container.New(bare{}, p)
}

// bare takes back the room that a label has around its text, but for a line's gap.
type bare struct{}

const labelPadding = 5

func (bare) MinSize(o []fyne.CanvasObject) fyne.Size {
	return o[0].MinSize().SubtractWidthHeight(2*labelPadding, 2*(labelPadding-1))
}

func (bare) Layout(o []fyne.CanvasObject, s fyne.Size) {
	o[0].Move(fyne.NewPos(-labelPadding, -(labelPadding - 1)))
	o[0].Resize(s.AddWidthHeight(2*labelPadding, 2*(labelPadding-1)))
}

// mono is raw output: monospaced, not wrapped, to be selected.
func mono(s string) *widget.Label {
	l := widget.NewLabel(strings.TrimRight(s, "\n"))
	l.TextStyle.Monospace = true
	l.Selectable = true
	l.SizeName = "helperText"
	return l
}

// copyButton puts text on the clipboard.
func copyButton(w *Windows, text, label string) fyne.CanvasObject {
	b := look.NewPart("", func() { w.o.App.Clipboard().SetContent(text) })
	b.Set(assets.ShapeCopy, label, look.ColorAccent)
	return b
}
