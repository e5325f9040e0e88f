package vt

// csi carries out a control sequence: ESC [ prefix parameters inter final.
func (m *machine) csi(final byte) {
	if final != 'b' || m.prefix != 0 || m.inter != 0 {
		m.last.ch = 0 // REP repeats what stands right before it
	}
	switch {
	case m.prefix == 0 && m.inter == 0:
		if !m.csiMove(final) && !m.csiEdit(final) {
			m.csiOther(final)
		}
	case m.prefix == '?':
		m.csiPrivate(final)
	case m.prefix != 0:
		m.csiVendor(final)
	default:
		m.csiInter(final)
	}
}

// csiMove holds what only moves the cursor.
func (m *machine) csiMove(final byte) bool {
	n := m.count(0)
	switch final {
	case 'A', 'k': // CUU, VPB
		m.up(n)
	case 'B': // CUD
		m.down(n)
	case 'C': // CUF
		m.forward(n)
	case 'D', 'j': // CUB, HPB
		m.back(n)
	case 'E': // CNL
		m.down(n)
		m.carriageReturn()
	case 'F': // CPL
		m.up(n)
		m.carriageReturn()
	case 'G', '`': // CHA, HPA
		y := m.cur.y
		m.moveTo(y, n-1)
		m.cur.y = y
	case 'H', 'f': // CUP, HVP
		m.moveTo(n-1, m.count(1)-1)
	case 'I': // CHT
		m.tab(min(n, m.cols))
	case 'Z': // CBT
		m.backTab(min(n, m.cols))
	case 'a': // HPR
		m.cur.x, m.cur.wrap = min(m.cur.x+n, m.bounds().right-1), false
	case 'd': // VPA
		x := m.cur.x
		m.moveTo(n-1, x)
		m.cur.x = x
	case 'e': // VPR
		m.cur.y, m.cur.wrap = min(m.cur.y+n, m.bounds().bottom-1), false
	default:
		return false
	}
	return true
}

// csiEdit holds what changes the cells.
func (m *machine) csiEdit(final byte) bool {
	n := m.count(0)
	switch final {
	case '@': // ICH
		m.cur.wrap = false
		if m.cur.x >= m.left && m.cur.x <= m.right {
			m.insertCells(m.cur.x, n)
		}
	case 'J': // ED
		m.eraseDisplay(m.arg(0, 0), false)
	case 'K': // EL
		m.eraseLine(m.arg(0, 0), false)
	case 'L': // IL
		m.insertLines(n)
	case 'M': // DL
		m.deleteLines(n)
	case 'P': // DCH
		m.cur.wrap = false
		if m.cur.x >= m.left && m.cur.x <= m.right {
			m.deleteCells(m.cur.x, n)
		}
	case 'S': // SU
		m.scrollUp(m.top, m.bottom, n, true)
	case 'T', '^': // SD; 'T' with 0 or five parameters is about mode 1001
		if m.nparam <= 1 && (final == '^' || m.arg(0, 1) != 0) {
			m.scrollDown(m.top, m.bottom, n)
		}
	case 'X': // ECH
		m.cur.wrap = false
		m.fill(m.row(), m.cur.x, min(m.cur.x+n, m.cols), m.blank())
	case 'b': // REP
		m.repeat(n)
	default:
		return false
	}
	return true
}

func (m *machine) csiOther(final byte) {
	switch final {
	case 'c': // DA1
		if m.arg(0, 0) == 0 {
			m.answer("\x1b[?64;6;21;22;28c")
		}
	case 'g': // TBC
		m.clearTabs(m.arg(0, 0))
	case 'h', 'l': // SM, RM
		for i := range min(m.nparam, maxParams) {
			m.setMode(m.arg(i, 0), final == 'h')
		}
	case 'm': // SGR
		m.sgr()
	case 'n': // DSR
		m.deviceStatus()
	case 'r': // DECSTBM
		m.setMargins()
	case 's': // DECSLRM in mode 69, else SCOSC
		if m.modes.has(modeLeftRight) {
			m.setSideMargins()
		} else if m.nparam == 0 {
			m.saveCursor()
		}
	case 't':
		m.windowOp()
	case 'u': // SCORC
		if m.nparam == 0 {
			m.restoreCursor()
		}
	case 'x': // DECREQTPARM
		if n := m.arg(0, 0); n < 2 {
			m.answerf("\x1b[%d;1;1;128;128;1;0x", n+2)
		}
	}
}

// csiPrivate holds CSI ? ...
func (m *machine) csiPrivate(final byte) {
	switch {
	case m.inter == '$' && final == 'p': // DECRQM
		m.requestMode(m.arg(0, 0), true)
	case m.inter != 0:
	case final == 'h' || final == 'l': // DECSET, DECRST
		for i := range min(m.nparam, maxParams) {
			m.setPrivate(m.arg(i, 0), final == 'h')
		}
	case final == 's' || final == 'r': // XTSAVE, XTRESTORE
		for i := range min(m.nparam, maxParams) {
			m.keepPrivate(m.arg(i, 0), final == 's')
		}
	case final == 'J': // DECSED
		m.eraseDisplay(m.arg(0, 0), true)
	case final == 'K': // DECSEL
		m.eraseLine(m.arg(0, 0), true)
	case final == 'n': // DSR of DEC
		m.deviceStatusPrivate()
	case final == 'u' && !m.opts.NoKitty: // kitty: which flags
		m.answerf("\x1b[?%du", m.page.kitty.flags())
	case final == 'W': // DECST8C
		if m.arg(0, 0) == 5 {
			m.resetTabs()
		}
	case final == 'm': // XTQMODKEYS
		if m.arg(0, 0) == 4 {
			m.answerf("\x1b[>4;%dm", m.other)
		}
	}
}

