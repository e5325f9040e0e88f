package vt

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// answer queues a reply. Replies are built from our own state and from
// numbers, never from text that the program sent.
func (m *machine) answer(s string) { m.out.add([]byte(s)) }

func (m *machine) answerf(format string, v ...any) { m.answer(fmt.Sprintf(format, v...)) }

// answerOSC queues an OSC that ends as the query did.
func (m *machine) answerOSC(s string) {
	end := "\x1b\\"
	if m.bell {
		end = "\x07"
	}
	m.answer("\x1b]" + s + end)
}

func (m *machine) answerVersion() {
	s := m.opts.Name
	if m.opts.Version != "" {
		s += "(" + m.opts.Version + ")"
	}
	m.answer("\x1bP>|" + s + "\x1b\\")
}

// position is the cursor as reports count it: from 1, and from the margins in
// origin mode.
func (m *machine) position() (y, x int) {
	if m.cur.origin {
		return m.cur.y - m.top + 1, m.cur.x - m.left + 1
	}
	return m.cur.y + 1, m.cur.x + 1
}

// deviceStatus is DSR.
func (m *machine) deviceStatus() {
	switch m.arg(0, 0) {
	case 5:
		m.answer("\x1b[0n")
	case 6: // CPR
		y, x := m.position()
		m.answerf("\x1b[%d;%dR", y, x)
	}
}

// deviceStatusPrivate is DSR with a question mark (VT510; 996 is the colour
// scheme).
func (m *machine) deviceStatusPrivate() {
	switch m.arg(0, 0) {
	case 6: // DECXCPR
		y, x := m.position()
		m.answerf("\x1b[?%d;%d;1R", y, x)
	case 15:
		m.answer("\x1b[?13n") // no printer
	case 25:
		m.answer("\x1b[?21n") // user keys are locked
	case 26:
		m.answer("\x1b[?27;1;0;0n")
	case 53, 55:
		m.answer("\x1b[?50n") // no locator
	case 56:
		m.answer("\x1b[?57;0n")
	case 62:
		m.answer("\x1b[0*{") // no room for macros
	case 63:
		m.answerf("\x1bP%d!~0000\x1b\\", m.arg(1, 0))
	case 75:
		m.answer("\x1b[?70n")
	case 85:
		m.answer("\x1b[?83n") // no sessions
	case 996:
		m.reportTheme()
	}
}

func (m *machine) reportTheme() {
	n := 2
	if m.colors.Dark {
		n = 1
	}
	m.answerf("\x1b[?997;%dn", n)
}

// reportSize is the report of mode 2048.
func (m *machine) reportSize() {
	if m.modes.has(modeInBand) {
		m.answerf("\x1b[48;%d;%d;%d;%dt", m.rows, m.cols, m.rows*m.cellH, m.cols*m.cellW)
	}
}

// windowOp is XTWINOPS. Nothing moves, sizes or reads back the window; a
// title is reported to a test only, since its text is the sender's.
func (m *machine) windowOp() {
	op := m.arg(0, 0)
	switch {
	case op == 14 && m.cellW > 0:
		m.answerf("\x1b[4;%d;%dt", m.rows*m.cellH, m.cols*m.cellW)
	case op == 16 && m.cellW > 0:
		m.answerf("\x1b[6;%d;%dt", m.cellH, m.cellW)
	case op == 18:
		m.answerf("\x1b[8;%d;%dt", m.rows, m.cols)
	case op == 19:
		m.answerf("\x1b[9;%d;%dt", m.rows, m.cols)
	case op == 11 && m.opts.Inspect:
		m.answer("\x1b[1t")
	case op == 13 && m.opts.Inspect:
		m.answer("\x1b[3;0;0t")
	case op == 20 && m.opts.Inspect:
		m.answer("\x1b]L" + m.title + "\x1b\\")
	case op == 21 && m.opts.Inspect:
		m.answer("\x1b]l" + m.title + "\x1b\\")
	case op == 22:
		if len(m.titleStack) < 10 {
			m.titleStack = append(m.titleStack, m.title)
		}
	case op == 23:
		if n := len(m.titleStack); n > 0 {
			m.setTitle(m.titleStack[n-1])
			m.titleStack = m.titleStack[:n-1]
		}
	}
}

// dcs answers DECRQSS and XTGETTCAP; s begins with the final byte.
func (m *machine) dcs(s []byte) {
	switch {
	case m.inter == '$' && m.prefix == 0 && s[0] == 'q':
		m.requestSetting(string(s[1:]))
	case m.inter == '+' && s[0] == 'q':
		m.requestCapability(string(s[1:]))
	}
}

// requestSetting is DECRQSS.
func (m *machine) requestSetting(what string) {
	v := ""
	switch what {
	case "m":
		v = "0" + string(appendSGR(nil, m.cur.fg, m.cur.bg, m.extraOf(m.cur.attr).underline, m.cur.attr)) + "m"
	case "r":
		v = fmt.Sprintf("%d;%dr", m.top+1, m.bottom+1)
	case "s":
		v = fmt.Sprintf("%d;%ds", m.left+1, m.right+1)
	case "t":
		v = fmt.Sprintf("%dt", max(m.rows, 24))
	case "$|":
		v = fmt.Sprintf("%d$|", m.cols)
	case "*|":
		v = fmt.Sprintf("%d*|", m.rows)
	case " q":
		n := 2 * (int(m.shape) + 1)
		if m.blink {
			n--
		}
		v = fmt.Sprintf("%d q", n)
	case "\"p":
		v = fmt.Sprintf("%d;1\"p", 60+m.conform)
	case "\"q":
		v = "0\"q"
		if m.cur.attr&Protected != 0 {
			v = "1\"q"
		}
	case "*x":
		v = "1*x"
		if m.rectExact {
			v = "2*x"
		}
	}
	if v == "" {
		m.answer("\x1bP0$r\x1b\\")
		return
	}
	m.answer("\x1bP1$r" + v + "\x1b\\")
}

// requestCapability is XTGETTCAP for the few names that have an answer of
// their own; others get the refusal without the name, which would be the
// sender's bytes.
func (m *machine) requestCapability(what string) {
	known := map[string]string{"TN": "xterm-256color", "Co": "256", "colors": "256", "RGB": "8"}
	for _, name := range strings.SplitN(what, ";", 9) {
		raw, err := hex.DecodeString(name)
		v, ok := known[string(raw)]
		if err != nil || !ok {
			m.answer("\x1bP0+r\x1b\\")
			return
		}
		m.answerf("\x1bP1+r%s=%s\x1b\\", strings.ToUpper(hex.EncodeToString(raw)), strings.ToUpper(hex.EncodeToString([]byte(v))))
	}
}
