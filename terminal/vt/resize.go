package vt

// resize changes the grid's size.
func (m *machine) resize(cols, rows int) {
	cols, rows = clamp(cols, 1, maxCols), clamp(rows, 1, maxRows)
	if cols == m.cols && rows == m.rows {
		return
	}
	at := &m.cur
	if m.page == &m.alt {
		at = &m.main.saved
		m.clampCursor(at)
	}
	if cols != m.cols {
		m.reflow(cols, rows, at)
	} else {
		m.restack(rows, at)
	}
	alt := &m.cur
	if m.page == &m.main {
		alt = &m.alt.saved
		m.clampCursor(alt)
	}
	m.crop(cols, rows, alt)
	m.sized(cols, rows)
}

// sized brings all else in line with a new size.
func (m *machine) sized(cols, rows int) {
	old := m.tabs
	m.cols, m.rows = cols, rows
	m.resetTabs()
	copy(m.tabs, old)
	m.top, m.bottom, m.left, m.right = 0, rows-1, 0, cols-1
	for _, c := range []*cursor{&m.cur, &m.main.saved, &m.alt.saved} {
		m.clampCursor(c)
	}
	m.shadow.on = false
	m.join.ok = false
	m.epoch++
	m.seq++
	m.reportSize()
}

func (m *machine) clampCursor(c *cursor) {
	c.x, c.y = clamp(c.x, 0, m.cols-1), clamp(c.y, 0, m.rows-1)
	c.wrap = c.wrap && c.x == m.cols-1
}

// lastLine is the last line of the main screen worth keeping: with text, or
// with the cursor.
func (m *machine) lastLine(at *cursor) int {
	y := m.rows - 1
	for y > at.y && m.main.rows[y].used == 0 {
		y--
	}
	return y
}

// restack changes the number of lines of the main screen: empty ones below
// the text go first, then those at the top, into the scrollback; a taller
// screen takes them back from there.
func (m *machine) restack(rows int, at *cursor) {
	p := &m.main
	if drop := m.rows - rows; drop > 0 {
		below := min(drop, m.rows-1-m.lastLine(at))
		p.rows = p.rows[:m.rows-below]
		for range drop - below {
			m.hist.push(p.rows[0])
			p.rows = p.rows[1:]
			at.y--
		}
		at.y = max(at.y, 0)
		p.rows = append([]*row(nil), p.rows...)
		return
	}
	need := rows - m.rows
	var back []*row
	for len(back) < need {
		r := &row{cells: make([]Cell, m.cols)}
		if !m.hist.pop(r) {
			break
		}
		m.touch(r)
		back = append(back, r)
	}
	for i, j := 0, len(back)-1; i < j; i, j = i+1, j-1 {
		back[i], back[j] = back[j], back[i]
	}
	at.y += len(back)
	p.rows = append(back, p.rows...)
	p.rows = append(p.rows, m.newRows(rows-len(p.rows))...)
}

// pop takes the newest line back into r.
func (h *history) pop(r *row) bool {
	if h.count == 0 {
		return false
	}
	cells, ref := h.line(h.next()-1, nil)
	copy(r.cells, cells)
	r.used = min(len(cells), len(r.cells))
	r.wrapped, r.prompt = ref.flags&refWrapped != 0, ref.flags&refPrompt != 0
	h.count--
	s := &h.slabs[ref.slab-h.base]
	s.b = s.b[:ref.off]
	// Slabs behind the newest line's go; an empty one may still be that of
	// lines without text.
	used := 0
	if newest, ok := h.ref(h.next() - 1); ok {
		used = int(newest.slab-h.base) + 1
	}
	clear(h.slabs[used:])
	h.slabs = h.slabs[:used]
	return true
}

// crop cuts or extends the alternate screen, which is never wrapped anew: the
// program that owns it draws it again. The line with the cursor stays.
func (m *machine) crop(cols, rows int, at *cursor) {
	p := &m.alt
	if over := at.y - (rows - 1); over > 0 {
		p.rows = p.rows[over:]
		at.y -= over
	}
	p.rows = append([]*row(nil), p.rows[:min(len(p.rows), rows)]...)
	for _, r := range p.rows {
		if cols == m.cols {
			break
		}
		cells := make([]Cell, cols)
		copy(cells, r.cells)
		if cells[cols-1].Attr&attrWide != 0 {
			cells[cols-1] = Cell{BG: cells[cols-1].BG}
		}
		r.cells, r.used, r.wrapped = cells, min(r.used, cols), false
		m.touch(r)
	}
	for len(p.rows) < rows {
		r := &row{cells: make([]Cell, cols)}
		m.touch(r)
		p.rows = append(p.rows, r)
	}
}

