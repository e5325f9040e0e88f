package app_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/client"

	"bottlebar.app/app"
	"bottlebar.app/control"
	"bottlebar.app/internal/frame"
	"bottlebar.app/snapshot"
)

// childEnv makes this test binary a Bottlebar without a screen that launches a
// bottle and tells each step on standard output: something to kill.
const childEnv = "BOTTLEBAR_TEST_CHILD"

func runChild() {
	o := app.Options{
		Version: "child", Binaries: os.DirFS(os.Getenv(childEnv)), Getenv: os.Getenv, Unsetenv: os.Unsetenv,
		Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}
	a, err := app.Open(context.Background(), o)
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	req := control.LaunchRequest{Artifact: "demo"}
	vim := os.Getenv(vimEnv)
	if vim != "" {
		req = control.LaunchRequest{Artifact: vim, Command: edit}
	}
	_, err = a.Launch(context.Background(), req, func(b snapshot.Bottle) {
		for _, s := range b.Steps {
			if s.State != snapshot.StepWaiting {
				fmt.Println(s.Name)
			}
		}
	})
	if vim != "" && err == nil {
		fmt.Println("vim", strconv.Quote(typeIntoVim(a, vim)))
	}
	fmt.Println("launched", err)
	select {}
}

// killAt starts a child that launches, and kills it when a line comes, which it
// returns.
func killAt(t *testing.T, h *home, line string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, self)
	for k, v := range h.env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	cmd.Env = append(cmd.Env, "HOME="+os.Getenv("HOME"), childEnv+"="+binariesDir(t))
	cmd.Stderr = h.log
	cmd.WaitDelay = time.Second // what outlives the child may hold its streams
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	var said []string
	s := bufio.NewScanner(out)
	for s.Buffer(nil, 1<<20); s.Scan(); {
		if strings.HasPrefix(s.Text(), line) {
			return s.Text()
		}
		said = append(said, s.Text())
	}
	t.Fatalf("the child never said %q, but %q", line, said)
	return ""
}

func binariesDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	names, err := fs.Glob(shared.binaries, "*.gz")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		b, err := fs.ReadFile(shared.binaries, n)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, n), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestAnAppKilledInALaunchIsClearedAtTheNextStart(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"sidecar", "home", "start", "helper", "proof", "session"} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			h := newHome(t, "")
			h.open()
			h.add()
			h.close()
			killAt(t, h, line)
			h.open()
			for _, b := range h.app.Snapshot().Bottles {
				// It was ready before it was killed: then it is adopted.
				if b.State != snapshot.Ready || b.Isolation != snapshot.Proved {
					t.Errorf("after the kill: %s %s", b.Name, b.State)
				}
				if err := h.app.Stop(t.Context(), b.ID); err != nil {
					t.Error(err)
				}
			}
			h.nothingLeft()
			h.close()
			h.nothingLeft()
		})
	}
}

func TestARunningBottleIsAdoptedWithItsSession(t *testing.T) {
	t.Parallel()
	for _, driver := range []string{"docker", "process"} {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			h := newHome(t, "driver = \""+driver+"\"\n")
			h.open()
			h.add()
			h.close()
			killAt(t, h, "launched")
			h.open()
			all := h.app.Snapshot().Bottles
			if len(all) != 1 || all[0].State != snapshot.Ready || all[0].Isolation != snapshot.Proved {
				t.Fatalf("after the kill: %+v", all)
			}
			if got := h.run("demo", "echo", "still here"); got != "still here\n" {
				t.Errorf("exec answered %q", got)
			}
			if screen := h.screen("demo", "❯"); !strings.Contains(screen, "demo") {
				t.Errorf("the session shows %q", screen)
			}
			if err := h.app.Stop(t.Context(), "demo"); err != nil {
				t.Fatal(err)
			}
			h.close()
			h.nothingLeft()
		})
	}
}

// screen attaches to the main session and reads until it shows want.
func (h *home) screen(bottle, want string) string {
	h.t.Helper()
	ours, theirs := net.Pipe()
	defer ours.Close()
	ctx, cancel := context.WithCancel(h.t.Context())
	defer cancel()
	go func() {
		_ = h.app.Attach(ctx, bottle, control.AttachRequest{Size: frame.Size{Cols: 80, Rows: 24}}, theirs)
	}()
	var got strings.Builder
	for in := frame.NewReader(ours); !strings.Contains(got.String(), want); {
		kind, p, err := in.Next()
		if err != nil {
			h.t.Fatalf("the session ended: %v\n%q", err, got.String())
		}
		if kind == frame.Stdout {
			got.Write(p)
		}
	}
	return got.String()
}

func TestAMachineThatEndsByItselfIsKeptAndResumed(t *testing.T) {
	t.Parallel()
	h, b := ready(t, "")
	h.run(b.Name, "sh", "-c", "echo kept > ~/work/kept.txt")
	pid := vmPID(t, h, b.ID)
	if err := kill(pid); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the bottle to be stopped", func() bool {
		got, ok := h.bottle(b.ID)
		return ok && got.State == snapshot.Stopped
	})
	if left := engineObjectsOf(t, h, false); len(left) > 0 {
		t.Errorf("a stopped bottle has %v", left)
	}
	h.close()
	h.open() // a stopped bottle is kept over a restart, and needs its artifact no more
	if err := h.app.RemoveArtifact(t.Context(), "demo"); err != nil {
		t.Fatal(err)
	}
	got, err := h.app.Resume(t.Context(), b.Name, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got.State != snapshot.Ready || got.Isolation != snapshot.Proved {
		t.Errorf("resumed as %s, %s", got.State, got.Isolation)
	}
	if text := h.run(b.Name, "cat", "kept.txt"); text != "kept\n" {
		t.Errorf("the file holds %q", text)
	}
	if err := h.app.Stop(t.Context(), b.Name); err != nil {
		t.Fatal(err)
	}
	h.nothingLeft()
}

