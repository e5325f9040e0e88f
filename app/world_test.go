package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"

	"bottlebar.app/app"
	"bottlebar.app/control"
	"bottlebar.app/internal/frame"
	"bottlebar.app/snapshot"
)

// home is one person's Bottlebar in a folder of its own.
type home struct {
	t        *testing.T
	dir      string
	env      map[string]string
	app      *app.App
	log      *logBuffer
	binaries fs.FS // of the app; nil: the right ones

	stop context.CancelFunc
	done chan error
}

// logBuffer keeps the app's log for a test that fails.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// newHome makes a Bottlebar that is not open yet. Settings is the text of its
// settings file, env further variables as K=V.
func newHome(t *testing.T, settings string, env ...string) *home {
	t.Helper()
	dir, err := os.MkdirTemp("", "bb") // short: sockets lie in it
	if err != nil {
		t.Fatal(err)
	}
	h := &home{t: t, dir: dir, env: map[string]string{"BOTTLEBAR_HOME": dir, "BOTTLEBAR_SMOLVM": shared.standin, "PATH": os.Getenv("PATH"), "DOCKER_HOST": os.Getenv("DOCKER_HOST")}, log: new(logBuffer)}
	for _, e := range env {
		k, v, _ := strings.Cut(e, "=")
		h.env[k] = v
	}
	if err := os.MkdirAll(filepath.Join(dir, "config"), 0o700); err != nil {
		t.Fatal(err)
	}
	h.settings(settings)
	t.Cleanup(func() {
		h.close()
		h.sweep()
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("removing the home: %v", err)
		}
		if t.Failed() {
			t.Log(h.log.String())
		}
	})
	return h
}

func (h *home) settings(text string) {
	h.t.Helper()
	if err := os.WriteFile(filepath.Join(h.dir, "config", "settings.toml"), []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

func (h *home) options() app.Options {
	binaries := h.binaries
	if binaries == nil {
		binaries = shared.binaries
	}
	return app.Options{
		Version: "test", Binaries: binaries, Log: slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Getenv: func(k string) string { return h.env[k] }, Unsetenv: func(k string) error { delete(h.env, k); return nil },
	}
}

func (h *home) open() *app.App {
	h.t.Helper()
	a, err := app.Open(h.t.Context(), h.options())
	if err != nil {
		h.t.Fatalf("opening: %v\n%s", err, h.log)
	}
	ctx, stop := context.WithCancel(context.Background())
	h.app, h.stop, h.done = a, stop, make(chan error, 1)
	go func() { h.done <- a.Serve(ctx) }()
	return a
}

func (h *home) close() {
	if h.app == nil {
		return
	}
	h.stop()
	if err := <-h.done; err != nil {
		h.t.Errorf("serving: %v", err)
	}
	h.app.Close()
	h.app = nil
}

// sweep ends what a test left running, on purpose or by failing: bottles
// outlive their owner by design.
func (h *home) sweep() {
	ids, _ := os.ReadDir(filepath.Join(h.dir, "b"))
	for _, id := range ids {
		cmd := exec.Command(shared.standin, "machine", "stop", "--name", "bottle")
		cmd.Env = []string{"HOME=" + filepath.Join(h.dir, "b", id.Name(), "home"), "PATH=" + os.Getenv("PATH")}
		_ = cmd.Run()
	}
	c, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		return
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	f := filters.NewArgs(filters.Arg("label", "bottlebar.app="+app.Instance(filepath.Join(h.dir, "state"))))
	cs, _ := c.ContainerList(ctx, container.ListOptions{All: true, Filters: f})
	for _, x := range cs {
		_ = c.ContainerRemove(ctx, x.ID, container.RemoveOptions{Force: true})
	}
	ns, _ := c.NetworkList(ctx, network.ListOptions{Filters: f})
	for _, n := range ns {
		_ = c.NetworkRemove(ctx, n.ID)
	}
}

func (h *home) add() snapshot.Artifact {
	h.t.Helper()
	a, err := h.app.AddArtifact(h.t.Context(), control.AddRequest{Path: shared.artifact}, nil)
	if err != nil {
		h.t.Fatalf("adding the artifact: %v", err)
	}
	return a
}

func (h *home) launch() snapshot.Bottle {
	h.t.Helper()
	b, err := h.app.Launch(h.t.Context(), control.LaunchRequest{Artifact: "demo"}, nil)
	if err != nil {
		h.t.Fatalf("launching: %v", err)
	}
	return b
}

// ready opens a home with a bottle in it.
func ready(t *testing.T, settings string, env ...string) (*home, snapshot.Bottle) {
	t.Helper()
	h := newHome(t, settings, env...)
	h.open()
	h.add()
	return h, h.launch()
}

type result struct {
	code           int
	stdout, stderr string
}

// exec runs a command in a bottle through the frames that every caller gets.
func (h *home) exec(bottle string, req control.ExecRequest) (result, error) {
	ours, theirs := net.Pipe()
	failed := make(chan error, 1)
	go func() {
		failed <- h.app.Exec(h.t.Context(), bottle, req, theirs)
		_ = theirs.Close()
	}()
	go func() { _ = frame.NewWriter(ours).Write(frame.CloseStdin, nil) }()
	defer ours.Close()
	var r result
	in := frame.NewReader(ours)
	for {
		kind, p, err := in.Next()
		if err != nil {
			if ferr := <-failed; ferr != nil {
				return r, ferr
			}
			return r, err
		}
		switch kind {
		case frame.Stdout:
			r.stdout += string(p)
		case frame.Stderr:
			r.stderr += string(p)
		case frame.Exit:
			var st frame.Status
			err := json.Unmarshal(p, &st)
			r.code = st.Code
			return r, err
		case frame.Error:
			f := new(frame.Failure)
			if err := json.Unmarshal(p, f); err != nil {
				return r, err
			}
			return r, f
		}
	}
}

// run is exec of a command that must succeed.
func (h *home) run(bottle string, argv ...string) string {
	h.t.Helper()
	r, err := h.exec(bottle, control.ExecRequest{Argv: argv})
	if err != nil || r.code != 0 {
		h.t.Fatalf("%q in the bottle: code %d, %v\n%s%s", argv, r.code, err, r.stdout, r.stderr)
	}
	return r.stdout
}

// bottle returns one bottle as it is shown.
func (h *home) bottle(id string) (snapshot.Bottle, bool) {
	all := h.app.Snapshot().Bottles
	if i := slices.IndexFunc(all, func(b snapshot.Bottle) bool { return b.ID == id }); i >= 0 {
		return all[i], true
	}
	return snapshot.Bottle{}, false
}

// eventually waits for a condition; the deadline is generous, since it is
// reached only by a failure.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(40 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline.C:
			t.Fatalf("timed out waiting for %s", what)
		case <-tick.C:
		}
	}
}

