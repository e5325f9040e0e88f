package vt

import (
	"unicode/utf8"

	"github.com/clipperhouse/displaywidth"
	"github.com/clipperhouse/uax29/v2/graphemes"
)

// class says how a rune is printed: its columns, and whether it can attach to
// an ordinary letter before it.
type class uint8

const (
	classWidth  class = 3
	classExtend class = 4 // combining: joins whatever stands before it
	classDrop   class = 8 // shown by nobody: format controls, bidi overrides
)

// classTable looks classes up, filled as scripts turn up.
type classTable struct {
	pages [0x200]*[256]class // up to U+1FFFF
}

func (t *classTable) of(r rune) class {
	switch {
	case r >= 0x4e00 && r < 0xa000, r >= 0xac00 && r < 0xd7a4, r >= 0x20000 && r < 0x3fffe:
		return 2
	case r >= 0x2500 && r < 0x25a0:
		return 1
	case r >= 0x20000:
		return classify(r)
	}
	p := t.pages[r>>8]
	if p == nil {
		p = new([256]class)
		for i := range p {
			p[i] = classify(r&^0xff | rune(i))
		}
		t.pages[r>>8] = p
	}
	return p[r&0xff]
}

func classify(r rune) class {
	if r >= 0x80 && r < 0xa0 || r == 0x2028 || r == 0x2029 || !utf8.ValidRune(r) {
		return classDrop
	}
	var buf [8]byte
	buf[0] = 'a'
	n := 1 + utf8.EncodeRune(buf[1:], r)
	adv, _, _ := graphemes.SplitFunc(buf[:n], true)
	w := class(clamp(displaywidth.Rune(r), 0, 2))
	switch {
	case adv == n:
		return w | classExtend
	case w == 0:
		return classDrop
	}
	return w
}

// opens says whether a rune may take a following one into its cluster though
// that one is no combining mark: emoji joiners, flags, Hangul letters, the
// consonants of Indic scripts. It may say so too often.
func opens(r rune) bool {
	return r >= 0x600 && r < 0x2000 || r == 0x200d || r >= 0xa800 && r < 0xac00 ||
		r >= 0xa960 && r < 0xa980 || r >= 0xd7b0 && r < 0xd800 ||
		r >= 0x10000 && r < 0x1f200
}

// expects says whether mayJoin can be true for anything after last.
func expects(last rune) bool { return last == 0x200d || hangul(last) || opens(last) }

func hangul(r rune) bool { return r >= 0xac00 && r < 0xd7a4 }

// mayJoin says whether it is worth to ask if next belongs to the cluster that
// last ends.
func mayJoin(last, next rune) bool {
	switch {
	case last == 0x200d:
		return true
	case hangul(next):
		return opens(last) && last < 0x2000
	case hangul(last):
		return next >= 0x1100 && next < 0x1200 || next >= 0xd7b0 && next < 0xd800
	}
	return opens(last) && opens(next)
}

// oneCluster says whether b is a single grapheme cluster.
func oneCluster(b []byte) bool {
	n, _, _ := graphemes.SplitFunc(b, true)
	return n == len(b)
}

func clusterWidth(b []byte) int { return clamp(displaywidth.Bytes(b), 1, 2) }