// flow writes logical lines into rows of a new width. Finished rows wait in
// last, as many as the screen has; older ones go to the new scrollback.
type flow struct {
	m          *machine
	cols, rows int
	hist       history
	last       []*row
	row        *row
	n          int // columns of row written
	done       int // rows finished
	cursorRow  int // -1 until the cursor was met
	cursorCol  int
	gap        bool // the last line ended in an empty column
	full       bool // no more rows fit without losing the cursor's
}

// reflow wraps the main screen and its scrollback for a new width.
func (m *machine) reflow(cols, rows int, at *cursor) {
	f := &flow{m: m, cols: cols, rows: rows, cursorRow: -1}
	f.hist.init(m.hist.max)
	f.hist.first = m.hist.first
	f.open(false)
	var buf []Cell
	for n := m.hist.first; n < m.hist.next(); n++ {
		cells, ref := m.hist.line(n, buf[:0])
		buf = cells
		f.line(cells, m.cols, -1, ref.flags&refWrapped != 0, ref.flags&refPrompt != 0)
	}
	end := m.lastLine(at)
	for y, r := range m.main.rows[:end+1] {
		x := -1
		if y == at.y {
			x = at.x
			if at.wrap {
				x++
			}
		}
		f.line(r.cells[:r.used], m.cols, x, r.wrapped && y < end, r.prompt)
	}
	m.hist = f.hist
	m.main.rows = f.last
	for len(m.main.rows) < rows {
		r := &row{cells: make([]Cell, cols)}
		m.touch(r)
		m.main.rows = append(m.main.rows, r)
	}
	at.y = clamp(f.cursorRow-(f.done-len(f.last)), 0, rows-1)
	at.x = min(f.cursorCol, cols-1)
	at.wrap = f.cursorCol >= cols
}

// line adds one old row: its cells, the width that it had, the cursor's
// column in it or -1.
func (f *flow) line(cells []Cell, width, cursor int, wrapped, prompt bool) {
	if prompt && f.n == 0 {
		f.row.prompt = true
	}
	gap := false
	if wrapped {
		for len(cells) < width {
			cells = append(cells[:len(cells):len(cells)], Cell{})
		}
		// A wide character that did not fit left a column empty; whether it
		// was one shows the next line.
		if cells[width-1].empty() && cursor < width-1 {
			cells, gap = cells[:width-1], true
		}
	}
	if f.gap && len(cells) > 0 && cells[0].Attr&attrWide == 0 {
		f.cell(Cell{})
	}
	f.gap = gap
	for x, c := range cells {
		if x == cursor {
			f.mark(0)
		}
		if c.Attr&attrSpacer == 0 {
			f.cell(c)
		}
	}
	if cursor >= len(cells) {
		f.mark(cursor - len(cells))
	}
	if !wrapped {
		f.close(false)
	}
}

// mark notes that the cursor is ahead columns after what is written.
func (f *flow) mark(ahead int) {
	f.cursorRow, f.cursorCol = f.done, f.n+ahead
	if f.cursorCol > f.cols {
		f.cursorCol = f.cols - 1
	}
}

func (f *flow) cell(c Cell) {
	w := c.Width()
	if w > f.cols {
		c, w = Cell{BG: c.BG}, 1
	}
	if f.n+w > f.cols {
		at := f.cursorRow == f.done && f.cursorCol >= f.n
		f.close(true)
		if at {
			f.cursorRow, f.cursorCol = f.done, 0
		}
	}
	f.row.cells[f.n] = c
	if w == 2 {
		f.row.cells[f.n+1] = Cell{FG: c.FG, BG: c.BG, Attr: c.Attr&^attrWide | attrSpacer}
	}
	f.n += w
	if !c.empty() {
		f.row.used = f.n
	}
}

// close finishes the row that is written and opens the next.
func (f *flow) close(wrapped bool) {
	f.row.wrapped = wrapped
	f.m.touch(f.row)
	if len(f.last) == f.rows {
		oldest := f.done - len(f.last)
		if f.cursorRow >= 0 && oldest >= f.cursorRow {
			f.full = true
		}
	}
	var reuse *row
	switch {
	case f.full:
		reuse = f.row
	case len(f.last) == f.rows:
		reuse = f.last[0]
		f.hist.push(reuse)
		copy(f.last, f.last[1:])
		f.last[f.rows-1] = f.row
		f.done++
	default:
		f.last = append(f.last, f.row)
		f.done++
	}
	f.row, f.n = reuse, 0
	f.open(true)
}

func (f *flow) open(wipe bool) {
	if f.row == nil {
		f.row = &row{cells: make([]Cell, f.cols)}
		return
	}
	if wipe {
		f.m.wipe(f.row)
	}
}
