package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"bottlebar.app/control"
	"bottlebar.app/internal/fault"
	"bottlebar.app/internal/frame"
	"bottlebar.app/terminal/vt"
)

func (c *commands) exec() *cobra.Command {
	var req control.ExecRequest
	var timeout time.Duration
	cmd := &cobra.Command{
		Use: "exec NAME -- COMMAND…", Short: "run a command in a bottle; its exit code is passed through",
		Args: atLeast(2, "name a bottle and, after --, a command"),
		RunE: c.asking(func(ctx context.Context, client *control.Client, args []string) error {
			req.Argv, req.TimeoutMS = args[1:], timeout.Milliseconds()
			if req.Terminal {
				req.Size = sizeOf(c.env.Stdout)
			}
			conn, err := client.Exec(ctx, args[0], req)
			if err != nil {
				return err
			}
			if req.Terminal && isTerminal(c.env.Stdin) && c.terminal() {
				return c.interactive(ctx, conn, req.Size)
			}
			return c.plain(ctx, conn)
		}),
	}
	f := cmd.Flags()
	f.BoolVarP(&req.Terminal, "terminal", "t", false, "give the command a terminal")
	f.BoolP("interactive", "i", false, "standard input is always passed on; taken for those who are used to it")
	f.BoolVar(&req.Root, "root", false, "as root instead of the session's user")
	f.StringVarP(&req.Workdir, "workdir", "w", "", "the folder to run in (default: the session's)")
	f.StringArrayVarP(&req.Env, "env", "e", nil, "set a variable, K=V")
	f.DurationVar(&timeout, "timeout", 0, "end the command after that long")
	f.BoolVar(&req.ViaSmolvm, "via-smolvm", false, "go by smolvm, when the bottle says that its helper is lost")
	return cmd
}

func (c *commands) attach() *cobra.Command {
	var req control.AttachRequest
	cmd := &cobra.Command{
		Use: "attach NAME", Short: "show a bottle's session in this terminal; Ctrl-\\ leaves it running",
		Args: exactly(1, "name a bottle"),
		RunE: c.asking(func(ctx context.Context, client *control.Client, args []string) error {
			return c.attachTo(ctx, client, args[0], req)
		}),
	}
	cmd.Flags().StringVar(&req.Session, "session", "", "main, shell, or new-shell")
	cmd.Flags().BoolVar(&req.Again, "again", false, "start the session's command again if it has ended")
	return cmd
}

func (c *commands) attachTo(ctx context.Context, client *control.Client, name string, req control.AttachRequest) error {
	if !isTerminal(c.env.Stdin) || !c.terminal() {
		return fault.New("attaching to "+name, "this is not a terminal", "use bottlebar exec, or attach from a terminal")
	}
	req.Size = sizeOf(c.env.Stdout)
	conn, err := client.Attach(ctx, name, req)
	if err != nil {
		return err
	}
	return c.interactive(ctx, conn, req.Size)
}

// plain passes bytes through: standard input in, both streams out, cleaned
// where a terminal would obey them.
func (c *commands) plain(ctx context.Context, conn io.ReadWriteCloser) error {
	defer conn.Close()
	// What is read from may be closed as soon as the command has ended: it is
	// asked what it is before that.
	typed := isTerminal(c.env.Stdin)
	go func() {
		w := frame.NewWriter(conn)
		if !typed {
			if _, err := io.Copy(w.Stream(frame.Stdin), c.env.Stdin); err != nil {
				return
			}
		}
		_ = w.Write(frame.CloseStdin, nil)
	}()
	out, errs := c.guestText(c.env.Stdout, c.terminal()), c.guestText(c.env.Stderr, isTerminal(c.env.Stderr))
	defer func() {
		for _, w := range []io.Writer{out, errs} {
			if cl, ok := w.(*cleaner); ok {
				cl.flush()
			}
		}
	}()
	err := eachFrame(conn, func(kind frame.Kind, p []byte) error {
		var err error
		switch kind {
		case frame.Stdout:
			_, err = out.Write(p)
		case frame.Stderr:
			_, err = errs.Write(p)
		}
		return err
	})
	var exit exitError
	if err != nil && ctx.Err() != nil && !errors.As(err, &exit) {
		return ctx.Err() // the connection ended because we were told to end
	}
	return err
}

// eachFrame reads until the command's end and turns that into the program's.
func eachFrame(r io.Reader, each func(frame.Kind, []byte) error) error {
	in := frame.NewReader(r)
	for {
		kind, p, err := in.Next()
		if err != nil {
			return fault.New("running a command in a bottle", "the connection ended before the command", "look at the bottle with bottlebar ls")
		}
		switch kind {
		case frame.Exit:
			var st frame.Status
			if err := json.Unmarshal(p, &st); err != nil {
				return err
			}
			if st.Code != 0 {
				return exitError{st.Code}
			}
			return nil
		case frame.Error:
			var f frame.Failure
			if err := json.Unmarshal(p, &f); err != nil {
				return err
			}
			return failureError(f)
		}
		if err := each(kind, p); err != nil {
			return err
		}
	}
}

