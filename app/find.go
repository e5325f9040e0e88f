package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"runtime"
	"strings"
	"time"

	"bottlebar.app/bottle"
	"bottlebar.app/credential"
	"bottlebar.app/egress"
	"bottlebar.app/hop"
	"bottlebar.app/internal/fault"
	"bottlebar.app/sidecar"
	"bottlebar.app/smolvm"
)

// install finds smolvm for a launch.
func (a *App) install(ctx context.Context) (*smolvm.Install, error) {
	s, err := a.settings()
	if err != nil {
		return nil, err
	}
	command := a.o.Getenv("BOTTLEBAR_SMOLVM")
	if command == "" {
		command = s.Smolvm
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return nil, err
	}
	return a.finder.Find(ctx, smolvm.FindOptions{
		Command: command, Home: home, Path: a.o.Getenv("PATH"), GOOS: runtime.GOOS, GOARCH: runtime.GOARCH,
		AgentRoot: a.o.Getenv("SMOLVM_AGENT_ROOTFS"), DataHome: a.o.Getenv("XDG_DATA_HOME"), Env: standinEnv(a.o.Getenv),
	})
}

// standinEnv passes on what the stand-in command is told by its environment;
// the real one does not know these names.
func standinEnv(getenv func(string) string) []string {
	var env []string
	for _, k := range []string{"STANDIN_VERSION", "STANDIN_FAULT", "STANDIN_IMAGES"} {
		if v := getenv(k); v != "" {
			env = append(env, k+"="+v)
		}
	}
	return env
}

// sidecars returns the fleet, on the engine that is there now or as a child
// process. It is made once; until that succeeds each call tries again.
func (a *App) sidecars(ctx context.Context) (*sidecar.Fleet, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.fleet != nil {
		return a.fleet, nil
	}
	choice, err := a.choose(ctx)
	if err != nil {
		return nil, err
	}
	s, err := a.settings()
	if err != nil {
		return nil, err
	}
	var d sidecar.Driver
	if choice.Kind == sidecar.KindDocker {
		d, err = sidecar.NewDocker(choice.Engine, sidecar.DockerOptions{App: Instance(a.paths.State), Binaries: a.o.Binaries, Subnet: s.Subnet, Log: a.log})
	} else {
		p := sidecar.ProcessOptions{Binaries: a.o.Binaries, Log: a.log}
		if len(a.o.Sidecar) > 0 {
			p.Path, p.Args = a.o.Sidecar[0], a.o.Sidecar[1:]
		}
		d, err = sidecar.NewProcess(p)
	}
	if err != nil {
		return nil, err
	}
	a.choice = choice
	a.fleet = sidecar.NewFleet(d, sidecar.FleetOptions{Beat: a.beat, Log: a.log})
	return a.fleet, nil
}

func (a *App) choose(ctx context.Context) (sidecar.Choice, error) {
	o, driver, err := a.engineOptions()
	if err != nil {
		return sidecar.Choice{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	return sidecar.Choose(ctx, driver, o)
}

// engineOptions says where an engine is looked for, and what the settings say
// of how sidecars run.
func (a *App) engineOptions() (o sidecar.FindOptions, driver string, err error) {
	s, err := a.settings()
	if err != nil {
		return o, "", err
	}
	host := a.o.Getenv("BOTTLEBAR_DOCKER_HOST")
	if host == "" {
		host = s.DockerHost
	}
	home, err := os.UserHomeDir()
	return sidecar.FindOptions{Host: host, Home: home, UID: os.Getuid(), GOOS: runtime.GOOS, Getenv: a.o.Getenv}, s.Driver, err
}

// Instance names the owner of a state folder on an engine, so that two owners
// with different folders leave each other's sidecars alone.
func Instance(state string) string {
	sum := sha256.Sum256([]byte(state))
	return hex.EncodeToString(sum[:8])
}

func (a *App) pipe() hop.Pipe {
	if s, err := a.settings(); err == nil && s.Hop == "mount-socket" {
		return hop.MountSocket{}
	}
	return hop.AgentSocket{}
}

func (a *App) permission() string {
	s, err := a.settings()
	if err != nil {
		return ""
	}
	return s.Permission
}

// credential is what the sidecar adds to API requests; nil when none is set.
func (a *App) credential(ctx context.Context) (*egress.Credential, error) {
	c, err := a.creds.Get(ctx)
	if errors.Is(err, credential.ErrNotSet) {
		return nil, nil
	}
	if err != nil {
		// Without a keychain a launch still works; the API route answers a 403
		// that names the cure.
		a.log.Warn("reading the credential", "error", err)
		return nil, nil
	}
	return &egress.Credential{Kind: egress.CredentialKind(c.Kind), Secret: c.Secret.Reveal()}, nil
}

// testUpstream sends the API route to a fake, only with a credential from the
// environment: the person's own is never sent to a test server.
func testUpstream(getenv func(string) string, given bool) (*bottle.Upstream, error) {
	url := getenv("BOTTLEBAR_TEST_UPSTREAM")
	if url == "" {
		return nil, nil
	}
	if !given {
		return nil, fault.New("using BOTTLEBAR_TEST_UPSTREAM", "the credential does not come from the environment", "set CLAUDE_CODE_OAUTH_TOKEN or ANTHROPIC_API_KEY to a made-up one")
	}
	u := &bottle.Upstream{URL: url}
	if root := getenv("BOTTLEBAR_TEST_ROOT"); root != "" {
		if !strings.Contains(root, "BEGIN CERTIFICATE") {
			b, err := os.ReadFile(root)
			if err != nil {
				return nil, fault.Wrap(err, "reading BOTTLEBAR_TEST_ROOT", "name a PEM file")
			}
			root = string(b)
		}
		u.Roots = root
	}
	return u, nil
}
