package clone

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// copyStep is how much is copied between two looks at the context.
const copyStep = 16 << 20

// File makes dst a duplicate of the regular file src, which may be reached
// through a symbolic link, with its mode and modification time. dst must not
// exist; its folder must. cloned tells that both share blocks. After an error
// there is no dst, unless it was there before.
func File(dst, src string) (cloned bool, err error) {
	real, err := filepath.EvalSymlinks(src)
	if err != nil {
		return false, err
	}
	return file(context.Background(), dst, real, true)
}

// Supported tells whether [File] shares blocks between two files in dir.
func Supported(dir string) (bool, error) {
	scratch, err := os.MkdirTemp(dir, ".clone-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(scratch)
	src := filepath.Join(scratch, "a")
	if err := os.WriteFile(src, make([]byte, 4096), 0o600); err != nil {
		return false, err
	}
	return File(filepath.Join(scratch, "b"), src)
}

// file is File for a src that is not a link. Without try it copies at once.
func file(ctx context.Context, dst, src string, try bool) (cloned bool, err error) {
	// Opening a FIFO would wait for a writer; a name can become one between
	// the look at it and the opening.
	in, err := os.OpenFile(src, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if err != nil {
		return false, err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return false, err
	}
	if !info.Mode().IsRegular() {
		return false, &fs.PathError{Op: "clone", Path: src, Err: errors.New("not a regular file")}
	}
	if try {
		if cloned, err = clonePath(dst, src, in, info.Mode()); err != nil {
			return false, err
		}
	}
	if !cloned {
		if err := copyFile(ctx, dst, in, info); err != nil {
			return false, err
		}
	}
	if err := keep(dst, src, info); err != nil {
		_ = os.Remove(dst)
		return false, err
	}
	return cloned, nil
}

func copyFile(ctx context.Context, dst string, in *os.File, info fs.FileInfo) error {
	out, err := os.OpenFile(dst, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = copyData(ctx, out, in, info.Size())
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		_ = os.Remove(dst)
		return fmt.Errorf("copying to %s: %w", dst, err)
	}
	return nil
}

// copyData copies the stretches of in that hold data and leaves the rest of
// out as holes.
func copyData(ctx context.Context, out, in *os.File, size int64) error {
	if err := out.Truncate(size); err != nil {
		return err
	}
	for off := int64(0); off < size; {
		start, end := extent(in, off, size)
		if start >= size {
			break
		}
		if _, err := in.Seek(start, io.SeekStart); err != nil {
			return err
		}
		if _, err := out.Seek(start, io.SeekStart); err != nil {
			return err
		}
		for at := start; at < end; {
			if err := ctx.Err(); err != nil {
				return err
			}
			n, err := io.CopyN(out, in, min(copyStep, end-at))
			at += n
			if errors.Is(err, io.EOF) {
				return out.Truncate(at) // the source shrank meanwhile
			}
			if err != nil {
				return err
			}
		}
		off = end
	}
	return nil
}

// extent returns the next stretch of data at or after off; on a file system
// that does not tell, that is the whole rest.
func extent(f *os.File, off, size int64) (start, end int64) {
	start, err := unix.Seek(int(f.Fd()), off, seekData)
	if errors.Is(err, unix.ENXIO) {
		return size, size
	}
	if err != nil {
		return off, size
	}
	end, err = unix.Seek(int(f.Fd()), start, seekHole)
	if err != nil || end <= start || end > size {
		end = size
	}
	return start, end
}
