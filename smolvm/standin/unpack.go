//go:build linux

package main

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"

	"bottlebar.app/smolvm/artifact"
)

// packDir is where the unpacked root of an artifact lies, as a folder "root".
//
// 0.8.0 keeps one per checksum for all machines and believes the checksum:
// other bytes under one that it has seen are never looked at. Later releases
// unpack into the machine's own folder; 1.9.3 also remembers the SHA-256 of
// the first file with a checksum and refuses another.
func (a *app) packDir(r *record) string {
	if a.rel == r080 {
		return filepath.Join(a.store.cache, "smolvm-pack", r.CRC)
	}
	return filepath.Join(a.store.dir(r.Name), "pack")
}

func (a *app) sharedDir(crc string) string {
	return filepath.Join(a.store.cache, "smolvm/vms/_shared", crc)
}

func (a *app) extract(file string, f *artifact.File, r *record) error {
	dir := a.packDir(r)
	if a.rel == r080 {
		if _, err := os.Stat(filepath.Join(dir, ".smolvm-extracted")); err == nil {
			return nil
		}
	}
	if a.rel >= r193 {
		if err := a.checkShared(file, r.CRC); err != nil {
			return err
		}
	}
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	assets := io.NewSectionReader(in, int64(f.Footer.AssetsOffset), int64(f.Footer.AssetsSize))
	if err := unpackAssets(assets, dir, f.Manifest.Assets.Layers); err != nil {
		os.RemoveAll(dir)
		os.Remove(filepath.Dir(dir)) // the machine's folder, if nothing else is in it
		return err
	}
	if a.rel >= r193 {
		if err := a.remember(file, r.CRC); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, ".smolvm-extracted"), nil, 0o644)
}

func sum(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), err
}

func (a *app) checkShared(file, crc string) error {
	known, err := os.ReadFile(filepath.Join(a.sharedDir(crc), "sha256"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	got, err := sum(file)
	if err == nil && got != string(known) {
		err = fmt.Errorf("shared pack checksum collision at %s: artifact SHA-256 differs", a.sharedDir(crc))
	}
	return err
}

func (a *app) remember(file, crc string) error {
	got, err := sum(file)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(a.sharedDir(crc), 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(a.sharedDir(crc), "sha256"), []byte(got), 0o644)
}

// unpackAssets writes the layers, merged, to dir/root.
func unpackAssets(assets io.Reader, dir string, layers []artifact.Layer) error {
	zr, err := zstd.NewReader(assets, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return err
	}
	defer zr.Close()
	root := filepath.Join(dir, "root")
	if err := os.MkdirAll(root, 0o755); err != nil {
		return err
	}
	// Layers lie in the tar by name, and are laid bottom first: all but a
	// single one are kept until it is their turn.
	kept := map[string]string{}
	tr := tar.NewReader(zr)
	for {
		h, err := tr.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return frameText(err)
		}
		if !strings.HasPrefix(h.Name, "layers/") {
			continue
		}
		if len(layers) == 1 {
			if err := unpackLayer(tr, root); err != nil {
				return frameText(err)
			}
			continue
		}
		tmp := filepath.Join(dir, strings.ReplaceAll(h.Name, "/", "_"))
		if err := writeTo(tmp, tr); err != nil {
			return frameText(err)
		}
		defer os.Remove(tmp)
		kept[h.Name] = tmp
	}
	for _, l := range layers {
		if kept[l.Path] == "" {
			continue
		}
		in, err := os.Open(kept[l.Path])
		if err != nil {
			return err
		}
		err = unpackLayer(in, root)
		in.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// frameText words a broken stream as the real decoder does.
func frameText(err error) error {
	if errors.Is(err, zstd.ErrMagicMismatch) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, tar.ErrHeader) {
		return failf("Unknown frame descriptor")
	}
	return err
}

func writeTo(name string, r io.Reader) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, r); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// unpackLayer lays one layer over root: OCI whiteouts remove what lies below.
// os.Root keeps every entry inside.
func unpackLayer(in io.Reader, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	tr := tar.NewReader(in)
	for {
		h, err := tr.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path.Clean("/"+h.Name), "/")
		if name == "" {
			continue
		}
		if err := unpackEntry(root, name, h, tr); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
}

func unpackEntry(root *os.Root, name string, h *tar.Header, in io.Reader) error {
	parent, base := path.Split(name)
	if parent != "" {
		if err := root.MkdirAll(strings.TrimSuffix(parent, "/"), 0o755); err != nil {
			return err
		}
	}
	if base == ".wh..wh..opq" {
		return nil
	}
	if gone, ok := strings.CutPrefix(base, ".wh."); ok {
		return root.RemoveAll(parent + gone)
	}
	if h.Typeflag != tar.TypeDir {
		if err := root.RemoveAll(name); err != nil {
			return err
		}
	}
	made, err := makeEntry(root, name, h, in)
	if err != nil || !made || h.Typeflag == tar.TypeLink {
		return err
	}
	if os.Geteuid() == 0 {
		if err := root.Lchown(name, h.Uid, h.Gid); err != nil {
			return err
		}
	}
	if h.Typeflag == tar.TypeSymlink {
		return nil
	}
	if err := root.Chmod(name, h.FileInfo().Mode()&(fs.ModePerm|fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky)); err != nil {
		return err
	}
	return root.Chtimes(name, h.ModTime, h.ModTime)
}

// makeEntry makes one entry; made is false for kinds that are left out.
func makeEntry(root *os.Root, name string, h *tar.Header, in io.Reader) (made bool, err error) {
	switch h.Typeflag {
	case tar.TypeDir:
		err = root.Mkdir(name, 0o755)
		if errors.Is(err, fs.ErrExist) {
			err = nil
		}
	case tar.TypeSymlink:
		err = root.Symlink(h.Linkname, name)
	case tar.TypeLink:
		err = root.Link(strings.TrimPrefix(path.Clean("/"+h.Linkname), "/"), name)
	case tar.TypeFifo:
		err = unix.Mkfifo(filepath.Join(root.Name(), name), 0o600)
	case tar.TypeReg:
		var f *os.File
		if f, err = root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); err != nil {
			return false, err
		}
		_, err = io.Copy(f, in)
		err = errors.Join(err, f.Close())
	default: // devices: the guest gets its own
		return false, nil
	}
	return true, err
}
