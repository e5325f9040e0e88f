package clone

import (
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// Values of whence for lseek(2) that find data and holes.
const (
	seekData = unix.SEEK_DATA
	seekHole = unix.SEEK_HOLE
)

// clonePath makes dst share the blocks of the open file in. It reports false
// without an error when the file system cannot; dst does not exist then.
func clonePath(dst, _ string, in *os.File, perm fs.FileMode) (bool, error) {
	out, err := os.OpenFile(dst, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm.Perm())
	if err != nil {
		return false, err
	}
	err = unix.IoctlFileClone(int(out.Fd()), int(in.Fd()))
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		// Which errno means "not here" differs by file system (EOPNOTSUPP,
		// EXDEV, EINVAL, ENOTTY…). The copy that follows reports a real fault.
		_ = os.Remove(dst)
		return false, nil
	}
	return true, nil
}
