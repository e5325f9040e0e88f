package transfer

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func TestQuarantineNamesFlagsTimeAndWhoFetchedIt(t *testing.T) {
	if got := string(quarantine(time.Unix(0x65a0b1c2, 0))); got != "0081;65a0b1c2;Bottlebar;" {
		t.Errorf("the value is %q", got)
	}
}

func TestStampReachesReadOnlyFilesAndFoldersButNoLinks(t *testing.T) {
	dir := t.TempDir()
	locked := filepath.Join(dir, "locked")
	if err := os.Mkdir(locked, 0o700); err != nil {
		t.Fatal(err)
	}
	held := filepath.Join(locked, "file")
	if err := os.WriteFile(held, []byte("x"), 0o400); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(locked, 0o500); err != nil { //nolint:gosec // a folder that cannot be written is the case
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(locked, 0o700) }) //nolint:gosec // so that it can be removed
	var seen []string
	err := stamp(dir, func(path string) error {
		fi, err := os.Lstat(path)
		if err != nil || fi.Mode().Perm()&0o200 == 0 {
			t.Errorf("%s cannot be written while it is marked: %v", path, err)
		}
		seen = append(seen, path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{dir, locked, held}; !slices.Equal(seen, want) {
		t.Errorf("marked %q, want %q", seen, want)
	}
	for path, want := range map[string]os.FileMode{held: 0o400, locked: 0o500} {
		if fi, err := os.Lstat(path); err != nil || fi.Mode().Perm() != want {
			t.Errorf("%s has other rights than before: %v, %v", path, fi.Mode(), err)
		}
	}
}

// TestHostFilesAreMarkedBeforeTheyStandAtTheirPlace also holds where marking
// does nothing: the hook has to be there and to come first.
func TestHostFilesAreMarkedBeforeTheyStandAtTheirPlace(t *testing.T) {
	dir := t.TempDir()
	o := HostOptions(true)
	if o.Stamp == nil {
		t.Fatal("files for the person's own disk are not marked")
	}
	calls := 0
	o.Stamp = func(staged string) error {
		calls++
		if _, err := os.Stat(filepath.Join(staged, "a")); err != nil {
			t.Errorf("the file is not in what is marked: %v", err)
		}
		if _, err := os.Stat(filepath.Join(dir, "a")); err == nil {
			t.Error("the file stands at its place before it is marked")
		}
		return nil
	}
	b := archive(t, file("a"))
	if _, err := Unpack(t.Context(), bytes.NewReader(b), dir, o); err != nil {
		t.Fatal(err)
	}
	if calls != 1 {
		t.Errorf("marked %d times", calls)
	}
}
