package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/client"

	"bottlebar.app/app"
	"bottlebar.app/control"
	"bottlebar.app/internal/claude"
	"bottlebar.app/internal/companyproxy"
	"bottlebar.app/snapshot"
)

const proxyPassword = "hunter2-of-alice"

// Behind a company's proxy that asks for a password and looks into TLS, a
// bottle reaches names that only that proxy knows, and the API; the password is
// nowhere but in the store and on its way.
func TestABottleGoesOutThroughTheCompanysProxy(t *testing.T) {
	t.Parallel()
	addr := hostAddress(t)
	inside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "from behind, %s %q", r.Host, r.Header.Get("Proxy-Authorization"))
	}))
	t.Cleanup(inside.Close)
	up, err := claude.Listen(addr+":0", script)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = up.Close() })
	proxy, err := companyproxy.Listen(addr+":0", companyproxy.Options{
		User: "alice", Password: proxyPassword, Inspect: true, Upstream: up.Root,
		Names: map[string]string{"only.corp.example:80": inside.Listener.Addr().String()},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = proxy.Close() })
	roots := filepath.Join(t.TempDir(), "corp.pem")
	if err := os.WriteFile(roots, []byte(proxy.Root), 0o600); err != nil {
		t.Fatal(err)
	}
	settings := fmt.Sprintf("upstream_proxy = %q\nextra_roots = %q\n[[host]]\nname = \"only.corp.example\"\nport = 80\n", proxy.URL, roots)
	h, b := ready(t, settings, "BOTTLEBAR_TEST_UPSTREAM="+up.URL, "CLAUDE_CODE_OAUTH_TOKEN=sk-ant-oat01-made-up-for-this-test", "BOTTLEBAR_PROXY_LOGIN=alice:"+proxyPassword)
	if b.Driver != "docker" {
		t.Fatalf("the sidecar is a %s", b.Driver)
	}
	if got := h.run(b.Name, "wget", "-q", "-O", "-", "http://only.corp.example/"); got != `from behind, only.corp.example ""` {
		t.Errorf("the name that only the proxy knows answered %q", got)
	}
	ask := `body='{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}'
printf 'POST /v1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s' "$CLAUDE_CODE_OAUTH_TOKEN" ${#body} "$body" | { cat; sleep 3; } | nc -w 20 127.0.0.1 3128`
	if got := h.run(b.Name, "sh", "-c", ask); !strings.HasPrefix(got, "HTTP/1.1 200") {
		t.Errorf("the API answered %q", got)
	}
	want := "CONNECT " + strings.TrimPrefix(up.URL, "https://")
	if asked := proxy.Asked(); !slices.Contains(asked, want) || !slices.Contains(asked, "GET http://only.corp.example/") {
		t.Errorf("the proxy was asked %q", asked)
	}
	if c := wayCheck(t, h); c.State != snapshot.CheckOK || !strings.Contains(c.Finding, proxy.URL+" as alice (settings)") {
		t.Errorf("Setup says %+v", c)
	}
	if st, err := h.app.ProxyStatus(t.Context()); err != nil || st.Proxy != proxy.URL || st.User != "alice" {
		t.Errorf("%+v, %v", st, err)
	}
	staysWithTheApp(t, h, b.Name, proxyPassword)

	// A password that is not right any more is said, in the bottle and in Setup.
	if err := h.app.SetProxyLogin(t.Context(), "alice:another"); err != nil {
		t.Fatal(err)
	}
	r, err := h.exec(b.Name, control.ExecRequest{Argv: []string{"sh", "-c", "(printf 'GET http://only.corp.example/ HTTP/1.0\\r\\n\\r\\n'; sleep 3) | nc -w 20 127.0.0.1 3128"}})
	if err != nil || !strings.Contains(r.stdout, "502") || !strings.Contains(r.stdout, "bottlebar proxy login") {
		t.Errorf("with another password: %+v, %v", r, err)
	}
	if c := wayCheck(t, h); c.State != snapshot.CheckFailed || !strings.Contains(c.Finding, "does not take") || !strings.Contains(c.Cure, "proxy login") {
		t.Errorf("Setup says %+v", c)
	}
}

func wayCheck(t *testing.T, h *home) snapshot.Check {
	t.Helper()
	checks, err := h.app.Doctor(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(checks, func(c snapshot.Check) bool { return c.ID == "way" })
	if i < 0 {
		t.Fatalf("no such check among %+v", checks)
	}
	return checks[i]
}

// staysWithTheApp looks where a secret must not be: in files of the app, in
// its log, in what it shows, in what the engine tells about the container, in
// the guest.
func staysWithTheApp(t *testing.T, h *home, bottle, secret string) {
	t.Helper()
	if strings.Contains(h.log.String(), secret) {
		t.Error("the secret is in the app's log")
	}
	if shown, _ := json.Marshal(h.app.Snapshot()); bytes.Contains(shown, []byte(secret)) {
		t.Error("the secret is in what the app shows")
	}
	err := filepath.WalkDir(h.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil //nolint:nilerr // a machine's files come and go
		}
		if info, err := d.Info(); err != nil || info.Size() > 8<<20 {
			return nil //nolint:nilerr // the same
		}
		if b, err := os.ReadFile(path); err == nil && bytes.Contains(b, []byte(secret)) {
			t.Errorf("the secret is in %s", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	list, err := c.ContainerList(t.Context(), container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", "bottlebar.app="+app.Instance(filepath.Join(h.dir, "state"))))})
	if err != nil || len(list) == 0 {
		t.Fatalf("%d containers, %v", len(list), err)
	}
	for _, x := range list {
		in, err := c.ContainerInspect(t.Context(), x.ID)
		if err != nil {
			t.Fatal(err)
		}
		said, _ := json.Marshal(in)
		logs, err := c.ContainerLogs(t.Context(), x.ID, container.LogsOptions{ShowStdout: true, ShowStderr: true})
		if err != nil {
			t.Fatal(err)
		}
		lines, _ := io.ReadAll(logs)
		_ = logs.Close()
		if bytes.Contains(said, []byte(secret)) || bytes.Contains(lines, []byte(secret)) {
			t.Error("the engine tells the secret")
		}
	}
	if got := h.run(bottle, "sh", "-c", "cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'"); strings.Contains(got, secret) {
		t.Error("the secret is in the guest")
	}
}

func TestAWayOutThatCannotBeHadStopsTheLaunchWithItsCure(t *testing.T) {
	t.Parallel()
	h := newHome(t, "")
	h.open()
	h.add()
	h.settings("extra_roots = \"/nowhere/corp.pem\"\n")
	_, err := h.app.Launch(t.Context(), control.LaunchRequest{Artifact: "demo"}, nil)
	says(t, err, "extra_roots")
	if c := wayCheck(t, h); c.State != snapshot.CheckFailed {
		t.Errorf("Setup says %+v", c)
	}
	h.settings("upstream_proxy = \"http://127.0.0.1:3128\"\n")
	_, err = h.app.Launch(t.Context(), control.LaunchRequest{Artifact: "demo"}, nil)
	says(t, err, "other machines")
	h.settings("")
	if c := wayCheck(t, h); c.State != snapshot.CheckOK || c.Finding != "straight out" {
		t.Errorf("Setup says %+v", c)
	}
	h.close()
	h.nothingLeft()
}
