package terminal

import (
	"image/color"

	"bottlebar.app/terminal/vt"
)

// Theme is the set of colours that the defaults and the palette stand for.
// The zero value means DarkTheme.
type Theme struct {
	Foreground, Background color.NRGBA
	Cursor                 color.NRGBA
	Selection              color.NRGBA // laid over the background of selected text
	Palette                [16]color.NRGBA
	Dark                   bool
}

func hex(v uint32) color.NRGBA {
	return color.NRGBA{R: uint8(v >> 16), G: uint8(v >> 8), B: uint8(v), A: 255}
}

// DarkTheme returns colours for a dark window. Each of the sixteen but black
// has a contrast of at least 4.5 : 1 on the background.
func DarkTheme() Theme {
	return Theme{
		Foreground: hex(0xececea), Background: hex(0x1e1f22), Cursor: hex(0x6fbf98),
		Selection: color.NRGBA{R: 0x6f, G: 0xbf, B: 0x98, A: 0x55}, Dark: true,
		Palette: [16]color.NRGBA{
			hex(0x3a3b40), hex(0xf2887e), hex(0x85c48f), hex(0xe0b45c), hex(0x82aef0), hex(0xc99ae0), hex(0x6fc3c8), hex(0xc9c9c5),
			hex(0x8b8c93), hex(0xffa79e), hex(0xa5dbac), hex(0xf2cd84), hex(0xa6c8fa), hex(0xdcb8ee), hex(0x97dade), hex(0xffffff),
		},
	}
}

// LightTheme returns colours for a light window. Each of the sixteen but
// bright white has a contrast of at least 4.2 : 1 on the background; the two
// whites are greys, since programs write with them.
func LightTheme() Theme {
	return Theme{
		Foreground: hex(0x1b1c1e), Background: hex(0xffffff), Cursor: hex(0x2f6b4f),
		Selection: color.NRGBA{R: 0x2f, G: 0x6b, B: 0x4f, A: 0x40},
		Palette: [16]color.NRGBA{
			hex(0x1b1c1e), hex(0xb3261e), hex(0x2a7a45), hex(0x8a6100), hex(0x1d5fc2), hex(0x8a3fb0), hex(0x0b7285), hex(0x77787c),
			hex(0x6a6b70), hex(0xd0342b), hex(0x2f7d3e), hex(0x946200), hex(0x2f6fd6), hex(0xa04cc8), hex(0x0f7a8c), hex(0x9a9b9f),
		},
	}
}

// colors returns what the emulator answers queries with.
func (th Theme) colors() vt.Colors {
	rgb := func(c color.NRGBA) vt.RGB { return vt.RGB{R: c.R, G: c.G, B: c.B} }
	out := vt.Colors{
		Foreground: rgb(th.Foreground), Background: rgb(th.Background), Cursor: rgb(th.Cursor), Dark: th.Dark,
	}
	for i, c := range th.Palette {
		out.Palette[i] = rgb(c)
	}
	return out
}

// pixel is a colour as it lies in an image.RGBA: red in the lowest byte.
type pixel uint32

func solid(c vt.RGB) pixel {
	return pixel(c.R) | pixel(c.G)<<8 | pixel(c.B)<<16 | 0xff<<24
}

// mix lays a of 255 parts of c over p.
func (p pixel) mix(c pixel, a uint32) pixel {
	const even = 0x00ff00ff
	n := 255 - a
	rb := (uint32(p)&even*n + uint32(c)&even*a + 0x00800080) >> 8 & even
	g := (uint32(p)>>8&0xff*n + uint32(c)>>8&0xff*a + 0x80) >> 8
	return pixel(rb | g<<8 | 0xff<<24)
}

// inks resolves the colours of cells to pixels.
type inks struct {
	fg, bg, cursor pixel
	marker         pixel // for what was looked for
	selection      pixel
	selAlpha       uint32
	table          [256]pixel
	reverse        bool
}

func newInks(th Theme, s *vt.Screen) *inks {
	k := &inks{reverse: s.Modes.Reverse}
	c := th.colors()
	fg, bg, cur := s.DynamicColors()
	pick := func(own vt.RGB, set *vt.RGB) pixel {
		if set != nil {
			own = *set
		}
		return solid(own)
	}
	k.fg, k.bg, k.cursor = pick(c.Foreground, fg), pick(c.Background, bg), pick(c.Cursor, cur)
	k.selection = solid(vt.RGB{R: th.Selection.R, G: th.Selection.G, B: th.Selection.B})
	k.selAlpha = uint32(th.Selection.A)
	k.marker = solid(vt.RGB{R: 0xf0, G: 0xb4, B: 0x4a})
	for i := range k.table {
		v, ok := s.Color(uint8(i))
		if !ok {
			v = vt.IndexedRGB(uint8(i), &c.Palette)
		}
		k.table[i] = solid(v)
	}
	if k.reverse {
		k.fg, k.bg = k.bg, k.fg
	}
	return k
}

func (k *inks) of(c vt.Color, def pixel) pixel {
	if i, ok := c.Palette(); ok {
		return k.table[i]
	}
	if r, g, b, ok := c.RGB(); ok {
		return solid(vt.RGB{R: r, G: g, B: b})
	}
	return def
}

// pair returns the colours that a cell is painted with.
func (k *inks) pair(c *vt.Cell) (fg, bg pixel) {
	fg, bg = k.of(c.FG, k.fg), k.of(c.BG, k.bg)
	if c.Attr&(vt.Inverse|vt.Faint|vt.Concealed) == 0 {
		return fg, bg
	}
	if c.Attr&vt.Faint != 0 {
		fg = bg.mix(fg, 150)
	}
	if c.Attr&vt.Inverse != 0 {
		fg, bg = bg, fg
	}
	if c.Attr&vt.Concealed != 0 {
		fg = bg
	}
	return fg, bg
}
