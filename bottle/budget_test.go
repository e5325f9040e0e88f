package bottle

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// nested makes folders of a name within each other, also where no path could say
// it, and returns the innermost.
func nested(t *testing.T, dir, name string, depth int) int {
	t.Helper()
	at, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	for i := 0; i < depth && err == nil; i++ {
		var in int
		if err = unix.Mkdirat(at, name, 0o700); err == nil {
			in, err = unix.Openat(at, name, unix.O_RDONLY|unix.O_DIRECTORY, 0)
			_ = unix.Close(at)
			at = in
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(at) })
	return at
}

func TestAFolderThatAGuestFillsIsSummedUpWhateverItIsFilledWith(t *testing.T) {
	const limit = 1 << 20
	for what, fill := range map[string]func(dir string){
		"a file":      func(dir string) { write(t, filepath.Join(dir, "a/b/file"), limit+1) },
		"small files": func(dir string) { many(t, dir, 300) },
		"a file below a path that is too long": func(dir string) {
			in := nested(t, dir, strings.Repeat("d", 200), 25)
			fd, err := unix.Openat(in, "file", unix.O_CREAT|unix.O_WRONLY, 0o600)
			if err == nil {
				err = errors.Join(unix.Ftruncate(fd, 64*limit), unix.Close(fd))
			}
			if err != nil {
				t.Fatal(err)
			}
		},
		"folders within each other": func(dir string) { nested(t, dir, "d", deepest+10) },
	} {
		dir := t.TempDir()
		fill(dir)
		if n, err := grown(dir, limit); n <= limit && !errors.Is(err, errHidden) {
			t.Errorf("%s: %d bytes, %v", what, n, err)
		}
		if err := removeAll(dir); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	calm := t.TempDir()
	write(t, filepath.Join(calm, "a/b/file"), limit/2)
	outside := t.TempDir()
	write(t, filepath.Join(outside, "file"), 2*limit)
	if err := errors.Join(os.Symlink(outside, filepath.Join(calm, "link")), os.Symlink(calm, filepath.Join(calm, "a/itself"))); err != nil {
		t.Fatal(err)
	}
	if n, err := grown(calm, limit); n < limit/2 || n > limit || err != nil {
		t.Errorf("within its budget: %d bytes, %v", n, err)
	}
	if n, err := grown(filepath.Join(calm, "gone"), limit); n != 0 || err != nil {
		t.Errorf("one that is not there: %d bytes, %v", n, err)
	}
}

func write(t *testing.T, path string, size int64) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err == nil {
		err = errors.Join(f.Truncate(size), f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

func many(t *testing.T, dir string, n int) {
	t.Helper()
	for i := range n {
		write(t, filepath.Join(dir, fmt.Sprintf("%d/empty", i)), 0)
	}
}

// Not side by side with others: it lowers how many files may be open.
func TestAFolderIsRemovedHoweverDeepItIs(t *testing.T) {
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	low := was
	low.Cur = min(low.Cur, 512)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Setrlimit(unix.RLIMIT_NOFILE, &was) })
	parent := t.TempDir()
	outside := filepath.Join(parent, "outside")
	write(t, filepath.Join(outside, "file"), 1)
	dir := filepath.Join(parent, "bottle")
	write(t, filepath.Join(dir, "root/a/file"), 1)
	write(t, filepath.Join(dir, "root/closed/file"), 1)
	if err := errors.Join(
		os.Symlink(outside, filepath.Join(dir, "root/link")), os.Symlink(outside, filepath.Join(dir, "root/a/link")),
		os.Chmod(filepath.Join(dir, "root/closed"), 0), os.Chtimes(outside, time.Time{}, time.Unix(1, 0)),
	); err != nil {
		t.Fatal(err)
	}
	nested(t, filepath.Join(dir, "root/a"), "d", 700)
	if err := removeAll(dir); err != nil {
		t.Fatalf("%.200v", err)
	}
	if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
	if fi, err := os.Stat(outside); err != nil || !fi.ModTime().Equal(time.Unix(1, 0)) {
		t.Errorf("what a link led to was touched: %v", err)
	}
	if err := removeAll(dir); err != nil {
		t.Errorf("removing it again: %v", err)
	}
}
