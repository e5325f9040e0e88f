package egress

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"bottlebar.app/internal/companyproxy"
)

// companyRig is a rig whose way out is a company's proxy at proxy.corp.example.
func companyRig(t *testing.T, o companyproxy.Options, l *Login, direct ...string) (*rig, *companyproxy.Proxy) {
	t.Helper()
	c, err := companyproxy.Listen("127.0.0.1:0", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	r := newRig(t, Options{})
	scheme, addr, _ := strings.Cut(c.URL, "://")
	ap := netip.MustParseAddrPort(addr)
	r.origin("proxy.corp.example", addr)
	w := Way{Proxy: fmt.Sprintf("%s://proxy.corp.example:%d", scheme, ap.Port()), Direct: direct, Roots: c.Root}
	if err := r.SetWay(w, l); err != nil {
		t.Fatal(err)
	}
	return r, c
}

func TestTunnelsGoThroughTheCompanysProxy(t *testing.T) {
	for name, o := range map[string]companyproxy.Options{
		"http":             {},
		"https":            {TLS: true},
		"with a password":  {User: "alice", Password: "s3cret:with colon"},
		"https, password":  {TLS: true, User: "alice", Password: "x"},
		"only it resolves": {},
	} {
		t.Run(name, func(t *testing.T) {
			to, _ := echoServer(t)
			o.Names = map[string]string{"far.example:7": to}
			r, c := companyRig(t, o, &Login{o.User, o.Password})
			if name != "only it resolves" {
				r.names.addrs["far.example"] = []string{"93.184.216.34"}
			}
			r.open(Policy{Hosts: []Rule{{Host: "far.example", Port: 7}}})
			conn, br, resp := r.tunnel("far.example:7")
			if resp.StatusCode != 200 {
				body, _ := io.ReadAll(resp.Body)
				t.Fatalf("%d %s", resp.StatusCode, body)
			}
			io.WriteString(conn, "hello")
			conn.(*net.TCPConn).CloseWrite()
			if got, err := io.ReadAll(br); string(got) != "hello" || err != nil {
				t.Errorf("%q, %v", got, err)
			}
			if asked := c.Asked(); !slices.Equal(asked, []string{"CONNECT far.example:7"}) {
				t.Errorf("the proxy was asked %q", asked)
			}
			if d := r.line(kind(Closed, "far.example")); d.Up != 5 || d.Down != 5 {
				t.Errorf("%+v", d)
			}
		})
	}
}

func TestAnHTTPSProxyWithAStrangersCertificateIsToldNothing(t *testing.T) {
	to, _ := echoServer(t)
	r, c := companyRig(t, companyproxy.Options{TLS: true, User: "alice", Password: "x", Names: map[string]string{"far.example:7": to}}, &Login{"alice", "x"})
	r.open(Policy{Hosts: []Rule{{Host: "far.example", Port: 7}}})
	w := r.Proxy.dialer.way.Load().from
	w.Roots = ""
	if err := r.SetWay(w, &Login{"alice", "x"}); err != nil {
		t.Fatal(err)
	}
	if _, _, resp := r.tunnel("far.example:7"); resp.StatusCode != 502 || resp.Header.Get("X-Bottle-Denied") != string(ProxyDown) {
		t.Errorf("%d %s", resp.StatusCode, resp.Header.Get("X-Bottle-Denied"))
	}
	if asked := c.Asked(); len(asked) != 0 {
		t.Errorf("the proxy was asked %q", asked)
	}
}

func TestPlainRequestsGoThroughTheCompanysProxy(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s auth=%q", r.Host, r.Header.Get("Proxy-Authorization"))
	}))
	defer srv.Close()
	r, c := companyRig(t, companyproxy.Options{User: "alice", Password: "x", Names: map[string]string{"far.example:80": srv.Listener.Addr().String()}}, &Login{"alice", "x"})
	r.open(Policy{Hosts: []Rule{{Host: "far.example", Port: 80}}})
	resp, body := r.send("GET http://far.example/a?b=1 HTTP/1.1\r\nHost: evil.example\r\nProxy-Authorization: Basic Z3Vlc3Q6Z3Vlc3Q=\r\nConnection: close\r\n\r\n")
	if resp.StatusCode != 200 || body != `far.example auth=""` {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
	if asked := c.Asked(); !slices.Equal(asked, []string{"GET http://far.example/a?b=1"}) {
		t.Errorf("the proxy was asked %q", asked)
	}
}

