package look

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"
)

// Theme returns the toolkit theme made of the tokens. It follows the system's
// light or dark look.
func Theme() fyne.Theme { return tokens{} }

type tokens struct{}

func (tokens) Color(n fyne.ThemeColorName, v fyne.ThemeVariant) color.Color {
	p := For(v)
	if c, ok := p.ours(n); ok {
		return c
	}
	switch n {
	case theme.ColorNameBackground, theme.ColorNameMenuBackground, theme.ColorNameOverlayBackground:
		return p.Background
	case theme.ColorNameHeaderBackground, theme.ColorNameInnerWindowBorder, theme.ColorNameInnerWindowBorderInactive,
		theme.ColorNameInputBackground:
		return p.Raised
	case theme.ColorNameButton, theme.ColorNameDisabledButton:
		return p.Control
	case theme.ColorNameInputBorder:
		return p.Border
	case theme.ColorNameSeparator:
		return p.Line
	case theme.ColorNameHover:
		return alpha(p.Text, 0x0D)
	case theme.ColorNamePressed:
		return alpha(p.Text, 0x1F)
	case theme.ColorNameFocus:
		return alpha(p.Accent, 0x4D)
	case theme.ColorNameSelection:
		return alpha(p.Accent, 0x26)
	case theme.ColorNameScrollBar:
		return alpha(p.Text, 0x59)
	case theme.ColorNameScrollBarBackground:
		return color.Transparent
	case theme.ColorNameShadow: // the toolkit's, and what lies under a question
		return p.Dim
	}
	return theme.DefaultTheme().Color(n, v)
}

// ours answers for text, accents and states.
func (p Palette) ours(n fyne.ThemeColorName) (color.NRGBA, bool) {
	switch n {
	case theme.ColorNameForeground:
		return p.Text, true
	case theme.ColorNamePlaceHolder, theme.ColorNameDisabled, ColorQuiet:
		return p.Quiet, true
	case ColorRaised:
		return p.Raised, true
	case theme.ColorNamePrimary, theme.ColorNameHyperlink:
		return p.Accent, true
	case theme.ColorNameForegroundOnPrimary, theme.ColorNameForegroundOnSuccess,
		theme.ColorNameForegroundOnWarning, theme.ColorNameForegroundOnError:
		return p.OnAccent, true
	case theme.ColorNameError, ColorFailed:
		return p.Failed, true
	case theme.ColorNameWarning, ColorNeedsYou:
		return p.NeedsYou, true
	case theme.ColorNameSuccess, ColorGood:
		return p.Good, true
	}
	return color.NRGBA{}, false
}

func (tokens) Size(n fyne.ThemeSizeName) float32 {
	switch n {
	case theme.SizeNameText:
		return BodySize
	case theme.SizeNameCaptionText:
		return SecondSize
	case theme.SizeNameHeadingText, theme.SizeNameSubHeadingText:
		return TitleSize
	case theme.SizeNamePadding, theme.SizeNameLineSpacing:
		return Step
	case theme.SizeNameInnerPadding:
		// 5 + an 18 px line + 5 makes controls as high as a row.
		return 5
	case theme.SizeNameInlineIcon:
		return 16
	case theme.SizeNameSeparatorThickness, theme.SizeNameInputBorder:
		return Hairline
	case theme.SizeNameInputRadius, theme.SizeNameSelectionRadius, theme.SizeNameButtonRadius,
		theme.SizeNameCardRadius, theme.SizeNameDialogRadius, theme.SizeNamePopupRadius, theme.SizeNameMenuRadius:
		return Radius
	case theme.SizeNameScrollBar:
		return 8
	case theme.SizeNameScrollBarSmall:
		return 4
	case theme.SizeNameModalBlurRadius:
		return 0
	}
	return theme.DefaultTheme().Size(n)
}

func (tokens) Font(s fyne.TextStyle) fyne.Resource { return theme.DefaultTheme().Font(s) }

func (tokens) Icon(n fyne.ThemeIconName) fyne.Resource { return theme.DefaultTheme().Icon(n) }
