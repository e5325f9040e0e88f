package traytest

import (
	"fmt"
	"strings"

	"github.com/godbus/dbus/v5"
)

// Entry is one entry of a menu. The root is an entry without a label.
type Entry struct {
	ID        int32
	Label     string
	Separator bool
	Enabled   bool
	Checked   bool
	Icon      []byte // PNG; nil without one
	Children  []Entry
}

// Match chooses an entry by its label.
type Match func(label string) bool

// Exact matches the label itself.
func Exact(label string) Match { return func(l string) bool { return l == label } }

// Starting matches a label by its beginning.
func Starting(s string) Match { return func(l string) bool { return strings.HasPrefix(l, s) } }

// Containing matches a label by a part of it.
func Containing(s string) Match { return func(l string) bool { return strings.Contains(l, s) } }

// Find goes down the menu: at each level into the first entry that matches.
func (e Entry) Find(path ...Match) (Entry, error) {
next:
	for i, match := range path {
		for _, c := range e.Children {
			if !c.Separator && match(c.Label) {
				e = c
				continue next
			}
		}
		return Entry{}, fmt.Errorf("no entry for step %d of the path among %q", i+1, e.Labels())
	}
	return e, nil
}

// Labels lists the children's labels, "-" for a separator.
func (e Entry) Labels() []string {
	out := make([]string, 0, len(e.Children))
	for _, c := range e.Children {
		if c.Separator {
			c.Label = "-"
		}
		out = append(out, c.Label)
	}
	return out
}

// String draws the menu as indented lines, for a log.
func (e Entry) String() string {
	var b strings.Builder
	e.draw(&b, "")
	return b.String()
}

func (e Entry) draw(b *strings.Builder, indent string) {
	for _, c := range e.Children {
		switch {
		case c.Separator:
			fmt.Fprintf(b, "%s──\n", indent)
		case !c.Enabled:
			fmt.Fprintf(b, "%s(%s)\n", indent, c.Label)
		default:
			fmt.Fprintf(b, "%s%s\n", indent, c.Label)
		}
		c.draw(b, indent+"    ")
	}
}

// layout is a menu on the wire: (ia{sv}av), its children variants of the same.
type layout struct {
	ID       int32
	Props    map[string]dbus.Variant
	Children []dbus.Variant
}

func (l layout) entry() Entry {
	e := Entry{ID: l.ID, Enabled: true}
	var kind string
	var toggle int32
	for name, into := range map[string]any{
		"label": &e.Label, "enabled": &e.Enabled, "icon-data": &e.Icon, "type": &kind, "toggle-state": &toggle,
	} {
		if v, ok := l.Props[name]; ok {
			// A property of another type is left at its default, as a panel does.
			_ = v.Store(into)
		}
	}
	e.Separator = kind == "separator"
	e.Checked = toggle == 1
	for _, c := range l.Children {
		var child layout
		if dbus.Store([]any{c.Value()}, &child) == nil {
			e.Children = append(e.Children, child.entry())
		}
	}
	return e
}
