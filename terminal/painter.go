package terminal

import (
	"encoding/binary"
	"image"

	"bottlebar.app/terminal/vt"
)

// painter keeps the picture of a grid and paints again what changed.
type painter struct {
	fonts  *Fonts
	sheet  *sheet
	theme  Theme
	ink    *inks
	img    *image.RGBA
	pad    int // pixels around the grid
	rows   []painted
	epoch  uint64
	revers bool
	holes  bool // a character waits for the system's fonts
	thumb  span // rows of the scroll thumb
}

// painted is what a line of the picture shows.
type painted struct {
	seq    uint64
	valid  bool
	x0, x1 int // selected columns
	cursor caret
	link   span
	marks  string // columns found, as marked writes them
}

// span is a run of columns.
type span struct{ x0, x1 int }

// caret is the cursor as it is painted into a line.
type caret struct {
	on     bool
	col    int
	shape  vt.CursorShape
	hollow bool
}

// scene is what is to be seen.
type scene struct {
	top    int // first line
	sel    *vt.Selection
	caret  caret
	row    int // of the caret, among the lines seen
	link   *vt.Selection
	marks  []vt.Selection // places of a text that is looked for
	mark   int            // the one that was gone to; less than 0 for none
	scroll float64        // place of the thumb from 0 to 1; less than 0 for none
	thumb  float64        // its length
}

// invalidate makes the next paint a whole one.
func (p *painter) invalidate() { p.rows = nil }

// resize makes room for w by h pixels, and returns the grid that fits.
func (p *painter) resize(w, h int) (cols, rows int) {
	if p.img == nil || p.img.Rect.Dx() != w || p.img.Rect.Dy() != h {
		p.img = image.NewRGBA(image.Rect(0, 0, w, h))
		p.invalidate()
	}
	return p.grid(w, h)
}

func (p *painter) grid(w, h int) (cols, rows int) {
	return max((w-2*p.pad)/p.sheet.cellW, 1), max((h-2*p.pad)/p.sheet.cellH, 1)
}

// paint brings the picture up to date and says whether it changed.
func (p *painter) paint(s *vt.Screen, sc scene) bool {
	if p.img == nil {
		return false
	}
	if p.ink == nil || s.Epoch != p.epoch || s.Modes.Reverse != p.revers {
		p.ink = newInks(p.theme, s)
		p.epoch, p.revers = s.Epoch, s.Modes.Reverse
		p.invalidate()
	}
	changed := false
	if len(p.rows) != s.Rows {
		p.rows = make([]painted, s.Rows)
		p.clear()
		changed = true
	}
	p.shift(s, sc)
	for y := range s.Rows {
		l := s.Line(sc.top + y)
		want := painted{seq: l.Seq, valid: true}
		if sc.sel != nil {
			want.x0, want.x1 = sc.sel.Columns(sc.top+y, s.Cols)
		}
		if sc.link != nil {
			want.link.x0, want.link.x1 = sc.link.Columns(sc.top+y, s.Cols)
		}
		if sc.caret.on && y == sc.row {
			want.cursor = sc.caret
		}
		want.marks = sc.marked(sc.top+y, s.Cols)
		if p.rows[y] == want {
			continue
		}
		p.rows[y] = want
		p.paintLine(s, y, l, want)
		changed = true
	}
	return p.paintThumb(sc, changed) || changed
}

// shift moves the picture of lines that scrolled, so that only new ones are
// painted.
func (p *painter) shift(s *vt.Screen, sc scene) {
	first := s.Line(sc.top).Seq
	d := 0
	for y := range p.rows {
		if p.rows[y].valid && p.rows[y].seq == first && first != 0 {
			d = y
			break
		}
	}
	if d == 0 || d > len(p.rows)*3/4 {
		return
	}
	h := p.sheet.cellH
	from, to := p.pad+d*h, p.pad+len(p.rows)*h
	if to > p.img.Rect.Dy() {
		return
	}
	copy(p.img.Pix[p.pad*p.img.Stride:], p.img.Pix[from*p.img.Stride:to*p.img.Stride])
	copy(p.rows, p.rows[d:])
	for y := len(p.rows) - d; y < len(p.rows); y++ {
		p.rows[y] = painted{}
	}
}

// clear paints the whole picture in the background.
func (p *painter) clear() {
	b := p.img.Rect
	p.fill(0, 0, b.Dx(), b.Dy(), p.ink.bg)
}

// fill paints a rectangle, cut to the picture.
func (p *painter) fill(x0, y0, x1, y1 int, c pixel) {
	b := p.img.Rect
	x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, b.Dx()), min(y1, b.Dy())
	if x0 >= x1 || y0 >= y1 {
		return
	}
	first := p.img.Pix[y0*p.img.Stride+x0*4 : y0*p.img.Stride+x1*4]
	for i := 0; i < len(first); i += 4 {
		binary.LittleEndian.PutUint32(first[i:], uint32(c))
	}
	for y := y0 + 1; y < y1; y++ {
		copy(p.img.Pix[y*p.img.Stride+x0*4:], first)
	}
}

// strip is a line while it is painted.
type strip struct {
	cells []vt.Cell
	want  painted
	top   int // its first row of pixels
	block bool
}

