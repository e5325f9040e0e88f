package xdrive

import (
	"context"
	"errors"
	"image"
	"image/color"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jezek/xgb/xproto"
)

// desk is a screen with a window manager and two connections to it: the one that
// drives, and the one of the program that is driven.
type desk struct {
	*Display
	program *Display
	ctx     context.Context
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	screen, err := StartScreen(ctx, 640, 480, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(screen.Close)
	if err := screen.Manage(ctx, os.Environ(), io.Discard); err != nil {
		t.Fatal(err)
	}
	d := &desk{ctx: ctx}
	for _, to := range []**Display{&d.Display, &d.program} {
		if *to, err = Open(screen.Display); err != nil {
			t.Fatal(err)
		}
		t.Cleanup((*to).Close)
	}
	if err := d.Managed(ctx); err != nil {
		t.Fatal(err)
	}
	return d
}

// open shows a window of one colour, which takes drops if aware, and returns it
// once it is on the screen with the keys going to it.
func (d *desk) open(t *testing.T, title string, aware bool) Window {
	t.Helper()
	p := d.program
	id, err := xproto.NewWindowId(p.conn)
	if err != nil {
		t.Fatal(err)
	}
	screen := xproto.Setup(p.conn).DefaultScreen(p.conn)
	xproto.CreateWindow(p.conn, screen.RootDepth, id, p.root, 50, 50, 200, 100, 0, xproto.WindowClassInputOutput, screen.RootVisual,
		xproto.CwBackPixel|xproto.CwEventMask, []uint32{0x2f6b4f, xproto.EventMaskKeyPress | xproto.EventMaskButtonPress})
	xproto.ChangeProperty(p.conn, xproto.PropModeReplace, id, p.atom("_NET_WM_NAME"), p.atom("UTF8_STRING"), 8, uint32(len(title)), []byte(title))
	if aware {
		xproto.ChangeProperty(p.conn, xproto.PropModeReplace, id, p.atom("XdndAware"), xproto.AtomAtom, 32, 1, []byte{xdndVersion, 0, 0, 0})
	}
	xproto.MapWindow(p.conn, id)
	w, err := d.Await(d.ctx, Titled(title))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Focus(d.ctx, w); err != nil {
		t.Fatal(err)
	}
	return w
}

func TestKeysArriveAsTheyWereTyped(t *testing.T) {
	d := newDesk(t)
	d.open(t, "keys", false)
	const text = "Ab1!~\n"
	done := make(chan error, 1)
	go func() { done <- d.Type(d.ctx, text) }()
	var got []rune
	for len(got) < len(text) {
		e, xerr := d.program.conn.WaitForEvent()
		if e == nil && xerr == nil {
			t.Fatal("the screen is gone")
		}
		press, ok := e.(xproto.KeyPressEvent)
		if !ok {
			continue
		}
		// Read back from the map that the server gives, shift taken from the event.
		for r, k := range d.program.keymap(t) {
			if k.code == press.Detail && k.shift == (press.State&xproto.ModMaskShift != 0) && (r < 0xff00 || r == named["Return"]) {
				got = append(got, r)
			}
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if want := "Ab1!~" + string(named["Return"]); string(got) != want {
		t.Errorf("typed %q, arrived %q", want, string(got))
	}
}

// keymap reads the keyboard.
func (d *Display) keymap(t *testing.T) map[rune]key {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.readKeys(); err != nil {
		t.Fatal(err)
	}
	return d.keys
}

func TestAKeyWithoutAPlaceIsNamed(t *testing.T) {
	d := newDesk(t)
	for _, chord := range []string{"ctrl+Nonsense", "ctrl+"} {
		if err := d.Key(d.ctx, chord); err == nil {
			t.Errorf("%s: pressed", chord)
		}
	}
	if err := d.Type(d.ctx, "😀"); err == nil {
		t.Error("typed a character that the keyboard lacks")
	}
}

// target plays the window that files are dropped on, and returns what it was given.
func (d *desk) target(w Window, accept bool) (string, error) {
	p := d.program
	yes := uint32(0)
	if accept {
		yes = 1
	}
	for {
		event, xerr := p.conn.WaitForEvent()
		if event == nil && xerr == nil {
			return "", errors.New("the screen is gone")
		}
		switch e := event.(type) {
		case xproto.ClientMessageEvent:
			source := xproto.Window(e.Data.Data32[0])
			switch e.Type {
			case p.atom("XdndPosition"):
				_ = p.message(source, source, "XdndStatus", 0, [5]uint32{uint32(w.ID), yes})
			case p.atom("XdndLeave"):
				return "", nil
			case p.atom("XdndDrop"):
				xproto.ConvertSelection(p.conn, w.ID, p.atom("XdndSelection"), p.atom("text/uri-list"), p.atom("XdndSelection"), xproto.TimeCurrentTime)
			}
		case xproto.SelectionNotifyEvent:
			list := p.property(w.ID, "XdndSelection")
			owner, err := xproto.GetSelectionOwner(p.conn, p.atom("XdndSelection")).Reply()
			if err != nil {
				return "", err
			}
			return string(list), p.message(owner.Owner, owner.Owner, "XdndFinished", 0, [5]uint32{uint32(w.ID), uint32(len(list))})
		}
	}
}

func TestADropHandsOverEachPath(t *testing.T) {
	d := newDesk(t)
	w := d.open(t, "drop here", true)
	done := make(chan error, 1)
	go func() { done <- d.Drop(d.ctx, w, image.Pt(10, 10), "/tmp/a b#c.txt", "/tmp/ü") }()
	got, err := d.target(w, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if want := "file:///tmp/a%20b%23c.txt\r\nfile:///tmp/%C3%BC\r\n"; got != want {
		t.Errorf("handed over %q, want %q", got, want)
	}
}

func TestADropThatIsRefusedIsAnError(t *testing.T) {
	d := newDesk(t)
	w := d.open(t, "no", true)
	done := make(chan error, 1)
	go func() { done <- d.Drop(d.ctx, w, image.Pt(10, 10), "/tmp") }()
	if _, err := d.target(w, false); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, ErrRefused) {
		t.Errorf("refused drop: %v", err)
	}
	deaf := d.open(t, "deaf", false)
	if err := d.Drop(d.ctx, deaf, image.Pt(10, 10), "/tmp"); err == nil {
		t.Error("dropped on a window that takes no drops")
	}
}

func TestAPictureShowsTheWindowWhereItIs(t *testing.T) {
	d := newDesk(t)
	w := d.open(t, "green", false)
	d.until(t, "the window is painted", func() bool {
		img, err := d.Picture(w.Area)
		return err == nil && img.RGBAAt(100, 50) == color.RGBA{0x2f, 0x6b, 0x4f, 0xff}
	})
	file := filepath.Join(t.TempDir(), "a.png")
	whole, err := d.Picture(d.Bounds())
	if err != nil {
		t.Fatal(err)
	}
	if err := Save(file, whole); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if c, format, err := image.DecodeConfig(f); err != nil || format != "png" || c.Width != 640 || c.Height != 480 {
		t.Errorf("saved %v %s, %v", c, format, err)
	}
	if _, err := d.Picture(image.Rect(700, 0, 800, 10)); err == nil {
		t.Error("took a picture beside the screen")
	}
}

func TestAWindowIsPlacedAndItsEndSeen(t *testing.T) {
	d := newDesk(t)
	w := d.open(t, "moves", false)
	if err := d.Place(w, image.Rect(100, 120, 400, 320)); err != nil {
		t.Fatal(err)
	}
	d.until(t, "the window is as wide as asked", func() bool {
		now, ok := d.window(w.ID)
		return ok && now.Area.Dx() == 300
	})
	xproto.DestroyWindow(d.program.conn, w.ID)
	if err := d.AwaitGone(d.ctx, w); err != nil {
		t.Error(err)
	}
}

// until waits for something that announces itself to nobody.
func (d *desk) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for !ok() {
		if err := sleep(d.ctx, pause); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
}
