package vt

import (
	"fmt"
	"testing"
)

// TestKittyKeyboard goes through the rules of the kitty keyboard page: which
// keys become sequences under which flags, their numbers, modifiers with the
// locks, event types, alternate keys, text.
func TestKittyKeyboard(t *testing.T) {
	const (
		press   = KeyPress
		repeat  = KeyRepeat
		release = KeyRelease
	)
	ev := func(k Key, m Mods, a KeyAction) KeyEvent { return KeyEvent{Key: k, Mods: m, Action: a} }
	for _, c := range []struct {
		name  string
		flags int
		e     KeyEvent
		want  string
	}{
		{"text stays text", 1, KeyEvent{Key: 'a', Text: "a"}, "a"},
		{"text with Shift stays text", 1, KeyEvent{Key: 'a', Mods: Shift, Text: "A"}, "A"},
		{"text of Option stays text", 1, KeyEvent{Key: 'a', Mods: Alt, Text: "å"}, "å"},
		{"text with a lock stays text", 1, KeyEvent{Key: 'a', Mods: CapsLock, Text: "A"}, "A"},
		{"control characters are no text", 1, KeyEvent{Key: 'a', Text: "\x1b[A\u009b"}, "[A"},
		{"Escape", 1, ev(KeyEscape, 0, press), "\x1b[27u"},
		{"Alt", 1, ev('a', Alt, press), "\x1b[97;3u"},
		{"Ctrl", 1, ev('c', Ctrl, press), "\x1b[99;5u"},
		{"Ctrl Shift has the small letter", 1, ev('A', Ctrl|Shift, press), "\x1b[97;6u"},
		{"Ctrl Alt", 1, ev('[', Ctrl|Alt, press), "\x1b[91;7u"},
		{"Shift Alt", 1, ev('x', Shift|Alt, press), "\x1b[120;4u"},
		{"Super", 1, ev('s', Super, press), "\x1b[115;9u"},
		{"Hyper", 1, ev('s', Hyper, press), "\x1b[115;17u"},
		{"Meta", 1, ev('s', Meta, press), "\x1b[115;33u"},
		{"Ctrl with both locks", 1, ev('s', Ctrl|CapsLock|NumLock, press), "\x1b[115;197u"},
		{"Return stays", 1, ev(KeyEnter, 0, press), "\r"},
		{"Return with a lock stays", 1, ev(KeyEnter, NumLock, press), "\r"},
		{"Tab stays", 1, ev(KeyTab, 0, press), "\t"},
		{"Backspace stays", 1, ev(KeyBackspace, CapsLock, press), "\x7f"},
		{"Return with Shift", 1, ev(KeyEnter, Shift, press), "\x1b[13;2u"},
		{"Tab with Ctrl", 1, ev(KeyTab, Ctrl, press), "\x1b[9;5u"},
		{"Backspace with Alt", 1, ev(KeyBackspace, Alt, press), "\x1b[127;3u"},

		{"arrow", 1, ev(KeyUp, 0, press), "\x1b[A"},
		{"arrow with a lock", 1, ev(KeyUp, NumLock, press), "\x1b[1;129A"},
		{"End", 1, ev(KeyEnd, Shift, press), "\x1b[1;2F"},
		{"Insert", 1, ev(KeyInsert, 0, press), "\x1b[2~"},
		{"Page Down", 1, ev(KeyPageDown, Alt|Ctrl, press), "\x1b[6;7~"},
		{"F1", 1, ev(KeyF1, 0, press), "\x1b[P"},
		{"F3 is no position report", 1, ev(KeyF3, Ctrl, press), "\x1b[13;5~"},
		{"F4", 1, ev(KeyF4, Super, press), "\x1b[1;9S"},
		{"F12", 1, ev(KeyF12, 0, press), "\x1b[24~"},
		{"F13", 1, ev(KeyF13, 0, press), "\x1b[57376u"},
		{"F35", 1, ev(KeyF35, Shift, press), "\x1b[57398;2u"},
		{"Caps Lock", 1, ev(KeyCapsLock, 0, press), "\x1b[57358u"},
		{"Menu", 1, ev(KeyMenu, 0, press), "\x1b[57363u"},
		{"media", 1, ev(KeyMuteVolume, 0, press), "\x1b[57440u"},
		{"keypad Return", 1, ev(KeyKeypadEnter, 0, press), "\x1b[57414u"},
		{"keypad digit", 1, ev(KeyKeypad0+5, 0, press), "\x1b[57404u"},
		{"keypad digit that writes", 1, KeyEvent{Key: KeyKeypad0 + 5, Mods: NumLock, Text: "5"}, "5"},
		{"keypad operator", 1, ev(KeyKeypadAdd, Ctrl, press), "\x1b[57413;5u"},
		{"keypad arrow", 1, ev(KeyKeypadLeft, 0, press), "\x1b[57417u"},
		{"keypad in the middle", 1, ev(KeyKeypadBegin, 0, press), "\x1b[E"},
		{"keypad without flag 1", 2, ev(KeyKeypadLeft, 0, press), "\x1b[D"},
		{"keypad digit without flag 1", 2, ev(KeyKeypad0+5, 0, press), "5"},
		{"modifiers alone are not told", 1, ev(KeyLeftShift, Shift, press), ""},
		{"modifiers alone are told", 8, ev(KeyLeftShift, Shift, press), "\x1b[57441;2u"},
		{"modifier let go", 10, ev(KeyRightMeta, 0, release), "\x1b[57452;1:3u"},

		{"no release without flag 2", 1, ev(KeyUp, 0, release), ""},
		{"repeat without flag 2 is a press", 1, ev(KeyUp, 0, repeat), "\x1b[A"},
		{"press", 3, ev(KeyUp, 0, press), "\x1b[A"},
		{"repeat", 3, ev(KeyUp, 0, repeat), "\x1b[1;1:2A"},
		{"release", 3, ev(KeyUp, Ctrl, release), "\x1b[1;5:3A"},
		{"release of a numbered one", 3, ev(KeyDelete, 0, release), "\x1b[3;1:3~"},
		{"release of Escape", 3, ev(KeyEscape, 0, release), "\x1b[27;1:3u"},
		{"Return tells no release", 3, ev(KeyEnter, 0, release), ""},
		{"Return tells one as a sequence", 11, ev(KeyEnter, 0, release), "\x1b[13;1:3u"},
		{"text tells no release", 3, KeyEvent{Key: 'a', Text: "a", Action: release}, ""},
		{"text tells one as a sequence", 10, KeyEvent{Key: 'a', Text: "a", Action: release}, "\x1b[97;1:3u"},
		{"repeat with Ctrl", 3, ev('c', Ctrl, repeat), "\x1b[99;5:2u"},
		{"Escape with flag 2 alone", 2, ev(KeyEscape, 0, press), "\x1b"},

		{"alternates: nothing to say", 5, ev('a', Ctrl, press), "\x1b[97;5u"},
		{"alternates: Shift", 5, ev('a', Ctrl|Shift, press), "\x1b[97:65;6u"},
		{"alternates: a given one", 5, KeyEvent{Key: '=', Shifted: '+', Mods: Ctrl | Shift}, "\x1b[61:43;6u"},
		{"alternates: not without Shift", 5, KeyEvent{Key: '=', Shifted: '+', Mods: Ctrl}, "\x1b[61;5u"},
		{"alternates: base", 5, KeyEvent{Key: 'с', Base: 'c', Mods: Ctrl}, "\x1b[1089::99;5u"},
		{"alternates: both", 5, KeyEvent{Key: 'с', Base: 'c', Mods: Ctrl | Shift}, "\x1b[1089:1057:99;6u"},
		{"alternates: base that is the same", 5, KeyEvent{Key: 'c', Base: 'c', Mods: Ctrl}, "\x1b[99;5u"},
		{"alternates: not for function keys", 5, KeyEvent{Key: KeyF5, Base: 'x', Mods: Shift}, "\x1b[15;2~"},
		{"alternates: not without the flag", 1, KeyEvent{Key: 'с', Base: 'c', Mods: Ctrl | Shift}, "\x1b[1089;6u"},
		{"alternates alone change no arrow", 4, ev(KeyF1, 0, press), "\x1bOP"},

		{"all: letter", 8, KeyEvent{Key: 'a', Text: "a"}, "\x1b[97u"},
		{"all: Shift", 8, KeyEvent{Key: 'a', Mods: Shift, Text: "A"}, "\x1b[97;2u"},
		{"all: lock", 8, KeyEvent{Key: 'a', Mods: NumLock, Text: "a"}, "\x1b[97;129u"},
		{"all: Return", 8, ev(KeyEnter, 0, press), "\x1b[13u"},
		{"all: Tab", 8, ev(KeyTab, Shift, press), "\x1b[9;2u"},
		{"all: Backspace", 8, ev(KeyBackspace, 0, press), "\x1b[127u"},
		{"all: repeat", 10, KeyEvent{Key: 'w', Text: "w", Action: repeat}, "\x1b[119;1:2u"},

		{"text: shift+a", 24, KeyEvent{Key: 'a', Mods: Shift, Text: "A"}, "\x1b[97;2;65u"},
		{"text: option+a", 24, KeyEvent{Key: 'a', Text: "å"}, "\x1b[97;;229u"},
		{"text: of several", 24, KeyEvent{Key: 'e', Text: "e\u0301"}, "\x1b[101;;101:769u"},
		{"text: as the key says", 24, ev('a', 0, press), "\x1b[97;;97u"},
		{"text: as the key says with Shift", 24, KeyEvent{Key: '1', Mods: Shift, Shifted: '!'}, "\x1b[49;2;33u"},
		{"text: Caps Lock", 24, ev('a', CapsLock, press), "\x1b[97;65;65u"},
		{"text: keypad", 25, ev(KeyKeypad0+7, NumLock, press), "\x1b[57406;129;55u"},
		{"text: none with Ctrl", 24, ev('a', Ctrl, press), "\x1b[97;5u"},
		{"text: none of Return", 24, ev(KeyEnter, 0, press), "\x1b[13u"},
		{"text: no controls", 24, KeyEvent{Key: 'a', Text: "\r\x1b\u0085"}, "\x1b[97u"},
		{"text: none on release", 26, KeyEvent{Key: 'a', Text: "a", Action: release}, "\x1b[97;1:3u"},
		{"text: on repeat", 26, KeyEvent{Key: 'a', Text: "a", Action: repeat}, "\x1b[97;1:2;97u"},
		{"text without flag 8 is plain", 17, KeyEvent{Key: 'a', Text: "a"}, "a"},
		{"everything", 31, KeyEvent{Key: 'с', Base: 'c', Mods: Shift | CapsLock, Text: "С", Action: repeat}, "\x1b[1089:1057:99;66:2;1057u"},
	} {
		t.Run(c.name, func(t *testing.T) {
			term := New(Options{})
			fmt.Fprintf(term, "\x1b[>%du", c.flags)
			if got := string(term.EncodeKey(nil, c.e)); got != c.want {
				t.Errorf("with flags %d sends %q, want %q", c.flags, got, c.want)
			}
		})
	}
}

