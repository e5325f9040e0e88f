package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"bottlebar.app/control"
	"bottlebar.app/internal/fault"
	"bottlebar.app/snapshot"
)

func (c *commands) credential() *cobra.Command {
	cmd := &cobra.Command{Use: "credential", Short: "what the sidecar adds to API requests; no bottle ever holds it", RunE: noVerb}
	kind := ""
	set := &cobra.Command{
		Use: "set", Short: "store an API key or a subscription token, asked for or read from standard input", Args: cobra.NoArgs,
		RunE: c.asking(func(ctx context.Context, client *control.Client, _ []string) error {
			secret, err := c.readSecret("API key or token")
			if err != nil {
				return err
			}
			st, err := client.SetCredential(ctx, kind, strings.TrimSpace(secret))
			if err != nil {
				return err
			}
			return c.printCredential(st)
		}),
	}
	set.Flags().StringVar(&kind, "kind", "", "api-key or token (default: told by its beginning)")
	cmd.AddCommand(set, &cobra.Command{
		Use: "status", Short: "say what is stored, by its last four characters", Args: cobra.NoArgs,
		RunE: c.asking(func(ctx context.Context, client *control.Client, _ []string) error {
			st, err := client.CredentialStatus(ctx)
			if err != nil {
				return err
			}
			return c.printCredential(st)
		}),
	}, &cobra.Command{
		Use: "test", Short: "ask the API whether it takes the credential; costs nothing", Args: cobra.NoArgs,
		RunE: c.asking(func(ctx context.Context, client *control.Client, _ []string) error {
			t, err := client.TestCredential(ctx)
			if err != nil {
				return err
			}
			return c.printTrial(t)
		}),
	}, &cobra.Command{
		Use: "clear", Short: "forget the credential", Args: cobra.NoArgs,
		RunE: c.asking(func(ctx context.Context, client *control.Client, _ []string) error {
			return client.ClearCredential(ctx)
		}),
	})
	return cmd
}

// maxSecret is far above the length of any key or token.
const maxSecret = 8 << 10

// readSecret asks for what it is called without echo on a terminal, and reads
// one line elsewhere.
func (c *commands) readSecret(what string) (string, error) {
	if isTerminal(c.env.Stdin) {
		fmt.Fprintf(c.env.Stderr, "The %s (not shown): ", what)
		b, err := term.ReadPassword(int(c.env.Stdin.Fd())) //nolint:gosec // a descriptor
		fmt.Fprintln(c.env.Stderr)
		return string(b), err
	}
	line, err := bufio.NewReader(io.LimitReader(c.env.Stdin, maxSecret)).ReadString('\n')
	if err != nil && line == "" {
		return "", fault.New("reading the "+what, "standard input is empty", "pipe the "+what+" into the command")
	}
	return strings.TrimRight(line, "\r\n"), nil
}

func (c *commands) printCredential(st control.CredentialStatus) error {
	if c.json {
		return c.printJSON(st)
	}
	if !st.Set {
		fmt.Fprintln(c.out(), "no credential is set")
		return nil
	}
	fmt.Fprintf(c.out(), "%s ending in %s, in %s\n", st.Kind, st.LastFour, st.Origin)
	if st.Warning != "" {
		fmt.Fprintln(c.env.Stderr, "bottlebar: "+c.clean(st.Warning))
	}
	return nil
}

func (c *commands) doctor() *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "check what Bottlebar needs, with a cure for what is missing", Args: cobra.NoArgs,
		RunE: c.asking(func(ctx context.Context, client *control.Client, _ []string) error {
			checks, err := client.Doctor(ctx)
			if err != nil {
				return err
			}
			bad := false
			for _, k := range checks {
				bad = bad || k.State == snapshot.CheckFailed
			}
			if c.json {
				err = c.printJSON(checks)
			} else {
				err = c.printChecks(checks)
			}
			if err == nil && bad {
				return exitError{1}
			}
			return err
		}),
	}
}

func (c *commands) printChecks(checks []snapshot.Check) error {
	shape := map[snapshot.CheckState]string{snapshot.CheckOK: "✓", snapshot.CheckWarn: "◐", snapshot.CheckFailed: "✕", snapshot.CheckRunning: "◌"}
	rows := make([][]string, 0, 2*len(checks))
	for _, k := range checks {
		rows = append(rows, []string{shape[k.State], k.Title, c.clean(k.Finding)})
		cure := k.Cure
		if k.Command != "" {
			cure += " (" + k.Command + ")"
		}
		if cure != "" {
			rows = append(rows, []string{"", "", "→ " + c.clean(cure)})
		}
	}
	return c.table(rows)
}

func (c *commands) serve() *cobra.Command {
	untilIdle := false
	cmd := &cobra.Command{
		Use: "serve", Short: "own the bottles without a screen, until interrupted", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := c.env.Owner()
			if err != nil {
				return err
			}
			return o.Serve(cmd.Context(), untilIdle)
		},
	}
	cmd.Flags().BoolVar(&untilIdle, "until-idle", false, "end when nothing has run or been asked for five minutes")
	_ = cmd.Flags().MarkHidden("until-idle")
	return cmd
}

func (c *commands) version() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "print the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			fmt.Fprintln(c.out(), "bottlebar "+c.env.Version)
			return nil
		},
	}
}
