package guest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"bottlebar.app/hop"
)

// build makes the helper as it goes into a bottle.
func build(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "helper")
	cmd := exec.Command("go", "build", "-trimpath", "-o", bin, "./cmd")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return bin
}

// TestTheHelperInANamespaceWithoutNetwork runs the real program where only
// lo and a socket lead out, as in a bottle.
func TestTheHelperInANamespaceWithoutNetwork(t *testing.T) {
	bin, dir, ctx := build(t), shortDir(t), testContext(t)
	cfg := hop.HelperConfig{Secret: hop.NewSecret(), Socket: filepath.Join(dir, "s"), Events: filepath.Join(dir, "e", "h")}
	ln, err := hop.Listen(cfg.Socket)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() { defer close(served); _ = ln.Serve(ctx, hop.Config{Secret: cfg.Secret}) }()
	defer func() { _ = ln.Close(); <-served }()

	raw, _ := json.Marshal(cfg)
	start := exec.CommandContext(ctx, "unshare", "--net", "sh", "-c", "ip link set lo up; exec "+bin+" start")
	start.Stdin = bytes.NewReader(raw)
	if out, err := start.CombinedOutput(); err != nil {
		t.Fatalf("start: %v: %s", err, out)
	}
	s, err := ln.Session(ctx)
	if err != nil {
		t.Fatal(err)
	}
	info, err := s.About(ctx)
	if err != nil || info.Pid == 0 || len(info.Users) == 0 || info.Kernel == "" {
		t.Fatalf("%+v %v", info, err)
	}
	defer func() { _ = exec.Command("kill", strconv.Itoa(info.Pid)).Run() }()
	hidden(t, info.Pid, cfg.Secret)
	second := exec.CommandContext(ctx, "nsenter", "--net", "--target", strconv.Itoa(info.Pid), bin, "start")
	second.Stdin = bytes.NewReader(raw)
	if out, err := second.CombinedOutput(); err == nil || !strings.Contains(string(out), "address already in use") {
		t.Errorf("a second helper: %v %s", err, out)
	}

	// A new one that may replace it does, even if the old one is stopped.
	_ = exec.Command("kill", "-STOP", strconv.Itoa(info.Pid)).Run()
	cfg.Replace = true
	raw, _ = json.Marshal(cfg)
	third := exec.CommandContext(ctx, "nsenter", "--net", "--target", strconv.Itoa(info.Pid), bin, "start")
	third.Stdin = bytes.NewReader(raw)
	if out, err := third.CombinedOutput(); err != nil {
		t.Fatalf("a helper that replaces: %v %s", err, out)
	}
	<-s.Done()
	if s, err = ln.Session(ctx); err != nil {
		t.Fatal(err)
	}
	old := info.Pid
	if info, err = s.About(ctx); err != nil || info.Pid == old {
		t.Fatalf("%+v %v", info, err)
	}

	canary, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = canary.Close() }()
	touched := make(chan struct{}, 1)
	go func() {
		for {
			c, err := canary.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
			touched <- struct{}{}
		}
	}()
	go serveProxy(t, s)
	reply, err := s.Probe(ctx, hop.ProbeRequest{
		Health: "/healthz", Echo: "/echo", Up: 1 << 20, Down: 4 << 20, Parallel: 16,
		Targets: []hop.ProbeTarget{
			{Name: "host loopback", Network: "tcp", Addr: canary.Addr().String()},
			{Name: "internet", Network: "tcp", Addr: "1.1.1.1:443"},
			{Name: "resolver", Network: "udp", Addr: "8.8.8.8:53"},
			{Name: "metadata", Network: "tcp", Addr: "169.254.169.254:80"},
			{Name: "six", Network: "tcp", Addr: "[fd53:4d00::1]:80"},
			{Name: "engine", Network: "tcp", Addr: "172.17.0.1:22"},
		},
		Lookups: []string{"nonce.example.com"}, Connects: []string{"denied.example.com:443"}, Vsock: []uint32{6000},
	})
	if err != nil {
		t.Fatal(err)
	}
	judge(t, reply)
	select {
	case <-touched:
		t.Error("the canary was reached")
	default:
	}

	// The app goes away and comes back: the same helper finds it.
	_ = s.Close()
	if s, err = ln.Session(ctx); err != nil {
		t.Fatal(err)
	}
	if again, err := s.About(ctx); err != nil || again.Pid != info.Pid {
		t.Errorf("%+v %v", again, err)
	}
}

