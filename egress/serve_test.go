package egress

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestConnectionsThatWaitForTheirFirstRequestAreKept(t *testing.T) {
	r := newRig(t, Options{Limits: Limits{Headers: 50 * time.Millisecond, Conns: 4}})
	idle := []net.Conn{r.dial(), r.dial(), r.dial()}
	// The header's time runs from its first byte: one that is begun and not
	// finished is closed, which also shows that the time has passed.
	begun := r.dial()
	io.WriteString(begun, "GET /healthz HTT")
	if _, err := io.ReadAll(begun); err != nil {
		t.Fatal(err)
	}
	for _, c := range idle {
		io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		if b, err := io.ReadAll(c); err != nil || !bytes.HasPrefix(b, []byte("HTTP/1.1 200")) {
			t.Errorf("one that waited: %q, %v", b, err)
		}
	}
}

func TestConnectionsBeyondTheLimitAreClosedAndPlacesComeBack(t *testing.T) {
	r := newRig(t, Options{Limits: Limits{Conns: 2}})
	a, b := r.dial(), r.dial()
	ask := func(c net.Conn) bool {
		io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		got, _ := io.ReadAll(c)
		return bytes.HasPrefix(got, []byte("HTTP/1.1 200"))
	}
	if c := r.dial(); ask(c) {
		t.Error("a third connection was served")
	}
	if !ask(a) || !ask(b) {
		t.Error("the first two were not served")
	}
	deadline := time.Now().Add(10 * time.Second)
	for !ask(r.dial()) {
		if time.Now().After(deadline) {
			t.Fatal("places do not come back")
		}
	}
}

// FuzzListener throws bytes at the proxy as a guest can. Whatever they are,
// nothing is resolved or dialled but the one allowed name.
// The port of a sidecar is open to every program of the computer.
func TestStrangersWhoSayNothingKeepNobodyOut(t *testing.T) {
	p := New(Options{})
	certs := httptest.NewUnstartedServer(nil)
	certs.StartTLS()
	defer certs.Close()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Serve(ctx, tls.NewListener(ln, &tls.Config{Certificates: certs.TLS.Certificates})) }()
	defer func() {
		cancel()
		p.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	var silent []net.Conn
	for range knocking + 10 {
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		silent = append(silent, c)
	}
	// The first has made room: all of them have been taken in.
	_ = silent[0].SetReadDeadline(time.Now().Add(handshakeTime / 2))
	if _, err := silent[0].Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the oldest stranger keeps its place: %v", err)
	}
	c, err := tls.Dial("tcp", ln.Addr().String(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatalf("behind the strangers: %v", err)
	}
	defer c.Close()
	_, _ = io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
	if resp, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("%v, %v", resp, err)
	}
}

func FuzzListener(f *testing.F) {
	for _, s := range []string{
		"CONNECT evil.example:443 HTTP/1.1\r\nHost: allowed.example\r\n\r\n",
		"GET http://evil.example/ HTTP/1.1\r\nHost: allowed.example\r\n\r\n",
		"GET http://allowed.example/ HTTP/1.1\r\nHost: x\r\n\r\nGET http://evil.example/ HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"GET //evil.example/v1/models HTTP/1.1\r\nHost: x\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
		"CONNECT /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		asked := &fakeNames{addrs: map[string][]string{}}
		p := New(Options{Resolver: asked, Tell: func(Decision) {}, Limits: Limits{Headers: time.Second}})
		if err := p.SetPolicy(Policy{API: &API{}, Hosts: []Rule{{Host: "allowed.example", Port: 80}}}); err != nil {
			t.Fatal(err)
		}
		p.Open()
		ours, theirs := net.Pipe()
		ln := &oneListener{conns: make(chan net.Conn, 1), done: make(chan struct{})}
		ln.conns <- theirs
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan struct{})
		go func() { defer close(served); p.Serve(ctx, ln) }()
		go func() {
			ours.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
			ours.Write(in)
			ours.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		}()
		io.Copy(io.Discard, ours)
		ours.Close()
		cancel()
		p.Close()
		<-served
		for _, q := range asked.queries() {
			if strings.TrimSuffix(q, ".") != "allowed.example" {
				t.Fatalf("%q made it ask for %q", in, q)
			}
		}
	})
}

// oneListener hands out what is put into it.
type oneListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (l *oneListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *oneListener) Close() error   { l.once.Do(func() { close(l.done) }); return nil }
func (l *oneListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

var _ http.Handler = (*Proxy)(nil)
