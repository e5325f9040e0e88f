package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"bottlebar.app/control"
	"bottlebar.app/internal/fault"
	"bottlebar.app/terminal/vt"
)

// Owner is the process that owns the bottles.
type Owner interface {
	// Socket is where it listens.
	Socket() string
	// Serve owns the bottles in this process, without a screen, until ctx ends.
	// With untilIdle it also ends when nothing has run for a while.
	Serve(ctx context.Context, untilIdle bool) error
	// Start starts another process that serves until idle, and returns once it
	// answers.
	Start(ctx context.Context) error
}

// Env is what the command line runs in.
type Env struct {
	Version string
	Owner   func() (Owner, error)
	Stdin   *os.File
	Stdout  *os.File
	Stderr  *os.File
	Dir     string // the working folder, absolute
}

// exitError ends the program with a code and says nothing.
type exitError struct{ code int }

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// usageError is a command line that makes no sense.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }

// Run runs one command line and returns the exit code.
func Run(ctx context.Context, env Env, args []string) int {
	c := &commands{env: env}
	root := c.root()
	root.SetArgs(args)
	root.SetIn(env.Stdin)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	err := root.ExecuteContext(ctx)
	return c.finish(err)
}

func (c *commands) finish(err error) int {
	var exit exitError
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.code
	case errors.As(err, &usage):
		fmt.Fprintf(c.env.Stderr, "bottlebar: %s\n", c.clean(usage.Error()))
		return 2
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(c.env.Stderr, "bottlebar: cancelled")
		return 1
	}
	for _, e := range several(err) {
		fmt.Fprintf(c.env.Stderr, "bottlebar: %s\n", c.clean(fault.Of(e).Error()))
	}
	return 1
}

// failures are several of one command, as of stop with several names: each has
// a line of its own.
type failures []error

func (f failures) Error() string { return errors.Join(f...).Error() }

func several(err error) []error {
	if f, ok := errors.AsType[failures](err); ok {
		return f
	}
	return []error{err}
}

// clean makes one line of any text.
func (c *commands) clean(s string) string { return vt.Clean(s, 2000) }

// commands holds what the verbs share.
type commands struct {
	env    Env
	json   bool
	client *control.Client
}

func (c *commands) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "bottlebar",
		Short: "Claude Code in a bottle, one click from the menu bar",
		Long: `Bottlebar runs Claude Code in disposable microVMs that have no network: a
hardened sidecar is the only way out, and every launch proves it.

Without a verb it starts the menu-bar app.`,
		SilenceUsage: true, SilenceErrors: true, Version: c.env.Version,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		RunE: func(cmd *cobra.Command, args []string) error {
			return usageError{errors.New("no verb: bottlebar --help lists them")}
		},
	}
	root.SetVersionTemplate("bottlebar {{.Version}}\n")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.PersistentFlags().BoolVar(&c.json, "json", false, "print JSON")
	root.AddCommand(
		c.launch(), c.ls(), c.show(), c.logs(), c.events(), c.attach(), c.exec(), c.cp(), c.stop(), c.resume(), c.prove(), c.forward(),
		c.library(), c.policy(), c.activity(), c.credential(), c.tokens(), c.web(), c.reopen(), c.proxy(), c.doctor(), c.serve(), c.version(),
	)
	wrapArgs(root)
	return root
}

// wrapArgs makes wrong arguments usage errors everywhere.
func wrapArgs(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				path := cmd.CommandPath()
				return usageError{fmt.Errorf("%s: %w (see %s --help)", strings.TrimPrefix(path, "bottlebar "), err, path)}
			}
			return nil
		}
	} else if cmd.HasSubCommands() || !cmd.HasParent() {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("there is no verb %q: %s --help lists them", args[0], cmd.CommandPath())}
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		wrapArgs(sub)
	}
}

// owner returns a client of the process that owns the bottles, and starts one
// without a screen where none runs.
func (c *commands) owner(ctx context.Context) (*control.Client, error) {
	if c.client != nil {
		return c.client, nil
	}
	o, err := c.env.Owner()
	if err != nil {
		return nil, err
	}
	client := &control.Client{Socket: o.Socket()}
	_, err = client.Identity(ctx)
	if errors.Is(err, control.ErrNobody) {
		if err = o.Start(ctx); err == nil {
			_, err = client.Identity(ctx)
		}
	}
	if err != nil {
		return nil, err
	}
	c.client = client
	return client, nil
}

// asking runs a verb that asks the owner of the bottles.
func (c *commands) asking(verb func(ctx context.Context, client *control.Client, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		client, err := c.owner(cmd.Context())
		if err != nil {
			return err
		}
		return verb(cmd.Context(), client, args)
	}
}

func (c *commands) out() io.Writer { return c.env.Stdout }
