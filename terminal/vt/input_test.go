package vt

import "testing"

func TestKeysInEachMode(t *testing.T) {
	const none = ""
	for _, c := range []struct {
		modes string
		key   Key
		mods  Mods
		want  string
	}{
		{none, 'a', 0, "a"},
		{none, 'a', Ctrl, "\x01"},
		{none, 'z', Ctrl, "\x1a"},
		{none, 'a', Alt, "\x1ba"},
		{none, 'a', Alt | Ctrl, "\x1b\x01"},
		{none, 'é', Alt, "\x1bé"},
		{none, ' ', Ctrl, "\x00"},
		{none, '@', Ctrl, "\x00"},
		{none, '[', Ctrl, "\x1b"},
		{none, '\\', Ctrl, "\x1c"},
		{none, ']', Ctrl, "\x1d"},
		{none, '6', Ctrl, "\x1e"},
		{none, '_', Ctrl, "\x1f"},
		{none, '/', Ctrl, "\x1f"},
		{none, '8', Ctrl, "\x7f"},
		{none, '9', Ctrl, "9"},
		{none, KeyEnter, 0, "\r"},
		{"\x1b[20h", KeyEnter, 0, "\r\n"},
		{none, KeyEnter, Shift, "\x1b\r"},
		{none, KeyEnter, Alt, "\x1b\r"},
		{none, KeyKeypadEnter, 0, "\r"},
		{"\x1b=", KeyKeypadEnter, 0, "\x1bOM"},
		{none, KeyTab, 0, "\t"},
		{none, KeyTab, Shift, "\x1b[Z"},
		{none, KeyBackspace, 0, "\x7f"},
		{none, KeyBackspace, Ctrl, "\b"},
		{none, KeyBackspace, Alt, "\x1b\x7f"},
		{"\x1b[?67h", KeyBackspace, 0, "\b"},
		{none, KeyEscape, 0, "\x1b"},
		{none, KeyUp, 0, "\x1b[A"},
		{"\x1b[?1h", KeyUp, 0, "\x1bOA"},
		{"\x1b[?1h", KeyUp, Ctrl, "\x1b[1;5A"},
		{none, KeyLeft, Alt, "\x1b[1;3D"},
		{none, KeyRight, Shift, "\x1b[1;2C"},
		{none, KeyHome, 0, "\x1b[H"},
		{"\x1b[?1h", KeyEnd, 0, "\x1bOF"},
		{none, KeyDelete, 0, "\x1b[3~"},
		{none, KeyDelete, Ctrl | Shift, "\x1b[3;6~"},
		{none, KeyPageUp, 0, "\x1b[5~"},
		{none, KeyInsert, 0, "\x1b[2~"},
		{none, KeyF1, 0, "\x1bOP"},
		{none, KeyF4, Shift, "\x1b[1;2S"},
		{none, KeyF5, 0, "\x1b[15~"},
		{none, KeyF12, Ctrl, "\x1b[24;5~"},

		{"\x1b[>4;1m", '9', Ctrl, "\x1b[27;5;57~"},
		{"\x1b[>4;1m", 'a', Ctrl, "\x01"},
		{"\x1b[>4;2m", 'a', Ctrl, "\x1b[27;5;97~"},
		{"\x1b[>4;2m", 'a', 0, "a"},
		{"\x1b[>4;2m", KeyEnter, Shift, "\x1b[27;2;13~"},
		{"\x1b[>4;2m", KeyTab, Ctrl, "\x1b[27;5;9~"},
		{"\x1b[>4;2m", 'A', Shift, "A"},
		{"\x1b[>4;2m", 'a', Alt | Ctrl, "\x1b[27;7;97~"},
		{"\x1b[>4;2m", 'a', Super, "a"},
		{"\x1b[>4;2m", KeyBackspace, Ctrl, "\x1b[27;5;127~"},
		{"\x1b[>4;2m", KeyEscape, Alt, "\x1b[27;3;27~"},
		{"\x1b[>4;2m", KeyUp, Ctrl, "\x1b[1;5A"},
		{"\x1b[>4;1m", KeyEnter, Shift, "\x1b[27;2;13~"},
		{"\x1b[>4;1m", KeyEnter, 0, "\r"},
		{"\x1b[>4;1m", KeyTab, Shift, "\x1b[Z"},
		{"\x1b[>4;1m", KeyTab, Ctrl, "\x1b[27;5;9~"},
		{"\x1b[>4;1m", 'a', Alt, "\x1ba"},
		{"\x1b[>4;2m\x1b[>4m", 'a', Ctrl, "\x01"},
		{"\x1b[>4;2m\x1b[>4n", 'a', Ctrl, "\x01"},
		{"\x1b[>4;2m\x1bc", 'a', Ctrl, "\x01"},

		{none, KeyKeypad0 + 4, 0, "4"},
		{none, KeyKeypadDivide, 0, "/"},
		{none, KeyKeypadHome, 0, "\x1b[H"},
		{none, KeyKeypadDelete, Ctrl, "\x1b[3;5~"},
		{none, KeyKeypadBegin, 0, "\x1b[E"},
		{"\x1b=", KeyKeypad0 + 4, 0, "\x1bOt"},
		{"\x1b=", KeyKeypadMultiply, 0, "\x1bOj"},
		{"\x1b=", KeyKeypadSubtract, 0, "\x1bOm"},
		{"\x1b=", KeyKeypadEqual, 0, "\x1bOX"},
		{"\x1b[?66h", KeyKeypadDecimal, NumLock, "\x1bOn"},
		{"\x1b=\x1b>", KeyKeypadDecimal, 0, "."},
		{none, KeyF13, 0, "\x1b[25~"},
		{none, KeyF20, Shift, "\x1b[34;2~"},
		{none, KeyMenu, 0, "\x1b[29~"},
		{none, KeyF35, 0, ""},
		{none, KeyCapsLock, 0, ""},
		{none, KeyLeftShift, Shift, ""},
		{none, KeyUp, NumLock | CapsLock, "\x1b[A"},
		{none, 'a', Ctrl | CapsLock, "\x01"},

		{"\x1b[>1u", 'a', 0, "a"},
		{"\x1b[>1u", 'a', Ctrl, "\x1b[97;5u"},
		{"\x1b[>1u", 'a', Alt, "\x1b[97;3u"},
		{"\x1b[>1u", 'A', Shift, "A"},
		{"\x1b[>1u", KeyEscape, 0, "\x1b[27u"},
		{"\x1b[>1u", KeyEnter, 0, "\r"},
		{"\x1b[>1u", KeyEnter, Shift, "\x1b[13;2u"},
		{"\x1b[>1u", KeyTab, Shift, "\x1b[9;2u"},
		{"\x1b[>1u", KeyBackspace, 0, "\x7f"},
		{"\x1b[>1u", KeyBackspace, Ctrl, "\x1b[127;5u"},
		{"\x1b[>1u", KeyUp, 0, "\x1b[A"},
		{"\x1b[>1u", KeyUp, Ctrl, "\x1b[1;5A"},
		{"\x1b[>1u", KeyF1, 0, "\x1b[P"},
		{"\x1b[>1u", KeyF3, 0, "\x1b[13~"},
		{"\x1b[>8u", 'a', 0, "\x1b[97u"},
		{"\x1b[>8u", 'A', Shift, "\x1b[97;2u"},
		{"\x1b[>8u", KeyEnter, 0, "\x1b[13u"},
		{"\x1b[>24u", 'a', 0, "\x1b[97;;97u"},
		{"\x1b[>1u\x1b[<u", KeyEscape, 0, "\x1b"},
	} {
		term := New(Options{})
		term.Write([]byte(c.modes))
		if got := string(term.EncodeKey(nil, KeyEvent{Key: c.key, Mods: c.mods})); got != c.want {
			t.Errorf("%q: key %x with %d sends %q, want %q", c.modes, c.key, c.mods, got, c.want)
		}
	}
}

