package cache

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/gofrs/flock"
	"golang.org/x/sys/unix"

	"bottlebar.app/internal/atomicfile"
	"bottlebar.app/internal/clone"
	"bottlebar.app/smolvm/artifact"
)

// Phase is what an addition is doing.
type Phase string

// The phases, in order.
const (
	Packing   Phase = "packing" // smolvm makes the file; no numbers
	Copying   Phase = "copying"
	Verifying Phase = "verifying"
)

// Progress is how far an addition came.
type Progress struct {
	Phase       Phase
	Done, Total int64  // bytes; Total 0 when not known
	Line        string // packing: the tool's last line, cleaned
}

// AddOptions say how a file enters. The zero value will do.
type AddOptions struct {
	Name     string // empty: from the file's name, with -2 … when taken
	Platform string // of this computer, "linux/arm64"; empty: the one this program was built for
	Origin   string // where it came from, as people are shown it; empty: the path
	Progress func(Progress)

	// Source and Settings are noted with the artifact. A source in a registry,
	// and one without digest, get the digest that the packed file names.
	Source   Source
	Settings Settings
}

func (o *AddOptions) tell(p Progress) {
	if o.Progress != nil {
		o.Progress(p)
	}
}

func (o *AddOptions) arch() string {
	if o.Platform == "" {
		return runtime.GOARCH
	}
	return artifact.Arch(o.Platform)
}

// Add copies the artifact at path into the library. When the same bytes are
// there already it returns that artifact and a [*DuplicateError], which tells
// and is no failure. After any other error nothing is left behind.
//
// What is verified is the library's own copy: the original may change, or be
// changed, at any time.
func (l *Library) Add(ctx context.Context, path string, o AddOptions) (Artifact, error) {
	a, err := l.add(ctx, path, o)
	if err == nil || errors.Is(err, ErrDuplicate) {
		return a, err
	}
	return Artifact{}, failed("adding "+quote(filepath.Base(path)), artifact.Named(err, path))
}

func (l *Library) add(ctx context.Context, path string, o AddOptions) (Artifact, error) {
	if err := ctx.Err(); err != nil {
		return Artifact{}, err
	}
	if err := l.nameFree(o.Name); err != nil {
		return Artifact{}, err
	}
	src, size, err := artifact.OpenFile(path)
	if err != nil {
		return Artifact{}, err
	}
	defer src.Close()
	// A look at the original, so that what cannot be taken is not copied first.
	if err := look(src, size, o.arch()); err != nil {
		return Artifact{}, err
	}
	ws, err := l.workspace(ctx)
	if err != nil {
		return Artifact{}, err
	}
	defer ws.close()
	file := filepath.Join(ws.dir, "file")
	if err := l.fetch(ctx, file, path, src, size, &o); err != nil {
		return Artifact{}, err
	}
	sum, mtime, err := checkCopy(ctx, file, &o)
	if err != nil {
		return Artifact{}, err
	}
	a := Artifact{ID: sum.SHA256, Name: o.Name, Added: l.now(), Origin: artifact.Clean(o.Origin)}
	if o.Origin == "" {
		a.Origin = artifact.Clean(path)
	}
	a.passed(sum, mtime, l.now())
	a.Source, a.Settings = o.Source, o.Settings
	if a.Source.Kind == FromRegistry || a.Source.Kind != "" && a.Source.Digest == "" {
		a.Source.Digest = a.Digest // a tag may have moved since somebody looked
	}
	return l.enter(ctx, a, file, nameOfFile(path))
}

// CheckName says whether an artifact could get that name now; empty is fine.
func (l *Library) CheckName(name string) error {
	if err := l.nameFree(name); err != nil {
		return failed("naming an artifact", err)
	}
	return nil
}

