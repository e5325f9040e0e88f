package artifact

import (
	"io"
)

// File is an artifact as its footer and manifest describe it.
type File struct {
	Kind     Kind
	Size     int64 // bytes of the whole file
	Footer   Footer
	Manifest Manifest
}

// Open reads footer and manifest of the file at path. What is wrong with the
// file is a [*FormatError]; other errors are the system's.
func Open(path string) (*File, error) { panic("soon") }

// Read reads footer and manifest from r, which holds size bytes, and checks
// what smolvm checks when it reads an artifact, in its order. The checksum is
// not among that. What is wrong is a [*FormatError].
func Read(r io.ReaderAt, size int64) (*File, error) { panic("soon") }

// Strict refuses what smolvm would take although no writer makes it so, or
// although nobody should start it. It looks at footer and manifest only.
// Network is not refused here: whoever launches does, see Manifest.Network.
func (f *File) Strict() error { panic("soon") }
