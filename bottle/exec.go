package bottle

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"bottlebar.app/hop"
	"bottlebar.app/internal/fault"
	"bottlebar.app/internal/frame"
	"bottlebar.app/smolvm"
)

// ExecOptions say what to run in a bottle.
type ExecOptions struct {
	Argv      []string
	Workdir   string // absolute; empty: the session's folder
	Env       []string
	Root      bool // as root instead of the session's user
	Terminal  bool
	Size      frame.Size
	Timeout   time.Duration // 0: none
	ViaSmolvm bool          // by smolvm instead of the helper
}

// Exec runs a command in the bottle as the session's user. conn carries
// internal/frame both ways; the last frame is Exit or Error. When conn ends or
// ctx does, the command is killed.
func (b *Bottle) Exec(ctx context.Context, o ExecOptions, conn io.ReadWriter) error {
	l, err := b.running()
	if err != nil {
		return err
	}
	if len(o.Argv) == 0 {
		return fault.New("running a command in "+b.name, "none was given", "write it after --")
	}
	if o.ViaSmolvm {
		return b.execBySmolvm(ctx, l, o, conn)
	}
	s, err := l.session(ctx)
	if err != nil {
		return err
	}
	cmd, err := s.Exec(ctx, b.execRequest(o))
	if err != nil {
		return err
	}
	defer cmd.Close()
	return pump(cmd, conn, nil)
}

func (b *Bottle) execRequest(o ExecOptions) hop.ExecRequest {
	b.mu.Lock()
	sess := b.entry.Session
	b.mu.Unlock()
	r := hop.ExecRequest{
		Argv: o.Argv, Env: append(slices.Clone(sess.Env), o.Env...), Workdir: o.Workdir, User: sess.User,
		TTY: o.Terminal, Size: o.Size, Timeout: o.Timeout,
	}
	if r.Workdir == "" {
		r.Workdir = sess.Folder
	}
	if o.Root {
		r.User = "root"
	}
	return r
}

// Sessions of the keeper that a person can ask for besides the main one.
const (
	shellSession    = "shell"     // the first shell, opened if there is none
	newShellSession = "new-shell" // one more
)

// Attach shows a session of the keeper on conn, which carries internal/frame.
// The session goes on when conn ends. again starts its command anew if it has
// ended.
func (b *Bottle) Attach(ctx context.Context, name string, size frame.Size, again bool, conn io.ReadWriter) error {
	l, err := b.running()
	if err != nil {
		return err
	}
	s, err := l.session(ctx)
	if err != nil {
		return err
	}
	req, err := b.attachRequest(ctx, s, name)
	if err != nil {
		return err
	}
	req.Size, req.Again = size, again
	t, err := s.Attach(ctx, req)
	if err != nil {
		return err
	}
	defer t.Close()
	w := frame.NewWriter(conn)
	if err := w.WriteJSON(frame.Ready, t.Reply()); err != nil {
		return err
	}
	var onEnd func(frame.Status)
	if req.Name == mainSession {
		b.ended(t.Reply().Ended)
		onEnd = func(st frame.Status) { b.ended(&st) }
	}
	return pump(t.Command(), conn, onEnd)
}

// shellCommand finds a login shell whatever the artifact has.
var shellCommand = []string{"/bin/sh", "-c", "if command -v bash >/dev/null 2>&1; then exec bash -l; else exec sh -l; fi"}

func (b *Bottle) attachRequest(ctx context.Context, s *hop.Session, name string) (hop.AttachRequest, error) {
	b.mu.Lock()
	sess := b.entry.Session
	b.mu.Unlock()
	req := hop.AttachRequest{Name: mainSession, Argv: withHooks(sess.Command), Env: sess.Env, Workdir: sess.Folder, MakeDir: true, User: sess.User}
	switch name {
	case "", mainSession:
		return req, nil
	case shellSession:
		req.Name = "shell-1"
	case newShellSession:
		terms, err := s.Terminals(ctx)
		if err != nil {
			return req, err
		}
		req.Name = freeShell(terms)
	default:
		if !strings.HasPrefix(name, "shell-") {
			return req, fault.New("attaching to "+b.name, "there is no session "+name, "use main, shell or new-shell")
		}
		req.Name = name
	}
	req.Argv = shellCommand
	return req, nil
}

func freeShell(terms []hop.TerminalInfo) string {
	for n := uint32(1); ; n++ {
		name := "shell-" + number(n)
		if !slices.ContainsFunc(terms, func(t hop.TerminalInfo) bool { return t.Name == name }) {
			return name
		}
	}
}

// pump passes frames between a command in the guest and conn until the
// command's last frame was written, or either side is gone.
func pump(cmd *hop.Command, conn io.ReadWriter, onEnd func(frame.Status)) error {
	go func() {
		// It ends when conn does: whoever owns conn closes it when pump returns.
		in := frame.NewReader(conn)
		for {
			kind, p, err := in.Next()
			if err != nil {
				_ = cmd.Close()
				return
			}
			switch kind {
			case frame.Stdin, frame.CloseStdin, frame.Resize, frame.Signal:
				if cmd.Send(kind, p) != nil {
					return
				}
			}
		}
	}()
	w := frame.NewWriter(conn)
	for {
		kind, p, err := cmd.Next()
		if err != nil {
			return w.WriteJSON(frame.Error, failureOf(err))
		}
		if kind == frame.Exit && onEnd != nil {
			var st frame.Status
			if json.Unmarshal(p, &st) == nil {
				onEnd(st)
			}
		}
		if err := w.Write(kind, p); err != nil {
			return err
		}
		if kind == frame.Exit || kind == frame.Error {
			return nil
		}
	}
}

func failureOf(err error) *frame.Failure {
	var f *frame.Failure
	if errors.As(err, &f) {
		return f
	}
	if errors.Is(err, net.ErrClosed) {
		return &frame.Failure{Message: "Bottlebar let go of the bottle", Cure: "look at the bottle with bottlebar ls, then try again"}
	}
	e := fault.Of(err)
	why := e.Why
	if e.What != "" {
		why = e.What + ": " + why
	}
	return &frame.Failure{Message: why, Cure: e.Cure}
}

// execBySmolvm is the way in that a person may choose when the helper is lost:
// captured, without a terminal, as root unless the guest can change the user.
func (b *Bottle) execBySmolvm(ctx context.Context, l *live, o ExecOptions, conn io.ReadWriter) error {
	if o.Terminal {
		return fault.New("running a command in "+b.name, "by smolvm it gets no terminal here", "leave the terminal away")
	}
	r := b.execRequest(o)
	argv := r.Argv
	if !o.Root && r.User != "root" {
		argv = append([]string{"su", r.User, "-s", "/bin/sh", "-c", `exec "$0" "$@"`, "--"}, argv...)
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Minute
	}
	res, err := l.client.Exec(ctx, machineName, smolvm.ExecOptions{Workdir: r.Workdir, Env: r.Env, Timeout: o.Timeout}, argv...)
	if err != nil {
		return err
	}
	w := frame.NewWriter(conn)
	if len(res.Stdout) > 0 {
		err = w.Write(frame.Stdout, res.Stdout)
	}
	if err == nil && len(res.Stderr) > 0 {
		err = w.Write(frame.Stderr, res.Stderr)
	}
	if err != nil {
		return err
	}
	return w.WriteJSON(frame.Exit, frame.Status{Code: res.ExitCode})
}
