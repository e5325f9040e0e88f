package sidecar

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// place is a home folder with engines in it.
type placeOfEngines struct {
	t    *testing.T
	home string
	env  map[string]string
}

func newPlace(t *testing.T) *placeOfEngines {
	// Sockets have short names only; t.TempDir's are long.
	home, err := os.MkdirTemp("", "bb")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(home) })
	return &placeOfEngines{t: t, home: home, env: map[string]string{}}
}

func (p *placeOfEngines) options() FindOptions {
	return FindOptions{Home: p.home, UID: os.Getuid(), Root: p.home + "/root", Getenv: func(k string) string { return p.env[k] }}
}

func (p *placeOfEngines) write(name, text string) {
	p.t.Helper()
	path := filepath.Join(p.home, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func (p *placeOfEngines) context(name, host string) {
	sum := sha256.Sum256([]byte(name))
	p.write(".docker/contexts/meta/"+hex.EncodeToString(sum[:])+"/meta.json",
		fmt.Sprintf(`{"Name":%q,"Endpoints":{"docker":{"Host":%q}}}`, name, host))
}

// serve answers as an engine would; requests counts what it was asked.
func (p *placeOfEngines) serve(socket string, h http.HandlerFunc) (path string, requests *atomic.Int64) {
	p.t.Helper()
	path = filepath.Join(p.home, socket)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		p.t.Fatal(err)
	}
	ln, err := net.Listen("unix", path)
	if err != nil {
		p.t.Fatal(err)
	}
	requests = &atomic.Int64{}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		h(w, r)
	})}
	done := make(chan struct{})
	go func() { defer close(done); srv.Serve(ln) }()
	p.t.Cleanup(func() { srv.Close(); <-done })
	return path, requests
}

func engineNamed(version string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Api-Version", "1.41")
		w.Header().Set("Content-Type", "application/json")
		if strings.HasSuffix(r.URL.Path, "/version") {
			fmt.Fprintf(w, `{"Version":%q,"ApiVersion":"1.41","Os":"linux","Arch":"amd64"}`, version)
		}
	}
}

func TestEnginesAreFoundInTheOrderOfWhoNamedThem(t *testing.T) {
	p := newPlace(t)
	ctx := testContext(t)
	sockets := map[string]string{}
	for _, name := range []string{"setting", "dockerhost", "dockercontext", "current"} {
		sockets[name], _ = p.serve(name+".sock", engineNamed(name))
	}
	p.serve(".colima/default/docker.sock", engineNamed("colima"))
	p.context("one", "unix://"+sockets["dockercontext"])
	p.context("two", "unix://"+sockets["current"])
	p.write(".docker/config.json", `{"currentContext":"two"}`)
	p.env["DOCKER_HOST"] = "unix://" + sockets["dockerhost"]
	p.env["DOCKER_CONTEXT"] = "one"
	o := p.options()
	o.Host = "unix://" + sockets["setting"]
	for _, step := range []struct {
		version, source string
		then            func()
	}{
		{"setting", "setting", func() { o.Host = "" }},
		{"dockerhost", "DOCKER_HOST", func() { delete(p.env, "DOCKER_HOST") }},
		{"dockercontext", "context one", func() { delete(p.env, "DOCKER_CONTEXT") }},
		{"current", "context two", func() { os.Remove(filepath.Join(p.home, ".docker/config.json")) }},
		{"colima", "known socket", func() {}},
	} {
		e, err := FindEngine(ctx, o)
		if err != nil || e.Version != step.version || e.Source != step.source || e.Arch != "amd64" {
			t.Errorf("want %s by %s, got %+v, %v", step.version, step.source, e, err)
		}
		step.then()
	}
	// A stopped one, whose socket is still there, does not hide one that runs.
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: mkdir(t, p.home+"/.docker/run") + "/docker.sock", Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	ln.SetUnlinkOnClose(false)
	ln.Close()
	if e, err := FindEngine(ctx, o); err != nil || e.Name != "Colima" {
		t.Errorf("got %+v, %v", e, err)
	}
}

