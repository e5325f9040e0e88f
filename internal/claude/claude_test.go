package claude

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// post sends one request to a fake and returns its answer.
func post(t *testing.T, u *Upstream, path, body string) (*http.Response, string) {
	t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(u.Root)) {
		t.Fatal("the root is no certificate")
	}
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}}
	defer c.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, u.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Api-Key", "made-up")
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

func TestTheFakeStreamsAToolWhosePartsMakeItsInput(t *testing.T) {
	u, err := Listen("127.0.0.1:0", Demo)
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	body := `{"model":"m","stream":true,"tools":[{"name":"Bash"}],"messages":[
		{"role":"user","content":[{"type":"text","text":"<reminder>"},{"type":"text","text":"run echo \"hi\""}]},
		{"role":"system","content":"behind it"}]}`
	resp, got := post(t, u, "/v1/messages?beta=true", body)
	if ct := resp.Header.Get("Content-Type"); ct != "text/event-stream" {
		t.Errorf("answered as %q", ct)
	}
	var input, text string
	var kinds []string
	for line := range strings.Lines(got) {
		data, ok := strings.CutPrefix(line, "data: ")
		if !ok {
			continue
		}
		var e struct {
			Type  string
			Delta struct {
				Text    string
				Partial string `json:"partial_json"`
				Stop    string `json:"stop_reason"`
			}
		}
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			t.Fatalf("%v in %q", err, data)
		}
		kinds = append(kinds, e.Type)
		text, input = text+e.Delta.Text, input+e.Delta.Partial
		if e.Type == "message_delta" && e.Delta.Stop != "tool_use" {
			t.Errorf("it stops for %q", e.Delta.Stop)
		}
	}
	var in map[string]string
	if err := json.Unmarshal([]byte(input), &in); err != nil || in["command"] != `echo "hi"` {
		t.Errorf("the tool's input is %q: %v", input, err)
	}
	if text != "I run it." || kinds[0] != "message_start" || kinds[len(kinds)-1] != "message_stop" {
		t.Errorf("said %q in %q", text, kinds)
	}
	all := u.Requests()
	if len(all) != 1 || all[0].Path != "/v1/messages?beta=true" || all[0].Header.Get("X-Api-Key") != "made-up" {
		t.Errorf("noted %+v", all)
	}
}

func TestTheFakeReadsAToolsResult(t *testing.T) {
	a, err := parse([]byte(`{"messages":[{"role":"user","content":"one"},{"role":"user","content":[{"type":"tool_result","content":[{"type":"text","text":"out"}]}]}]}`))
	if err != nil || len(a.turn.Results) != 1 || strings.TrimSpace(a.turn.Results[0]) != "out" || a.turn.Text != "" {
		t.Errorf("read %+v, %v", a.turn, err)
	}
}

func TestOtherBytesThanThePinnedAreRefused(t *testing.T) {
	dir := t.TempDir()
	r, err := releases(runtime.GOARCH)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, r.file())
	if err := os.WriteFile(path, []byte("not it"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := r.tarball(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "pinned") {
		t.Errorf("got %v", err)
	}
}

func TestARootfsHoldsFoldersBeforeFilesAndEachLibraryOnce(t *testing.T) {
	r, err := releases(runtime.GOARCH)
	if err != nil {
		t.Fatal(err)
	}
	bash, err := os.ReadFile("/usr/bin/bash")
	if err != nil {
		t.Fatal(err)
	}
	files, err := rootfs(r, bash)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{".": true}
	for _, f := range files {
		if seen[f.Name] {
			t.Errorf("%s is there twice", f.Name)
		}
		seen[f.Name] = true
		if !seen[filepath.Dir(f.Name)] {
			t.Errorf("%s comes before its folder", f.Name)
		}
		if f.Name == "usr/local/bin/claude" && !bytes.Equal(f.Data, bash) {
			t.Error("the client is another program")
		}
	}
	for _, want := range []string{r.libraries + "/libc.so.6", "bin/bash", "usr/bin/git", "home/claude/work"} {
		if !seen[want] {
			t.Errorf("%s is missing", want)
		}
	}
}
