package terminal

import (
	"math"
	"sync"

	xfont "golang.org/x/image/font"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"golang.org/x/text/unicode/norm"

	"bottlebar.app/assets/font"
)

// Fonts draws characters for terminals and keeps what it drew. Terminals that
// share one share its cache. The zero value is not ready; use NewFonts.
type Fonts struct {
	mu     sync.Mutex
	styles [4]*sfnt.Font // by style: bold 1, italic 2
	signs  *sfnt.Font
	buf    sfnt.Buffer
	sheets []*sheet // the one used last comes last
	others fallback
}

// Styles of a glyph.
const (
	styleBold uint8 = 1 << iota
	styleItalic
)

// maxSheets is how many text sizes are kept drawn, maxGlyphs how many
// characters of each beyond ASCII.
const (
	maxSheets = 4
	maxGlyphs = 8192
)

// NewFonts returns the embedded fonts. What they lack is looked for in the
// system's fonts, the index of which is kept in cacheDir (empty: where the
// user's caches are) and read in the background when it is first needed.
func NewFonts(cacheDir string) *Fonts {
	f := &Fonts{}
	for i := range f.styles {
		f.styles[i] = parse(font.Mono(i&int(styleBold) != 0, i&int(styleItalic) != 0))
	}
	f.signs = parse(font.Symbols())
	f.others.dir = cacheDir
	return f
}

// Close waits until the system's fonts are no longer being read. The fonts can
// still be used after it.
func (f *Fonts) Close() { f.others.scans.Wait() }

// parse reads an embedded font, which a test proves readable.
func parse(b []byte) *sfnt.Font {
	f, err := sfnt.Parse(b)
	if err != nil {
		panic("terminal: embedded font: " + err.Error())
	}
	return f
}

// sheet is all glyphs of one size in device pixels.
type sheet struct {
	cellW, cellH int
	baseline     int     // from the top of the cell
	em           float64 // pixels per em
	stretch      float64 // of heights, so that small letters end on whole pixels
	line         int     // thickness of a thin line
	underline    int     // top of the underline, from the top of the cell
	ascii        [4][128]*glyph
	more         map[glyphKey]*glyph
}

// glyphKey is a character in a style and a width: a rune, or a cluster's text.
type glyphKey struct {
	r     rune
	text  string
	style uint8
	span  uint8
}

// glyph is a character drawn: coverage, or for emoji its own colours.
type glyph struct {
	x, y, w, h int
	mask       []uint8
	pix        []uint8 // premultiplied RGBA, in place of mask
}

// sheet returns the glyphs for an em of so many device pixels.
func (f *Fonts) sheet(em float64) *sheet {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.measure(em)
	for i, have := range f.sheets {
		if have.cellW == s.cellW && have.cellH == s.cellH {
			f.sheets = append(append(f.sheets[:i:i], f.sheets[i+1:]...), have)
			return have
		}
	}
	f.sheets = append(f.sheets, s)
	if len(f.sheets) > maxSheets {
		f.sheets = f.sheets[1:]
	}
	return s
}

// measure fits the cell to whole pixels: the em is changed a little so that a
// letter is exactly as wide as its cell.
func (f *Fonts) measure(em float64) *sheet {
	unit := f.styles[0].UnitsPerEm()
	upem := fixed.I(int(unit))
	adv, err := f.styles[0].GlyphAdvance(&f.buf, f.index(f.styles[0], 'M'), upem, xfont.HintingNone)
	if err != nil {
		adv = upem * 6 / 10
	}
	m, _ := f.styles[0].Metrics(&f.buf, upem, xfont.HintingNone)
	ratio := func(v fixed.Int26_6) float64 { return float64(v) / float64(upem) }
	s := &sheet{more: make(map[glyphKey]*glyph)}
	s.cellW = max(int(math.Round(em*ratio(adv))), 2)
	s.em = float64(s.cellW) / ratio(adv)
	asc, desc := ratio(m.Ascent)*s.em, ratio(m.Descent)*s.em
	s.cellH = max(int(math.Round(asc+desc)), 4)
	s.baseline = int(math.Round((float64(s.cellH)-asc-desc)/2 + asc))
	small := ratio(m.XHeight) * s.em
	s.stretch = 1
	if small > 3 {
		s.stretch = min(max(math.Round(small)/small, 0.93), 1.07)
	}
	s.line = max(int(math.Round(s.em/15)), 1)
	s.underline = min(s.baseline+max(int(math.Round(s.em/9)), 1), s.cellH-s.line)
	return s
}

func (f *Fonts) index(ft *sfnt.Font, r rune) sfnt.GlyphIndex {
	i, err := ft.GlyphIndex(&f.buf, r)
	if err != nil {
		return 0
	}
	return i
}

// glyph returns how a character looks. Where no font has it that is a box,
// and sure is false while the system's fonts are still being listed.
func (f *Fonts) glyph(s *sheet, k glyphKey) (g *glyph, sure bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if k.text == "" && k.r < 128 {
		p := &s.ascii[k.style&3][k.r]
		if *p == nil {
			*p = f.draw(s, k)
		}
		return *p, true
	}
	if g, ok := s.more[k]; ok {
		return g, true
	}
	if len(s.more) >= maxGlyphs {
		clear(s.more)
	}
	known := f.others.done() // before it is drawn: the list may become ready meanwhile
	g = f.draw(s, k)
	if g == nil {
		g = f.missing(s, k)
		if !known {
			return g, false
		}
	}
	s.more[k] = g
	return g, true
}

// draw makes a glyph: our own shapes, the embedded fonts, then all others;
// nil while it is not known who has it.
func (f *Fonts) draw(s *sheet, k glyphKey) *glyph {
	if k.text == "" {
		if g := drawShape(s, k.r); g != nil {
			return g
		}
		for _, ft := range []*sfnt.Font{f.styles[k.style&3], f.signs} {
			if i := f.index(ft, k.r); i != 0 && !emojiDefault(k) {
				return f.outline(s, ft, i, int(k.span))
			}
		}
		return f.others.draw(s, string(k.r), k)
	}
	if whole := []rune(norm.NFC.String(k.text)); len(whole) == 1 {
		return f.draw(s, glyphKey{r: whole[0], style: k.style, span: k.span})
	}
	if g := f.stack(s, k); g != nil {
		return g
	}
	return f.others.draw(s, k.text, k)
}

// missing is a box, for a character that no font has.
func (f *Fonts) missing(s *sheet, k glyphKey) *glyph {
	w := s.cellW * int(max(k.span, 1))
	c := newShape(w, s.cellH)
	in := max(s.cellW/8, 1)
	top := max(s.baseline-int(s.em*0.73), 0)
	c.frame(in, top, w-in, s.baseline, s.line)
	return c.glyph()
}