func mkdir(t *testing.T, path string) string {
	t.Helper()
	if err := os.MkdirAll(path, 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestEngineTroublesAreToldApart(t *testing.T) {
	ctx := testContext(t)
	for name, c := range map[string]struct {
		set  func(p *placeOfEngines)
		kind EngineProblem
		text string
	}{
		"stopped Docker Desktop": {func(p *placeOfEngines) {
			ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: mkdir(t, p.home+"/.docker/run") + "/docker.sock", Net: "unix"})
			if err != nil {
				t.Fatal(err)
			}
			ln.SetUnlinkOnClose(false)
			ln.Close()
		}, Asleep, "start Docker Desktop"},
		"installed without a socket": {func(p *placeOfEngines) { p.write("root/usr/sbin/dockerd", "") }, Asleep, "service docker start"},
		"a named host that is gone":  {func(p *placeOfEngines) { p.env["DOCKER_HOST"] = "unix://" + p.home + "/gone.sock" }, Asleep, "start"},
		"remote tcp":                 {func(p *placeOfEngines) { p.env["DOCKER_HOST"] = "tcp://127.0.0.1:2375" }, Remote, "not on this computer"},
		"remote ssh":                 {func(p *placeOfEngines) { p.context("far", "ssh://me@far"); p.env["DOCKER_CONTEXT"] = "far" }, Remote, "not on this computer"},
		"relative":                   {func(p *placeOfEngines) { p.env["DOCKER_HOST"] = "unix://docker.sock" }, Remote, ""},
		"garbage": {func(p *placeOfEngines) {
			path, _ := p.serve("x.sock", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })
			p.env["DOCKER_HOST"] = "unix://" + path
		}, NotDocker, "not a Docker engine"},
		"errors": {func(p *placeOfEngines) {
			path, _ := p.serve("x.sock", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
			p.env["DOCKER_HOST"] = "unix://" + path
		}, NotDocker, "not a Docker engine"},
		"a file": {func(p *placeOfEngines) {
			p.write("file.sock", "")
			p.env["DOCKER_HOST"] = "unix://" + p.home + "/file.sock"
		}, NotDocker, "not a Docker engine"},
		"a folder that everybody writes": {func(p *placeOfEngines) {
			path, _ := p.serve("open/x.sock", engineNamed("x"))
			if err := os.Chmod(filepath.Dir(path), 0o777); err != nil {
				t.Fatal(err)
			}
			p.env["DOCKER_HOST"] = "unix://" + path
		}, Unsafe, "can be written by everybody"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			c.set(p)
			_, err := FindEngine(ctx, p.options())
			var e *EngineError
			if !errors.As(err, &e) || e.Kind != c.kind || !strings.Contains(err.Error(), c.text) || e.Cure() == "" {
				t.Errorf("err = %v", err)
			}
			if errors.Is(err, ErrNoEngine) {
				t.Error("it counts as no engine at all")
			}
			if _, err := Choose(ctx, "", p.options()); err == nil {
				t.Error("the process driver is chosen because an engine does not answer")
			}
		})
	}
}

func TestEngineOfAnotherUserIsSentNothing(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("this test changes owners: run the tests as root")
	}
	p := newPlace(t)
	path, requests := p.serve("theirs/x.sock", engineNamed("x"))
	if err := os.Chown(path, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	p.env["DOCKER_HOST"] = "unix://" + path
	_, err := FindEngine(testContext(t), p.options())
	var e *EngineError
	if !errors.As(err, &e) || e.Kind != Unsafe || requests.Load() != 0 {
		t.Errorf("err = %v, %d requests", err, requests.Load())
	}
	// Nor one in a folder of theirs, nor behind a link there.
	mine, requests := p.serve("mine/x.sock", engineNamed("x"))
	folder := mkdir(t, filepath.Join(p.home, "link"))
	if err := os.Symlink(mine, folder+"/x.sock"); err != nil {
		t.Fatal(err)
	}
	p.env["DOCKER_HOST"] = "unix://" + folder + "/x.sock"
	if _, err := FindEngine(testContext(t), p.options()); err != nil {
		t.Errorf("behind a link of ours: %v", err)
	}
	before := requests.Load()
	if err := os.Chown(folder, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	if _, err := FindEngine(testContext(t), p.options()); !errors.As(err, &e) || e.Kind != Unsafe || requests.Load() != before {
		t.Errorf("behind a link of theirs: %v", err)
	}
}

func TestPermissionErrorOnTheSocketNamesTheGroup(t *testing.T) {
	err := engineError(&Engine{Name: "Docker", Host: "unix:///x"}, fmt.Errorf("asking: %w", os.ErrPermission))
	var e *EngineError
	if !errors.As(err, &e) || e.Kind != Forbidden || !strings.Contains(e.Cure(), "usermod -aG docker") {
		t.Errorf("err = %v", err)
	}
	if problemOf(&os.PathError{Err: os.ErrPermission}) != Forbidden {
		t.Error("a socket that may not be opened is not told apart")
	}
}

func TestNoEngineAndMissingContextsAreTheirOwnErrors(t *testing.T) {
	ctx := testContext(t)
	p := newPlace(t)
	_, err := FindEngine(ctx, p.options())
	var none *NoEngineError
	if !errors.Is(err, ErrNoEngine) || !errors.As(err, &none) || none.Cure() == "" {
		t.Errorf("err = %v", err)
	}
	if c, err := Choose(ctx, "", p.options()); err != nil || c.Kind != KindProcess || c.Reason == "" {
		t.Errorf("Choose = %+v, %v", c, err)
	}
	if _, err := Choose(ctx, KindDocker, p.options()); !errors.Is(err, ErrNoEngine) {
		t.Errorf("Choose(docker) = %v", err)
	}
	if _, err := Choose(ctx, "podman", p.options()); err == nil {
		t.Error("an unknown setting is taken")
	}
	p.env["DOCKER_CONTEXT"] = "nowhere"
	var missing *ContextError
	if _, err := FindEngine(ctx, p.options()); !errors.As(err, &missing) || missing.Name != "nowhere" || errors.Is(err, ErrNoEngine) {
		t.Errorf("err = %v", err)
	}
	path, _ := p.serve("x.sock", engineNamed("9.9"))
	o := p.options()
	o.Host = "unix://" + path
	if c, err := Choose(ctx, "", o); err != nil || c.Kind != KindDocker || c.Engine.Version != "9.9" {
		t.Errorf("Choose = %+v, %v", c, err)
	}
	if c, err := Choose(ctx, KindProcess, o); err != nil || c.Kind != KindProcess {
		t.Errorf("Choose(process) = %+v, %v", c, err)
	}
}
