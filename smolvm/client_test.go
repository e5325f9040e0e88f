package smolvm

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestListRunsWithTheHomeAndNothingElse(t *testing.T) {
	t.Setenv("SSH_AUTH_SOCK", "/person/agent")
	c, calls := scripted(t, "1.9.3", listed(record("m", StateCreated, 0)))
	list, err := c.List(t.Context())
	if err != nil || len(list) != 1 || list[0].Name != "m" || list[0].CPUs != 2 {
		t.Fatalf("%+v, %v", list, err)
	}
	env := calls()[0].Env
	if !slices.Contains(env, "HOME="+c.home.Dir) || !slices.Equal(env, c.home.Environ()) || slices.ContainsFunc(env, func(s string) bool { return strings.HasPrefix(s, "SSH_AUTH_SOCK") }) {
		t.Errorf("%q", env)
	}
}

func TestAnswersThatAreNotJSONAreErrors(t *testing.T) {
	c, _ := scripted(t, "1.9.3", reply{Args: listArgs(), Stdout: "NAME STATE\n"}, reply{Args: statusArgs("m"), Stdout: "{}"}, status("n", StateRunning, 1))
	var e *CommandError
	if _, err := c.List(t.Context()); !errors.As(err, &e) {
		t.Error(err)
	}
	if _, err := c.Status(t.Context(), "m"); !errors.As(err, &e) {
		t.Error(err)
	}
}

func TestStatusOfAnotherMachineIsAnError(t *testing.T) {
	c, _ := scripted(t, "1.9.3", reply{Args: statusArgs("m"), Stdout: record("other", StateRunning, 1)})
	if _, err := c.Status(t.Context(), "m"); err == nil {
		t.Error("accepted")
	}
}

func TestAHomeThatIsGoneIsNotMadeAgain(t *testing.T) {
	c, _ := scripted(t, "1.9.3", listed())
	if err := os.RemoveAll(c.home.Dir); err != nil {
		t.Fatal(err)
	}
	if _, err := c.List(t.Context()); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if _, err := os.Stat(c.home.Dir); err == nil {
		t.Error("made again")
	}
}

func TestStartHandsOverTheSocketAndConfirms(t *testing.T) {
	c, calls := scripted(t, "1.9.3",
		status("m", StateCreated, 0), reply{Args: startArgs("m"), Stdout: "Machine 'm' running (PID: 1)\n"}, status("m", StateRunning, 1))
	if err := c.Start(t.Context(), "m", StartOptions{AuthSock: "/b/hop.sock"}); err != nil {
		t.Fatal(err)
	}
	got := calls()
	if strings.Join(verbs(got), " ") != "status start status" {
		t.Errorf("%q", verbs(got))
	}
	for i, want := range []bool{false, true, false} {
		if slices.Contains(got[i].Env, "SSH_AUTH_SOCK=/b/hop.sock") != want {
			t.Errorf("call %d: %q", i, got[i].Env)
		}
	}
}

func TestStartOfAMachineThatRunsDoesNothing(t *testing.T) {
	c, calls := scripted(t, "1.9.3", status("m", StateRunning, 1))
	if err := c.Start(t.Context(), "m", StartOptions{}); err != nil || strings.Join(verbs(calls()), " ") != "status" {
		t.Errorf("%v, %q", err, verbs(calls()))
	}
}

func TestStartNeverKillsALiveMachineThatIsCalledUnreachable(t *testing.T) {
	c, calls := scripted(t, "1.9.3",
		status("m", StateUnreachable, os.Getpid()),
		reply{Args: statusTextArgs("m"), Stdout: "Machine 'm': running (PID: 1)\n"})
	if err := c.Start(t.Context(), "m", StartOptions{}); err != nil || strings.Join(verbs(calls()), " ") != "status status" {
		t.Errorf("%v, %q", err, verbs(calls()))
	}
}

func TestAliveLooksTwiceAtUnreachable(t *testing.T) {
	for _, c := range []struct {
		name  string
		state State
		pid   int
		text  string
		want  bool
	}{
		{"running", StateRunning, 1, "", true},
		{"stopped", StateStopped, os.Getpid(), "", false},
		{"unreachable but well", StateUnreachable, os.Getpid(), "Machine 'm': running (PID: 7)\n", true},
		{"unreachable, new releases' text", StateUnreachable, os.Getpid(), "Machine 'm': unreachable\n", false},
		{"unreachable, old releases' text", StateUnreachable, os.Getpid(), "Machine 'm': not running\n", false},
		{"unreachable, process gone", StateUnreachable, 0, "Machine 'm': running (PID: 7)\n", false},
	} {
		cl, _ := scripted(t, "1.9.3", status("m", c.state, c.pid), reply{Args: statusTextArgs("m"), Stdout: c.text})
		if got, err := cl.Alive(t.Context(), "m"); err != nil || got != c.want {
			t.Errorf("%s: %v, %v", c.name, got, err)
		}
	}
}

