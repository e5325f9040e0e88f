package terminal

import (
	"image"
	"image/draw"
	"math"

	xfont "golang.org/x/image/font"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"
)

// emojiDefault says whether a rune is a picture unless told otherwise.
func emojiDefault(k glyphKey) bool { return k.span == 2 && (k.r >= 0x1f000 || k.r < 0x3000) }

// outline fills a glyph of an embedded font. One that is wider than its cells
// is made narrower; one that is not made for them stands in their middle.
func (f *Fonts) outline(s *sheet, ft *sfnt.Font, i sfnt.GlyphIndex, span int) *glyph {
	g := &glyph{}
	f.fill(s, ft, i, max(span, 1), g)
	return g
}

// stack draws a cluster of a letter and marks over each other, where the
// embedded font has all of them; nil otherwise.
func (f *Fonts) stack(s *sheet, k glyphKey) *glyph {
	for _, ft := range []*sfnt.Font{f.styles[k.style&3], f.signs} {
		if list := f.indexes(ft, k.text); list != nil {
			g := &glyph{}
			for _, i := range list {
				f.fill(s, ft, i, max(int(k.span), 1), g)
			}
			return g
		}
	}
	return nil
}

// indexes returns the glyphs of a cluster if one font has all of them: marks of
// another one would not sit where they belong.
func (f *Fonts) indexes(ft *sfnt.Font, text string) []sfnt.GlyphIndex {
	var list []sfnt.GlyphIndex
	for _, r := range text {
		if r == 0xfe0e || r == 0x200c {
			continue
		}
		i := f.index(ft, r)
		if i == 0 {
			return nil
		}
		list = append(list, i)
	}
	return list
}

// fill rasterises one outline and merges it into g.
func (f *Fonts) fill(s *sheet, ft *sfnt.Font, i sfnt.GlyphIndex, span int, g *glyph) {
	upem := fixed.I(int(ft.UnitsPerEm()))
	segs, err := ft.LoadGlyph(&f.buf, i, upem, nil)
	if err != nil || len(segs) == 0 {
		return
	}
	segs = append(sfnt.Segments(nil), segs...)
	adv, err := ft.GlyphAdvance(&f.buf, i, upem, xfont.HintingNone)
	if err != nil {
		return
	}
	scale := s.em / float64(upem)
	sx, shift := scale, 0.0
	width := float64(s.cellW * span)
	switch a := float64(adv) * scale; {
	case a > width*1.01:
		sx = scale * width / a
	case a > 0 && a < width*0.98:
		shift = (width - a) / 2
	case a == 0:
		shift = width // a mark, made to stand before the pen
	}
	g.merge(s.sharpest(segs, sx, scale*s.stretch, shift))
}

// sharpest rasterises an outline. At small sizes it is moved by up to half a
// pixel to where its stems fall on whole ones, as hinting would.
func (s *sheet) sharpest(segs sfnt.Segments, sx, sy, shift float64) *glyph {
	best := s.rasterize(segs, sx, sy, shift)
	if s.em > 22 {
		return best
	}
	top := best.contrast() * 1.04
	for _, d := range [...]float64{-0.25, 0.25, -0.5, 0.5} {
		if g := s.rasterize(segs, sx, sy, shift+d); g.contrast() > top {
			best, top = g, g.contrast()
		}
	}
	return best
}

// contrast is larger the fewer pixels are half covered.
func (g *glyph) contrast() float64 {
	sum := 0.0
	for _, v := range g.mask {
		sum += float64(v) * float64(v)
	}
	return sum
}

func (s *sheet) rasterize(segs sfnt.Segments, sx, sy, shift float64) *glyph {
	b := segs.Bounds()
	x0 := int(math.Floor(float64(b.Min.X)*sx + shift))
	x1 := int(math.Ceil(float64(b.Max.X)*sx+shift)) + 1
	y0 := int(math.Floor(float64(b.Min.Y) * sy))
	y1 := int(math.Ceil(float64(b.Max.Y)*sy)) + 1
	z := vector.NewRasterizer(x1-x0, y1-y0)
	z.DrawOp = draw.Src
	at := func(p fixed.Point26_6) (float32, float32) {
		return float32(float64(p.X)*sx + shift - float64(x0)), float32(float64(p.Y)*sy - float64(y0))
	}
	trace(z, segs, at)
	m := image.NewAlpha(image.Rect(0, 0, x1-x0, y1-y0))
	z.Draw(m, m.Rect, image.Opaque, image.Point{})
	return &glyph{x: x0, y: y0 + s.baseline, w: x1 - x0, h: y1 - y0, mask: m.Pix}
}

func trace(z *vector.Rasterizer, segs sfnt.Segments, at func(fixed.Point26_6) (float32, float32)) {
	for _, seg := range segs {
		ax, ay := at(seg.Args[0])
		switch seg.Op {
		case sfnt.SegmentOpMoveTo:
			z.ClosePath()
			z.MoveTo(ax, ay)
		case sfnt.SegmentOpLineTo:
			z.LineTo(ax, ay)
		case sfnt.SegmentOpQuadTo:
			bx, by := at(seg.Args[1])
			z.QuadTo(ax, ay, bx, by)
		case sfnt.SegmentOpCubeTo:
			bx, by := at(seg.Args[1])
			cx, cy := at(seg.Args[2])
			z.CubeTo(ax, ay, bx, by, cx, cy)
		}
	}
	z.ClosePath()
}

// merge lays o over g.
func (g *glyph) merge(o *glyph) {
	if g.w == 0 {
		*g = *o
		return
	}
	x0, y0 := min(g.x, o.x), min(g.y, o.y)
	x1, y1 := max(g.x+g.w, o.x+o.w), max(g.y+g.h, o.y+o.h)
	n := &glyph{x: x0, y: y0, w: x1 - x0, h: y1 - y0}
	n.mask = make([]uint8, n.w*n.h)
	for _, p := range []*glyph{g, o} {
		for y := range p.h {
			for x := range p.w {
				d := &n.mask[(y+p.y-y0)*n.w+x+p.x-x0]
				*d = max(*d, p.mask[y*p.w+x])
			}
		}
	}
	*g = *n
}