// hidden checks that neither arguments, environment nor memory give the
// secret to a user of the guest.
func hidden(t *testing.T, pid int, secret []byte) {
	t.Helper()
	text := []byte(fmt.Sprintf("%x", secret))
	for _, name := range []string{"cmdline", "environ"} {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
		if err != nil || bytes.Contains(b, secret) || bytes.Contains(b, text) {
			t.Errorf("%s: %v %q", name, err, b)
		}
	}
	fi, err := os.Stat(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		t.Fatal(err)
	}
	if fi.Mode().Perm()&0o077 != 0 {
		t.Errorf("memory is %v", fi.Mode())
	}
	for i := range 3 {
		if to, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", pid, i)); err != nil || to != "/dev/null" {
			t.Errorf("stream %d is %s %v", i, to, err)
		}
	}
}

// serveProxy is the way out: what the sidecar answers before the policy.
func serveProxy(t *testing.T, s *hop.Session) {
	ln := &incoming{s: s}
	srv := &http.Server{
		ReadHeaderTimeout: 5 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/healthz":
				_, _ = io.WriteString(w, "nonce-of-this-bottle")
			case "/echo":
				n, _ := io.Copy(io.Discard, r.Body)
				down, _ := strconv.ParseInt(r.URL.Query().Get("down"), 10, 64)
				w.Header().Set("X-Bottle-Received", strconv.FormatInt(n, 10))
				w.Header().Set("Content-Length", strconv.FormatInt(down, 10))
				_, _ = io.CopyN(w, &pattern{}, down)
			default:
				http.Error(w, "not allowed here", http.StatusForbidden)
			}
		}),
	}
	_ = srv.Serve(ln)
	_ = t
}

type incoming struct{ s *hop.Session }

func (l *incoming) Accept() (net.Conn, error) {
	for {
		in, err := l.s.Accept(context.Background())
		if err != nil || in.Type == hop.Egress {
			return in, err
		}
	}
}
func (l *incoming) Close() error   { return nil }
func (l *incoming) Addr() net.Addr { return &net.UnixAddr{} }

func judge(t *testing.T, reply hop.ProbeReply) {
	t.Helper()
	if len(reply.Interfaces) != 1 || reply.Interfaces[0].Name != "lo" {
		t.Errorf("interfaces %+v", reply.Interfaces)
	}
	count := map[string]int{}
	for _, a := range reply.Attempts {
		count[a.Kind]++
		switch a.Kind {
		case "health", "parallel":
			if a.Outcome != hop.OutcomeStatus || a.Status != 200 || a.Body != "nonce-of-this-bottle" {
				t.Errorf("%+v", a)
			}
		case "echo":
			if a.Status != 200 || a.Bytes != 4<<20 || a.Sent != 1<<20 {
				t.Errorf("%+v", a)
			}
		case "target":
			if a.Outcome != hop.OutcomeUnreachable && a.Outcome != hop.OutcomeRefused {
				t.Errorf("%+v", a)
			}
		case "lookup":
			if a.Outcome == hop.OutcomeConnected {
				t.Errorf("%+v", a)
			}
		case "connect":
			if a.Status != 403 || !strings.Contains(a.Body, "not allowed") {
				t.Errorf("%+v", a)
			}
		case "vsock":
			if a.Outcome == hop.OutcomeConnected {
				t.Errorf("%+v", a)
			}
		}
	}
	for kind, n := range map[string]int{"health": 1, "parallel": 16, "echo": 1, "target": 6, "lookup": 1, "connect": 1, "vsock": 1} {
		if count[kind] != n {
			t.Errorf("%d attempts of %s, want %d", count[kind], kind, n)
		}
	}
}
