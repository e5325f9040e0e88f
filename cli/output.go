package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/term"

	"bottlebar.app/terminal/vt"
)

// printJSON writes v as indented JSON, an empty list as [].
func (c *commands) printJSON(v any) error {
	e := json.NewEncoder(c.out())
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// table writes rows in columns.
func (c *commands) table(rows [][]string) error {
	w := tabwriter.NewWriter(c.out(), 0, 0, 3, ' ', 0)
	for _, row := range rows {
		if _, err := fmt.Fprintln(w, strings.Join(row, "\t")); err != nil {
			return err
		}
	}
	return w.Flush()
}

func (c *commands) terminal() bool { return term.IsTerminal(int(c.env.Stdout.Fd())) } //nolint:gosec // a descriptor

// guestText copies text that was written in a guest: to a terminal cleaned,
// line by line, to a pipe as it is.
func (c *commands) guestText(w io.Writer, tty bool) io.Writer {
	if !tty {
		return w
	}
	return &cleaner{w: w}
}

// cleaner replaces what a terminal would obey. It keeps an unfinished line back
// until the rest of it comes, or until it is long.
type cleaner struct {
	w    io.Writer
	rest []byte
}

const maxLine = 64 << 10

func (c *cleaner) Write(p []byte) (int, error) {
	c.rest = append(c.rest, p...)
	cut := strings.LastIndexByte(string(c.rest), '\n') + 1
	if cut == 0 && len(c.rest) > maxLine {
		cut = len(c.rest)
	}
	if cut > 0 {
		if _, err := io.WriteString(c.w, vt.CleanText(string(c.rest[:cut]))); err != nil {
			return 0, err
		}
		c.rest = append(c.rest[:0], c.rest[cut:]...)
	}
	return len(p), nil
}

// flush writes what is left of a last line.
func (c *cleaner) flush() {
	_, _ = io.WriteString(c.w, vt.CleanText(string(c.rest)))
	c.rest = nil
}

// size is in units of 1000, as the Finder shows it.
func size(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.0f MB", float64(n)/1e6)
	case n >= 1e3:
		return fmt.Sprintf("%.0f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%d B", n)
}

// ago is relative under a day, then a date.
func ago(t, now time.Time) string {
	d := now.Sub(t)
	switch {
	case d < time.Minute:
		return "now"
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 24*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return t.Local().Format("2006-01-02")
}

func dash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}
