package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"bottlebar.app/smolvm"
)

func (s *suite) exec(t *testing.T) {
	ctx := t.Context()
	for _, c := range []struct {
		name           string
		o              smolvm.ExecOptions
		argv           []string
		code           int
		stdout, stderr string
	}{
		{"echo", smolvm.ExecOptions{}, []string{"echo", "hello-from-vm"}, 0, "hello-from-vm\n", ""},
		{"streams apart", smolvm.ExecOptions{}, sh("echo out; echo err >&2"), 0, "out\n", "err\n"},
		{"exit 1", smolvm.ExecOptions{}, sh("exit 1"), 1, "", ""},
		{"exit 2", smolvm.ExecOptions{}, sh("exit 2"), 2, "", ""},
		{"exit 7 with output", smolvm.ExecOptions{}, sh("echo x; exit 7"), 7, "x\n", ""},
		{"exit 124 without a timeout", smolvm.ExecOptions{}, sh("exit 124"), 124, "", ""},
		{"exit 255", smolvm.ExecOptions{}, sh("exit 255"), 255, "", ""},
		{"a text like smolvm's", smolvm.ExecOptions{}, sh("echo 'Error: vm not found: x' >&2; exit 1"), 1, "", "Error: vm not found: x\n"},
		{"working folder", smolvm.ExecOptions{Workdir: "/usr"}, []string{"pwd"}, 0, "/usr\n", ""},
		{"variables", smolvm.ExecOptions{Env: []string{"A=1", "B=2=3", "C=", "D=two\nlines"}}, sh(`echo "$A|$B|$C|$D"`), 0, "1|2=3||two\nlines\n", ""},
		{"arguments as they are", smolvm.ExecOptions{}, []string{"printf", "%s|", "a b", "", "-e", "--", "$HOME", "ü"}, 0, "a b||-e|--|$HOME|ü|", ""},
		{"timeout not reached", smolvm.ExecOptions{Timeout: 30 * time.Second}, []string{"echo", "x"}, 0, "x\n", ""},
		{"standard input is empty", smolvm.ExecOptions{}, []string{"cat"}, 0, "", ""},
	} {
		res, err := s.c.Exec(ctx, name, c.o, c.argv...)
		if err != nil || res.ExitCode != c.code || string(res.Stdout) != c.stdout || string(res.Stderr) != c.stderr {
			t.Errorf("%s: %d, %q, %q, %v", c.name, res.ExitCode, res.Stdout, res.Stderr, err)
		}
	}
	o := smolvm.ExecOptions{Secrets: []smolvm.Secret{{Name: "TOKEN", Value: "s3cret value"}}}
	res, err := s.c.Exec(ctx, name, o, "sh", "-c", `echo "$TOKEN"`)
	if s.env.Install.Version.Family() == smolvm.FamilyA {
		wantError(t, "secret", err, smolvm.ErrUnsupported)
	} else if err != nil || string(res.Stdout) != "s3cret value\n" {
		t.Errorf("secret: %q, %v", res.Stdout, err)
	}
}

func sh(script string) []string { return []string{"sh", "-c", script} }

// execFailures are the guest's own: no error, but a code and a text.
func (s *suite) execFailures(t *testing.T) {
	want := 255
	if s.env.Install.Version.Family() == smolvm.FamilyA {
		want = 1
	}
	for _, argv := range [][]string{{"no-such-command"}, {"/no/such/command"}, {"/etc/passwd"}} {
		res, err := s.c.Exec(t.Context(), name, smolvm.ExecOptions{}, argv...)
		if err != nil || res.ExitCode != want || len(res.Stdout) != 0 || len(res.Stderr) == 0 {
			t.Errorf("%s: %d, %q, %q, %v", argv, res.ExitCode, res.Stdout, res.Stderr, err)
		}
	}
	if want == 1 {
		return // 0.8.0 makes a missing working folder
	}
	res, err := s.c.Exec(t.Context(), name, smolvm.ExecOptions{Workdir: "/no/such/folder"}, "pwd")
	if err != nil || res.ExitCode != want {
		t.Errorf("missing working folder: %+v, %v", res, err)
	}
}

func (s *suite) execTimeout(t *testing.T) {
	o := smolvm.ExecOptions{Timeout: time.Second}
	res, err := s.c.Exec(t.Context(), name, o, "sh", "-c", "echo before; sleep 60; echo after")
	wantError(t, "captured", err, smolvm.ErrTimeout)
	if res.ExitCode != 124 || string(res.Stdout) != "before\n" {
		t.Errorf("%+v", res)
	}
	var out bytes.Buffer
	code, err := s.c.ExecStream(t.Context(), name, o, nil, &out, nil, "sh", "-c", "echo before; sleep 60; echo after")
	wantError(t, "stream", err, smolvm.ErrTimeout)
	if code != 124 || out.String() != "before\n" {
		t.Errorf("%d, %q", code, out.String())
	}
	ctx, cancel := context.WithCancel(t.Context())
	p, err := s.c.ExecHeld(ctx, name, smolvm.ExecOptions{}, nil, "sh", "-c", "sleep 60")
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := p.Wait(); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func (s *suite) execStream(t *testing.T) {
	ctx := t.Context()
	in := strings.Repeat("a line of what goes in\n", 5000)
	var out, errs bytes.Buffer
	code, err := s.c.ExecStream(ctx, name, smolvm.ExecOptions{}, strings.NewReader(in), &out, &errs, "sh", "-c", "cat; echo done >&2; exit 3")
	if err != nil || code != 3 || out.String() != in || errs.String() != "done\n" {
		t.Errorf("through cat: %d, %d of %d bytes, %q, %v", code, out.Len(), len(in), errs.String(), err)
	}
	// More than the 11 MiB at which captured output is cut.
	const size = 13 << 20
	var n counter
	code, err = s.c.ExecStream(ctx, name, smolvm.ExecOptions{}, nil, &n, nil, "sh", "-c", fmt.Sprintf("head -c %d /dev/zero", size))
	if err != nil || code != 0 || n != size {
		t.Errorf("large output: %d, %d bytes, %v", code, n, err)
	}
}

type counter int64

func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }

