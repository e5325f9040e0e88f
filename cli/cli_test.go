package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"bottlebar.app/control"
	"bottlebar.app/internal/frame"
	"bottlebar.app/snapshot"
)

// fake is an owner with one bottle; what it does not need it does not have.
type fake struct {
	control.Core
	bottles []snapshot.Bottle
	library []snapshot.Artifact
	stopped []string
	copied  control.CopyRequest
	secret  string
	output  string
	exit    int
	policy  fakePolicy

	interrupt context.CancelFunc // as Ctrl-C does
}

func (f *fake) Identity() control.Identity { return control.Identity{} }

func (f *fake) Snapshot() snapshot.Snapshot {
	return snapshot.Snapshot{Bottles: f.bottles, Library: f.library}
}

func (f *fake) Stop(_ context.Context, name string) error {
	f.stopped = append(f.stopped, name)
	if strings.HasPrefix(name, "no") {
		return errors.New(name + " is not there")
	}
	return nil
}

func (f *fake) Launch(_ context.Context, req control.LaunchRequest, _ func(snapshot.Bottle)) (snapshot.Bottle, error) {
	f.policy.launched = req.Policy
	return snapshot.Bottle{ID: "b1", Name: req.Artifact + "-1", Command: req.Command}, nil
}

func (f *fake) Exec(_ context.Context, _ string, req control.ExecRequest, conn io.ReadWriter) error {
	w := frame.NewWriter(conn)
	if err := w.Write(frame.Stdout, []byte(f.output+strings.Join(req.Argv, " "))); err != nil {
		return err
	}
	if slices.Contains(req.Argv, "hang") {
		f.interrupt()
		_, _, err := frame.NewReader(conn).Next()
		for err == nil {
			_, _, err = frame.NewReader(conn).Next()
		}
		return err
	}
	return w.WriteJSON(frame.Exit, frame.Status{Code: f.exit})
}

func (f *fake) Copy(_ context.Context, _ string, req control.CopyRequest, _ func(snapshot.Transfer)) (control.CopyReply, error) {
	f.copied = req
	return control.CopyReply{}, nil
}

func (f *fake) SetCredential(_ context.Context, kind, secret string) (control.CredentialStatus, error) {
	f.secret = kind + ":" + secret
	return control.CredentialStatus{Set: true, Kind: "token", LastFour: "beef", Origin: "a test"}, nil
}

func (f *fake) Prove(context.Context, string) (snapshot.Proof, error) {
	return snapshot.Proof{Bottle: "b", Lines: []snapshot.Attempt{{Tried: "connect", Expect: "out of reach", Found: "connected\x1b[31m"}}}, nil
}

type owner struct{ socket string }

func (o owner) Socket() string                  { return o.socket }
func (owner) Serve(context.Context, bool) error { return nil }
func (owner) Start(context.Context) error       { return control.ErrNobody }

// run runs one command line against f and returns what came out.
func run(t *testing.T, f *fake, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return runAgainst(t, f, stdin, args...)
}

