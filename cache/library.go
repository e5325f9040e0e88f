package cache

import (
	"context"
	"time"
)

// Library is the artifacts in one folder. Its methods may be called from
// several goroutines, and several processes may have the same folder open.
type Library struct{ dir string }

// Open opens the library in dir and makes the folder if there is none (0700).
// dir belongs to the library alone.
func Open(dir string) (*Library, error) { panic("soon") }

// Phase is what an addition is doing.
type Phase string

// The phases, in order.
const (
	Packing   Phase = "packing" // smolvm makes the file; no numbers
	Copying   Phase = "copying"
	Verifying Phase = "verifying"
)

// Progress is how far an addition came.
type Progress struct {
	Phase       Phase
	Done, Total int64  // bytes; Total 0 when not known
	Line        string // packing: the tool's last line, cleaned
}

// AddOptions say how a file enters. The zero value will do.
type AddOptions struct {
	Name     string // empty: from the file's name, with -2 … when taken
	Platform string // of this computer, "linux/arm64"; empty: the one this program was built for
	Origin   string // where it came from, as people are shown it; empty: the path
	Progress func(Progress)
}

// Add copies the artifact at path into the library. When the same bytes are
// there already it returns that artifact and a [*DuplicateError], which tells
// and is no failure. After any other error nothing is left behind.
func (l *Library) Add(ctx context.Context, path string, o AddOptions) (Artifact, error) {
	panic("soon")
}

// Packer makes artifacts from images; smolvm's client is one. Pack writes
// outBase and outBase.smolmachine, calls progress for each line it says, and
// returns the path of the latter.
type Packer interface {
	Pack(ctx context.Context, image, outBase string, progress func(line string)) (sidecarPath string, err error)
}

// PackOptions say what to pack.
type PackOptions struct {
	Image    string // reference
	Name     string // empty: from the image
	Platform string // as in AddOptions
}

// Pack makes an artifact from an image and adds it. Nothing but the library's
// copy is left.
func (l *Library) Pack(ctx context.Context, p Packer, o PackOptions, progress func(Progress)) (Artifact, error) {
	panic("soon")
}

// List returns all artifacts by name.
func (l *Library) List() ([]Artifact, error) { panic("soon") }

// Get returns the artifact of that name, or whose ID starts with ref (six
// digits at least). Otherwise a [*UnknownError].
func (l *Library) Get(ref string) (Artifact, error) { panic("soon") }

// Path returns where the artifact's file lies.
func (l *Library) Path(a Artifact) string { panic("soon") }

// Ready returns an artifact that may be unpacked now: its file is unchanged,
// by size and time, since it was verified under the present rules; else it is
// verified first.
func (l *Library) Ready(ctx context.Context, ref string, progress func(Progress)) (Artifact, error) {
	panic("soon")
}

// Rename gives an artifact another name.
func (l *Library) Rename(ref, name string) (Artifact, error) { panic("soon") }

// Remove takes an artifact out and returns what it was, so that the caller can
// clear what was prepared from it. Whether it is in use is not asked.
func (l *Library) Remove(ref string) (Artifact, error) { panic("soon") }

// Verify reads an artifact's file again. Damage is recorded in the artifact's
// Problem and is a [*DamagedError].
func (l *Library) Verify(ctx context.Context, ref string, progress func(Progress)) (Artifact, error) {
	panic("soon")
}

// SetSettings replaces an artifact's settings.
func (l *Library) SetSettings(ref string, s Settings) (Artifact, error) { panic("soon") }

// Used records a launch.
func (l *Library) Used(ref string, at time.Time) error { panic("soon") }

// Pin keeps an artifact from Prune, or no longer.
func (l *Library) Pin(ref string, pinned bool) (Artifact, error) { panic("soon") }

// Prune removes what is not pinned, was neither added nor used since before,
// and is not spared by keep (which may be nil). It returns what went, or with
// dry what would go.
func (l *Library) Prune(before time.Time, keep func(Artifact) bool, dry bool) ([]Artifact, error) {
	panic("soon")
}

// Rebuild makes the index again from the records, and the records that are
// missing from their files, which are verified.
func (l *Library) Rebuild(ctx context.Context, progress func(Progress)) error { panic("soon") }

// Watch sends when the library changed, by whomever, until ctx ends; then the
// channel is closed. Changes close to each other may be one message.
func (l *Library) Watch(ctx context.Context) (<-chan struct{}, error) { panic("soon") }
