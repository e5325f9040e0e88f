// Command latency measures how long it takes from a key on the keyboard to the
// changed picture on the screen: of the terminal of 120 by 40 cells, with a
// program behind a real PTY that answers each key, and of an empty window of the
// toolkit that fills itself with another colour on each key. Both windows are of
// one process and one size, and take turns.
//
//	go run ./internal/latency [-keys 200]
//
// It prints lines as benchmarks do, and the ratio of the two medians.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"image"
	"io"
	"log"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/app"

	"bottlebar.app/internal/xdrive"
)

// What a cell of the terminal and its padding take at the usual text size and scale 1.
const cellWidth, cellHeight, columns, lines, edge = 8, 17, 120, 40, 6

// The screen in pixels: both windows side by side.
const screenWidth, screenHeight = 2200, 900

func main() {
	keys := flag.Int("keys", 200, "keys pressed in each window")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, *keys, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "latency:", err)
		os.Exit(1)
	}
}

// run raises a screen of its own and measures on it.
func run(ctx context.Context, keys int, out io.Writer) error {
	dir, err := os.MkdirTemp("", "latency-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	screen, err := xdrive.StartScreen(ctx, screenWidth, screenHeight, io.Discard)
	if err != nil {
		return err
	}
	defer screen.Close()
	for name, value := range map[string]string{
		"DISPLAY": screen.Display, "LIBGL_ALWAYS_SOFTWARE": "1", "FYNE_SCALE": "1", "FYNE_THEME": "dark", "LANG": "C.UTF-8",
		"HOME": dir, "XDG_RUNTIME_DIR": dir, "XDG_CONFIG_HOME": filepath.Join(dir, "config"), "XDG_CACHE_HOME": dir,
	} {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	if err := os.Unsetenv("WAYLAND_DISPLAY"); err != nil {
		return err
	}
	if err := screen.Manage(ctx, os.Environ(), io.Discard); err != nil {
		return err
	}
	display, err := xdrive.Open(screen.Display)
	if err != nil {
		return err
	}
	defer display.Close()
	return measure(ctx, display, keys, out)
}

// measure shows the two windows and presses keys until each has had its share.
// The toolkit has to run on the goroutine that main began on.
func measure(ctx context.Context, display *xdrive.Display, keys int, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	ready, over := context.WithTimeout(ctx, 20*time.Second)
	defer over()
	if err := display.Managed(ready); err != nil {
		return err
	}
	a := app.NewWithID("app.bottlebar.latency")
	size := fyne.NewSize(columns*cellWidth+2*edge, lines*cellHeight+2*edge)
	program, err := newProgram()
	if err != nil {
		return err
	}
	targets := []*target{emptyWindow(a, size), terminalWindow(a, size, program)}
	failed := make(chan error, 1)
	a.Lifecycle().SetOnStarted(func() {
		go func() {
			failed <- press(ctx, display, targets, keys)
			log.SetOutput(io.Discard) // the toolkit misses settings that nobody ever made
			fyne.Do(a.Quit)
		}()
	})
	for _, t := range targets {
		t.window.Show()
	}
	a.Run()
	err = errors.Join(<-failed, program.Close())
	if err != nil {
		return err
	}
	return report(out, targets)
}

// turn is how many keys a window gets before the other one does.
const turn = 20

// press gives keys to the windows by turns.
func press(ctx context.Context, display *xdrive.Display, targets []*target, keys int) error {
	for i, t := range targets {
		var err error
		if t.seen, err = display.Await(ctx, xdrive.Titled(t.name)); err != nil {
			return err
		}
		corner := image.Pt(i*(screenWidth/len(targets)), 0)
		if err := display.Place(t.seen, image.Rectangle{corner, corner.Add(t.seen.Area.Size())}); err != nil {
			return err
		}
	}
	for pressed := 0; pressed < keys; pressed += turn {
		for _, t := range targets {
			if err := t.measure(ctx, display, min(turn, keys-pressed)); err != nil {
				return fmt.Errorf("%s: %w", t.name, err)
			}
		}
	}
	return nil
}

// report prints a line for each window, and how they compare.
func report(out io.Writer, targets []*target) error {
	for _, t := range targets {
		slices.Sort(t.took)
		fmt.Fprintf(out, "BenchmarkKeyToFrame/%s\t%d\t%.2f ms/p50\t%.2f ms/p95\n", t.name, len(t.took), t.quantile(0.5), t.quantile(0.95))
	}
	_, err := fmt.Fprintf(out, "BenchmarkKeyToFrame/ratio\t1\t%.2f of-p50\t%.2f of-p95\n",
		targets[1].quantile(0.5)/targets[0].quantile(0.5), targets[1].quantile(0.95)/targets[0].quantile(0.95))
	return err
}

// pause is the time between two keys: that of somebody who types fast, and of no
// fixed relation to the frames.
func pause(ctx context.Context) error {
	timer := time.NewTimer(30*time.Millisecond + rand.N(40*time.Millisecond))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
