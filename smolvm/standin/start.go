//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// start is "machine start".
func (a *app) start(p *args) error {
	name := named(p)
	r, err := a.machine(name)
	if err != nil {
		return err
	}
	switch a.state(r) {
	case "running":
		fmt.Fprintf(a.stdout, "Machine '%s' already running (PID: %d)\n", name, r.PID)
		return nil
	case "unreachable":
		a.cleanUp(r)
	}
	with := ""
	if n := len(r.Volumes); n > 0 {
		with = fmt.Sprintf(" with %d mount(s)", n)
	}
	if n := len(r.Ports); n > 0 {
		with += fmt.Sprintf(" and %d port mapping(s)", n)
	}
	fmt.Fprintf(a.stderr, "Starting machine '%s'%s...\n", name, with)
	if r.SSHAgent && a.getenv("SSH_AUTH_SOCK") == "" {
		return failf("config operation failed: ssh-agent: SSH_AUTH_SOCK is not set. Start an SSH agent with: eval $(ssh-agent) && ssh-add")
	}
	if err := a.boot(r); err != nil {
		return err
	}
	// A start that fails from here on ends the machine and leaves the stored
	// state as it was.
	if err := a.afterBoot(r); err != nil {
		a.kill(r)
		return err
	}
	r.State = "running"
	if err := a.store.save(r); err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "Machine '%s' running (PID: %d)\n", name, r.PID)
	return nil
}

// cleanUp ends a machine that is called unreachable, be it well or not.
func (a *app) cleanUp(r *record) {
	fmt.Fprintf(a.stdout, "Machine '%s' is unreachable (PID %d alive but agent unresponsive); cleaning up.\n", r.Name, r.PID)
	a.kill(r)
}

// agentRoot finds the folder that every machine gets as its root device.
func (a *app) agentRoot() (string, error) {
	dir := a.getenv("SMOLVM_AGENT_ROOTFS")
	if dir == "" {
		dir = filepath.Join(filepath.Dir(a.exe), "agent-rootfs")
		if _, err := os.Stat(dir); err != nil {
			dir = filepath.Join(a.store.data, "agent-rootfs")
		}
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return "", failf("agent operation failed: verify rootfs: agent rootfs not found: %s", dir)
	}
	return filepath.Abs(dir)
}

// boot starts the machine's process and waits until its agent answers.
func (a *app) boot(r *record) error {
	const start = "agent operation failed: start machine: "
	dir := a.store.dir(r.Name)
	root, err := a.agentRoot()
	if err != nil {
		return failf(start+"%v", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return ioFailure(err)
	}
	held, err := lock(dir)
	if err != nil {
		return failf(start + "agent operation failed: start agent: another process is already starting or running this VM")
	}
	defer held.Close()
	guestRoot, err := a.rootfs(r)
	if err != nil {
		return failf(start+"agent operation failed: prepare storage: %v", err)
	}
	if err := a.writeBootConfig(r, dir, root, guestRoot); err != nil {
		return failf(start+"%v", err)
	}
	vm, err := a.launch(dir, held)
	if err != nil {
		return failf(start+"%v", err)
	}
	gone := make(chan error, 1)
	go func() { gone <- vm.Wait() }()
	if err := a.waitReady(r.Name, gone); err != nil {
		_ = vm.Process.Kill() // or it is gone already
		said, _ := os.ReadFile(filepath.Join(dir, "agent-startup-error.log"))
		return failf(start+"agent operation failed: %v%s", err, strings.TrimRight("\n"+string(said), "\n"))
	}
	r.PID, r.PIDStart = vm.Process.Pid, startOf(vm.Process.Pid)
	return nil
}

func (a *app) launch(dir string, held *os.File) (*exec.Cmd, error) {
	out, err := os.Create(filepath.Join(dir, "agent-startup-error.log"))
	if err != nil {
		return nil, ioFailure(err)
	}
	defer out.Close()
	vm := exec.CommandContext(context.Background(), a.exe, "_boot-vm", dir)
	vm.Stdout, vm.Stderr, vm.Dir = out, out, "/"
	vm.ExtraFiles = []*os.File{held}
	vm.Env = []string{"PATH=" + a.getenv("PATH"), "HOME=" + a.getenv("HOME")}
	vm.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return vm, vm.Start()
}

func (a *app) waitReady(name string, gone <-chan error) error {
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-gone:
			code := 0
			var exit *exec.ExitError
			if errors.As(err, &exit) {
				code = exit.ExitCode()
			}
			return fmt.Errorf("monitor agent: boot process exited (code %d) before the agent was ready", code)
		case <-deadline:
			return errors.New("wait for ready: agent did not become ready within 30 seconds")
		case <-tick.C:
			if a.ping(name, 3*time.Second) == nil {
				return nil
			}
		}
	}
}