func runAgainst(t *testing.T, f control.Core, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "cli")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithCancel(t.Context())
	socket := filepath.Join(dir, "s")
	l, err := control.Listen(ctx, socket)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- control.NewServer(f).Serve(ctx, l) }()
	file := func(name, text string) *os.File {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		h, err := os.OpenFile(p, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = h.Close() })
		return h
	}
	in, out, errs := file("in", stdin), file("out", ""), file("err", "")
	env := Env{Version: "1.2.3", Owner: func() (Owner, error) { return owner{socket}, nil }, Stdin: in, Stdout: out, Stderr: errs, Dir: "/here"}
	runs, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	if own, ok := f.(*fake); ok {
		own.interrupt = interrupt
	}
	code = Run(runs, env, args)
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	read := func(h *os.File) string {
		b, err := os.ReadFile(h.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	return code, read(out), read(errs)
}

func TestExitCodesTellFailureFromAWrongCommandLine(t *testing.T) {
	cases := []struct {
		args   []string
		code   int
		stderr string
	}{
		{[]string{"version"}, 0, ""},
		{[]string{"nosuch"}, 2, "no verb \"nosuch\""},
		{[]string{"ls", "--nosuch"}, 2, "nosuch"},
		{[]string{"launch"}, 2, "name an artifact"},
		{[]string{"stop"}, 2, "name a bottle"},
		{[]string{"library"}, 2, "say what to do"},
		{[]string{"exec", "b"}, 2, "after --"},
		{[]string{"cp", "a", "b"}, 2, "one side must name a bottle"},
		{[]string{"cp", "x:/a", "y:/b"}, 2, "not between two"},
		{[]string{"show", "nosuch"}, 1, "no bottle of that name"},
		{[]string{"attach", "b"}, 1, "not a terminal"},
		{[]string{"prove", "b"}, 1, ""},
	}
	for _, c := range cases {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			code, _, stderr := run(t, new(fake), "", c.args...)
			if code != c.code || !strings.Contains(stderr, c.stderr) {
				t.Errorf("code %d, stderr %q", code, stderr)
			}
			if stderr != "" && (!strings.HasPrefix(stderr, "bottlebar: ") || strings.Count(stderr, "\n") != 1) {
				t.Errorf("not one line: %q", stderr)
			}
		})
	}
}

func TestLaunchPrintsTheNameAlone(t *testing.T) {
	code, out, _ := run(t, new(fake), "", "launch", "demo", "--detach", "--", "sh", "-c", "x")
	if code != 0 || out != "demo-1\n" {
		t.Errorf("code %d, %q", code, out)
	}
}

func TestExecPassesOutputAndCodeThrough(t *testing.T) {
	code, out, _ := run(t, &fake{output: "\x1b[31mraw ", exit: 42}, "", "exec", "b", "--", "ls", "-la", "--json")
	if code != 42 || out != "\x1b[31mraw ls -la --json" {
		t.Errorf("code %d, %q", code, out)
	}
}

func TestAnInterruptedCommandIsCancelledNotLost(t *testing.T) {
	code, _, errs := run(t, &fake{}, "", "exec", "b", "--", "hang")
	if code != 1 || errs != "bottlebar: cancelled\n" {
		t.Errorf("code %d, %q", code, errs)
	}
}

func TestListsAreArraysAlsoWhenEmpty(t *testing.T) {
	for _, args := range [][]string{{"ls", "--json"}, {"library", "ls", "--json"}} {
		if code, out, _ := run(t, new(fake), "", args...); code != 0 || out != "[]\n" {
			t.Errorf("%v: code %d, %q", args, code, out)
		}
	}
	now := time.Unix(0, 0).UTC()
	_, out, _ := run(t, &fake{bottles: []snapshot.Bottle{{Name: "b", State: "ready", Session: "idle", Artifact: "a", Isolation: "proved", StartedAt: &now}}}, "", "ls", "--json")
	for _, field := range []string{`"name": "b"`, `"state": "ready"`, `"session": "idle"`, `"artifact": "a"`, `"simulated": false`, `"isolation": "proved"`, `"started_at": "1970-01-01T00:00:00Z"`} {
		if !strings.Contains(out, field) {
			t.Errorf("no %s in %s", field, out)
		}
	}
}

func TestEachFailureOfSeveralHasItsLine(t *testing.T) {
	code, _, errs := run(t, &fake{}, "", "stop", "no1", "b", "no2")
	if code != 1 || errs != "bottlebar: no1 is not there\nbottlebar: no2 is not there\n" {
		t.Errorf("code %d, %q", code, errs)
	}
}

