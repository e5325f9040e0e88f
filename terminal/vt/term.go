package vt

import (
	"sync"
	"time"
)

// Bounds that no sequence can exceed.
const (
	// DefaultScrollback is the number of lines kept above the screen.
	DefaultScrollback = 50_000

	maxCols = 2000
	maxRows = 1000

	// syncLimit is how long a program may hold back the screen with
	// mode 2026 before it is shown as it is.
	syncLimit = 150 * time.Millisecond
)

// Options say what a Terminal is like. The zero value is a screen of 80 by 24
// with the default scrollback.
type Options struct {
	Cols, Rows int

	// Scrollback is the number of lines kept above the main screen; 0 is
	// DefaultScrollback, less than 0 keeps none.
	Scrollback int

	// Name and Version are the answer to XTVERSION: "bottlebar(1.2)". An
	// empty Name is "bottlebar".
	Name, Version string

	// Colors are what queries for colours are answered with.
	Colors Colors

	// TellTheme says that a program that asks for changes of the colour
	// scheme (mode 2031) is told the one there is at once: it may have been
	// started where another one was, or nobody watched.
	TellTheme bool

	// NoKitty says that keys come from somewhere that cannot speak the kitty
	// protocol or XTMODKEYS, so that programs are not told of them.
	NoKitty bool

	// Inspect allows a test to read the screen back through DECRQCRA and to
	// have window reports answered. Never set it for a program that is not
	// trusted.
	Inspect bool

	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// RGB is a colour on the screen, one byte a part.
type RGB struct{ R, G, B uint8 }

// Colors are the colours that the defaults and the palette stand for. Where
// Palette is all black the usual sixteen of xterm are taken.
type Colors struct {
	Foreground, Background, Cursor RGB
	Palette                        [16]RGB
	// Dark says that the theme is a dark one (DSR 996, mode 2031).
	Dark bool
}

// Terminal is the emulator. Its methods may be called from any goroutine.
type Terminal struct {
	mu      sync.Mutex
	replies replyQueue
	machine
}

// New returns a Terminal. Sizes out of range are brought into it.
func New(o Options) *Terminal {
	t := &Terminal{}
	t.replies.init()
	t.machine.init(o, &t.replies)
	return t
}

// writeChunk bounds how long one Write keeps a painter waiting.
const writeChunk = 16 << 10

// Write feeds output of the program. It takes all of p, never fails, never
// blocks on anything but a painter, and keeps no reference to p.
func (t *Terminal) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		k := min(len(p), writeChunk)
		t.mu.Lock()
		t.feed(p[:k])
		t.mu.Unlock()
		p = p[k:]
	}
	return n, nil
}

// Resize changes the grid. The main screen is wrapped anew; the alternate
// one is cut or extended.
func (t *Terminal) Resize(cols, rows int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.resize(cols, rows)
}

// Size returns the columns and rows of the grid.
func (t *Terminal) Size() (cols, rows int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.cols, t.rows
}

// SetPixels tells the size of a cell in device pixels, for window reports
// (CSI 14 t, CSI 16 t) and mouse mode 1016. Zero (the start) leaves those
// reports unanswered.
func (t *Terminal) SetPixels(cellW, cellH int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cellW, t.cellH = max(cellW, 0), max(cellH, 0)
}

// SetColors changes the colours that queries are answered with. A program
// that asked for it (mode 2031) is told when Dark changes.
func (t *Terminal) SetColors(c Colors) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.setColors(c)
}

// Reset does what RIS does, and drops the scrollback.
func (t *Terminal) Reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.hardReset()
}

// ClearScrollback drops the lines above the screen.
func (t *Terminal) ClearScrollback() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dropHistory()
}

// Replies returns the reader of answers to the program's queries. Read blocks
// until there is one and returns io.EOF after Close. The queue is bounded:
// answers that nobody fetches are dropped, whole ones at a time.
func (t *Terminal) Replies() *Replies { return &Replies{q: &t.replies} }

// TakeReplies appends the answers that wait to dst without blocking.
func (t *Terminal) TakeReplies(dst []byte) []byte { return t.replies.take(dst) }

// TakeEvents returns what happened since the last call. At most 64 wait; a
// flood of the same kind is kept as its last one.
func (t *Terminal) TakeEvents() []Event {
	t.mu.Lock()
	defer t.mu.Unlock()
	ev := t.events
	t.events = nil
	return ev
}

// Close ends the replies. The screen can still be read.
func (t *Terminal) Close() error {
	t.replies.close()
	return nil
}

// View calls f with the screen as it is to be shown. While a program holds
// the screen back (mode 2026, at most 150 ms) that is how it stood before. The
// Screen and what it returned are valid only inside f, which must not call
// methods of the Terminal.
func (t *Terminal) View(f func(*Screen)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f(t.screen())
}
