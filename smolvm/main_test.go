package smolvm

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The test binary is also the command that the tests drive: FAKE in its
// environment makes it behave as one kind of program or another.
func TestMain(m *testing.M) {
	if mode := os.Getenv("FAKE"); mode != "" {
		// Not os.Exit: under the race detector that waits for a second.
		syscall.Exit(fake(mode, os.Args[1:]))
	}
	os.Exit(m.Run())
}

// call is one run of the fake, as it writes it into its home.
type call struct {
	Args []string
	Env  []string
}

// reply is what the fake answers to arguments that begin with Args; each is
// used once, except the last that matches.
type reply struct {
	Args   []string
	Stdout string
	Stderr string
	Exit   int
	Hang   bool   // until SIGKILL
	Wait   string // until this file of the home exists
	Make   string // writes a file with this path, "$n" being argument n
}

func fake(mode string, args []string) int {
	switch mode {
	case "hang":
		hang()
	case "flood":
		w := bufio.NewWriter(os.Stdout)
		for {
			if _, err := w.WriteString("smolvm 1.9.3 and so on\n"); err != nil {
				return 1
			}
		}
	case "garbage":
		os.Stdout.Write([]byte{0, 1, 2, 0xff, 0xfe, '\n'})
		return 0
	case "foreign":
		fmt.Fprintln(os.Stdout, "SmolVM CLI, version 0.2.1")
		return 0
	case "crash":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		hang()
	case "group":
		return fakeGroup()
	case "env":
		fmt.Fprintln(os.Stdout, strings.Join(os.Environ(), "\n"))
		return 0
	case "script":
		return fakeScript(args)
	}
	return fakeVersion(mode, args)
}

func hang() {
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM)
	<-time.After(time.Hour)
}

// fakeGroup starts a child that ignores SIGINT and waits for it.
func fakeGroup() int {
	cmd := exec.Command(os.Args[0])
	cmd.Env = []string{"FAKE=hang"}
	if err := cmd.Start(); err != nil {
		return 1
	}
	fmt.Fprintln(os.Stdout, cmd.Process.Pid)
	_ = cmd.Wait()
	return 0
}

// fakeVersion is a release, "1.9.3" or "standin 1.9.3", or one whose list is
// no list, "1.9.3 nolist".
func fakeVersion(mode string, args []string) int {
	version, kind, _ := strings.Cut(mode, " ")
	if version == "standin" {
		version, kind = kind, version
	}
	if f := os.Getenv("FAKE_COUNT"); f != "" {
		w, _ := os.OpenFile(f, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		fmt.Fprintln(w, strings.Join(args, " "))
		w.Close()
	}
	switch {
	case slices.Equal(args, []string{"--version"}):
		fmt.Fprintln(os.Stdout, "smolvm "+version)
	case slices.Equal(args, []string{"machine", "ls", "--json"}) && kind == "nolist":
		fmt.Fprintln(os.Stdout, "no machines")
	case slices.Equal(args, []string{"machine", "ls", "--json"}):
		fmt.Fprintln(os.Stdout, "[]")
	case slices.Equal(args, []string{"standin"}) && kind == "standin":
		fmt.Fprintln(os.Stdout, "standin "+version)
	default:
		fmt.Fprintln(os.Stderr, "error: unrecognized subcommand\n\nFor more information, try '--help'.")
		return 2
	}
	return 0
}

func fakeScript(args []string) int {
	home := os.Getenv("HOME")
	r, ok := take(home, args)
	if !ok {
		fmt.Fprintf(os.Stderr, "no reply for %q\n", args)
		return 99
	}
	for i, a := range args {
		r.Make = strings.ReplaceAll(r.Make, fmt.Sprintf("$%d", i), a)
	}
	if r.Make != "" {
		if err := os.WriteFile(r.Make, []byte("made"), 0o644); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 98
		}
	}
	fmt.Fprint(os.Stdout, r.Stdout)
	fmt.Fprint(os.Stderr, r.Stderr)
	if r.Hang {
		hang()
	}
	if r.Wait != "" {
		poll(time.Minute, func() bool {
			_, err := os.Stat(filepath.Join(home, r.Wait))
			return err == nil
		})
	}
	return r.Exit
}

// poll asks until the answer is yes, and says whether it was in time.
func poll(limit time.Duration, ok func() bool) bool {
	deadline := time.After(limit)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			return false
		}
	}
	return true
}

// take notes the call and returns its reply, under a lock: calls may come at
// the same time.
func take(home string, args []string) (reply, bool) {
	lock, err := os.OpenFile(filepath.Join(home, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return reply{}, false
	}
	defer lock.Close()
	_ = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX)
	log, _ := os.OpenFile(filepath.Join(home, "calls"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	_ = json.NewEncoder(log).Encode(call{args, os.Environ()})
	log.Close()
	data, _ := os.ReadFile(filepath.Join(home, "replies"))
	var rs []reply
	_ = json.Unmarshal(data, &rs)
	i := slices.IndexFunc(rs, func(r reply) bool {
		return len(r.Args) <= len(args) && slices.Equal(r.Args, args[:len(r.Args)])
	})
	if i < 0 {
		return reply{}, false
	}
	r := rs[i]
	if slices.ContainsFunc(rs[i+1:], func(o reply) bool { return slices.Equal(o.Args, r.Args) }) {
		rest, _ := json.Marshal(slices.Delete(rs, i, i+1))
		_ = os.WriteFile(filepath.Join(home, "replies"), rest, 0o600)
	}
	return r, true
}

// scripted is a client whose command answers with the replies given.
func scripted(t *testing.T, version string, replies ...reply) (*Client, func() []call) {
	t.Helper()
	dir := t.TempDir()
	data, err := json.Marshal(replies)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "replies"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	in := &Install{Path: self(t), Version: must(t, version)}
	c := in.Client(Home{Dir: dir, Env: []string{"FAKE=script"}})
	c.runner.Grace = 100 * time.Millisecond
	return c, func() []call {
		f, err := os.Open(filepath.Join(dir, "calls"))
		if err != nil {
			return nil
		}
		defer f.Close()
		var out []call
		for d := json.NewDecoder(f); ; {
			var c call
			if d.Decode(&c) != nil {
				return out
			}
			out = append(out, c)
		}
	}
}

func self(t *testing.T) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return exe
}

func must(t *testing.T, version string) Version {
	t.Helper()
	v, err := ParseVersion("smolvm " + version)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// record is a machine as status --json prints it.
func record(name string, s State, pid int) string {
	return fmt.Sprintf(`{"name":%q,"state":%q,"pid":%d,"cpus":2,"memory_mib":1024,"network":false}`, name, s, pid)
}

func listed(records ...string) reply {
	return reply{Args: []string{"machine", "ls"}, Stdout: "[" + strings.Join(records, ",") + "]"}
}

func status(name string, s State, pid int) reply {
	return reply{Args: statusArgs(name), Stdout: record(name, s, pid)}
}

// verbs are the second words of calls: what was asked, in order.
func verbs(calls []call) []string {
	var out []string
	for _, c := range calls {
		if len(c.Args) > 1 {
			out = append(out, c.Args[1])
		}
	}
	return out
}
