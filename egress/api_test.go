package egress

import (
	"bufio"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

const (
	theKey      = "sk-ant-api03-the-real-key-never-shown"
	theToken    = "sk-ant-oat01-the-real-token-never-shown"
	placeholder = "bottle-canary-0123456789"
)

// upstream is a fake API over TLS and HTTP/2 that remembers what it was sent.
type upstream struct {
	*httptest.Server
	mu       sync.Mutex
	requests []*http.Request
	bodies   []string
	reply    http.HandlerFunc
}

func newUpstream(t testing.TB) *upstream {
	u := &upstream{}
	u.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		u.mu.Lock()
		u.requests = append(u.requests, r)
		u.bodies = append(u.bodies, string(b))
		reply := u.reply
		u.mu.Unlock()
		if reply != nil {
			reply(w, r)
			return
		}
		h := w.Header()
		h.Set("Set-Cookie", "session=1")
		h.Set("Anthropic-Organization-Id", "org-1")
		h.Set("Anthropic-Workspace-Id", "ws-1")
		h.Set("Request-Id", "req-1")
		h.Set("Content-Type", "application/json")
		io.WriteString(w, `{"ok":true}`)
	}))
	u.EnableHTTP2 = true
	u.StartTLS()
	t.Cleanup(u.Close)
	return u
}

func (u *upstream) policy() Policy {
	roots := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: u.Certificate().Raw})
	return Policy{API: &API{Upstream: u.URL, Roots: string(roots)}}
}

func (u *upstream) last(t testing.TB) (*http.Request, string) {
	t.Helper()
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.requests) == 0 {
		t.Fatal("nothing reached the API")
	}
	return u.requests[len(u.requests)-1], u.bodies[len(u.bodies)-1]
}

func (u *upstream) count() int { u.mu.Lock(); defer u.mu.Unlock(); return len(u.requests) }

func apiRig(t *testing.T, o Options, c *Credential) (*rig, *upstream) {
	t.Helper()
	r, u := newRig(t, o), newUpstream(t)
	r.open(u.policy())
	r.SetCredential(c)
	return r, u
}

func message(auth, extra string) string {
	const body = `{"model":"x","max_tokens":1}`
	return fmt.Sprintf("POST /v1/messages?beta=true HTTP/1.1\r\nHost: 127.0.0.1:3128\r\nAuthorization: Bearer %s\r\n%sContent-Length: %d\r\n\r\n%s",
		auth, extra, len(body), body)
}

func TestAPIRequestsCarryTheCredentialAndNothingOfTheGuests(t *testing.T) {
	for _, c := range []*Credential{{APIKey, theKey, placeholder}, {Token, theToken, placeholder}} {
		t.Run(string(c.Kind), func(t *testing.T) {
			r, u := apiRig(t, Options{}, c)
			resp, body := r.send(message(placeholder, "X-Api-Key: guests-own\r\nCookie: a=b\r\nX-Forwarded-For: 1.2.3.4\r\nForwarded: for=1\r\n"+
				"Connection: X-Hop\r\nX-Hop: 1\r\nAccept-Encoding: gzip\r\nAnthropic-Beta: oauth-2025-04-20,x-2026\r\nAnthropic-Version: 2023-06-01\r\nX-App: cli\r\n"+
				"Anthropic_Beta: mcp-client-2025-11-20\r\nX_Api_Key: guests-own\r\nX-HTTP-Method-Override: DELETE\r\nProxy-Authorization: Basic x\r\nReferer: http://x\r\n"))
			if resp.StatusCode != 200 || body != `{"ok":true}` {
				t.Fatalf("%d %q", resp.StatusCode, body)
			}
			req, sent := u.last(t)
			if req.ProtoMajor != 2 {
				t.Errorf("upstream spoke %s", req.Proto)
			}
			if req.RequestURI != "/v1/messages?beta=true" || sent != `{"model":"x","max_tokens":1}` {
				t.Errorf("upstream got %s %q", req.RequestURI, sent)
			}
			want := map[string]string{
				"X-Api-Key": theKey, "Authorization": "", "Cookie": "", "X-Forwarded-For": "", "Forwarded": "", "X-Hop": "", "Accept-Encoding": "identity",
				"Anthropic-Beta": "oauth-2025-04-20,x-2026", "Anthropic-Version": "2023-06-01", "X-App": "cli", "X-Http-Method-Override": "",
				"Proxy-Authorization": "", "Referer": "", "User-Agent": "", "Anthropic_beta": "", "X_api_key": "",
			}
			if c.Kind == Token {
				want["X-Api-Key"], want["Authorization"] = "", "Bearer "+theToken
			}
			for name, value := range want {
				if got := req.Header.Get(name); got != value {
					t.Errorf("upstream saw %s: %q, want %q", name, got, value)
				}
			}
			for _, name := range []string{"Set-Cookie", "Anthropic-Organization-Id", "Anthropic-Workspace-Id"} {
				if resp.Header.Get(name) != "" {
					t.Errorf("the reply has %s", name)
				}
			}
			if resp.Header.Get("Request-Id") != "req-1" {
				t.Error("the reply lost its request id")
			}
			d := r.line(func(d Decision) bool { return d.Kind == APICall })
			if d.Path != "/v1/messages" || d.Method != "POST" || d.Status != 200 || d.Up != int64(len(sent)) || d.Down != int64(len(body)) {
				t.Errorf("line = %+v", d)
			}
		})
	}
}

