package smolvm

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

var cp = []string{"machine", "cp"}

func TestCopyOfNothingDoesNothing(t *testing.T) {
	c, calls := scripted(t, "1.9.3")
	for _, p := range [][2]string{{"", ""}, {"", "m:/x"}, {"m:/x", ""}, {"/etc/passwd", ""}} {
		if err := c.Copy(t.Context(), p[0], p[1]); err != nil {
			t.Errorf("%q: %v", p, err)
		}
	}
	if len(calls()) != 0 {
		t.Error("something ran")
	}
}

func TestCopyNeedsExactlyOneMachine(t *testing.T) {
	c, calls := scripted(t, "1.9.3")
	for _, p := range [][2]string{{"/a", "/b"}, {"m:/a", "n:/b"}, {"/a:b", "/c:d"}} {
		if err := c.Copy(t.Context(), p[0], p[1]); err == nil {
			t.Errorf("%q passed", p)
		}
	}
	if len(calls()) != 0 {
		t.Error("something ran")
	}
}

func TestCopyInHandsOverPlainPaths(t *testing.T) {
	dir := t.TempDir()
	for name, want := range map[string]string{"plain": "", "-rf": "", "with space": "", "new\nline": "", "a:b": "link", strings.Repeat("x", 255): ""} {
		host := filepath.Join(dir, name)
		if err := os.WriteFile(host, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		c, calls := scripted(t, "1.9.3", reply{Args: cp})
		if err := c.Copy(t.Context(), host, "m:g/y:z"); err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		args := calls()[0].Args
		src, dst := args[len(args)-2], args[len(args)-1]
		if dst != "m:/g/y:z" || strings.Contains(src, ":") || (want == "" && src != host) {
			t.Errorf("%q: %q", name, args)
		}
		if _, err := os.Lstat(src); want == "link" && err == nil {
			t.Errorf("%q: the way round the colon was left behind", name)
		}
	}
}

func TestCopyInTakesRegularFilesOnly(t *testing.T) {
	dir := t.TempDir()
	fifo, big, loop := filepath.Join(dir, "fifo"), filepath.Join(dir, "big"), filepath.Join(dir, "loop")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(big, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(big, copyLimit+1); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(loop, loop); err != nil {
		t.Fatal(err)
	}
	c, calls := scripted(t, "1.9.3")
	for _, p := range []string{dir, fifo, big, loop, "/dev/zero", filepath.Join(dir, "none")} {
		if err := c.CopyIn(t.Context(), "m", p, "/x", CopyOptions{}); err == nil {
			t.Errorf("%s passed", p)
		}
	}
	if len(calls()) != 0 {
		t.Error("something ran")
	}
}

func TestCopyOutReplacesOnlyWhenAllHasArrived(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "with:colon")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	host := filepath.Join(dir, "out")
	keep := func(want string) {
		t.Helper()
		if data, err := os.ReadFile(host); err != nil || string(data) != want {
			t.Errorf("%q, %v, want %q", data, err, want)
		}
		if names, _ := os.ReadDir(dir); len(names) != 1 {
			t.Errorf("left behind: %v", names)
		}
	}
	if err := os.WriteFile(host, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	failed := reply{Args: cp, Exit: 1, Stderr: "Error: agent operation failed: read file: failed\n", Make: "$3"}
	c, _ := scripted(t, "1.9.3", failed)
	var e *CommandError
	if err := c.CopyOut(t.Context(), "m", "/x", host); !errors.As(err, &e) {
		t.Error(err)
	}
	keep("old")
	c, calls := scripted(t, "1.9.3", reply{Args: cp, Make: "$3"})
	if err := c.Copy(t.Context(), "m:x:y", host); err != nil {
		t.Error(err)
	}
	keep("made")
	if args := calls()[0].Args; args[2] != "m:/x:y" || strings.Contains(args[3], ":") {
		t.Errorf("%q", args)
	}
}

func TestCopyOutNeedsAFileName(t *testing.T) {
	dir := t.TempDir()
	c, calls := scripted(t, "1.9.3")
	for _, p := range []string{dir, dir + "/", dir + "/none/", dir + "/none/x"} {
		if err := c.CopyOut(t.Context(), "m", "/x", p); err == nil {
			t.Errorf("%s passed", p)
		}
	}
	if len(calls()) != 0 {
		t.Error("something ran")
	}
}

func TestCopyToABusyMachineSaysSo(t *testing.T) {
	c, _ := scripted(t, "1.9.3",
		reply{Args: cp, Exit: 1, Stderr: "Error: agent operation failed: connect: machine 'm' is not running. Use 'smolvm machine start --name m' first.\n"},
		status("m", StateRunning, 1))
	if err := c.CopyIn(t.Context(), "m", self(t), "/x", CopyOptions{}); !errors.Is(err, ErrBusy) {
		t.Error(err)
	}
}

func TestCopyThatStandsStillEnds(t *testing.T) {
	c, _ := scripted(t, "1.9.3", reply{Args: cp, Hang: true, Make: "$3"})
	c.stall = 200 * time.Millisecond
	dir := t.TempDir()
	if err := c.CopyOut(t.Context(), "m", "/root/fifo", filepath.Join(dir, "x")); !errors.Is(err, ErrTimeout) {
		t.Error(err)
	}
	if names, _ := os.ReadDir(dir); len(names) != 0 {
		t.Errorf("left behind: %v", names)
	}
}

func TestMoveWorksAcrossFileSystems(t *testing.T) {
	for _, dir := range []string{t.TempDir(), "/dev/shm"} {
		tmp := filepath.Join(dir, "bottlebar-move-test")
		if err := os.WriteFile(tmp, []byte("x"), 0o640); errors.Is(err, fs.ErrNotExist) {
			continue // no such file system here
		} else if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.Remove(tmp) })
		dst := filepath.Join(t.TempDir(), "y")
		if err := move(dst, tmp); err != nil {
			t.Error(err)
		}
		if data, err := os.ReadFile(dst); err != nil || string(data) != "x" {
			t.Errorf("%q, %v", data, err)
		}
	}
}
