package egress

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// names is a resolver that knows a few names and remembers what it was asked.
type fakeNames struct {
	mu    sync.Mutex
	addrs map[string][]string
	asked []string
	flip  func(n int, host string) []string // overrides addrs
	mute  string                            // the name to which nobody answers
}

func (f *fakeNames) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, host)
	if f.mute != "" && host == f.mute {
		return nil, &net.DNSError{Err: "i/o timeout", Name: host, IsTimeout: true}
	}
	list, ok := f.addrs[strings.TrimSuffix(host, ".")]
	if f.flip != nil {
		list, ok = f.flip(len(f.asked), host), true
	}
	if !ok {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	var out []netip.Addr
	for _, a := range list {
		out = append(out, netip.MustParseAddr(a))
	}
	return out, nil
}

func (f *fakeNames) queries() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.asked...)
}

// bench is a proxy that serves on loopback, with everything it told.
type rig struct {
	*Proxy
	t     testing.TB
	addr  string
	names *fakeNames

	mu    sync.Mutex
	lines []Decision
	told  chan struct{}
}

func newRig(t testing.TB, o Options) *rig {
	t.Helper()
	r := &rig{t: t, names: &fakeNames{addrs: map[string][]string{}}, told: make(chan struct{}, 1)}
	o.Resolver = r.names
	o.Tell = func(d Decision) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.lines = append(r.lines, d)
		select {
		case r.told <- struct{}{}:
		default:
		}
	}
	r.Proxy = New(o)
	r.Proxy.dialer.exempt = map[netip.AddrPort]bool{}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.addr = ln.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		r.Close()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return r
}

// open sets a policy and opens the proxy.
func (r *rig) open(p Policy) {
	r.t.Helper()
	if err := r.SetPolicy(p); err != nil {
		r.t.Fatal(err)
	}
	r.Open()
}

// origin lets name lead to a server of the test, below the floor.
func (r *rig) origin(name, addr string) uint16 {
	r.t.Helper()
	ap := netip.MustParseAddrPort(addr)
	r.names.mu.Lock()
	r.names.addrs[name] = []string{ap.Addr().String()}
	r.names.mu.Unlock()
	r.Proxy.dialer.exempt[ap] = true
	return ap.Port()
}

func (r *rig) dial() net.Conn {
	r.t.Helper()
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(20 * time.Second))
	r.t.Cleanup(func() { c.Close() })
	return c
}

// send sends raw bytes over a new connection and reads one reply.
func (r *rig) send(raw string) (*http.Response, string) {
	r.t.Helper()
	c := r.dial()
	if _, err := io.WriteString(c, raw); err != nil {
		r.t.Fatal(err)
	}
	method, _, _ := strings.Cut(raw, " ")
	resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		r.t.Fatalf("after %.80q: %v", raw, err)
	}
	body, _ := io.ReadAll(resp.Body)
	return resp, string(body)
}

// tunnel asks for a tunnel and returns the connection after the reply.
func (r *rig) tunnel(target string) (net.Conn, *bufio.Reader, *http.Response) {
	r.t.Helper()
	c := r.dial()
	fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", target, target)
	br := bufio.NewReader(c)
	resp, err := http.ReadResponse(br, &http.Request{Method: http.MethodConnect})
	if err != nil {
		r.t.Fatal(err)
	}
	return c, br, resp
}

// line waits for a decision that fits.
func (r *rig) line(fits func(Decision) bool) Decision {
	r.t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		r.mu.Lock()
		for _, d := range r.lines {
			if fits(d) {
				r.mu.Unlock()
				return d
			}
		}
		r.mu.Unlock()
		select {
		case <-r.told:
		case <-deadline:
			r.mu.Lock()
			defer r.mu.Unlock()
			r.t.Fatalf("no such line among %+v", r.lines)
		}
	}
}

func kind(k Kind, host string) func(Decision) bool {
	return func(d Decision) bool { return d.Kind == k && d.Host == host }
}

