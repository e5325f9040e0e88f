package sidecar

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// unsafeError says which part of a socket's path somebody else controls.
type unsafeError struct{ path, why string }

func (e *unsafeError) Error() string { return e.path + " " + e.why }

// systemGroups are group ids below which no person's group lies. Folders such
// as /var/run on macOS belong to root and may be written by a group of the
// system's own.
const systemGroups = 100

// trustedSocket checks that nobody but root and the user uid could have put a
// socket at path: it belongs to one of them, and so does each folder on the
// way, links followed, with nobody else able to write there. The permissions
// of the socket itself only say who may connect.
func trustedSocket(path string, uid int) error {
	const maxLinks = 32
	rest := strings.Split(strings.Trim(filepath.Clean(path), "/"), "/")
	at := "/"
	for links := 0; ; {
		info, err := os.Lstat(at)
		if err != nil {
			return err
		}
		if err := trusted(at, info, uid); err != nil {
			return err
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			if links++; links > maxLinks {
				return &unsafeError{at, "is a link that leads in circles"}
			}
			target, err := os.Readlink(at)
			if err != nil {
				return err
			}
			if !filepath.IsAbs(target) {
				target = filepath.Join(filepath.Dir(at), target)
			}
			rest = append(strings.Split(strings.Trim(filepath.Clean(target), "/"), "/"), rest...)
			at = "/"
			continue
		}
		if len(rest) == 0 {
			if info.Mode()&fs.ModeSocket == 0 {
				return fmt.Errorf("%s: %w", at, syscall.ENOTSOCK)
			}
			return nil
		}
		at = filepath.Join(at, rest[0])
		rest = rest[1:]
	}
}

// trusted checks one step of the path.
func trusted(path string, info fs.FileInfo, uid int) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return &unsafeError{path, "has no owner"}
	}
	if st.Uid != 0 && int(st.Uid) != uid {
		return &unsafeError{path, "belongs to another user"}
	}
	if !info.IsDir() || info.Mode()&fs.ModeSticky != 0 {
		return nil // in a sticky folder each may only touch what is theirs
	}
	mode := info.Mode().Perm()
	if mode&0o002 != 0 {
		return &unsafeError{path, "can be written by everybody"}
	}
	if mode&0o020 != 0 && !(st.Uid == 0 && st.Gid < systemGroups) && !ownGroup(st, uid) {
		return &unsafeError{path, "can be written by a group"}
	}
	return nil
}

// ownGroup reports whether a folder is the user's, with the group of the same
// number that many systems give each user alone.
func ownGroup(st *syscall.Stat_t, uid int) bool {
	return int(st.Uid) == uid && int(st.Gid) == uid
}
