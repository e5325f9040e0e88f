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
)

func (c *commands) proxy() *cobra.Command {
	cmd := &cobra.Command{Use: "proxy", Short: "the company's proxy behind which bottles reach the internet", RunE: noVerb}
	cmd.AddCommand(&cobra.Command{
		Use: "show", Short: "say which way out bottles take", Args: cobra.NoArgs,
		RunE: c.asking(func(ctx context.Context, client *control.Client, _ []string) error {
			st, err := client.ProxyStatus(ctx)
			if err != nil {
				return err
			}
			return c.printProxy(st)
		}),
	}, &cobra.Command{
		Use: "login NAME", Short: "store the password for it, asked for or read from standard input", Args: exactly(1, "name the user"),
		RunE: c.asking(func(ctx context.Context, client *control.Client, args []string) error {
			if strings.Contains(args[0], ":") {
				return fault.New("storing the proxy's login", "a name has no colon", "leave the password out: it is asked for")
			}
			password, err := c.readPassword()
			if err != nil {
				return err
			}
			return client.SetProxyLogin(ctx, args[0]+":"+password)
		}),
	}, &cobra.Command{
		Use: "logout", Short: "forget that password", Args: cobra.NoArgs,
		RunE: c.asking(func(ctx context.Context, client *control.Client, _ []string) error {
			return client.ClearProxyLogin(ctx)
		}),
	})
	return cmd
}

// readPassword asks without echo on a terminal, and reads one line elsewhere.
// Space around it is part of it.
func (c *commands) readPassword() (string, error) {
	if isTerminal(c.env.Stdin) {
		fmt.Fprint(c.env.Stderr, "Password (not shown): ")
		b, err := term.ReadPassword(int(c.env.Stdin.Fd())) //nolint:gosec // a descriptor
		fmt.Fprintln(c.env.Stderr)
		return string(b), err
	}
	line, err := bufio.NewReader(io.LimitReader(c.env.Stdin, maxSecret)).ReadString('\n')
	if err != nil && line == "" {
		return "", fault.New("reading the password", "standard input is empty", "pipe the password into the command")
	}
	return strings.TrimRight(line, "\r\n"), nil
}

func (c *commands) printProxy(st control.ProxyStatus) error {
	if c.json {
		return c.printJSON(st)
	}
	if st.Proxy == "" {
		fmt.Fprintln(c.out(), "straight out")
		return nil
	}
	fmt.Fprintf(c.out(), "through %s, from %s\n", c.clean(st.Proxy), st.Origin)
	if len(st.Direct) > 0 {
		fmt.Fprintf(c.out(), "without it: %s\n", c.clean(strings.Join(st.Direct, " ")))
	}
	if st.User != "" {
		fmt.Fprintf(c.out(), "signing in as %s, password in %s\n", c.clean(st.User), st.Where)
	}
	return nil
}