func TestReleasesAreSentOnlyWhenAskedFor(t *testing.T) {
	term := New(Options{})
	up := KeyEvent{Key: KeyUp, Action: KeyRelease}
	if got := term.EncodeKey(nil, up); len(got) != 0 {
		t.Errorf("without the flag a release sends %q", got)
	}
	term.Write([]byte("\x1b[>3u"))
	if got := string(term.EncodeKey(nil, up)); got != "\x1b[1;1:3A" {
		t.Errorf("with the flag a release sends %q", got)
	}
	if got := term.EncodeKey(nil, KeyEvent{Key: KeyEnter, Action: KeyRelease}); len(got) != 0 {
		t.Errorf("the release of Return sends %q", got)
	}
}

func TestKeysThatCannotSpeakKittyAreNotAnnounced(t *testing.T) {
	term := New(Options{NoKitty: true})
	term.Write([]byte("\x1b[>1u\x1b[?u\x1b[>4;2m"))
	if got := term.TakeReplies(nil); len(got) != 0 {
		t.Errorf("answered %q", got)
	}
	if got := string(term.EncodeKey(nil, KeyEvent{Key: KeyEscape})); got != "\x1b" {
		t.Errorf("Escape sends %q", got)
	}
}

func TestPointerReports(t *testing.T) {
	press := MouseEvent{Button: MouseLeft, Col: 4, Row: 2, PixelX: 40, PixelY: 50}
	release := press
	release.Release = true
	drag := press
	drag.Motion = true
	move := MouseEvent{Button: MouseNoButton, Col: 4, Row: 2, Motion: true}
	wheel := MouseEvent{Button: MouseWheelDown, Col: 4, Row: 2, Mods: Ctrl}
	far := MouseEvent{Button: MouseLeft, Col: 250, Row: 2}
	for _, c := range []struct {
		modes string
		event MouseEvent
		want  string
	}{
		{"", press, ""},
		{"\x1b[?9h", press, "\x1b[M %#"},
		{"\x1b[?9h", release, ""},
		{"\x1b[?1000h", press, "\x1b[M %#"},
		{"\x1b[?1000h", release, "\x1b[M#%#"},
		{"\x1b[?1000h", drag, ""},
		{"\x1b[?1000h", far, ""},
		{"\x1b[?1002h", drag, "\x1b[M@%#"},
		{"\x1b[?1002h", move, ""},
		{"\x1b[?1003h", move, "\x1b[MC%#"},
		{"\x1b[?1000h\x1b[?1006h", press, "\x1b[<0;5;3M"},
		{"\x1b[?1000h\x1b[?1006h", release, "\x1b[<0;5;3m"},
		{"\x1b[?1002h\x1b[?1006h", drag, "\x1b[<32;5;3M"},
		{"\x1b[?1000h\x1b[?1006h", wheel, "\x1b[<81;5;3M"},
		{"\x1b[?1000h\x1b[?1006h", far, "\x1b[<0;251;3M"},
		{"\x1b[?1000h\x1b[?1015h", press, "\x1b[32;5;3M"},
		{"\x1b[?1000h\x1b[?1016h", press, "\x1b[<0;41;51M"},
		{"\x1b[?1000h\x1b[?1005h", far, "\x1b[M \u011b#"},
		{"\x1b[?1003h\x1b[?1003l", press, ""},
	} {
		term := New(Options{Cols: 300, Rows: 24})
		term.Write([]byte(c.modes))
		if got := string(term.EncodeMouse(nil, c.event)); got != c.want {
			t.Errorf("%q: %+v sends %q, want %q", c.modes, c.event, got, c.want)
		}
	}
}

