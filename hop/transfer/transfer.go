package transfer

// Source is one file or folder to pack.
type Source struct {
	Path string // on this machine
	Name string // its name in the stream; empty means the last element of Path
}

// Progress is reported while packing or unpacking, after each file and at
// most every 256 KiB within one.
type Progress struct {
	Path  string // name in the stream
	Files int64  // finished so far
	Bytes int64  // of content, so far
}

// Skipped is something that was left out, and why.
type Skipped struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
}

// Report tells what a stream held.
type Report struct {
	Top     []string  `json:"top"`     // top-level names, in order; unpacked: as they are called now
	Files   int64     `json:"files"`   // regular files
	Folders int64     `json:"folders"` //
	Links   int64     `json:"links"`   //
	Bytes   int64     `json:"bytes"`   // of content
	Skipped []Skipped `json:"skipped"` // the first MaxSkipped of them
	More    int64     `json:"more"`    // how many more were skipped
}

// MaxSkipped bounds Report.Skipped.
const MaxSkipped = 100

// Exists says what Unpack does with a top-level name that is taken.
type Exists string

// The choices. The zero value is ExistsUnique.
const (
	ExistsUnique  Exists = "unique"  // choose name-2.ext, name-3.ext, …
	ExistsReplace Exists = "replace" // as cp -r: folders are merged, files replaced
	ExistsRefuse  Exists = "refuse"  // nothing is written
)
