package main

import (
	"context"
	"fmt"
	"image"
	"strings"
	"time"

	"bottlebar.app/internal/traytest"
	"bottlebar.app/internal/xdrive"
)

// livesIn does in the session's window what one does there all day.
func livesIn(ctx context.Context, p *play) error {
	if err := p.display.Focus(ctx, p.session); err != nil {
		return err
	}
	for _, do := range []func(context.Context, *play) error{finds, opensMenu, isOffered, zooms, rings} {
		if err := do(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// finds looks for a word: its places are marked, the bar counts them.
func finds(ctx context.Context, p *play) error {
	if err := p.say(ctx, "!for i in $(seq 60); do echo worker $i took a job; done\n"); err != nil {
		return err
	}
	if err := p.display.Key(ctx, "ctrl+shift+f"); err != nil {
		return err
	}
	if err := p.display.Type(ctx, "job"); err != nil {
		return err
	}
	if err := p.picture(ctx, "find", p.session.Area); err != nil {
		return err
	}
	return p.display.Key(ctx, "Escape")
}

// opensMenu opens the context menu.
func opensMenu(ctx context.Context, p *play) error {
	at := p.session.Area.Min.Add(middle(p.session))
	if err := p.display.Click(ctx, at.X, at.Y, 3); err != nil {
		return err
	}
	if err := p.picture(ctx, "context-menu", p.session.Area); err != nil {
		return err
	}
	return p.display.Key(ctx, "Escape")
}

// isOffered lets a program put twelve lines on the clipboard, of which the
// window tells, and pastes them, about which it asks.
func isOffered(ctx context.Context, p *play) error {
	if err := p.say(ctx, `!printf '\033]52;c;%s\007' $(seq 12 | base64 -w0)`+"\n"); err != nil {
		return err
	}
	if err := p.picture(ctx, "clipboard", p.session.Area); err != nil {
		return err
	}
	if err := p.display.Key(ctx, "ctrl+shift+v"); err != nil {
		return err
	}
	if err := p.picture(ctx, "paste", p.session.Area); err != nil {
		return err
	}
	// Cancel, the left one of two buttons; nothing was pasted.
	at := p.session.Area.Max.Sub(image.Pt(114, 49).Mul(p.options.scale))
	asked, err := p.display.Picture(bottom(p.session))
	if err != nil {
		return err
	}
	return until(ctx, "the question is gone", func() (bool, error) {
		if err := p.display.Click(ctx, at.X, at.Y, 1); err != nil {
			return false, err
		}
		if err := rest(ctx, 500*time.Millisecond); err != nil {
			return false, err
		}
		now, err := p.display.Picture(bottom(p.session))
		return err == nil && difference(asked, now) > 500, err
	})
}

// zooms makes the letters larger, and as they were.
func zooms(ctx context.Context, p *play) error {
	text := p.session.Area
	text.Max.Y -= text.Dy() / 2 // without the status line, which tells the size
	before, err := p.display.Picture(text)
	if err != nil {
		return err
	}
	for range 3 {
		if err := p.display.Key(ctx, "ctrl+="); err != nil {
			return err
		}
	}
	err = until(ctx, "the letters are larger", func() (bool, error) {
		now, err := p.display.Picture(text)
		return err == nil && difference(before, now) > 0, err
	})
	if err != nil {
		return err
	}
	if err := p.picture(ctx, "zoomed", p.session.Area); err != nil {
		return err
	}
	return p.display.Key(ctx, "ctrl+0")
}

// rings rings the bell, which the menu tells until somebody types.
func rings(ctx context.Context, p *play) error {
	if err := p.say(ctx, `!sleep 1; printf '\a'`+"\n"); err != nil {
		return err
	}
	bell := func(on bool) func(traytest.Entry) bool {
		return func(e traytest.Entry) bool { return strings.HasSuffix(e.Label, ", bell") == on }
	}
	if _, err := p.app.icon.AwaitThat(ctx, bell(true), p.isBottle); err != nil {
		return fmt.Errorf("the menu tells of no bell: %w", err)
	}
	if err := p.menuPicture(ctx, "menu-bell"); err != nil {
		return err
	}
	if err := p.display.Focus(ctx, p.session); err != nil {
		return err
	}
	if err := p.say(ctx, "\n"); err != nil {
		return err
	}
	_, err := p.app.icon.AwaitThat(ctx, bell(false), p.isBottle)
	return err
}

// endsShell opens a further shell and ends it: the window tells its exit code.
func endsShell(ctx context.Context, p *play) error {
	shell, err := p.open(ctx, func(w xdrive.Window) bool {
		return strings.Contains(w.Title, p.bottle.Name) && w.ID != p.session.ID
	}, p.isBottle, traytest.Exact("New Shell"))
	if err != nil {
		return err
	}
	if err := p.settle(ctx, shell.Area); err != nil {
		return err
	}
	before, err := p.display.Picture(bottom(shell))
	if err != nil {
		return err
	}
	// Keys that come before the shell are lost, and so are those after it.
	err = until(ctx, "the window says how its shell ended", func() (bool, error) {
		if err := p.display.Type(ctx, "exit 3\n"); err != nil {
			return false, err
		}
		if err := rest(ctx, time.Second); err != nil {
			return false, err
		}
		now, err := p.display.Picture(bottom(shell))
		return err == nil && difference(before, now) > 500, err
	})
	if err != nil {
		return err
	}
	if err := p.picture(ctx, "shell-ended", shell.Area); err != nil {
		return err
	}
	if err := p.display.CloseWindow(shell); err != nil {
		return err
	}
	return p.display.AwaitGone(ctx, shell)
}

// bottom is where a window's messages stand.
func bottom(w xdrive.Window) image.Rectangle {
	a := w.Area
	a.Min.Y += a.Dy() * 4 / 5
	return a
}

// say types and waits until the screen has come to rest.
func (p *play) say(ctx context.Context, text string) error {
	if err := p.display.Type(ctx, text); err != nil {
		return err
	}
	if err := rest(ctx, 300*time.Millisecond); err != nil {
		return err
	}
	return p.settle(ctx, p.session.Area)
}
