package sidecar

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/docker/docker/client"
)

// Engine is a Docker engine that may be used.
type Engine struct {
	Host    string // "unix:///…"
	Source  string // what named it: "setting", "DOCKER_HOST", "context colima", "known socket"
	Name    string // "Docker Desktop", "OrbStack", "Colima", "Rancher Desktop", "Podman", "Lima" or "Docker"
	Version string
	API     string // newest version of the API that it speaks
	Arch    string // its containers', in GOARCH spelling
}

// String is how Setup shows it: "Docker 28.5.1 (context colima)".
func (e *Engine) String() string {
	return fmt.Sprintf("%s %s (%s)", e.Name, e.Version, e.Source)
}

// FindOptions are where FindEngine looks.
type FindOptions struct {
	// Host is the setting, or BOTTLEBAR_DOCKER_HOST; empty means: look.
	Host   string
	Home   string              // the person's home folder
	UID    int                 // the person's user id
	GOOS   string              // empty means this system's
	Getenv func(string) string // nil means os.Getenv
	// Root is put in front of the system's own paths; tests set it.
	Root string
}

func (o FindOptions) env(name string) string {
	if o.Getenv != nil {
		return o.Getenv(name)
	}
	return os.Getenv(name)
}

func (o FindOptions) goos() string {
	if o.GOOS != "" {
		return o.GOOS
	}
	return runtime.GOOS
}

// askTimeout is how long an engine may take to say what it is. Engines that
// wake up inside a VM are slow at first.
const askTimeout = 5 * time.Second

// FindEngine returns the engine to use: the setting's, else DOCKER_HOST's,
// else the one of DOCKER_CONTEXT or of Docker's current context, else the
// first of the known sockets that answers. What is named and does not answer
// is an error, never a reason to look further. The errors are *NoEngineError,
// *EngineError and *ContextError.
func FindEngine(ctx context.Context, o FindOptions) (*Engine, error) {
	host, source, err := o.named()
	if err != nil {
		return nil, err
	}
	if host != "" {
		return o.ask(ctx, host, source)
	}
	return o.search(ctx)
}

// named returns the host that somebody chose, and who.
func (o FindOptions) named() (host, source string, err error) {
	if o.Host != "" {
		return o.Host, "setting", nil
	}
	if h := o.env("DOCKER_HOST"); h != "" {
		return h, "DOCKER_HOST", nil
	}
	name := o.env("DOCKER_CONTEXT")
	if name == "" {
		name = o.currentContext()
	}
	if name == "" || name == "default" {
		return "", "", nil
	}
	host, err = o.contextHost(name)
	return host, "context " + name, err
}