// echoServer answers what it hears and counts connections.
func echoServer(t testing.TB) (string, func() int) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	n := 0
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			n++
			mu.Unlock()
			wg.Go(func() {
				defer c.Close()
				io.Copy(c, c)
			})
		}
	})
	t.Cleanup(func() { ln.Close(); wg.Wait() })
	return ln.Addr().String(), func() int { mu.Lock(); defer mu.Unlock(); return n }
}

func TestClosedProxyServesHealthAndEchoOnly(t *testing.T) {
	r := newRig(t, Options{})
	r.SetNonce("n0nce")
	addr, hits := echoServer(t)
	port := r.origin("allowed.example", addr)
	if err := r.SetPolicy(Policy{Revision: 3, API: &API{}, Hosts: []Rule{{Host: "allowed.example", Port: port}}}); err != nil {
		t.Fatal(err)
	}
	target := fmt.Sprintf("allowed.example:%d", port)
	for _, raw := range []string{
		"CONNECT " + target + " HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET http://" + target + "/ HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
		"GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		resp, body := r.send(raw)
		if resp.StatusCode != 403 || resp.Header.Get("X-Bottle-Denied") != string(NotOpen) || !strings.Contains(body, "not been opened") {
			t.Errorf("%.40q: %d %q", raw, resp.StatusCode, body)
		}
	}
	if hits() != 0 || len(r.names.queries()) != 0 {
		t.Errorf("%d connections, resolver asked %v", hits(), r.names.queries())
	}
	resp, body := r.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
	if resp.StatusCode != 200 || body != `{"nonce":"n0nce","open":false,"revision":3}`+"\n" {
		t.Errorf("health: %d %q", resp.StatusCode, body)
	}
	resp, body = r.send("POST /echo?down=1000 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello")
	if resp.StatusCode != 200 || len(body) != 1000 || body[252] != 1 || resp.Header.Get("X-Bottle-Received") != "5" {
		t.Errorf("echo: %d, %d bytes", resp.StatusCode, len(body))
	}
	if resp, _ := r.send("POST /echo?down=99999999 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"); resp.StatusCode != 400 {
		t.Errorf("too large an echo: %d", resp.StatusCode)
	}
}

func TestDeniedNamesAreNeverResolvedAndSaySoReadably(t *testing.T) {
	r := newRig(t, Options{})
	r.open(Policy{API: &API{}, Hosts: []Rule{{Host: "allowed.example"}}, Block: []string{"blocked.example"}})
	for target, reason := range map[string]Reason{
		"secret-data.evil.example:443": NotAllowed, "allowed.example:22": NotAllowed, "blocked.example:443": Blocked,
		"api.anthropic.com:443": APIHost, "127.0.0.1:443": NotAllowed, "127.1:443": BadName, "2130706433:443": BadName,
		"0x7f.0.0.1:443": BadName, "[::1]:443": NotAllowed, "allowed.example": BadName, "allowed.example:99999": BadName,
	} {
		_, _, resp := r.tunnel(target)
		if resp.StatusCode != 403 || resp.Header.Get("X-Bottle-Denied") != string(reason) ||
			resp.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("%s: %d %v", target, resp.StatusCode, resp.Header)
		}
		text, _ := io.ReadAll(resp.Body)
		if want := "403 Forbidden: " + strings.TrimSpace(string(text)); resp.Status != want {
			t.Errorf("%s: the status line says %q, the body %q", target, resp.Status, text)
		}
		if lines := strings.Count(strings.TrimSpace(string(text)), "\n"); lines != 0 || len(text) < 20 {
			t.Errorf("%s: %q", target, text)
		}
	}
	if q := r.names.queries(); len(q) != 0 {
		t.Errorf("the resolver was asked %v", q)
	}
	d := r.line(kind(Denied, "secret-data.evil.example"))
	if d.Via != "connect" || d.Port != 443 || d.Count != 1 {
		t.Errorf("line = %+v", d)
	}
}

