package smolvm

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// subject puts the machine's name where the release wants it in the verbs that
// changed with 1.0.2: create, delete, update, data-dir.
func (v Version) subject(verb, name string, flags ...string) []string {
	if v.named() {
		return append([]string{"machine", verb, "--name", name}, flags...)
	}
	return append(append([]string{"machine", verb}, flags...), name)
}

func createArgs(v Version, o CreateOptions) ([]string, error) {
	check := checkCreate
	if o.Archive != "" {
		check = checkArchive
	}
	if err := check(v, o); err != nil {
		return nil, err
	}
	var flags []string
	switch {
	case o.From != "":
		flags = append(flags, "--from", o.From)
	case o.Archive != "":
		flags = append(flags, "--image", o.Archive)
	default:
		flags = append(flags, "--image", o.Image)
	}
	flags = append(flags, sizes(o.CPUs, o.MemMiB, o.StorageGiB, o.OverlayGiB)...)
	switch o.Hop {
	case HopAgent:
		flags = append(flags, "--ssh-agent")
	case HopSocket:
		flags = append(flags, "--mount-socket", o.SocketHost+":"+o.SocketGuest)
	}
	for _, c := range o.AllowCIDR {
		flags = append(flags, "--allow-cidr", c)
	}
	flags = append(flags, pairs("-e", o.Env)...)
	args := v.subject("create", o.Name, flags...)
	if len(o.Command) > 0 && v.TakesCommand(o.From != "") {
		args = append(append(args, "--"), o.Command...)
	}
	if o.Isolated {
		if err := CheckIsolation(args); err != nil {
			return nil, err
		}
	}
	return args, nil
}

func checkCreate(v Version, o CreateOptions) error {
	if err := CheckName(o.Name); err != nil {
		return err
	}
	switch {
	case (o.From == "") == (o.Image == ""):
		return fmt.Errorf("creating %s: exactly one of artifact and image is needed", o.Name)
	case o.From != "" && !filepath.IsAbs(o.From):
		return fmt.Errorf("creating %s: the path of the artifact is not absolute", o.Name)
	case o.Image != "" && !plainReference(o.Image):
		return fmt.Errorf("creating %s: %q is not an image reference", o.Name, clip(clean(o.Image), 80))
	case o.From != "" && len(o.AllowCIDR) > 0 && v.Family() != FamilyD:
		// The flag is taken there and thrown away.
		return &UnsupportedError{v, "limiting the network of a machine made from an artifact", "1.8.0"}
	}
	for _, c := range o.AllowCIDR {
		if c == "" || c[0] == '-' {
			return fmt.Errorf("creating %s: %q is not an address range", o.Name, clip(clean(c), 40))
		}
	}
	if err := checkEnv(v, o.Env); err != nil {
		return err
	}
	if o.Hop == HopSocket {
		return checkSocket(v, o)
	}
	return nil
}

// checkArchive judges a machine that is only made to be packed.
func checkArchive(v Version, o CreateOptions) error {
	if err := CheckName(o.Name); err != nil {
		return err
	}
	switch {
	case !v.PacksArchives():
		return &UnsupportedError{v, "packing an image from an archive", ""}
	case o.From != "" || o.Image != "":
		return fmt.Errorf("creating %s: exactly one of artifact and image is needed", o.Name)
	case o.Hop != HopNone || o.Isolated || len(o.AllowCIDR)+len(o.Env) > 0:
		return fmt.Errorf("creating %s: a machine of an archive has no network, no pipe and no variables", o.Name)
	case !filepath.IsAbs(o.Archive):
		return fmt.Errorf("creating %s: the path of the archive is not absolute", o.Name)
	}
	return nil
}

func checkSocket(v Version, o CreateOptions) error {
	if !v.TakesMountSocket() {
		return &UnsupportedError{v, "mounting a socket in a machine", "1.8.0"}
	}
	for _, p := range []string{o.SocketHost, o.SocketGuest} {
		if !filepath.IsAbs(p) || strings.ContainsAny(p, ":;|\x00") {
			return fmt.Errorf("creating %s: %q cannot be the path of a mounted socket", o.Name, clip(clean(p), 120))
		}
	}
	return nil
}

