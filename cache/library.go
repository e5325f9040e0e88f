package cache

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"bottlebar.app/internal/atomicfile"
	"bottlebar.app/internal/clone"
	"bottlebar.app/internal/fault"
	"bottlebar.app/smolvm/artifact"
)

// What lies in a library's folder, beside <id>.smolmachine (an artifact) and
// <id>.json (its record).
const (
	indexName   = "index.json" // all records, for speed
	pendingName = "pending"    // records are being changed: do not believe the index
	lockName    = "lock"       // held while anything changes
	tmpName     = "tmp"        // one folder for each file on its way in
	watchName   = "watch"      // a folder with one file that changes with the index
	recordExt   = ".json"
)

// lockWait bounds how long a change waits for others; each takes milliseconds.
const lockWait = 30 * time.Second

// Library is the artifacts in one folder. Its methods may be called from
// several goroutines, and several processes may have the same folder open.
type Library struct {
	dir    string
	now    func() time.Time
	clones func() bool // files in dir can share blocks
	free   func(dir string) (int64, error)
	copy   func(ctx context.Context, file string, src *os.File, size int64, o *AddOptions) error

	mu    sync.Mutex
	list  []Artifact // as the index had it when it looked like stamp
	stamp stamp
}

// stamp tells one written index from another.
type stamp struct {
	mtime time.Time
	size  int64
	file  fs.FileInfo
}

func (s stamp) same(o stamp) bool {
	return s.file != nil && o.file != nil && os.SameFile(s.file, o.file) && s.size == o.size && s.mtime.Equal(o.mtime)
}

// Open opens the library in dir and makes the folder if there is none (0700).
// dir belongs to the library alone. What crashed additions left is cleared,
// and the index brought in line with the files.
func Open(dir string) (*Library, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, failed("opening the library", err)
	}
	for _, name := range []string{tmpName, watchName} {
		if err := os.MkdirAll(filepath.Join(dir, name), atomicfile.DirPerm); err != nil {
			return nil, failed("opening the library", err)
		}
	}
	l := &Library{dir: dir, now: func() time.Time { return time.Now().UTC() }, free: freeSpace, copy: copyFile}
	l.clones = sync.OnceValue(func() bool {
		ok, err := clone.Supported(filepath.Join(dir, tmpName))
		return ok && err == nil
	})
	err = l.locked(context.Background(), func() error {
		l.sweep()
		list, err := l.load()
		if err != nil {
			return err
		}
		if l.matches(list) {
			return nil
		}
		return l.repair()
	})
	if err != nil {
		return nil, failed("opening the library", err)
	}
	return l, nil
}

// Dir returns the library's folder.
func (l *Library) Dir() string { return l.dir }

// Path returns where the artifact's file lies.
func (l *Library) Path(a Artifact) string { return l.file(a.ID) }

func (l *Library) file(id string) string { return filepath.Join(l.dir, id+suffix) }

func (l *Library) record(id string) string { return filepath.Join(l.dir, id+recordExt) }

// locked runs f while nobody else changes the library.
func (l *Library) locked(ctx context.Context, f func() error) (err error) {
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	// A lock of its own for each call, so that goroutines exclude each other too.
	k := flock.New(filepath.Join(l.dir, lockName), flock.SetPermissions(atomicfile.FilePerm))
	if _, err := k.TryLockContext(ctx, 5*time.Millisecond); err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			return fault.New("", "another program has been changing the library for long", "end it, then try again")
		}
		return err
	}
	defer func() { err = errors.Join(err, k.Close()) }()
	return f()
}

// List returns all artifacts by name.
func (l *Library) List() ([]Artifact, error) {
	list, err := l.current()
	if err != nil {
		return nil, failed("reading the library", err)
	}
	return slices.Clone(list), nil
}

// current returns the list as the index has it. It is not to be changed.
func (l *Library) current() ([]Artifact, error) {
	if _, err := os.Lstat(filepath.Join(l.dir, pendingName)); err == nil {
		// Somebody is at work, or was when it ended: wait, then see.
		err := l.locked(context.Background(), func() error { _, err := l.load(); return err })
		if err != nil {
			return nil, err
		}
	}
	list, err := l.read()
	if err == nil {
		return list, nil
	}
	err = l.locked(context.Background(), func() (err error) {
		list, err = l.load()
		return err
	})
	return list, err
}

// read returns the index, from memory when it has not changed.
func (l *Library) read() ([]Artifact, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f, err := os.Open(filepath.Join(l.dir, indexName))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	now := stamp{info.ModTime(), info.Size(), info}
	if now.same(l.stamp) {
		return l.list, nil
	}
	var text strings.Builder // becomes a string without being copied
	text.Grow(int(info.Size()))
	if _, err := io.CopyBuffer(&text, struct{ io.Reader }{f}, make([]byte, 256<<10)); err != nil {
		return nil, err
	}
	list, err := decodeIndex(text.String())
	if err != nil {
		return nil, err
	}
	l.list, l.stamp = list, now
	return list, nil
}

// load is read under the lock: when the index cannot be believed it is made
// again first.
func (l *Library) load() ([]Artifact, error) {
	if _, err := os.Lstat(filepath.Join(l.dir, pendingName)); errors.Is(err, fs.ErrNotExist) {
		if list, err := l.read(); err == nil {
			return list, nil
		}
	}
	if err := l.repair(); err != nil {
		return nil, err
	}
	return l.read()
}