// execHeld runs a helper in the foreground that reads a secret first, with
// other commands beside it.
func (s *suite) execHeld(t *testing.T) {
	ctx := t.Context()
	p, err := s.c.ExecHeld(ctx, name, smolvm.ExecOptions{}, strings.NewReader("the secret\n"),
		"sh", "-c", "read s; echo \"$s\" > /root/held; while [ ! -e /root/stop ]; do sleep 0.1; done; exit 9")
	if err != nil {
		t.Fatal(err)
	}
	await(t, "the helper's file", func() bool {
		res, err := s.c.Exec(ctx, name, smolvm.ExecOptions{}, "cat", "/root/held")
		return err == nil && string(res.Stdout) == "the secret\n"
	})
	select {
	case <-p.Done():
		res, err := p.Wait()
		t.Fatalf("ended by itself: %+v, %v", res, err)
	default:
	}
	if _, err := s.c.Exec(ctx, name, smolvm.ExecOptions{}, "touch", "/root/stop"); err != nil {
		t.Fatal(err)
	}
	if res, err := p.Wait(); err != nil || res.ExitCode != 9 {
		t.Errorf("%+v, %v", res, err)
	}
}

func (s *suite) terminal(t *testing.T) {
	term, err := s.c.ExecTerminal(t.Context(), name, smolvm.ExecOptions{Workdir: "/usr", Env: []string{"PS1=> "}}, "sh")
	if err != nil {
		t.Fatal(err)
	}
	defer term.Close()
	cmd := exec.CommandContext(t.Context(), term.Path, term.Args...)
	cmd.Env, cmd.Dir = term.Env, term.Dir
	p, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 30, Cols: 100})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	d := watch(t, p)
	// Each question gives an answer that its own echo does not hold.
	d.typed("echo ready-$((1+1))\n")
	d.expect("ready-2")
	d.typed("test -t 0 && echo tty-$((2+2)); pwd; echo term=$TERM.\n")
	d.expect("tty-4", "/usr", "term=xterm-256color.")
	if s.env.Install.Version.Family() != smolvm.FamilyA { // 0.8.0 passes no size on
		d.typed("stty size; echo size-$((3+3))\n")
		d.expect("30 100", "size-6")
		if err := pty.Setsize(p, &pty.Winsize{Rows: 43, Cols: 132}); err != nil {
			t.Fatal(err)
		}
		d.typed("while [ \"$(stty size)\" != '43 132' ]; do sleep 0.05; done; echo resized-$((4+4))\n")
		d.expect("resized-8")
	}
	// Only a command that has begun gets the signal; before, the shell reads
	// the byte itself.
	d.typed("sh -c 'echo begun-$((6+6)); exec sleep 500'\n")
	d.expect("begun-12")
	d.typed("\x03")
	d.expect("> ")
	d.typed("echo int-$((5+5))\n")
	d.expect("int-10")
	d.typed("exit 9\n")
	for text := range d.screen {
		d.seen += text
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 9 {
		t.Errorf("%v, screen %q", err, d.seen)
	}
}

// dialogue is a talk with a program on a terminal.
type dialogue struct {
	t      *testing.T
	tty    *os.File
	screen chan string // closed when the program has ended
	seen   string      // not yet asked for
}

func watch(t *testing.T, tty *os.File) *dialogue {
	d := &dialogue{t: t, tty: tty, screen: make(chan string, 1024)}
	go func() {
		defer close(d.screen)
		buf := make([]byte, 4096)
		for {
			n, err := tty.Read(buf)
			d.screen <- string(buf[:n])
			if err != nil {
				return
			}
		}
	}()
	return d
}

func (d *dialogue) typed(s string) {
	d.t.Helper()
	if _, err := io.WriteString(d.tty, s); err != nil {
		d.t.Fatal(err)
	}
}

// expect waits for texts, one after the other.
func (d *dialogue) expect(texts ...string) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), 20*time.Second)
	defer cancel()
	for _, text := range texts {
		for !strings.Contains(d.seen, text) {
			select {
			case s, ok := <-d.screen:
				if d.seen += s; !ok {
					d.t.Fatalf("ended before %q in %q", text, d.seen)
				}
			case <-ctx.Done():
				d.t.Fatalf("no %q in %q", text, d.seen)
			}
		}
		_, d.seen, _ = strings.Cut(d.seen, text)
	}
}

// alive tells whether a process of that id exists.
func alive(pid int) bool {
	if pid <= 1 {
		return false
	}
	if err := syscall.Kill(pid, 0); err != nil {
		return !errors.Is(err, syscall.ESRCH)
	}
	// One that waits to be collected is dead.
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || !strings.Contains(string(stat), ") Z ")
}
