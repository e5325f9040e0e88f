package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bottlebar.app/control"
	"bottlebar.app/snapshot"
)

// webLabel says what the switch means, wherever it is shown.
const webLabel = "web search and fetch: Claude's servers will contact the internet on the bottle's behalf"

// tokens is a number of tokens on the command line: "5000000", "5M", "200k",
// "none" (-1), "default" (0).
type tokens struct{ n *int64 }

func (t *tokens) String() string {
	if t.n == nil || *t.n == 0 {
		return ""
	}
	return strconv.FormatInt(*t.n, 10)
}

func (t *tokens) Type() string { return "TOKENS" }

func (t *tokens) Set(s string) error {
	n, err := parseTokens(s)
	*t.n = n
	return err
}

func parseTokens(s string) (int64, error) {
	switch s {
	case "none":
		return -1, nil
	case "default":
		return 0, nil
	}
	unit := int64(1)
	digits := strings.NewReplacer("_", "", ",", "").Replace(s)
	for suffix, u := range map[string]int64{"k": 1000, "K": 1000, "m": 1_000_000, "M": 1_000_000} {
		if cut, ok := strings.CutSuffix(digits, suffix); ok {
			digits, unit = cut, u
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n <= 0 || n > 1_000_000_000_000/unit {
		return 0, errors.New("write a number of tokens such as 200k or 5M, none, or default")
	}
	return n * unit, nil
}

func (c *commands) tokens() *cobra.Command {
	set := ""
	reset := false
	cmd := &cobra.Command{
		Use: "cap [NAME]", Short: "show what bottles took at the API, and set how much one may take", Args: cobra.MaximumNArgs(1),
		RunE: c.asking(func(ctx context.Context, client *control.Client, args []string) error {
			switch {
			case set != "" && len(args) == 0:
				return usageError{errors.New("cap: name the bottle whose cap is to change; the day's is cap_day in the settings")}
			case set != "":
				n, err := parseTokens(set)
				if err != nil {
					return usageError{fmt.Errorf("cap: %w", err)}
				}
				if _, err := client.Adjust(ctx, args[0], control.AdjustRequest{CapTokens: &n}); err != nil {
					return err
				}
			case reset:
				if err := client.ResetDay(ctx); err != nil {
					return err
				}
			}
			return c.printTokens(ctx, client, args)
		}),
	}
	cmd.Flags().StringVar(&set, "tokens", "", "the bottle's cap: a number such as 5M, none, or default for the settings' cap_bottle")
	cmd.Flags().BoolVar(&reset, "reset-day", false, "start the day's count afresh, as after a clock that was wrong")
	return cmd
}

func (c *commands) printTokens(ctx context.Context, client *control.Client, args []string) error {
	s, err := client.Snapshot(ctx)
	if err != nil {
		return err
	}
	if len(args) > 0 {
		b, err := c.find(ctx, client, args[0])
		if err != nil {
			return err
		}
		s.Bottles = []snapshot.Bottle{b}
	}
	if c.json {
		out := tokensJSON{Day: s.Day, Bottles: []bottleTokens{}}
		for _, b := range s.Bottles {
			out.Bottles = append(out.Bottles, bottleTokens{b.ID, b.Name, b.Usage})
		}
		return c.printJSON(out)
	}
	rows := [][]string{{"BOTTLE", "REQUESTS", "INPUT", "CACHED", "OUTPUT", "UNREAD", "TOKENS", "CAP"}}
	for _, b := range s.Bottles {
		var u snapshot.Usage
		if b.Usage != nil {
			u = *b.Usage
		}
		rows = append(rows, []string{
			b.Name, number(u.Requests), number(u.Input + u.CacheWrite), number(u.CacheRead), number(u.Output), number(u.Unread), number(u.Tokens), capText(u.Cap),
		})
	}
	if d := s.Day; d != nil {
		rows = append(rows, []string{"today", "", "", "", "", "", number(d.Tokens), capText(d.Cap)})
	}
	return c.table(rows)
}

// tokensJSON is what cap prints as JSON.
type tokensJSON struct {
	Day     *snapshot.Day  `json:"day,omitempty"`
	Bottles []bottleTokens `json:"bottles"`
}

type bottleTokens struct {
	ID    string          `json:"id"`
	Name  string          `json:"name"`
	Usage *snapshot.Usage `json:"usage,omitempty"`
}

func capText(n int64) string {
	if n == 0 {
		return "none"
	}
	return number(n)
}

// number writes 1234567 as "1,234,567".
func number(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func usage(u snapshot.Usage) string {
	text := fmt.Sprintf("%s in %s requests", number(u.Tokens), number(u.Requests))
	if u.Cap > 0 {
		text += " of a cap of " + number(u.Cap)
	}
	return text
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

func (c *commands) web() *cobra.Command {
	return &cobra.Command{
		Use: "web NAME on|off", Short: "switch a bottle's " + webLabel, Args: exactly(2, "name a bottle, and on or off"),
		RunE: c.asking(func(ctx context.Context, client *control.Client, args []string) error {
			on := args[1] == "on"
			if !on && args[1] != "off" {
				return usageError{errors.New("web: say on or off")}
			}
			b, err := client.Adjust(ctx, args[0], control.AdjustRequest{Web: &on})
			if err != nil {
				return err
			}
			return c.adjusted(b, b.Name+": web search and fetch are "+onOff(b.Web))
		}),
	}
}

func (c *commands) reopen() *cobra.Command {
	return &cobra.Command{
		Use: "reopen NAME", Short: "let a bottle out again whose way out was cut, after you have looked at it", Args: exactly(1, "name a bottle"),
		RunE: c.asking(func(ctx context.Context, client *control.Client, args []string) error {
			b, err := client.Adjust(ctx, args[0], control.AdjustRequest{Reopen: true})
			if err != nil {
				return err
			}
			return c.adjusted(b, b.Name+" is let out again")
		}),
	}
}

func (c *commands) adjusted(b snapshot.Bottle, text string) error {
	if c.json {
		return c.printJSON(b)
	}
	fmt.Fprintln(c.out(), text)
	return nil
}

// printTrial says what the API answered; a credential that it does not take is
// a failure.
func (c *commands) printTrial(t control.CredentialTrial) error {
	if c.json {
		if err := c.printJSON(t); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(c.out(), "%s, after %s\n", c.clean(t.Finding), time.Duration(t.Millis)*time.Millisecond)
		if t.Cure != "" {
			fmt.Fprintln(c.out(), "→ "+c.clean(t.Cure))
		}
	}
	if !t.Valid {
		return exitError{1}
	}
	return nil
}