func updateArgs(v Version, name string, o UpdateOptions) ([]string, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	if err := checkEnv(v, o.Env); err != nil {
		return nil, err
	}
	flags := sizes(o.CPUs, o.MemMiB, o.StorageGiB, o.OverlayGiB)
	flags = append(flags, pairs("-e", o.Env)...)
	flags = append(flags, pairs("--remove-env", o.RemoveEnv)...)
	return v.subject("update", name, flags...), nil
}

// deleteArgs always forces: without, the command asks, and ends well without
// having deleted anything.
func deleteArgs(v Version, name string) []string { return v.subject("delete", name, "-f") }

func dataDirArgs(v Version, name string) []string { return v.subject("data-dir", name) }

func startArgs(name string) []string  { return []string{"machine", "start", "--name", name} }
func stopArgs(name string) []string   { return []string{"machine", "stop", "--name", name} }
func listArgs() []string              { return []string{"machine", "ls", "--json"} }
func statusArgs(name string) []string { return []string{"machine", "status", "--name", name, "--json"} }

// statusTextArgs asks for the answer in words, which looks at the machine
// afresh. Only for names that exist: it makes a folder for any other.
func statusTextArgs(name string) []string { return []string{"machine", "status", "--name", name} }

// execMode says which streams an exec connects.
type execMode int

const (
	captured    execMode = iota // stdin empty, output held back until the end, cut at 11 MiB
	streaming                   // -i: stdin forwarded, output as it comes and without a limit
	interactive                 // -i -t: under a terminal of ours
)

// execArgs returns arguments and the variables that the client itself needs.
func execArgs(v Version, name string, mode execMode, o ExecOptions, argv []string) (args, env []string, err error) {
	if err := CheckName(name); err != nil {
		return nil, nil, err
	}
	if len(argv) == 0 {
		return nil, nil, fmt.Errorf("running a command in %s: there is no command", name)
	}
	if err := checkEnv(v, o.Env); err != nil {
		return nil, nil, err
	}
	args = []string{"machine", "exec", "--name", name}
	switch mode {
	case streaming:
		args = append(args, "-i")
	case interactive:
		args = append(args, "-i", "-t")
		o.Env = withTerm(o.Env)
	}
	if o.Workdir != "" {
		args = append(args, "-w", o.Workdir)
	}
	if o.Timeout > 0 {
		args = append(args, "--timeout", duration(o.Timeout))
	}
	args = append(args, pairs("-e", o.Env)...)
	flags, env, err := secretArgs(v, o.Secrets)
	if err != nil {
		return nil, nil, err
	}
	args = append(append(args, flags...), "--")
	return append(args, argv...), env, nil
}

// withTerm says which terminal is behind the PTY: releases before 1.7.6 leave
// TERM unset, and then not even backspace works.
func withTerm(env []string) []string {
	for _, kv := range env {
		if strings.HasPrefix(kv, "TERM=") {
			return env
		}
	}
	return append([]string{"TERM=xterm-256color", "COLORTERM=truecolor"}, env...)
}

// secretArgs hands values over in the client's environment. From 1.0.0 on the
// variable there can have a name of its own, so that no secret, whatever its
// name, changes how the client works.
func secretArgs(v Version, secrets []Secret) (flags, env []string, err error) {
	if len(secrets) > 0 && v.Family() == FamilyA {
		return nil, nil, &UnsupportedError{v, "handing over a variable unseen", "0.8.1"}
	}
	for i, s := range secrets {
		if err := checkEnv(v, []string{s.Name + "=" + s.Value}); err != nil {
			return nil, nil, err
		}
		if v.AtLeast(1, 0, 0) {
			host := "BOTTLEBAR_SECRET_" + strconv.Itoa(i)
			flags = append(flags, "--secret-env", s.Name+"="+host)
			env = append(env, host+"="+s.Value)
			continue
		}
		if steersClient(s.Name) {
			return nil, nil, fmt.Errorf("variable %s would change how smolvm itself works", s.Name)
		}
		flags = append(flags, "-e", s.Name)
		env = append(env, s.Name+"="+s.Value)
	}
	return flags, env, nil
}

