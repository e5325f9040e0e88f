package look

import (
	"image/color"
	"math"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"

	"bottlebar.app/assets"
	"bottlebar.app/snapshot"
)

// luminance and contrast are those of WCAG 2.
func luminance(c color.NRGBA) float64 {
	part := func(v uint8) float64 {
		f := float64(v) / 255
		if f <= 0.04045 {
			return f / 12.92
		}
		return math.Pow((f+0.055)/1.055, 2.4)
	}
	return 0.2126*part(c.R) + 0.7152*part(c.G) + 0.0722*part(c.B)
}

func contrast(a, b color.NRGBA) float64 {
	x, y := luminance(a), luminance(b)
	if x < y {
		x, y = y, x
	}
	return (x + 0.05) / (y + 0.05)
}

// over paints a translucent colour on a ground.
func over(c, ground color.NRGBA) color.NRGBA {
	mix := func(a, b uint8) uint8 {
		return uint8((int(a)*int(c.A) + int(b)*(255-int(c.A))) / 255)
	}
	return color.NRGBA{R: mix(c.R, ground.R), G: mix(c.G, ground.G), B: mix(c.B, ground.B), A: 255}
}

func TestTextIsReadableOnEveryGround(t *testing.T) {
	for name, p := range map[string]Palette{"light": Light(), "dark": Dark()} {
		grounds := map[string]color.NRGBA{
			"background": p.Background, "raised": p.Raised,
			"hover": over(alpha(p.Text, 0x0D), p.Background),
		}
		for g, ground := range grounds {
			for c, ink := range map[string]color.NRGBA{
				"text": p.Text, "quiet": p.Quiet, "accent": p.Accent,
				"needs you": p.NeedsYou, "failed": p.Failed, "good": p.Good,
			} {
				want := 4.5
				if c == "needs you" && g != "background" {
					want = 3 // a shape there; see OnRaised
				}
				if r := contrast(ink, ground); r < want {
					t.Errorf("%s: %s on %s is %.2f : 1, less than %.1f", name, c, g, r, want)
				}
			}
		}
		for c, pair := range map[string][2]color.NRGBA{
			"label of a primary button": {p.OnAccent, p.Accent},
			"label of a button":         {p.Text, p.Control},
			"disabled label":            {p.Quiet, p.Background},
			"selected row":              {p.Text, over(alpha(p.Accent, 0x26), p.Background)},
		} {
			if r := contrast(pair[0], pair[1]); r < 4.5 {
				t.Errorf("%s: %s is %.2f : 1", name, c, r)
			}
		}
		if r := contrast(p.Accent, p.Line); r < 3 {
			t.Errorf("%s: progress on its ground is %.2f : 1", name, r)
		}
	}
}

func TestTheThemeUsesTheTokens(t *testing.T) {
	th := Theme()
	for v, p := range map[fyne.ThemeVariant]Palette{theme.VariantLight: Light(), theme.VariantDark: Dark()} {
		for n, want := range map[fyne.ThemeColorName]color.NRGBA{
			theme.ColorNameBackground: p.Background, theme.ColorNameForeground: p.Text, theme.ColorNamePrimary: p.Accent,
			ColorRaised: p.Raised, ColorQuiet: p.Quiet, ColorNeedsYou: p.NeedsYou, ColorFailed: p.Failed, ColorGood: p.Good, ColorLine: p.Line,
		} {
			if got := th.Color(n, v); got != want {
				t.Errorf("%s: %v, want %v", n, got, want)
			}
		}
	}
	for n, want := range map[fyne.ThemeSizeName]float32{theme.SizeNameText: 13, theme.SizeNameCaptionText: 11, theme.SizeNameHeadingText: 15, theme.SizeNamePadding: 4} {
		if got := th.Size(n); got != want {
			t.Errorf("%s is %v, want %v", n, got, want)
		}
	}
}

