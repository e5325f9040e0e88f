package xdrive

import (
	"context"
	"fmt"
	"io"
	"log"
	"sync"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
	"github.com/jezek/xgb/xtest"
)

// pause is how long to wait before looking at the windows again.
const pause = 40 * time.Millisecond

// The library writes to the standard error when a connection ends, which it does
// whenever a screen closes; the calls say it too.
func init() { xgb.Logger = log.New(io.Discard, "", 0) }

// Display is a connection to an X server. Its methods may be called from several
// goroutines; keys and buttons are pressed one after another.
type Display struct {
	conn *xgb.Conn
	root xproto.Window
	name string

	mu    sync.Mutex // over atoms, keys and whole presses
	atoms map[string]xproto.Atom
	keys  map[rune]key
}

// Open joins the display of that name, such as ":99".
func Open(name string) (*Display, error) {
	conn, err := xgb.NewConnDisplay(name)
	if err != nil {
		return nil, fmt.Errorf("joining the display %s: %w", name, err)
	}
	if err := xtest.Init(conn); err != nil {
		conn.Close()
		return nil, fmt.Errorf("joining the display %s: it takes no keys from us: %w", name, err)
	}
	return &Display{
		conn: conn, name: name, atoms: map[string]xproto.Atom{},
		root: xproto.Setup(conn).DefaultScreen(conn).Root,
	}, nil
}

// Close leaves the display.
func (d *Display) Close() { d.conn.Close() }

// Managed waits until a window manager is at work on the display.
func (d *Display) Managed(ctx context.Context) error {
	for d.property(d.root, "_NET_SUPPORTING_WM_CHECK") == nil {
		if err := sleep(ctx, pause); err != nil {
			return fmt.Errorf("no window manager on %s: %w", d.name, err)
		}
	}
	return nil
}

// atom returns the number of a name. It is 0 when the connection is gone.
func (d *Display) atom(name string) xproto.Atom {
	d.mu.Lock()
	defer d.mu.Unlock()
	if a, ok := d.atoms[name]; ok {
		return a
	}
	reply, err := xproto.InternAtom(d.conn, false, uint16(len(name)), name).Reply()
	if err != nil {
		return 0
	}
	d.atoms[name] = reply.Atom
	return reply.Atom
}

// property reads a property of a window, at most 256 KiB of it; nil without one.
func (d *Display) property(w xproto.Window, name string) []byte {
	reply, err := xproto.GetProperty(d.conn, false, w, d.atom(name), xproto.GetPropertyTypeAny, 0, 1<<16).Reply()
	if err != nil {
		return nil
	}
	return reply.Value
}

// message sends a client message to a window, by way of to and with a mask.
func (d *Display) message(to, about xproto.Window, kind string, mask uint32, data [5]uint32) error {
	e := xproto.ClientMessageEvent{Format: 32, Window: about, Type: d.atom(kind), Data: xproto.ClientMessageDataUnionData32New(data[:])}
	return xproto.SendEventChecked(d.conn, false, to, mask, string(e.Bytes())).Check()
}

func sleep(ctx context.Context, long time.Duration) error {
	timer := time.NewTimer(long)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