func steersClient(name string) bool {
	switch name {
	case "HOME", "PATH", "LANG", "TMPDIR", "RUST_LOG", "SSH_AUTH_SOCK", "DOCKER_CONFIG":
		return true
	}
	for _, p := range []string{"SMOLVM_", "XDG_", "LD_", "DYLD_", "LC_", "RUST_", "BASH_"} {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

// maxEnv is the longest value that releases to 1.0.2 hand over.
const maxEnv = 32768

// checkEnv refuses what smolvm would drop without a word.
func checkEnv(v Version, env []string) error {
	for _, kv := range env {
		k, val, ok := strings.Cut(kv, "=")
		switch {
		case !ok || k == "":
			return fmt.Errorf("%q is not NAME=VALUE", clip(clean(k), 40))
		case strings.ContainsRune(kv, 0):
			return fmt.Errorf("variable %s holds a NUL byte", clip(clean(k), 40))
		case len(val) > maxEnv && !v.AtLeast(1, 0, 3):
			return fmt.Errorf("variable %s is longer than the %d bytes that smolvm %v takes", clip(clean(k), 40), maxEnv, v)
		}
	}
	return nil
}

func copyInArgs(v Version, name, host, guest string, o CopyOptions) []string {
	args := []string{"machine", "cp"}
	if v.AtLeast(1, 9, 0) {
		if o.Mode != 0 {
			args = append(args, "--mode", strconv.FormatUint(uint64(o.Mode.Perm()), 8))
		}
		if o.UID != 0 || o.GID != 0 {
			args = append(args, "--uid", strconv.Itoa(o.UID), "--gid", strconv.Itoa(o.GID))
		}
	}
	return append(args, host, name+":"+guest)
}

func copyOutArgs(name, guest, host string) []string {
	return []string{"machine", "cp", name + ":" + guest, host}
}

func packArgs(v Version, o PackOptions) []string {
	args := []string{"pack", "create", "--image", o.Image, "-o", o.base()}
	if o.Archive != "" {
		args = []string{"pack", "create", "--from-vm", packMachine, "-o", o.base()}
	}
	args = append(args, sizes(o.CPUs, o.MemMiB, 0, 0)...)
	if o.Platform != "" && o.Archive == "" {
		args = append(args, "--oci-platform", o.Platform)
	}
	if o.StagingDir != "" && v.AtLeast(1, 2, 0) {
		args = append(args, "--staging-dir", o.StagingDir)
	}
	return args
}

func sizes(cpus, mem, storage, overlay int) []string {
	var out []string
	for _, s := range []struct {
		flag string
		n    int
	}{{"--cpus", cpus}, {"--mem", mem}, {"--storage", storage}, {"--overlay", overlay}} {
		if s.n != 0 {
			out = append(out, s.flag, strconv.Itoa(s.n))
		}
	}
	return out
}

func pairs(flag string, values []string) []string {
	out := make([]string, 0, 2*len(values))
	for _, v := range values {
		out = append(out, flag, v)
	}
	return out
}

// duration writes d the way smolvm reads it, which wants a unit and no zero.
func duration(d time.Duration) string {
	if d%time.Second == 0 {
		return strconv.FormatInt(int64(d/time.Second), 10) + "s"
	}
	return strconv.FormatInt(max(1, d.Milliseconds()), 10) + "ms"
}

// plainReference tells whether s can be an image reference; the registry
// judges the rest.
func plainReference(s string) bool {
	if s == "" || len(s) > 1024 || s[0] == '-' {
		return false
	}
	for _, r := range s {
		if r <= ' ' || r > '~' {
			return false
		}
	}
	return true
}