func TestTheFloorHoldsBeforeAProxyToo(t *testing.T) {
	r, c := companyRig(t, companyproxy.Options{}, nil)
	for host, addrs := range map[string][]string{
		"inside.example": {"10.1.2.3"}, "one.example": {"93.184.216.34", "169.254.169.254"}, "loop.example": {"127.0.0.1"},
		"nat.example": {"64:ff9b::7f00:1"}, "operator.example": {"2a00:1234:5678::7f00:1"}, "ipv4only.arpa": {"2a00:1234:5678::c000:aa"}, "mapped.example": {"::ffff:10.0.0.1"},
	} {
		r.names.addrs[host] = addrs
	}
	hosts := []string{"inside.example", "one.example", "loop.example", "nat.example", "mapped.example", "operator.example", "proxy.corp.example"}
	var rules []Rule
	for _, h := range hosts {
		rules = append(rules, Rule{Host: h, Port: 80}, Rule{Host: h})
	}
	self := "proxy.corp.example:" + c.URL[strings.LastIndex(c.URL, ":")+1:] // whose address the rig lets pass
	target, err := ParseTarget(self, 0)
	if err != nil {
		t.Fatal(err)
	}
	r.open(Policy{Hosts: append(rules, Rule{Host: target.Host, Port: target.Port})})
	if _, _, resp := r.tunnel(self); resp.StatusCode != 403 || resp.Header.Get("X-Bottle-Denied") != string(BelowFloor) {
		t.Errorf("the proxy itself: %d", resp.StatusCode)
	}
	for _, h := range hosts {
		if _, _, resp := r.tunnel(h + ":443"); resp.StatusCode != 403 || resp.Header.Get("X-Bottle-Denied") != string(BelowFloor) {
			t.Errorf("CONNECT %s: %d %s", h, resp.StatusCode, resp.Header.Get("X-Bottle-Denied"))
		}
		if resp, _ := r.send("GET http://" + h + "/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); resp.StatusCode != 403 {
			t.Errorf("GET %s: %d", h, resp.StatusCode)
		}
	}
	if _, _, resp := r.tunnel("evil.example:443"); resp.StatusCode != 403 || resp.Header.Get("X-Bottle-Denied") != string(NotAllowed) {
		t.Errorf("a name outside the policy: %d", resp.StatusCode)
	}
	if slices.Contains(r.names.queries(), "evil.example.") {
		t.Error("a refused name was looked up")
	}
	if asked := c.Asked(); len(asked) != 0 {
		t.Errorf("the proxy was asked %q", asked)
	}
}

func TestTunnelsThroughAProxyMustStillNameTheirHost(t *testing.T) {
	to, _ := echoServer(t)
	r, _ := companyRig(t, companyproxy.Options{Names: map[string]string{"far.example:443": to}}, nil)
	r.open(Policy{Hosts: []Rule{{Host: "far.example"}}})
	conn, br, resp := r.tunnel("far.example:443")
	if resp.StatusCode != 200 {
		t.Fatal(resp.StatusCode)
	}
	err := tls.Client(&readConn{conn, br}, &tls.Config{ServerName: "other.example"}).HandshakeContext(t.Context())
	if err == nil || !strings.Contains(err.Error(), "unrecognized name") {
		t.Errorf("%v", err)
	}
	if d := r.line(kind(Denied, "far.example")); d.Reason != WrongSNI || d.SNI != "other.example" {
		t.Errorf("%+v", d)
	}
}

// readConn reads what a reader has taken ahead.
type readConn struct {
	net.Conn
	r *bufio.Reader
}

func (c *readConn) Read(b []byte) (int, error) { return c.r.Read(b) }