func TestPasteCarriesNoControls(t *testing.T) {
	const text = "a\r\nb\nc\td\x1b[201~rm\x07\u009b1m\x7f日"
	const clean = "a\rb\rc\td[201~rm1m日"
	term := New(Options{})
	if got := string(term.EncodePaste(nil, text)); got != clean {
		t.Errorf("pasted %q", got)
	}
	term.Write([]byte("\x1b[?2004h"))
	if got := string(term.EncodePaste(nil, text)); got != "\x1b[200~"+clean+"\x1b[201~" {
		t.Errorf("pasted %q", got)
	}
	if got := string(term.EncodeText(nil, "ls\n\x1b[A\x7fé")); got != "ls[Aé" {
		t.Errorf("typed %q", got)
	}
}

func TestFocusIsReportedWhenAskedFor(t *testing.T) {
	term := New(Options{})
	if got := term.EncodeFocus(nil, true); len(got) != 0 {
		t.Errorf("unasked %q", got)
	}
	term.Write([]byte("\x1b[?1004h"))
	if got := string(term.EncodeFocus(term.EncodeFocus(nil, true), false)); got != "\x1b[I\x1b[O" {
		t.Errorf("focus in and out is %q", got)
	}
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                 "plain",
		"a\x1b[31mb\x00\x9b":    "a[31mb",
		"x\u202ey\u2066z\u200b": "xyz",
		"a\u200db":              "ab",
		"👩\u200d💻":              "👩\u200d💻",
		"\U000e0041tag":         "tag",
		"\xff\xfe":              "",
		"two\nlines":            "twolines",
	} {
		if got := Clean(in, 100); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
	if got := Clean("ééé", 5); got != "éé" {
		t.Errorf("cut to %q", got)
	}
	if got := CleanText("a\n\tb\x1b"); got != "a\n\tb" {
		t.Errorf("text becomes %q", got)
	}
}
