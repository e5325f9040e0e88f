package atomicfile

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
)

// Modes of what belongs to one person alone.
const (
	FilePerm fs.FileMode = 0o600
	DirPerm  fs.FileMode = 0o700
)

// Write makes path hold data with mode perm (0 means [FilePerm]). Missing
// folders are made with [DirPerm]. When it returns without an error, file and
// name are on the disk; after an error path is as it was.
func Write(path string, data []byte, perm fs.FileMode) error {
	if perm == 0 {
		perm = FilePerm
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, DirPerm); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".new-*") // a short name: path may have 255 bytes
	if err != nil {
		return err
	}
	if err := fill(f, data, perm); err != nil {
		_ = os.Remove(f.Name())
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		_ = os.Remove(f.Name())
		return err
	}
	return SyncDir(dir)
}

// WriteJSON is [Write] of v as indented JSON with [FilePerm].
func WriteJSON(path string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return Write(path, append(data, '\n'), FilePerm)
}

// SyncDir makes renames and removals in dir last.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	return err
}

func fill(f *os.File, data []byte, perm fs.FileMode) error {
	_, err := f.Write(data)
	if err == nil {
		err = f.Chmod(perm)
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}
