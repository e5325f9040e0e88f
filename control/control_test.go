package control_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bottlebar.app/control"
	"bottlebar.app/internal/fault"
	"bottlebar.app/internal/frame"
	"bottlebar.app/snapshot"
)

// core answers what the tests need; the rest of the interface is not called.
type core struct {
	control.Core
	launch  func(ctx context.Context, req control.LaunchRequest, progress func(snapshot.Bottle)) (snapshot.Bottle, error)
	exec    func(ctx context.Context, name string, req control.ExecRequest, conn io.ReadWriter) error
	watched chan snapshot.Snapshot
}

func (c *core) Identity() control.Identity { return control.Identity{PID: 7, Version: "t"} }

func (c *core) Snapshot() snapshot.Snapshot {
	return snapshot.Snapshot{Bottles: []snapshot.Bottle{{Name: "b"}}}
}

func (c *core) Launch(ctx context.Context, req control.LaunchRequest, progress func(snapshot.Bottle)) (snapshot.Bottle, error) {
	return c.launch(ctx, req, progress)
}

func (c *core) Exec(ctx context.Context, name string, req control.ExecRequest, conn io.ReadWriter) error {
	return c.exec(ctx, name, req, conn)
}

func (c *core) Stop(_ context.Context, name string) error {
	return fault.New("stopping "+name, "there is no bottle", "launch one")
}

func (c *core) Watch(context.Context) <-chan snapshot.Snapshot { return c.watched }

func (c *core) Logs(context.Context, string, string) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader("booted\n")), nil
}

// serve answers on a socket for the length of a test.
func serve(t *testing.T, c *core) *control.Client {
	t.Helper()
	dir, err := os.MkdirTemp("", "ctl")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	ctx, cancel := context.WithCancel(context.Background())
	l, err := control.Listen(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- control.NewServer(c).Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serving: %v", err)
		}
		if _, err := os.Stat(path); err == nil {
			t.Error("the socket is left over")
		}
		_ = os.RemoveAll(dir)
	})
	return &control.Client{Socket: path}
}

func TestAnswersAndFailuresArriveAsTheyWere(t *testing.T) {
	c := serve(t, new(core))
	id, err := c.Identity(t.Context())
	if err != nil || id.PID != 7 {
		t.Fatalf("identity %+v, %v", id, err)
	}
	s, err := c.Snapshot(t.Context())
	if err != nil || len(s.Bottles) != 1 {
		t.Fatalf("snapshot %+v, %v", s, err)
	}
	err = c.Stop(t.Context(), "a/../b")
	f := fault.Of(err)
	if f == nil || f.What != "stopping a/../b" || f.Why != "there is no bottle" || f.Cure != "launch one" {
		t.Errorf("the failure came as %#v", f)
	}
	var log strings.Builder
	if err := c.Logs(t.Context(), "b", "console", &log); err != nil || log.String() != "booted\n" {
		t.Errorf("log %q, %v", log.String(), err)
	}
}

func TestNobodyThereIsTold(t *testing.T) {
	c := &control.Client{Socket: filepath.Join(t.TempDir(), "none")}
	if _, err := c.Identity(t.Context()); !errors.Is(err, control.ErrNobody) {
		t.Errorf("got %v", err)
	}
}

func TestTheSocketBelongsToItsOwnerAlone(t *testing.T) {
	c := serve(t, new(core))
	fi, err := os.Stat(c.Socket)
	if err != nil {
		t.Fatal(err)
	}
	if fi.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", fi.Mode())
	}
	if _, err := control.Listen(t.Context(), c.Socket); err == nil || !strings.Contains(err.Error(), "another Bottlebar") {
		t.Errorf("a second listener: %v", err)
	}
}

