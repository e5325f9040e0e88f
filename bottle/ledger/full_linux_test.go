package ledger

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const tinyDisk = "LEDGER_TEST_TINY_DISK"

// The disk is a file system of 256 KiB in a mount namespace of its own, so
// that the test needs no rights.
func TestAFullDiskDropsRefusalsWithACountAndNothingElse(t *testing.T) {
	if dir := os.Getenv(tinyDisk); dir != "" {
		fillTheDisk(t, dir)
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), tinyDisk+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS") {
		t.Fatalf("%v\n%s", err, out)
	}
}

func fillTheDisk(t *testing.T, disk string) {
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=256k"); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(disk, "l")
	l := opened(t, dir, Options{Reserve: 64 << 10})
	put(t, l, allowed("before.example"))
	ballast := filepath.Join(disk, "ballast")
	if err := fill(ballast); err == nil {
		t.Fatal("the disk takes all")
	}
	for i := range 2000 { // what is left of the last block, then nothing
		put(t, l, denied(fmt.Sprint("d", i, ".example")))
	}
	var err error
	n := 0
	for ; n < 5000 && err == nil; n++ {
		err = l.Add(allowed(fmt.Sprint("a", n, ".example")))
	}
	if !errors.Is(err, ErrFull) || l.Full() == nil || l.Ready() == nil {
		t.Fatalf("after %d lines: %v; full: %v", n, err, l.Full())
	}
	// Those that come before the way out is closed have room.
	for i := range 100 {
		if err := l.Add(allowed(fmt.Sprint("late", i, ".example"))); !errors.Is(err, ErrFull) {
			t.Fatalf("a line after the disk was full: %v", err)
		}
	}
	if got := read(t, dir, Query{Verdict: VerdictAllowed}); len(got) != 1+n+100 || got[len(got)-1].Host != "late99.example" {
		t.Errorf("%d of %d lines of what was let through", len(got), 1+n+100)
	}
	counts(t, l, 1+n+100, 2000)
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if err := l.Ready(); err != nil || l.Full() != nil {
		t.Fatalf("with room again: %v", err)
	}
	put(t, l, denied("after.example"), allowed("after.example"))
	l.Close()
	l = opened(t, dir, Options{Reserve: 64 << 10})
	counts(t, l, 1+n+101, 2001)
}

func fill(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for {
		if _, err := f.Write(make([]byte, 4096)); err != nil {
			return err
		}
	}
}
