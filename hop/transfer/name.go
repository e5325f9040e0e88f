package transfer

import (
	"errors"
	"fmt"
	"strings"
)

// Bounds of one name.
const (
	maxElement = 255  // bytes of one element, on every file system at hand
	maxPath    = 4096 // bytes of a whole name
	maxDepth   = 128
)

// checkName refuses names that would leave the folder they are unpacked in,
// or that no file system takes. Names come with / between elements.
func checkName(name string) error {
	switch {
	case name == "" || len(name) > maxPath:
		return errors.New("its name is empty or too long")
	case strings.HasPrefix(name, "/"):
		return errors.New("its name is absolute")
	case strings.ContainsRune(name, 0):
		return errors.New("its name holds a zero byte")
	}
	elements := strings.Split(name, "/")
	if len(elements) > maxDepth {
		return fmt.Errorf("it is more than %d folders deep", maxDepth)
	}
	for _, e := range elements {
		switch {
		case e == "" || e == "." || e == "..":
			return fmt.Errorf("its name has an element %q", e)
		case len(e) > maxElement:
			return errors.New("an element of its name is longer than 255 bytes")
		}
	}
	return nil
}

// checkLink says whether a link at name with that target stays below name's
// first element, however the other links lie. The target may only climb at
// its start: from the real folder that holds the link, so that no other link
// can change where a later step up leads.
func checkLink(name, target string) error {
	switch {
	case target == "" || len(target) > maxPath || strings.ContainsRune(target, 0):
		return errors.New("it is a link with a malformed target")
	case strings.HasPrefix(target, "/"):
		return errors.New("it is a link to an absolute path")
	}
	depth := strings.Count(name, "/") // folders between the link and the stream's root
	if depth == 0 {
		return errors.New("it is a link beside what was sent")
	}
	climbing := true
	for e := range strings.SplitSeq(strings.TrimSuffix(target, "/"), "/") {
		switch e {
		case "", ".":
		case "..":
			if depth--; !climbing || depth < 1 {
				return errors.New("it is a link that leads out")
			}
		default:
			climbing = false
		}
	}
	return nil
}