func TestBytesThatAreNoRequestGetNoFurther(t *testing.T) {
	r := newRig(t, Options{})
	r.open(Policy{Hosts: []Rule{{Host: "allowed.example", Port: 80}}})
	for _, raw := range []string{
		"CONNECT a\x00b:443 HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET http://a b/ HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET http://allowed.example/ HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
		"POST http://allowed.example/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n",
		"GET / HTTP/1.1\r\n\r\n",
		"NONSENSE\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("a", 80<<10) + "\r\n\r\n",
	} {
		resp, _ := r.send(raw)
		if resp.StatusCode < 400 {
			t.Errorf("%.40q: %d", raw, resp.StatusCode)
		}
	}
	for _, raw := range []string{
		"TRACE http://allowed.example/ HTTP/1.1\r\nHost: x\r\n\r\n",
		"PROPFIND http://allowed.example/ HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET https://allowed.example/ HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET ftp://allowed.example/ HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		if resp, _ := r.send(raw); resp.StatusCode != 400 || resp.Header.Get("X-Bottle-Denied") != string(BadRequest) {
			t.Errorf("%.40q: %d", raw, resp.StatusCode)
		}
	}
	if q := r.names.queries(); len(q) != 0 {
		t.Errorf("the resolver was asked %v", q)
	}
}

func TestTunnelCarriesBothWaysWithHalfClose(t *testing.T) {
	r := newRig(t, Options{})
	addr, _ := echoServer(t)
	port := r.origin("allowed.example", addr)
	r.open(Policy{Hosts: []Rule{{Host: "allowed.example", Port: port}}})
	// Bytes that are sent with the request, before the reply, are not lost.
	c := r.dial()
	fmt.Fprintf(c, "CONNECT allowed.example:%d HTTP/1.1\r\nHost: x\r\n\r\nearly ", port)
	br := bufio.NewReader(c)
	if resp, err := http.ReadResponse(br, &http.Request{Method: http.MethodConnect}); err != nil || resp.StatusCode != 200 {
		t.Fatal(resp, err)
	}
	big := strings.Repeat("0123456789abcdef", 256<<10) // 4 MiB
	go func() {
		io.WriteString(c, big)
		c.(*net.TCPConn).CloseWrite()
	}()
	got, err := io.ReadAll(br)
	if err != nil || string(got) != "early "+big {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	d := r.line(kind(Closed, "allowed.example"))
	if d.Up != int64(len(got)) || d.Down != d.Up || d.IP != "127.0.0.1" || d.Reason != "" || d.Rule != fmt.Sprintf("allowed.example:%d", port) {
		t.Errorf("line = %+v", d)
	}
	r.line(kind(Allowed, "allowed.example"))
}

func TestTunnelsOnTheTLSPortMustNameTheirHost(t *testing.T) {
	r := newRig(t, Options{Limits: Limits{Hello: 300 * time.Millisecond}})
	ln, err := net.Listen("tcp", "127.0.0.1:443")
	if err != nil {
		t.Fatalf("port 443 of loopback is needed: run the tests as root: %v", err)
	}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hi") }))
	heard := make(chan byte, 64)
	srv.Listener.Close()
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.Listener = &listening{ln, heard}
	srv.StartTLS()
	defer srv.Close()
	r.origin("allowed.example", "127.0.0.1:443")
	r.open(Policy{Hosts: []Rule{{Host: "allowed.example"}}})

	c, _, _ := r.tunnel("allowed.example:443")
	tc := tls.Client(c, &tls.Config{ServerName: "allowed.example", InsecureSkipVerify: true})
	if err := tc.Handshake(); err != nil {
		t.Fatal(err)
	}
	tc.Close()
	if d := r.line(kind(Closed, "allowed.example")); d.SNI != "allowed.example" {
		t.Errorf("line = %+v", d)
	}
	for len(heard) > 0 {
		<-heard
	}
	for name, bytes := range map[string][]byte{
		"another name": realHello(t, "evil.example"), "no name": hello(), "no TLS": []byte("SSH-2.0-x\r\n"), "a part": realHello(t, "allowed.example")[:30],
		"an upper case other": realHello(t, "ALLOWED.example.evil"), "two names": hello(sniExt("allowed.example"), sniExt("evil.example")),
		"with a NUL": hello(sniExt("allowed.example\x00.evil")),
	} {
		c, br, resp := r.tunnel("allowed.example:443")
		if resp.StatusCode != 200 {
			t.Fatal(name, resp.StatusCode)
		}
		c.Write(bytes)
		if rest, err := io.ReadAll(br); len(rest) > 7 || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: %d bytes came back, %v", name, len(rest), err)
		}
	}
	select {
	case b := <-heard:
		t.Errorf("a byte (%d) went upstream", b)
	default:
	}
	r.line(func(d Decision) bool { return d.Kind == Denied && d.Reason == WrongSNI && d.SNI == "evil.example" })
}

