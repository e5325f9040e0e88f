package cache

import (
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

const (
	suffix   = ".smolmachine"
	fallback = "artifact"
	maxName  = 63
)

// reName is a DNS label, the strictest rule that any release of smolvm has for
// names of machines; names must not hold "--" either.
var reName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

func legalName(s string) bool { return reName.MatchString(s) && !strings.Contains(s, "--") }

// nameOfFile makes a legal name of a path: the file's without suffix.
func nameOfFile(path string) string {
	base := filepath.Base(path)
	if n := len(base) - len(suffix); n >= 0 && strings.EqualFold(base[n:], suffix) {
		base = base[:n]
	}
	return makeName(base)
}

// nameOfImage makes a legal name of a reference: its last part without tag
// and digest.
func nameOfImage(ref string) string {
	ref, _, _ = strings.Cut(ref, "@")
	ref = ref[strings.LastIndexByte(ref, '/')+1:]
	ref, _, _ = strings.Cut(ref, ":")
	return makeName(ref)
}

// makeName keeps letters and digits, without accents, and joins what lies
// between them with one hyphen.
func makeName(s string) string {
	var b strings.Builder
	gap := false
	for _, r := range norm.NFKD.String(strings.ToValidUTF8(s, "-")) {
		if unicode.Is(unicode.Mn, r) {
			continue
		}
		r = unicode.ToLower(r)
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') {
			gap = true
			continue
		}
		if gap && b.Len() > 0 {
			b.WriteByte('-')
		}
		gap = false
		if b.Len() >= maxName {
			break
		}
		b.WriteRune(r)
	}
	name := strings.TrimRight(b.String()[:min(b.Len(), maxName)], "-")
	if !legalName(name) {
		return fallback
	}
	return name
}

// freeName returns name, or name-2 and so on, so that taken says no.
func freeName(name string, taken func(string) bool) string {
	if !taken(name) {
		return name
	}
	for i := 2; ; i++ {
		end := "-" + strconv.Itoa(i)
		base := strings.TrimRight(name[:min(len(name), maxName-len(end))], "-")
		if candidate := base + end; !taken(candidate) {
			return candidate
		}
	}
}
