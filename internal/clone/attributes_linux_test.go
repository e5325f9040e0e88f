package clone

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestExtendedAttributesAreKept(t *testing.T) {
	dir := t.TempDir()
	src := filepath.Join(dir, "src")
	do(t, os.WriteFile(src, []byte("x"), 0o600))
	err := unix.Lsetxattr(src, "user.bottlebar", []byte("kept"), 0)
	if errors.Is(err, unix.ENOTSUP) {
		// Then File must not mind either.
		_, err = File(filepath.Join(dir, "dst"), src)
		do(t, err)
		return
	}
	do(t, err)
	_, err = File(filepath.Join(dir, "dst"), src)
	do(t, err)
	if v, err := attribute(filepath.Join(dir, "dst"), "user.bottlebar"); err != nil || string(v) != "kept" {
		t.Errorf("%q, %v", v, err)
	}
}
