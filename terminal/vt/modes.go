package vt

// mode is a switch that is kept as one bit.
type mode uint8

const (
	modeAppCursor    mode = iota // DECCKM, ?1
	modeColumns                  // DECCOLM, ?3: kept, but the grid is not ours to size
	modeSmooth                   // DECSCLM, ?4
	modeReverse                  // DECSCNM, ?5
	modeOrigin                   // DECOM, ?6
	modeAutowrap                 // DECAWM, ?7
	modeAutorepeat               // DECARM, ?8
	modeBlink                    // ?12
	modeCursor                   // DECTCEM, ?25
	modeAllowColumns             // ?40
	modeReverseWrap              // ?45
	modeAppKeypad                // DECNKM, ?66
	modeBackspace                // DECBKM, ?67
	modeLeftRight                // DECLRMM, ?69
	modeKeepColumns              // DECNCSM, ?95
	modeFocus                    // ?1004
	modeAltScroll                // ?1007
	modeMetaEscape               // ?1036
	modeBracketed                // ?2004
	modeSync                     // ?2026
	modeGraphemes                // ?2027
	modeTheme                    // ?2031
	modeInBand                   // ?2048
	modeKeyLock                  // KAM, 2
	modeInsert                   // IRM, 4
	modeSendReceive              // SRM, 12
	modeNewLine                  // LNM, 20
	modeAlt                      // ?47, ?1047, ?1049
)

type modeSet uint64

func (s modeSet) has(m mode) bool { return s>>m&1 != 0 }

func (s *modeSet) set(m mode, on bool) {
	if on {
		*s |= 1 << m
	} else {
		*s &^= 1 << m
	}
}

const startModes modeSet = 1<<modeAutowrap | 1<<modeAutorepeat | 1<<modeCursor |
	1<<modeMetaEscape | 1<<modeGraphemes | 1<<modeSendReceive | 1<<modeAltScroll | 1<<modeBlink

// mouseEncoding is how pointer reports are written.
type mouseEncoding uint8

const (
	mouseLegacy mouseEncoding = iota
	mouseUTF8                 // ?1005
	mouseSGR                  // ?1006
	mouseURXVT                // ?1015
	mousePixels               // ?1016
)

// privateBit maps the numbers of DECSET that are plain switches.
func privateBit(n int) (mode, bool) {
	m, ok := privateBits[n]
	return m, ok
}

var privateBits = map[int]mode{
	1: modeAppCursor, 3: modeColumns, 4: modeSmooth, 5: modeReverse, 6: modeOrigin,
	7: modeAutowrap, 8: modeAutorepeat, 12: modeBlink, 25: modeCursor, 40: modeAllowColumns,
	45: modeReverseWrap, 66: modeAppKeypad, 67: modeBackspace, 69: modeLeftRight,
	95: modeKeepColumns, 1004: modeFocus, 1007: modeAltScroll, 1036: modeMetaEscape,
	2004: modeBracketed, 2026: modeSync, 2027: modeGraphemes, 2031: modeTheme, 2048: modeInBand,
	47: modeAlt, 1047: modeAlt, 1049: modeAlt,
}

func mouseMode(n int) (MouseMode, bool) {
	switch n {
	case 9:
		return MouseX10, true
	case 1000:
		return MouseButtons, true
	case 1002:
		return MouseDrag, true
	case 1003:
		return MouseAny, true
	}
	return 0, false
}

func mouseEncodingOf(n int) (mouseEncoding, bool) {
	switch n {
	case 1005:
		return mouseUTF8, true
	case 1006:
		return mouseSGR, true
	case 1015:
		return mouseURXVT, true
	case 1016:
		return mousePixels, true
	}
	return 0, false
}

func (m *machine) setBit(b mode, on bool) {
	if m.modes.has(b) == on {
		return
	}
	m.modes.set(b, on)
	m.seq++
	m.emit(Event{Kind: EventModes})
}

// setMode is SM and RM.
func (m *machine) setMode(n int, on bool) {
	switch n {
	case 2:
		m.setBit(modeKeyLock, on)
	case 4:
		m.setBit(modeInsert, on)
	case 12:
		m.setBit(modeSendReceive, on)
	case 20:
		m.setBit(modeNewLine, on)
	}
}

func (m *machine) watchTheme(on bool) {
	m.setBit(modeTheme, on)
	if on && m.opts.TellTheme {
		m.reportTheme()
	}
}

