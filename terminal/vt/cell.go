package vt

// Color is a colour as a program asked for it: the default, an entry of the
// palette, or red, green and blue. The zero value is the default.
type Color uint32

const (
	colorKind    Color = 0xff000000
	colorPalette Color = 1 << 24
	colorRGB     Color = 2 << 24
)

// PaletteColor returns entry i of the 256-colour palette.
func PaletteColor(i uint8) Color { return colorPalette | Color(i) }

// RGBColor returns a direct colour.
func RGBColor(r, g, b uint8) Color {
	return colorRGB | Color(r)<<16 | Color(g)<<8 | Color(b)
}

// IsDefault says whether the terminal's own foreground or background is meant.
func (c Color) IsDefault() bool { return c&colorKind == 0 }

// Palette returns the palette index, if c is one.
func (c Color) Palette() (uint8, bool) { return uint8(c), c&colorKind == colorPalette }

// RGB returns the three parts, if c is a direct colour.
func (c Color) RGB() (r, g, b uint8, ok bool) {
	return uint8(c >> 16), uint8(c >> 8), uint8(c), c&colorKind == colorRGB
}

// Underline is the style of the line under a cell.
type Underline uint8

// The styles of SGR 4:0 to 4:5.
const (
	UnderlineNone Underline = iota
	UnderlineSingle
	UnderlineDouble
	UnderlineCurly
	UnderlineDotted
	UnderlineDashed
)

// Attr is a set of flags about a cell. Its upper half is private: an index
// for what few cells have (underline colour, link).
type Attr uint32

// Flags of a cell. The first eight are SGR 1, 2, 3, 5, 7, 8, 9 and 53;
// Protected is DECSCA.
const (
	Bold Attr = 1 << iota
	Faint
	Italic
	Blink
	Inverse
	Concealed
	Strike
	Overline
	Protected

	attrWide   // the cell holds a character two columns wide
	attrSpacer // the cell is the second column of the one to its left

	underlineShift      = 11 // three bits
	underlineMask  Attr = 7 << underlineShift
	extraShift          = 16 // sixteen bits
	extraMask      Attr = 0xffff << extraShift
	sgrMask             = Bold | Faint | Italic | Blink | Inverse | Concealed | Strike | Overline | underlineMask
)

// Underline returns the underline style held in a.
func (a Attr) Underline() Underline { return Underline(a & underlineMask >> underlineShift) }

func (a Attr) withUnderline(u Underline) Attr {
	return a&^underlineMask | Attr(u)<<underlineShift
}

// Cell is one column of one line: 16 bytes, no pointers. The zero Cell is a
// blank in default colours. A cluster of several runes and the rare parts of
// a style are kept in tables of the Terminal; ask the Screen for them.
type Cell struct {
	ch   uint32 // rune, or clusterBit and an index; 0 is blank
	FG   Color
	BG   Color
	Attr Attr
}

const clusterBit = 1 << 31

// Width returns the columns that the cell's character takes: 1 or 2, or 0 for
// the second column of a wide one.
func (c Cell) Width() int {
	switch {
	case c.Attr&attrSpacer != 0:
		return 0
	case c.Attr&attrWide != 0:
		return 2
	}
	return 1
}

// Rune returns the cell's character where it is a single rune; ok is false
// where it is a cluster (see Screen.Text). A blank is ' '.
func (c Cell) Rune() (r rune, ok bool) {
	switch {
	case c.ch == 0:
		return ' ', true
	case c.ch&clusterBit != 0:
		return 0, false
	}
	return rune(c.ch), true
}

// Blank says whether nothing is written in the cell, whatever its colours.
func (c Cell) Blank() bool { return c.ch == 0 || c.ch == ' ' }

// empty says whether the cell is as it was before anything touched it.
func (c Cell) empty() bool { return c == Cell{} }
