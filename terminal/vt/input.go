package vt

import (
	"fmt"
	"unicode/utf8"
)

// Mods are the modifier keys held, in the order of xterm's parameter.
type Mods uint8

// The modifiers.
const (
	Shift Mods = 1 << iota
	Alt
	Ctrl
	Super
	Hyper
	Meta
	CapsLock
	NumLock

	locks = CapsLock | NumLock
)

// Key is a key of the keyboard: a rune for those that write, else one of the
// constants below.
type Key rune

// Keys that write nothing. They lie in a private part of Unicode.
const (
	KeyEnter Key = 0xf0000 + iota
	KeyTab
	KeyBackspace
	KeyEscape
	KeyUp
	KeyDown
	KeyRight
	KeyLeft
	KeyHome
	KeyEnd
	KeyInsert
	KeyDelete
	KeyPageUp
	KeyPageDown
	KeyF1
	KeyF2
	KeyF3
	KeyF4
	KeyF5
	KeyF6
	KeyF7
	KeyF8
	KeyF9
	KeyF10
	KeyF11
	KeyF12
	KeyKeypadEnter
)

// kittyBase is what the keys below lie above their numbers in the kitty
// protocol.
const kittyBase Key = 0xf0000

// Keys that few keyboards have, or few programs ask for. The digits of the
// keypad, F13 to F35 and the media keys follow each other.
const (
	KeyCapsLock        = kittyBase + 57358
	KeyScrollLock      = kittyBase + 57359
	KeyNumLock         = kittyBase + 57360
	KeyPrintScreen     = kittyBase + 57361
	KeyPause           = kittyBase + 57362
	KeyMenu            = kittyBase + 57363
	KeyF13             = kittyBase + 57376
	KeyF20             = kittyBase + 57383
	KeyF35             = kittyBase + 57398
	KeyKeypad0         = kittyBase + 57399
	KeyKeypad9         = kittyBase + 57408
	KeyKeypadDecimal   = kittyBase + 57409
	KeyKeypadDivide    = kittyBase + 57410
	KeyKeypadMultiply  = kittyBase + 57411
	KeyKeypadSubtract  = kittyBase + 57412
	KeyKeypadAdd       = kittyBase + 57413
	KeyKeypadEqual     = kittyBase + 57415
	KeyKeypadSeparator = kittyBase + 57416
	KeyKeypadLeft      = kittyBase + 57417
	KeyKeypadRight     = kittyBase + 57418
	KeyKeypadUp        = kittyBase + 57419
	KeyKeypadDown      = kittyBase + 57420
	KeyKeypadPageUp    = kittyBase + 57421
	KeyKeypadPageDown  = kittyBase + 57422
	KeyKeypadHome      = kittyBase + 57423
	KeyKeypadEnd       = kittyBase + 57424
	KeyKeypadInsert    = kittyBase + 57425
	KeyKeypadDelete    = kittyBase + 57426
	KeyKeypadBegin     = kittyBase + 57427
	KeyMediaPlay       = kittyBase + 57428
	KeyMuteVolume      = kittyBase + 57440
	KeyLeftShift       = kittyBase + 57441
	KeyLeftControl     = kittyBase + 57442
	KeyLeftAlt         = kittyBase + 57443
	KeyLeftSuper       = kittyBase + 57444
	KeyLeftHyper       = kittyBase + 57445
	KeyLeftMeta        = kittyBase + 57446
	KeyRightShift      = kittyBase + 57447
	KeyRightControl    = kittyBase + 57448
	KeyRightAlt        = kittyBase + 57449
	KeyRightSuper      = kittyBase + 57450
	KeyRightHyper      = kittyBase + 57451
	KeyRightMeta       = kittyBase + 57452
	KeyLevel3Shift     = kittyBase + 57453
	KeyLevel5Shift     = kittyBase + 57454
)

// KeyAction is what happened to a key.
type KeyAction uint8

// The actions; only the kitty protocol tells them apart.
const (
	KeyPress KeyAction = iota
	KeyRepeat
	KeyRelease
)

// KeyEvent is a key to be sent. What a toolkit does not know stays zero.
type KeyEvent struct {
	Key    Key
	Mods   Mods
	Action KeyAction

	// Shifted is what the key writes with Shift, Base the key at its place on
	// a US keyboard; only the kitty protocol tells them (flag 4).
	Shifted, Base rune

	// Text is what the press writes, after the layout and dead keys had their
	// say. Where a program did not ask for all keys as sequences it is sent as
	// it is, whatever the modifiers. Without it the key writes itself.
	Text string
}

