package vt

import "fmt"

// AppendRedraw appends bytes that rebuild the screen, modes and title in
// another terminal of the same size, which it resets first.
func (t *Terminal) AppendRedraw(dst []byte) []byte { return t.AppendReplay(dst, 0) }

// AppendReplay is AppendRedraw with the last lines of the scrollback, at most
// history of them, before the screen.
func (t *Terminal) AppendReplay(dst []byte, history int) []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := &drawer{m: &t.machine, b: append(dst, "\x1bc"...)}
	w.main(history)
	if t.page == &t.alt {
		w.alternate()
	}
	w.state()
	return w.b
}

// drawer writes cells as text and plain sequences, and knows the pen that the
// other side has.
type drawer struct {
	m   *machine
	b   []byte
	pen Cell // FG, BG and Attr count
}

const penMask = sgrMask | Protected | extraMask

// style changes the pen where it differs.
func (w *drawer) style(c Cell) {
	a, p := c.Attr&penMask, w.pen.Attr
	if c.FG == w.pen.FG && c.BG == w.pen.BG && a == p {
		return
	}
	x, px := w.m.extraOf(a), w.m.extraOf(p)
	if c.FG != w.pen.FG || c.BG != w.pen.BG || a&sgrMask != p&sgrMask || x.underline != px.underline {
		w.b = append(w.b, "\x1b[0"...)
		w.b = appendSGR(w.b, c.FG, c.BG, x.underline, a)
		w.b = append(w.b, 'm')
	}
	if (a^p)&Protected != 0 {
		w.b = fmt.Appendf(w.b, "\x1b[%d\"q", a&Protected/Protected)
	}
	if x.link != px.link {
		l := w.m.extras.uris[x.link]
		id := ""
		if l.id != "" {
			id = "id=" + l.id
		}
		w.b = fmt.Appendf(w.b, "\x1b]8;%s;%s\x1b\\", id, l.uri)
	}
	w.pen = Cell{FG: c.FG, BG: c.BG, Attr: a}
}

// cells writes the columns of a line. A wrapped line is written to its end,
// so that what follows runs over as it did; the column that a wide character
// left empty there fills itself again.
func (w *drawer) cells(cells []Cell, wrapped, wideNext bool) {
	n := len(cells)
	for !wrapped && n > 0 && cells[n-1].empty() {
		n--
	}
	if wrapped && wideNext && cells[n-1].empty() {
		n--
	}
	for _, c := range cells[:n] {
		if c.Attr&attrSpacer != 0 {
			continue
		}
		w.style(c)
		w.b = w.m.appendText(w.b, c)
	}
}

// line writes a line and the way to the next one.
func (w *drawer) line(cells []Cell, wrapped, wideNext, last bool) {
	w.cells(cells, wrapped, wideNext)
	if !wrapped && !last {
		w.style(Cell{})
		w.b = append(w.b, "\r\n"...)
	}
}

func (w *drawer) main(history int) {
	m := w.m
	var buf, ahead []Cell
	wide := func(n int) bool {
		if n >= m.hist.next() {
			return m.main.rows[0].cells[0].Attr&attrWide != 0
		}
		ahead, _ = m.hist.line(n, ahead[:0])
		return len(ahead) > 0 && ahead[0].Attr&attrWide != 0
	}
	for n := max(m.hist.next()-max(history, 0), m.hist.first); n < m.hist.next(); n++ {
		cells, ref := m.hist.line(n, buf[:0])
		for len(cells) < m.cols {
			cells = append(cells, Cell{})
		}
		buf = cells
		wrapped := ref.flags&refWrapped != 0
		w.line(cells, wrapped, wrapped && wide(n+1), false)
	}
	for y, r := range m.main.rows {
		wrapped, wideNext := overflow(m.main.rows, y)
		w.line(r.cells, wrapped, wideNext, y == m.rows-1)
	}
	w.style(Cell{})
}

// overflow says whether line y runs on into the next one, and whether that
// begins with a wide character.
func overflow(rows []*row, y int) (wrapped, wideNext bool) {
	if y == len(rows)-1 || !rows[y].wrapped {
		return false, false
	}
	return true, rows[y+1].cells[0].Attr&attrWide != 0
}

func (w *drawer) alternate() {
	m := w.m
	w.kitty(&m.main.kitty)
	w.cursor(m.main.saved)
	w.b = append(w.b, "\x1b[?1049h"...)
	w.resetPen()
	for y, r := range m.alt.rows {
		if y == 0 || !m.alt.rows[y-1].wrapped {
			w.b = fmt.Appendf(w.b, "\x1b[%dH", y+1)
		}
		wrapped, wideNext := overflow(m.alt.rows, y)
		w.cells(r.cells, wrapped, wideNext)
	}
	w.style(Cell{})
}

// resetPen takes the other side's pen back to the start, whatever it was.
func (w *drawer) resetPen() {
	w.b = append(w.b, "\x1b[0m\x1b[0\"q\x1b]8;;\x1b\\\x1b(B\x1b)B\x1b*B\x1b+B\x0f"...)
	w.pen = Cell{}
}

