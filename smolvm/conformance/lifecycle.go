package conformance

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bottlebar.app/internal/clone"
	"bottlebar.app/smolvm"
)

func background(t *testing.T) context.Context {
	return context.WithoutCancel(t.Context())
}

// wantError fails the test unless err is of that class and a person can use
// what it says.
func wantError(t *testing.T, what string, err, class error) {
	t.Helper()
	if !errors.Is(err, class) {
		t.Errorf("%s: %v, want %v", what, err, class)
		return
	}
	if text := err.Error(); text == "" || strings.ContainsAny(text, "\n\x1b") {
		t.Errorf("%s: %q is not one clean line", what, text)
	}
}

func withoutMachine(t *testing.T, env Env) {
	c, ctx := client(t, env), t.Context()
	if list, err := c.List(ctx); err != nil || len(list) != 0 {
		t.Errorf("list of an empty home: %v, %v", list, err)
	}
	_, err := c.Status(ctx, name)
	wantError(t, "status", err, smolvm.ErrUnknownMachine)
	_, err = c.Alive(ctx, name)
	wantError(t, "alive", err, smolvm.ErrUnknownMachine)
	wantError(t, "start", c.Start(ctx, name, smolvm.StartOptions{}), smolvm.ErrUnknownMachine)
	wantError(t, "fresh start", c.Start(ctx, name, smolvm.StartOptions{Fresh: true}), smolvm.ErrUnknownMachine)
	_, err = c.Exec(ctx, name, smolvm.ExecOptions{}, "true")
	wantError(t, "exec", err, smolvm.ErrUnknownMachine)
	wantError(t, "copy out", c.CopyOut(ctx, name, "/x", filepath.Join(t.TempDir(), "x")), smolvm.ErrUnknownMachine)
	wantError(t, "copy in", c.CopyIn(ctx, name, env.Artifact, "/x", smolvm.CopyOptions{}), smolvm.ErrUnknownMachine)
	wantError(t, "update", c.Update(ctx, name, smolvm.UpdateOptions{CPUs: 1}), smolvm.ErrUnknownMachine)
	if err := c.Stop(ctx, name); err != nil {
		t.Errorf("stop: %v", err)
	}
	if err := c.Delete(ctx, name); err != nil {
		t.Errorf("delete: %v", err)
	}
	if list, err := c.List(ctx); err != nil || len(list) != 0 {
		t.Errorf("list afterwards: %v, %v", list, err)
	}
}

