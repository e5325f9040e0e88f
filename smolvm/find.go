package smolvm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

const (
	programName  = "smolvm"
	innerName    = "smolvm-bin" // without the wrapper it does not find its libraries
	probeTimeout = 5 * time.Second
	listTimeout  = 13 * time.Second // an empty home holds no machine to wait for
)

// Install is a smolvm command that was found and answers.
type Install struct {
	Path            string // as it is called
	Version         Version
	Simulated       bool   // the stand-in: machines are no VMs
	AgentRoot       string // folder with the system that VMs boot; "" when not found
	StorageTemplate string // empty disk for pack create; "" when not found
	Notices         []Notice
}

// Refused returns the notice that forbids the use of this release, if any.
func (in *Install) Refused() (Notice, bool) {
	for _, n := range in.Notices {
		if n.Severity == Refuse {
			return n, true
		}
	}
	return Notice{}, false
}

// FindOptions are the facts that a search depends on; all are given, none is
// read from the environment.
type FindOptions struct {
	Command   string   // BOTTLEBAR_SMOLVM or the setting: a path, or a name on Path; "" searches
	Home      string   // the person's home folder
	Path      string   // PATH
	GOOS      string   // as runtime.GOOS
	GOARCH    string   // as runtime.GOARCH
	AgentRoot string   // SMOLVM_AGENT_ROOTFS
	DataHome  string   // XDG_DATA_HOME
	Env       []string // further K=V for the command, see [Home]
}

// Finder looks for the command and remembers what a file answered until its
// time or size changes. The zero value is ready; safe for concurrent use.
type Finder struct {
	Runner Runner

	mu    sync.Mutex
	known map[fileKey]answer
}

type fileKey struct {
	path  string
	size  int64
	mtime time.Time
	env   string
}

type answer struct {
	version   Version
	simulated bool
}

// Find is [Finder.Find] without memory.
func Find(ctx context.Context, o FindOptions) (*Install, error) {
	return new(Finder).Find(ctx, o)
}

