package guest

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bottlebar.app/hop"
	"bottlebar.app/internal/frame"
)

// pair is a listener and a helper that found it.
type pair struct {
	t       testing.TB
	ctx     context.Context
	ln      *hop.Listener
	session *hop.Session
	cfg     hop.HelperConfig
	proxy   string
	told    chan hop.Happening
	stop    context.CancelFunc // ends the helper
	ended   chan struct{}
	serve   func()
}

// testContext ends a test that hangs, well before the runner does.
func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// shortDir is a folder whose sockets have short paths.
func shortDir(t testing.TB) string {
	dir, err := os.MkdirTemp("/tmp", "bb")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func newPair(t testing.TB) *pair {
	t.Helper()
	dir := shortDir(t)
	ctx, stop := context.WithCancel(testContext(t))
	p := &pair{t: t, ctx: ctx, told: make(chan hop.Happening, 64), stop: stop, ended: make(chan struct{})}
	p.cfg = hop.HelperConfig{
		Secret: hop.NewSecret(), Socket: filepath.Join(dir, "s"), Proxy: "127.0.0.1:0", Events: filepath.Join(dir, "e", "h"),
	}
	p.listen()
	ready := make(chan string, 1)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	helperCtx, stopHelper := context.WithCancel(ctx)
	p.stop = stopHelper
	go func() {
		defer close(p.ended)
		err := Run(helperCtx, p.cfg, Options{Self: []string{exe}, Ready: func(a string) { ready <- a }, Log: func(string) {}})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
	}()
	t.Cleanup(func() {
		stop()
		<-p.ended
	})
	p.proxy = <-ready
	p.session = p.next()
	return p
}

// listen starts the host's side, as a new app would.
func (p *pair) listen() {
	ln, err := hop.Listen(p.cfg.Socket)
	if err != nil {
		p.t.Fatal(err)
	}
	p.ln = ln
	ctx, cancel := context.WithCancel(p.ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = ln.Serve(ctx, hop.Config{Secret: p.cfg.Secret, Log: func(h hop.Happening) {
			select {
			case p.told <- h:
			default:
			}
		}})
	}()
	p.serve = func() { cancel(); <-done }
	p.t.Cleanup(p.serve)
}

func (p *pair) next() *hop.Session {
	p.t.Helper()
	s, err := p.ln.Session(p.ctx)
	if err != nil {
		p.t.Fatal(err)
	}
	return s
}

func (p *pair) output(r hop.ExecRequest) (hop.Result, error) {
	return p.session.Output(p.ctx, r, 1<<20)
}

func TestExecPassesOutputAndExitCode(t *testing.T) {
	p := newPair(t)
	for _, c := range []struct {
		name           string
		req            hop.ExecRequest
		code           int
		signal         string
		stdout, stderr string
	}{
		{name: "both streams", req: hop.ExecRequest{Argv: []string{"sh", "-c", "echo out; echo err >&2"}}, stdout: "out\n", stderr: "err\n"},
		{name: "code", req: hop.ExecRequest{Argv: []string{"sh", "-c", "exit 42"}}, code: 42},
		{name: "signal", req: hop.ExecRequest{Argv: []string{"sh", "-c", "kill -9 $$"}}, code: 137, signal: "KILL"},
		{name: "env", req: hop.ExecRequest{Argv: []string{"sh", "-c", "echo $A"}, Env: []string{"A=b c"}}, stdout: "b c\n"},
		{name: "workdir", req: hop.ExecRequest{Argv: []string{"pwd"}, Workdir: "/usr"}, stdout: "/usr\n"},
		{name: "no agent", req: hop.ExecRequest{Argv: []string{"sh", "-c", "echo [$SSH_AUTH_SOCK]"}, Env: []string{"SSH_AUTH_SOCK=/x"}}, stdout: "[]\n"},
		{name: "other user", req: hop.ExecRequest{Argv: []string{"sh", "-c", "id -u; id -g; echo $USER $LOGNAME"}, User: "nobody", Workdir: "/"}, stdout: "65534\n65534\nnobody nobody\n"},
		{name: "user by number", req: hop.ExecRequest{Argv: []string{"id", "-u"}, User: "12345", Workdir: "/"}, stdout: "12345\n"},
		{name: "dashes", req: hop.ExecRequest{Argv: []string{"echo", "-rf", "a b"}}, stdout: "-rf a b\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			res, err := p.output(c.req)
			if err != nil {
				t.Fatal(err)
			}
			if res.Code != c.code || res.Signal != c.signal || string(res.Stdout) != c.stdout || string(res.Stderr) != c.stderr {
				t.Errorf("got code %d signal %q stdout %q stderr %q", res.Code, res.Signal, res.Stdout, res.Stderr)
			}
		})
	}
}

