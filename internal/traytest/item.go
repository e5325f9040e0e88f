package traytest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

// pause is how long to wait before looking again at something that announces no
// change: a menu is rebuilt entry by entry, and can be read half done.
const pause = 40 * time.Millisecond

// Item is a tray icon.
type Item struct {
	conn  *dbus.Conn
	owner string // bus name
	path  dbus.ObjectPath
}

// Find waits for the icon of the process with this ID.
func Find(ctx context.Context, conn *dbus.Conn, pid int) (*Item, error) {
	var last error
	for {
		items, err := registered(ctx, conn)
		for _, it := range items {
			var owner uint32
			err := conn.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.GetConnectionUnixProcessID", 0, it.owner).Store(&owner)
			if err == nil && int(owner) == pid {
				return it, nil
			}
		}
		last = err
		if err := sleep(ctx); err != nil {
			return nil, fmt.Errorf("no tray icon of process %d: %w", pid, errors.Join(err, last))
		}
	}
}

// registered lists the icons that the bus's watcher knows.
func registered(ctx context.Context, conn *dbus.Conn) ([]*Item, error) {
	v, err := property(ctx, conn.Object(watcherName, watcherPath), watcherName, "RegisteredStatusNotifierItems")
	if err != nil {
		return nil, err
	}
	names, ok := v.Value().([]string)
	if !ok {
		return nil, fmt.Errorf("the watcher's list is %T", v.Value())
	}
	items := make([]*Item, 0, len(names))
	for _, name := range names {
		owner, path, found := strings.Cut(name, "/")
		if !found {
			path = "StatusNotifierItem"
		}
		items = append(items, &Item{conn, owner, dbus.ObjectPath("/" + path)})
	}
	return items, nil
}

func property(ctx context.Context, o dbus.BusObject, iface, name string) (dbus.Variant, error) {
	var v dbus.Variant
	err := o.CallWithContext(ctx, "org.freedesktop.DBus.Properties.Get", 0, iface, name).Store(&v)
	return v, err
}

// Property reads one of the icon's own properties, such as "Title" or "IconPixmap".
func (it *Item) Property(ctx context.Context, name string) (any, error) {
	v, err := property(ctx, it.conn.Object(it.owner, it.path), itemName, name)
	return v.Value(), err
}

// Menu reads the whole menu, as it is now.
func (it *Item) Menu(ctx context.Context) (Entry, error) {
	menu, err := it.menu(ctx)
	if err != nil {
		return Entry{}, err
	}
	// The toolkit's tray answers the first question after each change with the
	// top level only, so the second answer is the one to use.
	var revision uint32
	var root layout
	for range 2 {
		if err := menu.CallWithContext(ctx, menuName+".GetLayout", 0, int32(0), int32(-1), []string{}).Store(&revision, &root); err != nil {
			return Entry{}, fmt.Errorf("reading the menu: %w", err)
		}
	}
	return root.entry(), nil
}

func (it *Item) menu(ctx context.Context) (dbus.BusObject, error) {
	v, err := it.Property(ctx, "Menu")
	if err != nil {
		return nil, fmt.Errorf("reading the icon's menu: %w", err)
	}
	path, ok := v.(dbus.ObjectPath)
	if !ok {
		return nil, fmt.Errorf("the icon's menu is %T", v)
	}
	return it.conn.Object(it.owner, path), nil
}

// Await reads the menu until an entry lies at the end of the path, and returns it.
func (it *Item) Await(ctx context.Context, path ...Match) (Entry, error) {
	return it.AwaitThat(ctx, func(Entry) bool { return true }, path...)
}

// AwaitThat is Await for an entry of which ok holds as well.
func (it *Item) AwaitThat(ctx context.Context, ok func(Entry) bool, path ...Match) (Entry, error) {
	for {
		root, err := it.Menu(ctx)
		if err == nil {
			var e Entry
			if e, err = root.Find(path...); err == nil && ok(e) {
				return e, nil
			} else if err == nil {
				err = fmt.Errorf("the entry %q is not as awaited", e.Label)
			}
		}
		if gone := sleep(ctx); gone != nil {
			return Entry{}, fmt.Errorf("%w: %w", err, gone)
		}
	}
}

// Click waits until the entry at the end of the path is there and can be chosen,
// and chooses it. A click that falls into a rebuild of the menu can get lost, as
// it can for a person: look at what follows from it.
func (it *Item) Click(ctx context.Context, path ...Match) error {
	e, err := it.AwaitThat(ctx, func(e Entry) bool { return e.Enabled }, path...)
	if err != nil {
		return err
	}
	menu, err := it.menu(ctx)
	if err != nil {
		return err
	}
	return menu.CallWithContext(ctx, menuName+".Event", 0, e.ID, "clicked", dbus.MakeVariant(""), uint32(0)).Err
}

func sleep(ctx context.Context) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
