package app_test

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha1" //nolint:gosec // as RFC 6455 has it
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"

	"bottlebar.app/internal/companyproxy"
)

// field is what clients fetch from: a web server with a git repository, an npm
// registry, a Python index (PEP 503), an apt repository, a stream of events and
// a WebSocket. Its plain and its TLS side are allowed; a second pair is not.
type field struct {
	root           string // PEM
	addr           string
	secure, plain  net.Listener // allowed
	secret, hidden net.Listener // the same, not allowed
	hits           atomic.Int32 // of the second pair
}

func newField(t *testing.T) *field {
	t.Helper()
	ca, err := companyproxy.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	f := &field{root: ca.Root, addr: hostAddress(t)}
	f.secure, f.plain = listen(t, f.addr+":0"), listen(t, f.addr+":0")
	f.secret, f.hidden = listen(t, f.addr+":0"), listen(t, f.addr+":0")
	good := f.mux(t)
	bad := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.hits.Add(1); good.ServeHTTP(w, r) })
	for l, h := range map[net.Listener]http.Handler{f.secure: good, f.plain: good, f.secret: bad, f.hidden: bad} {
		s := &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0)}
		serve := func() error { return s.Serve(l) }
		if l == f.secure || l == f.secret {
			s.TLSConfig = ca.Config(f.addr)
			s.Protocols = new(http.Protocols)
			s.Protocols.SetHTTP1(true) // a socket is upgraded from it
			serve = func() error { return s.ServeTLS(l, "", "") }
		}
		done := make(chan struct{})
		go func() { defer close(done); _ = serve() }()
		t.Cleanup(func() { _ = s.Close(); <-done })
	}
	return f
}

// settings are the explicit rules that let a bottle reach the allowed pair.
func (f *field) settings() string {
	text := ""
	for _, l := range []net.Listener{f.secure, f.plain} {
		text += fmt.Sprintf("[[host]]\nname = %q\nport = %d\nprivate = true\n", f.addr, port(l))
	}
	return text
}

func (f *field) mux(t *testing.T) http.Handler {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/hello", func(w http.ResponseWriter, r *http.Request) {
		scheme := "http"
		if r.TLS != nil {
			scheme = "https"
		}
		fmt.Fprintf(w, "hello over %s\n", scheme)
	})
	mux.HandleFunc("/events", events)
	mux.HandleFunc("/socket", socket)
	mux.Handle("/git/", gitServer(t))
	npmRegistry(mux)
	pythonIndex(t, mux)
	aptRepository(mux)
	return mux
}

func events(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	for i := range 50 {
		fmt.Fprintf(w, "event: tick\ndata: %d\n\n", i)
		_ = http.NewResponseController(w).Flush()
	}
}

// socket echoes one short masked text frame (RFC 6455).
func socket(w http.ResponseWriter, r *http.Request) {
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // as above
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer conn.Close()
	fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %s\r\n\r\n", base64.StdEncoding.EncodeToString(sum[:]))
	head := make([]byte, 6)
	if _, err := io.ReadFull(rw, head); err != nil {
		return
	}
	text := make([]byte, head[1]&0x7f)
	if _, err := io.ReadFull(rw, text); err != nil {
		return
	}
	for i := range text {
		text[i] ^= head[2+i%4]
	}
	_, _ = conn.Write(append([]byte{0x81, byte(len(text))}, text...))
}

// gitServer is git's own, over CGI.
func gitServer(t *testing.T) http.Handler {
	t.Helper()
	dir := t.TempDir()
	work := filepath.Join(dir, "work")
	for _, argv := range [][]string{
		{"init", "-q", "-b", "main", work},
		{"-C", work, "-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-q", "--allow-empty", "-m", "a commit from the field"},
		{"clone", "-q", "--bare", work, filepath.Join(dir, "demo.git")},
	} {
		cmd := exec.Command("git", argv...)
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %q: %v\n%s", argv, err, out)
		}
	}
	return &cgi.Handler{
		Path: "/usr/lib/git-core/git-http-backend", Root: "/git",
		Env: []string{"GIT_PROJECT_ROOT=" + dir, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"},
	}
}

