package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bottlebar.app/control"
	"bottlebar.app/snapshot"
)

func (c *commands) policy() *cobra.Command {
	cmd := &cobra.Command{
		Use: "policy", Short: "what bottles may reach", RunE: noVerb,
		Long: `What bottles may reach: hosts that are allowed, a block list that always wins,
and presets. It holds for every bottle, for the bottles of an artifact or for one
bottle. A change reaches bottles that run within a second.

A host is exact ("github.com"), everything below a domain ("*.example.com") or an
address, with a port if it is not 443: "deb.debian.org:80".`,
	}
	cmd.AddCommand(
		c.policyShow(),
		c.policyChange("allow HOST[:PORT]", "let a host be reached", "allow"),
		c.policyChange("deny HOST[:PORT]", "take a permission back; what a wider scope allows is blocked in this one", "deny"),
		c.policyChange("block HOST[:PORT]", "put a host on the block list, which wins over every permission", "block"),
		c.policyChange("unblock HOST[:PORT]", "take a host off the block list", "unblock"),
		c.policyChange("mute HOST[:PORT]", "never ask again about a host; it stays refused", "mute"),
		c.policyChange("remove HOST[:PORT]", "remove every line for a host", "remove"),
		c.policyPreset(), c.policyHold(), c.policyCheck(),
	)
	return cmd
}

func (c *commands) policyShow() *cobra.Command {
	return &cobra.Command{
		Use: "show [BOTTLE]", Short: "print what holds, with the origin of each line and its hits", Args: cobra.MaximumNArgs(1),
		RunE: c.asking(func(ctx context.Context, client *control.Client, args []string) error {
			p, err := client.Policy(ctx, strings.Join(args, ""))
			if err != nil {
				return err
			}
			return c.printPolicy(p)
		}),
	}
}

func (c *commands) printPolicy(p control.PolicyView) error {
	if c.json {
		return c.printJSON(p)
	}
	rows := [][]string{{"", "HOST", "PORT", "FROM", "HITS", ""}}
	for _, r := range p.Rules {
		rows = append(rows, c.ruleRow(r))
	}
	if err := c.table(rows); err != nil {
		return err
	}
	c.printProblems(p.Problems)
	return nil
}

func (c *commands) ruleRow(r control.RuleView) []string {
	action := map[string]string{"allow": "✓ allow", "block": "✕ block", "mute": "– mute"}[r.Action]
	port := "any"
	if r.Port != 0 {
		port = strconv.Itoa(r.Port)
	}
	from := r.Origin
	if r.Preset != "" {
		from += ", preset " + r.Preset
	}
	var notes []string
	if r.Via == "api route" {
		notes = append(notes, "by the API's route")
	}
	if len(r.Methods) > 0 {
		notes = append(notes, "only "+strings.Join(r.Methods, ", "))
	}
	if r.Private {
		notes = append(notes, "private address")
	}
	if r.Expires != nil {
		notes = append(notes, "until "+r.Expires.Local().Format("15:04:05"))
	}
	if r.Overruled != "" {
		action = "  (" + r.Action + ")"
		notes = append(notes, "not in force: "+r.Overruled)
	}
	return []string{action, c.clean(r.Host), port, from, strconv.Itoa(r.Hits), c.clean(strings.Join(notes, "; "))}
}

// printProblems writes what is wrong with policy files, a line each, to standard
// error.
func (c *commands) printProblems(list []control.PolicyProblem) {
	for _, p := range list {
		fmt.Fprintf(c.env.Stderr, "bottlebar: %s\n", c.clean(problemLine(p)))
	}
}

func problemLine(p control.PolicyProblem) string {
	where := p.File
	if p.Line != 0 {
		where += ", line " + strconv.Itoa(p.Line)
	}
	return where + ": " + p.Why + ": " + p.Fix
}

// policyProblems says after a launch what is wrong with the files behind it. The
// bottle's own is a copy, line by line, of the one that was given.
func (c *commands) policyProblems(ctx context.Context, client *control.Client, b snapshot.Bottle, given string) {
	p, err := client.Policy(ctx, b.Name)
	if err != nil {
		return
	}
	for i := range p.Problems {
		if own := &p.Problems[i].File; given != "" && filepath.Base(*own) == b.ID+".toml" {
			*own = given
		}
	}
	c.printProblems(p.Problems)
}

// policyArg makes the path of a policy file absolute; names of presets stay.
func (c *commands) policyArg(arg string) string {
	if strings.ContainsAny(arg, "/") || strings.HasSuffix(arg, ".toml") {
		return c.abs(arg)
	}
	if fi, err := os.Stat(c.abs(arg)); arg != "" && err == nil && fi.Mode().IsRegular() {
		return c.abs(arg)
	}
	return arg
}

// scope holds the flags that say what a change is for.
type scope struct {
	bottle, artifact string
}

func (s *scope) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.bottle, "bottle", "", "for this bottle alone")
	cmd.Flags().StringVar(&s.artifact, "artifact", "", "for the bottles of this artifact")
}

