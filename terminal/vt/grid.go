package vt

// blank is what erasing leaves: nothing, in the background of the pen.
func (m *machine) blank() Cell { return Cell{BG: m.cur.bg} }

// fill writes c into the columns from x0 up to x1 of a line, and repairs wide
// characters of which it takes one half.
func (m *machine) fill(r *row, x0, x1 int, c Cell) {
	if x0 >= x1 {
		return
	}
	m.split(r, x0)
	m.split(r, x1)
	if c.empty() {
		if x0 < r.used {
			clear(r.cells[x0:min(x1, r.used)])
		}
		if x1 >= r.used {
			r.used = min(r.used, x0)
		}
	} else {
		part := r.cells[x0:x1]
		for i := range part {
			part[i] = c
		}
		r.used = max(r.used, x1)
	}
	if x1 == m.cols {
		r.wrapped = false
	}
	m.touch(r)
}

// split blanks a wide character that lies across the left edge of column x.
func (m *machine) split(r *row, x int) {
	if x <= 0 || x >= m.cols || r.cells[x].Attr&attrSpacer == 0 {
		return
	}
	r.cells[x-1] = Cell{BG: r.cells[x-1].BG}
	r.cells[x] = Cell{BG: r.cells[x].BG}
	m.touch(r)
}

// erase is fill with the pen's blank; selective spares protected cells.
func (m *machine) erase(r *row, x0, x1 int, selective bool) {
	if !selective {
		m.fill(r, x0, x1, m.blank())
		return
	}
	if x0 > 0 && r.cells[x0].Attr&attrSpacer != 0 {
		x0-- // the other half goes too
	}
	for x := x0; x < x1; x++ {
		if c := r.cells[x]; c.Attr&Protected == 0 && c.Attr&attrSpacer == 0 && !c.empty() {
			m.fill(r, x, min(x+c.Width(), m.cols), m.blank())
		}
	}
}

func (m *machine) row() *row { return m.page.rows[m.cur.y] }

// index moves down a line, and scrolls the region at its bottom.
func (m *machine) index() {
	m.cur.wrap = false
	if m.cur.y == m.bottom {
		if m.cur.x >= m.left && m.cur.x <= m.right {
			m.scrollUp(m.top, m.bottom, 1, true)
		}
		return
	}
	if m.cur.y < m.rows-1 {
		m.cur.y++
	}
}

// reverseIndex moves up a line, and scrolls the region at its top.
func (m *machine) reverseIndex() {
	m.cur.wrap = false
	if m.cur.y == m.top {
		if m.cur.x >= m.left && m.cur.x <= m.right {
			m.scrollDown(m.top, m.bottom, 1)
		}
		return
	}
	if m.cur.y > 0 {
		m.cur.y--
	}
}

func (m *machine) fullWidth() bool { return m.left == 0 && m.right == m.cols-1 }

// scrollUp moves the lines top to bottom up by n. Lines that leave a region
// at the top of the main screen go to the scrollback when keep is set.
func (m *machine) scrollUp(top, bottom, n int, keep bool) {
	n = min(n, bottom-top+1)
	if n <= 0 {
		return
	}
	if !m.fullWidth() {
		for y := top; y <= bottom; y++ {
			m.moveColumns(y, y+n, bottom)
		}
		return
	}
	keep = keep && top == 0 && m.page == &m.main
	rows := m.page.rows
	if top > 0 {
		rows[top-1].wrapped = false
	}
	for ; n > 0; n-- {
		r := rows[top]
		if keep {
			m.hist.push(r)
		}
		copy(rows[top:bottom], rows[top+1:bottom+1])
		rows[bottom] = r
		m.wipe(r)
		if m.cur.bg != 0 {
			m.fill(r, 0, m.cols, m.blank())
		}
	}
}

// scrollDown moves the lines top to bottom down by n.
func (m *machine) scrollDown(top, bottom, n int) {
	n = min(n, bottom-top+1)
	if n <= 0 {
		return
	}
	if !m.fullWidth() {
		for y := bottom; y >= top; y-- {
			m.moveColumns(y, y-n, bottom)
		}
		return
	}
	rows := m.page.rows
	for ; n > 0; n-- {
		r := rows[bottom]
		copy(rows[top+1:bottom+1], rows[top:bottom])
		rows[top] = r
		m.wipe(r)
		if m.cur.bg != 0 {
			m.fill(r, 0, m.cols, m.blank())
		}
	}
	// The line above a moved one no longer runs on into it.
	if top > 0 {
		rows[top-1].wrapped = false
	}
	rows[bottom].wrapped = false
}

// moveColumns copies the columns between the margins of line from to line to;
// a source outside the region is blank. The region is m.top to bottom, or
// starts below that for IL and DL.
func (m *machine) moveColumns(to, from, bottom int) {
	dst := m.page.rows[to]
	if from < m.top || from > bottom || from < 0 || from >= m.rows {
		m.fill(dst, m.left, m.right+1, m.blank())
		return
	}
	src := m.page.rows[from]
	m.split(src, m.left)
	m.split(src, m.right+1)
	m.split(dst, m.left)
	m.split(dst, m.right+1)
	copy(dst.cells[m.left:m.right+1], src.cells[m.left:m.right+1])
	dst.used = max(dst.used, min(src.used, m.right+1))
	dst.wrapped = false
	m.touch(dst)
}

// insertCells is ICH at column x: what is right of it moves to the margin.
func (m *machine) insertCells(x, n int) {
	edge := m.edge(x)
	n = min(n, edge+1-x)
	if n <= 0 {
		return
	}
	r := m.row()
	m.split(r, x)
	m.split(r, edge+1-n)
	m.split(r, edge+1)
	copy(r.cells[x+n:edge+1], r.cells[x:edge+1-n])
	r.used = max(r.used, min(r.used+n, edge+1))
	m.put(r, x, x+n)
}