func TestAMachineThatDoesNotStopIsNotForgotten(t *testing.T) {
	t.Parallel()
	h, b := ready(t, "", "STANDIN_FAULT=stop:exit=1")
	if err := h.app.Stop(t.Context(), b.Name); err == nil {
		t.Fatal("stopping worked")
	}
	if got, ok := h.bottle(b.ID); !ok || got.State != snapshot.Failed || got.Problem == nil || got.Isolation == snapshot.Proved {
		t.Errorf("afterwards it is shown as %+v", got)
	}
	h.close()
	h.env["STANDIN_FAULT"] = ""
	h.open() // which tries again
	if got, ok := h.bottle(b.ID); ok {
		t.Errorf("it is still there: %+v", got)
	}
	h.nothingLeft() // no process either
}

func TestASidecarThatDiesIsReplacedAndProvedAgain(t *testing.T) {
	t.Parallel()
	h, b := ready(t, "")
	first, _ := h.bottle(b.ID)
	for _, id := range claimed(t, h) {
		removeContainer(t, id)
	}
	eventually(t, "another proof", func() bool {
		got, ok := h.bottle(b.ID)
		return ok && got.Isolation == snapshot.Proved && got.ProvedAt.After(*first.ProvedAt) && got.Problem == nil
	})
	h.run(b.Name, "true")
	if r, err := h.exec(b.Name, control.ExecRequest{Argv: []string{"wget", "-q", "-Y", "off", "-O", "-", "http://127.0.0.1:3128/healthz"}}); err != nil || r.code != 0 {
		t.Errorf("the way out after the new sidecar: %+v, %v", r, err)
	}
}

func TestAProofThatFailsShutsTheBottle(t *testing.T) {
	t.Parallel()
	h, b := ready(t, "")
	// The agent root of this start is what a guest could write; a change in it
	// is what a poisoned guest would leave.
	if err := os.WriteFile(filepath.Join(h.dir, "b", b.ID, "root", "planted"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := h.app.Prove(t.Context(), b.Name)
	if err != nil {
		t.Fatal(err)
	}
	if !p.Holds {
		t.Fatalf("the copy belongs to this bottle alone, yet the proof says %+v", p)
	}
	second := h.launch()
	if got := h.run(second.Name, "sh", "-c", "ls /.smolvm-root 2>/dev/null | grep -c planted || true"); strings.TrimSpace(got) != "0" {
		t.Errorf("another bottle sees what was planted: %q", got)
	}
}

func vmPID(t *testing.T, h *home, id string) int {
	t.Helper()
	cmd := exec.Command(shared.standin, "machine", "status", "--name", "bottle", "--json")
	cmd.Env = []string{"HOME=" + filepath.Join(h.dir, "b", id, "home"), "PATH=" + os.Getenv("PATH")}
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(out), `"pid": `)
	n, err := strconv.Atoi(strings.TrimSpace(rest[:strings.IndexAny(rest, ",\n}")]))
	if err != nil {
		t.Fatalf("no pid in %s", out)
	}
	return n
}

func kill(pid int) error {
	p, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	return p.Kill()
}

// claimed lists the containers of h that belong to bottles.
func claimed(t *testing.T, h *home) []string {
	t.Helper()
	return engineObjectsOf(t, h, false)
}

func engineObjectsOf(t *testing.T, h *home, warm bool) []string {
	t.Helper()
	journal, err := filepath.Glob(filepath.Join(h.dir, "state", "journal", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	var text string
	for _, j := range journal {
		b, err := os.ReadFile(j)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		text += string(b)
	}
	c, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	cs, err := c.ContainerList(t.Context(), container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", "bottlebar.app="+app.Instance(filepath.Join(h.dir, "state"))))})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, x := range cs {
		if strings.Contains(text, x.ID) != warm {
			out = append(out, x.ID)
		}
	}
	return out
}

func removeContainer(t *testing.T, id string) {
	t.Helper()
	c, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.ContainerRemove(t.Context(), id, container.RemoveOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
}

// A guest that fills the console past its budget is stopped, also when smolvm
// fails to do it: no bottle is called stopped while its VM runs.
func TestABottleIsNotCalledStoppedWhileItsVMRuns(t *testing.T) {
	t.Parallel()
	h := newHome(t, "driver = \"process\"\n", "STANDIN_FAULT=stop:exit=1")
	h.open()
	h.add()
	b := h.launch()
	pid := vmPID(t, h, b.ID)
	if err := kill(pid); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the bottle to be stopped", func() bool {
		got, ok := h.bottle(b.ID)
		return ok && got.State == snapshot.Stopped
	})
	if left := processes(t, filepath.Join(h.dir, "b", b.ID)); len(left) > 0 {
		t.Errorf("stopped, and yet there runs %v", left)
	}
	delete(h.env, "STANDIN_FAULT")
}
