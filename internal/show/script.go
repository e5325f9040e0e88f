package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"path/filepath"
	"strings"
	"time"

	"bottlebar.app/internal/traytest"
	"bottlebar.app/internal/xdrive"
)

// script is the main job, in the order in which a person does it.
var script = []step{
	{"The app starts and its icon is in the panel", 30 * time.Second, appears},
	{"The library opens from the menu, empty", 20 * time.Second, opensLibrary},
	{"An artifact dropped on it enters the library", 40 * time.Second, addsArtifact},
	{"Launch, from the menu", 60 * time.Second, launches},
	{"The session's window opens, the isolation is proved", 60 * time.Second, session},
	{"What is typed arrives in the bottle", 20 * time.Second, types},
	{"A dropped file arrives, its path is typed at the prompt", 30 * time.Second, dropsFile},
	{"A dropped folder arrives, byte for byte", 40 * time.Second, dropsFolder},
	{"A closed window comes back with its session", 30 * time.Second, comesBack},
	{"Find, menu, clipboard, paste, zoom and bell", 60 * time.Second, livesIn},
	{"A shell that ends tells its exit code", 30 * time.Second, endsShell},
	{"Killed and started again, the app shows vim as it was", 60 * time.Second, outlives},
	{"Bottles, Activity and Setup tell about it", 40 * time.Second, tells},
	{"exec passes output and exit code through", 20 * time.Second, execs},
	{"cp brings the folder back, byte for byte", 30 * time.Second, copiesOut},
	{"prove finds every way out closed", 40 * time.Second, proves},
	{"Stop, from the menu", 40 * time.Second, stops},
	{"Nothing of the bottle is left", 20 * time.Second, nothingLeft},
	{"Quit, from the menu, ends everything", 30 * time.Second, quits},
}

func appears(ctx context.Context, p *play) error {
	if err := p.startApp(ctx); err != nil {
		return err
	}
	if _, err := p.app.icon.Await(ctx, traytest.Exact("Quit Bottlebar")); err != nil {
		return err
	}
	// The line about Setup is the last to find its words.
	_, err := p.app.icon.AwaitThat(ctx, func(e traytest.Entry) bool { return !strings.Contains(e.Label, "checking") }, traytest.Starting("Setup"))
	if err != nil {
		return err
	}
	return p.menuPicture(ctx, "menu-at-rest")
}

func opensLibrary(ctx context.Context, p *play) error {
	w, err := p.open(ctx, isLibrary, traytest.Exact("Library…"))
	if err != nil {
		return err
	}
	return p.picture(ctx, "library-empty", w.Area)
}

func isLibrary(w xdrive.Window) bool { return strings.Contains(w.Title, "Library") }

func addsArtifact(ctx context.Context, p *play) error {
	file := filepath.Join(p.build, "demo.smolmachine")
	want, err := hashFile(file)
	if err != nil {
		return fmt.Errorf("%w: make build", err)
	}
	w, err := p.display.Await(ctx, isLibrary)
	if err != nil {
		return err
	}
	if err := p.display.Drop(ctx, w, middle(w), file); err != nil {
		return err
	}
	err = until(ctx, "the library lists it", func() (bool, error) {
		all, err := rows[artifact](ctx, p.stage, "library", "ls", "--json")
		if err != nil || len(all) == 0 {
			return false, err
		}
		p.artifact = all[0]
		return true, nil
	})
	if err != nil {
		return err
	}
	if p.artifact.ID != want {
		return fmt.Errorf("the library lists %s, the file is %s", p.artifact.ID, want)
	}
	if err := p.picture(ctx, "library", w.Area); err != nil {
		return err
	}
	if err := p.display.CloseWindow(w); err != nil {
		return err
	}
	return p.display.AwaitGone(ctx, w)
}

// middle is a point in the middle of a window, as Drop counts.
func middle(w xdrive.Window) image.Point { return w.Area.Size().Div(2) }

func launches(ctx context.Context, p *play) error {
	click := func() error {
		return p.app.icon.Click(ctx, traytest.Exact("Launch"), traytest.Starting(p.artifact.Name+" "))
	}
	if err := click(); err != nil {
		return err
	}
	clicked, again := time.Now(), false
	seen := ""
	err := until(ctx, "the bottle is ready", func() (bool, error) {
		if line := p.bottleLine(ctx); line != "" && line != seen {
			seen = line
			fmt.Fprintf(p.out, "      %5.2f s  %s\n", time.Since(clicked).Seconds(), line)
		}
		all, err := rows[bottle](ctx, p.stage, "ls", "--json")
		if err != nil {
			return false, err
		}
		if len(all) == 0 {
			// The menu may have been rebuilt under the click, which then went nowhere.
			if again || seen != "" || time.Since(clicked) < 4*time.Second {
				return false, nil
			}
			again = true
			return false, click()
		}
		p.bottle = all[0]
		if p.bottle.State == "failed" || p.bottle.State == "lost" {
			return false, final{fmt.Errorf("the bottle is %s", p.bottle.State)}
		}
		return p.bottle.State == "ready", nil
	})
	if err != nil {
		return err
	}
	return p.traces.find(ctx, p)
}

// bottleLine is the menu's line about the bottle, or nothing.
func (p *play) bottleLine(ctx context.Context) string {
	root, err := p.app.icon.Menu(ctx)
	if err != nil {
		return ""
	}
	e, err := root.Find(p.isBottle)
	if err != nil {
		return ""
	}
	return e.Label
}

// isBottle matches the entry of the show's bottle: a shape, its name, its state.
func (p *play) isBottle(label string) bool {
	return strings.Contains(label, " "+p.artifact.Name+" — ")
}

