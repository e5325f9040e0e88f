package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

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
			// Space around a password is part of it.
			password, err := c.readSecret("password")
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
