package vt

import (
	"fmt"
	"unicode"
	"unicode/utf8"
)

// EncodeKey appends what a key sends, by the modes that the program set:
// xterm's table, XTMODKEYS 4, or the kitty keyboard protocol.
func (t *Terminal) EncodeKey(dst []byte, e KeyEvent) []byte {
	t.mu.Lock()
	k := keyModes{
		modes: t.inputModes(), backspace: t.modes.has(modeBackspace),
	}
	t.mu.Unlock()
	if k.modes.Kitty != 0 {
		return k.kitty(dst, e)
	}
	if e.Action == KeyRelease {
		return dst
	}
	return k.legacy(dst, e)
}

// EncodeText appends text that was typed or composed.
func (t *Terminal) EncodeText(dst []byte, s string) []byte {
	t.mu.Lock()
	flags := t.page.kitty.flags()
	t.mu.Unlock()
	for _, r := range s {
		switch {
		case r < 0x20 || r >= 0x7f && r < 0xa0:
		case flags&kittyAllKeys != 0:
			k := keyModes{modes: Modes{Kitty: flags}}
			dst = k.kitty(dst, KeyEvent{Key: Key(r)})
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return dst
}

type keyModes struct {
	modes     Modes
	backspace bool // DECBKM
}

// special describes a key that writes nothing: the final byte of its sequence
// (with '~' the number before it too), and its number in the kitty protocol
// where that differs.
type special struct {
	final  byte
	number int
	ss3    bool // ESC O final without modifiers
}

var specials = map[Key]special{
	KeyUp: {final: 'A'}, KeyDown: {final: 'B'}, KeyRight: {final: 'C'}, KeyLeft: {final: 'D'},
	KeyHome: {final: 'H'}, KeyEnd: {final: 'F'},
	KeyInsert: {final: '~', number: 2}, KeyDelete: {final: '~', number: 3},
	KeyPageUp: {final: '~', number: 5}, KeyPageDown: {final: '~', number: 6},
	KeyF1: {final: 'P', ss3: true}, KeyF2: {final: 'Q', ss3: true},
	KeyF3: {final: 'R', ss3: true}, KeyF4: {final: 'S', ss3: true},
	KeyF5: {final: '~', number: 15}, KeyF6: {final: '~', number: 17}, KeyF7: {final: '~', number: 18},
	KeyF8: {final: '~', number: 19}, KeyF9: {final: '~', number: 20}, KeyF10: {final: '~', number: 21},
	KeyF11: {final: '~', number: 23}, KeyF12: {final: '~', number: 24},
}

// param is the modifier parameter: one more than the sum of the bits.
func (m Mods) param() int { return 1 + int(m) }

func (k keyModes) legacy(dst []byte, e KeyEvent) []byte {
	if s, ok := specials[e.Key]; ok {
		return k.special(dst, s, e.Mods, "")
	}
	mods := e.Mods &^ Super
	if k.modes.ModifyOther == 2 && mods != 0 && (mods != Shift || e.Key >= KeyEnter) {
		if code, ok := otherCode(e.Key); ok {
			return fmt.Appendf(dst, "\x1b[27;%d;%d~", mods.param(), code)
		}
	}
	if mods&Alt != 0 {
		dst = append(dst, 0x1b)
	}
	switch e.Key {
	case KeyEnter, KeyKeypadEnter:
		if mods&Shift != 0 && mods&Alt == 0 {
			// What Claude Code and others take for a line break where the
			// terminal cannot say Shift.
			return append(dst, 0x1b, '\r')
		}
		if e.Key == KeyKeypadEnter && k.modes.AppKeypad && mods == 0 {
			return append(dst, "\x1bOM"...)
		}
		dst = append(dst, '\r')
		if k.modes.NewLine {
			dst = append(dst, '\n')
		}
		return dst
	case KeyTab:
		if mods&Shift != 0 {
			return append(dst, "\x1b[Z"...)
		}
		return append(dst, '\t')
	case KeyBackspace:
		if (mods&Ctrl != 0) != k.backspace {
			return append(dst, 0x08)
		}
		return append(dst, 0x7f)
	case KeyEscape:
		return append(dst, 0x1b)
	}
	r := rune(e.Key)
	if mods&Ctrl == 0 {
		return utf8.AppendRune(dst, r)
	}
	if c, ok := controlByte(r); ok {
		return append(dst, c)
	}
	if k.modes.ModifyOther == 1 {
		if mods&Alt != 0 {
			dst = dst[:len(dst)-1]
		}
		return fmt.Appendf(dst, "\x1b[27;%d;%d~", mods.param(), r)
	}
	return utf8.AppendRune(dst, r)
}

// otherCode is the number of a key in CSI 27 sequences.
func otherCode(k Key) (int, bool) {
	switch k {
	case KeyEnter, KeyKeypadEnter:
		return 13, true
	case KeyTab:
		return 9, true
	case KeyBackspace:
		return 127, true
	case KeyEscape:
		return 27, true
	}
	return int(k), k < KeyEnter
}

// special appends a function or cursor key; event is ":2" or ":3" of the
// kitty protocol, or nothing.
func (k keyModes) special(dst []byte, s special, mods Mods, event string) []byte {
	kitty := k.modes.Kitty != 0
	if kitty && s.final == 'R' {
		s = special{final: '~', number: 13} // CSI R would be a CPR
	}
	plain := mods == 0 && event == ""
	switch {
	case plain && s.final == '~':
		return fmt.Appendf(dst, "\x1b[%d~", s.number)
	case plain && (s.ss3 && !kitty || !s.ss3 && k.modes.AppCursor):
		return append(dst, 0x1b, 'O', s.final)
	case plain:
		return append(dst, 0x1b, '[', s.final)
	case s.final == '~':
		return fmt.Appendf(dst, "\x1b[%d;%d%s~", s.number, mods.param(), event)
	}
	return fmt.Appendf(dst, "\x1b[1;%d%s%c", mods.param(), event, s.final)
}

// controlByte is what Ctrl makes of a character (xterm's table).
func controlByte(r rune) (byte, bool) {
	switch {
	case r >= 'a' && r <= 'z':
		return byte(r - 'a' + 1), true
	case r >= '@' && r <= '_':
		return byte(r - '@'), true
	}
	switch r {
	case ' ', '2', '`':
		return 0, true
	case '3':
		return 0x1b, true
	case '4':
		return 0x1c, true
	case '5':
		return 0x1d, true
	case '6', '~':
		return 0x1e, true
	case '7', '/', '-':
		return 0x1f, true
	case '8', '?':
		return 0x7f, true
	}
	return 0, false
}

// Flags of the kitty keyboard protocol.
const (
	kittyDisambiguate = 1
	kittyEvents       = 2
	kittyAllKeys      = 8
	kittyText         = 16
)

func (k keyModes) kitty(dst []byte, e KeyEvent) []byte {
	flags := k.modes.Kitty
	event := ""
	if flags&kittyEvents != 0 && e.Action != KeyPress {
		event = fmt.Sprintf(":%d", int(e.Action)+1)
	} else if e.Action == KeyRelease {
		return dst
	}
	if s, ok := specials[e.Key]; ok {
		return k.special(dst, s, e.Mods, event)
	}
	code, ordinary := kittyCode(e.Key)
	all := flags&kittyAllKeys != 0
	if !all && !k.escaped(e, ordinary) {
		if e.Action == KeyRelease {
			return dst
		}
		return k.legacy(dst, e)
	}
	dst = fmt.Appendf(dst, "\x1b[%d", code)
	text := ""
	if flags&kittyText != 0 && all && e.Key < KeyEnter && e.Mods&^Shift == 0 && e.Action != KeyRelease {
		text = fmt.Sprintf(";%d", rune(e.Key))
	}
	mods := e.Mods
	if unicode.IsUpper(rune(e.Key)) && e.Key < KeyEnter {
		mods |= Shift
	}
	if mods != 0 || event != "" || text != "" {
		dst = fmt.Appendf(dst, ";%d%s", mods.param(), event)
	}
	return append(append(dst, text...), 'u')
}

// escaped says whether a key is written as CSI ... u where not all are.
func (k keyModes) escaped(e KeyEvent, ordinary bool) bool {
	if k.modes.Kitty&kittyDisambiguate == 0 {
		return false
	}
	if ordinary {
		return e.Mods&^Shift != 0
	}
	return e.Key == KeyEscape || e.Key == KeyKeypadEnter || e.Mods != 0
}

// kittyCode is the number of a key, the unshifted character for those that
// write; ordinary is set for these.
func kittyCode(k Key) (code int, ordinary bool) {
	switch k {
	case KeyEnter:
		return 13, false
	case KeyTab:
		return 9, false
	case KeyBackspace:
		return 127, false
	case KeyEscape:
		return 27, false
	case KeyKeypadEnter:
		return 57414, false
	}
	return int(unicode.ToLower(rune(k))), true
}
