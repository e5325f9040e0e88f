package clone

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

var then = time.Date(2021, 5, 4, 3, 2, 1, 123456789, time.UTC)

// sampleTree makes a folder with one of everything.
func sampleTree(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "src")
	file := func(name, text string, mode fs.FileMode) {
		t.Helper()
		p := filepath.Join(dir, name)
		do(t, os.MkdirAll(filepath.Dir(p), 0o755))
		do(t, os.WriteFile(p, []byte(text), 0o600))
		do(t, os.Chmod(p, mode))
		do(t, os.Chtimes(p, then, then))
	}
	file("plain", "hello", 0o644)
	file("empty", "", 0o600)
	file("bin/setuid", "x", 0o755|fs.ModeSetuid)
	file("read only/inner", "locked", 0o400)
	file("-rf", "option", 0o600)
	file("new\nline", "odd", 0o600)
	do(t, os.Link(filepath.Join(dir, "plain"), filepath.Join(dir, "bin/hard")))
	do(t, os.Symlink("../plain", filepath.Join(dir, "bin/soft")))
	do(t, os.Symlink("/no/such/target", filepath.Join(dir, "dangling")))
	do(t, os.Symlink("loop", filepath.Join(dir, "loop")))
	do(t, os.Mkdir(filepath.Join(dir, "hollow"), 0o700))
	do(t, syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600))
	for _, d := range []string{"bin", "hollow", "read only", "."} {
		do(t, os.Chtimes(filepath.Join(dir, d), then, then))
	}
	do(t, os.Chmod(filepath.Join(dir, "read only"), 0o500))
	t.Cleanup(func() { _ = os.Chmod(filepath.Join(dir, "read only"), 0o700) })
	return dir
}

func do(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestTreeIsTheSameTree(t *testing.T) {
	src := sampleTree(t)
	sock, err := net.Listen("unix", filepath.Join(src, "sock"))
	do(t, err)
	defer sock.Close()
	dst := filepath.Join(t.TempDir(), "dst")
	t.Cleanup(func() { _ = os.Chmod(filepath.Join(dst, "read only"), 0o700) })
	st, err := Tree(t.Context(), dst, src)
	do(t, err)
	if st.Files != 7 || st.Links != 3 || st.Dirs != 3 || st.Skipped != 1 {
		t.Errorf("%+v", st)
	}
	want, err := Manifest(t.Context(), src)
	do(t, err)
	got, err := Manifest(t.Context(), dst)
	do(t, err)
	for _, c := range Compare(want, got) {
		// The socket is left out; making it changed its folder's time, and so
		// do the links that have no time of their own set above.
		if c != (Change{"sock", "missing"}) {
			t.Error(c)
		}
	}
	a, err1 := os.Stat(filepath.Join(dst, "plain"))
	b, err2 := os.Stat(filepath.Join(dst, "bin/hard"))
	if err1 != nil || err2 != nil || !os.SameFile(a, b) {
		t.Errorf("the hard link is a file of its own: %v, %v", err1, err2)
	}
	if data, err := os.ReadFile(filepath.Join(dst, "plain")); err != nil || string(data) != "hello" {
		t.Errorf("%q, %v", data, err)
	}
}

func TestTreeRefusesWhatIsThere(t *testing.T) {
	src := sampleTree(t)
	dst := t.TempDir()
	do(t, os.WriteFile(filepath.Join(dst, "mine"), nil, 0o600))
	if _, err := Tree(t.Context(), dst, src); !errors.Is(err, fs.ErrExist) {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dst, "mine")); err != nil {
		t.Error("what was there is gone")
	}
	if _, err := Tree(t.Context(), filepath.Join(src, "inside"), src); err == nil {
		t.Error("a copy into itself passed")
	}
	if _, err := Tree(t.Context(), filepath.Join(dst, "x"), filepath.Join(src, "plain")); err == nil {
		t.Error("a file passed for a folder")
	}
}