func (s scope) apply(change *control.PolicyChange) error {
	change.Bottle, change.Artifact = s.bottle, s.artifact
	switch {
	case s.bottle != "" && s.artifact != "":
		return usageError{errors.New("name a bottle or an artifact, not both")}
	case s.bottle != "":
		change.Scope = "bottle"
	case s.artifact != "":
		change.Scope = "artifact"
	default:
		change.Scope = "global"
	}
	return nil
}

func (c *commands) policyChange(use, short, action string) *cobra.Command {
	var at scope
	var during time.Duration
	change := control.PolicyChange{Action: action}
	cmd := &cobra.Command{
		Use: use, Short: short, Args: exactly(1, "name a host"),
		RunE: c.asking(func(ctx context.Context, client *control.Client, args []string) error {
			if err := at.apply(&change); err != nil {
				return err
			}
			if during != 0 {
				if change.Bottle == "" {
					return usageError{errors.New("--for needs --bottle: a permission for a while is one bottle's")}
				}
				change.Scope, change.For = "once", during
			}
			var err error
			if change.Host, change.Port, err = hostPort(args[0]); err != nil {
				return err
			}
			return c.changePolicy(ctx, client, change)
		}),
	}
	at.flags(cmd)
	if action == "allow" {
		cmd.Flags().DurationVar(&during, "for", 0, "for a while, such as 15m; at most 24h, and not over a sleep")
		cmd.Flags().StringSliceVar(&change.Methods, "method", nil, "these methods of plain HTTP alone, such as GET,HEAD")
		cmd.Flags().BoolVar(&change.Private, "private", false, "the host may have a private address")
	}
	return cmd
}

// hostPort splits what a person typed. Whether the host is one is for the owner
// to say.
func hostPort(arg string) (string, int, error) {
	i := strings.LastIndexByte(arg, ':')
	if i < 0 || strings.Contains(arg, "://") || strings.Count(arg, ":") > 1 && !strings.Contains(arg, "]:") {
		return arg, 0, nil
	}
	port, err := strconv.ParseUint(arg[i+1:], 10, 16)
	if err != nil || port == 0 {
		return "", 0, usageError{fmt.Errorf("%q is no port: write a number between 1 and 65535 after the colon", arg[i+1:])}
	}
	return arg[:i], int(port), nil //nolint:gosec // 16 bits
}

func (c *commands) changePolicy(ctx context.Context, client *control.Client, change control.PolicyChange) error {
	change.Methods = slices.Clone(change.Methods)
	for i, m := range change.Methods {
		change.Methods[i] = strings.ToUpper(m)
	}
	p, err := client.ChangePolicy(ctx, change)
	if err != nil {
		return err
	}
	if c.json {
		return c.printJSON(p)
	}
	return nil
}

func (c *commands) policyPreset() *cobra.Command {
	cmd := &cobra.Command{Use: "preset", Short: "named lists of hosts", RunE: noVerb}
	turn := func(use, short, action string) *cobra.Command {
		var at scope
		sub := &cobra.Command{
			Use: use, Short: short, Args: atLeast(1, "name a preset"),
			RunE: c.asking(func(ctx context.Context, client *control.Client, args []string) error {
				change := control.PolicyChange{Action: action, Preset: strings.Join(args, " ")}
				if err := at.apply(&change); err != nil {
					return err
				}
				return c.changePolicy(ctx, client, change)
			}),
		}
		at.flags(sub)
		return sub
	}
	cmd.AddCommand(
		turn("add NAME", "turn a preset on", "preset-on"),
		turn("rm NAME", "turn a preset off, also where a wider scope has it on", "preset-off"),
		&cobra.Command{
			Use: "ls [BOTTLE]", Short: "list the presets, what they are for and what they let out", Args: cobra.MaximumNArgs(1),
			RunE: c.asking(func(ctx context.Context, client *control.Client, args []string) error {
				p, err := client.Policy(ctx, strings.Join(args, ""))
				if err != nil {
					return err
				}
				if c.json {
					return c.printJSON(p.Presets)
				}
				rows := [][]string{{"PRESET", "ON", "FOR", "WHAT IT LETS OUT", "HOSTS"}}
				for _, v := range p.Presets {
					rows = append(rows, []string{v.Name, dash(v.Origin), v.For, v.LetsOut, strings.Join(v.Hosts, " ")})
				}
				return c.table(rows)
			}),
		},
	)
	return cmd
}

func (c *commands) policyCheck() *cobra.Command {
	return &cobra.Command{
		Use: "check FILE", Short: "read a policy file and say what is wrong with it", Args: exactly(1, "name a file"),
		RunE: c.asking(func(ctx context.Context, client *control.Client, args []string) error {
			list, err := client.CheckPolicy(ctx, c.abs(args[0]))
			if err != nil {
				return err
			}
			if c.json {
				if err := c.printJSON(nonNil(list)); err != nil {
					return err
				}
			} else {
				c.printProblems(list)
			}
			if slices.ContainsFunc(list, func(p control.PolicyProblem) bool { return !p.Warning }) {
				return exitError{1}
			}
			return nil
		}),
	}
}