// listening tells of each connection's first byte.
type listening struct {
	net.Listener
	heard chan byte
}

func (l *listening) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &hearing{Conn: c, heard: l.heard}, nil
}

type hearing struct {
	net.Conn
	heard chan byte
}

func (h *hearing) Read(b []byte) (int, error) {
	n, err := h.Conn.Read(b)
	if n > 0 {
		select {
		case h.heard <- b[0]:
		default:
		}
	}
	return n, err
}

func TestPolicyChangeClosesTunnelsThatAreNoLongerAllowed(t *testing.T) {
	r := newRig(t, Options{})
	addr, _ := echoServer(t)
	port := r.origin("goes.example", addr)
	r.origin("stays.example", addr)
	rules := []Rule{{Host: "goes.example", Port: port}, {Host: "stays.example", Port: port}}
	r.open(Policy{Revision: 1, Hosts: rules})
	goes, goesReader, _ := r.tunnel(fmt.Sprintf("goes.example:%d", port))
	stays, staysReader, _ := r.tunnel(fmt.Sprintf("stays.example:%d", port))
	r.line(kind(Allowed, "goes.example"))
	r.line(kind(Allowed, "stays.example"))
	if err := r.SetPolicy(Policy{Revision: 2, Hosts: rules[1:]}); err != nil {
		t.Fatal(err)
	}
	io.WriteString(goes, "x")
	if rest, _ := io.ReadAll(goesReader); len(rest) != 0 {
		t.Errorf("a revoked tunnel answered %q", rest)
	}
	io.WriteString(stays, "x")
	if b, err := staysReader.ReadByte(); err != nil || b != 'x' {
		t.Errorf("an allowed tunnel: %q, %v", b, err)
	}
	if d := r.line(kind(Closed, "goes.example")); d.Reason != Revoked {
		t.Errorf("line = %+v", d)
	}
	if _, _, resp := r.tunnel(fmt.Sprintf("goes.example:%d", port)); resp.StatusCode != 403 {
		t.Errorf("a new one: %d", resp.StatusCode)
	}
}

// A permission that was taken back is back when SetPolicy returns: not a
// moment later, when a goroutine has come to it.
func TestWhatIsRevokedIsClosedBeforeTheCallReturns(t *testing.T) {
	revoke := map[string]func(r *rig){
		"a policy": func(r *rig) {
			if err := r.SetPolicy(Policy{}); err != nil {
				t.Fatal(err)
			}
		},
		"another way out": func(r *rig) {
			if err := r.SetWay(Way{Proxy: "http://proxy.example:3128"}, nil); err != nil {
				t.Fatal(err)
			}
		},
		"shut":    func(r *rig) { r.Shut() },
		"a decoy": func(r *rig) { r.trip(Decision{Via: "http"}, "x") },
	}
	for name, end := range revoke {
		for _, wrap := range []func(net.Conn) net.Conn{
			func(c net.Conn) net.Conn { return c },
			func(c net.Conn) net.Conn { return &knocked{Conn: tls.Client(c, &tls.Config{}), free: func() {}} },
		} {
			r := newRig(t, Options{})
			r.open(Policy{Hosts: []Rule{{Host: "goes.example"}}})
			admit := func() (*flow, *closing) {
				f, why := r.admit(t.Context(), Target{Host: "goes.example", Port: 443}, false)
				if why != "" {
					t.Fatal(why)
				}
				return f, &closing{}
			}
			f, out := admit()
			late, lateOut := admit() // still dials
			if !f.goesBy(wrap(out)) {
				t.Fatal("it is over before it began")
			}
			end(r)
			if !out.closed {
				t.Errorf("%s: what it went out by is still open", name)
			}
			if late.goesBy(wrap(lateOut)) || !lateOut.closed {
				t.Errorf("%s: what was dialled meanwhile goes on", name)
			}
			r.release(f)
			r.release(late)
		}
	}
}

