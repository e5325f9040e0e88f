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
	env, _ := os.ReadFile(filepath.Join(dir, "environ")) // not of one that gave up rights
	p.Env = strings.Split(strings.TrimRight(string(env), "\x00"), "\x00")
	sockets, devices, err := openIn(dir)
	if err != nil {
		return process{}, err
	}
	p.Devices = devices
	for _, table := range []string{"tcp", "tcp6", "udp", "udp6", "raw", "raw6", "icmp", "icmp6"} {
		found, err := inetSockets(filepath.Join(dir, "net", table), sockets)
		if err != nil {
			return process{}, err
		}
		for _, f := range found {
			p.Network = append(p.Network, table+" "+f)
		}
	}
	packets, err := packetSockets(filepath.Join(dir, "net", "packet"), sockets)
	if err != nil {
		return process{}, err
	}
	p.Devices = append(p.Devices, packets...)
	p.Inside = devicesBelow(pid)
	return p, nil
}

// openIn returns the inode numbers of a process's open sockets, and the devices
// among its open files through which a guest could be given a network.
func openIn(dir string) (sockets map[string]bool, devices []string, err error) {
	fds, err := os.ReadDir(filepath.Join(dir, "fd"))
	if err != nil {
		return nil, nil, fmt.Errorf("looking at the VM's open files: %w", err)
	}
	sockets = make(map[string]bool)
	for _, fd := range fds {
		to, err := os.Readlink(filepath.Join(dir, "fd", fd.Name()))
		if err != nil {
			continue // closed meanwhile
		}
		if inode, ok := strings.CutPrefix(to, "socket:["); ok {
			sockets[strings.TrimSuffix(inode, "]")] = true
		}
		if to == "/dev/net/tun" || to == "/dev/vhost-net" || strings.HasPrefix(to, "/dev/tap") {
			devices = append(devices, to)
		}
	}
	return sockets, devices, nil
}

// packetSockets returns those of a process's sockets that take whole frames
// off a device.
func packetSockets(table string, open map[string]bool) ([]string, error) {
	b, err := os.ReadFile(table)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var out []string
	for line := range strings.Lines(string(b)) {
		// sk RefCnt Type Proto Iface R Rmem User Inode
		if w := strings.Fields(line); len(w) > 8 && open[w[8]] {
			out = append(out, "packet socket "+w[8])
		}
	}
	return out, err
}

// devicesBelow lists the network devices in the namespaces of a process's
// descendants, where those are not our own.
func devicesBelow(pid int) []string {
	own, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		return nil
	}
	seen := map[string]bool{own: true}
	var out []string
	for _, p := range descendants(pid) {
		dir := filepath.Join("/proc", strconv.Itoa(p))
		ns, err := os.Readlink(filepath.Join(dir, "ns", "net"))
		if err != nil || seen[ns] {
			continue
		}
		seen[ns] = true
		b, _ := os.ReadFile(filepath.Join(dir, "net", "dev"))
		for line := range strings.Lines(string(b)) {
			if name, _, ok := strings.Cut(line, ":"); ok { // two lines of headings have none
				out = append(out, strings.TrimSpace(name))
			}
		}
	}
	return out
}

// descendants are a process's children and theirs, without what ends meanwhile.
func descendants(pid int) []int {
	var out []int
	for left := []int{pid}; len(left) > 0 && len(out) < 10_000; {
		tasks, _ := filepath.Glob(filepath.Join("/proc", strconv.Itoa(left[0]), "task", "*", "children"))
		left = left[1:]
		for _, t := range tasks {
			b, _ := os.ReadFile(t)
			for _, w := range strings.Fields(string(b)) {
				if child, err := strconv.Atoi(w); err == nil {
					out, left = append(out, child), append(left, child)
				}
			}
		}
	}
	return out
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
