package vt

import "time"

// Line is one row of cells.
type Line struct {
	Cells []Cell
	// Seq changes whenever the line's cells do; no two different contents of
	// one Terminal have the same one within an Epoch.
	Seq uint64
	// Wrapped says that the text goes on in the next line without a break.
	Wrapped bool
	// Prompt says that a shell marked the line as a prompt (OSC 133).
	Prompt bool
}

// Screen is a look at a Terminal; see Terminal.View. Lines are counted from
// the first one that ever scrolled off: lines First to Top-1 are the
// scrollback (none on the alternate screen), Top to Top+Rows-1 the screen.
type Screen struct {
	Cols, Rows int
	First, Top int
	Cursor     Cursor
	Modes      Modes
	Title      string
	// Epoch changes when lines are renumbered or colours change under them
	// all: nothing painted before is of use.
	Epoch uint64
	// Seq changes with anything that is seen but the cursor.
	Seq uint64
	// Held is when a program's hold on the screen ends; zero without one.
	Held time.Time

	m       *machine
	rows    []*row
	scratch []Cell
}

// frame is a copy of what was shown when a program took hold of the screen.
type frame struct {
	on    bool
	until time.Time
	rows  []*row
	shown Screen
}

// hold is mode 2026. What was shown stays so until the program lets go or its
// time is over.
func (m *machine) hold(on bool) {
	f := &m.shadow
	if on && m.modes.has(modeSync) && f.on && m.now().Before(f.until) {
		return
	}
	m.modes.set(modeSync, on)
	m.seq++
	if !on {
		f.on = false
		return
	}
	f.on = false
	f.shown = *m.live()
	if len(f.rows) != m.rows || len(f.rows[0].cells) != m.cols {
		f.rows = m.newRows(m.rows)
	}
	for i, r := range m.page.rows {
		s := f.rows[i]
		if s.seq == r.seq {
			continue
		}
		n := copy(s.cells, r.cells[:r.used])
		if n < s.used {
			clear(s.cells[n:s.used])
		}
		s.used, s.seq, s.wrapped, s.prompt = r.used, r.seq, r.wrapped, r.prompt
	}
	f.on, f.until = true, m.now().Add(syncLimit)
}

// screen is what is to be shown now.
func (m *machine) screen() *Screen {
	f := &m.shadow
	if !f.on || !m.now().Before(f.until) {
		return m.live()
	}
	scratch := m.view.scratch
	m.view = f.shown
	m.view.rows, m.view.scratch, m.view.Held = f.rows, scratch, f.until
	m.view.First = min(m.hist.first, m.view.Top)
	if f.shown.Modes.AltScreen {
		m.view.First = m.view.Top
	}
	return &m.view
}

// live is the screen as it stands.
func (m *machine) live() *Screen {
	s := &m.view
	*s = Screen{
		Cols: m.cols, Rows: m.rows, First: m.hist.first, Top: m.hist.next(),
		Cursor: Cursor{X: m.cur.x, Y: m.cur.y, Shape: m.shape, Blink: m.blink, Visible: m.modes.has(modeCursor)},
		Modes:  m.inputModes(), Title: m.title, Epoch: m.epoch, Seq: m.seq,
		m: m, rows: m.page.rows, scratch: s.scratch,
	}
	if m.page == &m.alt {
		s.First = s.Top
	}
	return s
}

func (m *machine) inputModes() Modes {
	return Modes{
		AppCursor: m.modes.has(modeAppCursor), AppKeypad: m.modes.has(modeAppKeypad),
		BracketedPaste: m.modes.has(modeBracketed), Focus: m.modes.has(modeFocus),
		AltScreen: m.page == &m.alt, AltScroll: m.modes.has(modeAltScroll), Mouse: m.mouse,
		Reverse: m.modes.has(modeReverse), Sync: m.modes.has(modeSync), NewLine: m.modes.has(modeNewLine),
		Kitty: m.page.kitty.flags(), ModifyOther: m.other,
	}
}

// Line returns line n; the zero Line where there is none. Cells of a
// scrollback line are valid until the next call.
func (s *Screen) Line(n int) Line {
	if n >= s.Top && n < s.Top+s.Rows {
		r := s.rows[n-s.Top]
		return Line{Cells: r.cells, Seq: r.seq, Wrapped: r.wrapped, Prompt: r.prompt}
	}
	if n < s.First || n > s.Top {
		return Line{}
	}
	cells, ref := s.m.hist.line(n, s.scratch[:0])
	for len(cells) < s.Cols {
		cells = append(cells, Cell{})
	}
	s.scratch = cells
	return Line{
		Cells: cells[:s.Cols], Seq: ref.seq,
		Wrapped: ref.flags&refWrapped != 0, Prompt: ref.flags&refPrompt != 0,
	}
}

// Text returns a cell's characters; " " for a blank, "" for the second column
// of a wide one.
func (s *Screen) Text(c Cell) string {
	switch {
	case c.Attr&attrSpacer != 0:
		return ""
	case c.ch == 0:
		return " "
	case c.ch&clusterBit != 0:
		return s.m.clusters.text(c.ch)
	}
	return string(rune(c.ch))
}

// Key returns a value that is the same for cells with the same characters, for
// a cache of glyphs. Values above 1<<31 may be used again for other characters
// when the Epoch changes.
func (c Cell) Key() uint32 { return c.ch }

// UnderlineColor returns the colour of a cell's underline; the default is the
// colour of the text.
func (s *Screen) UnderlineColor(c Cell) Color { return s.m.extraOf(c.Attr).underline }

// Link returns the address of an OSC 8 link, with an id that the cells of one
// link share; zero and empty without one. It is the program's text.
func (s *Screen) Link(c Cell) (id uint32, uri string) {
	x := s.m.extraOf(c.Attr)
	if x.link == 0 {
		return 0, ""
	}
	return x.link, s.m.extras.uris[x.link].uri
}

// Color returns what palette entry i was set to by OSC 4, if it was.
func (s *Screen) Color(i uint8) (RGB, bool) {
	c, ok := s.m.palette[i]
	return c, ok
}

// DynamicColors returns the colours that a program set by OSC 10, 11 and 12;
// nil where it did not.
func (s *Screen) DynamicColors() (fg, bg, cursor *RGB) {
	d := s.m.dynamic
	return d[0], d[1], d[2]
}
