package terminal

import (
	"bytes"
	"image"
	"image/color"
	"math"
	"sync"

	"fyne.io/fyne/v2/theme"
	"github.com/go-text/render"
	"github.com/go-text/typesetting/di"
	gofont "github.com/go-text/typesetting/font"
	"github.com/go-text/typesetting/fontscan"
	"github.com/go-text/typesetting/language"
	"github.com/go-text/typesetting/shaping"
	"github.com/srwiley/oksvg"
	"github.com/srwiley/rasterx"
	"golang.org/x/image/math/fixed"
)

// fallback draws what the embedded fonts lack: emoji with the toolkit's own
// emoji font, all else with a font of the system.
type fallback struct {
	dir    string
	shaper shaping.HarfbuzzShaper
	emoji  *gofont.Face
	opened bool // emoji was looked for

	scans   sync.WaitGroup
	mu      sync.Mutex
	state   scanState
	fonts   *fontscan.FontMap
	waiting []func()
}

type scanState uint8

const (
	scanNot scanState = iota
	scanning
	scanned
)

// draw returns a glyph, or nil where none has it, now at least. A font that
// has all of a cluster as one glyph is preferred to one that has its parts.
func (b *fallback) draw(s *sheet, text string, k glyphKey) *glyph {
	runes := []rune(text)
	if len(runes) > 1 && runes[len(runes)-1] == 0xfe0e {
		runes = runes[:len(runes)-1]
	}
	fonts := []*gofont.Face{b.system(runes[0]), b.emojiFace()}
	if pictured(runes, k) {
		fonts[0], fonts[1] = fonts[1], fonts[0]
	}
	var first *gofont.Face
	for _, face := range fonts {
		if face == nil || !has(face, runes[0]) {
			continue
		}
		if first == nil {
			first = face
		}
		if b.parts(face, runes) == 1 {
			return b.run(s, face, runes, k)
		}
	}
	switch {
	case first == nil:
		return nil
	case pictured(runes, k):
		return b.run(s, first, runes[:1], k) // the parts side by side would be too small
	}
	return b.run(s, first, runes, k)
}

// parts is the number of glyphs that a cluster takes.
func (b *fallback) parts(face *gofont.Face, runes []rune) int {
	n := 0
	for _, g := range b.shape(face, runes, 16).Glyphs {
		if g.Advance != 0 {
			n++
		}
	}
	return n
}

func (b *fallback) shape(face *gofont.Face, runes []rune, em float64) shaping.Output {
	return b.shaper.Shape(shaping.Input{
		Text: runes, RunEnd: len(runes), Face: face, Size: fixed.Int26_6(em * 64),
		Direction: di.DirectionLTR, Script: language.LookupScript(runes[0]), Language: "en",
	})
}

// pictured says whether a cluster is to be shown as an emoji.
func pictured(runes []rune, k glyphKey) bool {
	for _, r := range runes {
		if r == 0xfe0f || r == 0x200d {
			return true
		}
	}
	return k.span == 2 && (runes[0] >= 0x1f000 || runes[0] < 0x2e80)
}

func has(face *gofont.Face, r rune) bool {
	_, ok := face.NominalGlyph(r)
	return ok
}

func (b *fallback) emojiFace() *gofont.Face {
	if b.opened {
		return b.emoji
	}
	b.opened = true
	if r := theme.DefaultEmojiFont(); r != nil {
		if face, err := gofont.ParseTTF(bytes.NewReader(r.Content())); err == nil {
			b.emoji = face
		}
	}
	return b.emoji
}

// system returns the system's font for a rune; nil where there is none or the
// fonts are still being listed, which the first call begins.
func (b *fallback) system(r rune) *gofont.Face {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch b.state {
	case scanNot:
		b.state = scanning
		b.scans.Go(b.scan)
		return nil
	case scanning:
		return nil
	}
	if b.fonts == nil {
		return nil
	}
	b.fonts.SetScript(language.LookupScript(r))
	return b.fonts.ResolveFace(r)
}

