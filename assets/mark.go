package assets

import (
	"bytes"
	"embed"
	"fmt"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"
)

//go:embed mark/*.svg shape/*.svg appicon.svg
var drawings embed.FS

// Glyph names one drawing of the bottle mark.
type Glyph string

// The glyphs of the menu bar, by what they say.
const (
	Outline  Glyph = "outline" // nothing runs
	Low      Glyph = "low"     // working: lower third filled
	Full     Glyph = "full"    // idle or done: filled to the shoulder
	NeedsYou Glyph = "needs"   // filled, with a dot at the upper right
	Failed   Glyph = "failed"  // outline with a diagonal stroke
	Fill1    Glyph = "fill1"   // launching, in four steps
	Fill2    Glyph = "fill2"
	Fill3    Glyph = "fill3"
	Fill4    Glyph = "fill4"
)

// Glyphs returns every glyph, for tests and for whoever makes pictures of them.
func Glyphs() []Glyph {
	return []Glyph{Outline, Low, Full, NeedsYou, Failed, Fill1, Fill2, Fill3, Fill4}
}

// ShapeName names one of the small shapes, 10 units square.
type ShapeName string

// The shapes that stand beside words. The first eight are states of a bottle.
const (
	ShapeWorking ShapeName = "working" // disc
	ShapeNeeds   ShapeName = "needs"   // half disc
	ShapeIdle    ShapeName = "idle"    // ring
	ShapeDone    ShapeName = "done"    // tick
	ShapeFailed  ShapeName = "failed"  // cross
	ShapeMoving  ShapeName = "moving"  // dotted ring
	ShapeStopped ShapeName = "stopped" // square
	ShapeUnknown ShapeName = "unknown" // question mark
	ShapeWaiting ShapeName = "waiting" // dot
	ShapeShield  ShapeName = "shield"  // a proof that holds
	ShapeCopy    ShapeName = "copy"
)

// Template returns a glyph for a system that colours menu-bar icons itself
// (macOS): black and alpha, marked as themed so that the toolkit declares it a
// template image.
func Template(g Glyph) fyne.Resource {
	return theme.NewThemedResource(drawing("mark/" + string(g)))
}

// edgeWidth is how wide a panel icon's edge is, of the 16 units of the glyph.
const edgeWidth = 0.8

// Panel returns a glyph for a desktop that shows icons as they are (Linux
// panels): light ink for a dark panel, dark ink for a light one, with a thin
// edge of the other colour, since no desktop tells what its panel looks like.
func Panel(g Glyph, dark bool) fyne.Resource {
	ink, edge, name := "#1B1C1E", "#FFFFFF", "light"
	if dark {
		ink, edge, name = "#FFFFFF", "#1B1C1E", "dark"
	}
	d := pathOf(drawing("mark/" + string(g)).Content())
	var svg strings.Builder
	svg.WriteString(`<svg xmlns="http://www.w3.org/2000/svg" width="18" height="18" viewBox="-1 -1 18 18">`)
	// The edge is made of copies moved around the glyph: the toolkit draws a
	// stroke in pixels of the picture, whatever its size, so that it would vanish.
	for _, at := range [...][2]float64{{-1, 0}, {1, 0}, {0, -1}, {0, 1}, {-.7, -.7}, {.7, -.7}, {-.7, .7}, {.7, .7}} {
		fmt.Fprintf(&svg, `<path fill="%s" transform="translate(%g %g)" d="%s"/>`, edge, edgeWidth*at[0], edgeWidth*at[1], d)
	}
	fmt.Fprintf(&svg, `<path fill="%s" d="%s"/></svg>`, ink, d)
	return fyne.NewStaticResource(fmt.Sprintf("bottle-%s-%s.svg", g, name), []byte(svg.String()))
}

// Mark returns a glyph in the colour that the theme calls name, for windows.
func Mark(g Glyph, name fyne.ThemeColorName) fyne.Resource {
	return theme.NewColoredResource(drawing("mark/"+string(g)), name)
}

// Shape returns a small shape in the colour that the theme calls name.
func Shape(s ShapeName, name fyne.ThemeColorName) fyne.Resource {
	return theme.NewColoredResource(drawing("shape/"+string(s)), name)
}

// AppIcon returns the app icon: the bottle in off-white on deep green.
func AppIcon() fyne.Resource { return drawing("appicon") }

// drawing reads an embedded file. The names are ours, so a missing one is a
// mistake in this package and found by its tests.
func drawing(name string) *fyne.StaticResource {
	b, err := drawings.ReadFile(name + ".svg")
	if err != nil {
		panic("assets: no drawing " + name)
	}
	return fyne.NewStaticResource("bottlebar-"+string(bytes.ReplaceAll([]byte(name), []byte("/"), []byte("-")))+".svg", b)
}

// pathOf returns the path data of a drawing with one path.
func pathOf(svg []byte) string {
	_, rest, ok := bytes.Cut(svg, []byte(` d="`))
	if !ok {
		return ""
	}
	d, _, _ := bytes.Cut(rest, []byte(`"`))
	return string(d)
}
