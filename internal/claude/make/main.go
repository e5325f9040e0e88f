// Command make writes an artifact that holds the real Claude Code, and can play
// the API for it:
//
//	go run ./internal/claude/make
//	go run ./internal/claude/make -o build/claude.smolmachine
//	go run ./internal/claude/make -serve 192.0.2.7:0
//
// The first only sees to it that the tests find it in their cache. The last
// prints the variables that send a Bottlebar to the fake, and serves until it is
// interrupted.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"bottlebar.app/internal/claude"
	"bottlebar.app/internal/clone"
)

func main() {
	out := flag.String("o", "", "artifact to write")
	serve := flag.String("serve", "", "address of this computer to play the API on, one that containers reach")
	dir := flag.String("dir", os.TempDir(), "with -serve: folder for the certificate")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *out, *serve, *dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out, serve, dir string) error {
	if out != "" || serve == "" {
		if err := write(ctx, out); err != nil {
			return err
		}
	}
	if serve == "" {
		return nil
	}
	u, err := claude.Listen(serve, claude.Script(claude.Demo))
	if err != nil {
		return err
	}
	defer u.Close()
	root := filepath.Join(dir, "bottlebar-fake-api.pem")
	if err := os.WriteFile(root, []byte(u.Root), 0o644); err != nil {
		return err
	}
	defer os.Remove(root)
	fmt.Printf("export BOTTLEBAR_TEST_UPSTREAM=%s BOTTLEBAR_TEST_ROOT=%s ANTHROPIC_API_KEY=sk-ant-api03-made-up\n", u.URL, root)
	<-ctx.Done()
	return nil
}

func write(ctx context.Context, out string) error {
	cache, err := claude.CacheDir()
	if err != nil {
		return err
	}
	from, err := claude.Artifact(ctx, cache)
	if err != nil || out == "" {
		return err
	}
	if err := os.Remove(out); err != nil && !os.IsNotExist(err) {
		return err
	}
	_, err = clone.File(out, from)
	return err
}