func create(t *testing.T, env Env) {
	c, ctx := client(t, env), t.Context()
	damaged := filepath.Join(t.TempDir(), "damaged.smolmachine")
	if err := os.WriteFile(damaged, []byte(strings.Repeat("no artifact ", 20)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, from := range []string{damaged, filepath.Dir(damaged), damaged + ".none"} {
		wantError(t, "create from "+filepath.Base(from), c.Create(ctx, smolvm.CreateOptions{Name: name, From: from}), smolvm.ErrBadArtifact)
	}
	if env.ForeignArtifact != "" && env.Install.Version.AtLeast(1, 2, 2) {
		wantError(t, "create for another processor", c.Create(ctx, smolvm.CreateOptions{Name: name, From: env.ForeignArtifact}), smolvm.ErrPlatform)
	}
	t.Run("sizes", func(t *testing.T) { sizes(t, env, c) })
	if dir, err := c.DataDir(ctx, name); err != nil || !strings.HasPrefix(dir, c.Home().Dir) {
		t.Errorf("data folder %q of home %q, %v", dir, c.Home().Dir, err)
	}
	if err := c.Delete(ctx, name); err != nil {
		t.Errorf("delete: %v", err)
	}
	_, err := c.Status(ctx, name)
	wantError(t, "status after delete", err, smolvm.ErrUnknownMachine)
}

func sizes(t *testing.T, env Env, c *smolvm.Client) {
	ctx := t.Context()
	o := smolvm.CreateOptions{Name: name, From: env.Artifact, CPUs: 4, MemMiB: 2048, Hop: smolvm.HopAgent, Isolated: true}
	if err := c.Create(ctx, o); err != nil {
		t.Fatalf("create: %v", err)
	}
	m, err := c.Status(ctx, name)
	if err != nil || m.State != smolvm.StateCreated || m.CPUs != 4 || m.MemMiB != 2048 {
		t.Errorf("status: %+v, %v", m, err)
	}
	if m.Network || m.Ports != 0 || m.Mounts != 0 || m.PID != 0 {
		t.Errorf("more than a machine without a network: %+v", m)
	}
	wantError(t, "create again", c.Create(ctx, o), smolvm.ErrExists)
	if err := c.Update(ctx, name, smolvm.UpdateOptions{CPUs: 2, MemMiB: 512}); err != nil {
		t.Errorf("update: %v", err)
	}
	if m, err = c.Status(ctx, name); err != nil || m.CPUs != 2 || m.MemMiB != 512 {
		t.Errorf("status after update: %+v, %v", m, err)
	}
}

func (s *suite) notRunning(t *testing.T) {
	ctx := t.Context()
	if up, err := s.c.Alive(ctx, name); err != nil || up {
		t.Errorf("alive: %v, %v", up, err)
	}
	_, err := s.c.Exec(ctx, name, smolvm.ExecOptions{}, "true")
	wantError(t, "exec", err, smolvm.ErrNotRunning)
	_, err = s.c.ExecStream(ctx, name, smolvm.ExecOptions{}, nil, nil, nil, "true")
	wantError(t, "exec stream", err, smolvm.ErrNotRunning)
	wantError(t, "copy in", s.c.CopyIn(ctx, name, s.env.Artifact, "/x", smolvm.CopyOptions{}), smolvm.ErrNotRunning)
	wantError(t, "copy out", s.c.CopyOut(ctx, name, "/x", filepath.Join(t.TempDir(), "x")), smolvm.ErrNotRunning)
	if err := s.c.Stop(ctx, name); err != nil {
		t.Errorf("stop: %v", err)
	}
}

func (s *suite) start(t *testing.T) {
	ctx := t.Context()
	sock := sockOf(s.c)
	if err := s.c.Start(ctx, name, smolvm.StartOptions{AuthSock: sock}); err != nil {
		t.Fatalf("start: %v", err)
	}
	m, err := s.c.Status(ctx, name)
	if err != nil || m.State != smolvm.StateRunning || m.PID == 0 || m.Network {
		t.Fatalf("status: %+v, %v", m, err)
	}
	if up, err := s.c.Alive(ctx, name); err != nil || !up {
		t.Errorf("alive: %v, %v", up, err)
	}
	if err := s.c.Start(ctx, name, smolvm.StartOptions{AuthSock: sock}); err != nil {
		t.Errorf("start again: %v", err)
	}
	if err := s.c.Start(ctx, name, smolvm.StartOptions{AuthSock: sock, Fresh: true}); err != nil {
		t.Errorf("start again without looking: %v", err)
	}
	again, err := s.c.Status(ctx, name)
	if err != nil || again.PID != m.PID {
		t.Errorf("another VM: %d, then %d, %v", m.PID, again.PID, err)
	}
	// The first commands after a start race to make the container.
	if res, err := s.c.Exec(ctx, name, smolvm.ExecOptions{}, "true"); err != nil || res.ExitCode != 0 {
		t.Fatalf("first exec: %+v, %v", res, err)
	}
}

// sockOf is the host's end of the machine's pipe; nobody listens there.
func sockOf(c *smolvm.Client) string { return filepath.Join(c.Home().Dir, "agent") }

func (s *suite) whileRunning(t *testing.T) {
	ctx := t.Context()
	wantError(t, "update", s.c.Update(ctx, name, smolvm.UpdateOptions{CPUs: 1}), smolvm.ErrRunning)
	wantError(t, "create again", s.c.Create(ctx, s.options()), smolvm.ErrExists)
	dir, err := s.c.DataDir(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(dir, smolvm.ConsoleLog)); err != nil || !info.Mode().IsRegular() {
		t.Errorf("console log: %v", err)
	}
	list, err := s.c.List(ctx)
	if err != nil || len(list) != 1 || list[0].Name != name || list[0].State != smolvm.StateRunning {
		t.Errorf("list: %+v, %v", list, err)
	}
}

func (s *suite) stopAndStart(t *testing.T) {
	ctx := t.Context()
	if res, err := s.c.Exec(ctx, name, smolvm.ExecOptions{}, "sh", "-c", "echo kept > /root/kept"); err != nil || res.ExitCode != 0 {
		t.Fatalf("%+v, %v", res, err)
	}
	p, err := s.c.ExecHeld(ctx, name, smolvm.ExecOptions{}, nil, "sleep", "600")
	if err != nil {
		t.Fatal(err)
	}
	await(t, "the command to run", func() bool {
		res, err := s.c.Exec(ctx, name, smolvm.ExecOptions{}, "sh", "-c", "ps | grep '[s]leep 600'")
		return err == nil && res.ExitCode == 0
	})
	if err := s.c.Stop(ctx, name); err != nil {
		t.Fatalf("stop: %v", err)
	}
	if res, err := p.Wait(); err == nil && res.ExitCode == 0 {
		t.Errorf("the command of a stopped machine ended well: %+v", res)
	}
	if m, err := s.c.Status(ctx, name); err != nil || m.State != smolvm.StateStopped {
		t.Errorf("status: %+v, %v", m, err)
	}
	if err := s.c.Stop(ctx, name); err != nil {
		t.Errorf("stop again: %v", err)
	}
	_, err = s.c.Exec(ctx, name, smolvm.ExecOptions{}, "true")
	wantError(t, "exec", err, smolvm.ErrNotRunning)
	if err := s.c.Start(ctx, name, smolvm.StartOptions{AuthSock: sockOf(s.c)}); err != nil {
		t.Fatalf("start: %v", err)
	}
	res, err := s.c.Exec(ctx, name, smolvm.ExecOptions{}, "cat", "/root/kept")
	if err != nil || string(res.Stdout) != "kept\n" {
		t.Errorf("after the restart: %+v, %v", res, err)
	}
}

func (s *suite) delete(t *testing.T) {
	ctx := t.Context()
	m, err := s.c.Status(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := s.c.DataDir(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.c.Delete(ctx, name); err != nil {
		t.Fatalf("delete: %v", err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Errorf("the data folder is left")
	}
	await(t, "the VM's process to end", func() bool { return !alive(m.PID) })
	if list, err := s.c.List(ctx); err != nil || len(list) != 0 {
		t.Errorf("list: %v, %v", list, err)
	}
	if err := s.c.Delete(ctx, name); err != nil {
		t.Errorf("delete again: %v", err)
	}
}

// clonedHome shows that a home can be duplicated after create and the
// duplicate used without the original.
func clonedHome(t *testing.T, env Env) {
	ctx := t.Context()
	dir, err := os.MkdirTemp("/tmp", "bb-conf-")
	if err != nil {
		t.Fatal(err)
	}
	first := client(t, env)
	o := smolvm.CreateOptions{Name: name, From: env.Artifact, Hop: smolvm.HopAgent, Isolated: true, Command: []string{"sleep", "100000"}}
	if err := first.Create(ctx, o); err != nil {
		t.Fatal(err)
	}
	if _, err := clone.Tree(ctx, filepath.Join(dir, "h"), first.Home().Dir); err != nil {
		t.Fatal(err)
	}
	second := clientAt(t, env, dir)
	if err := first.Delete(ctx, name); err != nil {
		t.Fatal(err)
	}
	if err := second.Start(ctx, name, smolvm.StartOptions{AuthSock: sockOf(second), Fresh: true}); err != nil {
		t.Fatalf("start: %v", err)
	}
	res, err := second.Exec(ctx, name, smolvm.ExecOptions{}, "echo", "from the clone")
	if err != nil || string(res.Stdout) != "from the clone\n" {
		t.Errorf("%+v, %v", res, err)
	}
}

// await polls what the machine does by itself.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
