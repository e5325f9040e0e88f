package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"bottlebar.app/internal/traytest"
)

// app is the program that the show is about.
type app struct {
	cmd    *exec.Cmd
	log    string // file
	icon   *traytest.Item
	ended  chan struct{} // closed when the process is gone
	status error         // how; read it after ended
}

// startApp starts the app and waits for its icon.
func (s *stage) startApp(ctx context.Context) error {
	a := &app{log: filepath.Join(s.shots, "app"+s.suffix()+".log"), ended: make(chan struct{})}
	out, err := os.Create(a.log)
	if err != nil {
		return err
	}
	defer out.Close()
	// Not CommandContext: the show itself ends the app, politely.
	a.cmd = exec.Command(filepath.Join(s.build, "bottlebar")) //nolint:noctx // its life is the stage's
	a.cmd.Env = s.env
	a.cmd.Dir = s.dir
	a.cmd.Stdout, a.cmd.Stderr = out, out
	a.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := a.cmd.Start(); err != nil {
		return fmt.Errorf("starting the app: %w: make build", err)
	}
	go func() {
		a.status = a.cmd.Wait()
		close(a.ended)
	}()
	s.app = a
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-a.ended:
			cancel() // no use waiting for its icon
		case <-ctx.Done():
		}
	}()
	if a.icon, err = traytest.Find(ctx, s.bus.Conn, a.cmd.Process.Pid); err != nil {
		return errors.Join(err, a.complaints())
	}
	return nil
}

// alive is an error once the app has ended.
func (a *app) alive() error {
	select {
	case <-a.ended:
		return fmt.Errorf("the app has ended: %w", errors.Join(a.status, a.complaints()))
	default:
		return nil
	}
}

// wait waits for the app to end by itself, which it has to do with exit code 0.
func (a *app) wait(ctx context.Context) error {
	select {
	case <-a.ended:
		return a.status
	case <-ctx.Done():
		// Its log then says where each goroutine stands.
		_ = a.cmd.Process.Signal(syscall.SIGQUIT)
		select {
		case <-a.ended:
		case <-time.After(5 * time.Second):
		}
		return fmt.Errorf("the app goes on: %w", ctx.Err())
	}
}

// kill ends an app that is still there; a polite signal has some seconds to work.
func (a *app) kill() {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		_ = a.cmd.Process.Signal(sig)
		select {
		case <-a.ended:
			return
		case <-time.After(10 * time.Second):
		}
	}
}

// complaints are the lines of the app's log that must not be there: use of the
// toolkit from a wrong goroutine, and crashes.
func (a *app) complaints() error {
	text, err := os.ReadFile(a.log)
	if err != nil {
		return err
	}
	var found []error
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		// A menu may change between being read and being clicked; the click is made again.
		if strings.Contains(lines.Text(), "systray error: no menu item with ID") {
			continue
		}
		for _, bad := range []string{"Error in Fyne call thread", "panic:", "fatal error:", "systray error"} {
			if strings.Contains(lines.Text(), bad) {
				found = append(found, fmt.Errorf("%s: %s", filepath.Base(a.log), strings.TrimSpace(lines.Text())))
			}
		}
	}
	return errors.Join(found...)
}

// result is how a command ended.
type result struct {
	code           int
	stdout, stderr string
}

// cli runs a verb of the command line beside the app. Only a command that did not
// run at all is an error.
func (s *stage) cli(ctx context.Context, args ...string) (result, error) {
	var out, errOut bytes.Buffer
	cmd := exec.CommandContext(ctx, filepath.Join(s.build, "bottlebar"), args...)
	cmd.Env, cmd.Dir = s.env, s.dir
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	r := result{stdout: out.String(), stderr: strings.TrimSpace(errOut.String())}
	var exit *exec.ExitError
	if errors.As(err, &exit) && ctx.Err() == nil {
		r.code = exit.ExitCode()
		return r, nil
	}
	if err != nil {
		return r, fmt.Errorf("bottlebar %s: %w", strings.Join(args, " "), errors.Join(err, ctx.Err()))
	}
	return r, nil
}

// ask runs a verb that has to work, and returns what it printed.
func (s *stage) ask(ctx context.Context, args ...string) (string, error) {
	r, err := s.cli(ctx, args...)
	if err == nil && r.code != 0 {
		err = fmt.Errorf("bottlebar %s: exit code %d: %s", strings.Join(args, " "), r.code, r.stderr)
	}
	return r.stdout, err
}

// bottle and artifact are rows of `ls --json` and `library ls --json`.
type bottle struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	State     string `json:"state"`
	Session   string `json:"session"`
	Isolation string `json:"isolation"`
	Simulated bool   `json:"simulated"`
	Driver    string `json:"driver"`
}

type artifact struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// rows runs a verb and reads the rows that it prints.
func rows[T any](ctx context.Context, s *stage, args ...string) ([]T, error) {
	out, err := s.ask(ctx, args...)
	if err != nil {
		return nil, err
	}
	var all []T
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		return nil, fmt.Errorf("bottlebar %s: %w: %.80q", strings.Join(args, " "), err, out)
	}
	return all, nil
}
