package artifact

import (
	"context"
	"io"
)

// Rules numbers the set of rules that [Verify] applies. It rises when they
// become stricter; what passed under a lower number wants another look.
const Rules = 1

// Summary is what a file that passed [Verify] is.
type Summary struct {
	SHA256   string // of the whole file, hex; empty from Vet
	CRC      uint32 // stored, and found right; smolvm's key for it
	Entries  int64  // in all tars
	Unpacked int64  // bytes that unpacking may take
	File     *File
}

// Progress is told how far a pass came, in bytes of the file, from one
// goroutine, a few times per second at most. It may be nil.
type Progress func(done, total int64)

// Verify reads all of r once and answers whether it is an intact artifact that
// is safe to unpack: [Read] and [File.Strict], the checksum, the contents of
// the tars. A file that is not is a [*FormatError]. It holds r to be stable
// while it runs, and notices when the tail that it parsed first has changed.
func Verify(ctx context.Context, r io.ReaderAt, size int64, progress Progress) (Summary, error) {
	panic("soon")
}

// Vet is Verify without checksum and hash, for a file whose bytes are known.
func Vet(ctx context.Context, r io.ReaderAt, size int64, progress Progress) (Summary, error) {
	panic("soon")
}
