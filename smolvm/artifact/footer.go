package artifact

import (
	"encoding/binary"
	"fmt"
)

// Sizes of the format's parts, in bytes.
const (
	FooterSize  = 64
	MaxManifest = 16 << 20
)

// Version is the one format version that every supported release reads and
// every known release writes. Releases from 1.7.2 on also read 2 and 3.
const Version = 1

// newestVersion is the highest version that any known release accepts.
const newestVersion = 3

const magic = "SMOLPACK"

// Footer is the last 64 bytes of an artifact: little-endian, in this order,
// after the eight letters SMOLPACK; eight reserved bytes close it.
type Footer struct {
	Version        uint32
	StubSize       uint64 // 0 in a sidecar
	AssetsOffset   uint64 // 0 in a sidecar
	AssetsSize     uint64 // of the zstd stream
	ManifestOffset uint64 // where the JSON starts
	ManifestSize   uint64 // of the JSON, at most MaxManifest
	Checksum       uint32 // CRC-32 (IEEE) of assets and manifest
	Reserved       [8]byte
}

// AppendBinary appends the 64 bytes of f to dst. It never fails.
func (f Footer) AppendBinary(dst []byte) ([]byte, error) {
	dst = append(dst, magic...)
	dst = binary.LittleEndian.AppendUint32(dst, f.Version)
	for _, v := range []uint64{f.StubSize, f.AssetsOffset, f.AssetsSize, f.ManifestOffset, f.ManifestSize} {
		dst = binary.LittleEndian.AppendUint64(dst, v)
	}
	dst = binary.LittleEndian.AppendUint32(dst, f.Checksum)
	return append(dst, f.Reserved[:]...), nil
}

// parseFooter takes the fields apart. The caller has checked the magic.
func parseFooter(b []byte) Footer {
	le := binary.LittleEndian
	f := Footer{
		Version:        le.Uint32(b[8:]),
		StubSize:       le.Uint64(b[12:]),
		AssetsOffset:   le.Uint64(b[20:]),
		AssetsSize:     le.Uint64(b[28:]),
		ManifestOffset: le.Uint64(b[36:]),
		ManifestSize:   le.Uint64(b[44:]),
		Checksum:       le.Uint32(b[52:]),
	}
	copy(f.Reserved[:], b[56:FooterSize])
	return f
}

// check holds the footer against the size of its file, in the order and with
// the replies of smolvm.
func (f Footer) check(size uint64) *FormatError {
	if f.Version == 0 || f.Version > newestVersion {
		return versionError(f.Version)
	}
	if f.ManifestSize > MaxManifest {
		return faulty(ClassSize, "its footer is damaged",
			fmt.Sprintf("I/O error: manifest size (%d bytes) exceeds maximum (%d bytes)", f.ManifestSize, MaxManifest), cureAgain)
	}
	if !fits(size, f.AssetsSize, f.ManifestSize) {
		return faulty(ClassSize, "it is cut short or its footer is damaged",
			"I/O error: footer sizes exceed file size (corrupt or truncated sidecar)", cureAgain)
	}
	if f.AssetsOffset == 0 && f.ManifestOffset != f.AssetsSize {
		return faulty(ClassSize, "its footer is damaged",
			fmt.Sprintf("I/O error: sidecar manifest_offset (%d) does not match assets_size (%d): corrupt footer", f.ManifestOffset, f.AssetsSize), cureAgain)
	}
	if !fits(size, f.ManifestOffset, f.ManifestSize) {
		return faulty(ClassSize, "it is cut short or its footer is damaged",
			"I/O error: manifest offset/size exceeds file bounds", cureAgain)
	}
	return nil
}

// fits says whether a + b + a footer are no more than size, without overflow.
func fits(size, a, b uint64) bool {
	rest := size
	for _, n := range []uint64{FooterSize, a, b} {
		if n > rest {
			return false
		}
		rest -= n
	}
	return true
}

func versionError(v uint32) *FormatError {
	return faulty(ClassVersion, fmt.Sprintf("its format version is %d, not %d", v, Version),
		fmt.Sprintf("unsupported version: %d", v), "pack it again with a release of smolvm that is supported here")
}

// strict refuses what smolvm lets pass and no writer makes. The footer is not
// covered by the checksum, so this is what finds damage in it.
func (f Footer) strict(size uint64) *FormatError {
	switch {
	case f.Version != Version:
		return versionError(f.Version)
	case f.StubSize != 0 || f.AssetsOffset != 0:
		return single("")
	case f.Reserved != [8]byte{}:
		return faulty(ClassFooter, "its footer is damaged", "", cureAgain)
	case f.AssetsSize+f.ManifestSize+FooterSize != size:
		return faulty(ClassFooter, "it holds bytes that belong to no part of it", "", cureAgain)
	}
	return nil
}
