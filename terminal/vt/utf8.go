package vt

import "unicode/utf8"

// startRune begins a character that is not whole in this write, or malformed.
// Each longest part that could have begun a character becomes one U+FFFD.
func (m *machine) startRune(c byte) {
	m.lo, m.hi = 0x80, 0xbf
	switch {
	case c >= 0xc2 && c <= 0xdf:
		m.need, m.acc = 1, rune(c&0x1f)
	case c >= 0xe0 && c <= 0xef:
		m.need, m.acc = 2, rune(c&0x0f)
		if c == 0xe0 {
			m.lo = 0xa0
		} else if c == 0xed {
			m.hi = 0x9f
		}
	case c >= 0xf0 && c <= 0xf4:
		m.need, m.acc = 3, rune(c&0x07)
		if c == 0xf0 {
			m.lo = 0x90
		} else if c == 0xf4 {
			m.hi = 0x8f
		}
	default:
		m.print(utf8.RuneError)
	}
}

// continueRune takes the next byte of a character and returns how many bytes
// it used: 0 where c begins something new.
func (m *machine) continueRune(c byte) int {
	if c < m.lo || c > m.hi {
		m.need = 0
		m.print(utf8.RuneError)
		return 0
	}
	m.lo, m.hi = 0x80, 0xbf
	m.acc = m.acc<<6 | rune(c&0x3f)
	if m.need--; m.need == 0 {
		m.print(m.acc)
	}
	return 1
}
