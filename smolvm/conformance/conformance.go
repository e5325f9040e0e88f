package conformance

import (
	"os"
	"path/filepath"
	"testing"

	"bottlebar.app/internal/clone"
	"bottlebar.app/smolvm"
)

// Env is what the suite runs with.
type Env struct {
	Install *smolvm.Install
	// Artifact is the path of a .smolmachine whose guest has busybox or the
	// like (sh, cat, ls, env, sleep, stty, seq), a /tmp, and a command that
	// goes on: some releases start no machine without one.
	Artifact string
	// AgentRoot is the pristine system that machines boot, of which each home
	// gets a copy; "" leaves it to the command.
	AgentRoot string
	HomeEnv   []string // further variables for the command
	// ForeignArtifact is one for another kind of processor, which releases
	// from 1.2.2 on refuse; "" leaves that promise out.
	ForeignArtifact string
}

// name is what a machine is called in its private home.
const name = "bottle"

// suite is one run: a home, and a machine in it that runs.
type suite struct {
	env Env
	c   *smolvm.Client
}

// Run runs the whole suite.
func Run(t *testing.T, env Env) {
	t.Run("without a machine", func(t *testing.T) { withoutMachine(t, env) })
	t.Run("create", func(t *testing.T) { create(t, env) })
	s := &suite{env: env, c: client(t, env)}
	if err := s.c.Create(t.Context(), s.options()); err != nil {
		t.Fatalf("create: %v", err)
	}
	t.Run("created, not running", s.notRunning)
	t.Run("start", s.start)
	t.Run("exec", s.exec)
	t.Run("exec failures", s.execFailures)
	t.Run("exec timeout", s.execTimeout)
	t.Run("exec stream", s.execStream)
	t.Run("exec held", s.execHeld)
	t.Run("exec on a terminal", s.terminal)
	t.Run("copy", s.copy)
	t.Run("copy failures", s.copyFailures)
	t.Run("while running", s.whileRunning)
	t.Run("stop and start again", s.stopAndStart)
	t.Run("delete while running", s.delete)
	t.Run("cloned home", func(t *testing.T) { clonedHome(t, env) })
}

func (s *suite) options() smolvm.CreateOptions {
	return smolvm.CreateOptions{
		Name: name, From: s.env.Artifact, Hop: smolvm.HopAgent, Isolated: true,
		Command: []string{"sleep", "100000"},
	}
}

// client makes a home that is gone, with its machine, when the test ends.
func client(t *testing.T, env Env) *smolvm.Client {
	t.Helper()
	// A short path: the machine's sockets lie in the home.
	dir, err := os.MkdirTemp("/tmp", "bb-conf-")
	if err != nil {
		t.Fatal(err)
	}
	return clientAt(t, env, dir)
}

func clientAt(t *testing.T, env Env, dir string) *smolvm.Client {
	t.Helper()
	h := smolvm.Home{Dir: filepath.Join(dir, "h"), Env: env.HomeEnv}
	if env.AgentRoot != "" {
		h.AgentRoot = filepath.Join(dir, "root")
		if _, err := clone.Tree(t.Context(), h.AgentRoot, env.AgentRoot); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(h.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	c := env.Install.Client(h)
	t.Cleanup(func() {
		// The test's own context has ended by now.
		if err := c.Delete(background(t), name); err != nil {
			t.Errorf("clearing up: %v", err)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("clearing up: %v", err)
		}
	})
	return c
}