// TestCursorKeyModeGivesWayToKitty: sequences that ESC O begins cannot be told
// from Alt and O.
func TestCursorKeyModeGivesWayToKitty(t *testing.T) {
	for flags, want := range map[int]string{1: "\x1b[A", 2: "\x1b[A", 4: "\x1bOA", 8: "\x1b[A"} {
		term := New(Options{})
		fmt.Fprintf(term, "\x1b[?1h\x1b[>%du", flags)
		if got := string(term.EncodeKey(nil, KeyEvent{Key: KeyUp})); got != want {
			t.Errorf("with flags %d an arrow sends %q, want %q", flags, got, want)
		}
	}
}

func TestComposedTextUnderKitty(t *testing.T) {
	for _, c := range []struct {
		flags    int
		in, want string
	}{
		{0, "日本\n", "日本"},
		{1, "日本", "日本"},
		{8, "é", "\x1b[233u"},
		{24, "é", "\x1b[233;;233u"},
		{24, "日本", "\x1b[0;;26085:26412u"}, // no key is known
	} {
		term := New(Options{})
		fmt.Fprintf(term, "\x1b[>%du", c.flags)
		if got := string(term.EncodeText(nil, c.in)); got != c.want {
			t.Errorf("with flags %d %q sends %q, want %q", c.flags, c.in, got, c.want)
		}
	}
}

