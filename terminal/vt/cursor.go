package vt

// CursorShape is what DECSCUSR asks for.
type CursorShape uint8

// The shapes.
const (
	CursorBlock CursorShape = iota
	CursorUnderline
	CursorBar
)

// Cursor is where the next character goes and how that is shown.
type Cursor struct {
	X, Y    int // column and row of the screen, from 0
	Shape   CursorShape
	Blink   bool
	Visible bool
}

// MouseMode is which pointer events a program wants.
type MouseMode uint8

// The modes 9, 1000, 1002 and 1003.
const (
	MouseNone MouseMode = iota
	MouseX10
	MouseButtons
	MouseDrag
	MouseAny
)

// Modes are the switches that input and painting depend on.
type Modes struct {
	AppCursor      bool // DECCKM
	AppKeypad      bool // DECNKM
	BracketedPaste bool // 2004
	Focus          bool // 1004
	AltScreen      bool // 47, 1047, 1049
	AltScroll      bool // 1007: the wheel sends arrows on the alternate screen
	Mouse          MouseMode
	Reverse        bool // DECSCNM
	Sync           bool // 2026 is set now
	NewLine        bool // LNM
	Kitty          int  // flags of the kitty keyboard protocol
	ModifyOther    int  // XTMODKEYS 4
}