// matches says whether the index names the files that are there.
func (l *Library) matches(list []Artifact) bool {
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return false
	}
	files := make(map[string]int, 2*len(list))
	for _, e := range entries {
		if id, ok := strings.CutSuffix(e.Name(), suffix); ok && isID(id) {
			files[id] |= 1
		} else if id, ok := strings.CutSuffix(e.Name(), recordExt); ok && isID(id) {
			files[id] |= 2
		}
	}
	for i := range list {
		if files[list[i].ID] != 3 {
			return false
		}
		delete(files, list[i].ID)
	}
	return len(files) == 0
}

// isID says whether s is a SHA-256 in lower-case hex.
func isID(s string) bool { return len(s) == 64 && isHex(s) }

func isHex(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return (r < '0' || r > '9') && (r < 'a' || r > 'f') })
}

// repair makes the index from the records, and records from footers and
// manifests where they are missing: those artifacts wait for Verify. A record
// without a file goes. Under the lock.
func (l *Library) repair() error {
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return err
	}
	var list, made []Artifact
	for _, e := range entries {
		if id, ok := strings.CutSuffix(e.Name(), suffix); ok && isID(id) {
			a, err := l.readRecord(id)
			if err != nil {
				a = l.provisional(id)
				made = append(made, a)
			}
			list = append(list, a)
		} else if id, ok := strings.CutSuffix(e.Name(), recordExt); ok && isID(id) {
			if _, err := os.Lstat(l.file(id)); errors.Is(err, fs.ErrNotExist) {
				_ = os.Remove(l.record(id))
			}
		}
	}
	for _, a := range made { // those with a record keep their names
		i := slices.IndexFunc(list, func(b Artifact) bool { return b.ID == a.ID })
		list[i].Name = freeName(a.Name, func(s string) bool {
			return slices.ContainsFunc(list, func(b Artifact) bool { return b.Name == s && b.ID != a.ID })
		})
		if err := atomicfile.WriteJSON(l.record(a.ID), &list[i]); err != nil {
			return err
		}
	}
	return l.writeIndex(list)
}

var errRecord = errors.New("the record is damaged")

func (l *Library) readRecord(id string) (Artifact, error) {
	var a Artifact
	data, err := os.ReadFile(l.record(id))
	if err == nil {
		err = json.Unmarshal(data, &a)
	}
	if err == nil && (a.ID != id || !legalName(a.Name)) {
		err = errRecord
	}
	return a, err
}

// provisional makes a record of what footer and manifest say.
func (l *Library) provisional(id string) Artifact {
	a := Artifact{ID: id, Name: fallback, Added: l.now(), Problem: "its record was lost and it was not verified since"}
	if info, err := os.Stat(l.file(id)); err == nil {
		a.Added, a.Size = info.ModTime().UTC(), info.Size()
	}
	f, err := artifact.Open(l.file(id))
	if err != nil {
		a.Problem = fault.Of(err).Why
		return a
	}
	a.describe(f)
	if strings.ContainsFunc(a.Workdir, control) {
		a.Workdir = "" // Verify refuses the file; nobody is to see this meanwhile
	}
	a.Name = nameOfImage(f.Manifest.Image)
	return a
}

// writeIndex sorts list and makes it the index.
func (l *Library) writeIndex(list []Artifact) error {
	slices.SortFunc(list, func(a, b Artifact) int { return strings.Compare(a.Name, b.Name) })
	data, err := encodeIndex(list)
	if err != nil {
		return err
	}
	if err := atomicfile.Write(filepath.Join(l.dir, indexName), data, 0); err != nil {
		return err
	}
	err = ignoreMissing(os.Remove(filepath.Join(l.dir, pendingName)))
	l.signal()
	return err
}

// change runs f on the list while nobody else changes the library, then writes
// the records of the artifacts that f returns and the index. f gets a list of
// its own and returns it as it is to be.
func (l *Library) change(ctx context.Context, f func(list []Artifact) (after []Artifact, touched []string, err error)) error {
	return l.locked(ctx, func() error {
		list, err := l.load()
		if err != nil {
			return err
		}
		if err := atomicfile.Write(filepath.Join(l.dir, pendingName), nil, 0); err != nil {
			return err
		}
		after, touched, err := f(slices.Clone(list))
		if err != nil {
			if answers(err) { // nothing was touched, the index still holds
				_ = os.Remove(filepath.Join(l.dir, pendingName))
			}
			return err
		}
		for _, id := range touched {
			i := slices.IndexFunc(after, func(a Artifact) bool { return a.ID == id })
			if err := atomicfile.WriteJSON(l.record(id), &after[i]); err != nil {
				return err
			}
		}
		return l.writeIndex(after)
	})
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// edit changes one artifact.
func (l *Library) edit(ref string, f func(a *Artifact, list []Artifact) error) (Artifact, error) {
	var out Artifact
	err := l.change(context.Background(), func(list []Artifact) ([]Artifact, []string, error) {
		i, err := find(list, ref)
		if err != nil {
			return nil, nil, err
		}
		if err := f(&list[i], list); err != nil {
			return nil, nil, err
		}
		out = list[i]
		return list, []string{out.ID}, nil
	})
	return out, err
}
