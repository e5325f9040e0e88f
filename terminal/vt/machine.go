package vt

// machine is a Terminal without its locks.
type machine struct {
	opts         Options
	cols, rows   int
	cellW, cellH int
	events       []Event
	out          *replyQueue
}

type row struct {
	cells []Cell
}

func (m *machine) init(o Options, q *replyQueue) { m.opts, m.out = o, q; m.cols, m.rows = o.Cols, o.Rows }
func (m *machine) feed([]byte)                   {}
func (m *machine) resize(cols, rows int)         { m.cols, m.rows = cols, rows }
func (m *machine) setColors(Colors)              {}
func (m *machine) hardReset()                    {}
func (m *machine) dropHistory()                  {}
func (m *machine) screen() *Screen               { return &Screen{m: m, Cols: m.cols, Rows: m.rows} }

// AppendRedraw appends bytes that rebuild the screen, modes and title in
// another terminal of the same size, which it resets first.
func (t *Terminal) AppendRedraw(dst []byte) []byte { return dst }

// AppendReplay is AppendRedraw with the last lines of the scrollback before
// the screen.
func (t *Terminal) AppendReplay(dst []byte, history int) []byte { return dst }

// Renderer keeps another terminal showing what a Terminal shows, by
// differences and with plain sequences only.
type Renderer struct{ cols, rows int }

// NewRenderer returns a Renderer for a terminal of that size, which it takes
// to be in an unknown state.
func NewRenderer(cols, rows int) *Renderer { return &Renderer{cols: cols, rows: rows} }

// Resize tells the size of the other terminal; the next frame is a whole one.
func (r *Renderer) Resize(cols, rows int) { r.cols, r.rows = cols, rows }

// Frame appends what brings the other terminal from the last frame to how t
// stands now; nothing where nothing changed.
func (r *Renderer) Frame(dst []byte, t *Terminal) []byte { return dst }

// Finish appends what leaves the other terminal as a person expects it after
// the program: modes off, cursor shown, below the last line.
func (r *Renderer) Finish(dst []byte) []byte { return dst }

// EncodeKey appends what a key sends, by the modes that the program set.
func (t *Terminal) EncodeKey(dst []byte, e KeyEvent) []byte { return dst }

// EncodeText appends typed or composed text.
func (t *Terminal) EncodeText(dst []byte, s string) []byte { return append(dst, s...) }

// EncodeMouse appends a report of the pointer, or nothing where the program
// asked for none of its kind.
func (t *Terminal) EncodeMouse(dst []byte, e MouseEvent) []byte { return dst }

// EncodePaste appends pasted text: controls taken out, line ends as Return,
// in brackets where the program asked for them.
func (t *Terminal) EncodePaste(dst []byte, s string) []byte { return append(dst, s...) }

// EncodeFocus appends a focus report where the program asked for it.
func (t *Terminal) EncodeFocus(dst []byte, focused bool) []byte { return dst }

// Line returns line n; the zero Line where there is none. Cells of a
// scrollback line are valid until the next call.
func (s *Screen) Line(n int) Line { return Line{} }

// Text returns a cell's characters; " " for a blank, "" for the second column
// of a wide one.
func (s *Screen) Text(c Cell) string { return "" }

// UnderlineColor returns the colour of a cell's underline; the default is the
// colour of the text.
func (s *Screen) UnderlineColor(c Cell) Color { return 0 }

// Link returns the address of an OSC 8 link, with an id that the cells of one
// link share; zero and empty without one. It is the program's text.
func (s *Screen) Link(c Cell) (id uint32, uri string) { return 0, "" }

// Color returns what palette entry i was set to by OSC 4, if it was.
func (s *Screen) Color(i uint8) (RGB, bool) { return RGB{}, false }

// DynamicColors returns the colours that a program set by OSC 10, 11 and 12;
// nil where it did not.
func (s *Screen) DynamicColors() (fg, bg, cursor *RGB) { return nil, nil, nil }

// Point is a cell by line (see Screen) and column.
type Point struct{ Line, Col int }

// Selection is a part of the lines: from a cell to another one, both within.
// A block takes the same columns of each line.
type Selection struct {
	From, To Point
	Block    bool
}

// Selected returns the text of a selection as it goes to a clipboard: soft
// wraps joined, trailing blanks and concealed cells left out, lines ended by
// "\n" between them.
func (s *Screen) Selected(sel Selection) string { return "" }

// Word returns the word at p: a run of characters that are part of words,
// paths and addresses, across soft wraps.
func (s *Screen) Word(p Point) Selection { return Selection{From: p, To: p} }

// Paragraph returns the whole line at p with its soft-wrapped neighbours.
func (s *Screen) Paragraph(p Point) Selection { return Selection{From: p, To: p} }
