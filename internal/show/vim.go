package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"bottlebar.app/internal/traytest"
	"bottlebar.app/internal/xdrive"
)

// vimGround is the background that the script below gives vim, and which nothing
// else in the window has.
var vimGround = [3]byte{0x10, 0x20, 0x30}

// vimScript starts the vim beside it with all it needs from there.
const vimScript = `#!/bin/sh
here=$(dirname "$0")
TERMINFO=$here VIMRUNTIME=$here exec "$here/loader" --library-path "$here" "$here/vim.bin" -u NONE -i NONE -n -N \
  --cmd 'set encoding=utf-8 termguicolors number cursorline laststatus=2 ruler' \
  -c 'hi Normal guifg=#ffcc66 guibg=#102030 | hi LineNr guifg=#80a0c0 | hi CursorLine guibg=#304050 cterm=NONE' "$@"
`

// makeVim lays this computer's vim into a folder, so that it runs from there alone.
func makeVim(ctx context.Context, dir string) error {
	bin, err := exec.LookPath("vim")
	if err != nil {
		return fmt.Errorf("%w: script/setup.sh test brings vim", err)
	}
	needs, err := exec.CommandContext(ctx, "ldd", bin).Output()
	if err != nil {
		return fmt.Errorf("what vim needs: %w", err)
	}
	files := map[string]string{"vim.bin": bin}
	for _, word := range strings.Fields(string(needs)) {
		if !strings.HasPrefix(word, "/") {
			continue
		}
		name := filepath.Base(word)
		if strings.HasPrefix(name, "ld-linux") || strings.HasPrefix(name, "ld-musl") {
			name = "loader"
		}
		files[name] = word
	}
	files["x/xterm-256color"] = "/usr/share/terminfo/x/xterm-256color"
	if _, err := os.Stat(files["x/xterm-256color"]); err != nil {
		files["x/xterm-256color"] = "/lib/terminfo/x/xterm-256color" // Debian
	}
	if err := os.MkdirAll(filepath.Join(dir, "x"), 0o755); err != nil {
		return err
	}
	for name, from := range files {
		text, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), text, 0o755)
		}
		if err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, "vim"), []byte(vimScript), 0o755)
}

// outlives opens vim in the session's window, kills the app, starts it again, and
// compares the two pictures of the terminal point for point.
func outlives(ctx context.Context, p *play) error {
	if err := p.opensVim(ctx); err != nil {
		return err
	}
	before, err := p.display.Picture(terminalArea(p))
	if err != nil {
		return err
	}
	if err := p.snap("vim-before-kill", p.session.Area); err != nil {
		return err
	}
	if err := p.app.complaints(); err != nil {
		return err
	}
	if err := p.app.cmd.Process.Kill(); err != nil {
		return err
	}
	<-p.app.ended
	if err := p.display.AwaitGone(ctx, p.session); err != nil {
		return err
	}
	if err := p.startApp(ctx); err != nil {
		return fmt.Errorf("starting the app again: %w", err)
	}
	p.session, err = p.open(ctx, xdrive.Titled(p.session.Title), p.isBottle, traytest.Exact("Open Session"))
	if err != nil {
		return err
	}
	different := -1
	err = until(ctx, "vim looks as it did before the app was killed", func() (bool, error) {
		now, err := p.display.Picture(terminalArea(p))
		if err != nil || now.Rect.Size() != before.Rect.Size() {
			return false, errors.Join(err, fmt.Errorf("the window is %v, and was %v", now.Rect.Size(), before.Rect.Size()))
		}
		different = difference(before, now) // none while the cursor is shown
		return different == 0, nil
	})
	if err != nil {
		return fmt.Errorf("%w; %d points differ", err, different)
	}
	if err := p.snap("vim-after-start", p.session.Area); err != nil {
		return err
	}
	if err := p.say(ctx, ":wq\n"); err != nil {
		return err
	}
	return p.awaitInBottle(ctx, "written before the kill\n", "cat", "vim/notes.txt")
}

// opensVim brings vim into the bottle, starts it there and types into it.
func (p *play) opensVim(ctx context.Context) error {
	dir := filepath.Join(p.dir, "user", "vim")
	if err := makeVim(ctx, dir); err != nil {
		return err
	}
	if _, err := p.ask(ctx, "cp", dir, p.bottle.Name+":"); err != nil {
		return err
	}
	if err := p.display.Focus(ctx, p.session); err != nil {
		return err
	}
	if err := p.display.Type(ctx, "!./vim/vim vim/notes.txt\n"); err != nil {
		return err
	}
	err := until(ctx, "vim is there", func() (bool, error) {
		img, err := p.display.Picture(terminalArea(p))
		return err == nil && has(img, vimGround), err
	})
	if err != nil {
		return err
	}
	if err := p.say(ctx, "iwritten before the kill"); err != nil {
		return err
	}
	if err := p.display.Key(ctx, "Escape"); err != nil {
		return err
	}
	return p.stands(ctx, terminalArea(p))
}

// stands waits until nothing has moved for two seconds: neither output nor a
// cursor that blinks.
func (p *play) stands(ctx context.Context, area image.Rectangle) error {
	last, err := p.display.Picture(area)
	if err != nil {
		return err
	}
	since := time.Now()
	return until(ctx, "the picture stands still", func() (bool, error) {
		now, err := p.display.Picture(area)
		if err != nil {
			return false, err
		}
		if difference(last, now) > 0 {
			last, since = now, time.Now()
		}
		return time.Since(since) > 2*time.Second, nil
	})
}

// terminalArea is the session's window without its status line.
func terminalArea(p *play) image.Rectangle {
	a := p.session.Area
	a.Max.Y -= 26 * p.options.scale
	return a
}
