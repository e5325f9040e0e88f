package session

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"

	"bottlebar.app/assets"
	"bottlebar.app/assets/look"
)

// message is something that the window has to say above its status line: what
// happened, up to three lines on it, and what can be done.
type message struct {
	shape   assets.ShapeName
	color   fyne.ThemeColorName
	title   string
	lines   []string
	buttons []choice
}

// choice is a button of a message. The first of a message that is marked is
// the primary one.
type choice struct {
	label   string
	primary bool
	do      func()
}

// bar returns a message as it is shown: it pushes the terminal up and takes no
// focus.
func bar(m message) fyne.CanvasObject {
	text := container.New(layout.NewCustomPaddedVBoxLayout(2), look.NewStrong(m.title).Cutting(look.CutEnd))
	for _, l := range m.lines {
		text.Add(look.NewSecond(l).Cutting(look.CutEnd))
	}
	buttons := container.New(layout.NewCustomPaddedHBoxLayout(look.Gap))
	for _, c := range m.buttons {
		b := look.NewButton(c.label, c.do)
		if c.primary {
			b = look.NewPrimary(c.label, c.do)
		}
		buttons.Add(b)
	}
	shape := container.New(layout.NewCustomPaddedLayout(4, 0, 0, look.Gap), container.NewVBox(look.NewShape(m.shape, m.color)))
	row := container.New(layout.NewCustomPaddedLayout(look.Gap, look.Gap, look.Edge, look.Edge),
		container.NewBorder(nil, nil, shape, container.NewVBox(layout.NewSpacer(), buttons, layout.NewSpacer()), text))
	return container.NewBorder(look.NewLine(), nil, nil, nil, container.NewStack(look.NewFill(look.ColorRaised), row))
}