func TestEveryStateHasAShapeAndAWord(t *testing.T) {
	ready := func(s snapshot.SessionState) snapshot.Bottle {
		return snapshot.Bottle{State: snapshot.Ready, Session: s, Isolation: snapshot.Proved}
	}
	lost := ready(snapshot.Working)
	lost.HelperLost = true
	open := ready(snapshot.Working)
	open.Isolation = snapshot.ProofFailed
	for _, c := range []struct {
		b    snapshot.Bottle
		want string
		rank Rank
	}{
		{snapshot.Bottle{State: snapshot.Preparing}, "◌ starting", RankMoving},
		{snapshot.Bottle{State: snapshot.Creating}, "◌ starting", RankMoving},
		{snapshot.Bottle{State: snapshot.Starting}, "◌ starting", RankMoving},
		{snapshot.Bottle{State: snapshot.Proving}, "◌ starting", RankMoving},
		{snapshot.Bottle{State: snapshot.Stopping}, "◌ stopping", RankMoving},
		{snapshot.Bottle{State: snapshot.Stopped}, "◻ stopped", RankNothing},
		{snapshot.Bottle{State: snapshot.Failed}, "✕ failed", RankFailed},
		{snapshot.Bottle{State: snapshot.Lost}, "? lost", RankAlarm},
		{snapshot.Bottle{State: "of a later version"}, "? lost", RankAlarm},
		{ready(snapshot.NoSession), "○ idle", RankIdle},
		{ready(snapshot.Working), "● working", RankWorking},
		{ready(snapshot.NeedsYou), "◐ needs you", RankNeedsYou},
		{ready(snapshot.Idle), "○ idle", RankIdle},
		{ready(snapshot.Done), "✓ done", RankIdle},
		{ready(snapshot.Ended), "✕ failed", RankFailed},
		{lost, "? helper lost", RankAlarm},
		{open, "✕ isolation lost", RankAlarm},
	} {
		s := Of(c.b)
		if got := s.Rune + " " + s.Word; got != c.want || s.Rank != c.rank || s.Shape == "" || s.Color == "" {
			t.Errorf("%s %s: %q rank %d shape %q, want %q rank %d", c.b.State, c.b.Session, got, s.Rank, s.Shape, c.want, c.rank)
		}
	}
}