// search tries the known sockets. One that exists without an answer, which a
// stopped engine leaves behind, is remembered for the error.
func (o FindOptions) search(ctx context.Context) (*Engine, error) {
	var first error
	for _, k := range o.known() {
		if _, err := os.Stat(k.path); err != nil {
			if os.IsPermission(err) && first == nil {
				first = &EngineError{Kind: Forbidden, Name: k.name, Host: "unix://" + k.path, Err: err}
			}
			continue
		}
		e, err := o.ask(ctx, "unix://"+k.path, "known socket")
		if err == nil {
			return e, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if first == nil {
			first = err
		}
	}
	if first != nil {
		return nil, first
	}
	if name := o.installed(); name != "" {
		return nil, &EngineError{Kind: Asleep, Name: name, Err: errors.New("there is no socket")}
	}
	return nil, &NoEngineError{goos: o.goos()}
}

type knownSocket struct{ path, name string }

// known are the sockets of the engines that people use, in the order in which
// they are tried.
func (o FindOptions) known() []knownSocket {
	var out []knownSocket
	add := func(name string, paths ...string) {
		for _, p := range paths {
			out = append(out, knownSocket{p, name})
		}
	}
	if o.Home != "" {
		in := func(p string) string { return filepath.Join(o.Home, p) }
		add("Docker Desktop", in(".docker/run/docker.sock"), in(".docker/desktop/docker.sock"))
		add("OrbStack", in(".orbstack/run/docker.sock"))
		add("Colima", in(".colima/default/docker.sock"))
		profiles, _ := filepath.Glob(in(".config/colima/*/docker.sock"))
		add("Colima", profiles...)
		add("Rancher Desktop", in(".rd/docker.sock"))
		add("Lima", in(".lima/docker/sock/docker.sock"))
		add("Podman", in(".local/share/containers/podman/machine/podman.sock"))
	}
	if tmp := o.env("TMPDIR"); tmp != "" {
		paths, _ := filepath.Glob(filepath.Join(tmp, "podman", "*api.sock"))
		add("Podman", paths...)
	}
	add("Docker", o.Root+"/var/run/docker.sock")
	if run := o.env("XDG_RUNTIME_DIR"); run != "" {
		add("Docker", filepath.Join(run, "docker.sock"))
		add("Podman", filepath.Join(run, "podman/podman.sock"))
	}
	return out
}

// installed names an engine that lies on the disk, for when none has a socket.
func (o FindOptions) installed() string {
	programs := []knownSocket{
		{"/usr/bin/dockerd", "Docker"},
		{"/usr/sbin/dockerd", "Docker"},
		{"/usr/local/bin/dockerd", "Docker"},
	}
	if o.goos() == "darwin" {
		programs = []knownSocket{
			{"/Applications/Docker.app", "Docker Desktop"},
			{"/Applications/OrbStack.app", "OrbStack"},
			{"/Applications/Rancher Desktop.app", "Rancher Desktop"},
			{"/opt/homebrew/bin/colima", "Colima"},
			{"/usr/local/bin/colima", "Colima"},
		}
	}
	for _, p := range programs {
		if _, err := os.Stat(o.Root + p.path); err == nil {
			return p.name
		}
	}
	return ""
}

// nameOf guesses from a socket's path whose it is.
func (o FindOptions) nameOf(path string) string {
	for _, k := range o.known() {
		if k.path == path {
			return k.name
		}
	}
	for part, name := range map[string]string{
		"/.colima/": "Colima", "/colima/": "Colima", "/.orbstack/": "OrbStack", "/.rd/": "Rancher Desktop",
		"/.lima/": "Lima", "podman": "Podman", "/.docker/": "Docker Desktop",
	} {
		if strings.Contains(path, part) {
			return name
		}
	}
	return "Docker"
}

// ask looks at the socket before anything is sent to it, then asks the engine
// what it is.
func (o FindOptions) ask(ctx context.Context, host, source string) (*Engine, error) {
	path, ok := strings.CutPrefix(host, "unix://")
	if !ok || !filepath.IsAbs(path) {
		return nil, &EngineError{Kind: Remote, Name: source, Host: host}
	}
	fail := func(kind EngineProblem, err error) error {
		return &EngineError{Kind: kind, Name: o.nameOf(path), Host: host, Source: source, Err: err}
	}
	if err := trustedSocket(path, o.UID); err != nil {
		return nil, fail(problemOf(err), err)
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
	if err != nil {
		return nil, fail(problemOf(err), err)
	}
	conn.Close()
	cli, err := client.NewClientWithOpts(client.WithHost(host), client.WithAPIVersionNegotiation())
	if err != nil {
		return nil, fail(NotDocker, err)
	}
	defer cli.Close()
	v, err := cli.ServerVersion(ctx)
	switch {
	case err != nil && (ctx.Err() != nil || client.IsErrConnectionFailed(err)):
		return nil, fail(Asleep, err)
	case err != nil:
		return nil, fail(NotDocker, err)
	case v.Version == "" || v.Os != "linux" || v.Arch == "":
		return nil, fail(NotDocker, errors.New("its answer makes no sense"))
	}
	return &Engine{
		Host: host, Source: source, Name: o.nameOf(path), Version: clean(v.Version), API: clean(v.APIVersion), Arch: goarch(v.Arch),
	}, nil
}

func goarch(arch string) string {
	switch arch {
	case "x86_64":
		return "amd64"
	case "aarch64":
		return "arm64"
	}
	return clean(arch)
}
