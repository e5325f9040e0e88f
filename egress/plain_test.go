package egress

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestPlainRequestsAreJudgedEachByItself(t *testing.T) {
	r := newRig(t, Options{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { io.WriteString(w, req.Host) }))
	defer srv.Close()
	port := r.origin("allowed.example", srv.Listener.Addr().String())
	r.open(Policy{Hosts: []Rule{{Host: "allowed.example", Port: port}}})
	c := r.dial()
	br := bufio.NewReader(c)
	for _, step := range []struct {
		url    string
		host   string
		status int
	}{
		{fmt.Sprintf("http://allowed.example:%d/a", port), "denied.example", 200},
		{"http://denied.example/", fmt.Sprintf("allowed.example:%d", port), 403},
		{fmt.Sprintf("http://ALLOWED.example.:%d/b", port), "x", 200},
		{fmt.Sprintf("http://user:pw@allowed.example:%d/b", port), "x", 200},
		{"http://127.0.0.1/", "x", 403},
	} {
		verb := "GET"
		if step.status != 200 {
			verb = "OPTIONS" // the refusal of a GET ends its connection
		}
		fmt.Fprintf(c, "%s %s HTTP/1.1\r\nHost: %s\r\n\r\n", verb, step.url, step.host)
		resp, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatal(step.url, err)
		}
		body, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != step.status {
			t.Errorf("%s: %d %q", step.url, resp.StatusCode, body)
		}
		if step.status == 200 && string(body) != fmt.Sprintf("allowed.example:%d", port) {
			t.Errorf("%s: upstream saw the host %q", step.url, body)
		}
	}
	if d := r.line(kind(Closed, "allowed.example")); d.Status != 200 || d.Via != "http" || d.Path != "" || d.Down == 0 {
		t.Errorf("line = %+v", d)
	}
}

func TestPlainRequestsLoseWhatIsBetweenBottleAndProxy(t *testing.T) {
	r := newRig(t, Options{})
	var mu sync.Mutex
	var seen http.Header
	var body string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		b, _ := io.ReadAll(req.Body)
		mu.Lock()
		seen, body = req.Header.Clone(), string(b)
		mu.Unlock()
		w.Header().Set("X-Kept", "1")
		w.Header().Set("Proxy-Authenticate", "Basic")
		w.WriteHeader(201)
		io.WriteString(w, "done")
	}))
	defer srv.Close()
	port := r.origin("allowed.example", srv.Listener.Addr().String())
	r.open(Policy{Hosts: []Rule{{Host: "allowed.example", Port: port}}})
	resp, got := r.send(fmt.Sprintf("POST http://allowed.example:%d/ HTTP/1.1\r\nHost: x\r\nConnection: X-Hop , close\r\nX-Hop: 1\r\n"+
		"X-End: 1\r\nProxy-Authorization: Basic abc\r\nProxy-Connection: keep-alive\r\nUpgrade: websocket\r\nTE: trailers\r\nTrailer: X-T\r\n"+
		"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n", port))
	mu.Lock()
	defer mu.Unlock()
	if resp.StatusCode != 201 || got != "done" || body != "hello" {
		t.Fatalf("%d %q, upstream got %q", resp.StatusCode, got, body)
	}
	for _, name := range []string{"X-Hop", "Proxy-Authorization", "Proxy-Connection", "Upgrade", "Te", "Trailer", "X-Forwarded-For", "Via"} {
		if seen.Get(name) != "" {
			t.Errorf("upstream saw %s", name)
		}
	}
	if seen.Get("X-End") != "1" || seen.Get("User-Agent") != "" {
		t.Errorf("upstream saw %v", seen)
	}
	if resp.Header.Get("Proxy-Authenticate") != "" || resp.Header.Get("X-Kept") != "1" {
		t.Errorf("the reply has %v", resp.Header)
	}
}

func TestRepliesThatWereCutDoNotLookComplete(t *testing.T) {
	r := newRig(t, Options{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "some")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}))
	defer srv.Close()
	port := r.origin("allowed.example", srv.Listener.Addr().String())
	r.open(Policy{Hosts: []Rule{{Host: "allowed.example", Port: port}}})
	c := r.dial()
	fmt.Fprintf(c, "GET http://allowed.example:%d/ HTTP/1.1\r\nHost: x\r\n\r\n", port)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("read %q without an error", b)
	}
}

