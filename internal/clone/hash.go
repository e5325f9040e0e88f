package clone

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// Entry describes one name in a folder.
type Entry struct {
	Path    string      `json:"path"` // relative, slashes; "." is the folder itself
	Mode    fs.FileMode `json:"mode"`
	Size    int64       `json:"size"`             // regular files; else 0
	Target  string      `json:"target,omitempty"` // symbolic links
	ModTime time.Time   `json:"mtime,omitzero"`   // UTC
}

// Listing is a folder's entries, sorted by path.
type Listing []Entry

// Change is a difference that [Compare] found.
type Change struct {
	Path string
	What string // "added", "missing", "type", "mode", "size", "target", "time"
}

func (c Change) String() string { return fmt.Sprintf("%q: %s", c.Path, c.What) }

// Manifest lists all that is in the folder dir without reading contents. Links
// are listed, not followed; dir itself may be one.
func Manifest(ctx context.Context, dir string) (Listing, error) {
	dir, err := folder("list", dir)
	if err != nil {
		return nil, err
	}
	var out Listing
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		e, err := entry(dir, path, d)
		if err != nil {
			return err
		}
		out = append(out, e)
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(out, func(a, b Entry) int { return cmp.Compare(a.Path, b.Path) })
	return out, nil
}

// folder returns where a folder really lies.
func folder(op, dir string) (string, error) {
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", err
	}
	info, err := os.Lstat(dir)
	if err == nil && !info.IsDir() {
		err = &fs.PathError{Op: op, Path: dir, Err: errors.New("not a folder")}
	}
	return dir, err
}

func entry(dir, path string, d fs.DirEntry) (Entry, error) {
	rel, err := filepath.Rel(dir, path)
	if err != nil {
		return Entry{}, err
	}
	info, err := d.Info()
	if err != nil {
		return Entry{}, err
	}
	e := Entry{Path: filepath.ToSlash(rel), Mode: info.Mode(), ModTime: info.ModTime().UTC()}
	switch {
	case info.Mode().IsRegular():
		e.Size = info.Size()
	case info.Mode()&fs.ModeSymlink != 0:
		if e.Target, err = os.Readlink(path); err != nil {
			return Entry{}, err
		}
	}
	return e, nil
}

// Compare returns what differs between two listings of the same folder, one
// change per path, sorted by path; nothing when they agree.
func Compare(want, got Listing) []Change {
	var out []Change
	for i, j := 0, 0; i < len(want) || j < len(got); {
		switch {
		case j == len(got) || (i < len(want) && want[i].Path < got[j].Path):
			out = append(out, Change{want[i].Path, "missing"})
			i++
		case i == len(want) || got[j].Path < want[i].Path:
			out = append(out, Change{got[j].Path, "added"})
			j++
		default:
			if what := differs(want[i], got[j]); what != "" {
				out = append(out, Change{want[i].Path, what})
			}
			i++
			j++
		}
	}
	return out
}

func differs(a, b Entry) string {
	switch {
	case a.Mode.Type() != b.Mode.Type():
		return "type"
	case a.Mode != b.Mode:
		return "mode"
	case a.Size != b.Size:
		return "size"
	case a.Target != b.Target:
		return "target"
	case !a.ModTime.Equal(b.ModTime):
		return "time"
	}
	return ""
}

// Hash returns the SHA-256, in hexadecimal, of all that is in dir: names,
// types and modes, sizes, link targets and contents. Owners, times and hard
// links do not count, nor does the mode of dir itself. Links are not followed,
// but dir itself may be one.
func Hash(ctx context.Context, dir string) (string, error) {
	list, err := Manifest(ctx, dir)
	if err != nil {
		return "", err
	}
	sums := make([][sha256.Size]byte, len(list))
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for i, e := range list {
		if !e.Mode.IsRegular() {
			continue
		}
		group.Go(func() (err error) {
			sums[i], err = hashFile(gctx, filepath.Join(dir, filepath.FromSlash(e.Path)))
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return "", err
	}
	h := sha256.New()
	put(h, "bottlebar tree 1")
	for i, e := range list {
		if e.Path == "." {
			continue
		}
		put(h, e.Path)
		number(h, uint64(e.Mode))
		number(h, uint64(e.Size))
		put(h, e.Target)
		h.Write(sums[i][:])
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// put writes s behind its length, so that no two lists of strings read alike.
func put(h hash.Hash, s string) {
	number(h, uint64(len(s)))
	h.Write([]byte(s))
}

func number(h hash.Hash, n uint64) {
	h.Write(binary.LittleEndian.AppendUint64(nil, n))
}

func hashFile(ctx context.Context, path string) (sum [sha256.Size]byte, err error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return sum, err
	}
	defer f.Close()
	h := sha256.New()
	for {
		if err := ctx.Err(); err != nil {
			return sum, err
		}
		if _, err := io.CopyN(h, f, copyStep); errors.Is(err, io.EOF) {
			return [sha256.Size]byte(h.Sum(nil)), nil
		} else if err != nil {
			return sum, err
		}
	}
}
