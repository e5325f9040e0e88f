package smolvm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	// maxConnections is how many connections to one machine are held at once.
	// The machine serves eight; a ninth marks it as unreachable for good, and
	// the next start would kill it. Probes need some of the rest.
	maxConnections = 5
	// busyWait is how long a command waits for one of them.
	busyWait = 15 * time.Second

	statusBase       = 10 * time.Second
	statusPerMachine = 3 * time.Second // smolvm pings each for up to that long
	createTimeout    = 15 * time.Minute
	startTimeout     = 120 * time.Second
	stopTimeout      = 30 * time.Second
	deleteTimeout    = 60 * time.Second
	updateTimeout    = 30 * time.Second
)

// Client works with the machines of one home. There must be one Client per
// home: it keeps apart what smolvm does not, changes of one machine, and
// counts the connections to it. Safe for concurrent use.
type Client struct {
	in     *Install
	home   Home
	runner Runner
	wait   time.Duration // for a free connection
	stall  time.Duration // longest silence of a copy

	mu    sync.Mutex
	gates map[string]*gate
	seen  int // machines in the last list
}

// gate holds what may happen to one machine at a time.
type gate struct {
	change chan struct{} // one token: create, start, stop, delete, update
	conns  chan struct{} // maxConnections tokens
}

// Client binds the command to a home.
func (in *Install) Client(h Home) *Client {
	return &Client{in: in, home: h, wait: busyWait, stall: copyStall, gates: map[string]*gate{}, seen: 1}
}

// Install is the command that the client calls.
func (c *Client) Install() *Install { return c.in }

// Home is where the client's machines live.
func (c *Client) Home() Home { return c.home }

// List returns all machines of the home, in no particular order.
func (c *Client) List(ctx context.Context) ([]Machine, error) {
	c.mu.Lock()
	limit := statusBase + time.Duration(max(1, c.seen))*statusPerMachine
	c.mu.Unlock()
	args := listArgs()
	out, err := c.control(ctx, limit, args)
	if err != nil {
		return nil, err
	}
	list, err := parseList(out.Stdout)
	if err != nil {
		return nil, c.garbled(args, out, err)
	}
	c.mu.Lock()
	c.seen = len(list)
	c.mu.Unlock()
	return list, nil
}

// Status returns one machine; the error for one that does not exist is
// ErrUnknownMachine. Its state may be StateUnreachable though it is well, see
// [Client.Alive].
func (c *Client) Status(ctx context.Context, name string) (Machine, error) {
	if err := CheckName(name); err != nil {
		return Machine{}, err
	}
	args := statusArgs(name)
	out, err := c.control(ctx, statusBase+statusPerMachine, args)
	if err != nil {
		return Machine{}, err
	}
	m, err := parseStatus(out.Stdout)
	if err == nil && m.Name != name {
		err = fmt.Errorf("machine status: answer is about %q", clip(clean(m.Name), 40))
	}
	if err != nil {
		return Machine{}, c.garbled(args, out, err)
	}
	return m, nil
}

// Alive tells whether the machine runs, looking twice at one that is called
// unreachable: that word is stored by the first command that found all
// connections in use and stays when they are free again.
func (c *Client) Alive(ctx context.Context, name string) (bool, error) {
	m, err := c.Status(ctx, name)
	if err != nil {
		return false, err
	}
	return c.alive(ctx, m)
}

func (c *Client) alive(ctx context.Context, m Machine) (bool, error) {
	switch m.State {
	case StateRunning:
		return true, nil
	case StateUnreachable:
	default:
		return false, nil
	}
	if !processAlive(m.PID) {
		return false, nil
	}
	out, err := c.control(ctx, statusBase+statusPerMachine, statusTextArgs(m.Name))
	if err != nil {
		return false, err
	}
	return strings.Contains(string(out.Stdout), ": running (PID: "), nil
}

