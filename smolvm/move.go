package smolvm

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"

	"bottlebar.app/internal/clone"
)

// move gives the file tmp the name dst, across file systems too.
func move(dst, tmp string) error {
	err := os.Rename(tmp, dst)
	if !errors.Is(err, syscall.EXDEV) {
		return err
	}
	dir, err := os.MkdirTemp(filepath.Dir(dst), ".bottlebar-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	near := filepath.Join(dir, "file")
	if _, err := clone.File(near, tmp); err != nil {
		return err
	}
	return os.Rename(near, dst)
}
