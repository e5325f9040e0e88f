package terminal

import (
	"unicode/utf8"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"

	"bottlebar.app/terminal/vt"
)

var (
	_ fyne.Focusable    = (*Terminal)(nil)
	_ fyne.Tabbable     = (*Terminal)(nil)
	_ fyne.Shortcutable = (*Terminal)(nil)
	_ desktop.Keyable   = (*Terminal)(nil)
)

// AcceptsTab keeps Tab for the program.
func (t *Terminal) AcceptsTab() bool { return true }

// FocusGained is for the toolkit.
func (t *Terminal) FocusGained() { t.setFocus(true) }

// FocusLost is for the toolkit.
func (t *Terminal) FocusLost() { t.setFocus(false) }

func (t *Terminal) setFocus(on bool) {
	if t.focused == on {
		return
	}
	t.focused, t.since, t.option = on, t.now(), false
	t.held = held{}
	t.input(t.core.EncodeFocus(nil, on))
	t.frame.wake()
	if t.OnFocus != nil {
		t.OnFocus(on)
	}
}

var keys = map[fyne.KeyName]vt.Key{
	fyne.KeyReturn: vt.KeyEnter, fyne.KeyEnter: vt.KeyKeypadEnter, fyne.KeyTab: vt.KeyTab,
	fyne.KeyBackspace: vt.KeyBackspace, fyne.KeyEscape: vt.KeyEscape,
	fyne.KeyUp: vt.KeyUp, fyne.KeyDown: vt.KeyDown, fyne.KeyRight: vt.KeyRight, fyne.KeyLeft: vt.KeyLeft,
	fyne.KeyHome: vt.KeyHome, fyne.KeyEnd: vt.KeyEnd, fyne.KeyInsert: vt.KeyInsert, fyne.KeyDelete: vt.KeyDelete,
	fyne.KeyPageUp: vt.KeyPageUp, fyne.KeyPageDown: vt.KeyPageDown,
	fyne.KeyF1: vt.KeyF1, fyne.KeyF2: vt.KeyF2, fyne.KeyF3: vt.KeyF3, fyne.KeyF4: vt.KeyF4,
	fyne.KeyF5: vt.KeyF5, fyne.KeyF6: vt.KeyF6, fyne.KeyF7: vt.KeyF7, fyne.KeyF8: vt.KeyF8,
	fyne.KeyF9: vt.KeyF9, fyne.KeyF10: vt.KeyF10, fyne.KeyF11: vt.KeyF11, fyne.KeyF12: vt.KeyF12,
	fyne.KeySpace: ' ',
}

func modsOf(m fyne.KeyModifier) vt.Mods {
	var out vt.Mods
	for bit, v := range map[fyne.KeyModifier]vt.Mods{
		fyne.KeyModifierShift: vt.Shift, fyne.KeyModifierAlt: vt.Alt,
		fyne.KeyModifierControl: vt.Ctrl, fyne.KeyModifierSuper: vt.Super,
	} {
		if m&bit != 0 {
			out |= v
		}
	}
	return out
}

// held knows which keys are down, for programs that ask for repeats and
// releases.
type held struct {
	fresh fyne.KeyName    // went down and has done nothing yet
	sent  map[vt.Key]bool // the program knows that they are down
}

// press notes that a key does something now, and says whether it did before
// without having been let go.
func (h *held) press(name fyne.KeyName, k vt.Key) vt.KeyAction {
	if h.sent == nil {
		h.sent = map[vt.Key]bool{}
	}
	again := h.sent[k] && h.fresh != name
	h.fresh, h.sent[k] = "", true
	if again {
		return vt.KeyRepeat
	}
	return vt.KeyPress
}

// key sends a key with its modifiers.
func (t *Terminal) key(name fyne.KeyName, k vt.Key, m vt.Mods) {
	t.sendKey(t.core.EncodeKey(nil, vt.KeyEvent{Key: k, Mods: m, Action: t.held.press(name, k)}))
}

// TypedRune is text from the keyboard or an input method.
func (t *Terminal) TypedRune(r rune) {
	t.touched = t.now()
	if t.option {
		t.option = false // what Option made of a key that went out as Meta
		return
	}
	k, ok := keyOf(t.lastKey)
	action := vt.KeyPress
	if ok {
		action = t.held.press(t.lastKey, k)
	}
	if !ok || k >= vt.KeyEnter || k < utf8.RuneSelf && r >= utf8.RuneSelf {
		// Composed from several keys, or by an input method.
		t.sendKey(t.core.EncodeText(nil, string(r)))
		return
	}
	t.sendKey(t.core.EncodeKey(nil, vt.KeyEvent{Key: k, Mods: modsOf(t.mods()) & vt.Shift, Text: string(r), Action: action}))
}

// KeyDown is for the toolkit; it comes before what the key does.
func (t *Terminal) KeyDown(e *fyne.KeyEvent) {
	t.option = false
	t.lastKey, t.held.fresh = e.Name, e.Name
	t.touched = t.now()
}

// KeyUp is for the toolkit. Only a program that asked for it is told, and only
// of keys that it saw go down.
func (t *Terminal) KeyUp(e *fyne.KeyEvent) {
	k, ok := keyOf(e.Name)
	if !ok || !t.held.sent[k] {
		return
	}
	delete(t.held.sent, k)
	t.input(t.core.EncodeKey(nil, vt.KeyEvent{Key: k, Mods: modsOf(t.mods()), Action: vt.KeyRelease}))
}

