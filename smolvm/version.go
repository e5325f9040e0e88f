package smolvm

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
)

// Version is a release of smolvm.
type Version struct {
	Major, Minor, Patch int
	Pre                 string // pre-release tag without its hyphen; does not count when comparing
}

// Family groups releases that take the same arguments.
type Family string

// The families, oldest first.
const (
	FamilyA Family = "A" // 0.8.0: positional names, delete leaves the VM running, -e KEY is dropped
	FamilyB Family = "B" // to 1.0.1: delete stops the VM, -e KEY copies from the caller's environment
	FamilyC Family = "C" // to 1.7.7: --name everywhere
	FamilyD Family = "D" // from 1.8.0: --from honours network flags and sockets
)

// The oldest release we drive and the newest we know.
var (
	oldest = Version{Major: 0, Minor: 8, Patch: 0}
	newest = Version{Major: 1, Minor: 9, Patch: 3}
)

// One line such as "smolvm 1.9.3"; later releases may append a tag.
var versionLine = regexp.MustCompile(`^smolvm (\d{1,6})\.(\d{1,6})\.(\d{1,6})(?:-([0-9A-Za-z.-]{1,64}))?(?:[ +].*)?$`)

// ParseVersion reads the first line that `smolvm --version` prints, without
// its line end.
func ParseVersion(line string) (Version, error) {
	m := versionLine.FindStringSubmatch(line)
	if m == nil {
		return Version{}, fmt.Errorf("%q is not the version line of smolvm", clip(line, 80))
	}
	var n [3]int
	for i := range n {
		n[i], _ = strconv.Atoi(m[i+1]) // at most six digits
	}
	return Version{n[0], n[1], n[2], m[4]}, nil
}

// String is "1.9.3" or "1.9.3-rc.1".
func (v Version) String() string {
	s := fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch)
	if v.Pre != "" {
		s += "-" + v.Pre
	}
	return s
}

// Compare orders by number: -1, 0 or +1.
func (v Version) Compare(o Version) int {
	return cmp.Or(cmp.Compare(v.Major, o.Major), cmp.Compare(v.Minor, o.Minor), cmp.Compare(v.Patch, o.Patch))
}

// AtLeast tells whether v is major.minor.patch or newer.
func (v Version) AtLeast(major, minor, patch int) bool {
	return v.Compare(Version{Major: major, Minor: minor, Patch: patch}) >= 0
}

// Family returns the argument family; releases newer than those we know count
// as the last one, older than 0.8.0 as the first.
func (v Version) Family() Family {
	switch {
	case v.AtLeast(1, 8, 0):
		return FamilyD
	case v.AtLeast(1, 0, 2):
		return FamilyC
	case v.AtLeast(0, 8, 1):
		return FamilyB
	}
	return FamilyA
}

// TakesCommand tells whether create accepts the machine's command, from an
// artifact or from an image.
func (v Version) TakesCommand(fromArtifact bool) bool {
	if fromArtifact {
		return v.AtLeast(1, 6, 4)
	}
	return v.AtLeast(1, 0, 0)
}

// TakesMountSocket tells whether --mount-socket works for a machine made from
// an artifact. 1.7 accepts the flag, but the socket is not seen inside.
func (v Version) TakesMountSocket() bool { return v.AtLeast(1, 8, 0) }

// PacksArchives tells whether a machine made of an image's archive can be
// packed. Releases to 1.9.3 take such a machine from 1.1.0 on and refuse to pack
// it (smolvm issue 954, pull request 1047).
func (v Version) PacksArchives() bool { return v.Compare(newest) > 0 }

// PacksFromLoopback tells whether the machine that pulls for pack is known to
// reach this computer's loopback: read in the sources of 0.8.0 to 1.9.3, which
// give it a network of the kind that passes 127.0.0.1 on. Later ones are tried.
func (v Version) PacksFromLoopback() bool { return v.Compare(newest) <= 0 }

// named tells whether machines are named by --name in every verb.
func (v Version) named() bool { return v.AtLeast(1, 0, 2) }
