package xdrive

import (
	"context"
	"fmt"
	"image"
	"strings"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
)

// Window is a window as its program made it, without the manager's frame.
type Window struct {
	ID    xproto.Window
	Title string
	Class string          // of the program, such as "Xfce4-panel"
	Area  image.Rectangle // on the screen, in pixels
}

// Windows lists the windows that the manager knows, the oldest first. Without a
// window manager there are none.
func (d *Display) Windows() []Window {
	var out []Window
	list := d.property(d.root, "_NET_CLIENT_LIST")
	for ; len(list) >= 4; list = list[4:] {
		if w, ok := d.window(xproto.Window(xgb.Get32(list))); ok {
			out = append(out, w)
		}
	}
	return out
}

// window reads one window; it is not ok when it is gone or not on the screen.
func (d *Display) window(id xproto.Window) (Window, bool) {
	attributes, err := xproto.GetWindowAttributes(d.conn, id).Reply()
	if err != nil || attributes.MapState != xproto.MapStateViewable {
		return Window{}, false
	}
	size, err := xproto.GetGeometry(d.conn, xproto.Drawable(id)).Reply()
	if err != nil {
		return Window{}, false
	}
	at, err := xproto.TranslateCoordinates(d.conn, id, d.root, 0, 0).Reply()
	if err != nil {
		return Window{}, false
	}
	title := d.property(id, "_NET_WM_NAME")
	if title == nil {
		title = d.property(id, "WM_NAME")
	}
	class := strings.Split(strings.TrimSuffix(string(d.property(id, "WM_CLASS")), "\x00"), "\x00")
	corner := image.Pt(int(at.DstX), int(at.DstY))
	return Window{
		ID: id, Title: string(title), Class: class[len(class)-1],
		Area: image.Rectangle{corner, corner.Add(image.Pt(int(size.Width), int(size.Height)))},
	}, true
}

// Await waits for a window of which ok holds, and returns it.
func (d *Display) Await(ctx context.Context, ok func(Window) bool) (Window, error) {
	for {
		windows := d.Windows()
		for _, w := range windows {
			if ok(w) {
				return w, nil
			}
		}
		if err := sleep(ctx, pause); err != nil {
			titles := make([]string, 0, len(windows))
			for _, w := range windows {
				titles = append(titles, w.Title)
			}
			return Window{}, fmt.Errorf("no such window among %q: %w", titles, err)
		}
	}
}

// AwaitGone waits until a window is off the screen.
func (d *Display) AwaitGone(ctx context.Context, w Window) error {
	for {
		if _, there := d.window(w.ID); !there {
			return nil
		}
		if err := sleep(ctx, pause); err != nil {
			return fmt.Errorf("the window %q stays: %w", w.Title, err)
		}
	}
}

// AwaitMenu waits for an open menu, and returns the largest of those there are.
// No manager has a say in menus, so [Display.Windows] does not list them.
func (d *Display) AwaitMenu(ctx context.Context) (Window, error) {
	for {
		tree, err := xproto.QueryTree(d.conn, d.root).Reply()
		if err != nil {
			return Window{}, err
		}
		var best Window
		for _, id := range tree.Children {
			if !d.isMenu(id) {
				continue
			}
			if w, ok := d.window(id); ok && area(w) > area(best) {
				best = w
			}
		}
		if best.ID != 0 {
			return best, nil
		}
		if err := sleep(ctx, pause); err != nil {
			return Window{}, fmt.Errorf("no menu is open: %w", err)
		}
	}
}

// isMenu says whether a window calls itself a menu; tooltips do not.
func (d *Display) isMenu(id xproto.Window) bool {
	kinds := d.property(id, "_NET_WM_WINDOW_TYPE")
	for ; len(kinds) >= 4; kinds = kinds[4:] {
		switch xproto.Atom(xgb.Get32(kinds)) {
		case d.atom("_NET_WM_WINDOW_TYPE_POPUP_MENU"), d.atom("_NET_WM_WINDOW_TYPE_DROPDOWN_MENU"):
			return true
		}
	}
	return false
}

func area(w Window) int { return w.Area.Dx() * w.Area.Dy() }

// Titled is for Await: the window has this title.
func Titled(title string) func(Window) bool {
	return func(w Window) bool { return w.Title == title }
}

// Focus brings a window to the front, has the keys go to it, and waits until they do.
func (d *Display) Focus(ctx context.Context, w Window) error {
	for {
		// Source 2: a pager asks, on a person's behalf, which no manager refuses.
		if err := d.manager(w, "_NET_ACTIVE_WINDOW", 2); err != nil {
			return err
		}
		if active := d.property(d.root, "_NET_ACTIVE_WINDOW"); len(active) >= 4 && xproto.Window(xgb.Get32(active)) == w.ID {
			return nil
		}
		if err := sleep(ctx, pause); err != nil {
			return fmt.Errorf("the window %q does not come to the front: %w", w.Title, err)
		}
	}
}

// CloseWindow asks a window to close, as its close button does.
func (d *Display) CloseWindow(w Window) error { return d.manager(w, "_NET_CLOSE_WINDOW", 0, 2) }

// Place moves a window, and sizes it, its frame included.
func (d *Display) Place(w Window, to image.Rectangle) error {
	// Bits 8 to 11 say which of the four numbers count; 1 is the upper left corner.
	flags := uint32(0xf00 | 1)
	return d.manager(w, "_NET_MOVERESIZE_WINDOW", flags, uint32(to.Min.X), uint32(to.Min.Y), uint32(to.Dx()), uint32(to.Dy()))
}

func (d *Display) manager(w Window, kind string, data ...uint32) error {
	var five [5]uint32
	copy(five[:], data)
	const mask = xproto.EventMaskSubstructureRedirect | xproto.EventMaskSubstructureNotify
	return d.message(d.root, w.ID, kind, mask, five)
}
