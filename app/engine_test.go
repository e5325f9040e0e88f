package app_test

import (
	"bytes"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"bottlebar.app/control"
	"bottlebar.app/snapshot"
)

// engine stands between an app and the real engine, and can die at a request.
type engine struct {
	path string
	at   string // what the request holds at which it dies
	// seen is shown what is said to the engine, and to containers through it,
	// before it is passed on; nil: nobody looks.
	seen func([]byte)

	mu    sync.Mutex
	l     net.Listener
	conns []net.Conn
	wg    sync.WaitGroup
}

func newEngine(t *testing.T) *engine {
	t.Helper()
	dir, err := os.MkdirTemp("", "eng")
	if err != nil {
		t.Fatal(err)
	}
	e := &engine{path: filepath.Join(dir, "docker.sock")}
	t.Cleanup(func() { e.die(); e.wg.Wait(); _ = os.RemoveAll(dir) })
	return e
}

// live listens until a request holds at; an empty at lets it live.
func (e *engine) live(t *testing.T, at string) {
	t.Helper()
	l, err := net.Listen("unix", e.path)
	if err != nil {
		t.Fatal(err)
	}
	e.mu.Lock()
	e.l, e.at = l, at
	e.mu.Unlock()
	e.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			e.wg.Go(func() { e.pass(c) })
		}
	})
}

func (e *engine) die() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.l != nil {
		_ = e.l.Close()
	}
	for _, c := range e.conns {
		_ = c.Close()
	}
	e.conns = nil
}

func (e *engine) pass(c net.Conn) {
	defer c.Close()
	real := strings.TrimPrefix(os.Getenv("DOCKER_HOST"), "unix://")
	if real == "" {
		real = "/var/run/docker.sock"
	}
	d, err := net.Dial("unix", real)
	if err != nil {
		return
	}
	defer d.Close()
	e.mu.Lock()
	e.conns = append(e.conns, c, d)
	at, seen := e.at, e.seen
	e.mu.Unlock()
	e.wg.Go(func() {
		buf := make([]byte, 64<<10)
		for {
			n, err := c.Read(buf)
			if at != "" && bytes.Contains(buf[:n], []byte(at)) {
				e.die()
				return
			}
			if seen != nil {
				seen(buf[:n])
			}
			if _, werr := d.Write(buf[:n]); err != nil || werr != nil {
				_ = d.(*net.UnixConn).CloseWrite()
				return
			}
		}
	})
	_, _ = io.Copy(c, d)
}

func TestAnEngineThatDiesAmidALaunchIsToldAndClearedOnceItIsBack(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"/networks/create", "/containers/create", "/attach", "/start"} {
		t.Run(strings.Trim(at, "/"), func(t *testing.T) {
			t.Parallel()
			e := newEngine(t)
			e.live(t, at)
			h := newHome(t, "", "BOTTLEBAR_DOCKER_HOST=unix://"+e.path)
			h.open()
			h.add()
			_, err := h.app.Launch(t.Context(), control.LaunchRequest{Artifact: "demo"}, nil)
			says(t, err, "")
			for _, b := range h.app.Snapshot().Bottles {
				if err := h.app.Stop(t.Context(), b.ID); err != nil {
					t.Error(err)
				}
			}
			h.nothingLeft()
			e.live(t, "")
			b := h.launch()
			if b.Isolation != snapshot.Proved {
				t.Errorf("the next bottle is %s", b.Isolation)
			}
			if err := h.app.Stop(t.Context(), b.ID); err != nil {
				t.Error(err)
			}
			eventually(t, "what was half made to go", func() bool { return len(engineObjects(t, h.dir)) <= 2 }) // the warm one
			h.close()
			h.nothingLeft()
		})
	}
}

func TestABottleWhoseEngineDiesHasNoWayOutAndIsStoppedOnceItIsBack(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.live(t, "")
	h := newHome(t, "", "BOTTLEBAR_DOCKER_HOST=unix://"+e.path)
	h.open()
	h.add()
	b := h.launch()
	e.die()
	eventually(t, "the loss to be told", func() bool {
		got, ok := h.bottle(b.ID)
		return ok && got.Isolation != snapshot.Proved && got.Problem != nil
	})
	h.run(b.Name, "true") // its files are in reach
	if r, err := h.exec(b.Name, control.ExecRequest{Argv: []string{"wget", "-q", "-T", "3", "-Y", "off", "-O", "-", "http://127.0.0.1:3128/healthz"}}); err == nil && r.code == 0 {
		t.Errorf("it has a way out: %+v", r)
	}
	if err := h.app.Stop(t.Context(), b.Name); err == nil {
		t.Error("a sidecar was removed without an engine")
	}
	e.live(t, "")
	if err := h.app.Stop(t.Context(), b.Name); err != nil {
		t.Error(err)
	}
	h.close()
	h.nothingLeft()
}
