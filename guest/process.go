package guest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"bottlebar.app/hop"
	"bottlebar.app/internal/frame"
)

// defaultPath is searched where neither request nor artifact sets PATH.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Bounds of a request for a process.
const (
	maxArgs = 1024
	maxEnv  = 512
)

// spec is a process to start.
type spec struct {
	argv    []string
	env     []string
	workdir string
	user    string
	makeDir bool
	tty     bool
}

// command prepares a process as its user. It is in a session of its own, so
// that it can be ended with its children.
func (h *helper) command(s spec) (*exec.Cmd, error) {
	if len(s.argv) == 0 || s.argv[0] == "" || len(s.argv) > maxArgs || len(s.env) > maxEnv {
		return nil, refuse("a command needs 1 to %d arguments and at most %d variables", maxArgs, maxEnv)
	}
	for _, a := range slices.Concat(s.argv, s.env) {
		if strings.ContainsRune(a, 0) {
			return nil, refuse("arguments and variables cannot hold a zero byte")
		}
	}
	acc, err := h.account(s.user)
	if err != nil {
		return nil, err
	}
	dir, err := acc.place(s.workdir)
	if err != nil {
		return nil, err
	}
	if s.makeDir {
		if err := makeFolder(dir, acc); err != nil {
			return nil, remote(err, "making the folder")
		}
	}
	if fi, err := os.Stat(dir); err != nil || !fi.IsDir() {
		return nil, &hop.RemoteError{Code: hop.CodeNoFolder, Message: fmt.Sprintf("the folder %s is not there", hop.Clean(dir, 200))}
	}
	env := h.environ(acc, s)
	path, err := search(s.argv[0], dir, value(env, "PATH"))
	if err != nil {
		return nil, err
	}
	cmd := &exec.Cmd{Path: path, Args: s.argv, Env: env, Dir: dir}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := become(cmd.SysProcAttr, acc); err != nil {
		return nil, err
	}
	return cmd, nil
}

// become makes a process run as acc. Without root it can only stay itself.
func become(attr *syscall.SysProcAttr, acc account) error {
	if os.Geteuid() != 0 {
		if int(acc.UID) != os.Geteuid() {
			return &hop.RemoteError{Code: hop.CodeDenied, Message: errNoRoot.Error()}
		}
		return nil
	}
	attr.Credential = &syscall.Credential{Uid: acc.UID, Gid: acc.GID, Groups: acc.groups}
	return nil
}

// environ is what a process of acc starts with: the artifact's variables,
// the user's, the request's. The forwarded agent is our pipe and nobody's
// agent, so its variable never gets through.
func (h *helper) environ(acc account, s spec) []string {
	shell := acc.Shell
	if shell == "" {
		shell = "/bin/sh"
	}
	home, _ := acc.place("")
	env := slices.Clone(h.opts.Env)
	env = set(env, "HOME="+home, "USER="+acc.Name, "LOGNAME="+acc.Name, "SHELL="+shell)
	if value(env, "PATH") == "" {
		env = set(env, "PATH="+defaultPath)
	}
	if s.tty && !slices.ContainsFunc(s.env, func(kv string) bool { return strings.HasPrefix(kv, "TERM=") }) {
		env = set(env, "TERM=xterm-256color")
	}
	env = set(env, s.env...)
	return slices.DeleteFunc(env, func(kv string) bool { return strings.HasPrefix(kv, "SSH_AUTH_SOCK=") })
}

// set replaces or adds variables.
func set(env []string, kvs ...string) []string {
	for _, kv := range kvs {
		name, _, ok := strings.Cut(kv, "=")
		if !ok || name == "" {
			continue
		}
		env = slices.DeleteFunc(env, func(old string) bool { return strings.HasPrefix(old, name+"=") })
		env = append(env, kv)
	}
	return env
}

func value(env []string, name string) string {
	for _, kv := range env {
		if v, ok := strings.CutPrefix(kv, name+"="); ok {
			return v
		}
	}
	return ""
}

// search finds a command as a shell would.
func search(name, dir, path string) (string, error) {
	if strings.Contains(name, "/") {
		full := name
		if !filepath.IsAbs(name) {
			full = filepath.Join(dir, name)
		}
		return full, runnable(full, name)
	}
	for _, d := range filepath.SplitList(path) {
		if d == "" || !filepath.IsAbs(d) {
			d = filepath.Join(dir, d)
		}
		full := filepath.Join(d, name)
		if runnable(full, name) == nil {
			return full, nil
		}
	}
	return "", notFound(name)
}

func notFound(name string) error {
	return &hop.RemoteError{Code: hop.CodeNotFound, Message: fmt.Sprintf("the bottle has no command %q", hop.Clean(name, 200))}
}

func runnable(full, name string) error {
	fi, err := os.Stat(full)
	if err != nil {
		return notFound(name)
	}
	if fi.IsDir() || fi.Mode()&0o111 == 0 {
		return &hop.RemoteError{Code: hop.CodeNotExec, Message: fmt.Sprintf("%s cannot be run", hop.Clean(name, 200))}
	}
	return nil
}

