package build

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"time"
)

// Layer is the content of one image layer: the files, then the folder.
type Layer struct {
	Files []File
	Dir   string // a rootfs folder; owners are kept, times are not
}

// File is one entry of a layer. Mode's type bits choose what it is: a folder
// (fs.ModeDir), a symbolic link to Link (fs.ModeSymlink), else a regular file.
type File struct {
	Name     string // without a leading slash, such as "etc/passwd"
	Mode     fs.FileMode
	UID, GID int
	Data     []byte
	Link     string
}

// entries carry one fixed time so that equal content gives equal bytes.
var epoch = time.Unix(1767225600, 0).UTC()

func (l Layer) writeTar(w io.Writer) error {
	tw := tar.NewWriter(w)
	for _, f := range l.Files {
		if err := f.write(tw); err != nil {
			return fmt.Errorf("layer entry %q: %w", f.Name, err)
		}
	}
	if l.Dir != "" {
		if err := writeDir(tw, l.Dir); err != nil {
			return err
		}
	}
	return tw.Close()
}

func (f File) write(tw *tar.Writer) error {
	h := &tar.Header{
		Name: f.Name, Mode: int64(f.Mode.Perm()), Uid: f.UID, Gid: f.GID,
		ModTime: epoch, Typeflag: tar.TypeReg, Size: int64(len(f.Data)),
	}
	addSpecialBits(h, f.Mode)
	switch f.Mode.Type() {
	case fs.ModeDir:
		h.Typeflag, h.Size, h.Name = tar.TypeDir, 0, f.Name+"/"
	case fs.ModeSymlink:
		h.Typeflag, h.Size, h.Linkname = tar.TypeSymlink, 0, f.Link
	}
	if err := tw.WriteHeader(h); err != nil {
		return err
	}
	if h.Typeflag != tar.TypeReg {
		return nil
	}
	_, err := tw.Write(f.Data)
	return err
}

func addSpecialBits(h *tar.Header, m fs.FileMode) {
	for bit, v := range map[fs.FileMode]int64{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if m&bit != 0 {
			h.Mode |= v
		}
	}
}

// writeDir appends a folder's tree in name order. Sockets, pipes and devices
// are left out: an image layer has no use for them here.
func writeDir(tw *tar.Writer, root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		var link string
		switch info.Mode().Type() {
		case 0, fs.ModeDir:
		case fs.ModeSymlink:
			if link, err = os.Readlink(path); err != nil {
				return err
			}
		default:
			return nil
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		return writeHostFile(tw, path, filepath.ToSlash(rel), link, info)
	})
}

func writeHostFile(tw *tar.Writer, path, name, link string, info fs.FileInfo) error {
	h, err := tar.FileInfoHeader(info, link)
	if err != nil {
		return err
	}
	h.Name, h.ModTime, h.AccessTime, h.ChangeTime = name, epoch, time.Time{}, time.Time{}
	h.Uname, h.Gname = "", ""
	if info.IsDir() {
		h.Name += "/"
	}
	if err := tw.WriteHeader(h); err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(tw, f)
	return err
}

// agentRoot is a small tar in place of the agent's root file system, which an
// artifact carries and "create" unpacks beside the layers.
func agentRoot() ([]byte, error) {
	files := []File{
		{Name: "sbin", Mode: fs.ModeDir | 0o755},
		{Name: "sbin/init", Mode: 0o755, Data: []byte("#!/bin/sh\n# Stands where the agent lies in a packed image.\n")},
	}
	sort.Slice(files, func(i, j int) bool { return files[i].Name < files[j].Name })
	var b bytes.Buffer
	err := Layer{Files: files}.writeTar(&b)
	return b.Bytes(), err
}
