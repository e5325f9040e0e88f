package cli

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bottlebar.app/control"
	"bottlebar.app/internal/fault"
	"bottlebar.app/snapshot"
)

// activityFlags are those of the verb activity.
type activityFlags struct {
	denied, allowed bool
	since           time.Duration
	export          string
	query           control.ActivityQuery
}

func (c *commands) activity() *cobra.Command {
	var f activityFlags
	cmd := &cobra.Command{
		Use: "activity NAME", Short: "what a bottle reached, and what was refused", Args: exactly(1, "name a bottle"),
		Long: `What a bottle reached and what it was refused, oldest first, as it is on record.
The record of a bottle that is gone is kept for a month, and read in the same way;
bottlebar library prune removes it.`,
		Example: `  bottlebar activity docs-fix --denied --since 10m
  bottlebar activity docs-fix --host '*.npmjs.org' --follow
  bottlebar activity docs-fix --export decisions.csv`,
		RunE: c.asking(func(ctx context.Context, client *control.Client, args []string) error {
			return c.showActivity(ctx, client, args[0], f)
		}),
	}
	fl := cmd.Flags()
	fl.BoolVarP(&f.query.Follow, "follow", "f", false, "go on with what comes, until interrupted")
	fl.BoolVar(&f.denied, "denied", false, "what was refused alone")
	fl.BoolVar(&f.allowed, "allowed", false, "what was let through alone")
	fl.StringVar(&f.query.Host, "host", "", `a host; "*" stands for anything: '*.example.com'`)
	fl.StringVar(&f.query.Kind, "kind", "", "connect, http, api, policy, canary, probe, lost or sum")
	fl.DurationVar(&f.since, "since", 0, "not older than this, such as 10m")
	fl.StringVar(&f.export, "export", "", "write to a new file instead: .csv, or JSON lines")
	return cmd
}

func (c *commands) showActivity(ctx context.Context, client *control.Client, name string, f activityFlags) error {
	if f.denied && f.allowed {
		return usageError{errors.New("activity: --denied and --allowed leave nothing out together; take one")}
	}
	switch {
	case f.denied:
		f.query.Verdict = "denied"
	case f.allowed:
		f.query.Verdict = "allowed"
	}
	if f.since > 0 {
		f.query.Since = time.Now().Add(-f.since)
	}
	switch {
	case f.export != "":
		return c.exportActivity(ctx, client, name, f)
	case c.json && f.query.Follow:
		return client.ReadActivity(ctx, name, f.query, jsonLines(c.out()))
	case c.json:
		all := []snapshot.Decision{}
		err := client.ReadActivity(ctx, name, f.query, func(lines []snapshot.Decision) error {
			all = append(all, lines...)
			return nil
		})
		if err != nil {
			return err
		}
		return c.printJSON(all)
	}
	headed := false
	return client.ReadActivity(ctx, name, f.query, func(lines []snapshot.Decision) error {
		if !headed {
			headed = true
			fmt.Fprintln(c.out(), activityRow([8]string{"TIME", "VERDICT", "KIND", "HOST", "RULE", "UP", "DOWN", "MS"}))
		}
		now := time.Now()
		for _, d := range lines {
			fmt.Fprintln(c.out(), activityRow(c.decision(d, now)))
		}
		return nil
	})
}

// activityRow is one line of the table. Its columns have fixed widths, since
// what comes later is not known; a host that is longer pushes the rest.
func activityRow(cells [8]string) string {
	return strings.TrimRight(fmt.Sprintf("%-16s %-12s %-8s %-40s %-24s %8s %8s %7s",
		cells[0], cells[1], cells[2], cells[3], cells[4], cells[5], cells[6], cells[7]), " ")
}