// started words the failure of a start, which came after the search.
func started(err error, name string) error {
	if err == nil {
		return nil
	}
	code, why := hop.CodeNotExec, err.Error()
	var errno syscall.Errno
	if errors.As(err, &errno) {
		why = errno.Error()
		if errno == syscall.ENOENT {
			code, why = hop.CodeNotFound, "the interpreter it names is not there"
		}
	}
	return &hop.RemoteError{Code: code, Message: fmt.Sprintf("%s cannot be run: %s", hop.Clean(name, 200), why)}
}

// ended turns a process's end into a status: its code, or 128+N.
func ended(state *os.ProcessState) frame.Status {
	ws, ok := state.Sys().(syscall.WaitStatus)
	if ok && ws.Signaled() {
		return frame.Status{Code: 128 + int(ws.Signal()), Signal: signalName(ws.Signal())}
	}
	return frame.Status{Code: state.ExitCode()}
}

// signals are those that a request may send, by the names that shells use.
var signals = map[string]syscall.Signal{
	"HUP": syscall.SIGHUP, "INT": syscall.SIGINT, "QUIT": syscall.SIGQUIT, "KILL": syscall.SIGKILL,
	"TERM": syscall.SIGTERM, "USR1": syscall.SIGUSR1, "USR2": syscall.SIGUSR2, "STOP": syscall.SIGSTOP,
	"CONT": syscall.SIGCONT, "TSTP": syscall.SIGTSTP, "WINCH": syscall.SIGWINCH, "ALRM": syscall.SIGALRM,
	"PIPE": syscall.SIGPIPE, "ABRT": syscall.SIGABRT, "SEGV": syscall.SIGSEGV, "BUS": syscall.SIGBUS,
	"FPE": syscall.SIGFPE, "ILL": syscall.SIGILL, "TRAP": syscall.SIGTRAP,
}

func signalName(s syscall.Signal) string {
	for name, sig := range signals {
		if sig == s {
			return name
		}
	}
	return strconv.Itoa(int(s))
}

// signalTree sends a signal to a session's leader's group, and to what else
// is in the session by the process list: background jobs of a shell have
// groups of their own.
func signalTree(leader int, sig syscall.Signal) {
	_ = syscall.Kill(-leader, sig)
	for _, pid := range sessionMembers(leader) {
		_ = syscall.Kill(pid, sig)
	}
}

// sessionMembers lists the processes of a session, its leader left out.
func sessionMembers(leader int) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == leader {
			continue
		}
		b, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue
		}
		if sid, ok := statSession(string(b)); ok && sid == leader {
			pids = append(pids, pid)
		}
	}
	return pids
}

// statSession reads the session from a line of /proc/PID/stat: after the
// name in brackets, which may hold anything, come state, parent, group and
// session (proc(5)).
func statSession(line string) (int, bool) {
	_, rest, ok := strings.Cut(line[strings.LastIndexByte(line, ')')+1:], " ")
	f := strings.Fields(rest)
	if !ok || len(f) < 4 {
		return 0, false
	}
	sid, err := strconv.Atoi(f[3])
	return sid, err == nil
}

// makeFolder makes what is missing of a path, each part owned by acc.
func makeFolder(dir string, acc account) error {
	fi, err := os.Stat(dir)
	if err == nil && fi.IsDir() {
		return nil
	}
	if err == nil {
		return &hop.RemoteError{Code: hop.CodeNoFolder, Message: hop.Clean(dir, 200) + " is there and is not a folder"}
	}
	if parent := filepath.Dir(dir); parent != dir {
		if err := makeFolder(parent, acc); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return nil
		}
		return err
	}
	if os.Geteuid() != 0 {
		return nil
	}
	return os.Lchown(dir, int(acc.UID), int(acc.GID))
}

func refuse(format string, args ...any) error {
	return &hop.RemoteError{Code: hop.CodeRefused, Message: fmt.Sprintf(format, args...)}
}

// remote gives an error of the system a code that the app can branch on.
func remote(err error, what string) error {
	var re *hop.RemoteError
	if errors.As(err, &re) {
		return err
	}
	code := hop.CodeInternal
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		code = hop.CodeNoSpace
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		code = hop.CodeDenied
	case errors.Is(err, fs.ErrNotExist):
		code = hop.CodeNotFound
	}
	return &hop.RemoteError{Code: code, Message: fmt.Sprintf("%s: %v", what, err)}
}

// fail is a failure frame for err.
func fail(w *frame.Writer, err error) {
	re := &hop.RemoteError{Message: err.Error(), Code: hop.CodeInternal}
	_ = errors.As(err, &re)
	_ = w.WriteJSON(frame.Error, frame.Failure{Message: hop.Clean(re.Message, 500), Code: re.Code})
}
