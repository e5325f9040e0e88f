package hop

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxText bounds a line of text that comes from the guest, in runes.
const maxText = 500

// Clean makes text of a guest fit for a line on a screen: control
// characters, direction marks and other invisible runes become U+FFFD, and
// at most max runes remain.
func Clean(s string, max int) string {
	var b strings.Builder
	n := 0
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		s = s[size:]
		if n == max {
			b.WriteRune('…')
			break
		}
		n++
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			r = utf8.RuneError
		}
		b.WriteRune(r)
	}
	return b.String()
}