func TestExecSaysWhyACommandDoesNotRun(t *testing.T) {
	p := newPair(t)
	dir := shortDir(t)
	script := filepath.Join(dir, "script")
	if err := os.WriteFile(script, []byte("#!/no/such/interpreter\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		req  hop.ExecRequest
		code string
	}{
		"missing":          {hop.ExecRequest{Argv: []string{"no-such-command"}}, hop.CodeNotFound},
		"missing path":     {hop.ExecRequest{Argv: []string{"/no/such"}}, hop.CodeNotFound},
		"no interpreter":   {hop.ExecRequest{Argv: []string{script}}, hop.CodeNotFound},
		"not executable":   {hop.ExecRequest{Argv: []string{plain}}, hop.CodeNotExec},
		"no user":          {hop.ExecRequest{Argv: []string{"true"}, User: "who?"}, hop.CodeNoUser},
		"no folder":        {hop.ExecRequest{Argv: []string{"true"}, Workdir: "/no/such"}, hop.CodeNoFolder},
		"nothing":          {hop.ExecRequest{}, hop.CodeRefused},
		"zero byte":        {hop.ExecRequest{Argv: []string{"echo", "a\x00b"}}, hop.CodeRefused},
		"folder as a tool": {hop.ExecRequest{Argv: []string{dir}}, hop.CodeNotExec},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := p.output(c.req)
			var f *frame.Failure
			if !errors.As(err, &f) || f.Code != c.code {
				t.Errorf("got %v (%+v), want code %q", err, f, c.code)
			}
		})
	}
}

func TestExecEndsAtItsDeadlineWithItsChildren(t *testing.T) {
	p := newPair(t)
	pidFile := filepath.Join(shortDir(t), "pid")
	res, err := p.output(hop.ExecRequest{
		Argv: []string{"sh", "-c", "sleep 1000 & echo $! > " + pidFile + "; wait"}, Timeout: 300 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	if !res.TimedOut || res.Code != timeoutCode {
		t.Errorf("got %+v, want a timeout", res.Status)
	}
	waitGone(t, pidFile)
}

func TestClosingACommandKillsItWithItsChildren(t *testing.T) {
	p := newPair(t)
	pidFile := filepath.Join(shortDir(t), "pid")
	c, err := p.session.Exec(p.ctx, hop.ExecRequest{
		Argv: []string{"sh", "-c", "trap '' HUP TERM; sleep 1000 & echo $! > " + pidFile + "; echo up; wait"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if kind, b, err := c.Next(); err != nil || kind != frame.Stdout || string(b) != "up\n" {
		t.Fatalf("got %q %q %v", kind, b, err)
	}
	_ = c.Close()
	waitGone(t, pidFile)
}

// waitGone waits for the process whose number is in a file to end.
func waitGone(t *testing.T, pidFile string) {
	t.Helper()
	b, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the child ends", func() bool {
		stat, err := os.ReadFile("/proc/" + strings.TrimSpace(string(b)) + "/stat")
		return err != nil || strings.Contains(string(stat), ") Z ")
	})
}

// eventually polls for something that happens elsewhere.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	ctx := testContext(t)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-ctx.Done():
			t.Fatalf("never happened: %s", what)
		case <-tick.C:
		}
	}
}

func TestABackgroundChildDoesNotHoldTheExec(t *testing.T) {
	p := newPair(t)
	pidFile := filepath.Join(shortDir(t), "pid")
	res, err := p.output(hop.ExecRequest{Argv: []string{"sh", "-c", "sleep 1000 & echo $! > " + pidFile + "; echo done"}})
	if err != nil || string(res.Stdout) != "done\n" || res.Code != 0 {
		t.Fatalf("got %+v %v", res, err)
	}
	b, _ := os.ReadFile(pidFile)
	if _, err := os.Stat("/proc/" + strings.TrimSpace(string(b))); err != nil {
		t.Error("the child that was left on purpose is gone")
	}
	res, err = p.output(hop.ExecRequest{Argv: []string{"kill", "-9", strings.TrimSpace(string(b))}})
	if err != nil || res.Code != 0 {
		t.Error(res, err)
	}
}

