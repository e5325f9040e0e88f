package atomicfile

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestWriteMakesFoldersAndKeepsModes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a/b/c")
	if err := Write(path, []byte("one"), 0); err != nil {
		t.Fatal(err)
	}
	check(t, path, "one", FilePerm)
	if info, err := os.Stat(filepath.Dir(path)); err != nil || info.Mode().Perm() != DirPerm {
		t.Errorf("%v, %v", info, err)
	}
	if err := Write(path, []byte("two"), 0o644); err != nil {
		t.Fatal(err)
	}
	check(t, path, "two", 0o644)
	if names, _ := os.ReadDir(filepath.Dir(path)); len(names) != 1 {
		t.Errorf("left behind: %v", names)
	}
}

func TestWriteReplacesALinkAndNotItsTarget(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	if err := os.WriteFile(target, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	if err := Write(link, []byte("new"), 0); err != nil {
		t.Fatal(err)
	}
	check(t, target, "mine", 0o600)
	check(t, link, "new", FilePerm)
}

func TestWriteThatFailsChangesNothing(t *testing.T) {
	dir := t.TempDir()
	folder := filepath.Join(dir, "folder")
	if err := os.MkdirAll(filepath.Join(folder, "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Write(folder, []byte("x"), 0); err == nil {
		t.Error("a folder was replaced")
	}
	if err := Write(filepath.Join(dir, strings.Repeat("x", 256)), []byte("x"), 0); err == nil {
		t.Error("a name that is too long passed")
	}
	if names, _ := os.ReadDir(dir); len(names) != 1 {
		t.Errorf("left behind: %v", names)
	}
	if err := Write(filepath.Join(dir, strings.Repeat("x", 255)), []byte("x"), 0); err != nil {
		t.Errorf("the longest name: %v", err)
	}
}

func TestReadersSeeOldOrNew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	texts := []string{strings.Repeat("a", 1<<16), strings.Repeat("b", 1<<16)}
	if err := Write(path, []byte(texts[0]), 0); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for _, text := range texts {
		wg.Go(func() {
			for range 20 {
				if err := Write(path, []byte(text), 0); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 100 {
		if data, err := os.ReadFile(path); err != nil || (string(data) != texts[0] && string(data) != texts[1]) {
			t.Errorf("%d bytes, %v", len(data), err)
		}
	}
	wg.Wait()
}

func TestWriteJSONWritesNothingThatCannotBeRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f.json")
	if err := WriteJSON(path, map[string]int{"a": 1}); err != nil {
		t.Fatal(err)
	}
	if err := WriteJSON(path, func() {}); err == nil {
		t.Error("a function passed")
	}
	var got map[string]int
	data, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(data, &got) != nil || got["a"] != 1 {
		t.Errorf("%q, %v", data, err)
	}
}

func check(t *testing.T, path, want string, perm os.FileMode) {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil || info.Mode() != perm {
		t.Errorf("%s: %v, %v", path, info, err)
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != want {
		t.Errorf("%s: %q, %v", path, data, err)
	}
}
