package clone

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// Values of whence for lseek(2) that find data and holes, from sys/unistd.h;
// they are the other way round than on Linux.
const (
	seekHole = 3
	seekData = 4
)

// clonePath makes dst share the blocks of src. It reports false without an
// error when the file system cannot; dst does not exist then.
func clonePath(dst, src string, _ *os.File, _ fs.FileMode) (bool, error) {
	err := unix.Clonefile(src, dst, unix.CLONE_NOFOLLOW)
	if err == nil {
		return true, nil
	}
	if errors.Is(err, fs.ErrExist) {
		return false, &fs.PathError{Op: "clonefile", Path: dst, Err: err}
	}
	return false, nil
}
