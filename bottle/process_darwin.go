package bottle

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// inspect asks ps and lsof, which need no rights for a process of our own.
// lsof exits 1 when nothing matches.
func inspect(pid int) (process, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	id := strconv.Itoa(pid)
	exe, err := exec.CommandContext(ctx, "/bin/ps", "-p", id, "-o", "comm=").Output()
	if err != nil {
		return process{}, fmt.Errorf("looking at the VM's process %d: %w", pid, err)
	}
	args, err := exec.CommandContext(ctx, "/bin/ps", "-p", id, "-o", "args=").Output()
	if err != nil {
		return process{}, fmt.Errorf("looking at the VM's process %d: %w", pid, err)
	}
	p := process{Executable: strings.TrimSpace(string(exe)), Args: strings.Fields(string(args))}
	// The arguments again with the environment after them, which ps shows for a
	// process of one's own.
	if env, err := exec.CommandContext(ctx, "/bin/ps", "-E", "-ww", "-p", id, "-o", "args=").Output(); err == nil {
		p.Env = strings.Fields(string(env))
	}
	out, err := exec.CommandContext(ctx, "/usr/sbin/lsof", "-nP", "-a", "-p", id, "-i", "-Fn").Output()
	if err != nil && len(out) == 0 && ctx.Err() != nil {
		return process{}, fmt.Errorf("looking at the VM's open sockets: %w", ctx.Err())
	}
	for line := range strings.SplitSeq(string(out), "\n") {
		if name, ok := strings.CutPrefix(line, "n"); ok {
			p.Network = append(p.Network, name)
		}
	}
	return p, nil
}

// processes lists the arguments and, after them, the environment of the user's
// processes, joined by spaces.
func processes(ctx context.Context) (map[int]string, error) {
	b, err := exec.CommandContext(ctx, "/bin/ps", "-xEo", "pid=,args=", "-ww").Output()
	if err != nil {
		return nil, fmt.Errorf("listing processes: %w", err)
	}
	out := make(map[int]string)
	for line := range strings.SplitSeq(string(b), "\n") {
		id, args, ok := strings.Cut(strings.TrimSpace(line), " ")
		if pid, err := strconv.Atoi(id); ok && err == nil {
			out[pid] = args + " "
		}
	}
	return out, nil
}
