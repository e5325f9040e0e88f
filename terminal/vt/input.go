package vt

// Mods are the modifier keys held, in the order of xterm's parameter.
type Mods uint8

// The modifiers.
const (
	Shift Mods = 1 << iota
	Alt
	Ctrl
	Super
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

// KeyAction is what happened to a key.
type KeyAction uint8

// The actions; only the kitty protocol tells them apart.
const (
	KeyPress KeyAction = iota
	KeyRepeat
	KeyRelease
)

// KeyEvent is a key to be sent.
type KeyEvent struct {
	Key    Key
	Mods   Mods
	Action KeyAction
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
