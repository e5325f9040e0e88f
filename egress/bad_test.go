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

// Each way in which two readers could see different requests in the same bytes
// is refused, or reaches the server as exactly the one request that was judged.
func TestSmuggledRequestsReachNobody(t *testing.T) {
	const hidden = "GET http://inside.example/secret HTTP/1.1\r\nHost: inside.example\r\n\r\n"
	for name, raw := range map[string]string{
		"length and chunks":    "POST http://ok.example/ HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
		"two lengths":          "POST http://ok.example/ HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 70\r\n\r\n" + hidden,
		"a list of lengths":    "POST http://ok.example/ HTTP/1.1\r\nHost: x\r\nContent-Length: 0, 70\r\n\r\n" + hidden,
		"a length with a plus": "POST http://ok.example/ HTTP/1.1\r\nHost: x\r\nContent-Length: +0\r\n\r\n" + hidden,
		"unknown coding":       "POST http://ok.example/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + hidden,
		"coding after space":   "POST http://ok.example/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + hidden,
		"folded header":        "POST http://ok.example/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\r\n chunked\r\nContent-Length: 0\r\n\r\n" + hidden,
		"bare line feeds":      "GET http://ok.example/ HTTP/1.1\nHost: x\nContent-Length: 0\n\n" + hidden,
		"bare CR in a header":  "GET http://ok.example/ HTTP/1.1\r\nHost: x\r\nA: b\rContent-Length: 70\r\n\r\n" + hidden,
		"chunk extension":      "POST http://ok.example/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0;a=\"\r\n\r\n" + hidden,
		"long chunk extension": "POST http://ok.example/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0;" + strings.Repeat("a", 40<<10) + "\r\n\r\n" + hidden,
		"chunk size too large": "POST http://ok.example/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n" + hidden,
		"chunk of line feeds":  "POST http://ok.example/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\n\n" + hidden,
		"upgrade":              "GET http://ok.example/ HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n" + hidden,
		"line in the target":   "GET http://ok.example/%0d%0aX:y HTTP/1.1\r\nHost: x\r\n\r\n" + hidden,
	} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			var seen []string
			srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				b, _ := io.ReadAll(r.Body)
				mu.Lock()
				defer mu.Unlock()
				seen = append(seen, fmt.Sprintf("%s %s %s %q", r.Method, r.Host, r.URL, b))
			}))
			defer srv.Close()
			r := newRig(t, Options{Limits: Limits{Headers: time.Second, Idle: time.Second}})
			port := r.origin("ok.example", srv.Listener.Addr().String())
			r.open(Policy{Hosts: []Rule{{Host: "ok.example", Port: port}}})
			c := r.dial()
			io.WriteString(c, strings.ReplaceAll(raw, "ok.example/", fmt.Sprintf("ok.example:%d/", port)))
			c.(*net.TCPConn).CloseWrite()
			io.Copy(io.Discard, c)
			srv.Close() // waits for what it still serves
			mu.Lock()
			defer mu.Unlock()
			if len(seen) > 1 {
				t.Errorf("the server saw %q", seen)
			}
			for _, s := range seen {
				if strings.Contains(s, "secret") || strings.Contains(s, "X:y HTTP") || !strings.Contains(s, " ok.example") {
					t.Errorf("the server saw %q", s)
				}
			}
			for _, q := range r.names.queries() {
				if q != "ok.example." {
					t.Errorf("%q was looked up", q)
				}
			}
		})
	}
}

func TestAbsoluteURIsNeverComeToTheAPIRoute(t *testing.T) {
	r, u := apiRig(t, Options{}, &Credential{APIKey, theKey, placeholder})
	const rest = "\r\nAuthorization: Bearer " + placeholder + "\r\nContent-Length: 2\r\n\r\n{}"
	for _, first := range []string{
		"POST http://127.0.0.1:3128/v1/messages HTTP/1.1\r\nHost: 127.0.0.1:3128",
		"POST https://api.anthropic.com/v1/messages HTTP/1.1\r\nHost: api.anthropic.com",
		"POST http://api.anthropic.com/v1/messages HTTP/1.1\r\nHost: x",
		"POST //api.anthropic.com/v1/messages HTTP/1.1\r\nHost: x",
		"POST http:/v1/messages HTTP/1.1\r\nHost: x",
		"POST /v1/../v1/messages HTTP/1.1\r\nHost: x",
		"POST /v1/messages%3Fbeta=true HTTP/1.1\r\nHost: x",
		"POST /v1/messages;x HTTP/1.1\r\nHost: x",
		"POST *v1/messages HTTP/1.1\r\nHost: x",
	} {
		if resp, _ := r.send(first + rest); resp.StatusCode < 400 {
			t.Errorf("%q: %d", first, resp.StatusCode)
		}
	}
	if u.count() != 0 {
		t.Errorf("%d requests reached the API", u.count())
	}
}

