package vt

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clean makes one line of untrusted text safe to show: no controls, no line
// breaks, no bidirectional or invisible format characters, valid UTF-8, at
// most limit bytes.
func Clean(s string, limit int) string {
	return clean(s, limit, false)
}

// CleanText is Clean for text of several lines and any length: line feeds and
// tabs stay.
func CleanText(s string) string {
	return clean(s, len(s), true)
}

func clean(s string, limit int, lines bool) string {
	ok := len(s) <= limit
	for i := 0; ok && i < len(s); i++ {
		ok = s[i] >= 0x20 && s[i] < 0x7f
	}
	if ok {
		return s
	}
	var b strings.Builder
	var last rune
	for _, r := range s {
		// Joiners are parts of emoji and of some scripts; after anything
		// else they only hide.
		if joiner := r == 0x200d || r == 0x200c; joiner && last < 0x600 || !joiner && !keeps(r, lines) {
			continue
		}
		if b.Len()+utf8.RuneLen(r) > limit {
			break
		}
		b.WriteRune(r)
		last = r
	}
	return b.String()
}

// keeps says whether a rune may be shown or copied.
func keeps(r rune, lines bool) bool {
	switch {
	case r == '\n' || r == '\t':
		return lines
	case r == 0x2028 || r == 0x2029 || r == utf8.RuneError:
		return false
	}
	return !unicode.Is(unicode.Cc, r) && !unicode.Is(unicode.Cf, r)
}
