package vt

import "unicode/utf8"

// state is where the parser stands between two bytes.
type state uint8

const (
	ground state = iota
	escape
	escapeInter // after ESC and an intermediate byte
	csiEntry
	csiParam
	csiInter
	csiIgnore
	oscString
	dcsEntry
	dcsParam
	dcsInter
	dcsString
	dcsIgnore
	otherString // APC, PM, SOS: swallowed
)

const (
	maxParams = 32
	maxParam  = 99_999 // larger numbers count as this one
	maxOSC    = 4 << 10
	maxOSC52  = maxClipboard*4/3 + 64
	maxDCS    = 1 << 10
)

// parser splits the stream into text and control functions, after the state
// diagram that ECMA-48 implies. In UTF-8 the C1 bytes 0x80 to 0x9F are parts
// of characters and never control functions.
type parser struct {
	state  state
	esc    bool // an ESC was seen inside a string: a backslash ends it
	prefix byte // '<' to '?' before the parameters
	inter  byte // last intermediate byte
	inters int
	params [maxParams]int32 // -1 is left out
	subs   uint32           // bit i: params[i] follows a colon
	nparam int
	str    []byte
	over   bool // the string was longer than it may be
	bell   bool // the OSC ended with BEL, and so does an answer to it

	need int // continuation bytes to come
	acc  rune
	lo   byte // range of the next one
	hi   byte
}

// feed takes bytes of the program.
func (m *machine) feed(b []byte) {
	for i := 0; i < len(b); {
		if m.state != ground {
			i += m.step(b[i:])
			continue
		}
		c := b[i]
		switch {
		case m.need > 0:
			i += m.continueRune(c)
		case c >= 0x20 && c < 0x7f:
			j := i + 1
			for j < len(b) && b[j]-0x20 < 0x5f {
				j++
			}
			m.printASCII(b[i:j])
			i = j
		case c == 0x1b && i+2 < len(b) && b[i+1] == '[':
			m.begin(csiEntry)
			i += 2 + m.simpleCSI(b[i+2:])
		case c < 0x20:
			m.control(c)
			i++
		case c == 0x7f:
			i++
		default:
			if r, n := utf8.DecodeRune(b[i:]); n > 1 {
				m.print(r)
				i += n
				continue
			}
			m.startRune(c)
			i++
		}
	}
}

// simpleCSI is a short cut for the usual control sequence: numbers and a final
// byte, all at hand. It returns how many bytes it took; none of anything else,
// which is left to the state machine.
func (m *machine) simpleCSI(b []byte) int {
	n, v := 0, int32(-1)
	var subs uint32
	for i, c := range b {
		switch {
		case c-'0' < 10:
			v = min(max(v, 0)*10+int32(c-'0'), maxParam)
		case c == ';' || c == ':':
			if n+2 > maxParams {
				return 0
			}
			m.params[n] = v
			v = -1
			n++
			if c == ':' {
				subs |= 1 << n
			}
		case c >= 0x40 && c < 0x7f:
			if n > 0 || v >= 0 {
				m.params[n] = v
				n++
			}
			m.nparam, m.subs, m.state = n, subs, ground
			m.csi(c)
			return i + 1
		default:
			return 0
		}
	}
	return 0
}

// control carries out a C0 control.
func (m *machine) control(c byte) {
	if c != 0x1b {
		m.last.ch = 0
	}
	switch c {
	case 0x07:
		m.emit(Event{Kind: EventBell})
	case 0x08:
		m.back(1)
	case 0x09:
		m.tab(1)
	case 0x0a, 0x0b, 0x0c:
		m.index()
		if m.modes.has(modeNewLine) {
			m.carriageReturn()
		}
	case 0x0d:
		m.carriageReturn()
	case 0x0e:
		m.cur.gl = 1
	case 0x0f:
		m.cur.gl = 0
	case 0x1b:
		m.begin(escape)
	}
}

func (m *machine) begin(s state) {
	m.state, m.esc, m.over = s, false, false
	m.prefix, m.inter, m.inters = 0, 0, 0
	m.nparam, m.subs = 0, 0
	m.str = m.str[:0]
}

// step takes bytes inside an escape sequence and returns how many.
func (m *machine) step(b []byte) int {
	if m.state >= oscString && m.state != dcsEntry && m.state != dcsParam && m.state != dcsInter {
		return m.stringBytes(b)
	}
	c := b[0]
	switch {
	case c == 0x1b:
		m.begin(escape)
	case c == 0x18 || c == 0x1a:
		m.state = ground
	case c < 0x20:
		if m.state < dcsEntry {
			m.control(c)
		}
	case c >= 0x7f:
		// DEL is nothing; bytes of UTF-8 have no place here.
	case m.state == escape || m.state == escapeInter:
		m.escapeByte(c)
	case m.state >= dcsEntry:
		m.dcsByte(c)
	default:
		m.csiByte(c)
	}
	return 1
}

