package terminal

import (
	"image"
	"image/draw"
	"math"

	"golang.org/x/image/vector"
)

// shape is a mask of whole cells that we draw ourselves, so that lines and
// blocks of neighbouring cells meet without a seam.
type shape struct {
	w, h int
	mask []uint8
}

func newShape(w, h int) *shape { return &shape{w: w, h: h, mask: make([]uint8, w*h)} }

func (c *shape) glyph() *glyph { return &glyph{w: c.w, h: c.h, mask: c.mask} }

// rect fills whole pixels, cut to the cell.
func (c *shape) rect(x0, y0, x1, y1 int) {
	for y := max(y0, 0); y < min(y1, c.h); y++ {
		for x := max(x0, 0); x < min(x1, c.w); x++ {
			c.mask[y*c.w+x] = 255
		}
	}
}

// frame draws the edges of a rectangle, t pixels thick.
func (c *shape) frame(x0, y0, x1, y1, t int) {
	c.rect(x0, y0, x1, y0+t)
	c.rect(x0, y1-t, x1, y1)
	c.rect(x0, y0, x0+t, y1)
	c.rect(x1-t, y0, x1, y1)
}

// near covers all pixels closer than half of t to what dist measures from.
func (c *shape) near(t float64, dist func(x, y float64) float64) {
	for y := range c.h {
		for x := range c.w {
			v := t/2 + 0.5 - dist(float64(x)+0.5, float64(y)+0.5)
			p := &c.mask[y*c.w+x]
			*p = max(*p, uint8(255*min(max(v, 0), 1)))
		}
	}
}

// polygon fills the area between points.
func (c *shape) polygon(points ...float32) {
	z := vector.NewRasterizer(c.w, c.h)
	z.DrawOp = draw.Over
	z.MoveTo(points[0], points[1])
	for i := 2; i+1 < len(points); i += 2 {
		z.LineTo(points[i], points[i+1])
	}
	z.ClosePath()
	m := &image.Alpha{Pix: c.mask, Stride: c.w, Rect: image.Rect(0, 0, c.w, c.h)}
	z.Draw(m, m.Rect, image.Opaque, image.Point{})
}

func segment(ax, ay, bx, by float64) func(x, y float64) float64 {
	dx, dy := bx-ax, by-ay
	l := dx*dx + dy*dy
	return func(x, y float64) float64 {
		t := min(max(((x-ax)*dx+(y-ay)*dy)/l, 0), 1)
		return math.Hypot(x-ax-t*dx, y-ay-t*dy)
	}
}

// drawShape returns the glyphs that are ours to draw; nil for all others.
func drawShape(s *sheet, r rune) *glyph {
	c := newShape(s.cellW, s.cellH)
	switch r &^ 0xff {
	case 0x2800:
		c.braille(uint8(r))
	case 0xe000:
		if r < 0xe0b0 || r > 0xe0b3 {
			return nil
		}
		c.powerline(s, r)
	case 0x2500:
		switch {
		case r < 0x2580:
			c.box(s, r)
		case r < 0x25a0:
			c.block(r)
		default:
			return nil
		}
	case 0x2700:
		if r != 0x276e && r != 0x276f {
			return nil
		}
		c.chevron(r == 0x276e)
	case 0x2300:
		if !c.technical(s, r) {
			return nil
		}
	default:
		return nil
	}
	return c.glyph()
}

// technical draws the few signs of U+2300 to U+23FF that are ours.
func (c *shape) technical(s *sheet, r rune) bool {
	switch r {
	case 0x23ba, 0x23bb, 0x23bc, 0x23bd: // horizontal scan lines 1, 3, 7, 9
		y := [...]int{0, c.h / 4, c.h - c.h/4, c.h - s.line}[r-0x23ba]
		c.rect(0, y, c.w, y+s.line)
	case 0x23bf: // Claude Code hangs results on it
		x, foot := (c.w-s.line)/2, c.h*3/4
		c.rect(x, 0, x+s.line, foot)
		c.rect(x, foot-s.line, c.w, foot)
	case 0x23f5, 0x23f8, 0x23f9, 0x23fa:
		c.playback(s, r)
	default:
		return false
	}
	return true
}

// chevron draws the heavy angle that prompts begin with, to the right unless
// left is set. Few fonts have it, and none at the weight of the text.
func (c *shape) chevron(left bool) {
	w, h := float64(c.w), float64(c.h)
	from, to := 0.24*w, 0.76*w
	if left {
		from, to = to, from
	}
	for _, y := range [...]float64{0.28 * h, 0.72 * h} {
		c.near(0.2*w, segment(from, y, to, h/2))
	}
}

