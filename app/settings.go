package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"bottlebar.app/egress"
	"bottlebar.app/internal/atomicfile"
	"bottlebar.app/internal/fault"
)

// Settings is the settings file. Keys that this version does not know stay in
// the file untouched.
type Settings struct {
	Smolvm     string `toml:"smolvm"`      // path of the smolvm command; empty: look for it
	DockerHost string `toml:"docker_host"` // unix:// address of the engine; empty: look for it
	Driver     string `toml:"driver"`      // "docker", "process", or empty: docker where an engine is installed
	Subnet     string `toml:"subnet"`      // the sidecars' networks are cut from it
	Hop        string `toml:"hop"`         // "ssh-agent" (default) or "mount-socket"
	Permission string `toml:"permission"`  // Claude's permission mode for a launch that names none

	OptionIsMeta bool `toml:"option_is_meta"` // Option sends ESC before the key, and types no accents

	UpstreamProxy   string   `toml:"upstream_proxy"`    // "http://host:port", "none", or empty: the Mac's own
	NoUpstreamProxy []string `toml:"no_upstream_proxy"` // hosts that are reached without it
	ExtraRoots      string   `toml:"extra_roots"`       // path of a PEM file: further root certificates

	CapBottle int64 `toml:"cap_bottle"` // tokens that a bottle may take which has no cap of its own; 0: no cap
	CapDay    int64 `toml:"cap_day"`    // tokens that all bottles together may take a day; 0: no cap
	Decoys    *bool `toml:"decoys"`     // plant decoy credentials in bottles; true when absent

	Hold  bool   `toml:"hold"` // a first connection to an unlisted host waits 30 s for an answer
	Hosts []Host `toml:"host"` // what every bottle may reach besides the API
}

// Host is one allowed host, `[[host]]` in the file.
type Host struct {
	Name    string `toml:"name"`    // exact, or "*." and a domain
	Port    int    `toml:"port"`    // 443 when absent
	Private bool   `toml:"private"` // may have a private address: an exact host or address with a port
}

const settingsTemplate = `# Bottlebar's settings. Changes apply to the next launch, hosts to running bottles too.

# smolvm = "/opt/homebrew/bin/smolvm"      # the command; found by itself when absent
# docker_host = "unix:///var/run/docker.sock"
# driver = "docker"                         # or "process": the sidecar runs as a child of the app
# subnet = "10.231.0.0/16"                  # the sidecars' networks are cut from it
# hop = "ssh-agent"                         # or "mount-socket" (smolvm 1.8.0 and later)
# permission = "auto"                       # Claude's permission mode: default, acceptEdits, plan, auto, bypassPermissions

# On a Mac Option types accents. As Meta it sends what emacs, bash and readline
# expect of it. Windows that are opened from then on take it.
# option_is_meta = true

# Behind a company's proxy. When absent, the Mac's own proxy is used. A name and
# a password do not belong here: bottlebar proxy login NAME.
# upstream_proxy = "http://proxy.corp.example:3128"      # "none": straight out
# no_upstream_proxy = ["*.corp.example", "10.0.0.0/8"]   # reached without it
# extra_roots = "/etc/ssl/corp.pem"                      # root certificates of a proxy that looks into TLS
# hold = true                               # a first connection to an unlisted host waits 30 s for your answer

# Tokens at the API, cached ones included. A bottle can have a cap of its own.
# cap_bottle = 5_000_000                    # of each bottle
# cap_day = 20_000_000                      # of all bottles together, from midnight to midnight
# decoys = true                             # plant made-up credentials that shut a bottle's way out when it sends them away

# What every bottle may reach besides Anthropic's API, which goes through the
# sidecar's own route. Exact names, or "*." and a domain. The file policy.toml
# beside this one says the same and more.
# [[host]]
# name = "github.com"
#
# A company's server behind a private address, never loopback:
# [[host]]
# name = "git.corp.example"
# port = 443
# private = true
`

// readSettings reads the file, and writes a commented one where there is none.
func readSettings(path string) (Settings, error) {
	var s Settings
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, atomicfile.Write(path, []byte(settingsTemplate), 0o600)
	}
	if err != nil {
		return s, err
	}
	if err := toml.Unmarshal(b, &s); err != nil {
		var at *toml.DecodeError
		why := err.Error()
		if errors.As(err, &at) {
			row, col := at.Position()
			why = fmt.Sprintf("line %d, column %d: %s", row, col, at.Error())
		}
		return s, fault.New("reading "+path, why, "correct that line, or remove the file to start afresh")
	}
	return s, s.check(path)
}

// OptionIsMeta says whether Option on a Mac is Meta in windows that open now.
// A file that cannot be read is told of where it matters more.
func (a *App) OptionIsMeta() bool {
	s, err := a.settings()
	return err == nil && s.OptionIsMeta
}

func (s Settings) check(path string) error {
	bad := func(key, why string) error {
		return fault.New("reading "+path, key+" "+why, "correct it in the file")
	}
	switch s.Driver {
	case "", "docker", "process":
	default:
		return bad("driver", strconv.Quote(s.Driver)+" is neither docker nor process")
	}
	switch s.Hop {
	case "", "ssh-agent", "mount-socket":
	default:
		return bad("hop", strconv.Quote(s.Hop)+" is neither ssh-agent nor mount-socket")
	}
	if s.CapBottle < 0 || s.CapDay < 0 {
		return bad("cap_bottle or cap_day", "is negative")
	}
	if s.ExtraRoots != "" && !filepath.IsAbs(s.ExtraRoots) {
		return bad("extra_roots", "is not an absolute path")
	}
	if s.UpstreamProxy == noProxy {
		s.UpstreamProxy = ""
	}
	if err := (egress.Way{Proxy: s.UpstreamProxy, Direct: s.NoUpstreamProxy}).Check(); err != nil {
		return fault.Wrap(err, "reading "+path, "")
	}
	if err := s.checkHosts(bad); err != nil {
		return err
	}
	// What the sidecar would refuse is told here, and not at the end of a launch.
	if _, err := (egress.Policy{Hosts: s.rules()}).Compile(); err != nil {
		return fault.Wrap(err, "reading "+path, "")
	}
	return nil
}

// checkHosts finds what is wrong with a host by itself.
func (s Settings) checkHosts(bad func(key, why string) error) error {
	for _, h := range s.Hosts {
		if h.Name == "" {
			return bad("host", "without a name")
		}
		if h.Port < 0 || h.Port > 65535 {
			return bad("host "+h.Name, fmt.Sprintf("has port %d", h.Port))
		}
		if h.Private && (strings.HasPrefix(h.Name, "*") || h.Port == 0) {
			return bad("host "+h.Name, "is private and needs an exact name and a port")
		}
	}
	return nil
}

// rules are the hosts as the policy takes them.
func (s Settings) rules() []egress.Rule {
	rules := make([]egress.Rule, 0, len(s.Hosts))
	for _, h := range s.Hosts {
		rules = append(rules, egress.Rule{Host: h.Name, Port: uint16(h.Port), Private: h.Private}) //nolint:gosec // checked before
	}
	return rules
}
