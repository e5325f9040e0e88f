package look

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"
)

// Spacing, in device-independent pixels. Everything is a multiple of Step.
const (
	Step  = 4
	Gap   = 8  // inside a row
	Group = 16 // between groups
	Edge  = 16 // from a window's edge
)

// Sizes of things, in device-independent pixels.
const (
	RowHeight    = 28 // a row with one line
	TallRow      = 44 // a row with two lines
	StatusHeight = 24 // the session window's status line
	TermPadding  = 6  // around the terminal, in its own background
	Radius       = 6
	Hairline     = 1
	ShapeSize    = 10
)

// Text sizes. There are no others.
const (
	BodySize   = 13
	SecondSize = 11
	TitleSize  = 15
)

// Colours of ours that the toolkit has no name for. The others go by the
// toolkit's own names; see [Theme].
const (
	ColorRaised   fyne.ThemeColorName = "bottlebar.raised"
	ColorQuiet    fyne.ThemeColorName = "bottlebar.quiet"
	ColorNeedsYou fyne.ThemeColorName = "bottlebar.needs-you"
	ColorFailed   fyne.ThemeColorName = "bottlebar.failed"
	ColorGood     fyne.ThemeColorName = "bottlebar.good"
)

// The toolkit's names for the rest, so that callers need only this package.
const (
	ColorText       = theme.ColorNameForeground
	ColorAccent     = theme.ColorNamePrimary
	ColorOnAccent   = theme.ColorNameForegroundOnPrimary
	ColorLine       = theme.ColorNameSeparator
	ColorBackground = theme.ColorNameBackground
)

// Palette is the colours of one variant.
type Palette struct {
	Background color.NRGBA // windows
	Raised     color.NRGBA // rows under the pointer, cards, the status line
	Control    color.NRGBA // buttons at rest
	Line       color.NRGBA // separators, 1 px
	Border     color.NRGBA // the edge of a field
	Text       color.NRGBA
	Quiet      color.NRGBA // second lines, times, sizes
	Accent     color.NRGBA // primary button, focus ring, selection, progress
	OnAccent   color.NRGBA // text on the accent
	NeedsYou   color.NRGBA
	Failed     color.NRGBA
	Good       color.NRGBA // a proof that holds
	Dim        color.NRGBA // over a window whose content waits
}

// Light is the palette for a light desktop.
func Light() Palette {
	return Palette{
		Background: rgb(0xFFFFFF),
		Raised:     rgb(0xF5F5F4),
		Control:    rgb(0xEDEDEB),
		Line:       rgb(0xE2E1DE),
		Border:     rgb(0xC9C8C4),
		Text:       rgb(0x1B1C1E),
		Quiet:      rgb(0x6A6B70),
		Accent:     rgb(0x2F6B4F),
		OnAccent:   rgb(0xFFFFFF),
		NeedsYou:   rgb(0xB25E09),
		Failed:     rgb(0xB3261E),
		Good:       rgb(0x2F6B4F),
		Dim:        color.NRGBA{A: 0x59},
	}
}

// Dark is the palette for a dark desktop.
func Dark() Palette {
	return Palette{
		Background: rgb(0x1E1F22),
		Raised:     rgb(0x27282C),
		Control:    rgb(0x3A3B41),
		Line:       rgb(0x3A3B40),
		Border:     rgb(0x55565C),
		Text:       rgb(0xECECEA),
		Quiet:      rgb(0x9A9BA1),
		Accent:     rgb(0x6FBF98),
		OnAccent:   rgb(0x12231B),
		NeedsYou:   rgb(0xF0A54A),
		Failed:     rgb(0xF2887E),
		Good:       rgb(0x6FBF98),
		Dim:        color.NRGBA{A: 0x80},
	}
}

// OnRaised returns the colour for text on the raised ground that stands for
// name: "needs you" is readable there as a shape, but not as small text.
func OnRaised(name fyne.ThemeColorName) fyne.ThemeColorName {
	if name == ColorNeedsYou {
		return ColorText
	}
	return name
}

// For returns the palette of a toolkit variant.
func For(v fyne.ThemeVariant) Palette {
	if v == theme.VariantLight {
		return Light()
	}
	return Dark()
}

func rgb(v uint32) color.NRGBA {
	return color.NRGBA{R: uint8(v >> 16), G: uint8(v >> 8), B: uint8(v), A: 0xFF}
}

// alpha returns c at a share of its opacity, 0 to 255.
func alpha(c color.NRGBA, a uint8) color.NRGBA {
	c.A = a
	return c
}