// Find returns the first command that is smolvm and new enough. The error is
// a [*NotFoundError], or that of the first candidate that was none:
// [*ForeignError], [*TooOldError], [*BrokenError], or the context's.
func (f *Finder) Find(ctx context.Context, o FindOptions) (*Install, error) {
	candidates := candidates(o)
	var first error
	for _, path := range candidates {
		path, ok, err := usable(path)
		if err == nil && !ok {
			continue
		}
		if err == nil {
			var in *Install
			if in, err = f.inspect(ctx, path, o); err == nil {
				return in, nil
			}
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
	return nil, &NotFoundError{Command: o.Command, Looked: candidates}
}

// candidates lists where to look, in order. An app that was started from the
// Finder has a PATH without any folder in which smolvm is installed.
func candidates(o FindOptions) []string {
	if o.Command != "" {
		if rest, ok := strings.CutPrefix(o.Command, "~/"); ok {
			return []string{filepath.Join(o.Home, rest)}
		}
		if strings.ContainsRune(o.Command, '/') {
			return []string{o.Command}
		}
		return onPath(o.Path, o.Command)
	}
	var out []string
	if o.Home != "" {
		out = append(out, filepath.Join(o.Home, ".local/bin", programName), filepath.Join(o.Home, ".smolvm", programName))
	}
	if o.GOOS == "darwin" {
		out = append(out, "/opt/homebrew/bin/"+programName)
	}
	out = append(out, "/usr/local/bin/"+programName)
	if o.GOOS != "darwin" {
		out = append(out, "/usr/bin/"+programName)
	}
	seen := map[string]bool{}
	for _, p := range out {
		seen[p] = true
	}
	for _, p := range onPath(o.Path, programName) {
		if !seen[p] {
			seen[p] = true
			out = append(out, p)
		}
	}
	return out
}

func onPath(path, name string) []string {
	var out []string
	for _, dir := range filepath.SplitList(path) {
		if filepath.IsAbs(dir) { // a relative one depends on where we happen to be
			out = append(out, filepath.Join(dir, name))
		}
	}
	return out
}

// usable tells whether path can be called, and under which path: the wrapper
// instead of the inner binary beside it.
func usable(path string) (string, bool, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", false, nil
	}
	resolved, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", false, nil
	}
	if filepath.Base(resolved) == innerName {
		wrapper := filepath.Join(filepath.Dir(resolved), programName)
		if !executable(wrapper) {
			return "", false, &BrokenError{Path: path, Why: "is the inner program of smolvm, which does not find its libraries by itself"}
		}
		path, resolved = wrapper, wrapper
	}
	return path, executable(resolved), nil
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

func (f *Finder) inspect(ctx context.Context, path string, o FindOptions) (*Install, error) {
	a, err := f.ask(ctx, path, o.Env)
	if err != nil {
		return nil, err
	}
	if a.version.Compare(oldest) < 0 {
		return nil, &TooOldError{Path: path, Version: a.version}
	}
	in := &Install{Path: path, Version: a.version, Simulated: a.simulated, Notices: notices(a.version, o.GOOS)}
	in.AgentRoot, in.StorageTemplate = pieces(path, o)
	return in, nil
}

func (f *Finder) ask(ctx context.Context, path string, env []string) (answer, error) {
	info, err := os.Stat(path)
	if err != nil {
		return answer{}, &BrokenError{Path: path, Why: "cannot be read", Err: err}
	}
	key := fileKey{path, info.Size(), info.ModTime(), strings.Join(env, "\x00")}
	f.mu.Lock()
	a, ok := f.known[key]
	f.mu.Unlock()
	if ok {
		return a, nil
	}
	if a, err = identify(ctx, f.Runner, path, env); err != nil {
		return answer{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.known == nil {
		f.known = map[fileKey]answer{}
	}
	f.known[key] = a
	return a, nil
}

// identify asks the program who it is, in an empty home so that no state of a
// person is opened.
func identify(ctx context.Context, r Runner, path string, env []string) (a answer, err error) {
	dir, err := os.MkdirTemp("", "bottlebar-probe-")
	if err != nil {
		return a, err
	}
	defer os.RemoveAll(dir)
	home := Home{Dir: dir, Env: env}
	call := func(limit time.Duration, args ...string) (Output, error) {
		return r.Run(ctx, Job{
			Command: Command{Path: path, Args: args, Env: home.Environ(), Dir: dir},
			Timeout: limit, Limit: 64 << 10,
		})
	}
	out, err := call(probeTimeout, "--version")
	if err != nil {
		return a, broken(ctx, path, "--version", err)
	}
	line := firstLine(string(out.Stdout))
	if a.version, err = ParseVersion(line); err != nil || out.ExitCode != 0 {
		if garbage(out.Stdout) {
			return a, &BrokenError{Path: path, Why: "answers --version with bytes that are no text"}
		}
		return a, &ForeignError{Path: path, Said: clip(clean(line), 80)}
	}
	if a.version.Compare(oldest) < 0 {
		return a, nil
	}
	if out, err = call(listTimeout, "machine", "ls", "--json"); err != nil {
		return a, broken(ctx, path, "machine ls", err)
	}
	if _, err := parseList(out.Stdout); err != nil || out.ExitCode != 0 {
		return a, &ForeignError{Path: path, Said: clip(clean(line), 80), Why: "it does not list machines as smolvm does"}
	}
	// The real command knows no such verb and exits 2.
	if out, err = call(probeTimeout, "standin"); err != nil {
		return a, broken(ctx, path, "standin", err)
	}
	a.simulated = out.ExitCode == 0 && strings.HasPrefix(string(out.Stdout), "standin")
	return a, nil
}

// garbage tells bytes that no program means a person to read.
func garbage(b []byte) bool {
	if !utf8.Valid(b) || len(b) > 16<<10 {
		return true
	}
	for _, c := range b {
		if c < ' ' && c != '\n' && c != '\r' && c != '\t' && c != '\x1b' {
			return true
		}
	}
	return false
}

func broken(ctx context.Context, path, asked string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	why := "cannot be run"
	switch {
	case errors.Is(err, ErrTimeout):
		why = "does not answer " + asked
	case errors.Is(err, ErrOutput):
		why = "answers " + asked + " with endless output"
	case errors.As(err, new(*EndedError)):
		why = "crashes at " + asked
	case missing(err):
		why = "names an interpreter that is not there"
	}
	return &BrokenError{Path: path, Why: why, Err: err}
}

// pieces finds the system that VMs boot and the empty disk, where the wrapper
// script looks for them.
func pieces(path string, o FindOptions) (root, template string) {
	beside := filepath.Dir(path)
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		beside = filepath.Dir(resolved)
	}
	data := filepath.Join(o.Home, ".local/share")
	switch {
	case o.GOOS == "darwin":
		data = filepath.Join(o.Home, "Library/Application Support")
	case o.DataHome != "":
		data = o.DataHome
	}
	root = firstThat(fs.FileMode.IsDir, o.AgentRoot, filepath.Join(beside, "agent-rootfs"), filepath.Join(data, "smolvm/agent-rootfs"))
	template = firstThat(fs.FileMode.IsRegular, filepath.Join(o.Home, ".smolvm", templateName), filepath.Join(beside, templateName))
	return root, template
}

func firstThat(is func(fs.FileMode) bool, paths ...string) string {
	for _, p := range paths {
		if p == "" || !filepath.IsAbs(p) {
			continue
		}
		if info, err := os.Stat(p); err == nil && is(info.Mode()) {
			return p
		}
	}
	return ""
}

// NotFoundError says that there is no smolvm command.
type NotFoundError struct {
	Command string   // what was asked for; "" when it was searched
	Looked  []string // paths
}

func (e *NotFoundError) Error() string {
	if e.Command != "" {
		return fmt.Sprintf("there is no program at %s", clip(clean(e.Command), 200))
	}
	return "smolvm is not installed"
}

// Cure says how to get it.
func (e *NotFoundError) Cure() string {
	if e.Command != "" {
		return "Correct the path of smolvm in the settings, or leave it empty"
	}
	return "Install smolvm, or set its path in the settings"
}

// Detail lists where it was looked for.
func (e *NotFoundError) Detail() string { return "looked at " + strings.Join(e.Looked, ", ") }

// ForeignError is another program that goes by the name of smolvm.
type ForeignError struct {
	Path string
	Said string // its answer to --version, cleaned
	Why  string // what else gave it away; may be empty
}

func (e *ForeignError) Error() string {
	why := e.Why
	if why == "" {
		why = fmt.Sprintf("it answers --version with %q", e.Said)
	}
	return fmt.Sprintf("%s is another program of that name: %s", e.Path, why)
}

// Cure says how to point at the right one.
func (e *ForeignError) Cure() string {
	return "Install smolvm from smol-machines, or set its path in the settings"
}

// TooOldError is a release before 0.8.0.
type TooOldError struct {
	Path    string
	Version Version
}

func (e *TooOldError) Error() string {
	return fmt.Sprintf("%s is smolvm %v, older than %v", e.Path, e.Version, oldest)
}

// Cure names the release to install.
func (e *TooOldError) Cure() string { return updateCure }

// BrokenError is a program that hangs, crashes or answers nonsense.
type BrokenError struct {
	Path string
	Why  string // follows the path: "does not answer --version"
	Err  error  // may be nil
}

func (e *BrokenError) Error() string { return e.Path + " " + e.Why }

// Unwrap gives what the system said.
func (e *BrokenError) Unwrap() error { return e.Err }

// Cure says what to do.
func (e *BrokenError) Cure() string { return "Install smolvm again, or set its path in the settings" }
