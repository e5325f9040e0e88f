package vt

import (
	"bytes"
	"unicode/utf8"
)

// printASCII writes printable ASCII, as much of a line at a time as fits.
func (m *machine) printASCII(b []byte) {
	if m.modes.has(modeInsert) || m.cur.charset[m.cur.gl] != 'B' || m.cur.single != 0 {
		for _, c := range b {
			m.print(rune(c))
		}
		return
	}
	m.last = Cell{ch: uint32(b[len(b)-1]), FG: m.cur.fg, BG: m.cur.bg, Attr: m.cur.attr}
	for len(b) > 0 {
		if m.cur.wrap && m.modes.has(modeAutowrap) {
			m.wrapLine()
		}
		r := m.page.rows[m.cur.y]
		x := m.cur.x
		edge := m.edge(x)
		n := min(len(b), edge+1-x)
		if r.used > x {
			m.split(r, x)
			m.split(r, x+n)
		}
		fg, bg, at := m.cur.fg, m.cur.bg, m.cur.attr
		dst := r.cells[x : x+n]
		src := b[:len(dst)]
		for i, c := range src {
			dst[i] = Cell{ch: uint32(c), FG: fg, BG: bg, Attr: at}
		}
		if n < len(b) && !m.modes.has(modeAutowrap) {
			// All that goes past the edge is written over itself there.
			dst[n-1].ch = uint32(b[len(b)-1])
			b = b[:n]
		}
		if x+n > r.used {
			r.used = x + n
		}
		m.seq++
		r.seq = m.seq
		m.advance(x+n, edge)
		b = b[n:]
	}
	m.join = spot{x: m.cur.x, y: m.cur.y, wrap: m.cur.wrap, last: ' ', ok: true}
}

// advance puts the cursor behind what was written up to x.
func (m *machine) advance(x, edge int) {
	if x > edge {
		m.cur.x, m.cur.wrap = edge, true
		return
	}
	m.cur.x, m.cur.wrap = x, false
}

// wrapLine goes to the next line because text ran over.
func (m *machine) wrapLine() {
	r := m.row()
	r.wrapped = true
	m.touch(r)
	m.index()
	if m.cur.x >= m.left {
		m.cur.x = m.left
	} else {
		m.cur.x = 0
	}
}

// print writes one rune, joining it to the cluster before it where they
// belong together.
func (m *machine) print(r rune) {
	if r < 0x80 {
		r = m.translate(r)
	}
	width := 1
	if r >= 0x80 {
		c := m.classes.of(r)
		if c&classDrop != 0 {
			return
		}
		width = int(c & classWidth)
		if (c&classExtend != 0 || width == 0 || m.join.open) && m.tryJoin(r, c) {
			return
		}
		if width == 0 {
			return
		}
	}
	m.putCell(Cell{ch: uint32(r), FG: m.cur.fg, BG: m.cur.bg, Attr: m.cur.attr}, width)
	m.join = spot{x: m.cur.x, y: m.cur.y, wrap: m.cur.wrap, last: r, ok: true, open: r >= 0x600 && expects(r)}
}

// putCell writes a cell of one or two columns at the cursor.
func (m *machine) putCell(c Cell, width int) {
	m.last = c
	if m.cols < 2 {
		width = 1
	}
	if m.cur.wrap && m.modes.has(modeAutowrap) {
		m.wrapLine()
	}
	edge := m.edge(m.cur.x)
	if width == 2 && m.cur.x == edge {
		if !m.modes.has(modeAutowrap) || edge == m.left {
			m.cur.x = max(edge-1, 0)
		} else {
			m.erase(m.row(), edge, edge+1, false)
			m.wrapLine()
			edge = m.edge(m.cur.x)
		}
	}
	if m.modes.has(modeInsert) && m.cur.x >= m.left && m.cur.x <= m.right {
		m.insertCells(m.cur.x, width)
	}
	r, x := m.row(), m.cur.x
	if x < r.used {
		m.split(r, x)
		m.split(r, x+width)
	}
	if width == 2 && x+1 < m.cols {
		c.Attr |= attrWide
		r.cells[x+1] = Cell{FG: c.FG, BG: c.BG, Attr: c.Attr&^attrWide | attrSpacer}
	}
	r.cells[x] = c
	r.used = max(r.used, min(x+width, m.cols))
	m.touch(r)
	m.advance(x+width, edge)
}

