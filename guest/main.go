package guest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"bottlebar.app/hop"
)

const (
	maxConfig    = 1 << 20
	readyTimeout = 10 * time.Second
	verbRun      = "run"
	verbStatus   = "status"
	// verbServe is run, with the configuration on descriptor 3 and a word on
	// descriptor 4 once it listens.
	verbServe = "serve-detached"
	ready     = "ready\n"
)

// Main is the helper's command. It returns the exit code.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		_, _ = fmt.Fprintln(stderr, "usage: bottlebar-guest start|run|hook [NAME]|status|version")
		return 2
	}
	var err error
	switch args[0] {
	case "start":
		err = start(stdin)
	case verbRun:
		err = run(stdin, stderr)
	case verbServe:
		err = serveDetached()
	case "hook":
		err = hook(eventSocket(), strings.Join(args[1:min(len(args), 2)], ""), stdin, stdout)
	case verbStatus:
		err = statusLine(context.Background(), eventSocket(), stdin, stdout)
	case "version":
		_, _ = fmt.Fprintln(stdout, Version)
	case verbUnpack, verbPack, verbSeed:
		err = errandMain(args[0], stdin, stdout)
	default:
		_, _ = fmt.Fprintf(stderr, "bottlebar-guest: unknown verb %q\n", args[0])
		return 2
	}
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "bottlebar-guest: "+err.Error())
		return 1
	}
	return 0
}

// eventSocket is where the helper listens for what hooks have to tell.
func eventSocket() string {
	if s := os.Getenv("BOTTLEBAR_EVENTS"); s != "" {
		return s
	}
	return hop.DefaultEvents
}

// readConfig takes one JSON object and no more: the input may stay open.
func readConfig(r io.Reader) (hop.HelperConfig, error) {
	var cfg hop.HelperConfig
	if err := json.NewDecoder(io.LimitReader(r, maxConfig)).Decode(&cfg); err != nil {
		return cfg, fmt.Errorf("reading the configuration from standard input: %w", err)
	}
	return cfg, nil
}

// run stays in the foreground until a signal ends it.
func run(stdin io.Reader, stderr io.Writer) error {
	if err := hide(); err != nil {
		return err
	}
	cfg, err := readConfig(stdin)
	if err != nil {
		return err
	}
	return serve(cfg, Options{Log: func(line string) { _, _ = fmt.Fprintln(stderr, line) }})
}

func serve(cfg hop.HelperConfig, opts Options) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE)
	err := Run(ctx, cfg, opts)
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// start runs the helper in a session of its own, away from whoever started
// it, and returns when it listens. The secret goes through a pipe.
func start(stdin io.Reader) error {
	if err := hide(); err != nil {
		return err
	}
	cfg, err := readConfig(stdin)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(cfg)
	if err != nil {
		return err
	}
	cfgR, cfgW, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { _, _ = cfgR.Close(), cfgW.Close() }()
	readyR, readyW, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { _, _ = readyR.Close(), readyW.Close() }()
	cmd := &exec.Cmd{Path: "/proc/self/exe", Args: []string{os.Args[0], verbServe}} // outlives whoever waits
	cmd.Dir = "/"
	cmd.ExtraFiles = []*os.File{cfgR, readyW}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil { // no streams: they are /dev/null
		return fmt.Errorf("starting in the background: %w", err)
	}
	_, _ = cfgR.Close(), readyW.Close()
	if _, err := cfgW.Write(raw); err != nil {
		return fmt.Errorf("starting in the background: %w", err)
	}
	_ = cfgW.Close()
	_ = readyR.SetReadDeadline(time.Now().Add(readyTimeout))
	said, err := io.ReadAll(io.LimitReader(readyR, 4096))
	if string(said) == ready {
		return cmd.Process.Release()
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if err == nil && len(said) > 0 {
		return errors.New(strings.TrimSpace(string(said)))
	}
	return errors.New("starting in the background: it did not say that it listens")
}

// serveDetached is the process that start leaves behind.
func serveDetached() error {
	if err := hide(); err != nil {
		return err
	}
	in, out := os.NewFile(3, "configuration"), os.NewFile(4, "ready")
	cfg, err := readConfig(in)
	_ = in.Close()
	if err != nil {
		return err
	}
	said := false
	err = serve(cfg, Options{Ready: func(string) {
		said = true
		_, _ = io.WriteString(out, ready)
		_ = out.Close()
	}})
	if err != nil && !said {
		_, _ = io.WriteString(out, err.Error())
	}
	return err
}