// setPrivate is DECSET and DECRST.
func (m *machine) setPrivate(n int, on bool) {
	if mm, ok := mouseMode(n); ok {
		m.setMouse(mm, on)
		return
	}
	if e, ok := mouseEncodingOf(n); ok {
		if on {
			m.mouseEnc = e
		} else if m.mouseEnc == e {
			m.mouseEnc = mouseLegacy
		}
		return
	}
	switch n {
	case 3:
		m.setBit(modeColumns, on)
		if m.modes.has(modeAllowColumns) {
			m.columnMode()
		}
	case 6:
		m.setBit(modeOrigin, on)
		m.cur.origin = on
		m.moveTo(0, 0)
	case 12:
		m.setBit(modeBlink, on)
		m.blink = on
	case 69:
		m.setBit(modeLeftRight, on)
		m.left, m.right = 0, m.cols-1
	case 47, 1047, 1049:
		m.alternate(n, on)
	case 1048:
		if on {
			m.saveCursor()
		} else {
			m.restoreCursor()
		}
	case 2026:
		m.hold(on)
	case 2031:
		m.watchTheme(on)
	case 2048:
		m.setBit(modeInBand, on)
		m.reportSize()
	default:
		if b, ok := privateBit(n); ok {
			m.setBit(b, on)
		}
	}
	if n == 45 || n == 7 {
		m.cur.wrap = m.cur.wrap && m.modes.has(modeAutowrap)
	}
}

func (m *machine) setMouse(mm MouseMode, on bool) {
	if !on {
		mm = MouseNone
	}
	if m.mouse != mm {
		m.mouse = mm
		m.emit(Event{Kind: EventModes})
	}
}

// columnMode is what DECCOLM does besides changing the width.
func (m *machine) columnMode() {
	m.top, m.bottom, m.left, m.right = 0, m.rows-1, 0, m.cols-1
	m.modes.set(modeLeftRight, false)
	if !m.modes.has(modeKeepColumns) {
		m.eraseDisplay(2, false)
	}
	m.moveTo(0, 0)
}

// alternate changes between the two screens. 1049 saves the cursor and clears
// the alternate screen on the way in; 1047 clears it on the way out.
func (m *machine) alternate(n int, on bool) {
	if on == (m.page == &m.alt) {
		if n == 1049 && on {
			m.saveCursor()
			m.eraseDisplay(2, false)
		} else if n == 1049 {
			m.restoreCursor()
		}
		return
	}
	if on {
		if n == 1049 {
			m.saveCursor()
		}
		m.page = &m.alt
		if n == 1049 {
			m.eraseDisplay(2, false)
		}
	} else {
		if n == 1047 {
			m.eraseDisplay(2, false)
		}
		m.page = &m.main
		if n == 1049 {
			m.restoreCursor()
		}
	}
	m.modes.set(modeAlt, on)
	m.join.ok = false
	m.seq++
	m.emit(Event{Kind: EventModes})
}

// keepPrivate is XTSAVE and XTRESTORE for the switches that are one bit.
func (m *machine) keepPrivate(n int, save bool) {
	b, ok := privateBit(n)
	if !ok {
		return
	}
	if save {
		m.saved.set(b, m.modes.has(b))
		return
	}
	m.setPrivate(n, m.saved.has(b))
}

// requestMode is DECRQM: 1 set, 2 reset, 3 and 4 for good, 0 not known.
func (m *machine) requestMode(n int, private bool) {
	state := 0
	of := func(on bool) int {
		if on {
			return 1
		}
		return 2
	}
	if !private {
		switch n {
		case 2:
			state = of(m.modes.has(modeKeyLock))
		case 4:
			state = of(m.modes.has(modeInsert))
		case 12:
			state = of(m.modes.has(modeSendReceive))
		case 20:
			state = of(m.modes.has(modeNewLine))
		case 1, 3, 5, 7, 10, 11, 13, 14, 15, 16, 17, 18, 19:
			state = 4
		}
		m.answerf("\x1b[%d;%d$y", n, state)
		return
	}
	if b, ok := privateBit(n); ok {
		state = of(m.modes.has(b))
	} else if mm, ok := mouseMode(n); ok {
		state = of(m.mouse == mm)
	} else if e, ok := mouseEncodingOf(n); ok {
		state = of(m.mouseEnc == e)
	} else if n == 1048 {
		state = 1
	} else if n == 1001 {
		state = 4 // highlight tracking waits for an answer in each press
	}
	m.answerf("\x1b[?%d;%d$y", n, state)
}