func TestALongOperationTellsItsProgressAndEndsWithItsCaller(t *testing.T) {
	ended := make(chan struct{})
	c := serve(t, &core{launch: func(ctx context.Context, req control.LaunchRequest, progress func(snapshot.Bottle)) (snapshot.Bottle, error) {
		progress(snapshot.Bottle{Name: req.Artifact, State: snapshot.Creating})
		if req.Name == "hang" {
			<-ctx.Done()
			close(ended)
			return snapshot.Bottle{}, ctx.Err()
		}
		return snapshot.Bottle{Name: req.Artifact, State: snapshot.Ready}, nil
	}})
	var states []snapshot.BottleState
	b, err := c.Launch(t.Context(), control.LaunchRequest{Artifact: "x"}, func(b snapshot.Bottle) { states = append(states, b.State) })
	if err != nil || b.State != snapshot.Ready || len(states) != 1 || states[0] != snapshot.Creating {
		t.Fatalf("%+v, %v, progress %v", b, err, states)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err = c.Launch(ctx, control.LaunchRequest{Artifact: "x", Name: "hang"}, func(snapshot.Bottle) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled launch: %v", err)
	}
	<-ended // the owner heard of it, too
}

func TestACancelledOperationAnswersWhenItsUndoIsDone(t *testing.T) {
	undone := false
	c := serve(t, &core{launch: func(ctx context.Context, _ control.LaunchRequest, progress func(snapshot.Bottle)) (snapshot.Bottle, error) {
		progress(snapshot.Bottle{})
		<-ctx.Done()
		progress(snapshot.Bottle{State: snapshot.Stopping})
		undone = true
		return snapshot.Bottle{}, ctx.Err()
	}})
	ctx, cancel := context.WithCancel(t.Context())
	_, err := c.Launch(ctx, control.LaunchRequest{}, func(snapshot.Bottle) { cancel() })
	if !errors.Is(err, context.Canceled) || !undone {
		t.Errorf("%v, undone %v", err, undone)
	}
}

func TestWhatWasDoneBeforeItCouldBeCancelledIsTold(t *testing.T) {
	c := serve(t, &core{launch: func(ctx context.Context, _ control.LaunchRequest, progress func(snapshot.Bottle)) (snapshot.Bottle, error) {
		progress(snapshot.Bottle{})
		<-ctx.Done()
		return snapshot.Bottle{Name: "x", State: snapshot.Ready}, nil
	}})
	ctx, cancel := context.WithCancel(t.Context())
	b, err := c.Launch(ctx, control.LaunchRequest{}, func(snapshot.Bottle) { cancel() })
	if err != nil || b.Name != "x" {
		t.Errorf("%+v, %v", b, err)
	}
}

func TestFramesPassBothWaysAndAFailureBecomesTheLastFrame(t *testing.T) {
	c := serve(t, &core{exec: func(_ context.Context, name string, req control.ExecRequest, conn io.ReadWriter) error {
		if name == "none" {
			return fault.New("running", "no such bottle", "launch it")
		}
		kind, p, err := frame.NewReader(conn).Next()
		if err != nil || kind != frame.Stdin {
			return errors.New("no input")
		}
		w := frame.NewWriter(conn)
		if err := w.Write(frame.Stdout, append([]byte(req.Argv[0]+" "), p...)); err != nil {
			return err
		}
		return w.WriteJSON(frame.Exit, frame.Status{Code: 3})
	}})
	conn, err := c.Exec(t.Context(), "b", control.ExecRequest{Argv: []string{"cat"}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := frame.NewWriter(conn).Write(frame.Stdin, []byte("in")); err != nil {
		t.Fatal(err)
	}
	r := frame.NewReader(conn)
	if kind, p, err := r.Next(); err != nil || kind != frame.Stdout || string(p) != "cat in" {
		t.Errorf("got %q %q, %v", kind, p, err)
	}
	if kind, _, err := r.Next(); err != nil || kind != frame.Exit {
		t.Errorf("got %q, %v", kind, err)
	}
	none, err := c.Exec(t.Context(), "none", control.ExecRequest{})
	if err != nil {
		t.Fatal(err)
	}
	defer none.Close()
	kind, p, err := frame.NewReader(none).Next()
	var f frame.Failure
	if err != nil || kind != frame.Error || json.Unmarshal(p, &f) != nil || f.Message != "running: no such bottle" || f.Cure != "launch it" {
		t.Errorf("got %q %s, %v", kind, p, err)
	}
}

func TestWatchingEndsWithTheOwner(t *testing.T) {
	watched := make(chan snapshot.Snapshot, 1)
	watched <- snapshot.Snapshot{Revision: 5}
	close(watched)
	c := serve(t, &core{watched: watched})
	var seen []uint64
	if err := c.Watch(t.Context(), func(s snapshot.Snapshot) { seen = append(seen, s.Revision) }); err != nil {
		t.Fatal(err)
	}
	if len(seen) != 1 || seen[0] != 5 {
		t.Errorf("saw %v", seen)
	}
}

func TestGarbageOnTheSocketIsRefusedAndTheServerGoesOn(t *testing.T) {
	c := serve(t, new(core))
	for _, raw := range []string{"\x00\x01garbage\r\n\r\n", "POST /v1/launch HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{not json", "POST /v1/bottles/b/exec HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"} {
		conn, err := net.Dial("unix", c.Socket)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, raw); err != nil {
			t.Fatal(err)
		}
		_ = conn.(*net.UnixConn).CloseWrite()
		answer, _ := io.ReadAll(conn)
		if !strings.HasPrefix(string(answer), "HTTP/1.1 4") {
			t.Errorf("%q was answered %q", raw, answer)
		}
		_ = conn.Close()
	}
	if _, err := c.Identity(t.Context()); err != nil {
		t.Error(err)
	}
}
