package look

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/graphemes"
)

// What is said of a bottle that is not as it should be in earnest, wherever
// such a bottle is shown.
const (
	Simulated     = "simulated: no VM"
	ProcessDriver = "sidecar is a process, not a container"
	TestServer    = "API goes to a test server"
)

// Size writes bytes as the Finder does: thousands, with one decimal below ten.
func Size(n int64) string {
	if n < 0 {
		return "–"
	}
	if n < 1000 {
		return strconv.FormatInt(n, 10) + " B"
	}
	v, unit := float64(n), ""
	for _, u := range []string{"kB", "MB", "GB", "TB", "PB"} {
		v, unit = v/1000, u
		if v < 999.5 {
			break
		}
	}
	if v < 9.95 {
		return strconv.FormatFloat(v, 'f', 1, 64) + " " + unit
	}
	return strconv.FormatFloat(v, 'f', 0, 64) + " " + unit
}

// Rate writes bytes per second.
func Rate(bytes int64, took time.Duration) string {
	if took <= 0 || bytes <= 0 {
		return ""
	}
	return Size(int64(float64(bytes)/took.Seconds())) + "/s"
}

// Memory writes mebibytes as smolvm counts them, as gigabytes where even.
func Memory(mib int) string {
	if mib%1024 == 0 {
		return strconv.Itoa(mib/1024) + " GiB"
	}
	return strconv.Itoa(mib) + " MiB"
}

// Ago writes how long before now t was: "now", "12 min", "3 h", then the date.
func Ago(t, now time.Time) string {
	if t.IsZero() {
		return "–"
	}
	d := now.Sub(t)
	switch {
	case d < time.Minute:
		return "now"
	case d < time.Hour:
		return strconv.Itoa(int(d/time.Minute)) + " min"
	case d < 24*time.Hour:
		return strconv.Itoa(int(d/time.Hour)) + " h"
	}
	t = t.In(now.Location())
	if t.Year() == now.Year() {
		return t.Format("2 Jan")
	}
	return t.Format("2 Jan 2006")
}

// Clock writes a moment of today as "10:42", another day's as its date.
func Clock(t, now time.Time) string {
	t = t.In(now.Location())
	ty, tm, td := t.Date()
	ny, nm, nd := now.Date()
	if ty == ny && tm == nm && td == nd {
		return t.Format("15:04")
	}
	return t.Format("2 Jan 15:04")
}

// Took writes a duration: "340 ms", "2.4 s", "3 min".
func Took(d time.Duration) string {
	switch {
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	case d < 10*time.Second:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
	case d < 2*time.Minute:
		return strconv.Itoa(int(d.Seconds())) + " s"
	}
	return strconv.Itoa(int(d.Minutes())) + " min"
}

// Count writes a number with its noun: "1 file", "3 files".
func Count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// ShortDigest writes a digest or a SHA-256 in the 12 digits that tell it apart.
func ShortDigest(d string) string {
	d = strings.TrimPrefix(d, "sha256:")
	if len(d) > 12 {
		d = d[:12]
	}
	return d
}

// Clean makes text from elsewhere fit to stand beside ours: one line, no
// control characters, nothing that turns the writing direction or is not seen,
// not more than two marks on a letter, at most limit letters (graphemes), cut
// with an ellipsis.
func Clean(s string, limit int) string {
	var b strings.Builder
	marks, space := 0, false
	for i := 0; i < len(s) && b.Len() <= 16*limit; { // enough for any honest text of that length
		r, size := utf8.DecodeRuneInString(s[i:])
		i += size
		if blank(r) {
			space = b.Len() > 0
			continue
		}
		if r == utf8.RuneError || unicode.In(r, unicode.Cc, unicode.Co, unicode.Cs) {
			r = '\ufffd'
		}
		if unseen(r) {
			continue
		}
		if !unicode.In(r, unicode.Mn, unicode.Me) {
			marks = 0
		} else if marks++; marks > 2 {
			continue
		}
		if space {
			b.WriteByte(' ')
			space = false
		}
		b.WriteRune(r)
	}
	return Cut(b.String(), limit)
}

// blank are spaces, line ends, and the letters of several scripts that are
// drawn as nothing.
func blank(r rune) bool {
	return unicode.IsSpace(r) || r == '\u2800' || r == '\u3164' || r == '\uffa0' || r == '\u115f' || r == '\u1160'
}

// unseen are characters that format others: they turn the writing direction,
// hide letters or join them. Those that join an emoji stay: they join nothing
// else into sight.
func unseen(r rune) bool {
	if r == '\u200d' || r == '\ufe0f' {
		return false
	}
	return unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// Cut keeps at most limit letters (graphemes) of s, the last an ellipsis when
// something was cut.
func Cut(s string, limit int) string {
	g, n, keep := graphemes.FromString(s), 0, 0
	for g.Next() {
		n++
		if n == limit {
			keep = g.Start()
		}
		if n > limit {
			return strings.TrimRight(s[:keep], " ") + "…"
		}
	}
	return s
}

// CutLeft keeps the end of s, which is what tells hosts and paths apart.
func CutLeft(s string, limit int) string {
	var ends []int
	g := graphemes.FromString(s)
	for g.Next() {
		ends = append(ends, g.Start())
	}
	if len(ends) <= limit {
		return s
	}
	return "…" + s[ends[len(ends)-limit+1]:]
}

// Sentence gives the parts of an error the form of a sentence: a capital
// letter in front and a full stop behind.
func Sentence(s string) string {
	if s == "" {
		return ""
	}
	s = Capital(s)
	if strings.ContainsRune(".?!", rune(s[len(s)-1])) || strings.HasSuffix(s, "…") {
		return s
	}
	return s + "."
}

// Capital puts a capital letter in front. A first word that is a name with
// capitals or signs of its own stays as it is.
func Capital(s string) string {
	word, _, _ := strings.Cut(s, " ")
	word = strings.TrimRight(word, ":,.")
	if word == "" || strings.IndexFunc(word, notLower) >= 0 || slices.Contains(lowerNames, word) {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// lowerNames are names that are written small even where a sentence begins.
var lowerNames = []string{"smolvm"}

func notLower(r rune) bool { return r < 'a' || r > 'z' }