// before returns the line and column of the character left of the cursor.
func (m *machine) before() (*row, int) {
	r, x := m.row(), m.cur.x
	if !m.cur.wrap {
		x--
	}
	if x > 0 && r.cells[x].Attr&attrSpacer != 0 {
		x--
	}
	if x < 0 || r.cells[x].ch == 0 {
		return nil, 0
	}
	return r, x
}

// tryJoin adds a rune to the cluster before the cursor where it belongs to
// it. It is true also for a mark that is taken and lost: one with nothing to
// stand on.
func (m *machine) tryJoin(r rune, c class) bool {
	moved := !m.join.ok || m.join.x != m.cur.x || m.join.y != m.cur.y || m.join.wrap != m.cur.wrap
	extend := c&classExtend != 0
	if !m.modes.has(modeGraphemes) {
		if c&classWidth != 0 {
			return false
		}
	} else if !extend && (moved || !mayJoin(m.join.last, r)) {
		return false
	}
	row, x := m.before()
	if row == nil {
		return c&classWidth == 0
	}
	cell := &row.cells[x]
	m.scratch = m.appendText(m.scratch[:0], *cell)
	m.scratch = utf8.AppendRune(m.scratch, r)
	if !extend && !oneCluster(m.scratch) {
		return false
	}
	m.join.last, m.join.open = r, expects(r)
	if len(m.scratch) > maxClusterBytes {
		return true
	}
	ch, ok := m.cluster(m.scratch)
	if !ok {
		return true
	}
	cell.ch = ch
	m.touch(row)
	if m.modes.has(modeGraphemes) && clusterWidth(m.scratch) == 2 && cell.Attr&attrWide == 0 {
		m.widen(row, x)
	}
	m.last = *cell
	m.last.Attr &^= attrWide
	return true
}

// widen gives a character a second column because what joined it (a variation
// selector, a second flag letter) says so. At the edge it stays narrow.
func (m *machine) widen(r *row, x int) {
	edge := m.edge(x)
	if x+1 > edge {
		return
	}
	m.split(r, x+2)
	c := &r.cells[x]
	c.Attr |= attrWide
	r.cells[x+1] = Cell{FG: c.FG, BG: c.BG, Attr: c.Attr&^attrWide | attrSpacer}
	r.used = max(r.used, x+2)
	if !m.cur.wrap && m.cur.x == x+1 {
		m.advance(x+2, edge)
		m.join.x, m.join.wrap = m.cur.x, m.cur.wrap
	}
}

// repeat is REP.
func (m *machine) repeat(n int) {
	if m.last.ch == 0 {
		return
	}
	c, width := m.last, 1
	if c.ch >= 0x80 {
		m.scratch = m.appendText(m.scratch[:0], c)
		width = clusterWidth(m.scratch)
	}
	c.FG, c.BG, c.Attr = m.cur.fg, m.cur.bg, m.cur.attr
	n = min(n, m.cols*m.rows)
	if c.ch < 0x80 && !m.modes.has(modeInsert) {
		m.scratch = append(m.scratch[:0], bytes.Repeat([]byte{byte(c.ch)}, min(n, m.cols))...)
		for ; n > 0; n -= m.cols {
			m.printASCII(m.scratch[:min(n, m.cols)])
		}
	}
	for ; n > 0; n-- {
		m.putCell(c, width)
	}
	m.join.ok, m.last.ch = false, 0
}

// appendText appends what a cell holds as UTF-8.
func (m *machine) appendText(b []byte, c Cell) []byte {
	switch {
	case c.ch == 0:
		return append(b, ' ')
	case c.ch&clusterBit != 0:
		return append(b, m.clusters.text(c.ch)...)
	}
	return utf8.AppendRune(b, rune(c.ch))
}

// translate applies a character set to an ASCII character, and forgets a
// single shift.
func (m *machine) translate(r rune) rune {
	set := m.cur.charset[m.cur.gl]
	if m.cur.single != 0 {
		set = m.cur.charset[m.cur.single]
		m.cur.single = 0
	}
	switch {
	case set == '0' && r >= '_' && r <= '~':
		return graphics[r-'_']
	case set == 'A' && r == '#':
		return '£'
	}
	return r
}

// graphics is the DEC special graphics set from '_' on (VT100 user guide,
// table 3-9).
var graphics = [...]rune{
	' ', '◆', '▒', '␉', '␌', '␍', '␊', '°', '±', '␤', '␋', '┘', '┐', '┌', '└', '┼',
	'⎺', '⎻', '─', '⎼', '⎽', '├', '┤', '┴', '┬', '│', '≤', '≥', 'π', '≠', '£', '·',
}
