package bottle

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// inspect reads /proc; the process must be ours.
func inspect(pid int) (process, error) {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	exe, err := os.Readlink(filepath.Join(dir, "exe"))
	if err != nil {
		return process{}, fmt.Errorf("looking at the VM's process %d: %w", pid, err)
	}
	args, err := os.ReadFile(filepath.Join(dir, "cmdline"))
	if err != nil {
		return process{}, fmt.Errorf("looking at the VM's process %d: %w", pid, err)
	}
	p := process{
		Executable: strings.TrimSuffix(exe, " (deleted)"),
		Args:       strings.Split(strings.TrimRight(string(args), "\x00"), "\x00"),
	}
	open, err := socketsOf(dir)
	if err != nil {
		return process{}, err
	}
	for _, table := range []string{"tcp", "tcp6", "udp", "udp6", "raw", "raw6", "icmp", "icmp6"} {
		found, err := inetSockets(filepath.Join(dir, "net", table), open)
		if err != nil {
			return process{}, err
		}
		for _, f := range found {
			p.Network = append(p.Network, table+" "+f)
		}
	}
	return p, nil
}

// socketsOf returns the inode numbers of a process's open sockets.
func socketsOf(dir string) (map[string]bool, error) {
	fds, err := os.ReadDir(filepath.Join(dir, "fd"))
	if err != nil {
		return nil, fmt.Errorf("looking at the VM's open files: %w", err)
	}
	open := make(map[string]bool)
	for _, fd := range fds {
		to, err := os.Readlink(filepath.Join(dir, "fd", fd.Name()))
		if err != nil {
			continue // closed meanwhile
		}
		if inode, ok := strings.CutPrefix(to, "socket:["); ok {
			open[strings.TrimSuffix(inode, "]")] = true
		}
	}
	return open, nil
}

// inetSockets returns the local addresses in one of the kernel's socket tables
// whose inode is among open.
func inetSockets(table string, open map[string]bool) ([]string, error) {
	f, err := os.Open(table)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // this kernel has no such protocol
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out []string
	for s := bufio.NewScanner(f); s.Scan(); {
		// sl local_address rem_address st tx:rx tr:tm retrnsmt uid timeout inode
		if w := strings.Fields(s.Text()); len(w) > 9 && open[w[9]] {
			out = append(out, w[1])
		}
	}
	return out, nil
}

// processes lists the arguments and, after them, the environment of every
// process that may be looked at, joined by spaces.
func processes(context.Context) (map[int]string, error) {
	names, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	out := make(map[int]string)
	for _, n := range names {
		pid, err := strconv.Atoi(n.Name())
		if err != nil {
			continue
		}
		if args, err := os.ReadFile(filepath.Join("/proc", n.Name(), "cmdline")); err == nil && len(args) > 0 {
			env, _ := os.ReadFile(filepath.Join("/proc", n.Name(), "environ"))
			out[pid] = strings.ReplaceAll(string(args)+string(env), "\x00", " ")
		}
	}
	return out, nil
}