func TestAPIServesAClosedTableOfRequests(t *testing.T) {
	r, u := apiRig(t, Options{}, &Credential{APIKey, theKey, placeholder})
	auth := " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + placeholder + "\r\nContent-Length: 0\r\n"
	allowed := []string{
		"POST /v1/messages", "POST /v1/messages?beta=true", "POST /v1/messages/count_tokens?beta=true", "GET /v1/models",
		"GET /v1/models/claude-x-4.5_1", "GET /v1/models?beta=true",
	}
	for _, line := range allowed {
		body := ""
		if strings.HasPrefix(line, "POST") {
			body = "{}"
		}
		auth := strings.Replace(auth, "Length: 0", fmt.Sprint("Length: ", len(body)), 1)
		if resp, body := r.send(line + auth + "\r\n" + body); resp.StatusCode != 200 {
			t.Errorf("%s: %d %q", line, resp.StatusCode, body)
		}
	}
	if u.count() != len(allowed) {
		t.Errorf("%d requests went up", u.count())
	}
	// What goes up is written anew, not passed on.
	r.send("GET /v1/models?bet%61=tru%65" + auth + "\r\n")
	allowed = append(allowed, "GET /v1/models?beta=true")
	if req, _ := u.last(t); req.RequestURI != "/v1/models?beta=true" || u.count() != len(allowed) {
		t.Errorf("upstream got %s", req.RequestURI)
	}
	for _, line := range []string{
		"GET /v1/models/../files", "GET /v1/models/%2e%2e/files", "GET /v1/models/..", "GET /v1/models/..%2ffiles", "GET /v1/models/a/b", "GET /v1/models/",
		"GET /v1/models//", "GET //v1/models", "GET /v1//models", "GET /v1/./models", "GET /V1/models", "GET /v1/models%00", "GET /v1/models;a",
		"GET /v1/models/a%20b", "GET /v1/files", "GET /v1/messages", "PUT /v1/messages", "DELETE /v1/messages", "HEAD /v1/models", "OPTIONS /v1/models",
		"TRACE /v1/messages", "POST /v1/messages/", "POST /v1/messages/batches", "POST /v1/messages%2fbatches", "POST /v1/messages/../files", "POST /v1/files",
		"POST /v1/complete", "POST /v1/messages?beta=true&x=1", "POST /v1/messages?beta=true&beta=false", "POST /v1/messages?Beta=true",
		"POST /v1/messages?beta=a%26b", "POST /v1/messages?beta=mcp-client-2025-11-20", "POST /v1/messages?beta=", "POST /v1/messages?beta=%zz", "POST /v1/messages?api_key=1", "GET /", "GET /api/hello", "HEAD /api/hello",
		"GET /v1", "GET /admin", "GET /metrics", "GET /debug/pprof/",
	} {
		resp, _ := r.send(line + auth + "\r\n")
		if resp.StatusCode != 403 || resp.Header.Get("X-Bottle-Denied") != string(APIPath) {
			t.Errorf("%s: %d %s", line, resp.StatusCode, resp.Header.Get("X-Bottle-Denied"))
		}
	}
	for _, extra := range []string{"Upgrade: websocket\r\nConnection: Upgrade\r\n", "Upgrade: h2c\r\n"} {
		if resp, _ := r.send("GET /v1/models" + auth + extra + "\r\n"); resp.StatusCode != 403 {
			t.Errorf("%q: %d", extra, resp.StatusCode)
		}
	}
	trailer := "POST /v1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + placeholder + "\r\nTransfer-Encoding: chunked\r\nTrailer: X-A\r\n\r\n2\r\n{}\r\n0\r\nX-A: 1\r\n\r\n"
	if resp, _ := r.send(trailer); resp.StatusCode != 403 || resp.Header.Get("X-Bottle-Denied") != string(APIPath) {
		t.Errorf("trailers: %d", resp.StatusCode)
	}
	if u.count() != len(allowed) {
		t.Errorf("%d requests went up in the end", u.count())
	}
	// The same by other ways in.
	for _, raw := range []string{
		"GET http://api.anthropic.com/v1/models" + auth + "\r\n", "GET " + u.URL + "/v1/models" + auth + "\r\n",
		"GET " + strings.Replace(u.URL, "https", "http", 1) + "/v1/models" + auth + "\r\n",
	} {
		if resp, _ := r.send(raw); resp.StatusCode < 400 {
			t.Errorf("%.50s: %d", raw, resp.StatusCode)
		}
	}
}

