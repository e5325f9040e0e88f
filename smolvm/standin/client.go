//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"bottlebar.app/internal/frame"
)

func (a *app) dial(ctx context.Context, name string) (*net.UnixConn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", filepath.Join(a.store.dir(name), "agent.sock"))
	if err != nil {
		return nil, err
	}
	return c.(*net.UnixConn), nil
}

// ping asks a machine's agent for an answer within d.
func (a *app) ping(name string, d time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	return a.dialPing(ctx, name)
}

func (a *app) dialPing(ctx context.Context, name string) error {
	conn, err := a.dial(ctx, name)
	if err != nil {
		return err
	}
	defer conn.Close()
	if t, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(t); err != nil {
			return err
		}
	}
	if err := writeRequest(conn, request{Op: "ping"}); err != nil {
		return err
	}
	_, _, err = frame.NewReader(conn).Next()
	return err
}

// connect reaches a running machine's agent for exec and cp. From 1.7.7 on it
// pings first; a machine that does not answer in 3 s is stored as unreachable
// and reported as not running.
func (a *app) connect(name string, given bool) (*net.UnixConn, *record, error) {
	r, err := a.store.load(name)
	if err != nil {
		return nil, nil, err
	}
	if r == nil {
		if given {
			return nil, nil, failf("vm not found: %s", name)
		}
		return nil, nil, failf("agent operation failed: connect: machine '%s' not found", name)
	}
	down := failf("agent operation failed: connect: machine '%s' is not running. Use 'smolvm machine start --name %s' first.", name, name)
	if !r.alive() {
		return nil, nil, down
	}
	if a.rel >= r177 && a.ping(name, 3*time.Second) != nil {
		if now, err := a.store.load(name); err == nil && now != nil && now.alive() {
			now.State = "unreachable"
			if err := a.store.save(now); err != nil {
				return nil, nil, err
			}
		}
		return nil, nil, down
	}
	conn, err := a.dial(context.Background(), name)
	if err != nil {
		return nil, nil, down
	}
	return conn, r, nil
}

// call makes one request of smolvm's own; what the command prints goes to
// out.
func (a *app) call(name string, req request, out io.Writer) (frame.Status, error) {
	conn, err := a.dial(context.Background(), name)
	if err != nil {
		return frame.Status{}, ioFailure(err)
	}
	defer conn.Close()
	if out == nil {
		out = io.Discard
	}
	if err := writeRequest(conn, req); err != nil {
		return frame.Status{}, ioFailure(err)
	}
	return receive(conn, out, out)
}

var errClosed = failf("io operation failed: connection closed")

// receive writes what comes until the answer ends.
func receive(conn io.Reader, stdout, stderr io.Writer) (frame.Status, error) {
	r := frame.NewReader(conn)
	var s frame.Status
	for {
		kind, p, err := r.Next()
		if err != nil {
			return s, errClosed
		}
		switch kind {
		case frame.Stdout:
			_, err = stdout.Write(p)
		case frame.Stderr:
			_, err = stderr.Write(p)
		case frame.Exit:
			if json.Unmarshal(p, &s) != nil {
				return s, errClosed
			}
			return s, nil
		case frame.Error:
			var f frame.Failure
			if json.Unmarshal(p, &f) != nil {
				return s, errClosed
			}
			return s, failf("agent operation failed: %s", f.Message)
		}
		if err != nil {
			var own failure
			if errors.As(err, &own) {
				return s, err
			}
			return s, ioFailure(err)
		}
	}
}

// exec is "machine exec".
func (a *app) exec(p *args) (int, error) {
	name := named(p)
	conn, r, err := a.connect(name, p.has("name"))
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	req := request{Op: "exec", Argv: p.rest, Dir: p.get("workdir"), Mode: modeCaptured, Rows: 24, Cols: 80}
	switch {
	case p.has("tty"):
		req.Mode = modeTTY
	case p.has("interactive"):
		req.Mode = modeInput
	case p.has("stream"):
		req.Mode = modeStream
	case p.has("detach"):
		req.Mode = modeDetached
	}
	if req.Dir == "" {
		req.Dir = r.Workdir
	}
	if p.has("timeout") {
		d, _ := duration(p.get("timeout"))
		req.Timeout = d.Milliseconds()
	}
	extra := a.envItems(p.values["env"])
	for _, s := range p.values["secret-env"] {
		guest, host, _ := strings.Cut(s, "=")
		v := a.getenv(host)
		if v == "" {
			return 0, failf("config operation failed: resolve secret '%s': env_unset", guest)
		}
		extra = append(extra, guest+"="+v)
	}
	req.Env = a.guestEnv(r, extra, req.Mode == modeTTY)
	return a.session(conn, req)
}