// failureError is a command that did not run: the program's own failure, so
// that its exit code is not taken for the command's.
func failureError(f frame.Failure) error {
	return &fault.Error{Why: f.Message, Cure: f.Cure, Err: &f}
}

// detachKey leaves an interactive session: Ctrl-\, also right behind other keys.
const detachKey = 0x1c

// interactive shows a guest's terminal in this one. The guest's bytes go
// through our own terminal core, and what reaches the person's terminal is
// drawn from it: text, positions, colours and a few modes, nothing else.
func (c *commands) interactive(ctx context.Context, conn io.ReadWriteCloser, size frame.Size) error {
	defer conn.Close()
	fd := int(c.env.Stdin.Fd()) //nolint:gosec // a descriptor
	old, err := term.MakeRaw(fd)
	if err != nil {
		return err
	}
	// The person's terminal does not speak the kitty keyboard protocol for us.
	screen := vt.New(vt.Options{Cols: int(size.Cols), Rows: int(size.Rows), NoKitty: true})
	v := &viewer{screen: screen, draw: vt.NewRenderer(int(size.Cols), int(size.Rows)), out: c.env.Stdout, to: frame.NewWriter(conn)}
	defer func() {
		v.close()
		_ = term.Restore(fd, old)
	}()
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, syscall.SIGWINCH)
	defer signal.Stop(resized)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	left := make(chan struct{})
	go v.keys(c.env.Stdin, left)
	end := make(chan error, 1)
	go func() { end <- eachFrame(conn, v.output) }()
	for {
		select {
		case err := <-end:
			return err
		case <-left:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-resized:
			v.resize(sizeOf(c.env.Stdout))
		}
	}
}

// viewer is one person's terminal on a guest's.
type viewer struct {
	mu     sync.Mutex
	screen *vt.Terminal
	draw   *vt.Renderer
	out    io.Writer
	to     *frame.Writer
	buf    []byte
	held   *time.Timer // draws once a program's hold on the screen is over
	done   bool
}

func (v *viewer) output(kind frame.Kind, p []byte) error {
	if kind != frame.Stdout && kind != frame.Stderr {
		return nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	_, _ = v.screen.Write(p)
	if r := v.screen.TakeReplies(nil); len(r) > 0 {
		_ = v.to.Write(frame.Stdin, r)
	}
	return v.frame()
}

func (v *viewer) frame() error {
	if v.done {
		return nil
	}
	v.buf = v.draw.Frame(v.buf[:0], v.screen)
	var until time.Time
	v.screen.View(func(s *vt.Screen) { until = s.Held })
	if !until.IsZero() {
		v.later(time.Until(until))
	}
	_, err := v.out.Write(v.buf)
	return err
}

// later draws again when a program that holds its frame back has not let go in
// time: without more output nobody else would.
func (v *viewer) later(d time.Duration) {
	if v.held != nil {
		v.held.Reset(d)
		return
	}
	v.held = time.AfterFunc(d, func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		_ = v.frame()
	})
}

func (v *viewer) resize(s frame.Size) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.screen.Resize(int(s.Cols), int(s.Rows))
	v.draw.Resize(int(s.Cols), int(s.Rows))
	_ = v.to.WriteJSON(frame.Resize, s)
	_ = v.frame()
}

// keys passes what is typed on, until the person leaves.
func (v *viewer) keys(in io.Reader, left chan<- struct{}) {
	buf := make([]byte, 4096)
	for {
		n, err := in.Read(buf)
		if err != nil {
			close(left)
			return
		}
		if i := bytes.IndexByte(buf[:n], detachKey); i >= 0 {
			_ = v.to.Write(frame.Stdin, buf[:i])
			close(left)
			return
		}
		if v.to.Write(frame.Stdin, buf[:n]) != nil {
			return
		}
	}
}

// close gives the person's terminal back as a plain one.
func (v *viewer) close() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.done = true
	if v.held != nil {
		v.held.Stop()
	}
	v.buf = v.draw.Finish(v.buf[:0])
	_, _ = v.out.Write(v.buf)
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) } //nolint:gosec // a descriptor

func sizeOf(f *os.File) frame.Size {
	cols, rows, err := term.GetSize(int(f.Fd())) //nolint:gosec // a descriptor
	if err != nil || cols <= 0 || rows <= 0 {
		return frame.Size{Cols: 80, Rows: 24}
	}
	return frame.Size{Cols: uint16(min(cols, 1000)), Rows: uint16(min(rows, 1000))} //nolint:gosec // bounded
}

func printLine(w io.Writer, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", b)
	return err
}
