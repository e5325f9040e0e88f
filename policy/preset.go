package policy

import (
	"slices"
	"strings"

	"bottlebar.app/egress"
)

// Preset is a short named list of hosts.
type Preset struct {
	Name string // as files and commands write it: "git-hosts"
	// For says what it is for, LetsOut what can leave a bottle through it: one
	// sentence each, for people.
	For     string
	LetsOut string
	API     bool // the API by the sidecar's own route, which no host list holds
	Hosts   []egress.Rule
}

// APIPreset is the preset that is on unless something takes it away.
const APIPreset = "claude"

// plainRead is what a mirror is asked over plain HTTP.
var plainRead = []string{"GET", "HEAD"}

// presets by name. No host here is a content network's own, where whoever rents
// a place could be reached under the same name.
var presets = []Preset{
	{
		Name: APIPreset, API: true,
		For:     "Anthropic's API, by the sidecar's own route",
		LetsOut: "what Claude is asked, and what it costs; the credential stays outside",
	},
	{
		Name: "debian", For: "packages of Debian",
		LetsOut: "reads packages; the mirrors take nothing but the names that are asked for",
		Hosts: []egress.Rule{
			{Host: "deb.debian.org", Port: 80, Methods: plainRead},
			{Host: "security.debian.org", Port: 80, Methods: plainRead},
			{Host: "deb.debian.org", Port: 443},
			{Host: "security.debian.org", Port: 443},
		},
	},
	{
		Name: "git-archives", For: "archives and single files of repositories on GitHub",
		LetsOut: "reads files; nothing can be pushed through these hosts",
		Hosts:   exact("codeload.github.com", "raw.githubusercontent.com"),
	},
	{
		Name: "git-hosts", For: "clone, fetch and push over https",
		LetsOut: "reads repositories; whoever has a token can push to any repository there, and open issues and gists",
		Hosts:   exact("bitbucket.org", "codeberg.org", "github.com", "gitlab.com"),
	},
	{
		Name: "go", For: "modules and their checksums",
		LetsOut: "reads modules; the proxy asks a module's own host for it, so a made-up module name can carry data there",
		Hosts:   exact("proxy.golang.org", "sum.golang.org"),
	},
	{
		Name: "node", For: "packages of npm and releases of Node.js",
		LetsOut: "reads packages; whoever has a token can publish through registry.npmjs.org",
		Hosts:   exact("nodejs.org", "registry.npmjs.org", "registry.yarnpkg.com"),
	},
	{
		Name: "python", For: "packages of PyPI",
		LetsOut: "reads packages; publishing goes by another host, which python-publish names",
		Hosts:   exact("files.pythonhosted.org", "pypi.org"),
	},
	{
		Name: "python-publish", For: "publish packages to PyPI",
		LetsOut: "whoever has a token can publish any file as a package",
		Hosts:   exact("upload.pypi.org"),
	},
	{
		Name: "rust", For: "crates and toolchains",
		LetsOut: "reads crates; publishing goes by another host, which rust-publish names",
		Hosts:   exact("index.crates.io", "static.crates.io", "static.rust-lang.org"),
	},
	{
		Name: "rust-publish", For: "publish crates",
		LetsOut: "whoever has a token can publish any file as a crate",
		Hosts:   exact("crates.io"),
	},
}

func exact(hosts ...string) []egress.Rule {
	out := make([]egress.Rule, len(hosts))
	for i, h := range hosts {
		out[i] = egress.Rule{Host: h, Port: egress.DefaultPort}
	}
	return out
}

// Presets lists all presets, by name.
func Presets() []Preset { return slices.Clone(presets) }

// PresetOf finds a preset. Blanks and capitals in a name do not matter: "Git
// hosts" is git-hosts.
func PresetOf(name string) (Preset, bool) {
	name = strings.ToLower(strings.Join(strings.Fields(name), "-"))
	i := slices.IndexFunc(presets, func(p Preset) bool { return p.Name == name })
	if i < 0 {
		return Preset{}, false
	}
	return presets[i], true
}

// PresetsFor lists the presets that let a host be reached on a port.
func PresetsFor(host string, port int) []Preset {
	h, err := egress.ParseHost(host)
	if err != nil {
		return nil
	}
	var out []Preset
	for _, p := range presets {
		if slices.ContainsFunc(p.Hosts, func(r egress.Rule) bool { return r.Host == h.String() && int(r.Port) == port }) {
			out = append(out, p)
		}
	}
	return out
}

func presetNames() string {
	names := make([]string, len(presets))
	for i, p := range presets {
		names[i] = p.Name
	}
	return strings.Join(names, ", ")
}
