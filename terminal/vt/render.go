package vt

import "fmt"

// maxCatchUp bounds the lines of scrollback that one frame writes.
const maxCatchUp = 2000

// Renderer keeps another terminal showing what a Terminal shows, by
// differences. It writes text without controls, cursor positions, erasing,
// SGR, and the few modes that a person's keys and pointer depend on; nothing
// that the program sent passes through as it was. Lines that scroll off the
// main screen scroll off there too, so that terminal's own scrollback fills.
type Renderer struct {
	cols, rows int
	cells      [][]Cell
	seqs       []uint64
	epoch      uint64
	top        int
	alt        bool
	known      bool // the model above is what the other side shows
	cursor     Cursor
	modes      Modes
	mouseSGR   bool
	started    bool
}

// NewRenderer returns a Renderer for a terminal of that size, which it takes
// to be in an unknown state.
func NewRenderer(cols, rows int) *Renderer {
	r := &Renderer{}
	r.Resize(cols, rows)
	return r
}

// Resize tells the size of the other terminal; the next frame is a whole one.
func (r *Renderer) Resize(cols, rows int) {
	r.cols, r.rows = clamp(cols, 1, maxCols), clamp(rows, 1, maxRows)
	r.cells = make([][]Cell, r.rows)
	for i := range r.cells {
		r.cells[i] = make([]Cell, r.cols)
	}
	r.seqs = make([]uint64, r.rows)
	r.known = false
}

// Frame appends what brings the other terminal from the last frame to how t
// stands now; nothing where nothing changed.
func (r *Renderer) Frame(dst []byte, t *Terminal) []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.screen()
	w := &drawer{m: &t.machine, b: dst}
	start := len(dst)
	w.b = append(w.b, "\x1b[?25l"...)
	quiet := len(w.b)
	r.inputModes(w, s, t.mouseEnc == mouseSGR)
	if s.Modes.AltScreen != r.alt {
		r.alt = s.Modes.AltScreen
		w.b = fmt.Appendf(w.b, "\x1b[?1049%c", "lh"[btoi(r.alt)])
		r.known = false
	}
	if r.known && !r.alt && s.Epoch == r.epoch && s.Top > r.top {
		r.scroll(w, s)
	}
	if !r.known || s.Epoch != r.epoch {
		r.blank(w)
	}
	r.epoch, r.top, r.known = s.Epoch, s.Top, true
	for y := range r.rows {
		r.line(w, s, s.Top+y, y)
	}
	w.style(Cell{})
	if len(w.b) == quiet && s.Cursor == r.cursor && r.started {
		return dst[:start]
	}
	r.started = true
	return r.showCursor(w.b, s)
}

// blank clears the other screen and the model of it.
func (r *Renderer) blank(w *drawer) {
	w.b = append(w.b, "\x1b[0m\x1b[r\x1b[?6l\x1b[?7h\x1b[4l\x0f\x1b[H\x1b[2J"...)
	for y := range r.cells {
		clear(r.cells[y])
		r.seqs[y] = 0
	}
}

// scroll lets lines go off the top as they did here, each drawn in its last
// state first.
func (r *Renderer) scroll(w *drawer, s *Screen) {
	r.top = max(r.top, s.First, s.Top-maxCatchUp)
	for r.top < s.Top {
		n := min(s.Top-r.top, r.rows)
		for y := range n {
			r.line(w, s, r.top+y, y)
		}
		w.style(Cell{})
		w.b = fmt.Appendf(w.b, "\x1b[%dH", r.rows)
		for range n {
			w.b = append(w.b, '\n')
		}
		for range n {
			first := r.cells[0]
			copy(r.cells, r.cells[1:])
			copy(r.seqs, r.seqs[1:])
			clear(first)
			r.cells[r.rows-1], r.seqs[r.rows-1] = first, 0
		}
		r.top += n
	}
}

