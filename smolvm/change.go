package smolvm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Values of --cpus and --mem that smolvm takes for "not given", so that an
// artifact's own win.
const (
	defaultCPUs   = 4
	defaultMemMiB = 8192
)

// Create makes a machine. It does not start it.
func (c *Client) Create(ctx context.Context, o CreateOptions) error {
	if o.From != "" {
		abs, err := filepath.Abs(o.From)
		if err != nil {
			return err
		}
		o.From = abs
	}
	args, err := createArgs(c.in.Version, o)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.home.Dir, 0o700); err != nil {
		return fmt.Errorf("home of the machine: %w", err)
	}
	unlock, err := c.lock(ctx, o.Name)
	if err != nil {
		return err
	}
	defer unlock()
	if err := c.change(ctx, o.Name, createTimeout, args); err != nil {
		return err
	}
	return c.insist(ctx, o)
}

// insist sets the sizes that create took for its own defaults.
func (c *Client) insist(ctx context.Context, o CreateOptions) error {
	if o.From == "" || (o.CPUs != defaultCPUs && o.MemMiB != defaultMemMiB) {
		return nil
	}
	m, err := c.Status(ctx, o.Name)
	if err != nil {
		return err
	}
	var u UpdateOptions
	if o.CPUs != 0 && m.CPUs != o.CPUs {
		u.CPUs = o.CPUs
	}
	if o.MemMiB != 0 && m.MemMiB != o.MemMiB {
		u.MemMiB = o.MemMiB
	}
	if u.CPUs == 0 && u.MemMiB == 0 {
		return nil
	}
	return c.update(ctx, o.Name, u)
}

// Update changes a machine that does not run.
func (c *Client) Update(ctx context.Context, name string, o UpdateOptions) error {
	unlock, err := c.lock(ctx, name)
	if err != nil {
		return err
	}
	defer unlock()
	return c.update(ctx, name, o)
}

func (c *Client) update(ctx context.Context, name string, o UpdateOptions) error {
	args, err := updateArgs(c.in.Version, name, o)
	if err != nil {
		return err
	}
	return c.change(ctx, name, updateTimeout, args)
}

// Start starts a machine and returns when it runs. One that runs already is
// left alone, also when smolvm calls it unreachable: starting that would kill
// it.
func (c *Client) Start(ctx context.Context, name string, o StartOptions) error {
	if err := CheckName(name); err != nil {
		return err
	}
	unlock, err := c.lock(ctx, name)
	if err != nil {
		return err
	}
	defer unlock()
	if !o.Fresh {
		if up, err := c.Alive(ctx, name); err != nil || up {
			return err
		}
	}
	limit := o.Timeout
	switch {
	case limit == 0:
		limit = startTimeout
	case limit < 0:
		limit = 0
	}
	var env []string
	if o.AuthSock != "" {
		env = append(env, "SSH_AUTH_SOCK="+o.AuthSock)
	}
	args := startArgs(name)
	if err := c.change(ctx, name, limit, args, env...); err != nil {
		return err
	}
	m, err := c.Status(ctx, name)
	if err != nil {
		return err
	}
	up, err := c.alive(ctx, m)
	if err == nil && !up {
		e := c.failure(args, Output{}, ErrNotRunning)
		e.Reason, e.Left = "the machine ended right after its start", m.State
		return e
	}
	return err
}

// Stop stops a machine, also an unreachable one. One that does not run or
// exist is fine.
func (c *Client) Stop(ctx context.Context, name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	unlock, err := c.lock(ctx, name)
	if err != nil {
		return err
	}
	defer unlock()
	return c.stop(ctx, name)
}

func (c *Client) stop(ctx context.Context, name string) error {
	err := c.change(ctx, name, stopTimeout, stopArgs(name))
	if errors.Is(err, ErrUnknownMachine) {
		return nil
	}
	return err
}

// Delete removes a machine in any state with all its files. One that does not
// exist is fine.
func (c *Client) Delete(ctx context.Context, name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	unlock, err := c.lock(ctx, name)
	if err != nil {
		return err
	}
	defer unlock()
	if c.in.Version.Family() == FamilyA {
		// There delete takes the record and leaves the VM alive.
		if err := c.stop(ctx, name); err != nil {
			return err
		}
	}
	args := deleteArgs(c.in.Version, name)
	err = c.change(ctx, name, deleteTimeout, args)
	if err != nil && !errors.Is(err, ErrUnknownMachine) {
		return err
	}
	list, err := c.List(ctx)
	if err != nil {
		return err
	}
	if m, ok := find(list, name); ok {
		e := c.failure(args, Output{}, ErrExists)
		e.Reason, e.Left = "the machine is still listed", m.State
		return e
	}
	return nil
}

// change runs a command that changes a machine. When it is cut short the error
// says in what state the machine was left.
func (c *Client) change(ctx context.Context, name string, limit time.Duration, args []string, env ...string) error {
	_, err := c.control(ctx, limit, args, env...)
	var e *CommandError
	if !errors.As(err, &e) || e.ExitCode >= 0 {
		return err
	}
	// The caller has given up, but what remains must be known to clear it.
	list, lerr := c.List(context.WithoutCancel(ctx))
	if m, ok := find(list, name); lerr == nil && ok {
		e.Left = m.State
	}
	return e
}

func find(list []Machine, name string) (Machine, bool) {
	for _, m := range list {
		if m.Name == name {
			return m, true
		}
	}
	return Machine{}, false
}
