package xdrive

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jezek/xgb/xproto"
	"github.com/jezek/xgb/xtest"
)

// key is where a symbol lies on the keyboard.
type key struct {
	code  xproto.Keycode
	shift bool
}

// named are the keys that have no character, by X's numbers for them.
var named = map[string]rune{
	"Return": 0xff0d, "Escape": 0xff1b, "Tab": 0xff09, "BackSpace": 0xff08, "Delete": 0xffff,
	"Left": 0xff51, "Up": 0xff52, "Right": 0xff53, "Down": 0xff54, "Home": 0xff50, "End": 0xff57,
	"Page_Up": 0xff55, "Page_Down": 0xff56,
	"shift": 0xffe1, "ctrl": 0xffe3, "alt": 0xffe9, "super": 0xffeb,
}

// keystroke is how long a key stays where it is: shorter ones are merged or lost
// by toolkits that look at the keyboard once per frame.
const keystroke = 6 * time.Millisecond

// Type presses the keys of a text, as a person types it: ASCII, "\n" being Return.
func (d *Display) Type(ctx context.Context, text string) error {
	for _, r := range text {
		if r == '\n' {
			r = named["Return"]
		}
		if err := d.press(ctx, r, nil); err != nil {
			return fmt.Errorf("typing %q: %w", text, err)
		}
	}
	return nil
}

// Key presses one key, with those that are held: "Return", "ctrl+shift+c".
func (d *Display) Key(ctx context.Context, chord string) error {
	parts := strings.Split(chord, "+")
	symbols := make([]rune, len(parts))
	for i, p := range parts {
		if s, ok := named[p]; ok {
			symbols[i] = s
		} else if len(p) == 1 {
			symbols[i] = rune(p[0])
		} else {
			return fmt.Errorf("pressing %s: no key is called %q", chord, p)
		}
	}
	last := len(symbols) - 1
	if err := d.press(ctx, symbols[last], symbols[:last]); err != nil {
		return fmt.Errorf("pressing %s: %w", chord, err)
	}
	return nil
}

// press presses and releases the key of a symbol while others are held.
func (d *Display) press(ctx context.Context, symbol rune, held []rune) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.readKeys(); err != nil {
		return err
	}
	k, ok := d.keys[symbol]
	if !ok {
		return fmt.Errorf("no key for %q", symbol)
	}
	if k.shift {
		held = append([]rune{named["shift"]}, held...)
	}
	codes := make([]xproto.Keycode, 0, len(held)+1)
	for _, h := range held {
		codes = append(codes, d.keys[h].code)
	}
	codes = append(codes, k.code)
	for _, c := range codes {
		if err := d.fake(xproto.KeyPress, byte(c), 0, 0); err != nil {
			return err
		}
	}
	stopped := sleep(ctx, keystroke)
	// What went down comes up again whatever happens, or the keyboard is stuck.
	for i := len(codes) - 1; i >= 0; i-- {
		if err := d.fake(xproto.KeyRelease, byte(codes[i]), 0, 0); err != nil {
			return err
		}
	}
	if stopped != nil {
		return stopped
	}
	return sleep(ctx, keystroke)
}

// readKeys reads once which key gives what, alone and with shift. The caller holds mu.
func (d *Display) readKeys() error {
	if d.keys != nil {
		return nil
	}
	setup := xproto.Setup(d.conn)
	first, last := setup.MinKeycode, setup.MaxKeycode
	reply, err := xproto.GetKeyboardMapping(d.conn, first, byte(last-first+1)).Reply()
	if err != nil {
		return fmt.Errorf("reading the keyboard: %w", err)
	}
	d.keys = map[rune]key{}
	per := int(reply.KeysymsPerKeycode)
	for level := range min(per, 2) {
		for i := range int(last-first) + 1 {
			symbol := rune(reply.Keysyms[i*per+level])
			if _, known := d.keys[symbol]; !known && symbol != 0 {
				d.keys[symbol] = key{first + xproto.Keycode(i), level == 1}
			}
		}
	}
	return nil
}

// Move puts the pointer somewhere on the screen.
func (d *Display) Move(x, y int) error { return d.fake(xproto.MotionNotify, 0, x, y) }

// Click moves the pointer and presses a button there: 1 is the left one, 3 the right one.
func (d *Display) Click(ctx context.Context, x, y int, button byte) error {
	if err := d.Move(x, y); err != nil {
		return err
	}
	// The window under the pointer gets to know it before the button.
	if err := sleep(ctx, 3*keystroke); err != nil {
		return err
	}
	if err := d.fake(xproto.ButtonPress, button, 0, 0); err != nil {
		return err
	}
	stopped := sleep(ctx, keystroke)
	if err := d.fake(xproto.ButtonRelease, button, 0, 0); err != nil {
		return err
	}
	return stopped
}

// fake has the server believe an event of its own devices.
func (d *Display) fake(kind, detail byte, x, y int) error {
	return xtest.FakeInputChecked(d.conn, kind, detail, 0, d.root, int16(x), int16(y), 0).Check()
}
