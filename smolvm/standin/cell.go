//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// Up to 1.0.2 a command is a container of its own unless one runs already:
// the machine's own command, or an earlier exec's. It is pid 1 there, so it
// ignores signals that it does not handle, and what it leaves behind dies with
// it. A command that joins another's container dies with that one's first
// process. Later releases run all commands in one container.

// startCommand starts a command as the release does; own says that it is the
// first process of a new container.
func (g *agent) startCommand(path string, argv []string, attr *os.ProcAttr) (k *kid, own bool, err error) {
	if g.c.Release > r102 {
		k, err = g.kids.start(path, argv, attr)
		return k, false, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.main != 0 {
		k, err = g.kids.start(path, argv, attr)
		return k, false, err
	}
	for len(g.cells) > 0 {
		if k, err = g.joinCell(g.cells[0].pid, path, argv, attr); !errors.Is(err, errCellGone) {
			return k, false, err
		}
		// It is about to end, which takes the kernel a moment.
		<-g.cells[0].done
		g.cells = slices.DeleteFunc(g.cells, (*kid).ended)
	}
	attr.Sys.Cloneflags = unix.CLONE_NEWPID | unix.CLONE_NEWNS
	k, err = g.kids.start("/proc/self/exe", append([]string{"smolvm", "_cell", path}, argv...), attr)
	if err != nil {
		return nil, false, err
	}
	g.cells = append(g.cells, k)
	return k, true, nil
}

// cell is the first step of a new container's first process: it sees its own
// processes only, then becomes the command.
func cell(args []string) int {
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		fmt.Fprintln(os.Stderr, "mount proc:", err)
		return 1
	}
	err := syscall.Exec(args[0], args[1:], os.Environ())
	fmt.Fprintln(os.Stderr, osText(err))
	return 1
}

// joinCell starts a command inside a container that runs. The thread that
// enters the namespaces is given up afterwards.
func (g *agent) joinCell(pid int, path string, argv []string, attr *os.ProcAttr) (*kid, error) {
	type result struct {
		k   *kid
		err error
	}
	started := make(chan result)
	go func() {
		runtime.LockOSThread() // and never unlocked
		k, err := g.kids.startBy(func() (*os.Process, error) {
			if err := enter(pid); err != nil {
				return nil, errCellGone
			}
			return os.StartProcess(path, argv, attr)
		})
		started <- result{k, err}
	}()
	r := <-started
	return r.k, r.err
}

// errCellGone is a container that ended between being found and being joined.
var errCellGone = errors.New("container is gone")

func enter(pid int) error {
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return err
	}
	for _, ns := range []struct {
		name string
		kind int
	}{{"pid", unix.CLONE_NEWPID}, {"mnt", unix.CLONE_NEWNS}} {
		f, err := os.Open(fmt.Sprintf("/proc/%d/ns/%s", pid, ns.name))
		if err != nil {
			return err
		}
		err = unix.Setns(int(f.Fd()), ns.kind)
		f.Close()
		if err != nil {
			return fmt.Errorf("enter %s namespace: %w", ns.name, err)
		}
	}
	return nil
}