func session(ctx context.Context, p *play) error {
	title := p.bottle.Name + " — Bottlebar"
	var err error
	if p.session, err = p.display.Await(ctx, xdrive.Titled(title)); err != nil {
		return err
	}
	if err := p.display.Focus(ctx, p.session); err != nil {
		return err
	}
	if p.bottle.Isolation != "proved" {
		return fmt.Errorf("the bottle is ready and its isolation is %s", p.bottle.Isolation)
	}
	if p.bottle.Driver != "" && p.bottle.Driver != p.driver() {
		return fmt.Errorf("the sidecar runs as %s, not as %s", p.bottle.Driver, p.driver())
	}
	// The window came with the launch; its session is joined once all steps are done.
	err = until(ctx, "the demo's bottle is drawn in the window", func() (bool, error) {
		img, err := p.display.Picture(p.session.Area)
		return err == nil && has(img, demoGreen), err
	})
	if err != nil {
		return err
	}
	if err := p.picture(ctx, "session", p.session.Area); err != nil {
		return err
	}
	return p.menuPicture(ctx, "menu-running")
}

// demoGreen is colour 72 of a terminal's 256, in which the demo draws its bottle
// and which nothing else in the window has.
var demoGreen = [3]byte{0x5f, 0xaf, 0x87}

func types(ctx context.Context, p *play) error {
	if err := p.display.Focus(ctx, p.session); err != nil {
		return err
	}
	for _, line := range []string{"hello from the keyboard\n", "!echo \"typed by hand: ~/\\$HOME's 100%\" > typed.txt && cat typed.txt\n"} {
		if err := p.display.Type(ctx, line); err != nil {
			return err
		}
		// A person waits for the prompt too.
		if err := p.settle(ctx, p.session.Area); err != nil {
			return err
		}
	}
	if err := p.awaitInBottle(ctx, "typed by hand: ~/$HOME's 100%\n", "cat", "typed.txt"); err != nil {
		return err
	}
	return p.picture(ctx, "typed", p.session.Area)
}

// awaitInBottle waits until a command in the bottle prints exactly this.
func (p *play) awaitInBottle(ctx context.Context, want string, argv ...string) error {
	var r result
	err := until(ctx, fmt.Sprintf("%q prints what it should", strings.Join(argv, " ")), func() (bool, error) {
		var err error
		r, err = p.cli(ctx, append([]string{"exec", p.bottle.Name, "--"}, argv...)...)
		return err == nil && r.code == 0 && r.stdout == want, err
	})
	if err != nil {
		return fmt.Errorf("%w; the last answer was code %d, %q, %q", err, r.code, r.stdout, r.stderr)
	}
	return nil
}

func comesBack(ctx context.Context, p *play) error {
	if err := p.display.CloseWindow(p.session); err != nil {
		return err
	}
	if err := p.display.AwaitGone(ctx, p.session); err != nil {
		return err
	}
	var err error
	p.session, err = p.open(ctx, xdrive.Titled(p.session.Title), p.isBottle, traytest.Exact("Open Session"))
	if err != nil {
		return err
	}
	// The same session: a variable of the shell would be gone in another, and so would the screen.
	if err := p.display.Type(ctx, "!echo back > back.txt\n"); err != nil {
		return err
	}
	if err := p.awaitInBottle(ctx, "back\n", "cat", "back.txt"); err != nil {
		return err
	}
	return p.picture(ctx, "session-again", p.session.Area)
}

// tells opens the other windows beside a running bottle, for their pictures.
func tells(ctx context.Context, p *play) error {
	for _, w := range []struct{ entry, title, picture string }{
		{"Bottles…", "Bottles", "bottles"}, {"Activity…", "Activity", "activity"}, {"Setup", "Setup", "setup"},
	} {
		opened, err := p.open(ctx, func(x xdrive.Window) bool { return strings.HasPrefix(x.Title, w.title) }, traytest.Starting(w.entry))
		if err != nil {
			return err
		}
		if err := p.picture(ctx, w.picture, opened.Area); err != nil {
			return err
		}
		if err := p.display.CloseWindow(opened); err != nil {
			return err
		}
		if err := p.display.AwaitGone(ctx, opened); err != nil {
			return err
		}
	}
	return nil
}

func stops(ctx context.Context, p *play) error {
	begun := func(ctx context.Context) bool {
		return until(ctx, "the bottle is not ready any more", func() (bool, error) {
			all, err := rows[bottle](ctx, p.stage, "ls", "--json")
			return err == nil && (len(all) == 0 || all[0].State != "ready"), err
		}) == nil
	}
	if err := p.press(ctx, "the bottle stops", begun, p.isBottle, traytest.Exact("Stop")); err != nil {
		return err
	}
	return until(ctx, "no bottle is listed", func() (bool, error) {
		all, err := rows[bottle](ctx, p.stage, "ls", "--json")
		return err == nil && len(all) == 0, err
	})
}

func quits(ctx context.Context, p *play) error {
	if err := p.menuPicture(ctx, "menu-after-stop"); err != nil {
		return err
	}
	begun := func(ctx context.Context) bool {
		select {
		case <-p.app.ended:
			return true
		case <-ctx.Done():
			return false
		}
	}
	pressed := p.press(ctx, "the app ends", begun, traytest.Exact("Quit Bottlebar"))
	if err := p.app.wait(ctx); err != nil {
		return errors.Join(pressed, err)
	}
	if err := p.app.complaints(); err != nil {
		return err
	}
	return p.traces.nothingOfTheApp(ctx, p)
}