// guestEnv is a command's environment: the image's and the record's, then
// what the caller adds.
func (a *app) guestEnv(r *record, extra []string, tty bool) []string {
	env := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	set := func(e string, keep bool) {
		key, _, _ := strings.Cut(e, "=")
		for i := range env {
			if strings.HasPrefix(env[i], key+"=") {
				if !keep {
					env[i] = e
				}
				return
			}
		}
		env = append(env, e)
	}
	if a.rel == r080 {
		set("TERM=xterm-256color", false)
		set("HOME=/root", false)
	}
	for _, e := range r.Env {
		set(e, false)
	}
	if r.SSHAgent {
		set("SSH_AUTH_SOCK=/tmp/ssh-agent.sock", false)
	}
	for _, e := range extra {
		set(e, false)
	}
	if tty && a.rel >= r177 {
		set("TERM=xterm-256color", true)
	}
	set("HOME=/root", true)
	return env
}

// session carries a command's streams and returns its exit code.
func (a *app) session(conn *net.UnixConn, req request) (int, error) {
	in := int(a.stdin.Fd())
	w := frame.NewWriter(conn)
	if req.Mode == modeTTY && term.IsTerminal(in) {
		restore := a.rawTerminal(in, &req, w)
		defer restore()
	} else if req.Mode == modeTTY && a.rel == r080 {
		// Its end-of-input character comes before anything the command says.
		req.EOF = atEnd(a.stdin)
	}
	if err := writeRequest(conn, req); err != nil {
		return 0, ioFailure(err)
	}
	if (req.Mode == modeTTY || req.Mode == modeInput) && !req.EOF {
		go forward(a.stdin, w)
	}
	stdout, stderr := a.stdout, a.stderr
	if req.Mode == modeStream && a.rel >= r177 {
		left := capBytes
		stdout, stderr = &capped{stdout, &left}, &capped{stderr, &left}
	}
	s, err := receive(conn, stdout, stderr)
	var f failure
	if errors.As(err, &f) && req.Mode == modeStream {
		f.lower = true
		err = f
	}
	return s.Code, err
}

// capped ends a stream with an error when both together exceed the limit.
type capped struct {
	w    io.Writer
	left *int
}

func (c *capped) Write(p []byte) (int, error) {
	n := min(*c.left, len(p))
	*c.left -= n
	if _, err := c.w.Write(p[:n]); err != nil {
		return 0, err
	}
	if n < len(p) {
		return n, failf("streaming output exceeded %d byte cap; exec terminated (output truncated)", capBytes)
	}
	return n, nil
}

// forward sends the caller's input until it ends.
func forward(in io.Reader, w *frame.Writer) {
	buf := make([]byte, frame.MaxPayload)
	for {
		n, err := in.Read(buf)
		if n > 0 && w.Write(frame.Stdin, buf[:n]) != nil {
			return
		}
		if err != nil {
			_ = w.Write(frame.CloseStdin, nil)
			return
		}
	}
}

// atEnd says whether input is at its end without waiting. It takes nothing
// from a pipe that has data.
func atEnd(f *os.File) bool {
	fds := []unix.PollFd{{Fd: int32(f.Fd()), Events: unix.POLLIN}}
	if n, err := unix.Poll(fds, 0); err != nil || n == 0 {
		return false
	}
	if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		var b [1]byte
		n, _ := f.Read(b[:])
		return n == 0 // /dev/null
	}
	n, err := unix.IoctlGetInt(int(f.Fd()), unix.TIOCINQ)
	return err == nil && n == 0
}

// rawTerminal prepares the caller's terminal: raw, its size in the request
// and each change of it sent on.
func (a *app) rawTerminal(fd int, req *request, w *frame.Writer) (restore func()) {
	size := func() (cols, rows uint16) {
		ws, err := unix.IoctlGetWinsize(fd, unix.TIOCGWINSZ)
		if err != nil {
			return 80, 24
		}
		return ws.Col, ws.Row
	}
	req.Cols, req.Rows = size()
	old, err := term.MakeRaw(fd)
	if err != nil {
		return func() {}
	}
	changed := make(chan os.Signal, 1)
	signal.Notify(changed, syscall.SIGWINCH)
	go func() {
		for range changed {
			c, r := size()
			_ = w.WriteJSON(frame.Resize, frame.Size{Cols: c, Rows: r})
		}
	}()
	return func() {
		signal.Stop(changed)
		_ = term.Restore(fd, old)
	}
}