func TestTheMostUrgentStateWinsTheMenuBar(t *testing.T) {
	b := func(s snapshot.BottleState, x snapshot.SessionState) snapshot.Bottle {
		return snapshot.Bottle{State: s, Session: x, Isolation: snapshot.Proved}
	}
	working, idle, needs := b(snapshot.Ready, snapshot.Working), b(snapshot.Ready, snapshot.Idle), b(snapshot.Ready, snapshot.NeedsYou)
	stopped, failed, starting := b(snapshot.Stopped, ""), b(snapshot.Failed, ""), b(snapshot.Starting, "")
	open := working
	open.Isolation = snapshot.ProofFailed
	for _, c := range []struct {
		name string
		all  []snapshot.Bottle
		tick int
		want assets.Glyph
	}{
		{"none", nil, 0, assets.Outline},
		{"only stopped", []snapshot.Bottle{stopped}, 0, assets.Outline},
		{"idle", []snapshot.Bottle{stopped, idle}, 0, assets.Full},
		{"working over idle", []snapshot.Bottle{idle, working}, 0, assets.Low},
		{"failed over working", []snapshot.Bottle{working, failed}, 0, assets.Failed},
		{"starting over an old failure", []snapshot.Bottle{failed, starting}, 2, assets.Fill3},
		{"filling goes on", []snapshot.Bottle{starting}, 5, assets.Fill2},
		{"needs you over starting", []snapshot.Bottle{starting, needs}, 1, assets.NeedsYou},
		{"isolation lost over all", []snapshot.Bottle{needs, open}, 1, assets.Failed},
	} {
		if got := Glyph(c.all, c.tick); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestSizesAreThoseOfTheFinder(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1: "1 B", 999: "999 B", 1000: "1.0 kB", 1500: "1.5 kB", 9949: "9.9 kB", 9950: "10 kB", 999_499: "999 kB", 999_500: "1.0 MB",
		864_000_000: "864 MB", 1_243_000_000: "1.2 GB", 3_420_000_000_000: "3.4 TB", math.MaxInt64: "9223 PB", -1: "–",
	} {
		if got := Size(n); got != want {
			t.Errorf("Size(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestTimesAreRelativeForADay(t *testing.T) {
	now := time.Date(2026, 11, 23, 13, 0, 0, 0, time.UTC)
	for d, want := range map[time.Duration]string{
		-time.Hour: "now", 0: "now", 59 * time.Second: "now", time.Minute: "1 min", 59 * time.Minute: "59 min", time.Hour: "1 h", 23 * time.Hour: "23 h",
		24 * time.Hour: "22 Nov", 40 * 24 * time.Hour: "14 Oct", 400 * 24 * time.Hour: "19 Oct 2025",
	} {
		if got := Ago(now.Add(-d), now); got != want {
			t.Errorf("%v ago: %q, want %q", d, got, want)
		}
	}
	if got := Ago(time.Time{}, now); got != "–" {
		t.Errorf("no time: %q", got)
	}
	if got := Clock(now.Add(-2*time.Hour), now); got != "11:00" {
		t.Errorf("today: %q", got)
	}
	if got := Clock(now.Add(-20*time.Hour), now); got != "22 Nov 17:00" {
		t.Errorf("yesterday: %q", got)
	}
}

func TestTookAndRate(t *testing.T) {
	for d, want := range map[time.Duration]string{14 * time.Millisecond: "14 ms", 1830 * time.Millisecond: "1.8 s", 42 * time.Second: "42 s", 3 * time.Minute: "3 min"} {
		if got := Took(d); got != want {
			t.Errorf("%v: %q", d, got)
		}
	}
	if got := Rate(30_000_000, 2*time.Second); got != "15 MB/s" {
		t.Errorf("rate: %q", got)
	}
	if got := Rate(30, 0); got != "" {
		t.Errorf("rate in no time: %q", got)
	}
}

func TestCleanTakesOutWhatCouldDeceive(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"plain", "docs-fix", "docs-fix"},
		{"colour and title sequences", "a\x1b[31mred\x07b", "a�[31mred�b"},
		{"lines", "one\ntwo\r\nthree\t4", "one two three 4"},
		{"edges", "  x  ", "x"},
		{"writing direction", "abc\u202egpj.exe\u2066\u2069", "abcgpj.exe"},
		{"not seen", "a\u200bb\u00adc\ufeffd\u2060e", "abcde"},
		{"blank letters", "a\u3164\u2800\u115fb", "a b"},
		{"private use and tags", "a\ue000b\U000e0041", "a�b"},
		{"not UTF-8", "a\xffb", "a�b"},
		{"piled marks", "a\u0301\u0301\u0301\u0301b", "a\u0301\u0301b"},
		{"emoji stays whole", "👩‍💻 ok", "👩‍💻 ok"},
		{"only blanks", " \u3164\n", ""},
	} {
		if got := Clean(c.in, 40); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestCutKeepsLettersWhole(t *testing.T) {
	for _, c := range []struct {
		in          string
		limit       int
		end, before string
	}{
		{"abcdef", 6, "abcdef", "abcdef"},
		{"abcdefg", 6, "abcde…", "…cdefg"},
		{"ab 👩‍💻👩‍💻👩‍💻", 5, "ab 👩‍💻…", "… 👩‍💻👩‍💻👩‍💻"},
		{"api.anthropic.com.evil.example", 13, "api.anthropi…", "…evil.example"},
	} {
		if got := Cut(c.in, c.limit); got != c.end {
			t.Errorf("Cut(%q, %d) = %q, want %q", c.in, c.limit, got, c.end)
		}
		if got := CutLeft(c.in, c.limit); got != c.before {
			t.Errorf("CutLeft(%q, %d) = %q, want %q", c.in, c.limit, got, c.before)
		}
	}
}

func TestErrorsReadAsSentences(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "start Docker": "Start Docker.", "it is a socket.": "It is a socket.", "smolvm is missing": "smolvm is missing.",
		"~/x is gone": "~/x is gone.", "daemon.sock is a socket": "daemon.sock is a socket.", "adding x…": "Adding x…",
	} {
		if got := Sentence(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	m := Trouble(snapshot.Problem{What: "adding bad.smolmachine", Why: "its contents do not match its checksum", Cure: "copy the file again"})
	if m.Title != "Adding bad.smolmachine failed" || strings.Join(m.Lines, "|") != "Its contents do not match its checksum.|Copy the file again." {
		t.Errorf("%q %q", m.Title, m.Lines)
	}
	m = Trouble(snapshot.Problem{Why: "the disk is full"})
	if m.Title != "The disk is full" || len(m.Lines) != 0 {
		t.Errorf("without What: %q %q", m.Title, m.Lines)
	}
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{"", "docs-fix", "\x1b]0;x\x07", "a\u202eb", "👩‍💻", strings.Repeat("a\u0301", 99), "\xff\xfe", "\u200d\u200d\u200d"} {
		f.Add(s, 12)
	}
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit = 1 + limit&63
		got := Clean(s, limit)
		if !utf8.ValidString(got) {
			t.Fatalf("%q is not UTF-8", got)
		}
		for _, r := range got {
			if unicode.IsControl(r) || (r >= 0x202a && r <= 0x202e) || (r >= 0x2066 && r <= 0x2069) || r == 0x2028 || r == 0x2029 {
				t.Fatalf("%q keeps %U", got, r)
			}
		}
		if strings.TrimSpace(got) != got {
			t.Fatalf("%q has blanks at its edge", got)
		}
		if again := Cut(got, limit); again != got {
			t.Fatalf("%q is longer than %d letters", got, limit)
		}
	})
}

// A name of 255 letters must not push the reason out of the line.
func TestReasonsShowWhyBehindALongName(t *testing.T) {
	got := Reasons(snapshot.Problem{What: "copying /tmp/" + strings.Repeat("n", 251) + ".txt", Why: "no such file"})
	if len(got) != 1 || !strings.HasPrefix(got[0], "Copying …nnn") || !strings.HasSuffix(got[0], "nnn.txt: no such file.") || len(got[0]) > 100 {
		t.Errorf("%q", got)
	}
}
