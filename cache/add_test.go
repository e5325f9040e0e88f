package cache

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"bottlebar.app/internal/fault"
	"bottlebar.app/smolvm/artifact"
)

func TestAddKeepsWhatItVerified(t *testing.T) {
	l := open(t)
	b := machine(t, manifest{"cmd": []string{"sh"}, "workdir": "/srv", "smolvm_version": "1.9.3", "image": "example.com/a/b:1"})
	path := write(t, t.TempDir(), "Claude Node.smolmachine", b)
	var phases []Phase
	a, err := l.Add(t.Context(), path, AddOptions{Progress: func(p Progress) { phases = append(phases, p.Phase) }})
	if err != nil {
		t.Fatal(err)
	}
	if a.Name != "claude-node" || a.Image != "example.com/a/b:1" || a.Size != int64(len(b)) || !a.HasCommand || a.Workdir != "/srv" ||
		a.Release != "1.9.3" || a.Origin != path || !a.trusted() || len(a.ID) != 64 || a.CPUs != 2 || a.MemMiB != 1024 {
		t.Errorf("%+v", a)
	}
	got, err := os.ReadFile(l.Path(a))
	if err != nil || !bytes.Equal(got, b) {
		t.Errorf("the library's file differs: %v", err)
	}
	if info, err := os.Stat(l.Path(a)); err != nil || info.Mode().Perm() != 0o400 {
		t.Errorf("the library's file can be written: %v %v", info.Mode(), err)
	}
	if phases = slices.Compact(phases); !slices.Equal(phases, []Phase{Copying, Verifying}) {
		t.Errorf("phases %q", phases)
	}
	if len(sound(t, l)) != 1 {
		t.Error("it is not listed")
	}
	again, err := Open(l.dir)
	if err != nil || len(sound(t, again)) != 1 {
		t.Errorf("it is not there when opened again: %v", err)
	}
}