// line draws line n of the screen at row y, from the first column that
// differs to the last.
func (r *Renderer) line(w *drawer, s *Screen, n, y int) {
	l := s.Line(n)
	if l.Seq == r.seqs[y] && l.Seq != 0 {
		return
	}
	r.seqs[y] = l.Seq
	have := r.cells[y]
	want := make([]Cell, r.cols)
	copy(want, l.Cells)
	if len(l.Cells) > r.cols && want[r.cols-1].Attr&attrWide != 0 {
		want[r.cols-1] = Cell{BG: want[r.cols-1].BG}
	}
	for x := range want {
		want[x].Attr = w.withoutLink(want[x].Attr)
	}
	x0, x1 := 0, r.cols
	for x0 < x1 && have[x0] == want[x0] {
		x0++
	}
	for x1 > x0 && have[x1-1] == want[x1-1] {
		x1--
	}
	if x0 == x1 {
		return
	}
	for x0 > 0 && want[x0].Attr&attrSpacer != 0 {
		x0--
	}
	end := r.cols
	for end > x0 && want[end-1].empty() {
		end--
	}
	w.b = fmt.Appendf(w.b, "\x1b[%d;%dH", y+1, x0+1)
	for x := x0; x < min(x1, end); x++ {
		c := want[x]
		if c.Attr&attrSpacer != 0 {
			continue
		}
		w.style(c)
		w.b = w.m.appendText(w.b, c)
		if c.ch >= 0x80 && c.ch != 0 && x+c.Width() < r.cols {
			// That terminal may count its columns otherwise.
			w.b = fmt.Appendf(w.b, "\x1b[%dG", x+c.Width()+1)
		}
	}
	if x1 > end {
		w.style(Cell{})
		w.b = fmt.Appendf(w.b, "\x1b[%d;%dH\x1b[K", y+1, end+1)
	}
	copy(have, want)
}

// withoutLink drops links and protection, which the other side is not given.
func (w *drawer) withoutLink(a Attr) Attr {
	a &^= Protected
	if x := w.m.extraOf(a); x.link != 0 {
		x.link = 0
		a = w.m.withExtra(a, x)
	}
	return a
}

// inputModes forwards the modes that shape what the other terminal sends.
func (r *Renderer) inputModes(w *drawer, s *Screen, sgr bool) {
	if r.started && s.Modes == r.modes && sgr == r.mouseSGR {
		return
	}
	set := func(n int, on, was bool) {
		if on != was || !r.started {
			w.b = fmt.Appendf(w.b, "\x1b[?%d%c", n, "lh"[btoi(on)])
		}
	}
	set(1, s.Modes.AppCursor, r.modes.AppCursor)
	set(66, s.Modes.AppKeypad, r.modes.AppKeypad)
	set(1004, s.Modes.Focus, r.modes.Focus)
	set(2004, s.Modes.BracketedPaste, r.modes.BracketedPaste)
	set(5, s.Modes.Reverse, r.modes.Reverse)
	set(1000, s.Modes.Mouse == MouseButtons, r.modes.Mouse == MouseButtons)
	set(1002, s.Modes.Mouse == MouseDrag, r.modes.Mouse == MouseDrag)
	set(1003, s.Modes.Mouse == MouseAny, r.modes.Mouse == MouseAny)
	set(1006, sgr, r.mouseSGR)
	r.modes, r.mouseSGR = s.Modes, sgr
}

func (r *Renderer) showCursor(b []byte, s *Screen) []byte {
	c := s.Cursor
	if c.Shape != r.cursor.Shape || c.Blink != r.cursor.Blink {
		n := 2 * (int(c.Shape) + 1)
		b = fmt.Appendf(b, "\x1b[%d q", n-btoi(c.Blink))
	}
	r.cursor = c
	b = fmt.Appendf(b, "\x1b[%d;%dH", min(c.Y, r.rows-1)+1, min(c.X, r.cols-1)+1)
	if c.Visible {
		b = append(b, "\x1b[?25h"...)
	}
	return b
}

// Finish appends what leaves the other terminal as a person expects it after
// the program: modes off, cursor shown, below the last line.
func (r *Renderer) Finish(dst []byte) []byte {
	if !r.started {
		return dst
	}
	dst = append(dst, "\x1b[?1l\x1b[?66l\x1b[?1004l\x1b[?2004l\x1b[?5l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l"...)
	if r.alt {
		dst = append(dst, "\x1b[?1049l"...)
	} else {
		last := 0
		for y, cells := range r.cells {
			for _, c := range cells {
				if !c.empty() {
					last = y
				}
			}
		}
		dst = fmt.Appendf(dst, "\x1b[%dH", max(last, r.cursor.Y)+1)
	}
	r.started, r.known, r.alt = false, false, false
	return append(dst, "\x1b[0m\x1b[0 q\x1b[?25h\r\n"...)
}
