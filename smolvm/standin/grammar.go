//go:build linux

package main

import "strings"

// The command line of the four releases. A flag's "@n" is the index of the
// first release that has it (0.8.0, 1.0.2, 1.7.7, 1.9.3), as their help texts
// say; a release before it answers "unexpected argument".
type verbSpec struct {
	path  string // "machine create"
	since release
	// usage is the line of the help text; usage080 where 0.8.0 differs.
	usage, usage080 string
	flags           string
	// args names the positional arguments: "COMMAND…" takes all that is left,
	// "-- COMMAND…" only behind a double dash, "NAME080" exists in 0.8.0 alone.
	args string
	// required flags and positionals, in the order in which they are missed.
	required string
}

var verbSpecs = []verbSpec{
	{
		path: "machine run", usage: "[OPTIONS] [COMMAND]...", args: "COMMAND…",
		flags: "allow-cidr allow-host auto-graph@2 cpus cuda@2 detach dns@2 docker-config docker-socket@2 env from@1 gpu gpu-vram image interactive max-image-size@2 mem name net net-backend@1 network@3 no-init-cache@2 no-proxy@1 oci-cache@2 oci-platform outbound-localhost-only overlay port proxy@1 rebuild-init-cache@2 rosetta@2 secret-env@1 secret-file@1 smolfile ssh-agent storage timeout tty unprivileged@2 volume workdir",
	},
	{
		path: "machine create", usage: "[OPTIONS] [-- <COMMAND>...]", usage080: "[OPTIONS] [NAME]", args: "NAME080 -- COMMAND…",
		flags: "allow-cidr allow-host auto-graph@2 cpus cuda@2 dns@2 docker-socket@2 env expose-socket@2 from gpu gpu-vram image init label@3 max-image-size@2 mem mount-socket@2 name@1 net net-backend@1 network@3 outbound-localhost-only overlay port rosetta@2 secret-env@1 secret-file@1 smolfile ssh-agent storage volume workdir",
	},
	{path: "machine start", usage: "[OPTIONS]", flags: "cuda-vram-limit-mib@2 fork-pool-size@2 forkable@1 name no-proxy@1 proxy@1"},
	{path: "machine stop", usage: "[OPTIONS]", flags: "name"},
	{path: "machine delete", usage: "[OPTIONS] --name <NAME>", usage080: "[OPTIONS] <NAME>", args: "NAME080", flags: "cascade@2 force name@1", required: "name"},
	{path: "machine ls", usage: "[OPTIONS]", flags: "json verbose"},
	{
		path: "machine exec", usage: "[OPTIONS] <COMMAND>...", args: "COMMAND…", required: "COMMAND…",
		flags: "detach@2 env interactive name secret-env@1 secret-file@1 stream timeout tty workdir",
	},
	{path: "machine shell", usage: "[OPTIONS]", flags: "name"},
	{path: "machine cp", usage: "[OPTIONS] <SRC> <DST>", usage080: "<SRC> <DST>", args: "SRC DST", flags: "gid@3 mode@3 uid@3", required: "SRC DST"},
	{path: "machine status", usage: "[OPTIONS]", flags: "json name"},
	{
		path: "machine update", usage: "[OPTIONS] --name <NAME>", usage080: "[OPTIONS] <NAME>", args: "NAME080", required: "name",
		flags: "cpus env gpu mem name@1 net no-gpu no-net no-rosetta@2 overlay port remove-env remove-port remove-volume rosetta@2 storage volume workdir",
	},
	{path: "machine data-dir", usage: "--name <NAME>", usage080: "<NAME>", args: "NAME080", flags: "name@1", required: "name"},
	{path: "machine images", usage: "[OPTIONS] --name <NAME>", flags: "json name", required: "name"},
	{path: "machine prune", usage: "[OPTIONS] --name <NAME>", flags: "all dry-run name", required: "name"},
	{
		path: "machine fork", since: r102, usage: "[OPTIONS] --golden <NAME>",
		flags: "count@2 env@2 forkable@1 golden@1 hold@2 name@1 name-prefix@2 parallel@2 port@1 ready-timeout@2 secret-env@2 secret-file@2 share-weights@2 wait-ready@2", required: "golden",
	},
	{path: "machine egress-events", since: r193, usage: "[OPTIONS]", flags: "json limit name"},
	{path: "machine monitor", usage: "[OPTIONS]", flags: "health-cmd health-retries health-timeout interval name restart"},
	{
		path: "pack create", usage: "[OPTIONS] --output <PATH>", required: "output",
		flags: "cpus entrypoint from-vm gpu image mem no-proxy@1 no-sign oci-platform output proxy@1 rebase-from-image@2 single-file smolfile staging-dir@2",
	},
	{path: "pack push", usage: "--file <PATH> <REFERENCE>", args: "REFERENCE", flags: "file", required: "file REFERENCE"},
	{path: "pack pull", usage: "[OPTIONS] <REFERENCE>", args: "REFERENCE", flags: "output", required: "REFERENCE"},
	{path: "pack inspect", usage: "[OPTIONS] <REFERENCE>", args: "REFERENCE", flags: "json", required: "REFERENCE"},
	{
		path: "pack run", usage: "[OPTIONS] [COMMAND]...", args: "COMMAND…",
		flags: "auto-graph@2 cpus cuda@2 debug env force-extract info interactive mem net net-backend@1 overlay port sidecar storage timeout tty volume workdir",
	},
	{path: "pack prune", usage: "[OPTIONS]", flags: "all dry-run keep"},
}

