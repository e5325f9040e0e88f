package terminal

import (
	"net/url"

	"fyne.io/fyne/v2"

	"bottlebar.app/terminal/vt"
)

// Link is a web address in the text. Both parts come from the program.
type Link struct {
	// URI is the address that is opened: http or https, with a host.
	URI string
	// Plain says that it is what stands on the screen, and that its host is
	// what it looks like: no user's name before it, ASCII alone. Of any other
	// one the person has not seen where it leads.
	Plain bool
}

// linkAt returns the link at a cell and the cells that it covers; ok is false
// where there is none that may be opened.
func linkAt(s *vt.Screen, at vt.Point) (l Link, sel vt.Selection, ok bool) {
	uri, sel := s.LinkAt(at)
	u, err := url.Parse(uri)
	if uri == "" || err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return Link{}, vt.Selection{}, false
	}
	plain := u.User == nil && s.Selected(sel) == uri
	for _, r := range u.Host {
		plain = plain && r < 0x80
	}
	return Link{URI: uri, Plain: plain}, sel, true
}

// hover underlines the link under the pointer while the shortcut key is held,
// and tells where it leads.
func (t *Terminal) hover(p fyne.Position, on bool) {
	had, led := t.mouse.link, t.mouse.target
	t.mouse.link, t.mouse.target = nil, Link{}
	if on {
		at, _, _ := t.cellAt(p)
		t.core.View(func(s *vt.Screen) {
			if l, sel, ok := linkAt(s, at); ok {
				t.mouse.link, t.mouse.target = &sel, l
			}
		})
	}
	if (had == nil) != (t.mouse.link == nil) || had != nil && *had != *t.mouse.link {
		t.frame.wake()
	}
	if led != t.mouse.target && t.OnHover != nil {
		t.OnHover(t.mouse.target.URI)
	}
}

// openLink hands the link under the pointer to the owner.
func (t *Terminal) openLink(p fyne.Position) bool {
	t.hover(p, true)
	if t.mouse.link == nil || t.OnLink == nil {
		return false
	}
	t.OnLink(t.mouse.target)
	return true
}
