package sidecar

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"bottlebar.app/egress"
)

// drivers are all that this machine can run.
func drivers(t *testing.T) map[string]Driver {
	t.Helper()
	p, err := NewProcess(ProcessOptions{Binaries: program.binaries})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return map[string]Driver{KindDocker: dockerDriver(t), KindProcess: p}
}

func start(t *testing.T, d Driver) *Sidecar {
	t.Helper()
	s, err := d.Start(testContext(t), false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// ask sends one raw request over a connection of its own.
func ask(t *testing.T, s *Sidecar, raw string) *http.Response {
	t.Helper()
	conn, err := s.Dial(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.WriteString(conn, raw); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

func connect(t *testing.T, s *Sidecar, target string) (int, string) {
	t.Helper()
	resp := ask(t, s, "CONNECT "+target+" HTTP/1.1\r\nHost: "+target+"\r\n\r\n")
	if resp.StatusCode == http.StatusOK {
		return resp.StatusCode, ""
	}
	return resp.StatusCode, resp.Header.Get("X-Bottle-Denied")
}

// next is the next decision about host.
func next(t *testing.T, s *Sidecar, host string) egress.Decision {
	t.Helper()
	ctx := testContext(t)
	for {
		select {
		case d, ok := <-s.Decisions():
			if !ok {
				t.Fatalf("the decisions ended before one about %s", host)
			}
			if d.Host == host {
				return d
			}
		case <-ctx.Done():
			t.Fatalf("no decision about %s", host)
		}
	}
}

// canary listens on this machine's own address, the one that a sidecar could
// reach if nothing kept it from it, and tells of each connection.
func canary(t *testing.T, addr string) (string, <-chan string) {
	t.Helper()
	ln, err := net.Listen("tcp", net.JoinHostPort(addr, "0"))
	if err != nil {
		t.Fatal(err)
	}
	hits := make(chan string, 16)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			io.WriteString(c, "canary\n")
			hits <- c.RemoteAddr().String()
			c.Close()
		}
	}()
	t.Cleanup(func() { ln.Close(); <-done })
	return ln.Addr().String(), hits
}

func TestSidecarHoldsWhatTheProofAsksOfIt(t *testing.T) {
	for kind, d := range drivers(t) {
		t.Run(kind, func(t *testing.T) {
			s := start(t, d)
			f, err := s.Inspect(testContext(t))
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range f.Lines {
				if !l.Holds {
					t.Errorf("%s: want %s, got %s", l.Name, l.Want, l.Got)
				}
			}
			if !f.Holds || len(f.Lines) < 8 {
				t.Errorf("facts = %+v", f)
			}
		})
	}
}

func TestSidecarServesHealthAndEchoOnlyUntilItIsOpened(t *testing.T) {
	for kind, d := range drivers(t) {
		t.Run(kind, func(t *testing.T) {
			s := start(t, d)
			ctx := testContext(t)
			own := hostAddress(t)
			addr, _ := canary(t, own)
			host, port, _ := net.SplitHostPort(addr)
			p := egress.Policy{Revision: 7, Hosts: []egress.Rule{{Host: host, Port: portOf(t, port), Private: true}}}
			if err := s.Configure(ctx, p, nil); err != nil {
				t.Fatal(err)
			}
			var h egress.Health
			if err := json.NewDecoder(ask(t, s, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").Body).Decode(&h); err != nil {
				t.Fatal(err)
			}
			if h.Nonce != s.Nonce() || h.Open || h.Revision != 7 {
				t.Errorf("health = %+v", h)
			}
			echo := ask(t, s, "POST /echo?down=4194304 HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\n"+strings.Repeat("x", 1<<20))
			if n, _ := io.Copy(io.Discard, echo.Body); n != 4<<20 || echo.Header.Get("X-Bottle-Received") != "1048576" {
				t.Errorf("echo gave %d bytes, received %s", n, echo.Header.Get("X-Bottle-Received"))
			}
			if status, why := connect(t, s, addr); status != 403 || why != string(egress.NotOpen) {
				t.Errorf("before open: %d %s", status, why)
			}
			if err := s.Open(ctx); err != nil {
				t.Fatal(err)
			}
			if status, why := connect(t, s, addr); status != 200 {
				t.Errorf("after open: %d %s", status, why)
			}
			if err := s.Shut(ctx); err != nil {
				t.Fatal(err)
			}
			if status, why := connect(t, s, addr); status != 403 || why != string(egress.NotOpen) {
				t.Errorf("after shut: %d %s", status, why)
			}
		})
	}
}

// hostAddress is an address of this machine that is not loopback.
func hostAddress(t *testing.T) string {
	t.Helper()
	for _, p := range ownPrefixes() {
		if a := p.Addr(); a.Is4() && !a.IsLoopback() && !a.IsLinkLocalUnicast() {
			return a.String()
		}
	}
	t.Fatal("this machine has no address but loopback; `ip addr` shows what there is")
	return ""
}

func portOf(t *testing.T, s string) uint16 {
	t.Helper()
	target, err := egress.ParseTarget("x:"+s, 0)
	if err != nil {
		t.Fatal(err)
	}
	return target.Port
}
