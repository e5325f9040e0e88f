package cache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"syscall"

	"bottlebar.app/internal/fault"
	"bottlebar.app/smolvm/artifact"
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
	what := "the library has no artifact %s: %s"
	if e.Ambiguous {
		what = "%s begins the ID of several artifacts: %s"
	}
	return fmt.Sprintf(what, quote(e.Ref), e.Cure())
}

// maxListed bounds how many names a message lists.
const maxListed = 12

// Cure names what there is.
func (e *UnknownError) Cure() string {
	if len(e.Names) == 0 {
		return "it is empty, add a .smolmachine file"
	}
	names, more := e.Names, ""
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
		return fmt.Sprintf("the name %s is taken: %s", quote(e.Name), e.Cure())
	}
	return fmt.Sprintf("%s is not a name for an artifact: %s", quote(e.Name), e.Cure())
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
	return fmt.Sprintf("%q cannot be used: %s: %s", e.Name, e.Why, e.Cure())
}

// Cure says what to do about it.
func (e *DamagedError) Cure() string { return "add the original file again" }

// SpaceError tells that the disk has no room for a file.
type SpaceError struct {
	Need int64 // bytes
	Free int64 // bytes; -1 when writing failed rather than the look before
	err  error
}

func (e *SpaceError) Error() string {
	if e.Free < 0 {
		return "the disk is full: " + e.Cure()
	}
	return fmt.Sprintf("it takes %s and the disk has %s left: %s", bytesText(e.Need), bytesText(e.Free), e.Cure())
}

// Cure says what to do about it.
func (e *SpaceError) Cure() string {
	return "free some space, or remove artifacts that are no longer used"
}

func (e *SpaceError) Unwrap() error { return e.err }

// bytesText is a size as people read it, in thousands.
func bytesText(n int64) string {
	units := []string{"bytes", "kB", "MB", "GB", "TB"}
	v, i := float64(n), 0
	for v >= 1000 && i < len(units)-1 {
		v /= 1000
		i++
	}
	if i == 0 {
		return fmt.Sprintf("%d bytes", n)
	}
	return strconv.FormatFloat(v, 'f', 1, 64) + " " + units[i]
}

// quote shows what somebody typed or a file is called.
func quote(s string) string { return strconv.QuoteToGraphic(artifact.Clean(s)) }

// answers says whether err is one of those that describe themselves and stand
// for a library that was not touched.
func answers(err error) bool {
	var (
		unknown   *UnknownError
		name      *NameError
		duplicate *DuplicateError
		sum       *ChecksumError
		damaged   *DamagedError
	)
	return errors.As(err, &unknown) || errors.As(err, &name) || errors.As(err, &duplicate) ||
		errors.As(err, &sum) || errors.As(err, &damaged)
}

// plain words the system's errors; the cause stays behind them.
func plain(err error) error {
	var path *fs.PathError
	say := func(why, cure string) error { return &fault.Error{Why: why, Cure: cure, Detail: err.Error(), Err: err} }
	switch {
	case errors.Is(err, context.Canceled):
		return say("it was cancelled", "")
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return &SpaceError{Free: -1, err: err}
	case errors.Is(err, syscall.EROFS):
		return say("the disk cannot be written to", "check how it is mounted")
	case errors.Is(err, fs.ErrNotExist):
		return say("there is no such file", "check its name, it may have been moved")
	case errors.Is(err, fs.ErrPermission):
		return say("the system does not permit it", "check who may read the file and write to the library's folder")
	case errors.As(err, &path):
		return say(path.Err.Error(), "check the disk that it lies on")
	}
	return err
}