// A server that answers before it has seen the end of the request: without full
// duplex the reply is cut, because the body is then finished off by two.
func TestAnswersBeforeTheEndOfAPlainRequestAreNeverCut(t *testing.T) {
	r := newRig(t, Options{})
	began := make(chan struct{}, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if err := http.NewResponseController(w).EnableFullDuplex(); err != nil {
			panic(err)
		}
		io.WriteString(w, "begin,")
		w.(http.Flusher).Flush()
		n, err := io.Copy(io.Discard, req.Body)
		fmt.Fprintf(w, "%d,%v", n, err)
	}))
	defer func() { srv.CloseClientConnections(); srv.Close() }()
	port := r.origin("allowed.example", srv.Listener.Addr().String())
	r.open(Policy{Hosts: []Rule{{Host: "allowed.example", Port: port}}})
	const size = 64 << 10
	c := r.dial()
	c.SetDeadline(time.Now().Add(5 * time.Second)) // it would wait for ever
	fmt.Fprintf(c, "POST http://allowed.example:%d/ HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", port, size)
	io.WriteString(c, strings.Repeat("x", size/2))
	br := bufio.NewReader(c)
	go func() { // the second half comes when the reply has begun
		<-began
		io.WriteString(c, strings.Repeat("x", size/2))
	}()
	resp, err := http.ReadResponse(br, &http.Request{Method: http.MethodPost})
	if err != nil {
		t.Fatal(err)
	}
	first := make([]byte, 6)
	if _, err := io.ReadFull(resp.Body, first); err != nil || string(first) != "begin," {
		t.Fatalf("%q, %v", first, err)
	}
	began <- struct{}{}
	if rest, err := io.ReadAll(resp.Body); err != nil || string(rest) != fmt.Sprintf("%d,<nil>", size) {
		t.Errorf("the rest is %q, %v", rest, err)
	}
}

func TestPolicyChangeEndsPlainRequestsUnderWay(t *testing.T) {
	r := newRig(t, Options{})
	started, release := make(chan struct{}), make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, strings.Repeat("x", 1000))
		w.(http.Flusher).Flush()
		close(started)
		<-release
	}))
	defer srv.Close()
	defer close(release)
	port := r.origin("allowed.example", srv.Listener.Addr().String())
	r.open(Policy{Hosts: []Rule{{Host: "allowed.example", Port: port}}})
	c := r.dial()
	fmt.Fprintf(c, "GET http://allowed.example:%d/ HTTP/1.1\r\nHost: x\r\n\r\n", port)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	<-started
	if err := r.SetPolicy(Policy{}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(resp.Body); err == nil {
		t.Error("the reply went on to its end")
	}
	if d := r.line(kind(Closed, "allowed.example")); d.Reason != Revoked {
		t.Errorf("line = %+v", d)
	}
}

// A server may say anything where its status belongs. None of it ends the
// handler before the end of the connection is on record.
func TestAReplyWithoutAStatusIsNone(t *testing.T) {
	for _, status := range []string{"000 x", "042 x", "101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade"} {
		r := newRig(t, Options{})
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { ln.Close() })
		go func() {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				fmt.Fprintf(c, "HTTP/1.1 %s\r\n\r\n", status)
				_, _ = io.Copy(io.Discard, c)
			}
		}()
		port := r.origin("odd.example", ln.Addr().String())
		r.open(Policy{Hosts: []Rule{{Host: "odd.example", Port: port}}})
		resp, _ := r.send(fmt.Sprintf("GET http://odd.example:%d/ HTTP/1.1\r\nHost: x\r\n\r\n", port))
		if resp.StatusCode != http.StatusBadGateway || resp.Header.Get("X-Bottle-Denied") != string(NotReached) {
			t.Errorf("%.3s: %d %v", status, resp.StatusCode, resp.Header)
		}
		if d := r.line(kind(Closed, "odd.example")); d.Status != http.StatusBadGateway || d.Reason != NotReached {
			t.Errorf("%.3s: line = %+v", status, d)
		}
	}
}