func TestStartThatExitsWellWithoutARunningMachineFails(t *testing.T) {
	c, _ := scripted(t, "1.9.3", reply{Args: startArgs("m")}, status("m", StateStopped, 0))
	err := c.Start(t.Context(), "m", StartOptions{Fresh: true})
	var e *CommandError
	if !errors.Is(err, ErrNotRunning) || !errors.As(err, &e) || e.Left != StateStopped {
		t.Error(err)
	}
}

func TestStartWithoutHypervisorSaysSo(t *testing.T) {
	c, _ := scripted(t, "1.9.3", reply{
		Args: startArgs("m"), Exit: 1,
		Stderr: "Starting machine 'm'...\nError: agent operation failed: start machine: kvm permission denied: Cannot access /dev/kvm (permission denied).\nAdd your user…\n",
	})
	err := c.Start(t.Context(), "m", StartOptions{Fresh: true})
	var e *CommandError
	if !errors.Is(err, ErrNoHypervisor) || !errors.As(err, &e) || !strings.Contains(e.Cure(), "kvm") || e.ExitCode != 1 {
		t.Errorf("%v", err)
	}
}

func TestStartThatHangsEndsAndSaysWhatIsLeft(t *testing.T) {
	c, _ := scripted(t, "1.9.3", reply{Args: startArgs("m"), Hang: true}, listed(record("m", StateCreated, 0)))
	err := c.Start(t.Context(), "m", StartOptions{Fresh: true, Timeout: 200 * time.Millisecond})
	var e *CommandError
	if !errors.Is(err, ErrTimeout) || !errors.As(err, &e) || e.Left != StateCreated || e.ExitCode != -1 {
		t.Errorf("%v %+v", err, e)
	}
}

