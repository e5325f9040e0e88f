package vt

// escapeFunction carries out ESC inter final.
func (m *machine) escapeFunction(inter, final byte) {
	m.last.ch = 0
	switch inter {
	case 0:
		m.plainEscape(final)
	case '(', ')', '*', '+', '-', '.', '/': // SCS, into G0 to G3
		g := map[byte]int{'(': 0, ')': 1, '*': 2, '+': 3, '-': 1, '.': 2, '/': 3}[inter]
		if final != '0' && final != 'A' {
			final = 'B' // every other set shows as ASCII
		}
		m.cur.charset[g] = final
	case '#':
		if final == '8' {
			m.alignment()
		}
	}
}

func (m *machine) plainEscape(final byte) {
	switch final {
	case '6': // DECBI
		if m.cur.x == m.left && m.inRegion() {
			m.shiftColumns(m.left, 1)
		} else {
			m.back(1)
		}
	case '9': // DECFI
		if m.cur.x == m.right && m.inRegion() {
			m.shiftColumns(m.left, -1)
		} else {
			m.forward(1)
		}
	case '7': // DECSC
		m.saveCursor()
	case '8': // DECRC
		m.restoreCursor()
	case '=': // DECKPAM
		m.setBit(modeAppKeypad, true)
	case '>': // DECKPNM
		m.setBit(modeAppKeypad, false)
	case 'D': // IND
		m.index()
	case 'E': // NEL
		m.index()
		m.carriageReturn()
	case 'H': // HTS
		m.tabs[m.cur.x] = true
	case 'M': // RI
		m.reverseIndex()
	case 'N': // SS2
		m.cur.single = 2
	case 'O': // SS3
		m.cur.single = 3
	case 'Z': // DECID
		m.answer("\x1b[?64;6;21;22;28c")
	case 'c': // RIS
		m.hardReset()
	case 'n': // LS2
		m.cur.gl = 2
	case 'o': // LS3
		m.cur.gl = 3
	}
}

// alignment is DECALN: the screen full of E.
func (m *machine) alignment() {
	m.top, m.bottom, m.left, m.right = 0, m.rows-1, 0, m.cols-1
	m.cur.origin = false
	m.modes.set(modeOrigin, false)
	for _, r := range m.page.rows {
		m.fill(r, 0, m.cols, Cell{ch: 'E'})
		r.prompt = false
	}
	m.moveTo(0, 0)
}