// csiVendor holds CSI > ..., CSI < ... and CSI = ...
func (m *machine) csiVendor(final byte) {
	if m.inter != 0 || m.opts.NoKitty && (final == 'u' || final == 'm') {
		return
	}
	switch string([]byte{m.prefix, final}) {
	case ">c": // DA2: a VT220, our own version is in XTVERSION
		if m.arg(0, 0) == 0 {
			m.answer("\x1b[>1;300;0c")
		}
	case "=c": // DA3
		if m.arg(0, 0) == 0 {
			m.answer("\x1bP!|00000000\x1b\\")
		}
	case ">q": // XTVERSION
		if m.arg(0, 0) == 0 {
			m.answerVersion()
		}
	case ">m": // XTMODKEYS
		if m.nparam == 0 || m.arg(0, 0) == 4 {
			m.other = clamp(m.arg(1, 0), 0, 2)
			m.emit(Event{Kind: EventModes})
		}
	case ">n":
		if m.arg(0, 0) == 4 {
			m.other = 0
			m.emit(Event{Kind: EventModes})
		}
	case ">u":
		m.page.kitty.push(m.arg(0, 0))
		m.emit(Event{Kind: EventModes})
	case "<u":
		m.page.kitty.pop(m.count(0))
		m.emit(Event{Kind: EventModes})
	case "=u":
		m.page.kitty.set(m.arg(0, 0), m.arg(1, 1))
		m.emit(Event{Kind: EventModes})
	}
}

// csiInter holds sequences with an intermediate byte and no prefix.
func (m *machine) csiInter(final byte) {
	switch string([]byte{m.inter, final}) {
	case "!p": // DECSTR
		m.softReset()
	case " q": // DECSCUSR
		m.cursorStyle(m.arg(0, 0))
	case " @": // SL
		if m.inRegion() {
			m.shiftColumns(m.left, -m.count(0))
		}
	case " A": // SR
		if m.inRegion() {
			m.shiftColumns(m.left, m.count(0))
		}
	case "'}": // DECIC
		if m.inRegion() {
			m.shiftColumns(m.cur.x, m.count(0))
		}
	case "'~": // DECDC
		if m.inRegion() {
			m.shiftColumns(m.cur.x, -m.count(0))
		}
	case "\"p": // DECSCL
		if n := m.arg(0, 64); n >= 61 && n <= 65 {
			m.softReset()
			m.conform = n - 60
		}
	case "\"q": // DECSCA
		m.cur.attr &^= Protected
		if m.arg(0, 0) == 1 {
			m.cur.attr |= Protected
		}
	case "$p": // DECRQM
		m.requestMode(m.arg(0, 0), false)
	case "*y": // DECRQCRA
		if m.opts.Inspect {
			m.checksum()
		}
	case "$x", "$z", "${", "$v", "$r", "$t": // DECFRA, DECERA, DECSERA, DECCRA, DECCARA, DECRARA
		m.rectangle(final)
	case "*x": // DECSACE
		m.rectExact = m.arg(0, 0) == 2
	}
}

func (m *machine) cursorStyle(n int) {
	if n > 6 {
		return
	}
	m.blink = n == 0 || n%2 == 1
	m.shape = CursorShape(max(n-1, 0) / 2)
	m.seq++
}

// eraseDisplay is ED and DECSED.
func (m *machine) eraseDisplay(what int, selective bool) {
	y0, y1 := m.cur.y+1, m.rows
	switch what {
	case 0:
		m.eraseLine(0, selective)
	case 1:
		m.eraseLine(1, selective)
		y0, y1 = 0, m.cur.y
	case 2:
		y0 = 0
	case 3:
		if !selective && m.page == &m.main {
			m.dropHistory()
		}
		return
	default:
		return
	}
	m.cur.wrap = false
	for _, r := range m.page.rows[y0:y1] {
		m.erase(r, 0, m.cols, selective)
		if !selective {
			r.prompt = false
		}
	}
}

// eraseLine is EL and DECSEL.
func (m *machine) eraseLine(what int, selective bool) {
	x0, x1 := m.cur.x, m.cols
	switch what {
	case 0:
	case 1:
		x0, x1 = 0, m.cur.x+1
	case 2:
		x0 = 0
	default:
		return
	}
	m.cur.wrap = false
	m.erase(m.row(), x0, x1, selective)
}

func (m *machine) clearTabs(what int) {
	switch what {
	case 0:
		m.tabs[m.cur.x] = false
	case 3:
		clear(m.tabs)
	}
}

// setMargins is DECSTBM.
func (m *machine) setMargins() {
	top, bottom := m.count(0)-1, m.arg(1, m.rows)-1
	if bottom < 0 || bottom >= m.rows {
		bottom = m.rows - 1
	}
	if top >= bottom {
		return
	}
	m.top, m.bottom = top, bottom
	m.moveTo(0, 0)
}

// setSideMargins is DECSLRM.
func (m *machine) setSideMargins() {
	left, right := m.count(0)-1, m.arg(1, m.cols)-1
	if right < 0 || right >= m.cols {
		right = m.cols - 1
	}
	if left >= right {
		return
	}
	m.left, m.right = left, right
	m.moveTo(0, 0)
}

func (m *machine) saveCursor() { m.page.saved = m.cur }

func (m *machine) restoreCursor() {
	m.cur = m.page.saved
	m.cur.x = clamp(m.cur.x, 0, m.cols-1)
	m.cur.y = clamp(m.cur.y, 0, m.rows-1)
	m.cur.wrap = m.cur.wrap && m.cur.x == m.edge(m.cur.x)
	m.modes.set(modeOrigin, m.cur.origin)
}
