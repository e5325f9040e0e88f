// Package termshot shows programs in the terminal of the session window without
// a screen, for tests that look at what comes out, and keeps pictures of it. The
// pixels are those that the toolkit shows.
package termshot

import (
	"bytes"
	"errors"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/software"
	"fyne.io/fyne/v2/test"
	"github.com/creack/pty"

	"bottlebar.app/terminal"
)

// Look is a way in which a terminal is shown.
type Look struct {
	Light bool
	Scale int // device pixels per point
}

// Looks are all that a picture is taken of.
var Looks = []Look{{Scale: 1}, {Scale: 2}, {Light: true, Scale: 1}, {Light: true, Scale: 2}}

// Suffix is the end of a picture's name: "-light-2x.png".
func (l Look) Suffix() string {
	name := "-dark-"
	if l.Light {
		name = "-light-"
	}
	return name + string(rune('0'+l.Scale)) + "x.png"
}

// Shot is a terminal that is looked at.
type Shot struct {
	*terminal.Terminal
	t      testing.TB
	window fyne.Window
	posted chan func()
	fonts  *terminal.Fonts
}

// The height of a cell at a scale, in points: whole device pixels.
var cellHeight = map[int]float32{1: 18, 2: 17.5}

// New returns a terminal of so many cells.
func New(t testing.TB, l Look, cols, rows int) *Shot {
	t.Helper()
	test.NewTempApp(t)
	s := &Shot{t: t, posted: make(chan func(), 4096), fonts: terminal.NewFonts(t.TempDir())}
	t.Cleanup(s.fonts.Close)
	theme := terminal.DarkTheme()
	if l.Light {
		theme = terminal.LightTheme()
	}
	s.Terminal = terminal.New(terminal.Options{Post: func(f func()) { s.posted <- f }, Fonts: s.fonts, Theme: theme})
	t.Cleanup(func() { _ = s.Close() })
	s.window = test.NewTempWindow(t, s.Terminal)
	s.window.SetPadded(false)
	if c, ok := s.window.Canvas().(software.WindowlessCanvas); ok {
		c.SetScale(float32(l.Scale))
	}
	s.window.Resize(fyne.NewSize(float32(8*cols+12), float32(rows)*cellHeight[l.Scale]+12))
	s.window.Canvas().Capture()
	if c, r := s.GridSize(); c != cols || r != rows {
		t.Fatalf("%d by %d cells, not %d by %d", c, r, cols, rows)
	}
	s.FocusGained()
	return s
}

// Run shows a program behind a PTY. It is killed at the end of the test.
func (s *Shot) Run(cmd *exec.Cmd) {
	s.t.Helper()
	cols, rows := s.GridSize()
	f, err := pty.StartWithSize(cmd, &pty.Winsize{Cols: uint16(cols), Rows: uint16(rows)})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	s.Attach(&process{f})
}

// process is a Conn.
type process struct{ *os.File }

func (p *process) Resize(cols, rows int) error {
	return pty.Setsize(p.File, &pty.Winsize{Cols: uint16(cols), Rows: uint16(rows)})
}

// Print shows output.
func (s *Shot) Print(out []byte) {
	s.Attach(&output{Reader: bytes.NewReader(out), closed: make(chan struct{})})
}

// output is a Conn that says something and is silent from then on.
type output struct {
	*bytes.Reader
	closed chan struct{}
	once   sync.Once
}

func (o *output) Read(p []byte) (int, error) {
	if o.Len() == 0 {
		<-o.closed
	}
	return o.Reader.Read(p)
}

func (o *output) Write(p []byte) (int, error) { return len(p), nil }
func (o *output) Resize(int, int) error       { return nil }
func (o *output) Close() error                { o.once.Do(func() { close(o.closed) }); return nil }

// Until goes on until ok, at most half a minute, and then until the picture
// has stood still for a moment.
func (s *Shot) Until(what string, ok func(text string) bool) {
	s.t.Helper()
	late := time.NewTimer(30 * time.Second)
	defer late.Stop()
	quiet := time.NewTicker(200 * time.Millisecond)
	defer quiet.Stop()
	var last []uint8
	for {
		select {
		case f := <-s.posted:
			f()
		case <-quiet.C:
			img := s.Picture()
			if rgba := pixels(img); ok(s.ScreenText()) && slices.Equal(rgba, last) {
				return
			} else {
				last = rgba
			}
		case <-late.C:
			s.t.Fatalf("timed out waiting for %s; the screen:\n%s", what, s.ScreenText())
		}
	}
}

func pixels(img image.Image) []uint8 {
	if n, ok := img.(*image.NRGBA); ok {
		return slices.Clone(n.Pix)
	}
	if n, ok := img.(*image.RGBA); ok {
		return slices.Clone(n.Pix)
	}
	return nil
}

// Picture is what is to be seen.
func (s *Shot) Picture() image.Image { return s.window.Canvas().Capture() }

// Save writes the picture as PNG.
func (s *Shot) Save(file string) {
	s.t.Helper()
	err := os.MkdirAll(filepath.Dir(file), 0o755)
	var b bytes.Buffer
	err = errors.Join(err, png.Encode(&b, s.Picture()), os.WriteFile(file, b.Bytes(), 0o644))
	if err != nil {
		s.t.Error(err)
	}
}
