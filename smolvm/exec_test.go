package smolvm

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func execReply(r reply) reply {
	r.Args = []string{"machine", "exec"}
	return r
}

func TestExecPassesTheCommandsOwnResultThrough(t *testing.T) {
	for _, code := range []int{0, 1, 2, 7, 124, 126, 127, 137, 255} {
		c, _ := scripted(t, "1.9.3", execReply(reply{Stdout: "out\n", Stderr: "err\n", Exit: code}))
		res, err := c.Exec(t.Context(), "m", ExecOptions{}, "sh", "-c", "x")
		if err != nil || res.ExitCode != code || string(res.Stdout) != "out\n" || string(res.Stderr) != "err\n" {
			t.Errorf("%d: %+v, %v", code, res, err)
		}
	}
}

func TestExecDecidesDoubtfulFailuresByTheMachinesState(t *testing.T) {
	notRunning := "Error: agent operation failed: connect: machine 'm' is not running. Use 'smolvm machine start --name m' first.\n"
	closed := "Error: io operation failed: connection closed\n"
	unknown := "Error: vm not found: m\n"
	pid := os.Getpid()
	for _, c := range []struct {
		name   string
		r      reply
		status reply
		text   string // of the second look
		want   error  // nil: a result of the guest; errAny: an error of no class
	}{
		{"guest says Error", reply{Stderr: "Error: no such thing\n", Exit: 1}, reply{}, "", nil},
		{"guest says Error and wrote output", reply{Stdout: "x", Stderr: unknown, Exit: 1}, reply{}, "", nil},
		{"guest exits 2 with error", reply{Stderr: "error: bad\n", Exit: 2}, reply{}, "", nil},
		{"guest exits 7 with smolvm's words", reply{Stderr: unknown, Exit: 7}, reply{}, "", nil},
		{"unknown", reply{Stderr: unknown, Exit: 1}, reply{Args: statusArgs("m"), Exit: 1, Stderr: "Error: config operation failed: machine status: machine 'm' not found\n"}, "", ErrUnknownMachine},
		{"guest says unknown", reply{Stderr: unknown, Exit: 1}, status("m", StateRunning, pid), "", nil},
		{"stopped", reply{Stderr: notRunning, Exit: 1}, status("m", StateStopped, 0), "", ErrNotRunning},
		{"died meanwhile", reply{Stderr: closed, Exit: 1}, status("m", StateStopped, 0), "", ErrNotRunning},
		{"ninth connection", reply{Stderr: notRunning, Exit: 1}, status("m", StateUnreachable, pid), "Machine 'm': running (PID: 1)\n", ErrBusy},
		{"frozen", reply{Stderr: notRunning, Exit: 1}, status("m", StateUnreachable, pid), "Machine 'm': unreachable\n", ErrNotRunning},
		{"connection lost, alive", reply{Stderr: closed, Exit: 1}, status("m", StateRunning, pid), "", errAny},
		{"missing secret", reply{Stderr: "Error: config operation failed: resolve secret 'T': env_unset\n", Exit: 1}, status("m", StateRunning, pid), "", errAny},
		{"arguments", reply{Stderr: "error: unexpected argument '--x' found\n\nUsage: smolvm machine exec\n\nFor more information, try '--help'.\n", Exit: 2}, reply{}, "", ErrUsage},
	} {
		replies := []reply{execReply(c.r), {Args: statusTextArgs("m"), Stdout: c.text}}
		if c.status.Args != nil {
			replies = append([]reply{c.status}, replies...)
		}
		cl, _ := scripted(t, "1.9.3", replies...)
		res, err := cl.Exec(t.Context(), "m", ExecOptions{}, "x")
		switch {
		case c.want == nil && (err != nil || res.ExitCode != c.r.Exit):
			t.Errorf("%s: %v", c.name, err)
		case errors.Is(c.want, errAny) && (err == nil || errors.Is(err, ErrNotRunning)):
			t.Errorf("%s: %v", c.name, err)
		case c.want != nil && !errors.Is(c.want, errAny) && !errors.Is(err, c.want):
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

var errAny = errors.New("any")

func TestExecTimeoutIsAnErrorWithItsOutput(t *testing.T) {
	c, calls := scripted(t, "1.9.3", execReply(reply{Stdout: "before\n", Stderr: "\ncommand timed out after 1000ms", Exit: 124}))
	res, err := c.Exec(t.Context(), "m", ExecOptions{Timeout: time.Second}, "sleep", "9")
	if !errors.Is(err, ErrTimeout) || res.ExitCode != 124 || string(res.Stdout) != "before\n" || !slices.Contains(calls()[0].Args, "1s") {
		t.Errorf("%+v, %v", res, err)
	}
}

func TestExecOutlivesNoContext(t *testing.T) {
	c, calls := scripted(t, "1.9.3", execReply(reply{Hang: true}))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { _, err := c.Exec(ctx, "m", ExecOptions{}, "x"); done <- err }()
	await(t, func() bool { return len(calls()) == 1 })
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestAtMostFiveConnectionsToAMachine(t *testing.T) {
	c, calls := scripted(t, "1.9.3", execReply(reply{Exit: 0}))
	c.wait = 50 * time.Millisecond
	var held []*Terminal
	for range maxConnections {
		term, err := c.ExecTerminal(t.Context(), "m", ExecOptions{}, "sh")
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, term)
	}
	var e *CommandError
	if _, err := c.Exec(t.Context(), "m", ExecOptions{}, "x"); !errors.Is(err, ErrBusy) || !errors.As(err, &e) || e.Cure() == "" {
		t.Errorf("sixth: %v", err)
	}
	if err := c.CopyIn(t.Context(), "m", self(t), "/x", CopyOptions{}); !errors.Is(err, ErrBusy) {
		t.Errorf("sixth by a copy: %v", err)
	}
	if _, err := c.Exec(t.Context(), "n", ExecOptions{}, "x"); err != nil {
		t.Errorf("another machine: %v", err)
	}
	if n := len(calls()); n != 1 {
		t.Errorf("%d calls", n)
	}
	held[0].Close()
	held[0].Close()
	for range 3 { // each gives its own back
		if _, err := c.Exec(t.Context(), "m", ExecOptions{}, "x"); err != nil {
			t.Errorf("after one was given back: %v", err)
		}
	}
}

func TestExecStreamConnectsTheStreams(t *testing.T) {
	c, calls := scripted(t, "1.9.3", execReply(reply{Stdout: "out\n", Stderr: "err\n", Exit: 3}))
	var out, errs bytes.Buffer
	code, err := c.ExecStream(t.Context(), "m", ExecOptions{}, strings.NewReader("in"), &out, &errs, "cat")
	if err != nil || code != 3 || out.String() != "out\n" || errs.String() != "err\n" || !slices.Contains(calls()[0].Args, "-i") {
		t.Errorf("%d, %v, %q, %q", code, err, out.String(), errs.String())
	}
}

func TestExecHeldRunsUntilItIsEnded(t *testing.T) {
	c, calls := scripted(t, "0.8.0", execReply(reply{Stdout: "up\n", Wait: "go", Exit: 5}))
	p, err := c.ExecHeld(t.Context(), "m", ExecOptions{}, strings.NewReader("secret"), "helper", "run")
	if err != nil {
		t.Fatal(err)
	}
	await(t, func() bool { return len(calls()) == 1 })
	select {
	case <-p.Done():
		t.Fatal("ended")
	default:
	}
	if err := os.WriteFile(filepath.Join(c.home.Dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if res, err := p.Wait(); err != nil || res.ExitCode != 5 || string(res.Stdout) != "up\n" {
		t.Errorf("%+v, %v", res, err)
	}

	c, calls = scripted(t, "0.8.0", execReply(reply{Hang: true}))
	if p, err = c.ExecHeld(t.Context(), "m", ExecOptions{}, nil, "helper", "run"); err != nil {
		t.Fatal(err)
	}
	await(t, func() bool { return len(calls()) == 1 })
	_ = p.Close()
	if _, err := p.Wait(); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if len(c.gate("m").conns) != 0 {
		t.Error("the connection was kept")
	}
}

func TestSecretsReachTheClientByEnvironmentAlone(t *testing.T) {
	c, calls := scripted(t, "1.9.3", execReply(reply{Exit: 0}))
	o := ExecOptions{Secrets: []Secret{{"TOKEN", "s3cret"}}, Env: []string{"A=1"}}
	if _, err := c.Exec(t.Context(), "m", o, "x"); err != nil {
		t.Fatal(err)
	}
	got := calls()[0]
	if strings.Contains(strings.Join(got.Args, " "), "s3cret") || !slices.Contains(got.Env, "BOTTLEBAR_SECRET_0=s3cret") {
		t.Errorf("%+v", got)
	}
}

func TestErrorsHideValues(t *testing.T) {
	c, _ := scripted(t, "1.9.3", execReply(reply{Exit: 1, Stderr: "Error: config operation failed: bad value hunter22 in KEY\n"}), status("m", StateRunning, 1))
	_, err := c.Exec(t.Context(), "m", ExecOptions{Env: []string{"KEY=hunter22"}}, "x")
	var e *CommandError
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	if all := err.Error() + e.Detail() + e.Reason; strings.Contains(all, "hunter22") || !strings.Contains(e.Detail(), "KEY="+hiddenValue) {
		t.Errorf("%s", all)
	}
	for _, c := range [][2]string{
		{"smolvm machine exec -e A=b --env C=d -e KEY -- env -e X=y", "smolvm machine exec -e A=… --env C=… -e KEY -- env -e X=y"},
		{"smolvm machine create --env=A=b -e=C=d m", "smolvm machine create --env=A=… -e=C=… m"},
		{"smolvm machine exec --secret-env T=H -- x", "smolvm machine exec --secret-env T=… -- x"},
	} {
		if got := strings.Join(redact(strings.Fields(c[0])), " "); got != c[1] {
			t.Errorf("%s became %s", c[0], got)
		}
	}
	if long := redact(slices.Repeat([]string{strings.Repeat("x", 500)}, 100)); len(long) > argvShown+1 || len(long[0]) > argShownSize+4 {
		t.Errorf("%d items of %d", len(long), len(long[0]))
	}
}

func TestErrorsAreOneCleanLine(t *testing.T) {
	c, _ := scripted(t, "1.9.3", reply{Args: stopArgs("m"), Exit: 1, Stderr: "Error: io operation failed: \x1b[2Jbad\x07 \u202etext\nsecond line\n"})
	err := c.Stop(t.Context(), "m")
	if got, want := err.Error(), "smolvm machine stop: io operation failed: bad text"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	var e *CommandError
	if errors.As(err, &e) && strings.ContainsAny(e.Detail(), "\x1b\x07\u202e") {
		t.Errorf("%q", e.Detail())
	}
}
