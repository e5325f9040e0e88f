package vt

// box is a rectangle of cells, from the first to the one after the last.
type box struct{ top, left, bottom, right int }

// boxAt reads four parameters from i on, as DEC's rectangle functions have
// them: counted from 1, from the margins in origin mode, cut to the screen.
func (m *machine) boxAt(i int) (box, bool) {
	in := m.bounds()
	b := box{
		top:    min(in.top+m.count(i)-1, in.bottom),
		left:   min(in.left+m.count(i+1)-1, in.right),
		bottom: in.bottom,
		right:  in.right,
	}
	if n := m.arg(i+2, 0); n > 0 {
		b.bottom = min(in.top+n, in.bottom)
	}
	if n := m.arg(i+3, 0); n > 0 {
		b.right = min(in.left+n, in.right)
	}
	return b, b.top < b.bottom && b.left < b.right
}

// bounds is where the cursor and rectangles can be: the margins in origin
// mode, else the screen.
func (m *machine) bounds() box {
	if m.cur.origin {
		return box{m.top, m.left, m.bottom + 1, m.right + 1}
	}
	return box{0, 0, m.rows, m.cols}
}

// rectangle carries out DECFRA, DECERA, DECSERA, DECCRA, DECCARA and DECRARA.
func (m *machine) rectangle(final byte) {
	first := 0
	if final == 'x' {
		first = 1
	}
	b, ok := m.boxAt(first)
	if !ok {
		return
	}
	switch final {
	case 'v':
		m.copyRect(b)
		return
	case 'r', 't':
		m.changeRect(b, final == 't')
		return
	}
	c := m.blank()
	if final == 'x' {
		ch := m.arg(0, 0)
		if ch < 32 || ch > 126 {
			return
		}
		c = Cell{ch: uint32(ch), FG: m.cur.fg, BG: m.cur.bg, Attr: m.cur.attr}
	}
	for _, r := range m.page.rows[b.top:b.bottom] {
		if final == '{' {
			m.erase(r, b.left, b.right, true)
			continue
		}
		m.fill(r, b.left, b.right, c)
	}
}

// copyRect is DECCRA; its pages are all the one that is shown.
func (m *machine) copyRect(b box) {
	to := m.bounds()
	to.top, to.left = to.top+m.count(5)-1, to.left+m.count(6)-1
	h, w := min(b.bottom-b.top, to.bottom-to.top), min(b.right-b.left, to.right-to.left)
	if h <= 0 || w <= 0 {
		return
	}
	cells := make([]Cell, 0, h*w)
	for y := range h {
		r := m.page.rows[b.top+y]
		line := append(cells[len(cells):], r.cells[b.left:b.left+w]...)
		if line[0].Attr&attrSpacer != 0 {
			line[0] = Cell{BG: line[0].BG}
		}
		if line[w-1].Attr&attrWide != 0 {
			line[w-1] = Cell{BG: line[w-1].BG}
		}
		cells = cells[:len(cells)+w]
	}
	for y := range h {
		r := m.page.rows[to.top+y]
		m.split(r, to.left)
		m.split(r, to.left+w)
		copy(r.cells[to.left:], cells[y*w:(y+1)*w])
		r.used = max(r.used, to.left+w)
		m.touch(r)
	}
}

// changeRect is DECCARA, or DECRARA where it reverses. Unless DECSACE said
// otherwise it takes the stream of cells from the first corner to the last.
func (m *machine) changeRect(b box, reverse bool) {
	on, off := m.rectAttrs(reverse)
	if on|off == 0 {
		return
	}
	in := m.bounds()
	for y := b.top; y < b.bottom; y++ {
		x0, x1 := b.left, b.right
		if !m.rectExact {
			if y > b.top {
				x0 = in.left
			}
			if y < b.bottom-1 {
				x1 = in.right
			}
		}
		r := m.page.rows[y]
		// A wide character changes as a whole.
		if x0 > 0 && r.cells[x0].Attr&attrSpacer != 0 {
			x0--
		}
		if x1 < m.cols && r.cells[x1].Attr&attrSpacer != 0 {
			x1++
		}
		for x := x0; x < x1; x++ {
			c := &r.cells[x]
			if reverse {
				c.Attr = toggled(c.Attr, on)
			} else {
				c.Attr = c.Attr&^off | on
			}
		}
		r.used = max(r.used, x1)
		m.touch(r)
	}
}

// toggled reverses flags; an underline of any style counts as one.
func toggled(a, on Attr) Attr {
	if on&underlineMask != 0 && a&underlineMask != 0 {
		return (a ^ on&^underlineMask) &^ underlineMask
	}
	return a ^ on
}

// rectAttrs reads the attributes that DECCARA sets and clears, or that DECRARA
// reverses. Concealed is xterm's addition.
func (m *machine) rectAttrs(reverse bool) (on, off Attr) {
	const single = Attr(UnderlineSingle) << underlineShift
	set := func(a, clear Attr) { on, off = on&^clear|a, off&^a|clear }
	for i := 4; i < min(m.nparam, maxParams); i++ {
		switch m.arg(i, 0) {
		case 0:
			set(0, Bold|Blink|Inverse|Concealed|underlineMask)
			if reverse {
				on, off = Bold|Blink|Inverse|single, 0
			}
		case 1:
			set(Bold, 0)
		case 4:
			set(single, 0)
		case 5:
			set(Blink, 0)
		case 7:
			set(Inverse, 0)
		case 8:
			set(Concealed, 0)
		case 22:
			set(0, Bold)
		case 24:
			set(0, underlineMask)
		case 25:
			set(0, Blink)
		case 27:
			set(0, Inverse)
		case 28:
			set(0, Concealed)
		}
	}
	return on, off
}

// checksum is DECRQCRA: the negated sum of the characters of a rectangle, as
// xterm counts it without attributes. Only for a test.
func (m *machine) checksum() {
	id := m.arg(0, 0)
	b, ok := m.boxAt(2)
	sum := 0
	for y := b.top; ok && y < b.bottom; y++ {
		for _, c := range m.page.rows[y].cells[b.left:b.right] {
			switch r, single := c.Rune(); {
			case !single || c.Attr&attrSpacer != 0:
			case r != 0:
				sum += int(r)
			}
		}
	}
	m.answerf("\x1bP%d!~%04X\x1b\\", id, -sum&0xffff)
}