func TestHeadersBeyondTheirLimitAreRefused(t *testing.T) {
	r := newRig(t, Options{})
	r.open(Policy{})
	for name, head := range map[string]string{
		"one long value": "X: " + strings.Repeat("a", 96<<10), "many": strings.Repeat("X: y\r\n", 20<<10) + "Z: z",
		"a long name": strings.Repeat("n", 96<<10) + ": v",
	} {
		c := r.dial()
		go io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: x\r\n"+head+"\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("%s: %v, %v", name, resp, err)
		}
	}
	c := r.dial()
	go io.WriteString(c, "GET /"+strings.Repeat("a", 96<<10)+" HTTP/1.1\r\nHost: x\r\n\r\n")
	if resp, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || resp.StatusCode < 400 {
		t.Errorf("a long target: %v, %v", resp, err)
	}
}

// Clients that send a byte now and then hold a place each, of their own bottle,
// and only for the time that a header may take.
func TestSlowClientsLoseTheirPlaceAndKeepNobodyElseOut(t *testing.T) {
	r := newRig(t, Options{Limits: Limits{Headers: 300 * time.Millisecond, Hello: 300 * time.Millisecond}})
	other := newRig(t, Options{})
	var slow sync.WaitGroup
	for i := range 60 {
		slow.Go(func() {
			c, err := net.Dial("tcp", r.addr)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			if i%2 == 0 {
				io.WriteString(c, "GET /healthz HTTP/1.1\r\nX: ")
			}
			drip := time.NewTicker(50 * time.Millisecond)
			defer drip.Stop()
			for n := 0; ; n++ {
				if _, err := c.Write([]byte("a")); err != nil {
					return
				}
				if n > 400 {
					t.Error("a slow client is still served")
					return
				}
				<-drip.C
			}
		})
	}
	for _, rig := range []*rig{r, other} {
		if resp, _ := rig.send("GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); resp.StatusCode != 200 {
			t.Errorf("meanwhile: %d", resp.StatusCode)
		}
	}
	slow.Wait()
}

func TestAClientThatClosesItsSideIsToldThatItWasGivenUp(t *testing.T) {
	asked := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
	}))
	defer srv.Close()
	r := newRig(t, Options{})
	port := r.origin("slow.example", srv.Listener.Addr().String())
	r.open(Policy{Hosts: []Rule{{Host: "slow.example", Port: port}}})
	c := r.dial()
	fmt.Fprintf(c, "GET http://slow.example:%d/ HTTP/1.1\r\nHost: x\r\n\r\n", port)
	<-asked
	c.(*net.TCPConn).CloseWrite()
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || resp.Header.Get("X-Bottle-Denied") != string(HungUp) {
		t.Fatalf("%v, %v", resp, err)
	}
	if d := r.line(kind(Closed, "slow.example")); d.Reason != HungUp {
		t.Errorf("%+v", d)
	}
}

// Two thousand tunnels at once: as many as the limit are carried, the others
// are told so at once, another bottle's proxy does not notice, and afterwards
// all places are free.
func TestTwoThousandTunnelsAreBounded(t *testing.T) {
	const tried, limit = 2000, 64
	to, _ := echoServer(t)
	r := newRig(t, Options{Limits: Limits{Tunnels: limit, Conns: 1024}})
	port := r.origin("echo.example", to)
	r.open(Policy{Hosts: []Rule{{Host: "echo.example", Port: port}}})
	other := newRig(t, Options{})
	var mu sync.Mutex
	counts, held := map[int]int{}, []net.Conn{}
	var wg sync.WaitGroup
	gate := make(chan struct{}, 500) // descriptors of this test, which has both ends
	for range tried {
		gate <- struct{}{}
		wg.Go(func() {
			defer func() { <-gate }()
			c, err := net.Dial("tcp", r.addr)
			if err != nil {
				t.Error(err)
				return
			}
			c.SetDeadline(time.Now().Add(time.Minute))
			fmt.Fprintf(c, "CONNECT echo.example:%d HTTP/1.1\r\nHost: x\r\n\r\n", port)
			resp, err := http.ReadResponse(bufio.NewReaderSize(c, 16), &http.Request{Method: http.MethodConnect})
			status := 0
			if err == nil {
				status = resp.StatusCode
			}
			mu.Lock()
			defer mu.Unlock()
			if counts[status]++; status == 200 {
				held = append(held, c)
			} else {
				c.Close()
			}
		})
	}
	wg.Wait()
	if counts[200] != limit || counts[200]+counts[503]+counts[0] != tried || counts[503] == 0 {
		t.Errorf("answers by status: %v", counts)
	}
	if resp, _ := other.send("GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); resp.StatusCode != 200 {
		t.Errorf("another bottle's proxy: %d", resp.StatusCode)
	}
	for _, c := range held {
		c.Close()
	}
	deadline := time.Now().Add(20 * time.Second)
	for r.Stats().Tunnels > 0 {
		if time.Now().After(deadline) {
			t.Fatalf("%d tunnels are left", r.Stats().Tunnels)
		}
		select {
		case <-r.told:
		case <-time.After(10 * time.Millisecond):
		}
	}
	if _, _, resp := r.tunnel(fmt.Sprintf("echo.example:%d", port)); resp.StatusCode != 200 {
		t.Errorf("afterwards: %d", resp.StatusCode)
	}
}
