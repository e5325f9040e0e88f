package main

import (
	"context"
	"errors"
	"image"
	"image/color"
	"io"
	"os"
	"sync"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/widget"
	"github.com/creack/pty"
	"golang.org/x/term"

	"bottlebar.app/internal/xdrive"
	"bottlebar.app/terminal"
)

// target is a window whose upper left corner changes its colour on each key.
type target struct {
	name   string
	window fyne.Window
	seen   xdrive.Window
	took   []time.Duration
}

// at is the place whose colour tells: in the terminal it is the first cell.
var at = image.Rect(edge+cellWidth/2, edge+cellHeight/2, edge+cellWidth/2+1, edge+cellHeight/2+1)

// quantile of the sorted times, in milliseconds.
func (t *target) quantile(q float64) float64 {
	return float64(t.took[int(q*float64(len(t.took)-1))].Microseconds()) / 1000
}

// measure presses some keys, each once the picture of the last one is there.
func (t *target) measure(ctx context.Context, display *xdrive.Display, keys int) error {
	if err := display.Focus(ctx, t.seen); err != nil {
		return err
	}
	for _, w := range display.Windows() { // where it is now
		if w.ID == t.seen.ID {
			t.seen = w
		}
	}
	for range keys + 1 {
		if err := pause(ctx); err != nil {
			return err
		}
		took, err := t.key(ctx, display)
		if err != nil {
			return err
		}
		t.took = append(t.took, took)
	}
	// The first key after a change of focus pays for it.
	t.took = append(t.took[:len(t.took)-keys-1], t.took[len(t.took)-keys:]...)
	return nil
}

// key presses a key and waits until the screen shows it.
func (t *target) key(ctx context.Context, display *xdrive.Display) (time.Duration, error) {
	place := at.Add(t.seen.Area.Min)
	before, err := display.Picture(place)
	if err != nil {
		return 0, err
	}
	pressed := make(chan error, 1)
	began := time.Now()
	go func() { pressed <- display.Type(ctx, "x") }()
	look := time.NewTicker(250 * time.Microsecond)
	defer look.Stop()
	for {
		now, err := display.Picture(place)
		if err != nil {
			return 0, err
		}
		if now.RGBAAt(0, 0) != before.RGBAAt(0, 0) {
			return time.Since(began), <-pressed
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return 0, errors.Join(errors.New("no picture followed the key"), ctx.Err())
		}
	}
}

// blank fills a window with one of two colours, the other one on each key.
type blank struct {
	widget.BaseWidget
	fill *canvas.Rectangle
}

var colors = [2]color.Color{color.NRGBA{R: 0x80, A: 0xff}, color.NRGBA{G: 0x80, A: 0xff}}

func (b *blank) CreateRenderer() fyne.WidgetRenderer { return widget.NewSimpleRenderer(b.fill) }
func (b *blank) FocusGained()                        {}
func (b *blank) FocusLost()                          {}
func (b *blank) TypedKey(*fyne.KeyEvent)             {}

func (b *blank) TypedRune(rune) {
	next := colors[0]
	if b.fill.FillColor == next {
		next = colors[1]
	}
	b.fill.FillColor = next
	b.fill.Refresh()
}

func emptyWindow(a fyne.App, size fyne.Size) *target {
	b := &blank{fill: canvas.NewRectangle(colors[0])}
	b.ExtendBaseWidget(b)
	return &target{name: "empty", window: open(a, "empty", size, b, b)}
}

func terminalWindow(a fyne.App, size fyne.Size, p *program) *target {
	t := terminal.New(terminal.Options{Post: fyne.Do})
	t.Attach(p)
	return &target{name: "terminal", window: open(a, "terminal", size, t, t)}
}

func open(a fyne.App, name string, size fyne.Size, content fyne.CanvasObject, keyboard fyne.Focusable) fyne.Window {
	w := a.NewWindow(name)
	w.SetPadded(false)
	w.SetContent(content)
	w.Resize(size)
	w.Canvas().Focus(keyboard)
	return w
}

// program sits behind a PTY and answers each key with a cell of another colour
// and a letter, as an editor would.
type program struct {
	*os.File // the terminal's side
	inside   *os.File
	work     sync.WaitGroup
}

func newProgram() (*program, error) {
	outside, inside, err := pty.Open()
	if err != nil {
		return nil, err
	}
	p := &program{File: outside, inside: inside}
	if _, err := term.MakeRaw(int(inside.Fd())); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	p.work.Go(p.answer)
	return p, nil
}

// endOfInput is what Control and D type.
const endOfInput = 4

func (p *program) answer() {
	defer p.inside.Close() // which ends the terminal's read
	_, _ = io.WriteString(p.inside, "\x1b[2J\x1b[?25l\x1b[H\x1b[41m \x1b[m")
	key := make([]byte, 64)
	for i := 0; ; i++ {
		if n, err := p.inside.Read(key); err != nil || n == 0 || key[0] == endOfInput {
			return
		}
		ground := "42"
		if i%2 == 1 {
			ground = "41"
		}
		if _, err := io.WriteString(p.inside, "\x1b[H\x1b["+ground+"m \x1b[m\x1b[5;10Hx"); err != nil {
			return
		}
	}
}

// Resize is for the terminal.
func (p *program) Resize(cols, rows int) error {
	return pty.Setsize(p.File, &pty.Winsize{Cols: uint16(cols), Rows: uint16(rows)})
}

// Close ends the program.
func (p *program) Close() error {
	_, _ = p.Write([]byte{endOfInput})
	p.work.Wait()
	return p.File.Close()
}
