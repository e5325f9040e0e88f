package look

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/widget"
)

// Ending says where a text that does not fit is cut.
type Ending int

// The ways to cut. Whole asks for room instead.
const (
	Whole   Ending = iota
	CutEnd         // names, sentences
	CutHead        // hosts and paths, whose end tells them apart
)

// Text is one line of text in a token's size and colour, without padding. It
// follows light and dark. Change it with Set and SetColor on the toolkit's
// goroutine.
type Text struct {
	widget.BaseWidget

	Text   string
	Points float32             // BodySize, SecondSize or TitleSize; 0 is BodySize
	Color  fyne.ThemeColorName // "" is ColorText
	Style  fyne.TextStyle
	Ending Ending
	Align  fyne.TextAlign
	Width  float32 // the least width when Ending cuts; 0 is 16
}

// NewText returns a line in body size.
func NewText(s string) *Text { return newText(s, BodySize, ColorText, fyne.TextStyle{}) }

// NewSecond returns a second line: smaller and quiet.
func NewSecond(s string) *Text { return newText(s, SecondSize, ColorQuiet, fyne.TextStyle{}) }

// NewTitle returns a title.
func NewTitle(s string) *Text {
	return newText(s, TitleSize, ColorText, fyne.TextStyle{Bold: true})
}

// NewStrong returns a bold line in body size.
func NewStrong(s string) *Text {
	return newText(s, BodySize, ColorText, fyne.TextStyle{Bold: true})
}

// NewMono returns a line in the monospaced face, second-line size.
func NewMono(s string) *Text {
	return newText(s, SecondSize, ColorText, fyne.TextStyle{Monospace: true})
}

func newText(s string, size float32, c fyne.ThemeColorName, style fyne.TextStyle) *Text {
	t := &Text{Text: s, Points: size, Color: c, Style: style}
	t.ExtendBaseWidget(t)
	return t
}

// Cutting makes t cut what does not fit and returns it.
func (t *Text) Cutting(e Ending) *Text {
	t.Ending = e
	return t
}

// Colored sets the colour and returns t.
func (t *Text) Colored(c fyne.ThemeColorName) *Text {
	t.Color = c
	return t
}

// Right aligns t at its right edge and returns it.
func (t *Text) Right() *Text {
	t.Align = fyne.TextAlignTrailing
	return t
}

// Set changes the text.
func (t *Text) Set(s string) {
	if t.Text != s {
		t.Text = s
		t.Refresh()
	}
}

// SetColor changes the colour.
func (t *Text) SetColor(c fyne.ThemeColorName) {
	if t.Color != c {
		t.Color = c
		t.Refresh()
	}
}

// CreateRenderer is for the toolkit.
func (t *Text) CreateRenderer() fyne.WidgetRenderer {
	t.ExtendBaseWidget(t)
	r := &textRenderer{t: t, line: canvas.NewText("", color.Transparent)}
	r.Refresh()
	return r
}

type textRenderer struct {
	t    *Text
	line *canvas.Text
}

func (r *textRenderer) Destroy() {}

func (r *textRenderer) Objects() []fyne.CanvasObject { return []fyne.CanvasObject{r.line} }

func (r *textRenderer) MinSize() fyne.Size {
	full := fyne.MeasureText(r.t.Text, r.line.TextSize, r.t.Style)
	if full.Height == 0 || r.t.Text == "" {
		full.Height = fyne.MeasureText("M", r.line.TextSize, r.t.Style).Height
	}
	if r.t.Ending == Whole {
		return full
	}
	least := r.t.Width
	if least == 0 {
		least = 16
	}
	return fyne.NewSize(min(least, full.Width), full.Height)
}

func (r *textRenderer) Layout(size fyne.Size) {
	r.line.Text = r.fit(size.Width)
	h := fyne.MeasureText("M", r.line.TextSize, r.t.Style).Height
	r.line.Move(fyne.NewPos(0, (size.Height-h)/2))
	r.line.Resize(fyne.NewSize(size.Width, h))
}

// fit cuts the text to a width by bisection: MeasureText is not cheap.
func (r *textRenderer) fit(width float32) string {
	s := r.t.Text
	wide := func(s string) bool {
		return fyne.MeasureText(s, r.line.TextSize, r.t.Style).Width > width+0.5
	}
	if r.t.Ending == Whole || width <= 0 || !wide(s) {
		return s
	}
	cut := Cut
	if r.t.Ending == CutHead {
		cut = CutLeft
	}
	low, high := 1, len(s)
	for low < high {
		mid := (low + high + 1) / 2
		if wide(cut(s, mid)) {
			high = mid - 1
		} else {
			low = mid
		}
	}
	return cut(s, low)
}

func (r *textRenderer) Refresh() {
	t := r.t
	size, name := t.Points, t.Color
	if size == 0 {
		size = BodySize
	}
	if name == "" {
		name = ColorText
	}
	r.line.TextSize, r.line.TextStyle, r.line.Alignment = size, t.Style, t.Align
	r.line.Color = themed(name)
	r.Layout(t.Size())
	r.line.Refresh()
}

// themed looks a colour up under the variant that the app shows now.
func themed(name fyne.ThemeColorName) color.Color {
	return Theme().Color(name, Variant())
}

// Variant is the variant that the app shows now: light or dark.
func Variant() fyne.ThemeVariant { return fyne.CurrentApp().Settings().ThemeVariant() }