// rootfs is the folder that becomes the guest's root.
func (a *app) rootfs(r *record) (string, error) {
	if r.CRC != "" && a.rel > r080 {
		return filepath.Join(a.packDir(r), "root"), nil
	}
	root := filepath.Join(a.store.dir(r.Name), "root")
	if _, err := os.Stat(root); err == nil {
		return root, nil
	}
	if strings.HasPrefix(r.Image, localSource) {
		_, err := a.unpackArchive(r, root)
		return root, err
	}
	src := filepath.Join(a.packDir(r), "root")
	if r.CRC == "" {
		var err error
		if src, err = a.localImage(r.Image); err != nil {
			return "", err
		}
	}
	// What 0.8.0 shares between machines is copied at the first start.
	cp := exec.CommandContext(context.Background(), "cp", "-a", "--reflink=auto", src, root)
	if out, err := cp.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return root, nil
}

// bootConfig is what the boot process and the guest are told, through
// boot-config.json in the machine's folder, written anew at each start.
type bootConfig struct {
	Release   release
	Name      string
	Image     string
	Root      string // becomes the guest's "/"
	AgentRoot string // offered read-write at /.smolvm-root
	Volumes   []volume
	Sockets   []socket
	AuthSock  string // host path of the agent's socket; empty without --ssh-agent
	SSHAgent  bool
	HostNet   bool          // fault: no network namespace
	NIC       bool          // fault: a network device
	Dies      time.Duration // fault: ends by itself
}

func (a *app) writeBootConfig(r *record, dir, agentRoot, root string) error {
	c := bootConfig{Release: a.rel, Name: r.Name, Image: r.Image, Root: root, AgentRoot: agentRoot, Volumes: r.Volumes, SSHAgent: r.SSHAgent}
	for _, s := range r.Sockets {
		// 1.7.x makes the socket outside the container; only what lies in
		// the shared workspace can be seen in it.
		if g, ok := strings.CutPrefix(s.Guest, "/storage/workspace/"); ok {
			s.Guest = "/workspace/" + g
		} else if a.rel < r193 {
			continue
		}
		c.Sockets = append(c.Sockets, s)
	}
	if r.SSHAgent {
		c.AuthSock = a.getenv("SSH_AUTH_SOCK")
	}
	v, ok := a.faults.has("start", "netns")
	c.HostNet = ok && v == "host"
	_, c.NIC = a.faults.has("start", "nic")
	if v, ok := a.faults.has("start", "dies"); ok {
		c.Dies, _ = duration(v)
	}
	raw, err := json.Marshal(c)
	if err != nil {
		return err
	}
	agent := fmt.Sprintf(`{"version":1,"mounts":[],"ports":[],"resources":{"cpus":%d,"memory_mib":%d,"network":%t,"gpu":%t}}`, r.CPUs, r.MemMiB, r.Network, r.GPU)
	for name, text := range map[string]string{"boot-config.json": string(raw), "agent.config.json": agent, "storage.formatted": "", "overlay.formatted": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return ioFailure(err)
		}
	}
	return nil
}

// afterBoot runs the init commands, once in a machine's life, and the
// machine's own command.
func (a *app) afterBoot(r *record) error {
	if n := len(r.Init); n > 0 && r.InitDone {
		fmt.Fprintf(a.stdout, "Init already completed, skipping %d command(s)\n", n)
	} else if n > 0 {
		fmt.Fprintf(a.stdout, "Running %d init command(s)...\n", n)
		for i, line := range r.Init {
			if err := a.runInit(r, i, line); err != nil {
				return err
			}
		}
		r.InitDone = true
	}
	cmd := append(slices.Clone(r.Entrypoint), r.Cmd...)
	const run = "agent operation failed: start background CMD: agent operation failed: run container detached: "
	if len(cmd) == 0 {
		// A machine without a command starts on 0.8.0 and from 1.9.0 on.
		switch a.rel {
		case r102:
			return failf(run+"image not found: docker.io/library/%s", r.Image)
		case r177:
			return failf(run+"no command given and image 'docker.io/library/%s' defines no entrypoint or cmd", r.Image)
		}
		return nil
	}
	if _, err := a.call(r.Name, request{Op: "main", Argv: cmd, Env: a.guestEnv(r, nil, false), Dir: r.Workdir}, nil); err != nil {
		return failf(run + "crun create failed: ")
	}
	return nil
}

// runInit runs one --init line; newer releases show its output as it comes,
// from a terminal.
func (a *app) runInit(r *record, i int, line string) error {
	var out strings.Builder
	req := request{Op: "exec", Mode: modeTTY, Argv: []string{"sh", "-c", line}, Env: a.guestEnv(r, nil, false), Dir: r.Workdir, Internal: true}
	if a.rel <= r102 {
		req.Mode = modeCaptured
	}
	status, err := a.call(r.Name, req, &out)
	if err != nil {
		return err
	}
	said := ""
	if a.rel > r102 {
		fmt.Fprint(a.stdout, out.String())
	} else if s := strings.TrimSpace(out.String()); s != "" {
		said = ": " + s
	}
	if status.Code != 0 {
		return failf("agent operation failed: init: init[%d] failed (exit %d)%s", i, status.Code, said)
	}
	return nil
}
