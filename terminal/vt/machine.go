package vt

import "time"

// machine is a Terminal without its locks: the grid, the state that control
// functions change, and the parser in front of them.
type machine struct {
	opts         Options
	now          func() time.Time
	cols, rows   int
	cellW, cellH int

	page      *page // main or alt: the one that is shown and written
	main, alt page
	hist      history
	cur       cursor
	tabs      []bool

	// Margins, inclusive. left and right differ from the edges only while
	// mode 69 is set.
	top, bottom, left, right int

	modes    modeSet
	saved    modeSet // by XTSAVE
	mouse    MouseMode
	mouseEnc mouseEncoding
	shape    CursorShape
	blink    bool
	other    int // XTMODKEYS 4

	last    Cell // what REP repeats; zero for nothing
	join    spot // where the last character went, for clusters
	classes classTable
	scratch []byte

	title      string
	titleStack []string
	colors     Colors
	palette    map[uint8]RGB
	dynamic    [3]*RGB // OSC 10, 11, 12

	clusters clusters
	extras   extras

	seq       uint64 // grows with every change of a line
	epoch     uint64 // grows when lines are renumbered
	shadow    frame  // what is shown while mode 2026 holds the screen
	view      Screen // reused by View
	events    []Event
	out       *replyQueue
	conform   int  // DECSCL level
	rectExact bool // DECSACE: attribute changes take rectangles, not streams

	parser
}

// page is one of the two screens.
type page struct {
	rows  []*row
	saved cursor
	kitty kittyStack
}

// row is one line of a page. Cells from used on are as a reset left them.
type row struct {
	cells   []Cell
	used    int
	seq     uint64
	wrapped bool
	prompt  bool
}

// cursor is what DECSC saves.
type cursor struct {
	x, y    int
	wrap    bool // the last column was written: the next character wraps first
	fg, bg  Color
	attr    Attr
	origin  bool
	charset [4]byte // final byte of the set in G0 to G3; 'B' is ASCII
	gl      uint8
	single  uint8 // G2 or G3 for one character (SS2, SS3); 0 for none
}

// spot is a place just written, to tell whether the cursor was moved since.
type spot struct {
	x, y int
	wrap bool
	last rune
	ok   bool
	open bool // last may take more than combining marks
}

func (m *machine) init(o Options, q *replyQueue) {
	m.out, m.opts, m.now = q, o, o.Now
	if m.now == nil {
		m.now = time.Now
	}
	if m.opts.Name == "" {
		m.opts.Name = "bottlebar"
	}
	if o.Cols == 0 && o.Rows == 0 {
		o.Cols, o.Rows = 80, 24
	}
	m.cols, m.rows = clamp(o.Cols, 1, maxCols), clamp(o.Rows, 1, maxRows)
	m.colors = withPalette(o.Colors)
	lines := o.Scrollback
	if lines == 0 {
		lines = DefaultScrollback
	}
	m.hist.init(max(lines, 0))
	m.main.rows = m.newRows(m.rows)
	m.alt.rows = m.newRows(m.rows)
	m.resetState()
}

func (m *machine) newRows(n int) []*row {
	rows := make([]*row, n)
	for i := range rows {
		rows[i] = &row{cells: make([]Cell, m.cols)}
		m.touch(rows[i])
	}
	return rows
}

// resetState puts everything but the contents to its start.
func (m *machine) resetState() {
	m.page = &m.main
	m.main.saved, m.alt.saved = freshCursor(), freshCursor()
	m.main.kitty, m.alt.kitty = kittyStack{}, kittyStack{}
	m.cur = freshCursor()
	m.top, m.bottom, m.left, m.right = 0, m.rows-1, 0, m.cols-1
	m.resetTabs()
	m.modes = startModes
	m.saved = startModes
	m.mouse, m.mouseEnc = MouseNone, mouseLegacy
	m.shape, m.blink = CursorBlock, true
	m.other = 0
	m.last, m.join = Cell{}, spot{}
	m.titleStack = nil
	m.palette, m.dynamic = nil, [3]*RGB{}
	m.conform, m.rectExact = 4, false
	m.shadow.on = false
	m.seq++
}

func freshCursor() cursor {
	return cursor{charset: [4]byte{'B', 'B', 'B', 'B'}}
}

// hardReset is RIS.
func (m *machine) hardReset() {
	for _, p := range []*page{&m.main, &m.alt} {
		for _, r := range p.rows {
			m.wipe(r)
		}
	}
	m.resetState()
	m.dropHistory()
	if m.title != "" {
		m.setTitle("")
	}
	m.emit(Event{Kind: EventModes})
}

// softReset is DECSTR.
func (m *machine) softReset() {
	m.modes.set(modeCursor, true)
	m.modes.set(modeOrigin, false)
	m.modes.set(modeInsert, false)
	m.modes.set(modeKeyLock, false)
	m.modes.set(modeAppCursor, false)
	m.modes.set(modeAppKeypad, false)
	m.modes.set(modeAutowrap, true)
	m.modes.set(modeReverseWrap, false)
	m.modes.set(modeLeftRight, false)
	m.top, m.bottom, m.left, m.right = 0, m.rows-1, 0, m.cols-1
	x, y := m.cur.x, m.cur.y
	m.cur = freshCursor()
	m.cur.x, m.cur.y = x, y
	m.page.saved = freshCursor()
	m.page.kitty = kittyStack{}
	m.other = 0
	m.seq++
	m.emit(Event{Kind: EventModes})
}

func (m *machine) dropHistory() {
	m.hist.clear()
	m.epoch++
	m.seq++
}

func (m *machine) resetTabs() {
	m.tabs = make([]bool, m.cols)
	for i := 8; i < m.cols; i += 8 {
		m.tabs[i] = true
	}
}

// touch marks a line as changed.
func (m *machine) touch(r *row) {
	m.seq++
	r.seq = m.seq
}

// wipe empties a line, for its next use.
func (m *machine) wipe(r *row) {
	clear(r.cells[:r.used])
	r.used, r.wrapped, r.prompt = 0, false, false
	m.touch(r)
}

func clamp(v, lo, hi int) int { return max(lo, min(v, hi)) }
