package cache

import (
	"errors"
	"fmt"
	"strings"
)

// ErrDuplicate is what a [*DuplicateError] is, for errors.Is.
var ErrDuplicate = errors.New("already in the library")

// DuplicateError tells that the bytes to add are in the library. The artifact
// is returned with it.
type DuplicateError struct{ Name string }

func (e *DuplicateError) Error() string {
	return fmt.Sprintf("the library has it already, as %q", e.Name)
}

// Is reports ErrDuplicate.
func (e *DuplicateError) Is(target error) bool { return target == ErrDuplicate }

// ChecksumError tells that another artifact in the library has the same CRC-32
// with other bytes. smolvm keys what it unpacks by that number, so releases
// before 1.0.0 would run the one when asked for the other.
type ChecksumError struct{ Name string }

func (e *ChecksumError) Error() string {
	return fmt.Sprintf("it has the checksum of %q with other contents, so one could pass for the other: %s", e.Name, e.Cure())
}

// Cure says what to do about it.
func (e *ChecksumError) Cure() string {
	return fmt.Sprintf("remove %q first if this one is the one to trust", e.Name)
}

// UnknownError tells that nothing in the library has that name or ID.
type UnknownError struct {
	Ref       string
	Names     []string // what there is
	Ambiguous bool     // Ref begins the ID of all Names
}

func (e *UnknownError) Error() string {
	if e.Ambiguous {
		return fmt.Sprintf("%q begins the ID of several artifacts: %s", e.Ref, e.Cure())
	}
	return fmt.Sprintf("the library has no artifact %q: %s", e.Ref, e.Cure())
}

// maxListed bounds how many names a message lists.
const maxListed = 12

// Cure names what there is.
func (e *UnknownError) Cure() string {
	if len(e.Names) == 0 {
		return "it is empty; add a .smolmachine file"
	}
	names := e.Names
	more := ""
	if len(names) > maxListed {
		more = fmt.Sprintf(" and %d more", len(names)-maxListed)
		names = names[:maxListed]
	}
	return "choose one of " + strings.Join(names, ", ") + more
}

// NameError tells that a name cannot be given.
type NameError struct {
	Name  string
	Taken bool // else it is not a legal name
}

func (e *NameError) Error() string {
	if e.Taken {
		return fmt.Sprintf("the name %q is taken: %s", e.Name, e.Cure())
	}
	return fmt.Sprintf("%q is not a name for an artifact: %s", e.Name, e.Cure())
}

// Cure says what to do about it.
func (e *NameError) Cure() string {
	if e.Taken {
		return "choose another, or rename the one that has it"
	}
	return "use up to 63 lower-case letters, digits and single hyphens, a letter or digit first and last"
}

// DamagedError tells that an artifact's file is no longer what was verified.
type DamagedError struct {
	Name string
	Why  string
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("%q cannot be used, %s: %s", e.Name, e.Why, e.Cure())
}

// Cure says what to do about it.
func (e *DamagedError) Cure() string { return "add the original file again" }