// deleteCells is DCH at column x: what is right of it moves left.
func (m *machine) deleteCells(x, n int) {
	edge := m.edge(x)
	n = min(n, edge+1-x)
	if n <= 0 {
		return
	}
	r := m.row()
	m.split(r, x)
	m.split(r, x+n)
	m.split(r, edge+1)
	copy(r.cells[x:edge+1-n], r.cells[x+n:edge+1])
	r.used = max(r.used, edge+1)
	m.put(r, edge+1-n, edge+1)
}

// put blanks columns without repairing wide characters: the caller has cut
// them and moved cells since.
func (m *machine) put(r *row, x0, x1 int) {
	b := m.blank()
	for x := x0; x < x1; x++ {
		r.cells[x] = b
	}
	r.used = max(r.used, x1)
	if x1 == m.cols {
		r.wrapped = false
	}
	m.touch(r)
}

// edge is the last column that a write at x can reach.
func (m *machine) edge(x int) int {
	if x <= m.right {
		return m.right
	}
	return m.cols - 1
}

// inRegion says whether the cursor is where IL, DL, ICH and DCH work.
func (m *machine) inRegion() bool {
	return m.cur.y >= m.top && m.cur.y <= m.bottom && m.cur.x >= m.left && m.cur.x <= m.right
}

func (m *machine) insertLines(n int) {
	if !m.inRegion() {
		return
	}
	m.withTop(m.cur.y, func() { m.scrollDown(m.cur.y, m.bottom, n) })
	m.cur.x, m.cur.wrap = m.left, false
}

func (m *machine) deleteLines(n int) {
	if !m.inRegion() {
		return
	}
	m.page.rows[m.bottom].wrapped = false
	m.withTop(m.cur.y, func() { m.scrollUp(m.cur.y, m.bottom, n, false) })
	m.cur.x, m.cur.wrap = m.left, false
}

func (m *machine) withTop(top int, f func()) {
	old := m.top
	m.top = top
	f()
	m.top = old
}

// shiftColumns moves the columns from x to the right margin by n (left if
// less than 0) on every line of the region: DECIC, DECDC, SL, SR.
func (m *machine) shiftColumns(x, n int) {
	y := m.cur.y
	for m.cur.y = m.top; m.cur.y <= m.bottom; m.cur.y++ {
		if n > 0 {
			m.insertCells(x, n)
		} else {
			m.deleteCells(x, -n)
		}
		m.row().wrapped = false
	}
	m.cur.y = y
}

// moveTo puts the cursor at a line and column, counted from 0 and from the
// margins in origin mode.
func (m *machine) moveTo(y, x int) {
	m.cur.wrap = false
	if m.cur.origin {
		m.cur.y = clamp(y+m.top, m.top, m.bottom)
		m.cur.x = clamp(x+m.left, m.left, m.right)
		return
	}
	m.cur.y = clamp(y, 0, m.rows-1)
	m.cur.x = clamp(x, 0, m.cols-1)
}

// up and down stop at the margin when they start inside it.
func (m *machine) up(n int) {
	lim := 0
	if m.cur.y >= m.top {
		lim = m.top
	}
	m.cur.y, m.cur.wrap = max(m.cur.y-n, lim), false
}

func (m *machine) down(n int) {
	lim := m.rows - 1
	if m.cur.y <= m.bottom {
		lim = m.bottom
	}
	m.cur.y, m.cur.wrap = min(m.cur.y+n, lim), false
}

func (m *machine) forward(n int) {
	m.cur.x, m.cur.wrap = min(m.cur.x+n, m.edge(m.cur.x)), false
}

// back moves left; with reverse wrap (mode 45) it goes on at the end of the
// line above, as far as that one ran on into this one or the screen's top.
func (m *machine) back(n int) {
	lim := 0
	if m.cur.x >= m.left {
		lim = m.left
	}
	if m.modes.has(modeReverseWrap) && m.modes.has(modeAutowrap) {
		m.backWrap(n, lim)
		return
	}
	m.cur.x, m.cur.wrap = max(m.cur.x-n, lim), false
}

func (m *machine) backWrap(n, lim int) {
	if m.cur.wrap {
		m.cur.wrap = false
		n--
	}
	n = min(n, m.cols*m.rows)
	for n > 0 {
		if step := min(n, m.cur.x-lim); step > 0 {
			m.cur.x -= step
			n -= step
			continue
		}
		if m.cur.y == 0 || m.cur.y == m.top || !m.page.rows[m.cur.y-1].wrapped {
			return
		}
		m.cur.y--
		m.cur.x = m.right
		n--
	}
}

func (m *machine) carriageReturn() {
	m.cur.wrap = false
	if m.cur.origin || m.cur.x >= m.left {
		m.cur.x = m.left
		return
	}
	m.cur.x = 0
}

// tab moves n stops to the right; back n to the left.
func (m *machine) tab(n int) {
	edge := m.edge(m.cur.x)
	for ; n > 0 && m.cur.x < edge; n-- {
		m.cur.x++
		for m.cur.x < edge && !m.tabs[m.cur.x] {
			m.cur.x++
		}
	}
}

func (m *machine) backTab(n int) {
	lim := 0
	if m.cur.origin {
		lim = m.left
	}
	m.cur.wrap = false
	for ; n > 0 && m.cur.x > lim; n-- {
		m.cur.x--
		for m.cur.x > lim && !m.tabs[m.cur.x] {
			m.cur.x--
		}
	}
}
