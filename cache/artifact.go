package cache

import (
	"time"

	"bottlebar.app/smolvm/artifact"
)

// Artifact is one entry of the library. Text that came from the file is
// cleaned for one line of output; it is still somebody else's words. The JSON
// form is that of the records and the index; times are UTC, sizes bytes.
type Artifact struct {
	ID         string    `json:"id"`                    // SHA-256 of the file, hex
	Name       string    `json:"name"`                  // unique in the library
	Image      string    `json:"image"`                 // reference as it was packed
	Digest     string    `json:"digest"`                // of the image
	Platform   string    `json:"platform"`              // of the guest: "linux/arm64"
	Size       int64     `json:"size"`                  // of the file
	CRC        uint32    `json:"crc"`                   // as smolvm keys it
	Entries    int64     `json:"entries"`               // files, folders and links in it
	Unpacked   int64     `json:"unpacked"`              // what unpacking may take
	Mode       string    `json:"mode"`                  // "container" or "vm"
	CPUs       int       `json:"cpus"`                  // as packed
	MemMiB     int       `json:"mem_mib"`               // as packed
	Network    bool      `json:"network,omitempty"`     // it asks for a network: it cannot be launched
	HasCommand bool      `json:"has_command,omitempty"` // it runs something by itself
	Workdir    string    `json:"workdir,omitempty"`     // as it is: absolute, no control characters
	Release    string    `json:"release,omitempty"`     // of smolvm that packed it
	Created    string    `json:"created,omitempty"`     // when it was packed, as the file says
	Origin     string    `json:"origin,omitempty"`      // where it was added from
	Pinned     bool      `json:"pinned,omitempty"`      // Prune leaves it
	Added      time.Time `json:"added"`                 //
	LastUsed   time.Time `json:"last_used,omitzero"`    // zero: never
	Verified   time.Time `json:"verified,omitzero"`     // when its bytes were last found right
	ModTime    time.Time `json:"mtime,omitzero"`        // of the library's file then
	Rules      int       `json:"rules,omitempty"`       // of package artifact, that it passed
	Problem    string    `json:"problem,omitempty"`     // why it cannot be launched as it lies there
	Settings   Settings  `json:"settings,omitzero"`     //
	Source     Source    `json:"source,omitzero"`       // what the library itself packed it of
}

// Age is how long the artifact has been in the library at now.
func (a *Artifact) Age(now time.Time) time.Duration { return now.Sub(a.Added) }

// Notice is one sentence about what the artifact asks for and does not get;
// usually empty.
func (a *Artifact) Notice() string {
	if a.Network {
		return "it asks for a network of its own, so it cannot be launched: pack it again without one"
	}
	return ""
}

// Fits is an *artifact.PlatformError where the artifact is for another kind of
// computer than one with this architecture. None such is added, but a library
// may have come from another computer.
func (a *Artifact) Fits(arch string) error {
	if a.Platform == "" {
		return nil // nothing is known of it; Problem says why
	}
	return artifact.CheckPlatform(&artifact.Manifest{Platform: a.Platform}, arch)
}

// describe fills in what the file says.
func (a *Artifact) describe(f *artifact.File) {
	m := &f.Manifest
	a.Size, a.CRC = f.Size, f.Footer.Checksum
	a.Image, a.Digest = artifact.Clean(m.Image), artifact.Clean(m.Digest)
	a.Platform = artifact.Clean(m.Platform)
	a.Mode, a.CPUs, a.MemMiB = artifact.Clean(m.Mode), m.CPUs, int(m.MemMiB)
	a.Network, a.HasCommand, a.Workdir = m.Network, m.HasCommand(), m.Workdir
	a.Release, a.Created = artifact.Clean(m.SmolvmVersion), artifact.Clean(m.Created)
}

// passed notes that the file went through package artifact.
func (a *Artifact) passed(s artifact.Summary, mtime, now time.Time) {
	a.describe(s.File)
	a.Entries, a.Unpacked = s.Entries, s.Unpacked
	a.Verified, a.ModTime, a.Rules, a.Problem = now, mtime.UTC(), artifact.Rules, ""
}

// trusted says that the file was found right under the present rules.
func (a *Artifact) trusted() bool {
	return a.Problem == "" && a.Rules >= artifact.Rules && !a.Verified.IsZero()
}
