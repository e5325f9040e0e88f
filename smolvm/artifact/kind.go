package artifact

import (
	"debug/macho"
	"encoding/binary"
	"io"
)

// Kind is which of the files that smolvm packs something is.
type Kind int

// The kinds. Only a sidecar can enter the library.
const (
	Unknown    Kind = iota
	Sidecar         // NAME.smolmachine: assets, manifest, footer
	Launcher        // NAME: the executable beside a sidecar, with libraries only
	SingleFile      // one executable with everything in it
)

func (k Kind) String() string {
	switch k {
	case Sidecar:
		return "artifact"
	case Launcher:
		return "launcher"
	case SingleFile:
		return "single file"
	}
	return "unknown"
}

// Marks of the other files. A launcher ends with 32 bytes that start with the
// first; on macOS a single file carries its machine in a Mach-O section that
// starts with the second, and the empty template of one with the third.
const (
	launcherMagic   = "SMOLLIBS"
	launcherTrailer = 32
	sectionMagic    = "SMOLSECT"
	sectionEmpty    = "SMOLVM_SECTION_PLACEHOLDER_V1"
	sectionSegment  = "__SMOLVM"
	sectionName     = "__smolvm"
)

// Detect says which kind of file r holds, by its marks alone: a damaged
// artifact is still Unknown or Sidecar.
func Detect(r io.ReaderAt, size int64) (Kind, error) {
	tail := make([]byte, min(size, FooterSize))
	if err := readAt(r, tail, size-int64(len(tail))); err != nil {
		return Unknown, err
	}
	if len(tail) == FooterSize && string(tail[:len(magic)]) == magic {
		if f := parseFooter(tail); f.StubSize != 0 && f.AssetsOffset == f.StubSize {
			return SingleFile, nil
		}
		return Sidecar, nil
	}
	if n := len(tail) - launcherTrailer; n >= 0 && string(tail[n:n+len(launcherMagic)]) == launcherMagic {
		return Launcher, nil
	}
	return executable(r, size)
}

// executable looks for the section of a macOS single file.
func executable(r io.ReaderAt, size int64) (Kind, error) {
	head := make([]byte, min(size, 4))
	if err := readAt(r, head, 0); err != nil || len(head) < 4 {
		return Unknown, err
	}
	le, be := binary.LittleEndian.Uint32(head), binary.BigEndian.Uint32(head)
	whole := io.NewSectionReader(r, 0, size)
	switch {
	case be == macho.MagicFat:
		fat, err := macho.NewFatFile(whole)
		if err != nil {
			return Unknown, nil //nolint:nilerr // not an executable: nothing of smolvm's
		}
		for _, arch := range fat.Arches {
			if k := marked(arch.File); k != Unknown {
				return k, nil
			}
		}
	case le == macho.Magic64 || le == macho.Magic32 || be == macho.Magic64 || be == macho.Magic32:
		f, err := macho.NewFile(whole)
		if err != nil {
			return Unknown, nil //nolint:nilerr // as above
		}
		return marked(f), nil
	}
	return Unknown, nil
}

// marked looks at the section itself.
func marked(f *macho.File) Kind {
	for _, s := range f.Sections {
		if s.Seg != sectionSegment || s.Name != sectionName {
			continue
		}
		head := make([]byte, len(sectionEmpty))
		n, _ := s.ReadAt(head, 0)
		switch head = head[:n]; {
		case len(head) >= len(sectionMagic) && string(head[:len(sectionMagic)]) == sectionMagic:
			return SingleFile
		case string(head) == sectionEmpty:
			return Launcher
		}
	}
	return Unknown
}
