package transfer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"unicode/utf8"
)

// unique returns name, or name-2.ext, name-3.ext, … whichever is free.
func unique(name string, taken func(string) bool) string {
	if !taken(name) {
		return name
	}
	ext := path.Ext(name)
	if ext == name || len(ext) > 16 { // .profile has no extension, neither has a sentence
		ext = ""
	}
	stem := strings.TrimSuffix(name, ext)
	for n := 2; ; n++ {
		tail := fmt.Sprintf("-%d%s", n, ext)
		s := stem
		for len(s)+len(tail) > maxElement {
			_, size := utf8.DecodeLastRuneInString(s)
			s = s[:len(s)-size]
		}
		if !taken(s + tail) {
			return s + tail
		}
	}
}

// place moves everything from the staging folder to where it belongs.
func (u *unpacker) place(dest *os.Root, s *stage) (Report, error) {
	tops := u.report.Top
	names := make([]string, len(tops))
	for i, name := range tops {
		names[i] = name
		if u.o.Rename != "" {
			names[i] = u.o.Rename
		}
		if err := checkName(names[i]); err != nil || strings.Contains(names[i], "/") {
			return Report{}, &FileError{Path: names[i], Err: errors.New("that is no name for a file")}
		}
	}
	if u.o.Exists == ExistsRefuse {
		for _, name := range names {
			if exists(dest, name) {
				return Report{}, &FileError{Path: name, Err: fs.ErrExist}
			}
		}
	}
	for i, top := range tops {
		var err error
		from := path.Join(s.name, top)
		if u.o.Exists == ExistsReplace {
			err = merge(dest, from, names[i])
		} else {
			names[i], err = reserve(dest, from, names[i], u.o.Exists != ExistsRefuse)
		}
		if err != nil {
			return Report{}, &FileError{Path: names[i], Err: err}
		}
	}
	u.report.Top = names
	return u.report, nil
}

func exists(root *os.Root, name string) bool {
	_, err := root.Lstat(name)
	return err == nil
}

// reserve moves from to a name that nobody has, or that nobody gets between
// looking and moving. For a file an empty one of our own holds the place, and
// renaming replaces it; a folder never replaces what holds something.
func reserve(dest *os.Root, from, name string, other bool) (string, error) {
	fi, err := dest.Lstat(from)
	if err != nil {
		return name, err
	}
	tried := map[string]bool{}
	for {
		free := unique(name, func(n string) bool { return tried[n] || exists(dest, n) })
		if !other && free != name {
			return name, fs.ErrExist
		}
		err := claim(dest, from, free, fi.IsDir())
		if err == nil || !errors.Is(err, fs.ErrExist) {
			return free, err
		}
		tried[free] = true
	}
}

func claim(dest *os.Root, from, name string, dir bool) error {
	if dir {
		return dest.Rename(from, name)
	}
	f, err := dest.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_ = f.Close()
	if err := dest.Rename(from, name); err != nil {
		_ = dest.Remove(name)
		return err
	}
	return nil
}

// merge moves from to name as cp -r would: folders are merged, files and
// links replaced, and one kind never takes the place of the other.
func merge(dest *os.Root, from, name string) error {
	fi, err := dest.Lstat(from)
	if err != nil {
		return err
	}
	old, err := dest.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return dest.Rename(from, name)
	}
	if err != nil {
		return err
	}
	if old.IsDir() != fi.IsDir() {
		if old.IsDir() {
			return errors.New("a folder of that name is there")
		}
		return errors.New("a file of that name is there")
	}
	if !fi.IsDir() {
		return dest.Rename(from, name)
	}
	d, err := dest.Open(from)
	if err != nil {
		return err
	}
	entries, err := d.ReadDir(-1)
	_ = d.Close()
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := merge(dest, path.Join(from, e.Name()), path.Join(name, e.Name())); err != nil {
			return err
		}
	}
	return nil
}
