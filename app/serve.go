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
// returns once one answers. Its output goes to the log in the state folder.
// Where several command lines start one at a time, one of them owns the bottles
// and the others end by themselves: their command lines wait for that one.
func startServe(ctx context.Context, paths Paths, self string) error {
	if err := paths.make(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 90*time.Second)
	defer cancel()
	client := &control.Client{Socket: paths.Socket}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	logPath := filepath.Join(paths.State, logName)
	ended, err := spawnServe(self, logPath)
	if err != nil {
		return err
	}
	var again <-chan time.Time
	for wait := 200 * time.Millisecond; ; {
		if _, err := client.Identity(ctx); err == nil {
			return nil
		}
		select {
		case err := <-ended:
			if err != nil {
				return fault.New("starting Bottlebar without a screen", "it ended: "+lastLine(logPath), "look at "+logPath)
			}
			// Another owns the bottles: it answers soon, or is about to end.
			ended, again = nil, time.After(wait)
			wait = min(2*wait, 5*time.Second)
		case <-again:
			if ended, err = spawnServe(self, logPath); err != nil {
				return err
			}
			again = nil
		case <-ctx.Done():
			return fault.New("starting Bottlebar without a screen", "it does not answer", "look at "+logPath)
		case <-tick.C:
		}
	}
}

// spawnServe starts the process and returns where its end is told.
func spawnServe(self, logPath string) (<-chan error, error) {
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	// It must outlive this command, so it gets neither its context nor its terminal.
	cmd := exec.Command(self, "serve", "--until-idle") //nolint:noctx // see above
	cmd.Stdout, cmd.Stderr, cmd.Dir, cmd.Env = log, log, "/", rooted(os.Environ())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting bottlebar serve: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	return ended, nil
}

// rooted makes the paths in our variables absolute: a process in another folder
// must understand them as whoever set them did.
func rooted(env []string) []string {
	for i, e := range env {
		k, v, _ := strings.Cut(e, "=")
		switch {
		case v == "" || filepath.IsAbs(v):
			continue
		case k == "BOTTLEBAR_HOME",
			k == "BOTTLEBAR_SMOLVM" && strings.ContainsRune(v, filepath.Separator),
			k == "BOTTLEBAR_TEST_ROOT" && !strings.Contains(v, "BEGIN CERTIFICATE"):
			if abs, err := filepath.Abs(v); err == nil {
				env[i] = k + "=" + abs
			}
		}
	}
	return env
}

// lastLine is the last thing that was said in a log, without the program's name.
func lastLine(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	text := strings.TrimSpace(string(b))
	if text == "" {
		return "it said nothing"
	}
	return strings.TrimPrefix(text[strings.LastIndexByte(text, '\n')+1:], "bottlebar: ")
}
