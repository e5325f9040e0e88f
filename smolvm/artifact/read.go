package artifact

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// File is an artifact as its footer and manifest describe it.
type File struct {
	Kind     Kind  // Sidecar or SingleFile
	Size     int64 // bytes of the whole file
	Footer   Footer
	Manifest Manifest
	raw      []byte // the manifest's JSON
}

// Open reads footer and manifest of the file at path. What is wrong with the
// file is a [*FormatError]; other errors are the system's.
func Open(path string) (*File, error) {
	f, size, err := OpenFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	file, err := Read(f, size)
	return file, Named(err, path)
}

// OpenFile opens path for reading if it is a regular file, possibly behind a
// symbolic link, and returns its size. It never waits, not for a FIFO either.
func OpenFile(path string) (*os.File, int64, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		if errors.Is(err, syscall.ENXIO) || errors.Is(err, syscall.EOPNOTSUPP) { // a socket
			return nil, 0, notRegular("a socket or a device", "")
		}
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil {
		err = regular(info.Mode())
	}
	if err != nil {
		_ = f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

func regular(mode fs.FileMode) error {
	switch {
	case mode.IsRegular():
		return nil
	case mode.IsDir():
		return notRegular("a folder", "I/O error: Is a directory (os error 21)")
	case mode&fs.ModeNamedPipe != 0:
		return notRegular("a pipe", "")
	}
	return notRegular("a socket or a device", "")
}

func notRegular(what, reply string) error {
	return faulty(ClassIO, "it is "+what+", not a file", reply, "choose a .smolmachine file")
}

// Named puts the name of the artifact that belongs to the launcher at path
// into the cure of an error of Read; other errors pass unchanged.
func Named(err error, path string) error {
	var e *FormatError
	if !errors.As(err, &e) || e.Class != ClassLauncher {
		return err
	}
	out := *e
	out.cure = "add " + Clean(filepath.Base(path)) + ".smolmachine, which lies beside it"
	return &out
}

// Read reads footer and manifest from r, which holds size bytes, and checks
// what smolvm checks when it reads an artifact, in its order. The checksum is
// not among that. What is wrong is a [*FormatError].
func Read(r io.ReaderAt, size int64) (*File, error) {
	if size < FooterSize {
		return nil, faulty(ClassShort, "it is too short to be an artifact",
			"I/O error: sidecar file too small to contain footer", "choose a .smolmachine file, or copy it again")
	}
	tail := make([]byte, FooterSize)
	if err := readAt(r, tail, size-FooterSize); err != nil {
		return nil, err
	}
	if string(tail[:len(magic)]) != magic {
		return nil, foreign(r, size)
	}
	f := &File{Kind: Sidecar, Size: size, Footer: parseFooter(tail)}
	if err := f.Footer.check(uint64(size)); err != nil {
		return nil, err
	}
	if f.Footer.StubSize != 0 || f.Footer.AssetsOffset != 0 {
		f.Kind = SingleFile
	}
	f.raw = make([]byte, f.Footer.ManifestSize)
	if err := readAt(r, f.raw, int64(f.Footer.ManifestOffset)); err != nil {
		return nil, err
	}
	m, err := decodeManifest(f.raw)
	if err != nil {
		return nil, err
	}
	f.Manifest = m
	return f, nil
}

// foreign says what a file without our footer is.
func foreign(r io.ReaderAt, size int64) error {
	const reply = "invalid magic: expected SMOLPACK"
	kind, err := Detect(r, size)
	if err != nil {
		return err
	}
	switch kind {
	case Launcher:
		return faulty(ClassLauncher, "it is the launcher, not the artifact", reply, "add the .smolmachine file that lies beside it")
	case SingleFile:
		return single(reply)
	}
	return faulty(ClassMagic, "it is not an artifact, or it is cut short or damaged at its end", reply,
		"choose a .smolmachine file, or copy it again")
}

func single(reply string) *FormatError {
	return faulty(ClassSingle, "it is a program with a machine inside, not an artifact", reply,
		"pack it again without --single-file")
}

// readAt fills b or fails.
func readAt(r io.ReaderAt, b []byte, off int64) error {
	n, err := r.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if errors.Is(err, io.EOF) || err == nil {
		return faulty(ClassIO, "it became shorter while it was read", "", cureAgain)
	}
	return fmt.Errorf("reading it: %w", err)
}
