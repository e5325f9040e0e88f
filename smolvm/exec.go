package smolvm

import (
	"context"
	"errors"
	"io"
	"time"
)

// deadlineSlack is how long after its own timeout smolvm may answer.
const deadlineSlack = 10 * time.Second

// Exec runs a command in a machine, with empty standard input, and returns
// what it came to. A command that fails is no error: its code is in the
// result. An expired timeout is ErrTimeout, with what the command had written.
// Output of more than 11 MiB is cut by smolvm without a word; use
// [Client.ExecStream] for that.
func (c *Client) Exec(ctx context.Context, name string, o ExecOptions, argv ...string) (Result, error) {
	job, release, err := c.execJob(ctx, name, captured, o, argv)
	if err != nil {
		return Result{ExitCode: -1}, err
	}
	defer release()
	job.Limit = execLimit
	out, err := c.runner.Run(ctx, job)
	return c.outcome(ctx, name, o, job.Args, out, err, true)
}

// ExecStream runs a command in a machine with its streams connected, without a
// limit, and returns its exit code. A nil stdin is empty, a nil writer drops.
// Cancelling ends the client; the command in the machine may go on until it
// reads or writes.
func (c *Client) ExecStream(ctx context.Context, name string, o ExecOptions, stdin io.Reader, stdout, stderr io.Writer, argv ...string) (int, error) {
	p, err := c.held(ctx, name, o, stdin, stdout, stderr, argv)
	if err != nil {
		return -1, err
	}
	res, err := p.Wait()
	return res.ExitCode, err
}

// ExecHeld starts a command in a machine and returns while it runs; ctx ends
// it. Of its output only the last kilobytes are kept.
func (c *Client) ExecHeld(ctx context.Context, name string, o ExecOptions, stdin io.Reader, argv ...string) (*Process, error) {
	return c.held(ctx, name, o, stdin, nil, nil, argv)
}

// Process is a command in a machine whose client is ours.
type Process struct {
	run  *Running
	done chan struct{}
	res  Result
	err  error
}

// Done is closed when the command has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Wait waits for the end and returns the result, with the last part of the
// output. It may be called more than once.
func (p *Process) Wait() (Result, error) {
	<-p.done
	return p.res, p.err
}

// Close ends the client and waits for it. What the command does then depends
// on the release: with its standard input gone it may live on.
func (p *Process) Close() error {
	p.run.Stop()
	<-p.done
	return nil
}

func (c *Client) held(ctx context.Context, name string, o ExecOptions, stdin io.Reader, stdout, stderr io.Writer, argv []string) (*Process, error) {
	job, release, err := c.execJob(ctx, name, streaming, o, argv)
	if err != nil {
		return nil, err
	}
	job.Stdin, job.Stdout, job.Stderr = stdin, orDiscard(stdout), orDiscard(stderr)
	run, err := c.runner.Start(ctx, job)
	if err != nil {
		release()
		return nil, c.failure(job.Args, Output{ExitCode: -1}, err)
	}
	p := &Process{run: run, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		defer release()
		out, err := run.Wait()
		p.res, p.err = c.outcome(ctx, name, o, job.Args, out, err, false)
	}()
	return p, nil
}

func orDiscard(w io.Writer) io.Writer {
	if w == nil {
		return io.Discard
	}
	return w
}

// Terminal is a command to be run under a PTY of the caller's, which must have
// its size before the command starts: the size goes along with the request.
// Resizing the PTY resizes the guest's.
type Terminal struct {
	Command
	release func()
}

// Close gives the machine's connection back. It is called when the command has
// ended, or was never started, and may be called more than once.
func (t *Terminal) Close() { t.release() }

// ExecTerminal returns what runs a command in a machine on a terminal. Its
// exit code is the command's; smolvm's own errors come out on the terminal.
func (c *Client) ExecTerminal(ctx context.Context, name string, o ExecOptions, argv ...string) (*Terminal, error) {
	job, release, err := c.execJob(ctx, name, interactive, o, argv)
	if err != nil {
		return nil, err
	}
	return &Terminal{Command: job.Command, release: release}, nil
}

// execJob prepares an exec and takes one of the machine's connections.
func (c *Client) execJob(ctx context.Context, name string, mode execMode, o ExecOptions, argv []string) (Job, func(), error) {
	args, env, err := execArgs(c.in.Version, name, mode, o, argv)
	if err != nil {
		return Job{}, nil, err
	}
	if err := c.atHome(); err != nil {
		return Job{}, nil, err
	}
	release, err := c.connect(ctx, name, args)
	if err != nil {
		return Job{}, nil, err
	}
	job := c.job(args, env)
	if o.Timeout > 0 {
		job.Timeout = o.Timeout + deadlineSlack
	}
	return job, release, nil
}

// outcome tells a command that failed from smolvm failing to run it. Both may
// exit with 1 and a text, and a guest can write any text, so that a doubtful
// case is decided by the machine's state where that can decide it.
func (c *Client) outcome(ctx context.Context, name string, o ExecOptions, args []string, out Output, err error, whole bool) (Result, error) {
	res := Result(out)
	switch {
	case err != nil:
		return res, c.failure(args, out, err)
	case out.ExitCode == 124 && o.Timeout > 0:
		return res, c.failure(args, out, ErrTimeout)
	case out.ExitCode != 1 && out.ExitCode != 2, whole && len(out.Stdout) > 0:
		return res, nil
	}
	if e := c.doubt(context.WithoutCancel(ctx), name, args, out); e != nil {
		return res, e
	}
	return res, nil
}

// doubt decides about an exit with 1 or 2 and no output; nil means that it is
// the guest's own.
func (c *Client) doubt(ctx context.Context, name string, args []string, out Output) *CommandError {
	v := classify(string(out.Stderr), out.ExitCode)
	if !v.ours {
		return nil
	}
	e := c.failure(args, out, nil)
	if errors.Is(v.cause, ErrUsage) || errors.Is(v.cause, ErrOutput) {
		return e
	}
	m, err := c.Status(ctx, name)
	if errors.Is(err, ErrUnknownMachine) {
		e.Cause = ErrUnknownMachine
	}
	if err != nil {
		return e
	}
	up, err := c.alive(ctx, m)
	switch {
	case err != nil:
	case !up:
		e.Cause, e.Left = ErrNotRunning, m.State
	case errors.Is(v.cause, ErrNotRunning):
		e.Cause = ErrBusy // that is how a machine without a free connection answers
	case errors.Is(v.cause, ErrUnknownMachine):
		return nil // it exists: the text is the guest's
	}
	return e
}
