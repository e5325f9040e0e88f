package session

import (
	"os/exec"
	"testing"
	"time"

	"fyne.io/fyne/v2"

	"bottlebar.app/assets/look"
	"bottlebar.app/snapshot"
)

func TestQuoteGivesOneWordToAShell(t *testing.T) {
	for in, want := range map[string]string{
		"":                      "''",
		"/home/claude/a.txt":    "/home/claude/a.txt",
		"/w/-rf":                "/w/-rf",
		"-rf":                   "'-rf'",
		"/w/a b":                "'/w/a b'",
		"/w/it's":               `'/w/it'\''s'`,
		"/w/$(reboot);`id`&|<>": "'/w/$(reboot);`id`&|<>'",
		"/w/~x":                 "'/w/~x'",
		"/w/naïve ☃":            "'/w/naïve ☃'",
		"/w/two\nlines":         `$'/w/two\x0alines'`,
		"/w/esc\x1b]0;x\x07'\\": `$'/w/esc\x1b]0;x\x07\'\\'`,
		"/w/\xff":               `$'/w/\xff'`,
		"/w/c1\u009b2J":         `$'/w/c1\xc2\x9b2J'`,
	} {
		if got := quote(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

// A real shell reads back what was quoted.
func TestAShellReadsTheSameNameBack(t *testing.T) {
	for _, name := range []string{"/w/a b", "/w/it's", "-rf", "/w/$HOME*?[]{}!#", "/w/two\nlines\t\\", "/w/\xff\xfe", "/w/☃", "~"} {
		out, err := exec.CommandContext(t.Context(), "bash", "-c", "printf %s "+quote(name)).Output()
		if err != nil || string(out) != name {
			t.Errorf("%q came back as %q, %v", name, out, err)
		}
	}
}

func FuzzQuote(f *testing.F) {
	for _, s := range []string{"", "a b", "it's", "-rf", "a\nb", "\xff", "~"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		q := quote(s)
		for _, r := range q {
			if r < 0x20 || r == 0x7f {
				t.Fatalf("%q would act on the terminal", q)
			}
		}
	})
}

func TestTheStatusLineTellsWhatABottleIsLike(t *testing.T) {
	code := 2
	b := bottle()
	for _, c := range []struct {
		name   string
		change func(*snapshot.Bottle)
		want   [4]string // state, proof, activity, caveat
		color  fyne.ThemeColorName
	}{
		{"working", func(*snapshot.Bottle) {}, [4]string{"working", "proved 11:48", "", ""}, look.ColorGood},
		{"needs you", func(b *snapshot.Bottle) { b.Session = snapshot.NeedsYou; b.Blocked = 3; b.Allowed = 214 }, [4]string{"needs you", "proved 11:48", "214 ok · 3 blocked", ""}, look.ColorNeedsYou},
		{"ended", func(b *snapshot.Bottle) { b.Session = snapshot.Ended; b.ExitCode = &code }, [4]string{"failed, exit code 2", "proved 11:48", "", ""}, look.ColorFailed},
		{"simulated, as a process", func(b *snapshot.Bottle) { b.Simulated = true; b.Driver = "process" }, [4]string{"working", "proved 11:48", "", "simulated: no VM · sidecar is a process, not a container"}, look.ColorGood},
		{"not isolated", func(b *snapshot.Bottle) { b.Isolation = snapshot.ProofFailed }, [4]string{"isolation lost", "not isolated 11:48", "", ""}, look.ColorFailed},
		{"starting", func(b *snapshot.Bottle) {
			b.State, b.Isolation, b.ProvedAt = snapshot.Starting, snapshot.Unproved, nil
		}, [4]string{"starting", "not proved yet", "", ""}, look.ColorQuiet},
		{"test server", func(b *snapshot.Bottle) { b.Upstream = "http://127.0.0.1:1" }, [4]string{"working", "proved 11:48", "", "API goes to a test server"}, look.ColorGood},
	} {
		x := b
		c.change(&x)
		l := status(x, noon)
		if got := [4]string{l.state.label, l.proof.label, l.activity.label, l.caveat.label}; got != c.want || l.state.color != c.color {
			t.Errorf("%s: %q %s, want %q %s", c.name, got, l.state.color, c.want, c.color)
		}
	}
}

func TestACopySaysHowFarAndHowFastItIs(t *testing.T) {
	for _, c := range []struct {
		done, total int64
		took        time.Duration
		want        string
	}{
		{0, 0, 0, "x"},
		{0, 0, time.Second, "x"},
		{1500, 0, 100 * time.Millisecond, "x  1.5 kB"},
		{110_000_000, 249_000_000, 2 * time.Second, "x  110 MB of 249 MB  55 MB/s"},
	} {
		if got := progress("x", c.done, c.total, c.took); got != c.want {
			t.Errorf("%d of %d after %v: %q, want %q", c.done, c.total, c.took, got, c.want)
		}
	}
}

func TestACopyIsNamedByWhatIsCopied(t *testing.T) {
	for _, c := range []struct {
		paths  []string
		folder string
		files  bool
		want   string
	}{
		{[]string{"/tmp/report.pdf"}, "/home/claude/work", true, "report.pdf into /home/claude/work"},
		{[]string{"/a", "/b", "/c"}, "~/work", true, "3 files into ~/work"},
		{[]string{"/a", "/b"}, "", false, "2 items into the session’s folder"},
		{[]string{"/tmp/evil\n\x1b[2J"}, "~/w", true, "evil �[2J into ~/w"},
	} {
		if got := copyLabel(c.paths, c.folder, c.files); got != c.want {
			t.Errorf("%q: %q, want %q", c.paths, got, c.want)
		}
	}
}