func (c *commands) decision(d snapshot.Decision, now time.Time) [8]string {
	where := c.clean(d.Host)
	if d.Port != 0 {
		where += ":" + strconv.Itoa(d.Port)
	}
	if d.Path != "" {
		where = c.clean(d.Method + " " + d.Path)
	}
	verdict := map[string]string{"allowed": "✓ allowed", "denied": "✕ denied", "closed": "  closed", "held": "◐ held", "changed": "· changed"}[d.Verdict]
	if verdict == "" {
		verdict = c.clean(d.Verdict)
	}
	if d.Count > 1 {
		verdict += " ×" + strconv.Itoa(d.Count)
	}
	form := "15:04:05"
	if at := d.Time.Local(); at.YearDay() != now.YearDay() || at.Year() != now.Year() {
		form = "2006-01-02 15:04"
	}
	return [8]string{
		d.Time.Local().Format(form), verdict, c.clean(d.Kind), where, c.clean(d.Rule),
		bytesOf(d.Up), bytesOf(d.Down), msOf(d),
	}
}

func bytesOf(n int64) string {
	if n == 0 {
		return ""
	}
	return size(n)
}

func msOf(d snapshot.Decision) string {
	if d.Took == 0 {
		return ""
	}
	return strconv.FormatInt(d.Took.Milliseconds(), 10)
}

// jsonLines writes one JSON value a line.
func jsonLines(w io.Writer) func([]snapshot.Decision) error {
	e := json.NewEncoder(w)
	return func(lines []snapshot.Decision) error {
		for _, d := range lines {
			if err := e.Encode(d); err != nil {
				return err
			}
		}
		return nil
	}
}

// exportActivity writes a record into a file that must not be there yet; one
// that could not be finished is removed.
func (c *commands) exportActivity(ctx context.Context, client *control.Client, name string, f activityFlags) (err error) {
	path := c.abs(f.export)
	what := "writing " + path
	if f.query.Follow {
		return usageError{errors.New("activity: --export and --follow do not go together")}
	}
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return fault.New(what, "the file is there already", "choose another name")
	}
	if err != nil {
		return fault.Wrap(err, what, "choose a folder that can be written")
	}
	defer func() {
		if cerr := out.Close(); err == nil && cerr != nil {
			err = fault.Wrap(cerr, what, "")
		}
		if err != nil {
			os.Remove(path)
		}
	}()
	each, flush := jsonLines(out), func() error { return nil }
	if strings.EqualFold(filepath.Ext(path), ".csv") {
		each, flush = csvLines(out)
	}
	n := 0
	err = client.ReadActivity(ctx, name, f.query, func(lines []snapshot.Decision) error {
		n += len(lines)
		return each(lines)
	})
	if err == nil {
		err = flush()
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(c.env.Stderr, "%d lines in %s\n", n, path)
	return nil
}

// csvLines writes CSV with a head. A text that a spreadsheet would take for a
// formula gets an apostrophe: hosts are a guest's words.
func csvLines(w io.Writer) (each func([]snapshot.Decision) error, flush func() error) {
	out := csv.NewWriter(w)
	_ = out.Write([]string{"seq", "time", "bottle", "kind", "verdict", "host", "port", "address", "rule", "method", "path", "status", "up", "down", "ms", "count"})
	each = func(lines []snapshot.Decision) error {
		for _, d := range lines {
			_ = out.Write([]string{
				strconv.FormatUint(d.Seq, 10), d.Time.UTC().Format(time.RFC3339Nano), harmless(d.Bottle), harmless(d.Kind), harmless(d.Verdict), harmless(d.Host),
				strconv.Itoa(d.Port), harmless(d.Address), harmless(d.Rule), harmless(d.Method), harmless(d.Path), strconv.Itoa(d.Status),
				strconv.FormatInt(d.Up, 10), strconv.FormatInt(d.Down, 10), strconv.FormatInt(d.Took.Milliseconds(), 10), strconv.Itoa(d.Count),
			})
		}
		return out.Error()
	}
	return each, func() error {
		out.Flush()
		return out.Error()
	}
}

func harmless(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

// policyHold turns waiting for an answer on or off.
func (c *commands) policyHold() *cobra.Command {
	return &cobra.Command{
		Use: "hold NAME on|off", Short: "let a bottle's first connection to an unlisted host wait 30 s for your answer, or not",
		Args: exactly(2, "name a bottle, and say on or off"),
		RunE: c.asking(func(ctx context.Context, client *control.Client, args []string) error {
			if args[1] != "on" && args[1] != "off" {
				return usageError{fmt.Errorf("hold: %q is neither on nor off", args[1])}
			}
			return client.SetHold(ctx, args[0], args[1] == "on")
		}),
	}
}
