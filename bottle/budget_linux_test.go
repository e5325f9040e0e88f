package bottle

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// A guest's files belong to whoever runs the VM, and their rights are the
// guest's to set: what may be entered and not listed holds as much as any other.
func TestAFolderThatMayNotBeListedIsTakenForFull(t *testing.T) {
	const nobody = 65534
	dir := t.TempDir()
	closed := filepath.Join(dir, "closed")
	write(t, filepath.Join(closed, "file"), 1<<30)
	if err := os.Chmod(closed, 0o300); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(closed, 0o700) })
	done := make(chan struct{})
	var n int64
	var err error
	go func() {
		defer close(done)
		if os.Geteuid() == 0 { // root lists everything: this thread gives that up, and ends with it
			runtime.LockOSThread()
			for _, path := range []string{dir, closed, filepath.Dir(dir)} {
				err = errors.Join(err, os.Lchown(path, nobody, -1))
			}
			_ = unix.Setfsuid(nobody)
		}
		n, err = grown(dir, 1<<20)
	}()
	<-done
	if !errors.Is(err, errHidden) {
		t.Errorf("%d bytes, %v", n, err)
	}
}
