package bottle

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"bottlebar.app/smolvm"
)

// startGrace is how long a cancelled launch waits for a start to answer: a VM
// whose start was killed is one that smolvm does not know.
const startGrace = 10 * time.Second

// startMachine starts the machine. When ctx ends meanwhile, the start may
// finish within a grace, so that the machine it made can be stopped by name.
func startMachine(ctx context.Context, client *smolvm.Client, sock string) error {
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		late := time.AfterFunc(startGrace, cancel)
		context.AfterFunc(run, func() { late.Stop() })
	})
	defer stop()
	err := client.Start(run, machineName, smolvm.StartOptions{AuthSock: sock, Fresh: true})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// killStrays ends processes of the installation that still work in a bottle's
// home after its machine was stopped: a boot whose start was killed half-way.
func (r *Rack) killStrays(ctx context.Context, in *smolvm.Install, id string) error {
	reach, err := r.cfg.Paths.reach(id)
	if err != nil {
		return err
	}
	var homes []string
	for _, dir := range []string{reach, r.cfg.Paths.folder(id)} {
		home := filepath.Join(dir, homeName)
		homes = append(homes, home+"/", "HOME="+home+" ")
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		left, err := strays(ctx, in.Path, homes)
		if err != nil || len(left) == 0 {
			return err
		}
		for _, pid := range left {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("ending the VM's process %d: %w", pid, err)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// strays lists processes of the command's installation with an argument in one
// of the homes, or with one for their own: a create that outlived a killed app
// makes a removed home anew.
func strays(ctx context.Context, command string, homes []string) ([]int, error) {
	all, err := processes(ctx)
	if err != nil {
		return nil, err
	}
	var out []int
	for pid, args := range all {
		for _, home := range homes {
			if !strings.Contains(args, home) {
				continue
			}
			p, err := inspect(pid)
			if err == nil && ownedBy(p.Executable, command) {
				out = append(out, pid)
			}
			break
		}
	}
	return out, nil
}