// TypedKey is a key that writes nothing, or one that does, before its rune.
func (t *Terminal) TypedKey(e *fyne.KeyEvent) {
	k, ok := keys[e.Name]
	if !ok || e.Name == fyne.KeySpace {
		return // its rune follows
	}
	m := modsOf(t.mods())
	if m == vt.Shift && t.scrollKey(k) {
		return
	}
	t.key(e.Name, k, m)
}

// scrollKey moves through the scrollback of the main screen.
func (t *Terminal) scrollKey(k vt.Key) bool {
	alt, page := false, 0
	t.core.View(func(s *vt.Screen) { alt, page = s.Modes.AltScreen, max(s.Rows-1, 1) })
	if alt {
		return false
	}
	switch k {
	case vt.KeyPageUp:
		t.scrollBy(page)
	case vt.KeyPageDown:
		t.scrollBy(-page)
	case vt.KeyHome:
		t.scrollBy(1 << 30)
	case vt.KeyEnd:
		t.scrollBy(-1 << 30)
	default:
		return false
	}
	return true
}

// scrollBy moves the view by lines, up where n is more than 0.
func (t *Terminal) scrollBy(n int) {
	t.core.View(func(s *vt.Screen) {
		t.follow(s)
		t.back = min(max(t.back+n, 0), s.Top-s.First)
		t.mouse.top = s.Top - t.back
	})
	t.frame.wake()
}

// TypedShortcut is a key with Control, Alt or Command. Those of the app go to
// the window first; then come ours; the rest is the program's.
func (t *Terminal) TypedShortcut(s fyne.Shortcut) {
	if t.OnShortcut != nil && t.OnShortcut(s) {
		return
	}
	name, m := shortcutKey(s, t.opts.Mac, t.lastKey)
	if name == "" {
		return
	}
	if t.ownShortcut(name, m) || m&fyne.KeyModifierSuper != 0 {
		return
	}
	if t.opts.Mac && m&fyne.KeyModifierAlt != 0 && m&fyne.KeyModifierControl == 0 {
		if _, special := keys[name]; !special && !t.opts.OptionIsMeta {
			return // the rune that Option makes follows
		}
		t.option = t.opts.OptionIsMeta
	}
	if k, ok := keyOf(name); ok {
		if k >= vt.KeyEnter {
			t.option = false // no rune follows
		}
		t.key(name, k, modsOf(m))
	}
}

// shortcutKey undoes the toolkit's naming: it calls Control and C "Copy".
func shortcutKey(s fyne.Shortcut, mac bool, last fyne.KeyName) (fyne.KeyName, fyne.KeyModifier) {
	m := fyne.KeyModifierControl
	if mac {
		m = fyne.KeyModifierSuper
	}
	switch s := s.(type) {
	case *desktop.CustomShortcut:
		return s.KeyName, s.Modifier
	case *fyne.ShortcutCopy:
		if s.Secondary || last == fyne.KeyInsert {
			return fyne.KeyInsert, m
		}
		return fyne.KeyC, m
	case *fyne.ShortcutPaste:
		if s.Secondary || last == fyne.KeyInsert {
			return fyne.KeyInsert, fyne.KeyModifierShift
		}
		return fyne.KeyV, m
	case *fyne.ShortcutCut:
		if s.Secondary || last == fyne.KeyDelete {
			return fyne.KeyDelete, fyne.KeyModifierShift
		}
		return fyne.KeyX, m
	case *fyne.ShortcutSelectAll:
		return fyne.KeyA, m
	case *fyne.ShortcutUndo:
		return fyne.KeyZ, m
	case *fyne.ShortcutRedo:
		return fyne.KeyY, m
	}
	return "", 0
}

// keyOf turns the toolkit's name of a key into ours; letters become small.
func keyOf(name fyne.KeyName) (vt.Key, bool) {
	if k, ok := keys[name]; ok {
		return k, true
	}
	r, n := utf8.DecodeRuneInString(string(name))
	if n == 0 || n != len(name) {
		return 0, false
	}
	if r >= 'A' && r <= 'Z' {
		r += 'a' - 'A'
	}
	return vt.Key(r), true
}

// ownShortcut carries out copy, paste, select all, clear and zoom.
func (t *Terminal) ownShortcut(name fyne.KeyName, m fyne.KeyModifier) bool {
	app, edit := fyne.KeyModifierControl, fyne.KeyModifierControl|fyne.KeyModifierShift
	if t.opts.Mac {
		app, edit = fyne.KeyModifierSuper, fyne.KeyModifierSuper
	}
	if m&^fyne.KeyModifierShift == app && t.zoomKey(name, m) {
		return true
	}
	if name == fyne.KeyInsert && !t.opts.Mac {
		switch m {
		case fyne.KeyModifierShift:
			t.PasteClipboard()
			return true
		case app:
			t.Copy()
			return true
		}
	}
	if m != edit {
		return false
	}
	switch name {
	case fyne.KeyC:
		t.Copy()
	case fyne.KeyV:
		t.PasteClipboard()
	case fyne.KeyA:
		t.SelectAll()
	case fyne.KeyK:
		t.Clear()
	default:
		return false
	}
	return true
}

// zoomKey changes the text size; plus may need Shift on the keyboard.
func (t *Terminal) zoomKey(name fyne.KeyName, m fyne.KeyModifier) bool {
	switch {
	case name == fyne.KeyPlus || name == fyne.KeyEqual:
		t.SetTextSize(t.opts.TextSize + 1)
	case name == fyne.KeyMinus && m&fyne.KeyModifierShift == 0:
		t.SetTextSize(t.opts.TextSize - 1)
	case name == fyne.Key0 && m&fyne.KeyModifierShift == 0:
		t.SetTextSize(DefaultTextSize)
	default:
		return false
	}
	return true
}
