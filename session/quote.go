package session

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// plain are the bytes that no shell gives a meaning to, wherever they stand.
const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+@%:,-"

// atPrompt is what is typed after a drop: each path quoted for a shell, with a
// space after each and no newline, so that nothing runs by itself.
func atPrompt(paths []string) string {
	var b strings.Builder
	for _, p := range paths {
		b.WriteString(quote(p))
		b.WriteByte(' ')
	}
	return b.String()
}

// quote writes s so that a POSIX shell reads it as one word. A name with
// control characters, or with bytes that are no UTF-8, is written in the
// $'…' form of bash and zsh: typed as it is, a newline in it would press Return.
func quote(s string) string {
	if s == "" {
		return "''"
	}
	if strings.Trim(s, plain) == "" && s[0] != '-' {
		return s
	}
	if strings.IndexFunc(s, unfit) < 0 && utf8.ValidString(s) {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	var b strings.Builder
	b.WriteString("$'")
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\'' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < 0x20 || c >= 0x7f:
			fmt.Fprintf(&b, "\\x%02x", c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('\'')
	return b.String()
}

// unfit are characters that a terminal would act on rather than show.
func unfit(r rune) bool { return r < 0x20 || (r >= 0x7f && r < 0xa0) || r == 0x2028 || r == 0x2029 }
