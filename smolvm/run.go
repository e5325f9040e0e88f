package smolvm

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// defaultGrace is how long a command may take to end after SIGINT.
	defaultGrace = 2 * time.Second
	// controlLimit bounds what a command that manages machines may print: the
	// list of a thousand machines has less than 1 MiB.
	controlLimit = 4 << 20
	// execLimit is above the 11 MiB at which smolvm itself cuts the captured
	// output of a command.
	execLimit = 16 << 20
	// tailSize is what is kept of a stream that goes elsewhere.
	tailSize = 16 << 10
)

// Runner runs programs in a process group of their own. Cancelling sends
// SIGINT to the group and, after Grace, SIGKILL. The zero value is ready.
type Runner struct {
	Grace time.Duration // 0: 2 s
}

// Job is a command with its limits.
type Job struct {
	Command
	Timeout time.Duration // 0: none but the context's
	Stall   time.Duration // longest silence on both streams; 0: none
	Limit   int           // bytes per captured stream before the command is ended; 0: 4 MiB

	// A stream with a writer goes there, and its end is kept. Nil captures it.
	Stdout, Stderr io.Writer
}

// Output is what a program came to.
type Output struct {
	ExitCode int    // -1 when a signal ended it
	Stdout   []byte // whole, or the last part when it went elsewhere
	Stderr   []byte
}

// Running is a program under way. Wait must be called.
type Running struct {
	cmd            *exec.Cmd
	ctx            context.Context //nolint:containedctx // the one that ends this program
	cancel         context.CancelCauseFunc
	release        []func()
	stopped        atomic.Bool
	kill           *time.Timer
	grace          time.Duration
	stdout, stderr *capture
}

// Run starts the program and waits for it. The error is nil whenever the
// program exited by itself, whatever its code. Else it is ErrTimeout,
// ErrOutput, the context's, an [*EndedError], or the system's when it could
// not be started.
func (r Runner) Run(ctx context.Context, job Job) (Output, error) {
	p, err := r.Start(ctx, job)
	if err != nil {
		return Output{ExitCode: -1}, err
	}
	return p.Wait()
}

// Start starts the program.
func (r Runner) Start(ctx context.Context, job Job) (*Running, error) {
	p := &Running{grace: r.Grace}
	if p.grace == 0 {
		p.grace = defaultGrace
	}
	ctx, p.cancel = context.WithCancelCause(ctx)
	if job.Timeout > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeoutCause(ctx, job.Timeout, ErrTimeout)
		p.release = append(p.release, stop)
	}
	p.ctx = ctx
	beat := p.watch(job.Stall)
	p.stdout = p.capture(job.Stdout, job.Limit, beat)
	p.stderr = p.capture(job.Stderr, job.Limit, beat)

	cmd := exec.CommandContext(ctx, job.Path, job.Args...)
	cmd.Env, cmd.Dir = job.Env, job.Dir
	cmd.Stdout, cmd.Stderr = p.stdout, p.stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = p.interrupt
	// Also how long to wait for a stream that a process left behind keeps open.
	cmd.WaitDelay = p.grace + p.grace/4
	p.cmd = cmd
	feed, err := stdin(cmd, job.Stdin)
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		p.done(err)
		return nil, err
	}
	if feed != nil {
		go feed()
	}
	return p, nil
}

// stdin connects a reader. The copying is ours rather than exec's, which would
// wait at the end of the program for a reader that nobody closes: it ends when
// the reader does or the program is gone and something arrives.
func stdin(cmd *exec.Cmd, r io.Reader) (feed func(), err error) {
	switch r := r.(type) {
	case nil:
		return nil, nil
	case *os.File:
		cmd.Stdin = r
		return nil, nil
	}
	w, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	return func() {
		_, _ = io.Copy(w, r) // a program that reads no further is no fault
		_ = w.Close()
	}, nil
}

// watch returns what is to be called at each sign of life.
func (p *Running) watch(stall time.Duration) func() {
	if stall <= 0 {
		return func() {}
	}
	t := time.AfterFunc(stall, func() { p.cancel(ErrTimeout) })
	p.release = append(p.release, func() { t.Stop() })
	return func() { t.Reset(stall) }
}

func (p *Running) capture(to io.Writer, limit int, beat func()) *capture {
	if limit == 0 {
		limit = controlLimit
	}
	return &capture{to: to, limit: limit, beat: beat, over: func() { p.cancel(ErrOutput) }}
}

// interrupt asks the group to end and sees to it that it does.
func (p *Running) interrupt() error {
	p.stopped.Store(true)
	group := -p.cmd.Process.Pid
	p.kill = time.AfterFunc(p.grace, func() { _ = syscall.Kill(group, syscall.SIGKILL) })
	if err := syscall.Kill(group, syscall.SIGINT); err != nil {
		return os.ErrProcessDone
	}
	return nil
}

// Wait waits until the program and its streams have ended; see [Runner.Run].
func (p *Running) Wait() (Output, error) {
	err := p.cmd.Wait()
	out := Output{ExitCode: p.cmd.ProcessState.ExitCode(), Stdout: p.stdout.bytes(), Stderr: p.stderr.bytes()}
	if p.stopped.Load() {
		p.kill.Stop()
		// Whoever of the group ignored the polite signal has had its time, or
		// lost its leader. After an exit of its own the group is left alone:
		// a started VM may belong to it.
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		out.ExitCode = -1
		err = context.Cause(p.ctx)
		p.done(err)
		return out, err
	}
	p.done(nil)
	// A cancel may have come too late to end anything.
	var exit *exec.ExitError
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		return out, nil
	case errors.As(err, &exit):
		if ws, ok := exit.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
			return out, &EndedError{Signal: ws.Signal()}
		}
		return out, nil
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return out, nil
	}
	return out, err
}

// Stop ends the program like a cancelled context does. It does not wait.
func (p *Running) Stop() { p.cancel(context.Canceled) }

func (p *Running) done(cause error) {
	for _, f := range p.release {
		f()
	}
	p.cancel(cause)
}

// EndedError is a program that a signal ended which we did not send.
type EndedError struct{ Signal syscall.Signal }

func (e *EndedError) Error() string { return "ended by signal: " + e.Signal.String() }

// capture takes one stream: whole up to a limit, or the end of one that goes
// to a writer.
type capture struct {
	to    io.Writer
	limit int
	beat  func()
	over  func()

	mu  sync.Mutex
	buf []byte
}

func (c *capture) Write(p []byte) (int, error) {
	c.beat()
	c.keep(p)
	if c.to != nil {
		return c.to.Write(p)
	}
	return len(p), nil
}

func (c *capture) keep(p []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.to == nil {
		room := c.limit - len(c.buf)
		c.buf = append(c.buf, p[:min(len(p), room)]...)
		if len(p) > room {
			c.over()
		}
		return
	}
	c.buf = append(c.buf, p...)
	if len(c.buf) > 2*tailSize {
		c.buf = append(c.buf[:0], c.buf[len(c.buf)-tailSize:]...)
	}
}

func (c *capture) bytes() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]byte(nil), c.buf...)
}

// missing tells that a program could not be started because it is not there.
func missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, exec.ErrNotFound)
}