// DataDir is the folder of a machine's disks, sockets and logs.
func (c *Client) DataDir(ctx context.Context, name string) (string, error) {
	if err := CheckName(name); err != nil {
		return "", err
	}
	args := dataDirArgs(c.in.Version, name)
	out, err := c.control(ctx, statusBase, args)
	if err != nil {
		return "", err
	}
	dir := firstLine(string(out.Stdout))
	if !strings.HasPrefix(dir, "/") {
		return "", c.garbled(args, out, errors.New("the machine's folder is not an absolute path"))
	}
	return dir, nil
}

// Names of the logs in a machine's data folder.
const (
	ConsoleLog      = "agent-console.log"       // JSON lines, begun anew at each start; holds the command line of every exec
	StartupErrorLog = "agent-startup-error.log" // why the last boot failed
)

// control runs a command that manages machines. Any exit code but 0 is a
// [*CommandError].
func (c *Client) control(ctx context.Context, limit time.Duration, args []string, env ...string) (Output, error) {
	job := c.job(args, env)
	job.Timeout = limit
	return c.call(ctx, job)
}

func (c *Client) job(args, env []string) Job {
	return Job{Command: Command{
		Path: c.in.Path, Args: args,
		Env: append(c.home.Environ(), env...), Dir: c.home.Dir,
	}}
}

func (c *Client) call(ctx context.Context, job Job) (Output, error) {
	if err := c.atHome(); err != nil {
		return Output{ExitCode: -1}, err
	}
	out, err := c.runner.Run(ctx, job)
	if err == nil && out.ExitCode == 0 {
		return out, nil
	}
	return out, c.failure(job.Args, out, err)
}

// atHome keeps a command from making a home again that was removed.
func (c *Client) atHome() error {
	if info, err := os.Stat(c.home.Dir); err != nil {
		return fmt.Errorf("home of the machine: %w", err)
	} else if !info.IsDir() {
		return &fs.PathError{Op: "home of the machine", Path: c.home.Dir, Err: errors.New("not a folder")}
	}
	return nil
}

// failure makes the error of a command that did not exit with 0.
func (c *Client) failure(args []string, out Output, err error) *CommandError {
	e := &CommandError{
		Argv:     redact(append([]string{c.in.Path}, args...)),
		ExitCode: out.ExitCode,
		Stderr:   lastLines(clean(conceal(string(out.Stderr), args)), 20),
		Cause:    err,
	}
	if err == nil {
		v := classify(string(out.Stderr), out.ExitCode)
		e.Reason, e.Cause = conceal(v.reason, args), v.cause
	}
	return e
}

// garbled makes the error of an answer that cannot be read.
func (c *Client) garbled(args []string, out Output, err error) *CommandError {
	e := c.failure(args, out, err)
	e.ExitCode = out.ExitCode
	return e
}

// conceal hides the values of variables where a text repeats them.
func conceal(text string, args []string) string {
	for i, a := range args {
		if a == "--" {
			break
		}
		if i == 0 || args[i-1] != "-e" {
			continue
		}
		if _, value, ok := strings.Cut(a, "="); ok && len(value) > 3 {
			text = strings.ReplaceAll(text, value, hiddenValue)
		}
	}
	return text
}

func (c *Client) gate(name string) *gate {
	c.mu.Lock()
	defer c.mu.Unlock()
	g := c.gates[name]
	if g == nil {
		g = &gate{change: make(chan struct{}, 1), conns: make(chan struct{}, maxConnections)}
		c.gates[name] = g
	}
	return g
}

// lock waits for the right to change a machine; the function returned gives
// it back.
func (c *Client) lock(ctx context.Context, name string) (func(), error) {
	g := c.gate(name)
	select {
	case g.change <- struct{}{}:
		return func() { <-g.change }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// connect waits for one of the machine's connections; the function returned
// gives it back and may be called more than once.
func (c *Client) connect(ctx context.Context, name string, args []string) (func(), error) {
	g := c.gate(name)
	t := time.NewTimer(c.wait)
	defer t.Stop()
	select {
	case g.conns <- struct{}{}:
		return sync.OnceFunc(func() { <-g.conns }), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-t.C:
		return nil, c.failure(args, Output{ExitCode: -1}, ErrBusy)
	}
}
