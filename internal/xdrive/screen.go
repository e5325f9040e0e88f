package xdrive

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Screen is an X server without a monitor.
type Screen struct {
	Display string // such as ":99"
	server  *exec.Cmd
	manager *exec.Cmd // nil without one
}

// StartScreen starts an X server of so many pixels on a free display number. What
// it says goes to log. Close ends it, and so does the end of ctx.
func StartScreen(ctx context.Context, width, height int, log io.Writer) (*Screen, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	server := exec.CommandContext(ctx, "Xvfb", "-displayfd", "3", "-screen", "0", fmt.Sprintf("%dx%dx24", width, height), "-nolisten", "tcp", "-noreset")
	server.ExtraFiles = []*os.File{w}
	server.Stderr = log
	// Keys for the terminal end the program, not the screen under it.
	server.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	err = server.Start()
	w.Close()
	if errors.Is(err, exec.ErrNotFound) {
		return nil, errors.New("starting a screen: the program Xvfb is missing: apt-get install xvfb")
	} else if err != nil {
		return nil, fmt.Errorf("starting Xvfb: %w", err)
	}
	s := &Screen{server: server}
	// It writes its number when it is ready for clients, and closes the pipe when it dies.
	number, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("starting Xvfb: it ended at once: %w", err)
	}
	s.Display = ":" + strings.TrimSpace(number)
	return s, nil
}

// Manage starts a window manager on the screen: openbox, which every call about
// windows needs. It ends with the screen.
func (s *Screen) Manage(ctx context.Context, env []string, log io.Writer) error {
	manager := exec.CommandContext(ctx, "openbox", "--sm-disable")
	manager.Env = append(env, "DISPLAY="+s.Display)
	manager.Stderr = log
	manager.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := manager.Start(); errors.Is(err, exec.ErrNotFound) {
		return errors.New("starting a window manager: the program openbox is missing: apt-get install openbox")
	} else if err != nil {
		return fmt.Errorf("starting openbox: %w", err)
	}
	s.manager = manager
	return nil
}

// Close ends the server; its clients lose their connection.
func (s *Screen) Close() {
	_ = s.server.Process.Signal(syscall.SIGTERM)
	timer := time.AfterFunc(3*time.Second, func() { _ = s.server.Process.Kill() })
	defer timer.Stop()
	_ = s.server.Wait()
	if s.manager != nil {
		_ = s.manager.Wait() // it ends when its screen does
	}
}
