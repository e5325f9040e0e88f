package app_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/fstest"

	"bottlebar.app/app"
	"bottlebar.app/control"
)

// runServe makes this test binary what the command line starts.
func runServe() {
	o, err := app.FindOwner(serveOptions())
	if err == nil {
		err = o.Serve(context.Background(), true)
	}
	if err != nil {
		slog.Error("serving", "error", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func serveOptions() app.Options {
	return app.Options{Version: "served", Binaries: fstest.MapFS{}, Getenv: os.Getenv, Unsetenv: os.Unsetenv}
}

// served starts owners for a home as as many command lines at once, and ends
// the one that there is when the test is over.
func served(t *testing.T, home string, lines int) {
	t.Helper()
	t.Setenv("BOTTLEBAR_HOME", home)
	var wg sync.WaitGroup
	for range lines {
		wg.Go(func() {
			o, err := app.FindOwner(serveOptions())
			if err == nil {
				err = o.Start(t.Context())
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	o, err := app.FindOwner(serveOptions())
	if err != nil {
		t.Fatal(err)
	}
	client := &control.Client{Socket: o.Socket()}
	id, err := client.Identity(t.Context())
	if err != nil || id.Version != "served" {
		t.Fatalf("who answers: %+v, %v", id, err)
	}
	abs, err := filepath.Abs(home)
	if err != nil {
		t.Fatal(err)
	}
	// One that lost the race may still be waiting for the lock, and own the home
	// for a moment after the first has let go.
	eventually(t, "the owner to end", func() bool {
		_ = client.HandOver(t.Context())
		return len(processes(t, abs)) == 0
	})
}

// shortHome makes an empty home without containers, short enough for sockets.
func shortHome(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "bb")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Mkdir(filepath.Join(dir, "config"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config", "settings.toml"), []byte(`driver = "process"`), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestCommandLinesThatStartTogetherShareOneOwner(t *testing.T) {
	served(t, shortHome(t), 5)
}

func TestARelativeHomeIsThatOfWhoeverNamedIt(t *testing.T) {
	home := shortHome(t)
	t.Chdir(filepath.Dir(home))
	served(t, filepath.Base(home), 1)
	if _, err := os.Stat(filepath.Join(home, "state", "lock")); err != nil {
		t.Errorf("it served another folder: %v", err)
	}
}