func (m *machine) escapeByte(c byte) {
	if c < 0x30 {
		m.inter = c
		m.inters++
		m.state = escapeInter
		return
	}
	if m.state == escape {
		switch c {
		case '[':
			m.begin(csiEntry)
			return
		case ']':
			m.begin(oscString)
			return
		case 'P':
			m.begin(dcsEntry)
			return
		case 'X', '^', '_':
			m.begin(otherString)
			return
		}
	}
	m.state = ground
	if m.inters < 2 {
		m.escapeFunction(m.inter, c)
	}
}

func (m *machine) csiByte(c byte) {
	switch {
	case c >= 0x40:
		run := m.state != csiIgnore
		m.state = ground
		if run {
			m.csi(c)
		}
	case m.state == csiIgnore:
	case c < 0x30:
		m.inter = c
		m.inters++
		m.state = csiInter
		if m.inters > 1 {
			m.state = csiIgnore
		}
	case m.state == csiInter:
		m.state = csiIgnore
	case c >= 0x3c:
		if m.state != csiEntry {
			m.state = csiIgnore
			return
		}
		m.prefix = c
		m.state = csiParam
	default:
		m.state = csiParam
		m.paramByte(c)
	}
}

// paramByte takes a digit, ';' or ':'.
func (m *machine) paramByte(c byte) {
	if m.nparam == 0 {
		m.nparam, m.params[0] = 1, -1
	}
	if c == ';' || c == ':' {
		if m.nparam > maxParams {
			return
		}
		if m.nparam < maxParams {
			m.params[m.nparam] = -1
			if c == ':' {
				m.subs |= 1 << m.nparam
			}
		}
		m.nparam++ // one past the end means: the rest is not kept
		return
	}
	if m.nparam > maxParams {
		return
	}
	p := &m.params[m.nparam-1]
	*p = min(max(*p, 0)*10+int32(c-'0'), maxParam)
}

func (m *machine) dcsByte(c byte) {
	switch {
	case c >= 0x40:
		m.str = append(m.str[:0], c)
		m.state = dcsString
	case c < 0x30:
		m.inter = c
		m.inters++
		m.state = dcsInter
		if m.inters > 1 {
			m.state = dcsIgnore
		}
	case m.state == dcsInter:
		m.state = dcsIgnore
	case c >= 0x3c:
		m.prefix = c
		m.state = dcsParam
	default:
		m.state = dcsParam
		m.paramByte(c)
	}
}

// stringBytes takes the inside of OSC, DCS, APC, PM and SOS. They end with
// ESC and a backslash, OSC with BEL too; CAN and SUB break them off, and so
// does any other sequence.
func (m *machine) stringBytes(b []byte) int {
	for i, c := range b {
		if m.esc {
			m.esc = false
			if c == '\\' {
				m.bell = false
				m.endString()
				return i + 1
			}
			m.begin(escape)
			return i
		}
		switch {
		case c == 0x1b:
			m.esc = true
		case c == 0x18 || c == 0x1a:
			m.state = ground
			return i + 1
		case c == 0x07 && m.state == oscString:
			m.bell = true
			m.endString()
			return i + 1
		case m.state == oscString || m.state == dcsString:
			m.keep(c)
		}
	}
	return len(b)
}

// keep adds a byte to the string, up to the length that its kind may have.
func (m *machine) keep(c byte) {
	limit := maxDCS
	if m.state == oscString {
		limit = maxOSC
		if len(m.str) >= 3 && string(m.str[:3]) == "52;" {
			limit = maxOSC52
		}
	}
	if len(m.str) >= limit {
		m.over = true
		return
	}
	if c >= 0x20 {
		m.str = append(m.str, c)
	}
}

func (m *machine) endString() {
	s := m.state
	m.state = ground
	if m.over {
		return
	}
	switch s {
	case oscString:
		m.osc(m.str)
	case dcsString:
		m.dcs(m.str)
	}
}

// arg returns parameter i, or def where it is left out.
func (m *machine) arg(i, def int) int {
	if i >= min(m.nparam, maxParams) || m.params[i] < 0 {
		return def
	}
	return int(m.params[i])
}

// count returns parameter i where 0 and left out mean 1.
func (m *machine) count(i int) int { return max(m.arg(i, 1), 1) }