func TestExecTakesInputSignalsAndSizes(t *testing.T) {
	p := newPair(t)
	c, err := p.session.Exec(p.ctx, hop.ExecRequest{Argv: []string{"cat"}})
	if err != nil {
		t.Fatal(err)
	}
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<17)
	go func() {
		_, _ = c.Write(big)
		_ = c.CloseStdin()
	}()
	var out bytes.Buffer
	if st, err := c.Run(&out, nil); err != nil || st.Code != 0 || !bytes.Equal(out.Bytes(), big) {
		t.Errorf("cat: %v %v, %d bytes", st, err, out.Len())
	}

	c, err = p.session.Exec(p.ctx, hop.ExecRequest{Argv: []string{"sh", "-c", "trap 'echo got; exit 3' INT; echo up; while :; do sleep 0.05; done"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, b, err := c.Next(); err != nil || string(b) != "up\n" {
		t.Fatalf("%q %v", b, err)
	}
	if err := c.Signal("INT"); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	if st, err := c.Run(&out, nil); err != nil || st.Code != 3 || out.String() != "got\n" {
		t.Errorf("signal: %+v %v %q", st, err, out.String())
	}

	c, err = p.session.Exec(p.ctx, hop.ExecRequest{
		Argv: []string{"sh", "-c", "stty size; read x; stty size"}, TTY: true, Size: frame.Size{Cols: 91, Rows: 17},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Resize(frame.Size{Cols: 120, Rows: 40}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte("\n")); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	if st, err := c.Run(&out, nil); err != nil || st.Code != 0 || !strings.Contains(out.String(), "40 120") {
		t.Errorf("sizes: %+v %v %q", st, err, out.String())
	}
}

func TestBridgeCarriesBothWaysAndEndsEachByItself(t *testing.T) {
	p := newPair(t)
	go func() {
		for {
			in, err := p.session.Accept(p.ctx)
			if err != nil {
				return
			}
			go func() { // answers only after the end of the request
				var b bytes.Buffer
				_, _ = b.ReadFrom(in)
				_, _ = in.Write(append([]byte("got "), b.Bytes()...))
				_ = in.Close()
			}()
		}
	}()
	conn, err := net.Dial("tcp", p.proxy)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, _ = conn.Write([]byte("hello"))
	_ = conn.(*net.TCPConn).CloseWrite()
	var b bytes.Buffer
	if _, err := b.ReadFrom(conn); err != nil || b.String() != "got hello" {
		t.Errorf("got %q %v", b.String(), err)
	}
}

func TestALostSessionEndsItsCommandsAndTheHelperComesBack(t *testing.T) {
	p := newPair(t)
	pidFile := filepath.Join(shortDir(t), "pid")
	c, err := p.session.Exec(p.ctx, hop.ExecRequest{Argv: []string{"sh", "-c", "trap '' HUP TERM; echo $$ > " + pidFile + "; echo up; while :; do sleep 0.1; done"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, b, err := c.Next(); err != nil || string(b) != "up\n" {
		t.Fatalf("%q %v", b, err)
	}
	p.serve() // the app ends: its socket goes
	if _, _, err := c.Next(); !errors.Is(err, hop.ErrSessionLost) {
		t.Errorf("got %v", err)
	}
	p.listen() // and starts again
	p.session = p.next()
	if res, err := p.output(hop.ExecRequest{Argv: []string{"echo", "back"}}); err != nil || string(res.Stdout) != "back\n" {
		t.Errorf("%+v %v", res, err)
	}
	waitGone(t, pidFile)
}

func TestInputThatNobodyReadsHoldsNobodyUp(t *testing.T) {
	p := newPair(t)
	for name, tty := range map[string]bool{"pipe": false, "terminal": true} {
		c, err := p.session.Exec(p.ctx, hop.ExecRequest{Argv: []string{"sleep", "1000"}, TTY: tty})
		if err != nil {
			t.Fatal(err)
		}
		typed := make(chan error, 1)
		go func() { _, err := c.Write(make([]byte, 8<<20)); typed <- err }()
		_ = c.Close()
		if err := <-typed; err == nil {
			t.Errorf("%s: all of it was taken", name)
		}
	}
	slow, err := p.session.Attach(p.ctx, hop.AttachRequest{Name: "slow", Argv: []string{"sh", "-c", "stty raw; sleep 1000"}, Workdir: "/"})
	if err != nil {
		t.Fatal(err)
	}
	typed := make(chan error, 1)
	go func() { _, err := slow.Write(make([]byte, 8<<20)); typed <- err }()
	if err := p.session.CloseTerminal(p.ctx, "slow"); err != nil {
		t.Fatal(err)
	}
	_ = slow.Close()
	<-typed
	if res, err := p.output(hop.ExecRequest{Argv: []string{"true"}}); err != nil || res.Code != 0 {
		t.Errorf("%+v %v", res, err)
	}
}
