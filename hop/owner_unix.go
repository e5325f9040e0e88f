//go:build unix

package hop

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

func ownedByUs(fi fs.FileInfo) bool {
	st, ok := fi.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}

func refused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }
