//go:build linux

package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// stop is "machine stop".
func (a *app) stop(p *args) error {
	name := named(p)
	r, err := a.store.load(name)
	if err != nil {
		return err
	}
	if r == nil {
		switch {
		case !p.has("name"):
			fmt.Fprintf(a.stdout, "Stopping machine '%s'...\nMachine '%s' stopped\n", name, name)
			return nil
		case a.rel == r080:
			fmt.Fprintf(a.stdout, "Machine '%s' not found or not running\n", name)
			return nil
		}
		return failf("vm not found: %s", name)
	}
	switch state := a.state(r); state {
	case "unreachable":
		a.cleanUp(r)
	case "running":
		fmt.Fprintf(a.stdout, "Stopping machine '%s'...\n", name)
		a.kill(r)
	default:
		fmt.Fprintf(a.stdout, "Machine '%s' is not running (state: %s)\n", name, state)
		return nil
	}
	r.State, r.PID, r.PIDStart = "stopped", 0, 0
	if err := a.store.save(r); err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "Stopped machine: %s\n", name)
	return nil
}

// kill ends the boot process and waits until it and the guest are gone: both
// hold the lock.
func (a *app) kill(r *record) {
	if r.alive() {
		_ = syscall.Kill(r.PID, syscall.SIGTERM)
	}
	dir := a.store.dir(r.Name)
	for began := time.Now(); time.Since(began) < 10*time.Second; time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > 2*time.Second && r.alive() {
			_ = syscall.Kill(r.PID, syscall.SIGKILL)
		}
		if f, err := lock(dir); err == nil {
			f.Close()
			break
		} else if errors.Is(err, os.ErrNotExist) && !r.alive() {
			break
		}
	}
	for _, f := range []string{"agent.sock", "agent.pid", "agent.config.json", "boot-config.json"} {
		os.Remove(filepath.Join(dir, f))
	}
}

// delete is "machine delete". 0.8.0 forgets a running machine and leaves its
// process; 1.0.2 and later stop it before they ask.
func (a *app) delete(p *args) error {
	name := p.get("name")
	r, err := a.machine(name)
	if err != nil {
		return err
	}
	if a.rel > r080 {
		switch a.state(r) {
		case "running":
			fmt.Fprintf(a.stdout, "Stopping machine '%s'...\n", name)
			a.kill(r)
		case "unreachable":
			a.cleanUp(r)
		}
	}
	if !p.has("force") && !a.confirmed(name) {
		fmt.Fprintln(a.stdout, "Cancelled")
		return nil
	}
	dir := a.store.dir(name)
	// A machine from an image has no folder before its first start.
	if _, err := os.Stat(dir); err == nil {
		fmt.Fprintf(a.stdout, "Cleaning up data directory for vm: %s\n", name)
	}
	if err := os.RemoveAll(dir); err != nil {
		return ioFailure(err)
	}
	if err := a.store.remove(name); err != nil {
		return ioFailure(err)
	}
	fmt.Fprintf(a.stdout, "Deleted machine: %s\n", name)
	return nil
}

func (a *app) confirmed(name string) bool {
	fmt.Fprintf(a.stderr, "Delete machine '%s'? [y/N] ", name)
	line, _ := bufio.NewReader(a.stdin).ReadString('\n')
	line = strings.ToLower(strings.TrimSpace(line))
	return line == "y" || line == "yes"
}