// nothingLeft fails for anything on this computer that a bottle of h made.
// After the app has closed there is no sidecar either.
func (h *home) nothingLeft() {
	h.t.Helper()
	for _, dir := range []string{"b", "state/journal"} {
		left, err := os.ReadDir(filepath.Join(h.dir, dir))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			h.t.Fatal(err)
		}
		for _, l := range left {
			h.t.Errorf("left over: %s/%s", dir, l.Name())
		}
	}
	for _, p := range processes(h.t, h.dir) {
		h.t.Errorf("left over: process %s", p)
	}
	if h.app != nil {
		return
	}
	for _, c := range engineObjects(h.t, h.dir) {
		h.t.Errorf("left over: %s", c)
	}
}

// processes lists processes whose command line or environment names a folder.
func processes(t *testing.T, dir string) []string {
	t.Helper()
	procs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, p := range procs {
		if filepath.Base(p) == fmt.Sprint(os.Getpid()) {
			continue
		}
		args, _ := os.ReadFile(filepath.Join(p, "cmdline"))
		env, _ := os.ReadFile(filepath.Join(p, "environ"))
		if bytes.Contains(args, []byte(dir)) || bytes.Contains(env, []byte("HOME="+dir)) {
			out = append(out, filepath.Base(p)+" "+strings.ReplaceAll(string(args), "\x00", " "))
		}
	}
	return out
}

// engineObjects lists containers and networks of the home in dir.
func engineObjects(t *testing.T, dir string) []string {
	t.Helper()
	c, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	f := filters.NewArgs(filters.Arg("label", "bottlebar.app="+app.Instance(filepath.Join(dir, "state"))))
	var out []string
	cs, err := c.ContainerList(t.Context(), container.ListOptions{All: true, Filters: f})
	if err != nil {
		t.Fatalf("these tests need a Docker engine (make test starts one): %v", err)
	}
	for _, x := range cs {
		out = append(out, "container "+strings.Join(x.Names, " "))
	}
	ns, err := c.NetworkList(t.Context(), network.ListOptions{Filters: f})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range ns {
		out = append(out, "network "+n.Name)
	}
	return out
}
