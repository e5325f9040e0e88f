package artifact

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Limits of names in tars: what Linux takes, and a depth that no image has.
const (
	maxName      = 4096
	maxComponent = 255
	maxDepth     = 256
)

// agentRootfs is where writers put the guest agent's root.
const agentRootfs = "agent-rootfs.tar"

// localName returns name without "./", doubled and trailing slashes, "" for
// the root itself. The error completes "a name that ...".
func localName(name string) (string, error) {
	switch {
	case name == "":
		return "", errEmptyName
	case len(name) > maxName:
		return "", errTooLong
	case strings.ContainsRune(name, 0):
		return "", errNUL
	case name[0] == '/':
		return "", errAbsolute
	}
	if isClean(name) {
		return name, nil
	}
	var parts []string
	for part := range strings.SplitSeq(name, "/") {
		switch {
		case part == "" || part == ".":
			continue
		case part == "..":
			return "", errParent
		case len(part) > maxComponent:
			return "", errTooLong
		}
		parts = append(parts, part)
	}
	if len(parts) > maxDepth {
		return "", errTooLong
	}
	return strings.Join(parts, "/"), nil
}

// isClean is the common case, without allocating: short, no dots that matter.
func isClean(name string) bool {
	return len(name) <= maxComponent && name[0] != '.' && name[len(name)-1] != '/' &&
		!strings.Contains(name, "//") && !strings.Contains(name, "/.")
}

// outerName is localName for what lies in the assets tar itself: writers use
// few letters there, so that no file system can take two names for one.
func outerName(name string) (string, error) {
	clean, err := localName(name)
	if err != nil {
		return "", err
	}
	for _, c := range []byte(clean) {
		ok := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("._-+@/", c) >= 0
		if !ok {
			return "", errBadChars
		}
	}
	if clean == "" {
		return "", errEmptyName
	}
	return clean, nil
}

// fold maps names that some file system takes for one to one string: letters
// of either case, composed and decomposed.
func fold(name string) string {
	ascii := true
	for i := range len(name) {
		if name[i] >= utf8.RuneSelf {
			ascii = false
			break
		}
	}
	if ascii {
		return strings.ToLower(name)
	}
	return norm.NFD.String(cases.Fold().String(norm.NFD.String(name)))
}

// climbs says whether a relative link target at name leads above the root,
// read component by component.
func climbs(name, target string) bool {
	depth := strings.Count(name, "/")
	for part := range strings.SplitSeq(target, "/") {
		switch part {
		case "", ".":
		case "..":
			if depth--; depth < 0 {
				return true
			}
		default:
			depth++
		}
	}
	return false
}
