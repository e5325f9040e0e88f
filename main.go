// Bottlebar runs Claude Code in disposable microVMs, from the menu bar or from
// the command line.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"fyne.io/fyne/v2"
	fyneapp "fyne.io/fyne/v2/app"

	"bottlebar.app/app"
	"bottlebar.app/assets"
	"bottlebar.app/cli"
	"bottlebar.app/internal/fault"
	"bottlebar.app/screen"
	"bottlebar.app/sidecar/inside"
)

// version is set when a release is built.
var version = "0.1.0-dev"

const (
	appID       = "app.bottlebar" // also in FyneApp.toml
	sidecarVerb = "__sidecar"     // hidden: the process driver runs this program as a sidecar
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == sidecarVerb {
		os.Exit(inside.Main(os.Args[2:], os.Stdin, os.Stdout, os.Stderr))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if len(os.Args) > 1 {
		context.AfterFunc(ctx, stop) // a second signal ends the program at once
		os.Exit(commandLine(ctx))    // which has cleaned up
	}
	if err := menuBar(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bottlebar:", fault.Of(err))
		os.Exit(1)
	}
}

func options() app.Options {
	self, _ := os.Executable()
	return app.Options{
		Version: version, Sidecar: []string{self, sidecarVerb}, Binaries: assets.Binaries(),
		Getenv: os.Getenv, Unsetenv: os.Unsetenv, Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}
}

func menuBar(ctx context.Context) error {
	o := options()
	a, err := app.OpenOnScreen(ctx, o)
	if err != nil || a == nil {
		return err
	}
	defer a.Close()
	ctx, cancel := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- a.Serve(ctx) }()
	fyneapp.SetMetadata(fyne.AppMetadata{ID: appID, Name: "Bottlebar", Version: version, Icon: assets.AppIcon()})
	err = screen.Run(ctx, fyneapp.NewWithID(appID), a, screen.Options{Version: version, Log: o.Log})
	cancel()
	return errors.Join(err, <-served)
}

func commandLine(ctx context.Context) int {
	dir, _ := os.Getwd() // a folder that is gone matters to relative paths alone
	return cli.Run(ctx, cli.Env{
		Version: version, Owner: func() (cli.Owner, error) { return app.FindOwner(options()) },
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Dir: dir,
	}, os.Args[1:])
}