// nameFree says early what enter would say late.
func (l *Library) nameFree(name string) error {
	if name == "" {
		return nil
	}
	if !legalName(name) {
		return &NameError{Name: name}
	}
	list, err := l.current()
	if err != nil {
		return err
	}
	if slices.ContainsFunc(list, func(a Artifact) bool { return a.Name == name }) {
		return &NameError{Name: name, Taken: true}
	}
	return nil
}

func look(r io.ReaderAt, size int64, arch string) error {
	f, err := artifact.Read(r, size)
	if err != nil {
		return err
	}
	if err := f.Strict(); err != nil {
		return err
	}
	return artifact.CheckPlatform(&f.Manifest, arch)
}

// workspace is a folder for one file on its way in. Its lock tells other
// processes that somebody is still at it.
type workspace struct {
	dir  string
	lock *flock.Flock
}

func (l *Library) workspace(ctx context.Context) (*workspace, error) {
	var ws *workspace
	// Under the lock, so that no sweep meets a folder whose lock is not held yet.
	err := l.locked(ctx, func() error {
		dir, err := os.MkdirTemp(filepath.Join(l.dir, tmpName), "add-")
		if err != nil {
			return err
		}
		ws = &workspace{dir, flock.New(filepath.Join(dir, lockName))}
		if ok, err := ws.lock.TryLock(); err != nil || !ok {
			ws.close()
			return errors.Join(errors.New("a new folder is in use"), err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return ws, nil
}

func (w *workspace) close() {
	_ = os.RemoveAll(w.dir)
	_ = w.lock.Close()
}

// sweep clears what additions left that ended without a word. Under the lock.
func (l *Library) sweep() {
	entries, err := os.ReadDir(filepath.Join(l.dir, tmpName))
	if err != nil {
		return
	}
	for _, e := range entries {
		dir := filepath.Join(l.dir, tmpName, e.Name())
		lock := flock.New(filepath.Join(dir, lockName))
		if _, err := os.Lstat(lock.Path()); err == nil {
			if ok, err := lock.TryLock(); err == nil && !ok {
				continue
			}
		}
		_ = os.RemoveAll(dir)
		_ = lock.Close()
	}
}

// reserve is what an addition leaves free for everybody else, in bytes.
const reserve = 64 << 20

// fetch brings the contents of src, which was opened as path, to file.
func (l *Library) fetch(ctx context.Context, file, path string, src *os.File, size int64, o *AddOptions) error {
	o.tell(Progress{Phase: Copying, Total: size})
	if l.clones() && sameDevice(src, l.dir) {
		if _, err := clone.File(file, path); err != nil {
			return err
		}
		// A clone keeps its original's owner where it may.
		_ = os.Chown(file, os.Geteuid(), os.Getegid())
		o.tell(Progress{Phase: Copying, Done: size, Total: size})
		return nil
	}
	if free, err := l.free(l.dir); err == nil && free < size+reserve {
		return &SpaceError{Need: size, Free: free}
	}
	return l.copy(ctx, file, src, size, o)
}

func sameDevice(f *os.File, dir string) bool {
	a, err1 := f.Stat()
	b, err2 := os.Stat(dir)
	if err1 != nil || err2 != nil {
		return false
	}
	x, ok1 := a.Sys().(*syscall.Stat_t)
	y, ok2 := b.Sys().(*syscall.Stat_t)
	return ok1 && ok2 && x.Dev == y.Dev
}

// FreeSpace is what the disk of a folder has left for this user, in bytes.
func FreeSpace(dir string) (int64, error) { return freeSpace(dir) }

func freeSpace(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return int64(min(st.Bavail, 1<<50/uint64(st.Bsize))) * int64(st.Bsize), nil
}

// copyStep is how much is copied between two looks at the context.
const copyStep = 4 << 20

func copyFile(ctx context.Context, file string, src *os.File, size int64, o *AddOptions) error {
	out, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, atomicfile.FilePerm)
	if err != nil {
		return err
	}
	told := time.Time{}
	for done := int64(0); done < size; {
		if err := ctx.Err(); err != nil {
			return errors.Join(err, out.Close())
		}
		// Between files this is the kernel's own copying where it has one.
		n, err := io.CopyN(out, src, min(copyStep, size-done))
		if errors.Is(err, io.EOF) {
			break // it became shorter: what we have is verified as it is
		}
		if err != nil {
			return errors.Join(err, out.Close())
		}
		done += n
		if now := time.Now(); now.Sub(told) > 100*time.Millisecond || done == size {
			told = now
			o.tell(Progress{Phase: Copying, Done: done, Total: size})
		}
	}
	return out.Close()
}

// checkCopy verifies the library's copy and makes it last and unwritable.
func checkCopy(ctx context.Context, file string, o *AddOptions) (artifact.Summary, time.Time, error) {
	none := time.Time{}
	f, size, err := artifact.OpenFile(file)
	if err != nil {
		return artifact.Summary{}, none, err
	}
	defer f.Close()
	sum, err := artifact.Verify(ctx, f, size, func(done, total int64) {
		o.tell(Progress{Phase: Verifying, Done: done, Total: total})
	})
	if err == nil {
		err = artifact.CheckPlatform(&sum.File.Manifest, o.arch())
	}
	if err == nil {
		err = f.Chmod(0o400)
	}
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		return artifact.Summary{}, none, err
	}
	info, err := f.Stat()
	if err != nil {
		return artifact.Summary{}, none, err
	}
	return sum, info.ModTime(), nil
}

// enter makes the verified file an artifact of the library.
func (l *Library) enter(ctx context.Context, a Artifact, file, wish string) (Artifact, error) {
	fresh := false
	err := l.change(ctx, func(list []Artifact) ([]Artifact, []string, error) {
		if i := slices.IndexFunc(list, func(b Artifact) bool { return b.ID == a.ID }); i >= 0 {
			if err := l.heal(&list[i], &a, file); err != nil {
				return nil, nil, err
			}
			return list, []string{a.ID}, nil
		}
		for i := range list {
			if list[i].CRC == a.CRC {
				return nil, nil, &ChecksumError{Name: list[i].Name}
			}
		}
		taken := func(s string) bool {
			return slices.ContainsFunc(list, func(b Artifact) bool { return b.Name == s })
		}
		if a.Name == "" {
			a.Name = freeName(wish, taken)
		} else if taken(a.Name) {
			return nil, nil, &NameError{Name: a.Name, Taken: true}
		}
		fresh = true
		if err := l.place(file, a.ID); err != nil {
			return nil, nil, err
		}
		return append(list, a), []string{a.ID}, nil
	})
	if err != nil && fresh { // the disk may be full: not half an artifact
		l.withdraw(a.ID)
	}
	return a, err
}

// heal puts the verified file in the place of a damaged or missing one with
// the same ID; a sound one is a duplicate. On return a is what the library has.
func (l *Library) heal(old, a *Artifact, file string) error {
	info, err := os.Lstat(l.file(old.ID))
	if err == nil && info.Mode().IsRegular() && info.Size() == a.Size && old.trusted() {
		*a = *old
		return &DuplicateError{Name: old.Name}
	}
	if err := l.place(file, a.ID); err != nil {
		return err
	}
	fresh := *a
	fresh.Name, fresh.Added, fresh.LastUsed, fresh.Pinned, fresh.Settings = old.Name, old.Added, old.LastUsed, old.Pinned, old.Settings
	if fresh.Source.Kind == "" {
		fresh.Source = old.Source // the same bytes
	}
	*old, *a = fresh, fresh
	return nil
}

func (l *Library) place(file, id string) error {
	if err := os.Rename(file, l.file(id)); err != nil {
		return err
	}
	return atomicfile.SyncDir(l.dir)
}

// withdraw takes out again what could not be recorded. When that fails too,
// the next change or opening puts record and file in line.
func (l *Library) withdraw(id string) {
	_ = l.locked(context.Background(), func() error {
		return errors.Join(l.erase(id), l.repair())
	})
}