func TestAPIDemandsExactlyThePlaceholder(t *testing.T) {
	r, u := apiRig(t, Options{}, &Credential{APIKey, theKey, placeholder})
	for name, header := range map[string]string{
		"none": "", "another": "Authorization: Bearer other\r\n", "a prefix": "Authorization: Bearer " + placeholder[:10] + "\r\n",
		"more": "Authorization: Bearer " + placeholder + "x\r\n", "no scheme": "Authorization: " + placeholder + "\r\n",
		"basic": "Authorization: Basic " + placeholder + "\r\n", "own key": "X-Api-Key: sk-ant-api03-guests-own\r\n",
		"the placeholder as a key": "X-Api-Key: " + placeholder + "\r\n",
		"two":                      "Authorization: Bearer " + placeholder + "\r\nAuthorization: Bearer x\r\n", "empty": "Authorization: Bearer \r\n",
	} {
		resp, _ := r.send("GET /v1/models HTTP/1.1\r\nHost: x\r\n" + header + "\r\n")
		if resp.StatusCode != 403 || resp.Header.Get("X-Bottle-Denied") != string(APIAuth) {
			t.Errorf("%s: %d %s", name, resp.StatusCode, resp.Header.Get("X-Bottle-Denied"))
		}
	}
	r.SetCredential(&Credential{APIKey, theKey, ""})
	if resp, _ := r.send(message("", "")); resp.StatusCode != 403 {
		t.Errorf("an empty placeholder matched: %d", resp.StatusCode)
	}
	if (&Credential{APIKey, theKey, ""}).carries(&http.Request{Header: http.Header{"Authorization": {"Bearer "}}}) {
		t.Error("an empty placeholder is taken for one")
	}
	if u.count() != 0 {
		t.Errorf("%d requests went up", u.count())
	}
}

func TestWithoutCredentialTheAPIAnswersTheCommand(t *testing.T) {
	r, u := apiRig(t, Options{}, nil)
	resp, body := r.send(message(placeholder, ""))
	if resp.StatusCode != 403 || !strings.Contains(body, "`bottlebar credential set`") || u.count() != 0 {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
	r.SetCredential(&Credential{APIKey, theKey, placeholder})
	if resp, _ := r.send(message(placeholder, "")); resp.StatusCode != 200 {
		t.Errorf("with one: %d", resp.StatusCode)
	}
	r.open(Policy{})
	if resp, _ := r.send(message(placeholder, "")); resp.StatusCode != 403 {
		t.Errorf("without a route: %d", resp.StatusCode)
	}
}

// The key must not come back by any reply, line or error.
func TestTheKeyIsInNoReplyAndNoLine(t *testing.T) {
	r, u := apiRig(t, Options{}, &Credential{APIKey, theKey, placeholder})
	u.mu.Lock()
	u.reply = func(w http.ResponseWriter, req *http.Request) {
		for name, values := range req.Header {
			w.Header()[name] = values // an upstream that echoes headers
		}
		w.WriteHeader(500)
		io.WriteString(w, "oops")
	}
	u.mu.Unlock()
	check := func(raw string) {
		c := r.dial()
		io.WriteString(c, raw)
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			return
		}
		var all strings.Builder
		resp.Write(&all)
		if strings.Contains(all.String(), theKey) {
			t.Errorf("%.40q: the key came back", raw)
		}
	}
	check(message(placeholder, ""))
	check("TRACE /v1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + placeholder + "\r\n\r\n")
	u.Server.CloseClientConnections()
	u.mu.Lock()
	u.reply = func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	u.mu.Unlock()
	u.Config.ErrorLog = nil
	check(message(placeholder, ""))
	u.Server.Close()
	check(message(placeholder, ""))
	r.mu.Lock()
	defer r.mu.Unlock()
	lines, _ := json.Marshal(r.lines)
	if strings.Contains(string(lines), theKey) || strings.Contains(string(lines), placeholder) {
		t.Errorf("lines: %s", lines)
	}
	c := Credential{APIKey, theKey, placeholder}
	asJSON, _ := json.Marshal(c)
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "credential", c)
	if all := fmt.Sprintf("%v %+v %#v %s %s", c, &c, c, asJSON, &log); strings.Contains(all, theKey) {
		t.Errorf("a credential prints as %s", all)
	}
}