// playback draws the signs of a recorder: play, pause, stop, record.
func (c *shape) playback(s *sheet, r rune) {
	size := float64(s.cellW) * 0.86
	cx, cy := float64(c.w)/2, float64(s.baseline)-s.em*0.34
	x0, x1 := int(math.Round(cx-size/2)), int(math.Round(cx+size/2))
	y0, y1 := int(math.Round(cy-size/2)), int(math.Round(cy+size/2))
	switch r {
	case 0x23f5:
		c.polygon(float32(x0), float32(y0), float32(x1), float32(cy), float32(x0), float32(y1))
	case 0x23f8:
		bar := max((x1-x0)/3, 1)
		c.rect(x0, y0, x0+bar, y1)
		c.rect(x1-bar, y0, x1, y1)
	case 0x23f9:
		c.rect(x0, y0, x1, y1)
	case 0x23fa:
		c.near(size, func(x, y float64) float64 { return math.Hypot(x-cx, y-cy) })
	}
}

func (c *shape) powerline(s *sheet, r rune) {
	w, h := float32(c.w), float32(c.h)
	t := float64(s.line)
	switch r {
	case 0xe0b0:
		c.polygon(0, 0, w, h/2, 0, h)
	case 0xe0b2:
		c.polygon(w, 0, 0, h/2, w, h)
	case 0xe0b1:
		c.near(t, segment(0, 0, float64(w)-t/2, float64(h)/2))
		c.near(t, segment(float64(w)-t/2, float64(h)/2, 0, float64(h)))
	case 0xe0b3:
		c.near(t, segment(float64(w), 0, t/2, float64(h)/2))
		c.near(t, segment(t/2, float64(h)/2, float64(w), float64(h)))
	}
}

// braille draws the dots of the low byte (Unicode: bit 0 to 2 and 6 are the
// left column, 3 to 5 and 7 the right).
func (c *shape) braille(bits uint8) {
	d := max(min(c.w/4, c.h/8), 1)
	for i, at := range [8][2]int{{0, 0}, {0, 1}, {0, 2}, {1, 0}, {1, 1}, {1, 2}, {0, 3}, {1, 3}} {
		if bits>>i&1 == 0 {
			continue
		}
		cx := float64(c.w) * (0.25 + 0.5*float64(at[0]))
		cy := float64(c.h) * (0.125 + 0.25*float64(at[1]))
		if d < 3 {
			x, y := int(math.Round(cx-float64(d)/2)), int(math.Round(cy-float64(d)/2))
			c.rect(x, y, x+max(d, 1), y+max(d, 1))
			continue
		}
		c.near(float64(d)*1.25, func(x, y float64) float64 { return math.Hypot(x-cx, y-cy) })
	}
}

// block draws U+2580 to U+259F: eighths, shades and quadrants.
func (c *shape) block(r rune) {
	part := func(n, of int) int { return int(math.Round(float64(of) * float64(n) / 8)) }
	switch {
	case r == 0x2580:
		c.rect(0, 0, c.w, c.h-part(4, c.h))
	case r <= 0x2588:
		c.rect(0, c.h-part(int(r-0x2580), c.h), c.w, c.h)
	case r <= 0x258f:
		c.rect(0, 0, part(int(0x2590-r), c.w), c.h)
	case r == 0x2590:
		c.rect(part(4, c.w), 0, c.w, c.h)
	case r <= 0x2593:
		for i := range c.mask {
			c.mask[i] = uint8(64 * (r - 0x2590))
		}
	case r == 0x2594:
		c.rect(0, 0, c.w, part(1, c.h))
	case r == 0x2595:
		c.rect(c.w-part(1, c.w), 0, c.w, c.h)
	default:
		// Bits: upper left 1, upper right 2, lower left 4, lower right 8.
		q := [...]int{4, 8, 1, 13, 9, 7, 11, 2, 6, 14}[r-0x2596]
		mx, my := part(4, c.w), c.h-part(4, c.h)
		for i, b := range [4][4]int{{0, 0, mx, my}, {mx, 0, c.w, my}, {0, my, mx, c.h}, {mx, my, c.w, c.h}} {
			if q>>i&1 != 0 {
				c.rect(b[0], b[1], b[2], b[3])
			}
		}
	}
}
