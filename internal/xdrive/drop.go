package xdrive

import (
	"context"
	"errors"
	"fmt"
	"image"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
)

// ErrRefused says that a window takes no files where they were dropped.
var ErrRefused = errors.New("the window takes no files there")

// xdndVersion is the release of the protocol that is spoken here; all since 3
// share what is used of it. https://www.freedesktop.org/wiki/Specifications/XDND/
const xdndVersion = 5

// Drop drops files and folders on a window, at a point in it, as a file manager
// does: it offers them, waits for the window to accept, lets go, hands over the
// list when the window asks for it, and waits until the window is done with it.
func (d *Display) Drop(ctx context.Context, w Window, at image.Point, paths ...string) error {
	list, err := uriList(paths)
	if err != nil {
		return err
	}
	// A connection of its own: the events of the drop are then nobody else's.
	source, err := Open(d.name)
	if err != nil {
		return err
	}
	defer source.Close()
	s := &drop{Display: source, target: w, at: w.Area.Min.Add(at), list: list}
	if err := s.offer(); err != nil {
		return fmt.Errorf("dropping on %q: %w", w.Title, err)
	}
	if err := s.finish(ctx); err != nil {
		return fmt.Errorf("dropping on %q: %w", w.Title, err)
	}
	return nil
}

// uriList is paths as text/uri-list has them.
func uriList(paths []string) ([]byte, error) {
	var b strings.Builder
	for _, p := range paths {
		abs, err := filepath.Abs(p)
		if err != nil {
			return nil, err
		}
		b.WriteString((&url.URL{Scheme: "file", Path: abs}).String() + "\r\n")
	}
	return []byte(b.String()), nil
}

// drop is one drop under way, from the source's side.
type drop struct {
	*Display
	me     xproto.Window
	target Window
	at     image.Point // on the screen
	list   []byte
	let    bool // the drop itself was sent
}

// offer makes the window that the drop comes from, and says what is offered and where.
func (s *drop) offer() error {
	if len(s.property(s.target.ID, "XdndAware")) < 4 {
		return errors.New("the window takes no drops")
	}
	var err error
	if s.me, err = xproto.NewWindowId(s.conn); err != nil {
		return err
	}
	screen := xproto.Setup(s.conn).DefaultScreen(s.conn)
	if err := xproto.CreateWindowChecked(s.conn, screen.RootDepth, s.me, s.root, 0, 0, 1, 1, 0,
		xproto.WindowClassInputOutput, screen.RootVisual, 0, nil).Check(); err != nil {
		return err
	}
	if err := xproto.SetSelectionOwnerChecked(s.conn, s.me, s.atom("XdndSelection"), xproto.TimeCurrentTime).Check(); err != nil {
		return err
	}
	if err := s.say("XdndEnter", xdndVersion<<24, uint32(s.atom("text/uri-list"))); err != nil {
		return err
	}
	return s.position()
}

// position tells the target where the pointer is, which it answers with XdndStatus.
func (s *drop) position() error {
	return s.say("XdndPosition", 0, uint32(s.at.X)<<16|uint32(s.at.Y), xproto.TimeCurrentTime, uint32(s.atom("XdndActionCopy")))
}

// say sends the target a message of the protocol; ours is always the first number.
func (s *drop) say(kind string, rest ...uint32) error {
	data := [5]uint32{uint32(s.me)}
	copy(data[1:], rest)
	return s.message(s.target.ID, s.target.ID, kind, 0, data)
}

// finish answers the target until it says that it has what it wanted.
func (s *drop) finish(ctx context.Context) error {
	events := make(chan xgb.Event)
	go func() {
		defer close(events)
		for {
			e, err := s.conn.WaitForEvent()
			if e == nil && err == nil {
				return // the connection is closed
			}
			if e != nil {
				select {
				case events <- e:
				case <-ctx.Done():
					return
				}
			}
		}
	}()
	for {
		select {
		case e, open := <-events:
			if !open {
				return errors.New("the screen is gone")
			}
			if done, err := s.answer(e); done || err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// answer handles one event and reports whether the drop is over.
func (s *drop) answer(event xgb.Event) (bool, error) {
	switch e := event.(type) {
	case xproto.ClientMessageEvent:
		switch e.Type {
		case s.atom("XdndStatus"):
			if s.let {
				return false, nil
			}
			if e.Data.Data32[1]&1 == 0 {
				_ = s.say("XdndLeave")
				return false, ErrRefused
			}
			s.let = true
			return false, s.say("XdndDrop", 0, xproto.TimeCurrentTime)
		case s.atom("XdndFinished"):
			// The lowest bit says whether the drop was taken, but the window library puts
			// the length of the list there: of an even one the bit is not set.
			if e.Data.Data32[1] == 0 {
				return true, ErrRefused
			}
			return true, nil
		}
	case xproto.SelectionRequestEvent:
		return false, s.hand(e)
	}
	return false, nil
}

// hand puts the list where the target asked for it.
func (s *drop) hand(e xproto.SelectionRequestEvent) error {
	reply := xproto.SelectionNotifyEvent{Time: e.Time, Requestor: e.Requestor, Selection: e.Selection, Target: e.Target}
	if e.Target == s.atom("text/uri-list") {
		reply.Property = e.Property
		if err := xproto.ChangePropertyChecked(s.conn, xproto.PropModeReplace, e.Requestor, e.Property, e.Target, 8,
			uint32(len(s.list)), s.list).Check(); err != nil {
			return err
		}
	}
	return xproto.SendEventChecked(s.conn, false, e.Requestor, 0, string(reply.Bytes())).Check()
}
