package vt

import (
	"fmt"
	"unicode"
	"unicode/utf8"
)

// Flags of the kitty keyboard protocol.
const (
	kittyDisambiguate = 1
	kittyEvents       = 2
	kittyAlternates   = 4
	kittyAllKeys      = 8
	kittyText         = 16
	kittyAll          = 31
)

// kittyStack holds the flags of the kitty keyboard protocol of one screen;
// the last one is in force.
type kittyStack struct {
	list [8]uint8
	n    int
}

func (k *kittyStack) flags() int {
	if k.n == 0 {
		return 0
	}
	return int(k.list[k.n-1])
}

func (k *kittyStack) push(flags int) {
	if k.n == len(k.list) {
		copy(k.list[:], k.list[1:])
		k.n--
	}
	k.list[k.n] = uint8(flags & kittyAll)
	k.n++
}

func (k *kittyStack) pop(n int) { k.n = max(k.n-n, 0) }

// set changes the flags in force: 1 to these, 2 adds them, 3 takes them away.
func (k *kittyStack) set(flags, how int) {
	if k.n == 0 {
		k.push(0)
	}
	p := &k.list[k.n-1]
	f := uint8(flags & kittyAll)
	switch how {
	case 1:
		*p = f
	case 2:
		*p |= f
	case 3:
		*p &^= f
	}
}

// kitty appends what a key sends while flags of the kitty protocol are set.
func (k keyModes) kitty(dst []byte, e KeyEvent) []byte {
	flags := k.modes.Kitty
	all := flags&kittyAllKeys != 0
	event := ""
	switch {
	case flags&kittyEvents != 0 && e.Action != KeyPress:
		event = fmt.Sprintf(":%d", int(e.Action)+1)
	case e.Action == KeyRelease:
		return dst
	}
	if !all && (e.Text != "" || e.Key >= KeyLeftShift) {
		if e.Action == KeyRelease || e.Key >= KeyLeftShift {
			return dst
		}
		return appendTyped(dst, e.Text)
	}
	if flags&kittyDisambiguate == 0 {
		e.Key = offKeypad(e.Key)
	}
	if s, ok := specialOf(e.Key, true); ok {
		return k.special(dst, s, e.Mods, event)
	}
	if !all && !k.escaped(e) {
		if e.Action == KeyRelease {
			return dst
		}
		return k.legacy(dst, e)
	}
	if isUpper(e.Key) {
		e.Mods |= Shift
	}
	return k.sequence(dst, e, kittyCode(e.Key), event, k.text(e))
}

// sequence appends CSI number:shifted:base ; modifiers:event ; text u.
func (k keyModes) sequence(dst []byte, e KeyEvent, code int, event, text string) []byte {
	dst = fmt.Appendf(dst, "\x1b[%d", code)
	if k.modes.Kitty&kittyAlternates != 0 && e.Key != 0 && e.Key < KeyEnter {
		shifted, base := e.shifted(), int(e.Base)
		if e.Mods&Shift == 0 || shifted == code {
			shifted = 0
		}
		if base == code {
			base = 0
		}
		switch {
		case shifted != 0 && base != 0:
			dst = fmt.Appendf(dst, ":%d:%d", shifted, base)
		case shifted != 0:
			dst = fmt.Appendf(dst, ":%d", shifted)
		case base != 0:
			dst = fmt.Appendf(dst, "::%d", base)
		}
	}
	switch {
	case e.Mods != 0 || event != "":
		dst = fmt.Appendf(dst, ";%d%s", e.Mods.param(), event)
	case text != "":
		dst = append(dst, ';')
	}
	sep := byte(';')
	for _, r := range text {
		dst = fmt.Appendf(append(dst, sep), "%d", r)
		sep = ':'
	}
	return append(dst, 'u')
}