// aliases are other names of a word at its place.
var aliases = map[string]string{"vm": "machine", "list": "ls", "rm": "delete", "sh": "shell"}

// flagKinds says how a flag is written: its short form and the name of its
// value, none for a switch. Flags that are not listed take a value named
// after themselves.
var flagKinds = map[string]struct{ short, value string }{
	"name": {"n", "NAME"}, "image": {"I", "IMAGE"}, "from": {"", "PATH"}, "smolfile": {"s", "PATH"},
	"volume": {"v", "HOST:CONTAINER[:ro]"}, "port": {"p", "HOST:GUEST"}, "env": {"e", "KEY=VALUE"},
	"workdir": {"w", "DIR"}, "timeout": {"", "DURATION"}, "allow-cidr": {"", "CIDR"}, "allow-host": {"", "HOSTNAME"},
	"output": {"o", "PATH"}, "file": {"f", "PATH"}, "from-vm": {"", "NAME"}, "golden": {"", "NAME"},
	"mount-socket": {"", "HOST_PATH:GUEST_PATH"}, "expose-socket": {"", "GUEST_PATH[:HOST_PATH]"}, "label": {"", "KEY=VALUE"},
	"staging-dir": {"", "DIR"}, "secret-env": {"", "GUEST=HOSTVAR"}, "secret-file": {"", "GUEST=PATH"},
	// Switches.
	"force": {"f", ""}, "json": {"", ""}, "verbose": {"v", ""}, "interactive": {"i", ""}, "tty": {"t", ""}, "stream": {"", ""},
	"detach": {"d", ""}, "net": {"", ""}, "no-net": {"", ""}, "gpu": {"", ""}, "no-gpu": {"", ""}, "ssh-agent": {"", ""},
	"outbound-localhost-only": {"", ""}, "cascade": {"", ""}, "rosetta": {"", ""}, "no-rosetta": {"", ""}, "cuda": {"", ""},
	"auto-graph": {"", ""}, "docker-socket": {"", ""}, "docker-config": {"", ""}, "forkable": {"", ""}, "no-proxy": {"", ""},
	"single-file": {"", ""}, "no-sign": {"", ""}, "all": {"", ""}, "dry-run": {"", ""}, "unprivileged": {"", ""},
	"hold": {"", ""}, "debug": {"", ""}, "force-extract": {"", ""}, "info": {"", ""}, "no-init-cache": {"", ""},
	"rebuild-init-cache": {"", ""}, "wait-ready": {"", ""}, "share-weights": {"", ""},
}

// flag is one option of a verb in one release.
type flag struct{ long, short, value string }

func (f flag) String() string {
	if f.value == "" {
		return "--" + f.long
	}
	return "--" + f.long + " <" + f.value + ">"
}

// flagsOf lists a verb's flags in one release.
func (v verbSpec) flagsOf(r release) []flag {
	out := []flag{{long: "help", short: "h"}}
	for _, f := range strings.Fields(v.flags) {
		long, since, ok := strings.Cut(f, "@")
		if ok && release(since[0]-'0') > r {
			continue
		}
		k, known := flagKinds[long]
		if !known {
			k.value = strings.ToUpper(strings.ReplaceAll(long, "-", "_"))
		}
		if long == "name" && v.path == "machine exec" {
			k.short = "" // exec alone has no short form
		}
		out = append(out, flag{long, k.short, k.value})
	}
	return out
}

func (v verbSpec) usageLine(r release) string {
	u := v.usage
	if r == r080 && v.usage080 != "" {
		u = v.usage080
	}
	if v.path == "machine cp" && r < r193 {
		u = v.usage080
	}
	if v.path == "machine fork" && r == r102 {
		u += " --name <NAME>"
	}
	return "smolvm " + v.path + " " + u
}