func TestStopTakesEveryEndForDone(t *testing.T) {
	for name, r := range map[string]reply{
		"stopped":             {Stdout: "Stopped machine: m\n"},
		"not running":         {Stdout: "Machine 'm' is not running (state: created)\n"},
		"unknown, 0.8.0":      {Stdout: "Machine 'm' not found or not running\n"},
		"unknown, from 0.8.1": {Stderr: "Error: vm not found: m\n", Exit: 1},
	} {
		r.Args = stopArgs("m")
		c, _ := scripted(t, "1.9.3", r)
		if err := c.Stop(t.Context(), "m"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	c, _ := scripted(t, "1.9.3", reply{Args: stopArgs("m"), Stderr: "Error: database not available: x\n", Exit: 1})
	if err := c.Stop(t.Context(), "m"); err == nil {
		t.Error("a real failure passed")
	}
}

func TestDeleteStopsFirstWhereSmolvmDoesNot(t *testing.T) {
	for version, want := range map[string]string{"0.8.0": "stop delete ls", "0.8.1": "delete ls", "1.0.2": "delete ls", "1.9.3": "delete ls"} {
		c, calls := scripted(t, version, reply{Args: stopArgs("m")}, reply{Args: []string{"machine", "delete"}}, listed())
		if err := c.Delete(t.Context(), "m"); err != nil || strings.Join(verbs(calls()), " ") != want {
			t.Errorf("%s: %v, %q", version, err, verbs(calls()))
		}
	}
	c, calls := scripted(t, "0.8.0", reply{Args: stopArgs("m"), Exit: 1, Stderr: "Error: io operation failed: x\n"})
	if err := c.Delete(t.Context(), "m"); err == nil || strings.Join(verbs(calls()), " ") != "stop" {
		t.Errorf("a VM that could not be stopped lost its record: %v, %q", err, verbs(calls()))
	}
}

func TestDeleteConfirms(t *testing.T) {
	gone := reply{Args: []string{"machine", "delete"}, Exit: 1, Stderr: "Error: vm not found: m\n"}
	c, _ := scripted(t, "1.9.3", gone, listed())
	if err := c.Delete(t.Context(), "m"); err != nil {
		t.Errorf("already gone: %v", err)
	}
	c, _ = scripted(t, "1.9.3", reply{Args: []string{"machine", "delete"}, Stdout: "Cancelled\n"}, listed(record("m", StateStopped, 0)))
	if err := c.Delete(t.Context(), "m"); !errors.Is(err, ErrExists) {
		t.Errorf("still listed: %v", err)
	}
}

func TestSizesThatLookLikeDefaultsAreInsistedOn(t *testing.T) {
	create := reply{Args: []string{"machine", "create"}}
	update := reply{Args: []string{"machine", "update"}}
	for _, c := range []struct {
		cpus, mem int
		want      string
	}{
		{0, 0, "create"},
		{3, 2048, "create"},
		{4, 0, "create status update --cpus 4"},
		{0, 8192, "create status update --mem 8192"},
		{4, 8192, "create status update --cpus 4 --mem 8192"},
		{4, 1024, "create status update --cpus 4"},
	} {
		cl, calls := scripted(t, "1.9.3", create, update, status("m", StateCreated, 0))
		err := cl.Create(t.Context(), CreateOptions{Name: "m", From: "/x.smolmachine", CPUs: c.cpus, MemMiB: c.mem})
		all := calls()
		got := strings.Join(verbs(all), " ")
		if last := all[len(all)-1].Args; last[1] == "update" {
			got += " " + strings.Join(last[4:], " ")
		}
		if err != nil || got != c.want {
			t.Errorf("%d CPUs, %d MiB: %q, %v, want %q", c.cpus, c.mem, got, err, c.want)
		}
	}
}

func TestCreateFailuresHaveAClass(t *testing.T) {
	for text, want := range map[string]error{
		"config operation failed: create machine: machine 'm' already exists or is being created":              ErrExists,
		"agent operation failed: read .smolmachine: invalid magic: expected SMOLPACK":                          ErrBadArtifact,
		"agent operation failed: platform mismatch: this artifact is built for architecture 'arm64'":           ErrPlatform,
		"agent operation failed: extract sidecar: failed to write: No space left on device (os error 28)":      ErrNoSpace,
		"config operation failed: create machine: machine name cannot contain consecutive hyphens":             ErrBadName,
		"config operation failed: create from .smolmachine: file not found: /x.smolmachine":                    ErrBadArtifact,
		"agent operation failed: extract sidecar (shared): shared pack checksum collision at /x: artifact SHA": ErrBadArtifact,
	} {
		c, _ := scripted(t, "1.9.3", reply{Args: []string{"machine", "create"}, Exit: 1, Stderr: "Error: " + text + "\n", Stdout: "Extracting .smolmachine assets...\n"})
		err := c.Create(t.Context(), CreateOptions{Name: "m", From: "/x.smolmachine"})
		if !errors.Is(err, want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestChangesOfOneMachineWaitForEachOther(t *testing.T) {
	c, calls := scripted(t, "1.9.3", reply{Args: startArgs("m"), Wait: "go"}, status("m", StateRunning, 1), reply{Args: stopArgs("m")}, reply{Args: stopArgs("n")})
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := c.Start(t.Context(), "m", StartOptions{Fresh: true}); err != nil {
			t.Error(err)
		}
	})
	await(t, func() bool { return len(calls()) == 1 })
	wg.Go(func() {
		if err := c.Stop(t.Context(), "m"); err != nil {
			t.Error(err)
		}
	})
	// Another machine does not wait.
	if err := c.Stop(t.Context(), "n"); err != nil {
		t.Error(err)
	}
	// Who gives up while waiting has changed nothing.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Delete(ctx, "m"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if got := strings.Join(verbs(calls()), " "); got != "start stop" {
		t.Errorf("while the start was under way: %s", got)
	}
	if err := os.WriteFile(filepath.Join(c.home.Dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if got := strings.Join(verbs(calls()), " "); got != "start stop status stop" {
		t.Errorf("in the end: %s", got)
	}
}

func TestDataDirMustBeAPath(t *testing.T) {
	c, calls := scripted(t, "1.9.3", reply{Args: []string{"machine", "data-dir", "--name", "m"}, Stdout: "/h/.cache/smolvm/vms/1\n"}, reply{Args: []string{"machine", "data-dir"}, Stdout: "what\n"})
	if dir, err := c.DataDir(t.Context(), "m"); err != nil || dir != "/h/.cache/smolvm/vms/1" {
		t.Errorf("%q, %v, %v", dir, err, calls())
	}
	if _, err := c.DataDir(t.Context(), "n"); err == nil {
		t.Error("a word passed for a path")
	}
}

func TestNamesAreCheckedBeforeAnythingRuns(t *testing.T) {
	c, calls := scripted(t, "1.9.3")
	ctx := t.Context()
	for _, name := range []string{"", "-f", "a b", "--"} {
		_, e1 := c.Status(ctx, name)
		_, e2 := c.DataDir(ctx, name)
		_, e3 := c.Exec(ctx, name, ExecOptions{}, "true")
		for i, err := range []error{e1, e2, e3, c.Start(ctx, name, StartOptions{}), c.Stop(ctx, name), c.Delete(ctx, name), c.Update(ctx, name, UpdateOptions{}), c.Create(ctx, CreateOptions{Name: name, From: "/x"}), c.CopyIn(ctx, name, "/etc/passwd", "/x", CopyOptions{}), c.CopyOut(ctx, name, "/x", "/tmp/x")} {
			if !errors.Is(err, ErrBadName) {
				t.Errorf("%q, %d: %v", name, i, err)
			}
		}
	}
	if n := len(calls()); n != 0 {
		t.Errorf("%d calls", n)
	}
}

func await(t *testing.T, ok func() bool) {
	t.Helper()
	if !poll(20*time.Second, ok) {
		t.Fatal("it did not happen")
	}
}
