package traytest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/godbus/dbus/v5"
)

// Bus is a session bus that nobody else is on.
type Bus struct {
	Address string     // for DBUS_SESSION_BUS_ADDRESS
	Conn    *dbus.Conn // ours
	daemon  *exec.Cmd
}

// StartBus starts a session bus. Services that it starts by name, such as the
// panel's settings, see env. Close ends it.
func StartBus(ctx context.Context, env []string) (*Bus, error) {
	daemon := exec.CommandContext(ctx, "dbus-daemon", "--session", "--nofork", "--nosyslog", "--nopidfile", "--print-address=1")
	daemon.Env = env
	daemon.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := daemon.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := daemon.Start(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return nil, errors.New("dbus-daemon is missing: apt-get install dbus")
		}
		return nil, fmt.Errorf("starting a session bus: %w", err)
	}
	b := &Bus{daemon: daemon}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Close()
		return nil, fmt.Errorf("starting a session bus: it gave no address: %w", err)
	}
	b.Address = strings.TrimSpace(line)
	if b.Conn, err = dbus.Connect(b.Address, dbus.WithContext(ctx)); err != nil {
		b.Close()
		return nil, fmt.Errorf("joining the session bus: %w", err)
	}
	return b, nil
}

// Close ends the bus and what it started.
func (b *Bus) Close() {
	if b.Conn != nil {
		b.Conn.Close()
	}
	// The daemon leads its group, in which the services that it started are too.
	group := -b.daemon.Process.Pid
	_ = syscall.Kill(group, syscall.SIGTERM)
	timer := time.AfterFunc(3*time.Second, func() { _ = syscall.Kill(group, syscall.SIGKILL) })
	defer timer.Stop()
	_ = b.daemon.Wait()
}