func base(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

func give(mux *http.ServeMux, path string, b []byte) {
	mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(b) })
}

// npmRegistry has one package, "tiny".
func npmRegistry(mux *http.ServeMux) {
	var tgz bytes.Buffer
	zw := gzip.NewWriter(&tgz)
	tw := tar.NewWriter(zw)
	for name, text := range map[string]string{"package/package.json": `{"name":"tiny","version":"1.0.0"}`, "package/index.js": `module.exports = "tiny from the registry"`} {
		_ = tw.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text))})
		_, _ = io.WriteString(tw, text)
	}
	_, _ = tw.Close(), zw.Close()
	sum := sha512.Sum512(tgz.Bytes())
	give(mux, "/npm/tiny/-/tiny-1.0.0.tgz", tgz.Bytes())
	mux.HandleFunc("/npm/tiny", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{
			"name": "tiny", "dist-tags": map[string]string{"latest": "1.0.0"},
			"versions": map[string]any{"1.0.0": map[string]any{"name": "tiny", "version": "1.0.0", "dist": map[string]string{
				"tarball": base(r) + "/npm/tiny/-/tiny-1.0.0.tgz", "integrity": "sha512-" + base64.StdEncoding.EncodeToString(sum[:]),
			}}},
		})
	})
}

// pythonIndex has one wheel, "tiny-demo".
func pythonIndex(t *testing.T, mux *http.ServeMux) {
	t.Helper()
	const file = "tiny_demo-1.0-py3-none-any.whl"
	var b bytes.Buffer
	zw := zip.NewWriter(&b)
	for _, f := range [][2]string{
		{"tiny_demo/__init__.py", "text = 'tiny from the index'\n"},
		{"tiny_demo-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-demo\nVersion: 1.0\n"},
		{"tiny_demo-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n"},
		{"tiny_demo-1.0.dist-info/RECORD", "tiny_demo/__init__.py,,\ntiny_demo-1.0.dist-info/METADATA,,\ntiny_demo-1.0.dist-info/WHEEL,,\ntiny_demo-1.0.dist-info/RECORD,,\n"},
	} {
		w, err := zw.Create(f[0])
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(w, f[1])
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	give(mux, "/files/"+file, b.Bytes())
	mux.HandleFunc("/simple/tiny-demo/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<!DOCTYPE html><html><body><a href="/files/%s#sha256=%x">%s</a></body></html>`, file, sha256.Sum256(b.Bytes()), file)
	})
}

// aptRepository is a flat one with one package, "tiny".
func aptRepository(mux *http.ServeMux) {
	deb := []byte("tiny from the repository\n")
	packages := fmt.Sprintf("Package: tiny\nVersion: 1.0\nArchitecture: all\nMaintainer: t\nFilename: ./tiny_1.0_all.deb\nSize: %d\nSHA256: %x\nDescription: tiny\n", len(deb), sha256.Sum256(deb))
	release := fmt.Sprintf("Origin: field\nSuite: stable\nDate: Mon, 02 Jan 2023 00:00:00 UTC\nSHA256:\n %x %d Packages\n", sha256.Sum256([]byte(packages)), len(packages))
	give(mux, "/apt/Release", []byte(release))
	give(mux, "/apt/Packages", []byte(packages))
	give(mux, "/apt/tiny_1.0_all.deb", deb)
}

// lastLines is the end of what a program said.
func lastLines(s string) string {
	var lines []string
	for in := bufio.NewScanner(bytes.NewReader([]byte(s))); in.Scan(); {
		if lines = append(lines, in.Text()); len(lines) > 12 {
			lines = lines[1:]
		}
	}
	out := ""
	for _, l := range lines {
		out += "    " + l + "\n"
	}
	return out
}
