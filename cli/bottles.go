package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bottlebar.app/control"
	"bottlebar.app/internal/fault"
	"bottlebar.app/snapshot"
)

func (c *commands) launch() *cobra.Command {
	var req control.LaunchRequest
	var detach, hold bool
	cmd := &cobra.Command{
		Use: "launch ARTIFACT [-- COMMAND…]", Short: "launch a bottle from an artifact, and attach to it on a terminal",
		Args: atLeast(1, "name an artifact of the library"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if n := cmd.ArgsLenAtDash(); n > 1 || n < 0 && len(args) > 1 {
				return usageError{errors.New("launch takes one artifact; write the command after --")}
			}
			client, err := c.owner(cmd.Context())
			if err != nil {
				return err
			}
			req.Artifact, req.Command = args[0], args[1:]
			if cmd.Flags().Changed("hold") {
				req.Hold = &hold
			}
			if req.Folder != "" {
				req.Folder = c.abs(req.Folder)
			}
			req.Policy = c.policyArg(req.Policy)
			b, err := client.Launch(cmd.Context(), req, c.steps())
			if err != nil {
				return err
			}
			c.policyProblems(cmd.Context(), client, b, req.Policy)
			switch {
			case c.json:
				return c.printJSON(b)
			case detach || !c.terminal():
				fmt.Fprintln(c.out(), b.Name)
				return nil
			}
			return c.attachTo(cmd.Context(), client, b.Name, control.AttachRequest{})
		},
	}
	f := cmd.Flags()
	f.StringVar(&req.Name, "name", "", "the bottle's name (default: the artifact's)")
	f.StringVar(&req.Folder, "folder", "", "copy this folder in and start the session there")
	f.StringVar(&req.Mode, "permission-mode", "", "Claude's permission mode")
	f.StringVar(&req.Policy, "policy", "", "the bottle's own policy: a policy file, or presets as in node,git-hosts")
	f.BoolVar(&hold, "hold", false, "a first connection to an unlisted host waits 30 s for your answer (--hold=false: it does not)")
	f.Var(&tokens{&req.CapTokens}, "cap-tokens", "tokens that the bottle may take at the API, such as 5M, or none (default: the settings' cap_bottle)")
	f.BoolVar(&req.Web, "web", false, webLabel)
	f.BoolVar(&detach, "detach", false, "print the bottle's name and do not attach")
	return cmd
}

// steps shows the steps of a launch on a terminal's standard error.
func (c *commands) steps() func(snapshot.Bottle) {
	if !isTerminal(c.env.Stderr) || c.json {
		return nil
	}
	told := make(map[string]bool)
	return func(b snapshot.Bottle) {
		for _, s := range b.Steps {
			if s.State == snapshot.StepDone && !told[s.Name] {
				told[s.Name] = true
				fmt.Fprintf(c.env.Stderr, "✓ %s  %d ms\n", s.Title, s.Took.Milliseconds())
			}
		}
	}
}

func (c *commands) ls() *cobra.Command {
	return &cobra.Command{
		Use: "ls", Short: "list the bottles", Args: cobra.NoArgs,
		RunE: c.asking(func(ctx context.Context, client *control.Client, _ []string) error {
			s, err := client.Snapshot(ctx)
			if err != nil {
				return err
			}
			if c.json {
				return c.printJSON(nonNil(s.Bottles))
			}
			rows := [][]string{{"NAME", "STATE", "SESSION", "ARTIFACT", "ISOLATION", "UP"}}
			for _, b := range s.Bottles {
				up := "–"
				if b.StartedAt != nil {
					up = ago(*b.StartedAt, time.Now())
				}
				isolation := string(b.Isolation)
				if b.Simulated {
					isolation += " (simulated: no VM)"
				}
				if b.Driver == "process" {
					isolation += ", sidecar as a process"
				}
				state := string(b.State)
				if b.HelperLost {
					state += ", helper lost"
				}
				if b.Cut != nil {
					state += ", way out cut"
				}
				rows = append(rows, []string{b.Name, state, dash(string(b.Session)), b.Artifact, isolation, up})
			}
			return c.table(rows)
		}),
	}
}

func nonNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

func (c *commands) show() *cobra.Command {
	var env bool
	cmd := &cobra.Command{
		Use: "show NAME", Short: "show one bottle", Args: exactly(1, "name a bottle"),
		RunE: c.asking(func(ctx context.Context, client *control.Client, args []string) error {
			if env {
				vars, err := client.Environment(ctx, args[0])
				if err != nil {
					return err
				}
				fmt.Fprintln(c.out(), strings.Join(vars, "\n"))
				return nil
			}
			b, err := c.find(ctx, client, args[0])
			if err != nil {
				return err
			}
			if c.json {
				return c.printJSON(b)
			}
			return c.printBottle(b)
		}),
	}
	cmd.Flags().BoolVar(&env, "env", false, "print the variables with which smolvm itself sees the bottle")
	return cmd
}

func (c *commands) find(ctx context.Context, client *control.Client, name string) (snapshot.Bottle, error) {
	s, err := client.Snapshot(ctx)
	if err != nil {
		return snapshot.Bottle{}, err
	}
	if i := slices.IndexFunc(s.Bottles, func(b snapshot.Bottle) bool { return b.Name == name || b.ID == name }); i >= 0 {
		return s.Bottles[i], nil
	}
	return snapshot.Bottle{}, fault.New("showing "+name, "there is no bottle of that name", "bottlebar ls lists them")
}

func (c *commands) printBottle(b snapshot.Bottle) error {
	rows := [][]string{
		{"name", b.Name},
		{"id", b.ID},
		{"state", string(b.State)},
		{"session", dash(string(b.Session))},
		{"artifact", b.Artifact},
		{"isolation", string(b.Isolation)},
		{"smolvm", dash(b.Release)},
		{"sidecar", dash(b.Driver)},
		{"user", dash(b.User)},
		{"folder", dash(c.clean(b.Folder))},
		{"command", dash(c.clean(strings.Join(b.Command, " ")))},
		{"web search and fetch", onOff(b.Web)},
		{"reached", fmt.Sprintf("%d allowed, %d blocked", b.Allowed, b.Blocked)},
	}
	if u := b.Usage; u != nil {
		rows = append(rows, []string{"tokens", usage(*u)})
	}
	if b.Simulated {
		rows = append(rows, []string{"simulated", "no VM: the stand-in for smolvm"})
	}
	if b.HelperLost {
		rows = append(rows, []string{"helper", "lost: bottlebar exec --via-smolvm " + b.Name + " reaches into it"})
	}
	if b.Upstream != "" {
		rows = append(rows, []string{"test", "the API route goes to " + c.clean(b.Upstream)})
	}
	if p := b.Problem; p != nil {
		rows = append(rows, []string{"problem", c.clean(p.What + ": " + p.Why + ": " + p.Cure)})
	}
	return c.table(rows)
}

func (c *commands) logs() *cobra.Command {
	which := ""
	cmd := &cobra.Command{
		Use: "logs NAME", Short: "print a bottle's logs: the boot console, or with --log its sidecar's and its helper's", Args: exactly(1, "name a bottle"),
		RunE: c.asking(func(ctx context.Context, client *control.Client, args []string) error {
			w := c.guestText(c.out(), c.terminal())
			err := client.Logs(ctx, args[0], which, w)
			if cl, ok := w.(*cleaner); ok {
				cl.flush()
			}
			return err
		}),
	}
	cmd.Flags().StringVar(&which, "log", "console", "console, startup (why the last boot failed), sidecar, or helper")
	return cmd
}

func (c *commands) events() *cobra.Command {
	return &cobra.Command{
		Use: "events", Short: "print each change as it happens, one JSON object a line", Args: cobra.NoArgs,
		RunE: c.asking(func(ctx context.Context, client *control.Client, _ []string) error {
			err := client.Watch(ctx, func(s snapshot.Snapshot) { _ = printLine(c.out(), s) })
			if ctx.Err() != nil {
				return nil
			}
			return err
		}),
	}
}

