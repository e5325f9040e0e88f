package vt

import "strconv"

// sgr is SGR: colours and attributes of the pen.
func (m *machine) sgr() {
	if m.nparam == 0 {
		m.resetPen()
		return
	}
	n := min(m.nparam, maxParams)
	for i := 0; i < n; {
		end := i + 1
		for end < n && m.subs&(1<<end) != 0 {
			end++
		}
		i = m.sgrItem(i, end, n)
	}
}

func (m *machine) resetPen() {
	m.cur.fg, m.cur.bg = 0, 0
	m.cur.attr &= Protected | extraMask
	m.setUnderlineColor(0)
}

// sgrItem takes the parameter at i with its sub-parameters up to end, and
// returns where the next one starts.
func (m *machine) sgrItem(i, end, n int) int {
	v := m.arg(i, 0)
	switch v {
	case 38, 48, 58:
		c, next, ok := m.sgrColor(i, end, n)
		if ok {
			switch v {
			case 38:
				m.cur.fg = c
			case 48:
				m.cur.bg = c
			case 58:
				m.setUnderlineColor(c)
			}
		}
		return next
	case 4:
		u := UnderlineSingle
		if end > i+1 {
			u = Underline(min(m.arg(i+1, 1), 99))
		}
		if u <= UnderlineDashed {
			m.cur.attr = m.cur.attr.withUnderline(u)
		}
	default:
		if end == i+1 {
			m.sgrPlain(v)
		}
	}
	return end
}

var sgrAttrs = [10]Attr{1: Bold, 2: Faint, 3: Italic, 5: Blink, 6: Blink, 7: Inverse, 8: Concealed, 9: Strike}

func (m *machine) sgrPlain(v int) {
	a := &m.cur.attr
	switch {
	case v == 0:
		m.resetPen()
	case v >= 1 && v <= 9 && v != 4:
		*a |= sgrAttrs[v]
	case v == 21:
		*a = a.withUnderline(UnderlineDouble)
	case v == 22:
		*a &^= Bold | Faint
	case v == 24:
		*a = a.withUnderline(UnderlineNone)
	case v >= 23 && v <= 29 && v != 26:
		*a &^= sgrAttrs[v-20]
	case v >= 30 && v <= 37:
		m.cur.fg = PaletteColor(uint8(v - 30))
	case v == 39:
		m.cur.fg = 0
	case v >= 40 && v <= 47:
		m.cur.bg = PaletteColor(uint8(v - 40))
	case v == 49:
		m.cur.bg = 0
	case v == 53:
		*a |= Overline
	case v == 55:
		*a &^= Overline
	case v == 59:
		m.setUnderlineColor(0)
	case v >= 90 && v <= 97:
		m.cur.fg = PaletteColor(uint8(v - 90 + 8))
	case v >= 100 && v <= 107:
		m.cur.bg = PaletteColor(uint8(v - 100 + 8))
	}
}

// sgrColor reads 5;n and 2;r;g;b after a 38, 48 or 58, with colons too; with
// these a colour space may stand before the red.
func (m *machine) sgrColor(i, end, n int) (c Color, next int, ok bool) {
	colon := end > i+1
	if !colon {
		end = n
	}
	kind := m.arg(i+1, -1)
	if i+1 >= end {
		return 0, end, false
	}
	switch kind {
	case 5:
		next = min(i+3, end)
		if colon {
			next = end
		}
		v := m.arg(i+2, 0)
		return PaletteColor(uint8(v)), next, i+2 < end && v < 256
	case 2:
		at := i + 2
		if colon && end-i > 5 {
			at++
		}
		next = min(at+3, end)
		if colon {
			next = end
		}
		if at+3 > end {
			return 0, next, false
		}
		r, g, b := m.arg(at, 0), m.arg(at+1, 0), m.arg(at+2, 0)
		return RGBColor(uint8(r), uint8(g), uint8(b)), next, r < 256 && g < 256 && b < 256
	}
	if colon {
		return 0, end, false
	}
	return 0, i + 2, false
}

func (m *machine) setUnderlineColor(c Color) {
	x := m.extraOf(m.cur.attr)
	if x.underline == c {
		return
	}
	x.underline = c
	m.cur.attr = m.withExtra(m.cur.attr, x)
}

// appendSGR appends the parameters that make a pen from a reset one, each
// after a semicolon.
func appendSGR(b []byte, fg, bg, ul Color, a Attr) []byte {
	for i, n := range [...]int{1, 2, 3, 5, 7, 8, 9, 53} {
		if a&(1<<i) != 0 {
			b = append(b, ';')
			b = strconv.AppendInt(b, int64(n), 10)
		}
	}
	switch u := a.Underline(); u {
	case UnderlineNone:
	case UnderlineSingle:
		b = append(b, ";4"...)
	default:
		b = append(b, ";4:"...)
		b = append(b, '0'+byte(u))
	}
	b = appendColor(b, fg, 30)
	b = appendColor(b, bg, 40)
	return appendColor(b, ul, 50)
}

// appendColor appends a colour; base is 30, 40 or 50 (underline).
func appendColor(b []byte, c Color, base int64) []byte {
	if i, ok := c.Palette(); ok {
		b = append(b, ';')
		switch {
		case i < 8 && base < 50:
			return strconv.AppendInt(b, base+int64(i), 10)
		case i < 16 && base < 50:
			return strconv.AppendInt(b, base+52+int64(i), 10)
		case base == 50:
			return strconv.AppendInt(append(b, "58:5:"...), int64(i), 10)
		}
		b = strconv.AppendInt(b, base+8, 10)
		return strconv.AppendInt(append(b, ";5;"...), int64(i), 10)
	}
	r, g, bl, ok := c.RGB()
	if !ok {
		return b
	}
	b = append(b, ';')
	b = strconv.AppendInt(b, base+8, 10)
	sep := byte(';')
	if base == 50 {
		b = append(b, ":2:"...)
		sep = ':'
	} else {
		b = append(b, ";2"...)
	}
	for _, v := range [...]uint8{r, g, bl} {
		b = append(b, sep)
		b = strconv.AppendInt(b, int64(v), 10)
	}
	return b
}