// closing is a connection that remembers that it was closed.
type closing struct {
	net.Conn
	closed bool
}

func (c *closing) Close() error { c.closed = true; return nil }

func TestALineAboutATunnelHoldsNeitherUserNorQuery(t *testing.T) {
	r := newRig(t, Options{})
	r.open(Policy{})
	for target, host := range map[string]string{
		"me:secret@a.example:443": "a.example:443", "b.example:443?token=secret": "b.example:443", "c.example:443/secret": "c.example:443", "secret@": "",
	} {
		resp, body := r.send("CONNECT " + target + " HTTP/1.1\r\nHost: x\r\n\r\n")
		if resp.StatusCode/100 != 4 || strings.Contains(resp.Status+body, "secret") {
			t.Errorf("%s: %s %q", target, resp.Status, body)
		}
		if resp.StatusCode == http.StatusForbidden { // else it was no request to begin with
			r.line(func(d Decision) bool { return d.Reason == BadName && d.Host == host })
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if text := fmt.Sprintf("%+v", r.lines); strings.Contains(text, "secret") {
		t.Error(text)
	}
}

func TestIdleTunnelsAndLimitsAreEnforced(t *testing.T) {
	r := newRig(t, Options{Limits: Limits{Idle: 150 * time.Millisecond, Tunnels: 2}})
	addr, _ := echoServer(t)
	port := r.origin("allowed.example", addr)
	r.open(Policy{Hosts: []Rule{{Host: "allowed.example", Port: port}}})
	target := fmt.Sprintf("allowed.example:%d", port)
	a, aReader, _ := r.tunnel(target)
	_, bReader, _ := r.tunnel(target)
	if _, _, resp := r.tunnel(target); resp.StatusCode != 503 || resp.Header.Get("X-Bottle-Denied") != string(TooMany) {
		t.Errorf("one too many: %d", resp.StatusCode)
	}
	// The busy one outlives the idle one.
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		io.ReadAll(bReader)
	}()
	for over := false; !over; {
		io.WriteString(a, "x")
		if _, err := aReader.ReadByte(); err != nil {
			t.Fatalf("a busy tunnel was closed: %v", err)
		}
		select {
		case <-ended:
			over = true
		default:
		}
	}
	if d := r.line(func(d Decision) bool { return d.Kind == Closed && d.Reason == Idled }); d.Count != 1 {
		t.Errorf("line = %+v", d)
	}
}

func TestLapsedLeaseLetsNothingNewOut(t *testing.T) {
	r := newRig(t, Options{})
	r.open(Policy{Hosts: []Rule{{Host: "allowed.example"}}})
	r.Renew(-time.Second)
	if _, _, resp := r.tunnel("allowed.example:443"); resp.StatusCode != 503 || resp.Header.Get("X-Bottle-Denied") != string(NoLease) {
		t.Errorf("after the lease: %d", resp.StatusCode)
	}
	r.Renew(time.Minute)
	if _, _, resp := r.tunnel("allowed.example:443"); resp.Header.Get("X-Bottle-Denied") != string(NotResolved) {
		t.Errorf("after a renewal: %d %v", resp.StatusCode, resp.Header)
	}
}
