package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"bottlebar.app/control"
	"bottlebar.app/internal/fault"
)

// idleLimit is how long an owner that the command line started stays when
// nothing runs and nobody asks.
const idleLimit = 5 * time.Minute

// Serve opens the control socket and answers until ctx ends or another process
// asks for the bottles. It returns when the last request is answered.
func (a *App) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l, err := control.Listen(ctx, a.paths.Socket)
	if err != nil {
		return err
	}
	server := control.NewServer(a)
	a.work.Go(func() {
		select {
		case <-a.left:
			cancel()
		case <-ctx.Done():
		}
	})
	a.server.Store(server)
	return server.Serve(ctx, l)
}

// waitIdle returns when nothing has run or been asked for a while, or ctx ends.
func (a *App) waitIdle(ctx context.Context) {
	tick := time.NewTicker(30 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		s := a.server.Load()
		if s != nil && len(a.rack.Bottles()) == 0 && s.Idle() > idleLimit {
			return
		}
	}
}

// OpenOnScreen is Open for a process with a screen. An owner without one hands
// its bottles over; one with a screen comes to the front instead, and the App
// returned is nil.
func OpenOnScreen(ctx context.Context, o Options) (*App, error) {
	o.Screen = true
	a, err := Open(ctx, o)
	if !errors.Is(err, ErrOwned) {
		return a, err
	}
	paths, err := FindPaths(o.Getenv("BOTTLEBAR_HOME"))
	if err != nil {
		return nil, err
	}
	if goOn, err := takeOver(ctx, paths); err != nil || !goOn {
		return nil, err
	}
	return openSoon(ctx, o)
}

// takeOver asks the owner, and says whether this process is to go on.
func takeOver(ctx context.Context, paths Paths) (bool, error) {
	client := &control.Client{Socket: paths.Socket}
	id, err := client.Identity(ctx)
	if err != nil {
		return false, fault.Wrap(err, "asking the Bottlebar that runs", "end it and try again")
	}
	if id.Screen {
		return false, client.Show(ctx)
	}
	return true, client.HandOver(ctx)
}

// openSoon is Open that waits while the former owner ends.
func openSoon(ctx context.Context, o Options) (*App, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		a, err := Open(ctx, o)
		if !errors.Is(err, ErrOwned) {
			return a, err
		}
		select {
		case <-ctx.Done():
			return nil, fault.New("taking over the bottles", "the Bottlebar that runs does not end", "end it and try again")
		case <-tick.C:
		}
	}
}

// startServe starts another process of this program that serves until idle, and
// returns once it answers. Its output goes to the log in the state folder.
func startServe(ctx context.Context, paths Paths, self string) error {
	if err := paths.make(); err != nil {
		return err
	}
	logPath := filepath.Join(paths.State, logName)
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	// It must outlive this command, so it gets neither its context nor its terminal.
	cmd := exec.Command(self, "serve", "--until-idle") //nolint:noctx // see above
	cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting bottlebar serve: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	client := &control.Client{Socket: paths.Socket}
	ctx, cancel := context.WithTimeout(ctx, 90*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := client.Identity(ctx); err == nil {
			return nil
		}
		select {
		case <-ended:
			return fault.New("starting Bottlebar without a screen", "it ended: "+lastLine(logPath), "look at "+logPath)
		case <-ctx.Done():
			return fault.New("starting Bottlebar without a screen", "it does not answer", "look at "+logPath)
		case <-tick.C:
		}
	}
}

func lastLine(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	text := strings.TrimSpace(string(b))
	if text == "" {
		return "it said nothing"
	}
	return text[strings.LastIndexByte(text, '\n')+1:]
}