func (w *drawer) kitty(k *kittyStack) {
	for _, f := range k.list[:k.n] {
		w.b = fmt.Appendf(w.b, "\x1b[>%du", f)
	}
}

// cursor brings position, pen and character sets to those of c; it needs the
// other side's origin mode to be off.
func (w *drawer) cursor(c cursor) {
	w.b = fmt.Appendf(w.b, "\x1b[%d;%dH", c.y+1, c.x+1)
	w.penOf(c)
}

func (w *drawer) penOf(c cursor) {
	w.style(Cell{FG: c.fg, BG: c.bg, Attr: c.attr})
	for g, set := range c.charset {
		w.b = append(w.b, 0x1b, "()*+"[g], set)
	}
	w.b = append(w.b, [...]string{"\x0f", "\x0e", "\x1bn", "\x1bo"}[c.gl]...)
}

// state writes all but the cells: title, colours, tabs, modes, margins and at
// last the cursor.
func (w *drawer) state() {
	m := w.m
	if m.title != "" {
		w.b = append(append(append(w.b, "\x1b]2;"...), m.title...), "\x1b\\"...)
	}
	for i, c := range m.palette {
		w.b = fmt.Appendf(w.b, "\x1b]4;%d;%s\x1b\\", i, c.spec())
	}
	for i, c := range m.dynamic {
		if c != nil {
			w.b = fmt.Appendf(w.b, "\x1b]%d;%s\x1b\\", 10+i, c.spec())
		}
	}
	w.tabs()
	if m.page == &m.main || m.main.saved != m.alt.saved {
		w.savedCursor()
	}
	w.switches()
	w.kitty(&m.page.kitty)
	if m.other != 0 {
		w.b = fmt.Appendf(w.b, "\x1b[>4;%dm", m.other)
	}
	n := 2 * (int(m.shape) + 1)
	if m.blink {
		n--
	}
	w.b = fmt.Appendf(w.b, "\x1b[%d q\x1b[%d;%dr", n, m.top+1, m.bottom+1)
	if m.modes.has(modeLeftRight) {
		w.b = fmt.Appendf(w.b, "\x1b[?69h\x1b[%d;%ds", m.left+1, m.right+1)
	}
	w.finalCursor()
	if m.modes.has(modeInsert) {
		w.b = append(w.b, "\x1b[4h"...)
	}
	if !m.modes.has(modeAutowrap) {
		w.b = append(w.b, "\x1b[?7l"...)
	}
}

// savedCursor recreates what DECSC saved on the page that is shown.
func (w *drawer) savedCursor() {
	s := w.m.page.saved
	if s == freshCursor() {
		return
	}
	if s.origin {
		w.b = append(w.b, "\x1b[?6h"...)
	}
	w.cursor(s)
	w.b = append(w.b, "\x1b7"...)
	if s.origin {
		w.b = append(w.b, "\x1b[?6l"...)
	}
	w.resetPen()
}

func (w *drawer) tabs() {
	plain := true
	for i, set := range w.m.tabs {
		plain = plain && set == (i > 0 && i%8 == 0)
	}
	if plain {
		return
	}
	w.b = append(w.b, "\x1b[3g"...)
	for i, set := range w.m.tabs {
		if set {
			w.b = fmt.Appendf(w.b, "\x1b[%dG\x1bH", i+1)
		}
	}
}

// switches writes the modes that are not as at the start and that do not move
// the cursor.
func (w *drawer) switches() {
	m := w.m
	for _, n := range [...]int{1, 4, 5, 8, 12, 25, 40, 45, 66, 67, 95, 1004, 1007, 1036, 2004, 2027, 2031} {
		b := privateBits[n]
		if on := m.modes.has(b); on != startModes.has(b) {
			w.b = fmt.Appendf(w.b, "\x1b[?%d%c", n, "lh"[btoi(on)])
		}
	}
	if m.modes.has(modeNewLine) {
		w.b = append(w.b, "\x1b[20h"...)
	}
	if n := [...]int{0, 9, 1000, 1002, 1003}[m.mouse]; n > 0 {
		w.b = fmt.Appendf(w.b, "\x1b[?%dh", n)
	}
	if n := [...]int{0, 1005, 1006, 1015, 1016}[m.mouseEnc]; n > 0 {
		w.b = fmt.Appendf(w.b, "\x1b[?%dh", n)
	}
}

// finalCursor puts the cursor where it is; one that waits to wrap gets there
// by writing its column again.
func (w *drawer) finalCursor() {
	m, c := w.m, w.m.cur
	y, x := c.y, c.x
	if c.origin {
		w.b = append(w.b, "\x1b[?6h"...)
		y, x = y-m.top, x-m.left
	}
	if c.wrap {
		cell := m.row().cells[c.x]
		if cell.Attr&attrSpacer != 0 {
			x--
			cell = m.row().cells[c.x-1]
		}
		w.b = fmt.Appendf(w.b, "\x1b[%d;%dH", y+1, x+1)
		w.style(cell)
		w.b = m.appendText(w.b, cell)
	} else {
		w.b = fmt.Appendf(w.b, "\x1b[%d;%dH", y+1, x+1)
	}
	w.penOf(c)
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