// scan lists the system's fonts, which takes seconds the first time, and then
// calls whoever waits for it.
func (b *fallback) scan() {
	fm := fontscan.NewFontMap(quiet{})
	err := fm.UseSystemFonts(b.dir)
	fm.SetQuery(fontscan.Query{Families: []string{fontscan.Monospace, fontscan.SansSerif}})
	b.mu.Lock()
	b.state = scanned
	if err == nil {
		b.fonts = fm
	}
	calls := b.waiting
	b.waiting = nil
	b.mu.Unlock()
	for _, f := range calls {
		f()
	}
}

// done says that the system's fonts are known.
func (b *fallback) done() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state == scanned
}

// whenScanned calls f once, later, if the system's fonts are being listed now.
func (b *fallback) whenScanned(f func()) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state != scanning {
		return false
	}
	b.waiting = append(b.waiting, f)
	return true
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}

// run shapes a cluster and draws it into its cells, as large as fits.
func (b *fallback) run(s *sheet, face *gofont.Face, runes []rune, k glyphKey) *glyph {
	w, h := s.cellW*int(max(k.span, 1)), s.cellH
	em := s.em
	out := b.shape(face, runes, em)
	if face == b.emoji && len(out.Glyphs) > 0 {
		if svg, ok := face.GlyphData(out.Glyphs[0].GlyphID).(gofont.GlyphSVG); ok {
			return drawing(svg.Source, w, h)
		}
	}
	colored := inColour(face, out)
	adv := float64(out.Advance) / 64
	if adv <= 0 {
		adv = em
	}
	if fit := float64(w) / adv; fit < 1 || colored {
		em *= fit
		if colored {
			em = min(em, float64(h)*0.95)
		}
		out = b.shape(face, runes, em)
		adv = float64(out.Advance) / 64
	}
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	r := render.Renderer{FontSize: float32(em), PixScale: 1, Color: color.White}
	y := s.baseline
	if colored {
		y = int(math.Round(float64(h)/2 + em*0.36))
	}
	r.DrawShapedRunAt(out, img, int(math.Round((float64(w)-adv)/2)), y)
	return fromImage(img, colored)
}

// inColour says whether a font draws these glyphs as pictures.
func inColour(face *gofont.Face, out shaping.Output) bool {
	for _, g := range out.Glyphs {
		switch face.GlyphData(g.GlyphID).(type) {
		case gofont.GlyphBitmap, gofont.GlyphSVG:
			return true
		}
	}
	return false
}

// fromImage keeps the coverage of a picture, or the whole of it.
func fromImage(img *image.NRGBA, colored bool) *glyph {
	g := &glyph{w: img.Rect.Dx(), h: img.Rect.Dy()}
	if !colored {
		g.mask = make([]uint8, g.w*g.h)
		for i := range g.mask {
			g.mask[i] = img.Pix[i*4+3]
		}
		return g
	}
	g.pix = make([]uint8, len(img.Pix))
	for i := 0; i < len(img.Pix); i += 4 {
		a := uint32(img.Pix[i+3])
		for j := range 3 {
			g.pix[i+j] = uint8(uint32(img.Pix[i+j]) * a / 255)
		}
		g.pix[i+3] = uint8(a)
	}
	return g
}

// artSide is the side of the square that the pictures of the toolkit's emoji
// font are drawn in; their own view boxes are about placing, not size.
const artSide = 64

// drawing renders a picture of the toolkit's emoji font into the middle of its
// cells.
func drawing(svg []byte, w, h int) *glyph {
	icon, err := oksvg.ReadIconStream(bytes.NewReader(svg))
	if err != nil {
		return nil
	}
	side := min(float64(w), float64(h)) * 0.98
	icon.ViewBox.X, icon.ViewBox.Y, icon.ViewBox.W, icon.ViewBox.H = 0, 0, artSide, artSide
	icon.SetTarget((float64(w)-side)/2, (float64(h)-side)/2, side, side)
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	icon.Draw(rasterx.NewDasher(w, h, rasterx.NewScannerGV(w, h, img, img.Rect)), 1)
	return fromImage(img, true)
}