func TestTheAPIGoesThroughAProxyThatLooksIntoTLS(t *testing.T) {
	u := newUpstream(t)
	roots := u.policy().API.Roots
	r, c := companyRig(t, companyproxy.Options{Inspect: true, Upstream: roots, User: "alice", Password: "x"}, &Login{"alice", "x"})
	r.open(Policy{API: &API{Upstream: u.URL}}) // trusts nothing of the test's: the way's roots do
	r.SetCredential(&Credential{APIKey, theKey, placeholder})
	resp, body := r.send(message(placeholder, ""))
	if resp.StatusCode != 200 || body != `{"ok":true}` {
		t.Fatalf("%d %q", resp.StatusCode, body)
	}
	if asked := c.Asked(); len(asked) != 1 || !strings.HasPrefix(asked[0], "CONNECT 127.0.0.1:") {
		t.Errorf("the proxy was asked %q", asked)
	}
	if req, _ := u.last(t); req.Header.Get("X-Api-Key") != theKey || req.Header.Get("Proxy-Authorization") != "" {
		t.Errorf("upstream got %v", req.Header)
	}
	// Without the company's root it is a stranger's certificate.
	way := r.Proxy.dialer.way.Load().from
	way.Roots = ""
	if err := r.SetWay(way, &Login{"alice", "x"}); err != nil {
		t.Fatal(err)
	}
	if resp, _ := r.send(message(placeholder, "")); resp.StatusCode != 502 {
		t.Errorf("without the root: %d", resp.StatusCode)
	}
}

