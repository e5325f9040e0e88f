package terminal

import (
	"math"
	"strings"
	"testing"

	"bottlebar.app/terminal/vt"
)

// TestOnlyChangedLinesArePainted spoils the picture and looks which lines a
// change mends.
func TestOnlyChangedLinesArePainted(t *testing.T) {
	term, p, q := started(t, Options{})
	run(t, term, p, q, "\x1b[2 q\x1b[?25la\r\nb\r\nc")
	term.render()
	for i := range term.paint.img.Pix {
		term.paint.img.Pix[i] = 7
	}
	run(t, term, p, q, "\x1b[2;1HB")
	term.render()
	h := term.paint.sheet.cellH
	line := func(y int) bool { return term.paint.img.Pix[(padding+y*h+h/2)*term.paint.img.Stride+8*padding] != 7 }
	if line(0) || !line(1) || line(2) {
		t.Errorf("painted lines: %v %v %v", line(0), line(1), line(2))
	}
}

func TestScrolledPictureIsThePaintedOne(t *testing.T) {
	term, p, q := started(t, Options{})
	run(t, term, p, q, strings.Repeat("some text 日本 here\r\n", 3)+strings.Repeat("more and \x1b[31mred\x1b[m\r\n", 25))
	term.render()
	run(t, term, p, q, "last\r\nlines\r\n")
	term.render()
	moved := append([]uint8(nil), term.paint.img.Pix...)
	term.paint.invalidate()
	term.render()
	if string(moved) != string(term.paint.img.Pix) {
		t.Error("moving the picture gives another one than painting it")
	}
}

func TestPromisedCharactersAreDrawn(t *testing.T) {
	f := testFonts(t)
	s := f.sheet(13)
	blank := func(g *glyph) bool {
		for _, v := range append(append([]uint8(nil), g.mask...), g.pix...) {
			if v != 0 {
				return false
			}
		}
		return true
	}
	box := f.missing(s, glyphKey{span: 1})
	for _, r := range "Aé⎿⏺✳✶✻✽✢·❯⠋☐☒✔●○◐▶⏵⏸─│╭╮╯╰█▌▝░\ue0b0…→" {
		g, sure := f.glyph(s, glyphKey{r: r, span: 1})
		if !sure || g == nil || blank(g) || string(g.mask) == string(box.mask) {
			t.Errorf("%c is not drawn", r)
		}
	}
	g, _ := f.glyph(s, glyphKey{r: '😀', span: 2})
	if g == nil || g.pix == nil || blank(g) {
		t.Error("😀 is not in colour")
	}
	if g, _ := f.glyph(s, glyphKey{r: '\U0001fffe', span: 2}); g == nil || g.w != 2*s.cellW {
		t.Error("what no font has is not a box of two cells")
	}
}

// TestLinesMeetWithoutASeam looks at the edges of shapes that must touch.
func TestLinesMeetWithoutASeam(t *testing.T) {
	for _, em := range []float64{11, 13, 14, 26, 31} {
		s := testFonts(t).sheet(em)
		for _, r := range "─━═┼╬█▀▄" {
			g := drawShape(s, r)
			left, right := false, false
			for y := range g.h {
				left = left || g.mask[y*g.w] == 255
				right = right || g.mask[y*g.w+g.w-1] == 255
			}
			if !left || !right {
				t.Errorf("%c at %v does not reach its edges", r, em)
			}
		}
		for _, pair := range []string{"─╮", "╭─", "─┐", "╰─", "─╯"} {
			rs := []rune(pair)
			a, b := drawShape(s, rs[0]), drawShape(s, rs[1])
			for y := range a.h {
				if (a.mask[y*a.w+a.w-1] > 200) != (b.mask[y*b.w] > 200) {
					t.Errorf("%s at %v does not join in row %d", pair, em, y)
					break
				}
			}
		}
	}
}

func TestPaletteIsReadable(t *testing.T) {
	for name, th := range map[string]Theme{"dark": DarkTheme(), "light": LightTheme()} {
		for i, c := range th.Palette {
			dim := name == "dark" && i == 0 || name == "light" && i == 15
			if r := contrast(solid(vt.RGB{R: c.R, G: c.G, B: c.B}), solid(vt.RGB{R: th.Background.R, G: th.Background.G, B: th.Background.B})); r < 4.2 && !dim {
				t.Errorf("%s colour %d has a contrast of %.1f", name, i, r)
			}
		}
	}
}

func contrast(a, b pixel) float64 {
	lum := func(p pixel) float64 {
		sum := 0.0
		for i, w := range [...]float64{0.2126, 0.7152, 0.0722} {
			v := float64(p>>(8*i)&0xff) / 255
			if v <= 0.03928 {
				v /= 12.92
			} else {
				v = math.Pow((v+0.055)/1.055, 2.4)
			}
			sum += w * v
		}
		return sum
	}
	la, lb := lum(a), lum(b)
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}
