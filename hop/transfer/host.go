package transfer

import (
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// HostOptions are those for a person's own disk: names that the file system
// of a Mac takes for one another are refused, and metadata that acts by itself
// is left out. With git set, so is everything under a name equal to .git: what
// lies there runs when somebody uses git near it. On a Mac all of it is marked
// as fetched from elsewhere, so that the system asks before it opens or runs
// any.
func HostOptions(git bool) Options {
	return Options{
		Exists: ExistsUnique,
		Fold:   foldPath,
		Stamp:  stampHost,
		Omit: func(element string) string {
			folded := foldPath(element)
			switch {
			case strings.HasPrefix(folded, "._"):
				return "it is metadata of another Mac"
			case git && (folded == ".git" || folded == "git~1"):
				return "what lies in .git can run commands here"
			}
			return ""
		},
	}
}

// foldPath maps a path to what a case-folding, form-folding file system
// compares. Runes that such a system or a reader ignores go first.
func foldPath(p string) string {
	p = strings.Map(func(r rune) rune {
		if ignorable(r) {
			return -1
		}
		return r
	}, p)
	// Folding may make new sequences that normalise further: ends in the same
	// form whatever came.
	return norm.NFD.String(cases.Fold().String(norm.NFD.String(p)))
}

// ignorable holds for runes without a picture of their own. HFS+ skips the
// joiners and marks among them when it compares names.
func ignorable(r rune) bool {
	return unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Cf, unicode.Variation_Selector)
}