// text is what goes with a key where the program asked for it: nothing for
// what writes nothing.
func (k keyModes) text(e KeyEvent) string {
	const both = kittyText | kittyAllKeys
	switch {
	case k.modes.Kitty&both != both || e.Action == KeyRelease:
		return ""
	case e.Text != "":
		return string(appendTyped(nil, e.Text))
	case e.Mods&^(Shift|locks) != 0:
		return ""
	}
	if c, ok := keypadText(e.Key); ok {
		return string(c)
	}
	switch {
	case e.Key >= KeyEnter || control(rune(e.Key)):
		return ""
	case e.Mods&Shift != 0:
		return string(rune(e.shifted()))
	case e.Mods&CapsLock != 0:
		return string(unicode.ToUpper(rune(e.Key)))
	}
	return string(rune(e.Key))
}

func isUpper(k Key) bool { return k < KeyEnter && unicode.IsUpper(rune(k)) }

// shifted is what the key writes with Shift, as far as it is known.
func (e KeyEvent) shifted() int {
	if e.Shifted != 0 {
		return int(e.Shifted)
	}
	if r, n := utf8.DecodeRuneInString(e.Text); n > 0 && n == len(e.Text) && e.Mods&Shift != 0 && !control(r) {
		return int(r)
	}
	return int(unicode.ToUpper(rune(e.Key)))
}

// escaped says whether a key is written as CSI ... u where not all are: what
// in the old way would be taken for something else.
func (k keyModes) escaped(e KeyEvent) bool {
	if k.modes.Kitty&kittyDisambiguate == 0 {
		return false
	}
	switch {
	case e.Key == KeyEscape || e.Key >= KeyKeypadEnter:
		return true
	case e.Key >= KeyEnter:
		return e.Mods&^locks != 0 // so that one can still type "reset"
	}
	return e.Mods&^(Shift|locks) != 0
}

// kittyCode is the number of a key: the unshifted character for those that
// write.
func kittyCode(k Key) int {
	switch k {
	case KeyEnter:
		return 13
	case KeyTab:
		return 9
	case KeyBackspace:
		return 127
	case KeyEscape:
		return 27
	case KeyKeypadEnter:
		return 57414
	}
	if k > KeyKeypadEnter {
		return int(k - kittyBase)
	}
	return int(unicode.ToLower(rune(k)))
}

// keypadKeys are the keys of the keypad between the digits and KeyKeypadBegin
// as an ordinary keyboard has them, in order.
var keypadKeys = [...]Key{
	'.', '/', '*', '-', '+', KeyKeypadEnter, '=', ',', KeyLeft, KeyRight, KeyUp, KeyDown,
	KeyPageUp, KeyPageDown, KeyHome, KeyEnd, KeyInsert, KeyDelete,
}

// offKeypad returns the key that means the same outside the keypad.
func offKeypad(k Key) Key {
	switch {
	case k >= KeyKeypad0 && k <= KeyKeypad9:
		return '0' + k - KeyKeypad0
	case k >= KeyKeypadDecimal && k <= KeyKeypadDelete:
		return keypadKeys[k-KeyKeypadDecimal]
	}
	return k
}

// keypadText is what a key of the keypad writes.
func keypadText(k Key) (rune, bool) {
	if k < KeyKeypad0 || k > KeyKeypadSeparator {
		return 0, false
	}
	k = offKeypad(k)
	return rune(k), k < KeyEnter
}

// keypadFinal ends the SS3 sequence of a key in application keypad mode
// (VT220, table 3-7).
func keypadFinal(k Key) (byte, bool) {
	if k == KeyKeypadEnter {
		return 'M', true
	}
	r, ok := keypadText(k)
	switch {
	case !ok:
		return 0, false
	case r == '=':
		return 'X', true
	}
	return byte(r) + 'p' - '0', true
}

// specialOf returns how a key that writes nothing is written, if it has a
// sequence of its own; the kitty protocol has numbers for F13 and up.
func specialOf(k Key, kitty bool) (special, bool) {
	switch {
	case kitty && (k >= KeyF13 && k <= KeyF35 || k == KeyMenu):
		return special{}, false
	case k >= KeyF13 && k <= KeyF20:
		return special{final: '~', number: [...]int{25, 26, 28, 29, 31, 32, 33, 34}[k-KeyF13]}, true
	case k == KeyMenu:
		return special{final: '~', number: 29}, true
	case k == KeyKeypadBegin:
		return special{final: 'E'}, true
	}
	s, ok := specials[k]
	return s, ok
}