func TestAHelperThatIsLostIsSaidWhereTheBottleIsShown(t *testing.T) {
	f := &fake{bottles: []snapshot.Bottle{{Name: "b", State: snapshot.Ready, HelperLost: true}}}
	for _, verb := range [][]string{{"ls"}, {"show", "b"}} {
		if _, out, _ := run(t, f, "", verb...); !strings.Contains(out, "lost") {
			t.Errorf("%s printed %q", verb, out)
		}
	}
}

func TestStopAllStopsEachOnce(t *testing.T) {
	f := &fake{bottles: []snapshot.Bottle{{Name: "a"}, {Name: "b"}}}
	if code, _, _ := run(t, f, "", "stop", "--all"); code != 0 || strings.Join(f.stopped, " ") != "a b" {
		t.Errorf("code %d, stopped %v", code, f.stopped)
	}
}

func TestTheCredentialIsReadFromStandardInputAndNeverPrinted(t *testing.T) {
	f := new(fake)
	code, out, stderr := run(t, f, "sk-ant-oat01-secret\n", "credential", "set")
	if code != 0 || f.secret != ":sk-ant-oat01-secret" {
		t.Errorf("code %d, stored %q", code, f.secret)
	}
	if strings.Contains(out+stderr, "secret") || !strings.Contains(out, "beef") {
		t.Errorf("printed %q %q", out, stderr)
	}
	if code, _, stderr := run(t, f, "", "credential", "set"); code != 1 || !strings.Contains(stderr, "empty") {
		t.Errorf("empty input: code %d, %q", code, stderr)
	}
}

func TestCopyReadsBothSidesAsCpDoes(t *testing.T) {
	c := &commands{env: Env{Dir: "/here"}}
	cases := []struct {
		args []string
		name string
		want control.CopyRequest
	}{
		{[]string{"f", "b:/x"}, "b", control.CopyRequest{In: true, Host: []string{"/here/f"}, Guest: "/x"}},
		{[]string{"f", "/g", "b:dir/"}, "b", control.CopyRequest{In: true, Host: []string{"/here/f", "/g"}, Guest: "dir/", IntoFolder: true}},
		{[]string{"f", "b:"}, "b", control.CopyRequest{In: true, Host: []string{"/here/f"}, Guest: "", IntoFolder: true}},
		{[]string{"./a:b", "b:/x"}, "b", control.CopyRequest{In: true, Host: []string{"/here/a:b"}, Guest: "/x"}},
		{[]string{"b:/x:y", "out"}, "b", control.CopyRequest{Host: []string{"/here/out"}, Guest: "/x:y"}},
	}
	for _, tc := range cases {
		name, got, err := c.copyRequest(tc.args)
		if err != nil || name != tc.name || got.In != tc.want.In || got.Guest != tc.want.Guest || got.IntoFolder != tc.want.IntoFolder || strings.Join(got.Host, "|") != strings.Join(tc.want.Host, "|") {
			t.Errorf("%v: %q %+v, %v", tc.args, name, got, err)
		}
	}
}

// What a terminal would obey never reaches it from a guest's text, however the
// text is cut into pieces.
func TestGuestTextIsCleanedForATerminalAndNotForAPipe(t *testing.T) {
	hostile := "ok\x1b]52;c;AAAA\x07\x1b[2J\u202eevil\r\n\ttab \u009b31m\n"
	for cut := range len(hostile) {
		var b bytes.Buffer
		c := &cleaner{w: &b}
		_, _ = c.Write([]byte(hostile[:cut]))
		_, _ = c.Write([]byte(hostile[cut:]))
		c.flush()
		if strings.ContainsAny(b.String(), "\x1b\x07\r\u202e\u009b") {
			t.Fatalf("cut at %d: %q", cut, b.String())
		}
		if !strings.Contains(b.String(), "\ttab") {
			t.Fatalf("cut at %d lost text: %q", cut, b.String())
		}
	}
	c := new(commands)
	var b bytes.Buffer
	_, _ = c.guestText(&b, false).Write([]byte(hostile))
	if b.String() != hostile {
		t.Error("a pipe got other bytes")
	}
}