func TestKittyStacks(t *testing.T) {
	for _, c := range []struct {
		in   string
		want int
	}{
		{"", 0},
		{"\x1b[>u", 0},
		{"\x1b[>31u", 31},
		{"\x1b[>4294967295u", 99_999 & 31}, // only the bits that there are
		{"\x1b[=5u", 5},
		{"\x1b[=5u\x1b[=2;2u", 7},
		{"\x1b[=7u\x1b[=2;3u", 5},
		{"\x1b[=7u\x1b[=1;9u", 7},
		{"\x1b[>1u\x1b[>2u\x1b[<u", 1},
		{"\x1b[>1u\x1b[>2u\x1b[<0u", 1},
		{"\x1b[>1u\x1b[>2u\x1b[<4294967295u", 0},
		{"\x1b[>1u\x1b[>2u\x1b[>3u\x1b[>4u\x1b[>5u\x1b[>6u\x1b[>7u\x1b[>8u\x1b[>9u\x1b[<7u", 2}, // the oldest one left
		{"\x1b[>1u\x1b[?1049h", 0},
		{"\x1b[>1u\x1b[?1049h\x1b[>2u\x1b[?1049l", 1},
		{"\x1b[>1u\x1bc", 0},
	} {
		term := New(Options{})
		term.Write([]byte(c.in + "\x1b[?u"))
		if got := string(term.TakeReplies(nil)); got != fmt.Sprintf("\x1b[?%du", c.want) {
			t.Errorf("after %q the flags are %q, want %d", c.in, got, c.want)
		}
	}
}
