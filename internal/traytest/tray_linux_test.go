package traytest

import (
	"context"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/prop"
)

// icon is a tray icon of this process, with the one habit of the toolkit's that
// matters: the first answer after a change has the top level only.
type icon struct {
	mu      sync.Mutex
	fresh   bool
	root    layout
	clicked chan int32
}

func (i *icon) set(root layout) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.root, i.fresh = root, true
}

func (i *icon) layout(int32, int32, []string) (uint32, layout, *dbus.Error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	root := i.root
	if i.fresh {
		i.fresh = false
		root.Children = nil
	}
	return 1, root, nil
}

func (i *icon) event(id int32, _ string, _ dbus.Variant, _ uint32) *dbus.Error {
	i.clicked <- id
	return nil
}

func node(id int32, label string, enabled bool, children ...layout) layout {
	l := layout{ID: id, Props: map[string]dbus.Variant{"label": dbus.MakeVariant(label), "enabled": dbus.MakeVariant(enabled)}, Children: []dbus.Variant{}}
	if label == "-" {
		l.Props["type"] = dbus.MakeVariant("separator")
	}
	for _, c := range children {
		l.Children = append(l.Children, dbus.MakeVariant(c))
	}
	return l
}

// show starts a bus with a watcher and an icon on it, and returns both ends.
func show(t *testing.T) (*Item, *icon) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	bus, err := StartBus(ctx, os.Environ())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bus.Close)
	if _, err := NewWatcher(bus.Conn); err != nil {
		t.Fatal(err)
	}
	app, err := dbus.Connect(bus.Address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { app.Close() })
	i := &icon{clicked: make(chan int32, 1), root: node(0, "", true)}
	if err := app.ExportMethodTable(map[string]any{"GetLayout": i.layout, "Event": i.event}, "/menu", menuName); err != nil {
		t.Fatal(err)
	}
	if _, err := prop.Export(app, "/icon", prop.Map{itemName: {"Menu": {Value: dbus.ObjectPath("/menu")}, "Title": {Value: "sample"}}}); err != nil {
		t.Fatal(err)
	}
	if err := app.Object(watcherName, watcherPath).CallWithContext(ctx, watcherName+".RegisterStatusNotifierItem", 0, "/icon").Err; err != nil {
		t.Fatal(err)
	}
	item, err := Find(ctx, bus.Conn, os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	return item, i
}

func TestReadsAMenuToItsLeaves(t *testing.T) {
	item, icon := show(t)
	icon.set(node(0, "", true,
		node(1, "Launch", true, node(2, "demo", true), node(3, "other", false)),
		node(4, "-", true), node(5, "Quit", true)))
	root, err := item.Menu(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"Launch", "-", "Quit"}; !slices.Equal(root.Labels(), want) {
		t.Errorf("top level %q, want %q", root.Labels(), want)
	}
	if want := "Launch\n    demo\n    (other)\n──\nQuit\n"; root.String() != want {
		t.Errorf("menu\n%swant\n%s", root, want)
	}
	if title, err := item.Property(t.Context(), "Title"); err != nil || title != "sample" {
		t.Errorf("title %v, %v", title, err)
	}
}

func TestClickWaitsForItsEntry(t *testing.T) {
	item, icon := show(t)
	icon.set(node(0, "", true, node(1, "Launch", true, node(2, "demo", false))))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- item.Click(ctx, Exact("Launch"), Starting("de")) }()
	if _, err := item.Await(ctx, Exact("Launch"), Containing("mo")); err != nil {
		t.Fatal(err)
	}
	select {
	case id := <-icon.clicked:
		t.Fatalf("clicked %d, which cannot be chosen", id)
	default:
	}
	icon.set(node(0, "", true, node(1, "Launch", true, node(7, "demo", true))))
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if id := <-icon.clicked; id != 7 {
		t.Errorf("clicked %d, want 7", id)
	}
}

func TestAMissingEntryIsNamedWithWhatIsThere(t *testing.T) {
	item, icon := show(t)
	icon.set(node(0, "", true, node(1, "Quit", true)))
	ctx, cancel := context.WithTimeout(t.Context(), 4*pause)
	defer cancel()
	if _, err := item.Await(ctx, Exact("Launch")); err == nil {
		t.Error("found an entry that is not there")
	}
	root, err := item.Menu(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := root.Find(Exact("Launch")); err == nil || !slices.Contains(root.Labels(), "Quit") {
		t.Errorf("Find said %v", err)
	}
}

func TestABusHasOneWatcher(t *testing.T) {
	bus, err := StartBus(t.Context(), os.Environ())
	if err != nil {
		t.Fatal(err)
	}
	defer bus.Close()
	if _, err := NewWatcher(bus.Conn); err != nil {
		t.Fatal(err)
	}
	second, err := dbus.Connect(bus.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if _, err := NewWatcher(second); err == nil {
		t.Error("took a name that is taken")
	}
}
