//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"bottlebar.app/smolvm/artifact/build"
)

// built are the programs that the tests run, and the artifacts, each made
// once.
var built struct {
	command, sockt string

	mu        sync.Mutex
	artifacts map[string][]byte // by command line
}

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "standin-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	built.command, built.sockt = filepath.Join(dir, "smolvm"), filepath.Join(dir, "sockt")
	for out, pkg := range map[string]string{built.command: ".", built.sockt: "./testdata/sockt"} {
		cmd := exec.Command("go", "build", "-o", out, pkg)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if said, err := cmd.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "building %s: %v\n%s", pkg, err, said)
			return 1
		}
	}
	return m.Run()
}

// install is one copy of the command with its own HOME and working folder.
type install struct {
	t       *testing.T
	command string
	version string
	home    string
	work    string
	env     []string
}

// newInstall lays the command beside an agent root; bare leaves that out.
func newInstall(t *testing.T, version string, bare bool) *install {
	t.Helper()
	// A short path, since agent.sock lies deep below HOME.
	dir, err := os.MkdirTemp("/tmp", "si")
	if err != nil {
		t.Fatal(err)
	}
	in := &install{t: t, version: version, command: filepath.Join(dir, "bin/smolvm"), home: filepath.Join(dir, "h"), work: filepath.Join(dir, "w")}
	for _, d := range []string{filepath.Dir(in.command), in.home, in.work} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(built.command, in.command); err != nil {
		raw, err := os.ReadFile(built.command)
		if err == nil {
			err = os.WriteFile(in.command, raw, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if !bare {
		if err := layRoot(filepath.Join(dir, "bin/agent-rootfs")); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		sweep(t, dir)
		os.RemoveAll(dir)
	})
	return in
}

// sweep kills the boot processes of machines below dir, and theirs with them.
func sweep(t *testing.T, dir string) {
	for _, pid := range processes(dir) {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	eventually(t, "the machines' processes end", func() bool { return len(processes(dir)) == 0 })
}

// processes lists those that were started for a machine below dir.
func processes(dir string) []int {
	var out []int
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range files {
		raw, _ := os.ReadFile(f)
		args := strings.Split(string(raw), "\x00")
		if len(args) < 3 || args[1] != "_boot-vm" && args[1] != "_guest" || !strings.HasPrefix(args[2], dir) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(f))); err == nil && startOf(pid) != 0 {
			out = append(out, pid)
		}
	}
	return out
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	look, limit := time.NewTicker(10*time.Millisecond), time.After(15*time.Second)
	defer look.Stop()
	for !ok() {
		select {
		case <-look.C:
		case <-limit:
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

type result struct {
	exit           int // -N when killed by signal N
	stdout, stderr string
}

func (in *install) cmd(stdin string, argv ...string) (*exec.Cmd, *bytes.Buffer, *bytes.Buffer) {
	c := exec.Command(in.command, argv...)
	c.Dir = in.work
	c.Env = append([]string{"HOME=" + in.home, "PATH=" + os.Getenv("PATH"), "STANDIN_VERSION=" + in.version, "STANDIN_ARCH=amd64"}, in.env...)
	c.Stdin = strings.NewReader(stdin)
	if stdin == "" {
		c.Stdin = nil // /dev/null
	}
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	return c, &out, &errs
}

func (in *install) run(stdin string, argv ...string) result {
	in.t.Helper()
	c, out, errs := in.cmd(stdin, argv...)
	return in.wait(c, out, errs)
}

func (in *install) wait(c *exec.Cmd, out, errs *bytes.Buffer) result {
	in.t.Helper()
	if c.Process == nil {
		if err := c.Start(); err != nil {
			in.t.Fatal(err)
		}
	}
	limit := time.AfterFunc(60*time.Second, func() { c.Process.Kill() })
	defer limit.Stop()
	err := c.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		in.t.Fatal(err)
	}
	code := c.ProcessState.ExitCode()
	if ws := c.ProcessState.Sys().(syscall.WaitStatus); ws.Signaled() {
		code = -int(ws.Signal())
	}
	return result{code, out.String(), errs.String()}
}

// ok runs and wants exit 0; it returns stdout.
func (in *install) ok(argv ...string) string {
	in.t.Helper()
	r := in.run("", argv...)
	if r.exit != 0 {
		in.t.Fatalf("%q: exit %d\nstdout %q\nstderr %q", argv, r.exit, r.stdout, r.stderr)
	}
	return r.stdout
}

// sh runs a line in machine m.
func (in *install) sh(line string) string {
	in.t.Helper()
	return in.ok("machine", "exec", "--name", "m", "--", "sh", "-c", line)
}

// guestArtifact writes an artifact with busybox, sockt and a user of id 1000.
func guestArtifact(t *testing.T, path string, cmd []string) {
	t.Helper()
	built.mu.Lock()
	defer built.mu.Unlock()
	key := strings.Join(cmd, " ")
	if built.artifacts[key] == nil {
		if built.artifacts == nil {
			built.artifacts = map[string][]byte{}
		}
		built.artifacts[key] = newGuestArtifact(t, cmd)
	}
	if err := os.WriteFile(path, built.artifacts[key], 0o644); err != nil {
		t.Fatal(err)
	}
}

func newGuestArtifact(t *testing.T, cmd []string) []byte {
	t.Helper()
	files, err := build.DemoFiles("")
	if err != nil {
		t.Fatal(err)
	}
	sockt, err := os.ReadFile(built.sockt)
	if err != nil {
		t.Fatal(err)
	}
	for i := range files {
		if files[i].Name == "etc/passwd" {
			files[i].Data = []byte("root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user,of,the,tests,and,of,nothing,else:/home/user:/bin/sh\n#######\n")
		}
		if files[i].Name == "root" {
			files[i].Mode = fs.ModeDir | 0o755
		}
		if files[i].Name == "etc/group" {
			files[i].Data = []byte("root:x:0:\nuser:x:1000:\n")
		}
	}
	files = append(files, build.File{Name: "bin/sockt", Mode: 0o755, Data: sockt}, build.File{Name: "home/user", Mode: fs.ModeDir | 0o755, UID: 1000, GID: 1000})
	m := build.Manifest{
		Image: "heldout:latest", Platform: "linux/amd64", CPUs: 2, MemMiB: 1024, Cmd: cmd,
		Env: []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
	}
	var b bytes.Buffer
	if err := build.Write(&b, m, build.Layer{Files: files}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// newMachine creates and starts machine m from a guest artifact. Releases that
// do not start an artifact without a command get one that has it.
func newMachine(t *testing.T, version string, create ...string) *install {
	t.Helper()
	in := newInstall(t, version, false)
	in.create(create...)
	in.ok("machine", "start", "--name", "m")
	return in
}

func (in *install) create(flags ...string) {
	in.t.Helper()
	art := filepath.Join(in.work, "a.smolmachine")
	guestArtifact(in.t, art, in.idle())
	argv := append([]string{"machine", "create", "--from", art}, flags...)
	if in.version == "0.8.0" {
		argv = append(argv, "m")
	} else {
		argv = append(argv, "--name", "m")
	}
	in.ok(argv...)
}

// idle is the command that an artifact needs to be started at all.
func (in *install) idle() []string {
	if in.version == "1.0.2" || in.version == "1.7.7" {
		return []string{"sleep", "100000"}
	}
	return nil
}

func (in *install) record() *record {
	in.t.Helper()
	s := newStore(func(k string) string { return map[string]string{"HOME": in.home}[k] })
	r, err := s.load("m")
	if err != nil || r == nil {
		in.t.Fatalf("record of m: %v, %v", r, err)
	}
	return r
}
