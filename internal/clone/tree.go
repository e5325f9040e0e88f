package clone

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// workers bounds how many files are duplicated or hashed side by side: enough
// to hide latency, few enough to leave the machine to the person.
const workers = 4

// Stats says what [Tree] made.
type Stats struct {
	Cloned  bool // every file with contents shares its blocks with the source
	Files   int  // regular files, hard links included
	Dirs    int
	Links   int   // symbolic links
	Skipped int   // sockets
	Bytes   int64 // logical size of the regular files
}

// Tree duplicates the folder src as dst, which must not exist: modes, times,
// extended attributes, symbolic links, hard links among its files, and owners
// where we may set them. Sockets are left out, since they belong to whoever
// listens. It ends early with ctx's error. After an error dst is gone again.
func Tree(ctx context.Context, dst, src string) (Stats, error) {
	src, err := folder("clone", src)
	if err != nil {
		return Stats{}, err
	}
	info, err := os.Lstat(src)
	if err != nil {
		return Stats{}, err
	}
	if inside(dst, src) {
		return Stats{}, &fs.PathError{Op: "clone", Path: dst, Err: errors.New("lies inside its source")}
	}
	if err := os.Mkdir(dst, 0o700); err != nil {
		return Stats{}, err
	}
	t := &tree{dst: dst, src: src, first: map[inode]string{}}
	if err := t.run(ctx, info); err != nil {
		// Folders are still writable: their modes are set last.
		return Stats{}, errors.Join(err, os.RemoveAll(dst))
	}
	t.stats.Cloned = t.copied.Load() == 0
	return t.stats, nil
}

type inode struct{ dev, ino uint64 }

type pending struct {
	path string // relative
	info fs.FileInfo
}

type tree struct {
	dst, src string
	stats    Stats
	first    map[inode]string // relative path of the first name of an inode
	dirs     []pending
	hard     [][2]string // first name, further name
	copied   atomic.Int64
}

func (t *tree) run(ctx context.Context, root fs.FileInfo) error {
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	walkErr := filepath.WalkDir(t.src, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := gctx.Err(); err != nil {
			return err
		}
		rel, err := filepath.Rel(t.src, path)
		if err != nil {
			return err
		}
		if rel == "." {
			t.dirs = append(t.dirs, pending{rel, root})
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return t.add(gctx, group, rel, info)
	})
	// The error of a worker is the cause; the walk only saw its context end.
	if err := group.Wait(); err != nil {
		return err
	}
	if walkErr != nil {
		return walkErr
	}
	for _, h := range t.hard {
		if err := os.Link(filepath.Join(t.dst, h[0]), filepath.Join(t.dst, h[1])); err != nil {
			return err
		}
	}
	for _, d := range slices.Backward(t.dirs) {
		if err := keep(filepath.Join(t.dst, d.path), filepath.Join(t.src, d.path), d.info); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (t *tree) add(ctx context.Context, group *errgroup.Group, rel string, info fs.FileInfo) error {
	dst, src := filepath.Join(t.dst, rel), filepath.Join(t.src, rel)
	switch info.Mode().Type() {
	case fs.ModeDir:
		t.stats.Dirs++
		t.dirs = append(t.dirs, pending{rel, info})
		return os.Mkdir(dst, 0o700)
	case fs.ModeSymlink:
		t.stats.Links++
		target, err := os.Readlink(src)
		if err != nil {
			return err
		}
		if err := os.Symlink(target, dst); err != nil {
			return err
		}
		return keep(dst, src, info)
	case fs.ModeSocket:
		t.stats.Skipped++
		return nil
	case 0:
		t.stats.Files++
		t.stats.Bytes += info.Size()
		if first, again := t.seen(rel, info); again {
			t.hard = append(t.hard, [2]string{first, rel})
			return nil
		}
		group.Go(func() error { return t.file(ctx, dst, src, info.Size()) })
		return nil
	default:
		return special(dst, src, info)
	}
}

// file duplicates one file. Once a file could not be cloned the others are
// copied at once: the answer is the file system's, not the file's.
func (t *tree) file(ctx context.Context, dst, src string, size int64) error {
	cloned, err := file(ctx, dst, src, t.copied.Load() == 0)
	if err == nil && !cloned && size > 0 {
		t.copied.Add(1)
	}
	return err
}

func (t *tree) seen(rel string, info fs.FileInfo) (first string, again bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || st.Nlink < 2 {
		return "", false
	}
	key := inode{uint64(st.Dev), uint64(st.Ino)} //nolint:unconvert // Dev differs in type by platform
	if first, again = t.first[key]; !again {
		t.first[key] = rel
	}
	return first, again
}

// special makes a FIFO or a device node like src; a node needs root.
func special(dst, src string, info fs.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return &fs.PathError{Op: "clone", Path: src, Err: fmt.Errorf("unknown type %v", info.Mode())}
	}
	if err := unix.Mknod(dst, uint32(st.Mode), int(st.Rdev)); err != nil { //nolint:unconvert // both differ in type by platform
		return &fs.PathError{Op: "mknod", Path: dst, Err: err}
	}
	return keep(dst, src, info)
}

// inside tells whether path lies in dir, or is it, as far as names tell.
func inside(path, dir string) bool {
	p, err1 := filepath.Abs(path)
	d, err2 := filepath.Abs(dir)
	if err1 != nil || err2 != nil {
		return false
	}
	return p == d || strings.HasPrefix(p, strings.TrimSuffix(d, "/")+"/")
}