// A server that answers before it has seen the end of the request made the
// standard library's proxy cut one reply in twenty.
func TestStreamedRepliesAreNeverCut(t *testing.T) {
	r, u := apiRig(t, Options{}, &Credential{APIKey, theKey, placeholder})
	plain := httptest.NewServer(http.HandlerFunc(earlyAnswer))
	defer plain.Close()
	_ = u
	r.open(Policy{API: &API{Upstream: plain.URL}})
	r.SetCredential(&Credential{APIKey, theKey, placeholder})
	if cut := cutReplies("http://"+r.addr, 250); cut != 0 {
		t.Errorf("%d of 250 replies were cut", cut)
	}
}

// earlyAnswer begins its reply before it has read the request.
func earlyAnswer(w http.ResponseWriter, req *http.Request) {
	if err := http.NewResponseController(w).EnableFullDuplex(); err != nil {
		panic(err)
	}
	fmt.Fprint(w, "event: start\n\n")
	w.(http.Flusher).Flush()
	io.Copy(io.Discard, req.Body)
	for i := range 20 {
		fmt.Fprintf(w, "data: %d\n\n", i)
		w.(http.Flusher).Flush()
	}
	fmt.Fprint(w, "event: stop\n\n")
}

// cutReplies asks n times and counts the replies that did not come whole.
func cutReplies(to string, n int) (cut int) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	defer client.CloseIdleConnections()
	body := `{"pad":"` + strings.Repeat("x", 40<<10) + `"}`
	for range n {
		req, _ := http.NewRequest(http.MethodPost, to+"/v1/messages?beta=true", strings.NewReader(body))
		req.Header.Set("Authorization", "Bearer "+placeholder)
		resp, err := client.Do(req)
		if err != nil {
			cut++
			continue
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || !strings.HasSuffix(string(got), "event: stop\n\n") {
			cut++
		}
	}
	return cut
}

func TestEventsAreNotHeldBack(t *testing.T) {
	r, u := apiRig(t, Options{}, &Credential{APIKey, theKey, placeholder})
	next := make(chan struct{})
	u.mu.Lock()
	u.reply = func(w http.ResponseWriter, _ *http.Request) {
		for range 3 {
			io.WriteString(w, "event: x\n\n")
			w.(http.Flusher).Flush()
			<-next
		}
	}
	u.mu.Unlock()
	c := r.dial()
	io.WriteString(c, message(placeholder, ""))
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 10)
	for range 3 {
		if _, err := io.ReadFull(resp.Body, buf); err != nil {
			t.Fatal(err)
		}
		next <- struct{}{} // only now does the server go on
	}
	if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) != 0 {
		t.Errorf("%q, %v", rest, err)
	}
}

func TestAPINeverLeadsBelowTheFloor(t *testing.T) {
	for _, addr := range []string{"127.0.0.1", "169.254.169.254", "10.0.0.1", "fd00::1", "64:ff9b::7f00:1"} {
		r := newRig(t, Options{})
		r.names.addrs["api.anthropic.com"] = []string{addr}
		r.open(Policy{API: &API{}})
		r.SetCredential(&Credential{APIKey, theKey, placeholder})
		resp, _ := r.send(message(placeholder, ""))
		if resp.StatusCode != 403 || resp.Header.Get("X-Bottle-Denied") != string(BelowFloor) {
			t.Errorf("%s: %d %s", addr, resp.StatusCode, resp.Header.Get("X-Bottle-Denied"))
		}
	}
}