// MouseButton is a button or a direction of the wheel.
type MouseButton uint8

// Buttons, numbered as reports do.
const (
	MouseLeft       MouseButton = 0
	MouseMiddle     MouseButton = 1
	MouseRight      MouseButton = 2
	MouseNoButton   MouseButton = 3
	MouseWheelUp    MouseButton = 64
	MouseWheelDown  MouseButton = 65
	MouseWheelLeft  MouseButton = 66
	MouseWheelRight MouseButton = 67
)

// MouseEvent is something the pointer did, at a cell and a pixel of the grid
// from 0.
type MouseEvent struct {
	Button         MouseButton
	Col, Row       int
	PixelX, PixelY int
	Mods           Mods
	Release        bool
	Motion         bool
}

// EncodePaste appends pasted text: controls taken out, line ends as Return,
// in brackets where the program asked for them (mode 2004).
func (t *Terminal) EncodePaste(dst []byte, s string) []byte {
	t.mu.Lock()
	brackets := t.modes.has(modeBracketed)
	t.mu.Unlock()
	if brackets {
		dst = append(dst, "\x1b[200~"...)
	}
	dst = appendPlain(dst, s)
	if brackets {
		dst = append(dst, "\x1b[201~"...)
	}
	return dst
}

// appendPlain appends text with line ends as Return and without controls: no
// escape sequence, raw or as a C1 character, survives it.
func appendPlain(dst []byte, s string) []byte {
	cr := false
	for _, r := range s {
		switch {
		case r == '\n' && cr:
			cr = false
			continue
		case r == '\n' || r == '\r':
			cr = r == '\r'
			dst = append(dst, '\r')
			continue
		case r == '\t' || r >= 0x20 && (r < 0x7f || r > 0x9f):
			dst = utf8.AppendRune(dst, r)
		}
		cr = false
	}
	return dst
}

// EncodeFocus appends a focus report where the program asked for it.
func (t *Terminal) EncodeFocus(dst []byte, focused bool) []byte {
	t.mu.Lock()
	on := t.modes.has(modeFocus)
	t.mu.Unlock()
	switch {
	case on && focused:
		return append(dst, "\x1b[I"...)
	case on:
		return append(dst, "\x1b[O"...)
	}
	return dst
}

// EncodeMouse appends a report of the pointer, or nothing where the program
// asked for none of its kind.
func (t *Terminal) EncodeMouse(dst []byte, e MouseEvent) []byte {
	t.mu.Lock()
	mode, enc, cols, rows := t.mouse, t.mouseEnc, t.cols, t.rows
	t.mu.Unlock()
	if !wantsMouse(mode, e) {
		return dst
	}
	e.Col, e.Row = clamp(e.Col, 0, cols-1), clamp(e.Row, 0, rows-1)
	code := int(e.Button)
	if e.Release && enc != mouseSGR && enc != mousePixels {
		code = int(MouseNoButton)
	}
	if e.Motion {
		code += 32
	}
	if mode != MouseX10 {
		code += int(e.Mods&Shift)<<2 | int(e.Mods&Alt)<<2 | int(e.Mods&Ctrl)<<2
	}
	x, y := e.Col+1, e.Row+1
	switch enc {
	case mouseSGR, mousePixels:
		if enc == mousePixels {
			x, y = max(e.PixelX, 0)+1, max(e.PixelY, 0)+1
		}
		final := byte('M')
		if e.Release {
			final = 'm'
		}
		return append(fmt.Appendf(dst, "\x1b[<%d;%d;%d", code, x, y), final)
	case mouseURXVT:
		return fmt.Appendf(dst, "\x1b[%d;%d;%dM", code+32, x, y)
	case mouseUTF8:
		if x > 2015 || y > 2015 {
			return dst
		}
		dst = append(dst, "\x1b[M"...)
		for _, v := range [...]int{code, x, y} {
			dst = utf8.AppendRune(dst, rune(v+32))
		}
		return dst
	}
	if x > 223 || y > 223 {
		return dst
	}
	return append(dst, 0x1b, '[', 'M', byte(code+32), byte(x+32), byte(y+32))
}

func wantsMouse(mode MouseMode, e MouseEvent) bool {
	switch mode {
	case MouseX10:
		return !e.Motion && !e.Release && e.Button < MouseNoButton
	case MouseButtons:
		return !e.Motion
	case MouseDrag:
		return !e.Motion || e.Button != MouseNoButton
	case MouseAny:
		return true
	}
	return false
}
