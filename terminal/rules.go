package terminal

import (
	"math"

	"bottlebar.app/terminal/vt"
)

// paintRules paints the lines under, through and over a cell.
func (p *painter) paintRules(s *vt.Screen, c vt.Cell, x, y int, fg pixel) {
	sh := p.sheet
	w := sh.cellW * max(c.Width(), 1)
	if u := c.Attr.Underline(); u != vt.UnderlineNone {
		ink := fg
		if v := s.UnderlineColor(c); !v.IsDefault() {
			ink = p.ink.of(v, fg)
		}
		p.paintUnderline(u, x, y, w, ink)
	}
	if c.Attr&vt.Strike != 0 {
		at := y + sh.baseline - int(math.Round(sh.em*0.28))
		p.fill(x, at, x+w, at+sh.line, fg)
	}
	if c.Attr&vt.Overline != 0 {
		p.fill(x, y, x+w, y+sh.line, fg)
	}
}

func (p *painter) paintUnderline(u vt.Underline, x, y, w int, ink pixel) {
	sh := p.sheet
	t, at := sh.line, y+sh.underline
	switch u {
	case vt.UnderlineSingle:
		p.fill(x, at, x+w, at+t, ink)
	case vt.UnderlineDouble:
		low := min(at+2*t, y+sh.cellH-t)
		p.fill(x, low, x+w, low+t, ink)
		p.fill(x, low-2*t, x+w, low-t, ink)
	case vt.UnderlineDotted:
		for i := 0; i < w; i += 2 * t {
			p.fill(x+i, at, min(x+i+t, x+w), at+t, ink)
		}
	case vt.UnderlineDashed:
		dash := max(sh.cellW*3/8, 1)
		for i := 0; i < w; i += sh.cellW {
			p.fill(x+i, at, x+i+dash, at+t, ink)
			p.fill(x+i+sh.cellW/2, at, x+i+sh.cellW/2+dash, at+t, ink)
		}
	case vt.UnderlineCurly:
		p.paintWave(x, y, w, ink)
	}
}

// paintWave paints one wave a cell, so that neighbours join.
func (p *painter) paintWave(x, y, w int, ink pixel) {
	sh := p.sheet
	amp := max(float64(sh.line), float64(sh.cellH)/18)
	mid := min(float64(sh.underline)+amp*0.6, float64(sh.cellH)-amp-float64(sh.line)/2)
	half := float64(sh.line)/2 + 0.25
	for i := range w {
		if x+i < 0 || x+i >= p.img.Rect.Dx() {
			continue
		}
		c := mid + amp*math.Sin((float64(i)+0.5)/float64(sh.cellW)*2*math.Pi)
		for j := int(c - half - 1); j <= int(c+half+1); j++ {
			cover := min(max(half+0.5-math.Abs(float64(j)+0.5-c), 0), 1)
			if cover == 0 || j >= sh.cellH || y+j >= p.img.Rect.Dy() {
				continue
			}
			at := (y+j)*p.img.Stride + (x+i)*4
			blendMask(p.img.Pix[at:at+4], []uint8{uint8(cover * 255)}, ink)
		}
	}
}

// paintCaret paints a cursor that is no block: a bar, a line, or the outline
// that says that the keyboard is elsewhere.
func (p *painter) paintCaret(c caret, width, top int) {
	sh := p.sheet
	x0, x1 := p.pad+c.col*sh.cellW, p.pad+(c.col+max(width, 1))*sh.cellW
	thick := max(sh.line, int(math.Round(sh.em/8)))
	switch {
	case c.hollow:
		t := sh.line
		p.fill(x0, top, x1, top+t, p.ink.cursor)
		p.fill(x0, top+sh.cellH-t, x1, top+sh.cellH, p.ink.cursor)
		p.fill(x0, top, x0+t, top+sh.cellH, p.ink.cursor)
		p.fill(x1-t, top, x1, top+sh.cellH, p.ink.cursor)
	case c.shape == vt.CursorBar:
		p.fill(x0, top, x0+thick, top+sh.cellH, p.ink.cursor)
	default:
		p.fill(x0, top+sh.cellH-thick, x1, top+sh.cellH, p.ink.cursor)
	}
}

// paintThumb paints where in the scrollback one is, at the right edge, and
// says whether that changed the picture.
func (p *painter) paintThumb(sc scene, changed bool) bool {
	b := p.img.Rect
	w := max(p.pad*2/3, 2)
	x1 := b.Dx() - max(p.pad/6, 1)
	var want span
	if sc.scroll >= 0 {
		h := max(int(sc.thumb*float64(b.Dy())), 4*w)
		y := int(sc.scroll * float64(b.Dy()-h))
		want = span{y, y + h}
	}
	if want == p.thumb && (!changed || want == span{}) {
		return false
	}
	p.thumb = want
	p.fill(x1-w, 0, x1, b.Dy(), p.ink.bg)
	p.fill(x1-w, want.x0, x1, want.x1, p.ink.bg.mix(p.ink.fg, 110))
	return true
}