func TestADuplicateIsToldAndIsTheOneThatIsThere(t *testing.T) {
	l := open(t)
	dir := t.TempDir()
	b := machine(t, nil)
	first, err := l.Add(t.Context(), write(t, dir, "one.smolmachine", b), AddOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := l.Add(t.Context(), write(t, dir, "two.smolmachine", b), AddOptions{Name: "other"})
	var dup *DuplicateError
	if !errors.Is(err, ErrDuplicate) || !errors.As(err, &dup) || dup.Name != "one" || got.ID != first.ID || got.Name != "one" {
		t.Errorf("%+v %v", got, err)
	}
	if list := sound(t, l); len(list) != 1 || list[0].Name != "one" {
		t.Errorf("%+v", list)
	}
}

func TestAddRefusesOtherBytesUnderAKnownChecksum(t *testing.T) {
	l := open(t)
	one, two := sameCRC(t)
	dir := t.TempDir()
	if _, err := l.Add(t.Context(), write(t, dir, "one.smolmachine", one), AddOptions{}); err != nil {
		t.Fatal(err)
	}
	_, err := l.Add(t.Context(), write(t, dir, "two.smolmachine", two), AddOptions{})
	var sum *ChecksumError
	if !errors.As(err, &sum) || sum.Name != "one" {
		t.Fatalf("%v", err)
	}
	if len(sound(t, l)) != 1 {
		t.Error("it was added all the same")
	}
	if _, err := l.Remove("one"); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Add(t.Context(), filepath.Join(dir, "two.smolmachine"), AddOptions{}); err != nil {
		t.Errorf("after the cure: %v", err)
	}
}

func TestAddingAgainHealsADamagedArtifact(t *testing.T) {
	l := open(t)
	b := machine(t, nil)
	path := write(t, t.TempDir(), "one.smolmachine", b)
	a, err := l.Add(t.Context(), path, AddOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.SetSettings("one", Settings{CPUs: 3}); err != nil {
		t.Fatal(err)
	}
	scribble(t, l.Path(a), b)
	if _, err := l.Verify(t.Context(), "one", nil); err == nil {
		t.Fatal("the damage is not seen")
	}
	got, err := l.Add(t.Context(), path, AddOptions{})
	if err != nil || got.Problem != "" || got.Name != "one" || got.Settings.CPUs != 3 {
		t.Errorf("%+v %v", got, err)
	}
	if _, err := l.Verify(t.Context(), "one", nil); err != nil {
		t.Errorf("not healed: %v", err)
	}
	sound(t, l)
}

// scribble flips a bit of the file at path.
func scribble(t testing.TB, path string, b []byte) {
	t.Helper()
	b = bytes.Clone(b)
	b[20] ^= 1
	if err := errors.Join(os.Remove(path), os.WriteFile(path, b, 0o400)); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsRefusedLeavesNothingAndSaysWhy(t *testing.T) {
	dir := t.TempDir()
	good := machine(t, nil)
	flipped := bytes.Clone(good)
	flipped[bytes.Index(good, []byte("example:"))] ^= 4
	stub, err := os.ReadFile("../smolvm/artifact/testdata/stub.smolmachine")
	if err != nil {
		t.Fatal(err)
	}
	fifo, sock := filepath.Join(dir, "fifo"), filepath.Join(dir, "sock")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("unix", sock)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	other := map[string]string{"amd64": "arm64", "arm64": "amd64"}
	for name, c := range map[string]struct{ path, why, cure string }{
		"not an artifact": {write(t, dir, "a.smolmachine", bytes.Repeat([]byte("text\n"), 100)), "not an artifact", "choose"},
		"empty":           {write(t, dir, "b.smolmachine", nil), "too short", "choose"},
		"launcher":        {write(t, dir, "web", stub), "the launcher", "web.smolmachine"},
		"truncated":       {write(t, dir, "c.smolmachine", good[:len(good)-1]), "cut short", "copy it again"},
		"flipped":         {write(t, dir, "d.smolmachine", flipped), "damaged", "again"},
		"other platform":  {write(t, dir, "e.smolmachine", machine(t, manifest{"platform": "linux/" + other[artifact.Arch(goarch())]})), "it is for", "pack it on"},
		"secrets":         {write(t, dir, "f.smolmachine", machine(t, manifest{"secret_refs": manifest{"K": manifest{"from_env": "K"}}})), "secrets", "pack it again"},
		"folder":          {dir, "a folder", "choose"},
		"fifo":            {fifo, "a pipe", "choose"},
		"socket":          {sock, "a socket", "choose"},
		"device":          {os.DevNull, "a device", "choose"},
		"missing":         {filepath.Join(dir, "none.smolmachine"), "no such file", "check"},
		"escapes in name": {filepath.Join(dir, "\x1b[31mx\n.smolmachine"), "no such file", "check"},
	} {
		t.Run(name, func(t *testing.T) {
			l := open(t)
			_, err := l.Add(t.Context(), c.path, AddOptions{})
			f := fault.Of(err)
			if f == nil || !strings.Contains(f.Why, c.why) || !strings.Contains(f.Cure, c.cure) || !strings.HasPrefix(f.What, "adding ") {
				t.Errorf("%#v: %v", f, err)
			}
			if err != nil && strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("not one clean line: %q", err)
			}
			if got := left(t, l); len(got) != 0 {
				t.Errorf("left behind: %q", got)
			}
		})
	}
}

func goarch() string { return (&AddOptions{}).arch() }

func TestANetworkIsNotedNotRefused(t *testing.T) {
	a := add(t, open(t), "net.smolmachine", manifest{"network": true})
	if !a.Network || a.Notice() == "" {
		t.Errorf("%+v", a)
	}
}

func TestHostileTextIsCleanedWhenKept(t *testing.T) {
	l := open(t)
	a := add(t, l, "x.smolmachine", manifest{"image": "a\u202eb\u200bc", "created": strings.Repeat("é", 1000)})
	if a.Image != "a\ufffdb\ufffdc" || len([]rune(a.Created)) > 300 {
		t.Errorf("%q %q", a.Image, a.Created)
	}
	sound(t, l)
}

func TestNamesAreMadeLegalAndUnique(t *testing.T) {
	for path, want := range map[string]string{
		"/x/claude-node.smolmachine":               "claude-node",
		"Claude Node.SMOLMACHINE":                  "claude-node",
		"a.b_c--d.smolmachine":                     "a-b-c-d",
		"Übermäßig.smolmachine":                    "uberma-ig",
		"日本.smolmachine":                           "artifact",
		".smolmachine":                             "artifact",
		"-rf.smolmachine":                          "rf",
		"--.smolmachine":                           "artifact",
		"no-suffix":                                "no-suffix",
		"\x1b[31m.smolmachine":                     "31m",
		strings.Repeat("x", 200):                   strings.Repeat("x", 63),
		strings.Repeat("x", 62) + "-y.smolmachine": strings.Repeat("x", 62),
	} {
		if got := nameOfFile(path); got != want || !legalName(got) {
			t.Errorf("%q: %q, want %q", path, got, want)
		}
	}
	for ref, want := range map[string]string{
		"docker.io/library/debian:13":         "debian",
		"registry:5000/a/Claude_Node@sha256:": "claude-node",
		"node":                                "node",
		"":                                    "artifact",
	} {
		if got := nameOfImage(ref); got != want {
			t.Errorf("%q: %q, want %q", ref, got, want)
		}
	}
	l := open(t)
	for i, want := range []string{"web", "web-2", "web-3"} {
		if a := add(t, l, "Web.smolmachine", manifest{"cpus": i + 1}); a.Name != want {
			t.Errorf("%q, want %q", a.Name, want)
		}
	}
	long := strings.Repeat("x", 63)
	if got := freeName(long, func(s string) bool { return s == long }); got != strings.Repeat("x", 61)+"-2" || !legalName(got) {
		t.Errorf("%q", got)
	}
}

func TestAWishedNameIsTakenAsItIsOrRefused(t *testing.T) {
	l := open(t)
	add(t, l, "web.smolmachine", nil)
	path := write(t, t.TempDir(), "x.smolmachine", machine(t, manifest{"cpus": 9}))
	for name, taken := range map[string]bool{"web": true, "Web": false, "a--b": false, "-a": false, "a b": false, "..": false, strings.Repeat("x", 64): false} {
		_, err := l.Add(t.Context(), path, AddOptions{Name: name})
		var ne *NameError
		if !errors.As(err, &ne) || ne.Taken != taken || ne.Cure() == "" {
			t.Errorf("%q: %v", name, err)
		}
	}
	if a, err := l.Add(t.Context(), path, AddOptions{Name: "mine"}); err != nil || a.Name != "mine" {
		t.Errorf("%v %v", a.Name, err)
	}
	if len(sound(t, l)) != 2 {
		t.Error("a refused one is there")
	}
}

func TestAFullDiskLeavesNothing(t *testing.T) {
	path := write(t, t.TempDir(), "x.smolmachine", machine(t, nil))
	t.Run("seen before", func(t *testing.T) {
		l := open(t)
		l.clones = func() bool { return false }
		l.free = func(string) (int64, error) { return 1000, nil }
		_, err := l.Add(t.Context(), path, AddOptions{})
		var se *SpaceError
		if !errors.As(err, &se) || se.Free != 1000 || !strings.Contains(err.Error(), "1.0 kB left") {
			t.Errorf("%v", err)
		}
		if got := left(t, l); len(got) != 0 {
			t.Errorf("left behind: %q", got)
		}
	})
	t.Run("while copying", func(t *testing.T) {
		l := open(t)
		l.clones = func() bool { return false }
		l.copy = func(_ context.Context, file string, src *os.File, _ int64, _ *AddOptions) error {
			b := make([]byte, 100)
			_, err := io.ReadFull(src, b)
			return errors.Join(err, os.WriteFile(file, b, 0o600), &os.PathError{Op: "write", Path: file, Err: syscall.ENOSPC})
		}
		_, err := l.Add(t.Context(), path, AddOptions{})
		f := fault.Of(err)
		if f == nil || f.Why != "the disk is full" || f.Cure == "" || !errors.Is(err, syscall.ENOSPC) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v", err)
		}
		if got := left(t, l); len(got) != 0 {
			t.Errorf("left behind: %q", got)
		}
	})
	t.Run("while recording", func(t *testing.T) {
		l := open(t)
		add(t, l, "first.smolmachine", manifest{"cpus": 7})
		// A folder where the record belongs: its writing fails as on a full disk.
		b := machine(t, nil)
		id := idOf(b)
		if err := os.Mkdir(l.record(id), 0o700); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Add(t.Context(), path, AddOptions{}); err == nil {
			t.Fatal("no error")
		}
		if err := ignoreMissing(os.Remove(l.record(id))); err != nil {
			t.Fatal(err)
		}
		if list := sound(t, l); len(list) != 1 || list[0].Name != "first" {
			t.Errorf("%+v", list)
		}
	})
}

func TestCopiesAreMadeWhereNothingIsShared(t *testing.T) {
	l := open(t)
	l.clones = func() bool { return false }
	b := machine(t, manifest{"zz": strings.Repeat("x", 3*copyStep)})
	a, err := l.Add(t.Context(), write(t, t.TempDir(), "x.smolmachine", b), AddOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(l.Path(a)); err != nil || !bytes.Equal(got, b) {
		t.Errorf("the copy differs: %v", err)
	}
}

func TestCancelAtAnyMomentLeavesNothing(t *testing.T) {
	b := machine(t, manifest{"zz": strings.Repeat("x", 3*copyStep)})
	path := write(t, t.TempDir(), "x.smolmachine", b)
	for _, at := range []Phase{"", Copying, Verifying} {
		t.Run("at "+string(at), func(t *testing.T) {
			l := open(t)
			l.clones = func() bool { return false }
			ctx, cancel := context.WithCancel(t.Context())
			if at == "" {
				cancel()
			}
			_, err := l.Add(ctx, path, AddOptions{Progress: func(p Progress) {
				if p.Phase == at {
					cancel()
				}
			}})
			cancel()
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%v", err)
			}
			if got := left(t, l); len(got) != 0 {
				t.Errorf("left behind: %q", got)
			}
		})
	}
}

func TestTheOriginalMayChangeAfterTheCopy(t *testing.T) {
	l := open(t)
	b := machine(t, nil)
	path := write(t, t.TempDir(), "x.smolmachine", b)
	a, err := l.Add(t.Context(), path, AddOptions{Progress: func(p Progress) {
		if p.Phase == Verifying {
			_ = os.WriteFile(path, []byte("something else"), 0o600)
		}
	}})
	if err != nil || a.ID != idOf(b) {
		t.Errorf("%+v %v", a, err)
	}
}
