// Package font holds the fonts that the terminal is drawn with. README.md says
// where they come from and under which licences.
package font

import _ "embed"

//go:embed JetBrainsMono-Regular.ttf
var regular []byte

//go:embed JetBrainsMono-Bold.ttf
var bold []byte

//go:embed JetBrainsMono-Italic.ttf
var italic []byte

//go:embed JetBrainsMono-BoldItalic.ttf
var boldItalic []byte

//go:embed DejaVuSansMono.ttf
var symbols []byte

// Mono returns the monospaced font in one of its four styles, as TrueType. The
// bytes must not be changed.
func Mono(isBold, isItalic bool) []byte {
	switch {
	case isBold && isItalic:
		return boldItalic
	case isBold:
		return bold
	case isItalic:
		return italic
	}
	return regular
}

// Symbols returns a monospaced font with many symbols that Mono lacks.
func Symbols() []byte { return symbols }
