package ledger

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// What is kept of bottles that are gone: a month, and a quarter of a gigabyte
// together, the newest first.
const (
	keptFor   = 30 * 24 * time.Hour
	keptBytes = 256 << 20
)

// Kept is the ledger of a bottle that is gone.
type Kept struct {
	About
	Dir   string
	Last  time.Time // of its newest file
	Bytes int64
}

// List returns the ledgers below root but for those whose folder live names,
// the newest first. A folder that does not say whose it is goes by its name.
func List(root string, live func(id string) bool) ([]Kept, error) {
	all, err := os.ReadDir(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []Kept
	for _, e := range all {
		if !e.IsDir() || live(e.Name()) {
			continue
		}
		out = append(out, kept(filepath.Join(root, e.Name()), e.Name()))
	}
	slices.SortStableFunc(out, func(a, b Kept) int { return b.Last.Compare(a.Last) })
	return out, nil
}

func kept(dir, id string) Kept {
	k := Kept{About: About{ID: id, Name: id}, Dir: dir}
	if b, err := os.ReadFile(aboutPath(dir)); err == nil {
		var a About
		if json.Unmarshal(b, &a) == nil && a.ID == id && a.Name != "" {
			k.About = a
		}
	}
	files, _ := os.ReadDir(dir)
	for _, f := range files {
		if fi, err := f.Info(); err == nil && fi.Mode().IsRegular() {
			k.Bytes += fi.Size()
			k.Last = later(k.Last, fi.ModTime())
		}
	}
	return k
}

// Sweep removes what is past keeping, the oldest first.
func Sweep(root string, live func(id string) bool, now time.Time) error {
	all, err := List(root, live)
	if err != nil {
		return err
	}
	var sum int64
	var errs []error
	for _, k := range all {
		if sum += k.Bytes; sum > keptBytes || now.Sub(k.Last) > keptFor {
			errs = append(errs, os.RemoveAll(k.Dir))
		}
	}
	return errors.Join(errs...)
}
