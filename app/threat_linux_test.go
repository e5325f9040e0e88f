package app_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"bottlebar.app/control"
)

func TestABottleIsNotLaunchedOnADiskThatIsAlmostFull(t *testing.T) {
	t.Parallel()
	h := newHome(t, "driver = \"process\"\n")
	disk := filepath.Join(h.dir, "b")
	if err := os.MkdirAll(disk, 0o700); err != nil {
		t.Fatal(err)
	}
	// 5 GB less a little; the pages of it that are used are none.
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=4900m,mode=700"); err != nil {
		t.Fatalf("this test mounts a small disk, which root may: %v", err)
	}
	t.Cleanup(func() { h.close(); _ = syscall.Unmount(disk, syscall.MNT_DETACH) })
	h.open()
	h.add()
	_, err := h.app.Launch(t.Context(), control.LaunchRequest{Artifact: "demo"}, nil)
	says(t, err, "are free on the disk")
	h.nothingLeft()
}