// paintLine paints one line: backgrounds first, since a letter may lean over
// its neighbour, then letters and lines, then the cursor.
func (p *painter) paintLine(s *vt.Screen, y int, l vt.Line, want painted) {
	w, h := p.sheet.cellW, p.sheet.cellH
	b := strip{want: want, top: p.pad + y*h}
	b.cells = l.Cells[:min(len(l.Cells), (p.img.Rect.Dx()-p.pad)/w)]
	b.block = want.cursor.on && !want.cursor.hollow && want.cursor.shape == vt.CursorBlock
	p.fill(0, b.top, p.img.Rect.Dx(), b.top+h, p.ink.bg)
	if b.top+h > p.img.Rect.Dy() {
		return
	}
	p.paintGrounds(b)
	for x, c := range b.cells {
		linked := x >= want.link.x0 && x < want.link.x1
		if c == (vt.Cell{}) && !linked || c.Width() == 0 {
			continue
		}
		fg, _ := p.look(b, x)
		p.paintCell(s, c, p.pad+x*w, b.top, fg)
		if linked {
			at := b.top + p.sheet.underline
			p.fill(p.pad+x*w, at, p.pad+(x+c.Width())*w, at+p.sheet.line, fg)
		}
	}
	if want.cursor.on && !b.block && want.cursor.col < len(b.cells) {
		p.paintCaret(want.cursor, b.cells[want.cursor.col].Width(), b.top)
	}
}

// look returns the colours of a column, with selection and cursor.
func (p *painter) look(b strip, x int) (fg, bg pixel) {
	c := &b.cells[x]
	fg, bg = p.ink.pair(c)
	if b.want.marks != "" {
		fg, bg = p.ink.marked(b.want.marks, x, fg, bg)
	}
	if x >= b.want.x0 && x < b.want.x1 {
		bg = bg.mix(p.ink.selection, p.ink.selAlpha)
	}
	at := b.want.cursor.col
	if b.block && (x == at || x == at+1 && c.Width() == 0) {
		fg, bg = bg, p.ink.cursor
		if fg == bg {
			fg = p.ink.bg
		}
	}
	return fg, bg
}

// paintGrounds paints what is not in the default background, a run of one
// colour at a time.
func (p *painter) paintGrounds(b strip) {
	w := p.sheet.cellW
	for x := 0; x < len(b.cells); {
		_, bg := p.look(b, x)
		end := x + 1
		for end < len(b.cells) {
			if _, next := p.look(b, end); next != bg {
				break
			}
			end++
		}
		if bg != p.ink.bg {
			p.fill(p.pad+x*w, b.top, p.pad+end*w, b.top+p.sheet.cellH, bg)
		}
		x = end
	}
}

// paintCell paints a letter and the lines that go with it at a pixel.
func (p *painter) paintCell(s *vt.Screen, c vt.Cell, x, y int, fg pixel) {
	if !c.Blank() && c.Attr&vt.Concealed == 0 {
		k := glyphKey{span: uint8(c.Width())}
		if c.Attr&vt.Bold != 0 {
			k.style |= styleBold
		}
		if c.Attr&vt.Italic != 0 {
			k.style |= styleItalic
		}
		if r, ok := c.Rune(); ok {
			k.r = r
		} else {
			k.text = s.Text(c)
		}
		if g, sure := p.fonts.glyph(p.sheet, k); g != nil {
			p.holes = p.holes || !sure
			p.blend(g, x, y, fg)
		}
	}
	if c.Attr&(vt.Strike|vt.Overline) == 0 && c.Attr.Underline() == vt.UnderlineNone {
		return
	}
	p.paintRules(s, c, x, y, fg)
}

// blend lays a glyph over the picture, cut to the line of its cell.
func (p *painter) blend(g *glyph, x, y int, fg pixel) {
	x0, y0 := x+g.x, y+g.y
	top, bottom := max(y, 0), min(y+p.sheet.cellH, p.img.Rect.Dy())
	left, right := 0, min(g.w, p.img.Rect.Dx()-x0)
	if x0 < 0 {
		left = -x0
	}
	for gy := range g.h {
		py := y0 + gy
		if py < top || py >= bottom || left >= right {
			continue
		}
		at := py*p.img.Stride + (x0+left)*4
		dst := p.img.Pix[at : at+(right-left)*4]
		if g.pix != nil {
			blendColor(dst, g.pix[(gy*g.w+left)*4:(gy*g.w+right)*4])
			continue
		}
		blendMask(dst, g.mask[gy*g.w+left:gy*g.w+right], fg)
	}
}

func blendMask(dst, mask []uint8, fg pixel) {
	for i, a := range mask {
		if a == 0 {
			continue
		}
		d := dst[i*4 : i*4+4]
		if a == 255 {
			binary.LittleEndian.PutUint32(d, uint32(fg))
			continue
		}
		binary.LittleEndian.PutUint32(d, uint32(pixel(binary.LittleEndian.Uint32(d)).mix(fg, uint32(a))))
	}
}

func blendColor(dst, src []uint8) {
	for i := 0; i+3 < len(src); i += 4 {
		a := uint32(src[i+3])
		if a == 0 {
			continue
		}
		for j := range 3 {
			dst[i+j] = uint8(uint32(src[i+j]) + uint32(dst[i+j])*(255-a)/255)
		}
	}
}
