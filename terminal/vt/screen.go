package vt

import "time"

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

// Line is one row of cells.
type Line struct {
	Cells []Cell
	// Seq changes whenever the line's cells do; no two different contents of
	// one Terminal have the same one.
	Seq uint64
	// Wrapped says that the text goes on in the next line without a break.
	Wrapped bool
	// Prompt says that a shell marked the line as a prompt (OSC 133).
	Prompt bool
}

// Screen is a look at a Terminal; see Terminal.View. Lines are counted from
// the first one that ever scrolled off: lines First to Top-1 are the
// scrollback, Top to Top+Rows-1 the screen.
type Screen struct {
	Cols, Rows int
	First, Top int
	Cursor     Cursor
	Modes      Modes
	Title      string
	// Epoch changes when lines are renumbered (resize, reset).
	Epoch uint64
	// Seq changes with anything that is seen.
	Seq uint64
	// Held is when a program's hold on the screen ends; zero without one.
	Held time.Time

	m       *machine
	rows    []*row
	scratch []Cell
}
