package cache

import "time"

// Artifact is one entry of the library. Text that came from the file is
// cleaned for one line of output; it is still somebody else's words.
type Artifact struct {
	ID         string `json:"id"`       // SHA-256 of the file, hex
	Name       string `json:"name"`     // unique in the library
	Image      string `json:"image"`    // reference as it was packed
	Digest     string `json:"digest"`   // of the image
	Platform   string `json:"platform"` // of the guest: "linux/arm64"
	Size       int64  `json:"size"`     // bytes of the file
	CRC        uint32 `json:"crc"`
	Entries    int64  `json:"entries"`  // files, folders and links in it
	Unpacked   int64  `json:"unpacked"` // bytes that unpacking may take
	Mode       string `json:"mode"`     // "container" or "vm"
	CPUs       int    `json:"cpus"`     // as packed
	MemMiB     int    `json:"mem_mib"`
	Network    bool   `json:"network,omitempty"`     // it asks for a network: it cannot be launched
	HasCommand bool   `json:"has_command,omitempty"` // it runs something by itself
	Workdir    string `json:"workdir,omitempty"`     // not cleaned; holds no control characters
	Release    string `json:"release,omitempty"`     // of smolvm that packed it
	Created    string `json:"created,omitempty"`     // when it was packed, as the file says
	Origin     string `json:"origin,omitempty"`      // where it was added from
	Pinned     bool   `json:"pinned,omitempty"`      // Prune leaves it
	Added      time.Time
	LastUsed   time.Time // zero: never
	Verified   time.Time // when its bytes were last found right; zero: not since its record was lost
	Rules      int       `json:"rules,omitempty"` // of package artifact, that it passed
	ModTime    time.Time // of the library's file when verified
	Problem    string    `json:"problem,omitempty"` // why it cannot be launched; empty: it can
	Settings   Settings  `json:"settings"`
}

// Settings are what a launch starts from. Zero values mean: as the artifact or
// smolvm says.
type Settings struct {
	Command    []string `json:"command,omitempty"`
	User       string   `json:"user,omitempty"`
	Folder     string   `json:"folder,omitempty"` // absolute, or ~/…
	CPUs       int      `json:"cpus,omitempty"`   // 1 to 255
	MemMiB     int      `json:"mem_mib,omitempty"`
	StorageGiB int      `json:"storage_gib,omitempty"`
	OverlayGiB int      `json:"overlay_gib,omitempty"`
	Permission string   `json:"permission,omitempty"` // Claude's permission mode
}
