package artifact

import (
	"strconv"
	"strings"
	"unicode"
)

// Limits of text that is shown, in code points.
const (
	maxShown  = 256
	maxQuoted = 80
)

// Clean makes text from an artifact safe to show on one line: what is not
// visible (controls, line breaks, direction marks, zero-width characters) and
// what is not valid UTF-8 becomes U+FFFD, and it is cut to 256 code points.
func Clean(s string) string {
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n++; n > maxShown {
			b.WriteRune('…')
			break
		}
		if !unicode.IsGraphic(r) || (unicode.IsSpace(r) && r != ' ') {
			r = unicode.ReplacementChar
		}
		b.WriteRune(r)
	}
	return b.String()
}

// quote is for names from inside an artifact in a message.
func quote(s string) string {
	if r := []rune(s); len(r) > maxQuoted {
		s = string(r[:maxQuoted]) + "…"
	}
	return strconv.QuoteToGraphic(s)
}
