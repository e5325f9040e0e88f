package app_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"bottlebar.app/control"
	"bottlebar.app/snapshot"
)

// ways are the combinations that the main job must work in.
var ways = []struct {
	name, settings, release, driver string
}{
	{"newest, docker", "", "1.9.3", "docker"},
	{"newest, process", "driver = \"process\"\n", "1.9.3", "process"},
	{"newest, mounted socket", "hop = \"mount-socket\"\n", "1.9.3", "docker"},
	{"1.7.7", "", "1.7.7", "docker"},
	{"1.0.2", "", "1.0.2", "docker"},
	{"0.8.0, held helper", "", "0.8.0", "docker"},
}

// The flow of the wrapper that this program grew from: add, sidecar up,
// create, start, exec, copy in, taken apart in reverse.
func TestABottleRunsFromArtifactToNothingLeft(t *testing.T) {
	t.Parallel()
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			h, b := ready(t, way.settings, "STANDIN_VERSION="+way.release)
			if b.State != snapshot.Ready || b.Isolation != snapshot.Proved || b.Driver != way.driver || b.Release != way.release || !b.Simulated {
				t.Fatalf("launched as %+v", b)
			}
			if got := h.run(b.Name, "echo", "hello-from-vm"); got != "hello-from-vm\n" {
				t.Errorf("exec answered %q", got)
			}
			if r, err := h.exec(b.Name, control.ExecRequest{Argv: []string{"sh", "-c", "echo out; echo err >&2; exit 7"}}); err != nil || r != (result{7, "out\n", "err\n"}) {
				t.Errorf("exec gave %+v, %v", r, err)
			}
			copyBothWays(t, h, b.Name)
			if err := h.app.Stop(t.Context(), b.Name); err != nil {
				t.Fatal(err)
			}
			h.nothingLeft()
			h.close()
			h.nothingLeft()
		})
	}
}

func copyBothWays(t *testing.T, h *home, name string) {
	t.Helper()
	src, back := t.TempDir(), t.TempDir()
	blob := make([]byte, 300_001)
	_, _ = rand.Read(blob)
	files := map[string][]byte{"tree/a.bin": blob, "tree/empty": nil, "tree/deep/er/x": []byte("x"), "-rf": []byte("dash"), "a:b": []byte("colon"), "new\nline": []byte("nl"), strings.Repeat("n", 255): []byte("long")}
	for p, b := range files {
		p = filepath.Join(src, p)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var sources []string
	for _, top := range []string{"tree", "-rf", "a:b", "new\nline", strings.Repeat("n", 255)} {
		sources = append(sources, filepath.Join(src, top))
	}
	reply, err := h.app.Copy(t.Context(), name, control.CopyRequest{In: true, Host: sources, Guest: "in/", IntoFolder: true}, nil)
	if err != nil {
		t.Fatalf("copying in: %v", err)
	}
	if len(reply.Paths) != len(sources) {
		t.Fatalf("copied to %q", reply.Paths)
	}
	for _, p := range reply.Paths {
		if _, err := h.app.Copy(t.Context(), name, control.CopyRequest{Host: []string{back}, Guest: p, IntoFolder: true}, nil); err != nil {
			t.Fatalf("copying out %q: %v", p, err)
		}
	}
	for p, want := range files {
		got, err := os.ReadFile(filepath.Join(back, p))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%q came back with %d bytes, want %d (%v)", p, len(got), len(want), err)
		}
	}
}

// The two probes of that wrapper, done properly: each against a listener that
// would answer.
func TestFromInsideOnlyAllowedHostsAreReached(t *testing.T) {
	t.Parallel()
	addr := hostAddress(t)
	var asked atomic.Int32
	serve := func(l net.Listener) {
		s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			fmt.Fprint(w, "from the host")
		})}
		go func() { _ = s.Serve(l) }()
		t.Cleanup(func() { _ = s.Close() })
	}
	allowed, refused, loopback := listen(t, addr+":0"), listen(t, addr+":0"), listen(t, "127.0.0.1:0")
	for _, l := range []net.Listener{allowed, refused, loopback} {
		serve(l)
		resp, err := http.Get("http://" + l.Addr().String())
		if err != nil {
			t.Fatalf("the control on %s does not answer: %v", l.Addr(), err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
	h, b := ready(t, fmt.Sprintf("[[host]]\nname = %q\nport = %d\nprivate = true\n", addr, port(allowed)))
	before := asked.Load()
	if got := h.run(b.Name, "wget", "-q", "-O", "-", "http://"+allowed.Addr().String()+"/"); got != "from the host" {
		t.Errorf("the allowed host answered %q", got)
	}
	if asked.Load() != before+1 {
		t.Errorf("the allowed host was asked %d times", asked.Load()-before)
	}
	before = asked.Load()
	tries := map[string][]string{
		"another port by the proxy":    {"wget", "-q", "-O", "-", "http://" + refused.Addr().String() + "/"},
		"another port past the proxy":  {"wget", "-q", "-Y", "off", "-O", "-", "http://" + refused.Addr().String() + "/"},
		"the allowed one past it":      {"wget", "-q", "-Y", "off", "-T", "3", "-O", "-", "http://" + allowed.Addr().String() + "/"},
		"host loopback by the proxy":   {"sh", "-c", "printf 'GET http://" + loopback.Addr().String() + "/ HTTP/1.0\\r\\n\\r\\n' | nc 127.0.0.1 3128 | grep -q 'from the host'"},
		"host loopback past the proxy": {"wget", "-q", "-Y", "off", "-O", "-", "http://" + loopback.Addr().String() + "/"},
		"a name":                       {"nslookup", "example.com"},
		"metadata":                     {"wget", "-q", "-Y", "off", "-T", "3", "-O", "-", "http://169.254.169.254/"},
	}
	for name, argv := range tries {
		if r, err := h.exec(b.Name, control.ExecRequest{Argv: argv}); err != nil || r.code == 0 {
			t.Errorf("%s: code %d, %v: %s", name, r.code, err, r.stdout)
		}
	}
	if n := asked.Load() - before; n != 0 {
		t.Errorf("what is not allowed was reached %d times", n)
	}
	ifs := h.run(b.Name, "sh", "-c", "cut -d: -f1 -s /proc/net/dev | tr -d ' '")
	if ifs != "lo\n" {
		t.Errorf("interfaces in the bottle: %q", ifs)
	}
	body := h.run(b.Name, "sh", "-c", "printf 'CONNECT evil.example:443 HTTP/1.1\\r\\nHost: evil.example\\r\\n\\r\\n' | nc -w 3 127.0.0.1 3128")
	if !strings.HasPrefix(body, "HTTP/1.1 403") || !strings.Contains(body, "evil.example") || !strings.Contains(body, "ask the user") {
		t.Errorf("a refusal reads %q", body)
	}
	eventually(t, "the refusal in the activity", func() bool {
		acts, err := h.app.Activity(t.Context(), b.Name)
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(acts, func(d snapshot.Decision) bool { return d.Host == "evil.example" && d.Verdict == "denied" })
	})
}

func listen(t *testing.T, addr string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func port(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }

// hostAddress is an address of this computer that a container reaches.
func hostAddress(t *testing.T) string {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() && !n.IP.IsLinkLocalUnicast() {
			return n.IP.String()
		}
	}
	t.Fatal("this computer has no address besides loopback")
	return ""
}
