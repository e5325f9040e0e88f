package clone

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// keep gives dst what src has besides its contents: owner (as far as we may),
// extended attributes, mode, times. info describes src.
func keep(dst, src string, info fs.FileInfo) error {
	if err := keepOwner(dst, info); err != nil {
		return err
	}
	if err := keepAttributes(dst, src); err != nil {
		return err
	}
	if info.Mode()&fs.ModeSymlink == 0 {
		// After the owner: a change of owner clears set-user-ID bits.
		if err := os.Chmod(dst, info.Mode()&(fs.ModePerm|fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky)); err != nil {
			return err
		}
	}
	return keepTimes(dst, info.ModTime())
}

func keepOwner(dst string, info fs.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	if int(st.Uid) == os.Geteuid() && int(st.Gid) == os.Getegid() {
		return nil
	}
	err := os.Lchown(dst, int(st.Uid), int(st.Gid))
	if errors.Is(err, fs.ErrPermission) {
		return nil // only root gives files away
	}
	return err
}

func keepTimes(dst string, mtime time.Time) error {
	ts, err := unix.TimeToTimespec(mtime)
	if err != nil {
		return err
	}
	err = unix.UtimesNanoAt(unix.AT_FDCWD, dst, []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW)
	if err != nil {
		return &fs.PathError{Op: "utimensat", Path: dst, Err: err}
	}
	return nil
}

// keepAttributes copies extended attributes: a hypervisor on macOS keeps the
// guest's owner and mode in them. Those that cannot be written here (other
// file system, security labels without the right) are left out.
func keepAttributes(dst, src string) error {
	names, err := attributes(src)
	if err != nil || len(names) == 0 {
		return nil // a file system without attributes has none to keep
	}
	for _, name := range names {
		value, err := attribute(src, name)
		if err != nil {
			continue
		}
		err = unix.Lsetxattr(dst, name, value, 0)
		if err != nil && !errors.Is(err, unix.ENOTSUP) && !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.EACCES) {
			return &fs.PathError{Op: "setxattr " + name, Path: dst, Err: err}
		}
	}
	return nil
}

func attributes(path string) ([]string, error) {
	n, err := unix.Llistxattr(path, nil)
	if err != nil || n == 0 {
		return nil, err
	}
	buf := make([]byte, n)
	if n, err = unix.Llistxattr(path, buf); err != nil {
		return nil, err
	}
	var names []string
	for name := range bytes.SplitSeq(buf[:n], []byte{0}) {
		if len(name) > 0 {
			names = append(names, string(name))
		}
	}
	return names, nil
}

func attribute(path, name string) ([]byte, error) {
	n, err := unix.Lgetxattr(path, name, nil)
	if err != nil || n == 0 {
		return nil, err
	}
	buf := make([]byte, n)
	n, err = unix.Lgetxattr(path, name, buf)
	if err != nil {
		return nil, err
	}
	return buf[:n], nil
}
