package transfer

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// quarantine returns the value of com.apple.quarantine, the attribute that
// makes macOS ask before it opens or runs a file from elsewhere: flags, the time in hexadecimal
// seconds, and who fetched the file, separated by semicolons. 0x80 says that
// the flags are valid, 0x01 that the file was downloaded.
func quarantine(at time.Time) []byte {
	return fmt.Appendf(nil, "%04x;%08x;Bottlebar;", 0x81, at.Unix())
}

// stamp calls set for each file and folder below dir, and dir itself, but for
// links. What may not be written gets the owner's right to for that moment:
// an attribute is only taken by what can be written.
func stamp(dir string, set func(path string) error) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.IsDir() && !d.Type().IsRegular() {
			return nil
		}
		fi, err := d.Info()
		if err != nil {
			return err
		}
		mode := fi.Mode().Perm()
		if mode&0o200 != 0 {
			return set(path)
		}
		if err := os.Chmod(path, mode|0o200); err != nil {
			return err
		}
		err = set(path)
		if back := os.Chmod(path, mode); err == nil {
			err = back
		}
		return err
	})
}
