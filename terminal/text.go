package terminal

import "bottlebar.app/terminal/vt"

// Core returns the emulator behind the widget.
func (t *Terminal) Core() *vt.Terminal { return t.core }

// Sized reports whether the grid has the size of the widget: it has one as
// soon as it was shown, since only then the pixels of a point are known. A
// session joined before is drawn for a grid that is about to change.
func (t *Terminal) Sized() bool { return t.paint.img != nil }

// Focused says whether the keyboard is in the terminal.
func (t *Terminal) Focused() bool { return t.focused }

// GridSize returns the columns and rows that fit now.
func (t *Terminal) GridSize() (cols, rows int) { return t.core.Size() }

// Type sends text as if it were typed: at the prompt, without brackets.
// Controls are taken out.
func (t *Terminal) Type(text string) {
	t.typed(t.core.EncodeText(nil, text))
}

// typed sends what the person entered, and shows the end of the screen.
func (t *Terminal) typed(b []byte) {
	if len(b) == 0 {
		return
	}
	t.since = t.now()
	t.back = 0
	if t.OnInput != nil {
		t.OnInput()
	}
	t.input(b)
	t.frame.wake()
}

// Clear drops the scrollback and, where the program is no full-screen one,
// asks it to draw its line anew.
func (t *Terminal) Clear() {
	t.back = 0
	t.core.ClearScrollback()
	alt := false
	t.core.View(func(s *vt.Screen) { alt = s.Modes.AltScreen })
	if !alt {
		t.input([]byte{'L' - '@'})
	}
	t.frame.wake()
}

// SetTheme changes the colours.
func (t *Terminal) SetTheme(th Theme) {
	if th == (Theme{}) {
		th = DarkTheme()
	}
	t.opts.Theme, t.paint.theme = th, th
	t.paint.ink = nil
	t.core.SetColors(th.colors())
	if l := t.wires.current(); l != nil {
		l.send(t.core.TakeReplies(nil)) // mode 2031
	}
	t.frame.wake()
}

// SetTextSize changes the size of the letters, in points, from 6 to 48.
func (t *Terminal) SetTextSize(points float32) {
	points = min(max(points, minTextSize), maxTextSize)
	if points == t.opts.TextSize {
		return
	}
	t.opts.TextSize = points
	t.setScale(t.scale)
	t.size.trigger()
	t.frame.wake()
	if t.OnTextSize != nil {
		t.OnTextSize(points)
	}
}

// TextSize returns the size of the letters in points.
func (t *Terminal) TextSize() float32 { return t.opts.TextSize }

// SetSuspended stops all painting, for a window that is not shown, and starts
// it again. Output is still taken in.
func (t *Terminal) SetSuspended(on bool) {
	t.hidden = on
	if !on {
		t.frame.wake()
	}
}

// Dim shows the terminal at 35 per cent of its strength, for what lies over
// it.
func (t *Terminal) Dim(on bool) {
	t.raster.Translucency = 0
	if on {
		t.raster.Translucency = 0.65
	}
	t.raster.Refresh()
}
