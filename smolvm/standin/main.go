//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

// app is one run of the command.
type app struct {
	rel            release
	after193       bool // newer than all that were recorded: it acts as 1.9.3, but for what is known by reading
	version        string
	store          store
	faults         faults
	images         string // folder of root file systems for "pack create --image"
	getenv         func(string) string
	stdin          *os.File
	stdout, stderr io.Writer
	exe            string // absolute path of this command, links resolved
}

func main() {
	// The boot process and the guest are this command again.
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "_boot-vm":
			os.Exit(bootVM(os.Args[2]))
		case "_guest":
			os.Exit(guest(os.Args[2]))
		case "_cell":
			os.Exit(cell(os.Args[2:]))
		}
	}
	signal.Ignore(syscall.SIGPIPE) // a closed stdout is an error with a text
	a, err := newApp()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(a.run(os.Args[1:]))
}

func newApp() (*app, error) {
	a := &app{getenv: os.Getenv, stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, store: newStore(os.Getenv)}
	var err error
	if a.exe, err = os.Executable(); err != nil {
		return nil, err
	}
	if p, err := filepath.EvalSymlinks(a.exe); err == nil {
		a.exe = p
	}
	conf := readConf(filepath.Join(filepath.Dir(a.exe), "standin.conf"))
	pick := func(env, key, def string) string {
		if v := os.Getenv(env); v != "" {
			return v
		}
		if v := conf[key]; v != "" {
			return v
		}
		return def
	}
	a.version = pick("STANDIN_VERSION", "version", newest)
	a.images = pick("STANDIN_IMAGES", "images", "")
	if a.rel, err = behaviour(a.version); err != nil {
		return nil, err
	}
	a.after193 = isAfter(a.version)
	a.faults, err = parseFaults(pick("STANDIN_FAULT", "fault", ""))
	return a, err
}

// readConf reads key=value lines; a missing file is empty.
func readConf(path string) map[string]string {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	m := map[string]string{}
	for _, line := range strings.Split(string(raw), "\n") {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(k, "#") {
			m[strings.TrimSpace(k)] = strings.TrimSpace(v)
		}
	}
	return m
}

// run carries out one command line and returns its exit code.
func (a *app) run(argv []string) int {
	if len(argv) > 0 {
		switch argv[0] {
		case "standin":
			return a.standin(argv[1:])
		case "--version", "-V":
			if code, done := a.fault("version"); done {
				return code
			}
			fmt.Fprintf(a.stdout, "smolvm %s\n", a.version)
			return 0
		case "--help", "-h", "help":
			fmt.Fprint(a.stdout, helpTop())
			return 0
		}
	}
	p, err := parse(a.rel, argv)
	if err != nil {
		return a.fail(err)
	}
	if p.help {
		printHelp(a.stdout, a.rel, p)
		return 0
	}
	_, verb, _ := strings.Cut(p.verb, " ")
	if p.verb == "pack create" {
		verb = "pack"
	}
	if code, done := a.fault(verb); done {
		return code
	}
	code, err := a.dispatch(p)
	if err != nil {
		return a.fail(err)
	}
	return code
}

func (a *app) dispatch(p *args) (int, error) {
	switch p.verb {
	case "machine exec":
		return a.exec(p)
	case "machine shell":
		p.values["interactive"], p.values["tty"] = []string{"true"}, []string{"true"}
		p.rest = []string{"/bin/sh"}
		return a.exec(p)
	}
	verb := map[string]func(*args) error{
		"machine create": a.create, "machine start": a.start, "machine stop": a.stop, "machine delete": a.delete,
		"machine ls": a.list, "machine status": a.status, "machine cp": a.copy, "machine update": a.update,
		"machine data-dir": a.dataDir, "machine images": a.imagesOf, "machine egress-events": a.egressEvents,
		"pack create": a.packCreate, "pack prune": a.packPrune,
	}[p.verb]
	if verb == nil {
		return 0, failf("config operation failed: %s: the stand-in does not simulate this", p.verb)
	}
	return 0, verb(p)
}

// standin answers the one verb that the real command does not have; it exits
// 2 there.
func (a *app) standin(argv []string) int {
	if len(argv) == 2 && argv[0] == "--lay-root" {
		if err := layRoot(argv[1]); err != nil {
			return a.fail(err)
		}
		return 0
	}
	if len(argv) > 0 {
		return a.fail(usageError{"error: usage: smolvm standin [--lay-root DIR]\n"})
	}
	fmt.Fprintf(a.stdout, "standin %s: simulated, no VM\n", a.version)
	return 0
}

// layRoot makes an agent root as a release's archive carries one: a small
// tree that no machine may change.
func layRoot(dir string) error {
	files := map[string]string{
		"sbin/init":             "#!/bin/sh\n# Stands where the guest agent lies.\n",
		"usr/local/bin/crun":    "#!/bin/sh\n# Stands where the container runtime lies.\n",
		"etc/smolvm-agent-root": "stand-in\n",
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return ioFailure(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			return ioFailure(err)
		}
	}
	return nil
}

// failure is a runtime error of the real command: "Error: " and its text,
// exit 1.
type failure struct {
	text  string
	lower bool // "error: ", as streamed execs say it
}

func (f failure) Error() string { return f.text }

func failf(format string, a ...any) error { return failure{text: fmt.Sprintf(format, a...)} }

func ioFailure(err error) error { return failf("io operation failed: %s", osText(err)) }

// osText words an error as the real command's language does:
// "No such file or directory (os error 2)".
func osText(err error) string {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		var pe *fs.PathError
		if errors.As(err, &pe) {
			return pe.Err.Error()
		}
		return err.Error()
	}
	text := errno.Error()
	return fmt.Sprintf("%s (os error %d)", strings.ToUpper(text[:1])+text[1:], int(errno))
}

func (a *app) fail(err error) int {
	var u usageError
	if errors.As(err, &u) {
		fmt.Fprint(a.stderr, u.text)
		return 2
	}
	var f failure
	word := "Error: "
	if errors.As(err, &f) && f.lower {
		word = "error: "
	}
	fmt.Fprintf(a.stderr, "%s%s\n", word, err)
	return 1
}
