package smolvm

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCleanLeavesNothingThatActs(t *testing.T) {
	for in, want := range map[string]string{
		"plain ü\n\tx":              "plain ü\n\tx",
		"\x1b[31mred\x1b[0m":        "red",
		"\x1b]0;title\x07after":     "after",
		"a\x00b\rc\u202ed\u2028e":   "abcde",
		"bad \xff bytes":            "bad  bytes",
		"\x1b]8;;http://x\x1b\\l":   "l",
		"cut off \x1b[":             "cut off [",
		"\x9b31mold style of a CSI": "31mold style of a CSI",
	} {
		if got := clean(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func TestLastLinesKeepsTheEnd(t *testing.T) {
	if got := lastLines("a\nb\nc\n", 2); got != "b\nc" {
		t.Errorf("%q", got)
	}
	if got := lastLines(strings.Repeat("ü", 10_000), 2); len(got) > 4<<10 || !utf8.ValidString(got) {
		t.Errorf("%d bytes", len(got))
	}
}

func FuzzClean(f *testing.F) {
	f.Add("\x1b[31mx\x1b]0;t\x07\u202e")
	f.Add("\x1b\x1b[[31m31m")
	f.Fuzz(func(t *testing.T, s string) {
		if got := clean(s); strings.ContainsAny(got, "\x1b\x00\x07\r\u202e") || !utf8.ValidString(got) {
			t.Errorf("%q became %q", s, got)
		}
	})
}
