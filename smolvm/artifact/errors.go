package artifact

import "fmt"

// Class says what kind of fault a [FormatError] is.
type Class string

// The classes. Up to ClassJSON smolvm itself refuses such a file when it
// reads it; from ClassLauncher on the refusal may be ours alone.
const (
	ClassMagic    Class = "magic"    // it does not end with an artifact's footer
	ClassVersion  Class = "version"  // a format version that is not known
	ClassShort    Class = "short"    // smaller than a footer
	ClassSize     Class = "size"     // footer and size of the file do not fit each other
	ClassJSON     Class = "json"     // the manifest is not JSON or lacks a field
	ClassIO       Class = "io"       // it could not be read, or is not a regular file
	ClassLauncher Class = "launcher" // the executable that lies beside a sidecar
	ClassSingle   Class = "single"   // launcher and machine in one executable
	ClassFooter   Class = "footer"   // a footer field that no writer sets so
	ClassManifest Class = "manifest" // a manifest that asks for what must not be
	ClassSecrets  Class = "secrets"  // it wants secrets of this computer
	ClassChecksum Class = "checksum" // the bytes are not those that were packed
	ClassContent  Class = "content"  // unpacking would reach beyond its folder, or it is no tar
	ClassLimit    Class = "limit"    // more entries or bytes than are accepted
)

// FormatError says why a file is not taken as an artifact. Its text is the
// reason and the cure, each a short clause, safe to show.
type FormatError struct {
	Class Class
	Why   string // what is wrong, in the reader's words
	// Reply is what smolvm prints after "read .smolmachine: " for the same
	// file; empty where smolvm has no words for it.
	Reply string
	cure  string
	err   error
}

func (e *FormatError) Error() string {
	if c := e.Cure(); c != "" {
		return e.Why + ": " + c
	}
	return e.Why
}

// Cure says what to do about it; it may be empty.
func (e *FormatError) Cure() string { return e.cure }

// Detail is smolvm's own wording.
func (e *FormatError) Detail() string { return e.Reply }

func (e *FormatError) Unwrap() error { return e.err }

const (
	cureAgain  = "copy or pack it again"
	cureOrigin = "get it from somebody you trust, or pack it again"
)

func faulty(class Class, why, reply, cure string) *FormatError {
	return &FormatError{Class: class, Why: why, Reply: reply, cure: cure}
}

// unsafe reports content that must not be unpacked.
func refused(class Class, format string, args ...any) *FormatError {
	return &FormatError{Class: class, Why: fmt.Sprintf(format, args...), cure: cureOrigin}
}

// PlatformError says that an artifact is for another kind of computer.
type PlatformError struct {
	Artifact string // architecture that it was packed for: "arm64"
	Host     string // architecture of this computer: "amd64"
	Platform string // the manifest's own words, cleaned: "linux/arm64"
}

func (e *PlatformError) Error() string {
	return fmt.Sprintf("it is for %s and this computer is %s: %s", e.Artifact, e.Host, e.Cure())
}

// Cure says what to do about it.
func (e *PlatformError) Cure() string {
	return fmt.Sprintf("pack it on a computer with %s, or get the artifact made for that", e.Host)
}
