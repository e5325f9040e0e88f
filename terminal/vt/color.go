package vt

import (
	"fmt"
	"strconv"
	"strings"
)

// spec writes a colour as X11 and as OSC replies do.
func (c RGB) spec() string {
	return fmt.Sprintf("rgb:%02x%02x/%02x%02x/%02x%02x", c.R, c.R, c.G, c.G, c.B, c.B)
}

// parseColor reads rgb:h/h/h with one to four digits a part, and #rgb with
// one to four a part. Colour names are not known.
func parseColor(s string) (RGB, bool) {
	var parts []string
	if v, ok := strings.CutPrefix(s, "rgb:"); ok {
		parts = strings.Split(v, "/")
	} else if v, ok := strings.CutPrefix(s, "#"); ok && len(v)%3 == 0 && len(v) > 0 {
		n := len(v) / 3
		parts = []string{v[:n], v[n : 2*n], v[2*n:]}
	}
	if len(parts) != 3 {
		return RGB{}, false
	}
	var out [3]uint8
	for i, p := range parts {
		v, err := strconv.ParseUint(p, 16, 16)
		if err != nil || len(p) > 4 {
			return RGB{}, false
		}
		full := uint64(1)<<(4*len(p)) - 1
		out[i] = uint8((v*255 + full/2) / full)
	}
	return RGB{out[0], out[1], out[2]}, true
}

// xtermPalette is the sixteen colours that xterm starts with.
var xtermPalette = [16]RGB{
	{0, 0, 0},
	{205, 0, 0},
	{0, 205, 0},
	{205, 205, 0},
	{0, 0, 238},
	{205, 0, 205},
	{0, 205, 205},
	{229, 229, 229},
	{127, 127, 127},
	{255, 0, 0},
	{0, 255, 0},
	{255, 255, 0},
	{92, 92, 255},
	{255, 0, 255},
	{0, 255, 255},
	{255, 255, 255},
}

func withPalette(c Colors) Colors {
	if c.Palette == [16]RGB{} {
		c.Palette = xtermPalette
	}
	if c.Foreground == c.Background {
		c.Foreground, c.Background, c.Cursor = RGB{229, 229, 229}, RGB{}, RGB{229, 229, 229}
		c.Dark = true
	}
	return c
}

// IndexedRGB returns entry i of the 256 colours: the sixteen given, the cube
// of six steps, the ramp of greys.
func IndexedRGB(i uint8, first *[16]RGB) RGB {
	switch {
	case i < 16:
		return first[i]
	case i >= 232:
		g := 8 + 10*(i-232)
		return RGB{g, g, g}
	}
	step := [...]uint8{0, 95, 135, 175, 215, 255}
	n := i - 16
	return RGB{step[n/36], step[n/6%6], step[n%6]}
}

func (m *machine) paletteRGB(i uint8) RGB {
	if c, ok := m.palette[i]; ok {
		return c
	}
	return IndexedRGB(i, &m.colors.Palette)
}

func (m *machine) setColors(c Colors) {
	dark := m.colors.Dark
	m.colors = withPalette(c)
	m.repaint()
	if m.colors.Dark != dark && m.modes.has(modeTheme) {
		m.reportTheme()
	}
}