func (c *commands) stop() *cobra.Command {
	all := false
	cmd := &cobra.Command{
		Use: "stop NAME…", Short: "end bottles and remove all of them", Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 && !all {
				return errors.New("name a bottle, or say --all")
			}
			return nil
		},
		RunE: c.asking(func(ctx context.Context, client *control.Client, args []string) error {
			if all {
				s, err := client.Snapshot(ctx)
				if err != nil {
					return err
				}
				args = nil
				for _, b := range s.Bottles {
					args = append(args, b.Name)
				}
			}
			var errs []error
			for _, name := range args {
				if err := client.Stop(ctx, name); err != nil {
					errs = append(errs, err)
				}
			}
			if len(errs) > 0 {
				return failures(errs)
			}
			return nil
		}),
	}
	cmd.Flags().BoolVar(&all, "all", false, "all bottles")
	return cmd
}

func (c *commands) resume() *cobra.Command {
	return &cobra.Command{
		Use: "resume NAME", Short: "start a bottle that stopped by itself", Args: exactly(1, "name a bottle"),
		RunE: c.asking(func(ctx context.Context, client *control.Client, args []string) error {
			b, err := client.Resume(ctx, args[0], c.steps())
			if err != nil {
				return err
			}
			if c.json {
				return c.printJSON(b)
			}
			fmt.Fprintln(c.out(), b.Name)
			return nil
		}),
	}
}

func (c *commands) prove() *cobra.Command {
	return &cobra.Command{
		Use: "prove NAME", Short: "run the escape test and print each attempt", Args: exactly(1, "name a bottle"),
		RunE: c.asking(func(ctx context.Context, client *control.Client, args []string) error {
			p, err := client.Prove(ctx, args[0])
			if err != nil {
				return err
			}
			if c.json {
				err = c.printJSON(p)
			} else {
				err = c.printProof(p)
			}
			if err == nil && !p.Holds {
				return exitError{1}
			}
			return err
		}),
	}
}

func (c *commands) printProof(p snapshot.Proof) error {
	for i := 0; i < len(p.Lines); {
		group := p.Lines[i].Group
		var rows [][]string
		for ; i < len(p.Lines) && p.Lines[i].Group == group; i++ {
			rows = append(rows, c.attempt(p.Lines[i]))
		}
		fmt.Fprintf(c.out(), "%s\n", c.clean(capital(group)))
		if err := c.table(rows); err != nil {
			return err
		}
		fmt.Fprintln(c.out())
	}
	word := "the proof holds"
	if !p.Holds {
		word = "the proof FAILED, and the bottle was stopped"
	}
	fmt.Fprintf(c.out(), "%s: %s (%d lines, %s, %d ms)\n", c.clean(p.Bottle), word, len(p.Lines), p.Time.Local().Format("2006-01-02 15:04:05"), p.Took.Milliseconds())
	if p.Evidence != "" {
		fmt.Fprintf(c.out(), "what was found is kept in %s\n", c.clean(p.Evidence))
	}
	return nil
}

// attempt is one line of a report: what was tried, what was found, and what
// stopped it; what was expected only where that is not what was found.
func (c *commands) attempt(l snapshot.Attempt) []string {
	if l.Holds {
		return []string{"  ✓", c.clean(l.Tried), dash(c.clean(l.Found)), c.clean(l.By)}
	}
	return []string{"  ✕", c.clean(l.Tried), dash(c.clean(l.Found)) + ", expected " + c.clean(l.Expect), c.clean(l.By)}
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// exactly and atLeast say what is missing instead of counting arguments.
func exactly(n int, hint string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != n {
			return errors.New(hint)
		}
		return nil
	}
}

func atLeast(n int, hint string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) < n {
			return errors.New(hint)
		}
		return nil
	}
}