func TestTreeThatIsCutShortLeavesNothing(t *testing.T) {
	src := sampleTree(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dst := filepath.Join(t.TempDir(), "dst")
	if _, err := Tree(ctx, dst, src); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := os.Lstat(dst); err == nil {
		t.Error("half a tree is left")
	}
}

func TestFileKeepsHoles(t *testing.T) {
	dir := t.TempDir()
	src := filepath.Join(dir, "src")
	f, err := os.Create(src)
	do(t, err)
	const size = 64 << 20
	do(t, f.Truncate(size))
	for _, at := range []int64{0, 20 << 20, size - 5} {
		_, err := f.WriteAt([]byte("data!"), at)
		do(t, err)
	}
	do(t, f.Close())
	for _, try := range []bool{true, false} {
		dst := filepath.Join(dir, "dst")
		_, err := file(t.Context(), dst, src, try)
		do(t, err)
		if blocks(t, dst) > 2*blocks(t, src)+64 {
			t.Errorf("%d blocks became %d", blocks(t, src), blocks(t, dst))
		}
		a, err1 := os.ReadFile(src)
		b, err2 := os.ReadFile(dst)
		if err1 != nil || err2 != nil || !bytes.Equal(a, b) {
			t.Errorf("other contents: %v, %v", err1, err2)
		}
		do(t, os.Remove(dst))
	}
}

func blocks(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	do(t, err)
	return info.Sys().(*syscall.Stat_t).Blocks
}

func TestFileFollowsALinkAndOverwritesNothing(t *testing.T) {
	src := sampleTree(t)
	dir := t.TempDir()
	dst := filepath.Join(dir, "dst")
	if _, err := File(dst, filepath.Join(src, "bin/soft")); err != nil {
		t.Error(err)
	}
	info, err := os.Lstat(dst)
	if err != nil || info.Mode() != 0o644 || !info.ModTime().Equal(then) {
		t.Errorf("%v, %v", info, err)
	}
	if _, err := File(dst, filepath.Join(src, "empty")); !errors.Is(err, fs.ErrExist) {
		t.Error(err)
	}
	if data, err := os.ReadFile(dst); err != nil || string(data) != "hello" {
		t.Errorf("%q, %v", data, err)
	}
	for _, name := range []string{"fifo", "bin", "dangling", "loop", "none"} {
		other := filepath.Join(dir, "other")
		if _, err := File(other, filepath.Join(src, name)); err == nil {
			t.Errorf("%s passed", name)
		}
		if _, err := os.Lstat(other); err == nil {
			t.Errorf("%s left a file", name)
		}
	}
}

func TestSupportedAgreesWithFile(t *testing.T) {
	dir := t.TempDir()
	want, err := Supported(dir)
	do(t, err)
	src := filepath.Join(dir, "src")
	do(t, os.WriteFile(src, bytes.Repeat([]byte("x"), 8192), 0o600))
	got, err := File(filepath.Join(dir, "dst"), src)
	if err != nil || got != want {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
	if names, _ := os.ReadDir(dir); len(names) != 2 {
		t.Errorf("left behind: %v", names)
	}
}

func TestHashSeesEachChangeAndNothingElse(t *testing.T) {
	src := sampleTree(t)
	hash := func(dir string) string {
		t.Helper()
		h, err := Hash(t.Context(), dir)
		do(t, err)
		return h
	}
	base := hash(src)
	dst := filepath.Join(t.TempDir(), "dst")
	_, err := Tree(t.Context(), dst, src)
	do(t, err)
	t.Cleanup(func() { _ = os.Chmod(filepath.Join(dst, "read only"), 0o700) })
	if hash(dst) != base {
		t.Error("a copy has another hash")
	}
	do(t, os.Chtimes(filepath.Join(dst, "plain"), time.Now(), time.Now()))
	if hash(dst) != base {
		t.Error("times count")
	}
	at := func(name string) string { return filepath.Join(dst, name) }
	for name, change := range map[string]struct{ do, undo func() error }{
		"contents": {
			func() error { return os.WriteFile(at("plain"), []byte("hellO"), 0o644) },
			func() error { return os.WriteFile(at("plain"), []byte("hello"), 0o644) },
		},
		"mode":   {func() error { return os.Chmod(at("empty"), 0o700) }, func() error { return os.Chmod(at("empty"), 0o600) }},
		"name":   {func() error { return os.Rename(at("empty"), at("emptY")) }, func() error { return os.Rename(at("emptY"), at("empty")) }},
		"added":  {func() error { return os.WriteFile(at("more"), nil, 0o600) }, func() error { return os.Remove(at("more")) }},
		"folder": {func() error { return os.Remove(at("hollow")) }, func() error { return os.Mkdir(at("hollow"), 0o700) }},
		"target": {
			func() error { return errors.Join(os.Remove(at("dangling")), os.Symlink("/other", at("dangling"))) },
			func() error {
				return errors.Join(os.Remove(at("dangling")), os.Symlink("/no/such/target", at("dangling")))
			},
		},
		"kind": {
			func() error {
				return errors.Join(os.Remove(at("empty")), os.Symlink("", at("x")), os.Mkdir(at("empty"), 0o600))
			},
			func() error { return errors.Join(os.Remove(at("empty")), os.WriteFile(at("empty"), nil, 0o600)) },
		},
	} {
		if name == "kind" { // an empty link cannot be made
			change.do = func() error { return errors.Join(os.Remove(at("empty")), os.Mkdir(at("empty"), 0o600)) }
		}
		do(t, change.do())
		if hash(dst) == base {
			t.Errorf("%s does not count", name)
		}
		do(t, change.undo())
		if hash(dst) != base {
			t.Errorf("%s: not as before", name)
		}
	}
}

func TestHashFollowsNoLink(t *testing.T) {
	dir, outside := t.TempDir(), filepath.Join(t.TempDir(), "outside")
	do(t, os.WriteFile(outside, []byte("1"), 0o600))
	do(t, os.Symlink(outside, filepath.Join(dir, "link")))
	a, err := Hash(t.Context(), dir)
	do(t, err)
	do(t, os.WriteFile(outside, []byte("2"), 0o600))
	if b, err := Hash(t.Context(), dir); err != nil || a != b {
		t.Errorf("%s, %s, %v", a, b, err)
	}
	if _, err := Hash(t.Context(), outside); err == nil {
		t.Error("a file passed for a folder")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Hash(ctx, dir); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestHashTellsNamesFromContents(t *testing.T) {
	hashes := map[string]string{}
	for name, files := range map[string]map[string]string{
		"a": {"ab": "c"}, "b": {"a": "bc"}, "c": {"a": "", "b": "c"}, "d": {"a": "c", "b": ""}, "e": {},
	} {
		dir := t.TempDir()
		for f, text := range files {
			do(t, os.WriteFile(filepath.Join(dir, f), []byte(text), 0o600))
		}
		h, err := Hash(t.Context(), dir)
		do(t, err)
		if other, twice := hashes[h]; twice || len(h) != 64 {
			t.Errorf("%s and %s have the hash %s", name, other, h)
		}
		hashes[h] = name
	}
}

func TestCompareNamesEachDifference(t *testing.T) {
	e := func(path string, mode fs.FileMode, size int64, target string, at int64) Entry {
		return Entry{path, mode, size, target, time.Unix(at, 0)}
	}
	want := Listing{e("a", 0o600, 1, "", 1), e("b", 0o600, 1, "", 1), e("c", fs.ModeSymlink, 0, "x", 1), e("d", 0o600, 1, "", 1), e("f", 0o600, 1, "", 1), e("g", 0o600, 1, "", 1)}
	got := Listing{e("a", 0o600, 2, "", 2), e("b", 0o644, 1, "", 1), e("c", fs.ModeSymlink, 0, "y", 1), e("e", 0, 0, "", 0), e("f", fs.ModeDir, 0, "", 1), e("g", 0o600, 1, "", 2)}
	var text []string
	for _, c := range Compare(want, got) {
		text = append(text, c.String())
	}
	if got, want := strings.Join(text, ", "), `"a": size, "b": mode, "c": target, "d": missing, "e": added, "f": type, "g": time`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if c := Compare(want, want); len(c) != 0 {
		t.Errorf("%v", c)
	}
}

func TestCopyStopsWithItsContext(t *testing.T) {
	dir := t.TempDir()
	src, dst := filepath.Join(dir, "src"), filepath.Join(dir, "dst")
	do(t, os.WriteFile(src, bytes.Repeat([]byte("x"), 1<<20), 0o600))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := file(ctx, dst, src, false); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := os.Lstat(dst); err == nil {
		t.Error("half a file is left")
	}
}
