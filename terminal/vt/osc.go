package vt

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
)

// osc carries out an operating system command: a number, a semicolon, text.
func (m *machine) osc(s []byte) {
	num, rest, _ := bytes.Cut(s, []byte{';'})
	n, err := strconv.Atoi(string(num))
	if err != nil || n < 0 || len(num) > 4 {
		return
	}
	text := string(rest)
	switch n {
	case 0, 2:
		m.setTitle(text)
	case 4:
		m.oscPalette(text)
	case 7:
		m.emit(Event{Kind: EventCwd, Text: Clean(text, 4096)})
	case 8:
		m.oscLink(text)
	case 9:
		m.oscNine(text)
	case 10, 11, 12:
		m.oscDynamic(n-10, text)
	case 52:
		m.oscClipboard(text)
	case 104:
		m.oscResetPalette(text)
	case 110, 111, 112:
		m.dynamic[n-110] = nil
		m.seq++
	case 133:
		m.oscPrompt(text)
	case 777:
		if p := strings.SplitN(text, ";", 3); len(p) == 3 && p[0] == "notify" {
			m.emit(Event{Kind: EventNotify, Title: Clean(p[1], maxTitle), Text: Clean(p[2], maxTitle)})
		}
	}
}

func (m *machine) setTitle(s string) {
	s = Clean(s, maxTitle)
	if s == m.title {
		return
	}
	m.title = s
	m.seq++
	m.emit(Event{Kind: EventTitle, Text: s})
}

// oscNine is a notification (iTerm2), or progress where a 4 leads (ConEmu).
func (m *machine) oscNine(s string) {
	p := strings.Split(s, ";")
	if p[0] != "4" || len(p) > 3 {
		m.emit(Event{Kind: EventNotify, Text: Clean(s, maxTitle)})
		return
	}
	e := Event{Kind: EventProgress}
	if len(p) > 1 {
		e.Code, _ = strconv.Atoi(p[1])
	}
	if len(p) > 2 {
		e.Value, _ = strconv.Atoi(p[2])
	}
	if e.Code < 0 || e.Code > 4 {
		return
	}
	e.Value = clamp(e.Value, 0, 100)
	m.emit(e)
}

// oscClipboard takes a write; a read ("?") is never answered, since it would
// hand the person's clipboard to the program.
func (m *machine) oscClipboard(s string) {
	_, data, ok := strings.Cut(s, ";")
	if !ok || data == "?" {
		return
	}
	b, err := base64.StdEncoding.DecodeString(data)
	if err != nil || len(b) > maxClipboard {
		return
	}
	m.emit(Event{Kind: EventClipboard, Text: CleanText(string(b))})
}

// oscPrompt is a shell's mark: A prompt, B input, C output, D end with code.
func (m *machine) oscPrompt(s string) {
	if s == "" || s[0] < 'A' || s[0] > 'D' {
		return
	}
	e := Event{Kind: EventPrompt, Mark: s[0], Code: -1}
	if p := strings.Split(s, ";"); s[0] == 'D' && len(p) > 1 {
		if n, err := strconv.Atoi(p[1]); err == nil && n >= 0 && n < 256 {
			e.Code = n
		}
	}
	if s[0] == 'A' {
		r := m.row()
		r.prompt = true
		m.touch(r)
	}
	m.emit(e)
}

// oscLink opens or ends a hyperlink: params;URI, an empty URI ends it.
func (m *machine) oscLink(s string) {
	params, uri, ok := strings.Cut(s, ";")
	if !ok {
		return
	}
	x := m.extraOf(m.cur.attr)
	x.link = 0
	if uri != "" && len(uri) <= 2083 && uri == Clean(uri, 2083) {
		id := ""
		for p := range strings.SplitSeq(params, ":") {
			if v, ok := strings.CutPrefix(p, "id="); ok {
				id = Clean(v, 250)
			}
		}
		x.link = m.linkKey(link{id: id, uri: uri})
	}
	m.cur.attr = m.withExtra(m.cur.attr, x)
}

// oscPalette is OSC 4: pairs of an index and a colour or a question mark.
func (m *machine) oscPalette(s string) {
	p := strings.Split(s, ";")
	for i := 0; i+1 < len(p) && i < 64; i += 2 {
		n, err := strconv.Atoi(p[i])
		if err != nil || n < 0 || n > 255 {
			continue
		}
		if p[i+1] == "?" {
			m.answerOSC(fmt.Sprintf("4;%d;%s", n, m.paletteRGB(uint8(n)).spec()))
			continue
		}
		if c, ok := parseColor(p[i+1]); ok {
			if m.palette == nil {
				m.palette = make(map[uint8]RGB)
			}
			m.palette[uint8(n)] = c
			m.repaint()
		}
	}
}

func (m *machine) oscResetPalette(s string) {
	if s == "" {
		m.palette = nil
	}
	for p := range strings.SplitSeq(s, ";") {
		if n, err := strconv.Atoi(p); err == nil && n >= 0 && n < 256 {
			delete(m.palette, uint8(n))
		}
	}
	m.repaint()
}

// oscDynamic is OSC 10, 11 and 12; further values go to the next number.
func (m *machine) oscDynamic(which int, s string) {
	for v := range strings.SplitSeq(s, ";") {
		if which > 2 {
			return
		}
		if v == "?" {
			m.answerOSC(fmt.Sprintf("%d;%s", which+10, m.dynamicRGB(which).spec()))
		} else if c, ok := parseColor(v); ok {
			m.dynamic[which] = &c
			m.repaint()
		}
		which++
	}
}

func (m *machine) dynamicRGB(which int) RGB {
	if c := m.dynamic[which]; c != nil {
		return *c
	}
	return [...]RGB{m.colors.Foreground, m.colors.Background, m.colors.Cursor}[which]
}

// repaint makes every line look changed, for what colours them all.
func (m *machine) repaint() {
	m.epoch++
	m.seq++
}