func TestWhatAProxyAnswersIsSaidReadably(t *testing.T) {
	to, _ := echoServer(t)
	names := map[string]string{"far.example:7": to, "far.example:80": to}
	asks := func(r *rig) map[string]*http.Response {
		r.open(Policy{Hosts: []Rule{{Host: "far.example", Port: 7}, {Host: "far.example", Port: 80}}})
		_, _, tunnel := r.tunnel("far.example:7")
		body, _ := io.ReadAll(tunnel.Body)
		tunnel.Status = string(body)
		plain, text := r.send("GET http://far.example/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		plain.Status = text
		return map[string]*http.Response{"CONNECT": tunnel, "GET": plain}
	}
	check := func(what string, got map[string]*http.Response, why Reason, words string) {
		t.Helper()
		for how, resp := range got {
			if resp.StatusCode != 502 || resp.Header.Get("X-Bottle-Denied") != string(why) || !strings.Contains(resp.Status, words) || resp.Header.Get("Proxy-Authenticate") != "" {
				t.Errorf("%s, %s: %d %s %q", what, how, resp.StatusCode, resp.Header.Get("X-Bottle-Denied"), resp.Status)
			}
		}
	}
	r, _ := companyRig(t, companyproxy.Options{User: "alice", Password: "right", Names: names}, nil)
	check("no login", asks(r), ProxyAuth, "bottlebar proxy login")
	r, _ = companyRig(t, companyproxy.Options{User: "alice", Password: "right", Names: names}, &Login{"alice", "wrong"})
	check("another login", asks(r), ProxyAuth, "bottlebar proxy login")
	r, c := companyRig(t, companyproxy.Options{Names: names}, nil)
	c.Refuse("far.example:7")
	r.open(Policy{Hosts: []Rule{{Host: "far.example", Port: 7}}})
	_, _, resp := r.tunnel("far.example:7")
	body, _ := io.ReadAll(resp.Body)
	resp.Status = string(body)
	check("refused", map[string]*http.Response{"CONNECT": resp}, ProxyRefused, "network's own proxy")
	r, c = companyRig(t, companyproxy.Options{Names: names}, nil)
	c.Close()
	check("nobody there", asks(r), ProxyDown, "does not answer")
}

func TestSomeHostsAreReachedWithoutTheProxy(t *testing.T) {
	to, _ := echoServer(t)
	r, c := companyRig(t, companyproxy.Options{}, nil, "*.corp.example", "exact.example", "10.0.0.0/8", simpleNames)
	port := r.origin("git.corp.example", to)
	r.open(Policy{Hosts: []Rule{{Host: "git.corp.example", Port: port}}})
	conn, br, resp := r.tunnel(fmt.Sprintf("git.corp.example:%d", port))
	if resp.StatusCode != 200 {
		t.Fatal(resp.StatusCode)
	}
	io.WriteString(conn, "x")
	if b, err := br.ReadByte(); b != 'x' || err != nil {
		t.Error(b, err)
	}
	if asked := c.Asked(); len(asked) != 0 {
		t.Errorf("the proxy was asked %q", asked)
	}
	w := r.Proxy.dialer.way.Load()
	for host, through := range map[string]bool{
		"a.b.corp.example:443": false, "corp.example:443": true, "exact.example:80": false, "an.exact.example:80": true,
		"10.9.9.9:80": false, "11.9.9.9:80": true, "intranet:80": false, "x.example:80": true,
	} {
		target, err := ParseTarget(host, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := w.carries(target); got != through {
			t.Errorf("%s goes through: %v", host, got)
		}
	}
}

func TestAWayThatChangesEndsWhatWentByTheOldOne(t *testing.T) {
	to, _ := echoServer(t)
	r, _ := companyRig(t, companyproxy.Options{Names: map[string]string{"far.example:7": to}}, nil)
	r.open(Policy{Hosts: []Rule{{Host: "far.example", Port: 7}}})
	_, br, resp := r.tunnel("far.example:7")
	if resp.StatusCode != 200 {
		t.Fatal(resp.StatusCode)
	}
	if err := r.SetWay(r.Proxy.dialer.way.Load().from, nil); err != nil {
		t.Fatal(err)
	}
	if err := r.SetWay(Way{}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := br.ReadByte(); err == nil {
		t.Error("it goes on")
	}
	if d := r.line(kind(Closed, "far.example")); d.Reason != Revoked {
		t.Errorf("%+v", d)
	}
}

func TestWaysThatCannotBeMeantAreRefusedWithoutTheirPassword(t *testing.T) {
	for text, cure := range map[string]string{
		"http://alice:hunter2@proxy.example:1": "bottlebar proxy login", "http://alice:hunter2@:1:2": "write it as",
		"socks5://proxy.example:1080": "write it as", "proxy.example:3128": "write it as", "http://": "write it as",
		"http://proxy.example/path": "write it as", "http://127.0.0.1:3128": "other machines", "http://localhost:3128": "other machines",
		"http://[::1]:3128": "other machines", "http://169.254.169.254": "other machines", "http://prox y:1": "write it as",
	} {
		err := Way{Proxy: text}.Check()
		var bad *RuleError
		if !errors.As(err, &bad) || !strings.Contains(bad.Fix, cure) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, w := range []Way{{Proxy: "http://p.example:1", Direct: []string{"a b"}}, {Proxy: "http://p.example:1", Direct: []string{"*.10.0.0.1"}}, {Roots: "none"}} {
		if err := w.Check(); !errors.As(err, new(*RuleError)) {
			t.Errorf("%+v: %v", w, err)
		}
	}
	if err := (Way{Proxy: "http://10.0.0.7:3128", Direct: []string{".corp.example"}}).Check(); err != nil {
		t.Error(err)
	}
	l := &Login{"alice", "hunter2"}
	b, _ := json.Marshal(l)
	if s := fmt.Sprintf("%v %+v %#v %s", l, *l, *l, b); strings.Contains(s, "hunter2") {
		t.Error(s)
	}
}

func FuzzWay(f *testing.F) {
	f.Add("http://proxy.example:3128", "*.corp.example", "")
	f.Add("https://u:p@[::1]", "10.0.0.0/8", "-----BEGIN CERTIFICATE-----")
	f.Fuzz(func(t *testing.T, proxy, direct, roots string) {
		w := Way{Proxy: proxy, Direct: []string{direct}, Roots: roots}
		c, err := w.compile(nil)
		if err != nil {
			if !errors.As(err, new(*RuleError)) {
				t.Fatalf("%T", err)
			}
			return
		}
		var fixed Floor
		if a := c.proxy.Addr; a.IsValid() && fixed.Check(a, true) != nil {
			t.Fatalf("%q leads to %s", proxy, a)
		}
	})
}
