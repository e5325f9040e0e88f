package vt

import (
	"fmt"
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

// EncodeText appends text that came without a key that is known: composed, or
// from an input method.
func (t *Terminal) EncodeText(dst []byte, s string) []byte {
	t.mu.Lock()
	flags := t.page.kitty.flags()
	t.mu.Unlock()
	if flags&kittyAllKeys == 0 {
		return appendTyped(dst, s)
	}
	k := keyModes{modes: Modes{Kitty: flags}}
	if flags&kittyText != 0 && utf8.RuneCountInString(s) > 1 {
		return k.sequence(dst, KeyEvent{}, 0, "", string(appendTyped(nil, s)))
	}
	for _, r := range s {
		if !control(r) {
			dst = k.kitty(dst, KeyEvent{Key: Key(r)})
		}
	}
	return dst
}

func control(r rune) bool { return r < 0x20 || r >= 0x7f && r < 0xa0 }

// appendTyped appends text without its control characters.
func appendTyped(dst []byte, s string) []byte {
	for _, r := range s {
		if !control(r) {
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
	if e.Text != "" {
		return appendTyped(dst, e.Text)
	}
	mods := e.Mods & (Shift | Alt | Ctrl)
	e.Mods &= Shift | Alt | Ctrl | Super
	if k.modes.AppKeypad && e.Mods == 0 {
		if c, ok := keypadFinal(e.Key); ok {
			return append(dst, 0x1b, 'O', c)
		}
	}
	e.Key = offKeypad(e.Key)
	if s, ok := specialOf(e.Key, false); ok {
		return k.special(dst, s, e.Mods, "")
	}
	if e.Key >= kittyBase+57344 {
		return dst // no way to say it
	}
	if code, ok := k.other(e.Key, mods); ok {
		return fmt.Appendf(dst, "\x1b[27;%d;%d~", mods.param(), code)
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

// other returns the number of a key that XTMODKEYS 4 makes a CSI 27 sequence:
// with 2 every key with a modifier that changes more than its letter, with 1
// only Return and Tab, which else would lose theirs.
func (k keyModes) other(key Key, mods Mods) (int, bool) {
	code, ok := int(key), key < KeyEnter
	switch key {
	case KeyEnter, KeyKeypadEnter:
		code, ok = 13, true
	case KeyTab:
		code, ok = 9, true
	case KeyBackspace:
		code, ok = 127, true
	case KeyEscape:
		code, ok = 27, true
	}
	switch {
	case !ok || mods == 0 || k.modes.ModifyOther == 0:
		return 0, false
	case k.modes.ModifyOther == 1:
		return code, code == 13 || code == 9 && mods != Shift
	}
	return code, mods != Shift || key >= KeyEnter
}

// special appends a function or cursor key; event is ":2" or ":3" of the
// kitty protocol, or nothing.
func (k keyModes) special(dst []byte, s special, mods Mods, event string) []byte {
	// Any flag but the one for alternate keys asks for sequences that cannot
	// be taken for something else.
	csi := k.modes.Kitty&^(kittyAlternates|kittyText) != 0
	if csi && s.final == 'R' {
		s = special{final: '~', number: 13} // CSI R would be a CPR
	}
	plain := mods == 0 && event == ""
	switch {
	case plain && s.final == '~':
		return fmt.Appendf(dst, "\x1b[%d~", s.number)
	case plain && !csi && (s.ss3 || k.modes.AppCursor):
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
