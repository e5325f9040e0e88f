package traytest

import (
	"errors"
	"strings"
	"sync"

	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/prop"
)

// The names are those of the StatusNotifierItem specification, in the form that
// KDE gave it and everybody uses.
const (
	watcherName = "org.kde.StatusNotifierWatcher"
	watcherPath = dbus.ObjectPath("/StatusNotifierWatcher")
	itemName    = "org.kde.StatusNotifierItem"
	menuName    = "com.canonical.dbusmenu"
)

// Watcher keeps the list of icons on a bus without a panel. There can be one
// watcher on a bus: where a panel runs, it is the panel's.
type Watcher struct {
	props *prop.Properties

	mu    sync.Mutex
	known []string
}

// NewWatcher takes the watcher's name on the bus. It is there until conn closes.
func NewWatcher(conn *dbus.Conn) (*Watcher, error) {
	w := &Watcher{}
	err := conn.ExportMethodTable(map[string]any{
		"RegisterStatusNotifierItem": w.register,
		"RegisterStatusNotifierHost": func(string) *dbus.Error { return nil },
	}, watcherPath, watcherName)
	if err != nil {
		return nil, err
	}
	w.props, err = prop.Export(conn, watcherPath, prop.Map{watcherName: {
		"RegisteredStatusNotifierItems":  {Value: []string{}, Emit: prop.EmitTrue},
		"IsStatusNotifierHostRegistered": {Value: true, Emit: prop.EmitTrue},
		"ProtocolVersion":                {Value: int32(0), Emit: prop.EmitTrue},
	}})
	if err != nil {
		return nil, err
	}
	// The name comes last: an icon that sees it registers at once.
	reply, err := conn.RequestName(watcherName, dbus.NameFlagDoNotQueue)
	if err != nil {
		return nil, err
	}
	if reply != dbus.RequestNameReplyPrimaryOwner {
		return nil, errors.New("this bus has a watcher already")
	}
	return w, nil
}

// register is called by an icon. service is its bus name, or a path on the bus
// name that calls.
func (w *Watcher) register(service string, sender dbus.Sender) *dbus.Error {
	entry := service + "/StatusNotifierItem"
	if strings.HasPrefix(service, "/") {
		entry = string(sender) + service
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.known = append(w.known, entry)
	w.props.SetMust(watcherName, "RegisteredStatusNotifierItems", append([]string(nil), w.known...))
	return nil
}
