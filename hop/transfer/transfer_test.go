package transfer

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// plant writes files (content), folders (name ends in /) and links ("-> x").
func plant(t *testing.T, dir string, entries map[string]string) {
	t.Helper()
	names := make([]string, 0, len(entries))
	for name := range entries {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		path := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		target, isLink := strings.CutPrefix(entries[name], "-> ")
		switch {
		case err != nil:
		case strings.HasSuffix(name, "/"):
			err = os.MkdirAll(path, 0o755)
		case isLink:
			err = os.Symlink(target, path)
		default:
			err = os.WriteFile(path, []byte(entries[name]), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// list reads a folder back in the same form, with modes for files that can
// be run.
func list(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		name := strings.TrimPrefix(path, dir+"/")
		switch {
		case d.IsDir():
			out[name+"/"] = ""
		case d.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			out[name] = "-> " + target
			return err
		default:
			b, err := os.ReadFile(path)
			out[name] = string(b)
			fi, _ := d.Info()
			if fi != nil && fi.Mode()&0o111 != 0 {
				out[name] += " (runs)"
			}
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func same(t *testing.T, got, want map[string]string) {
	t.Helper()
	for name := range want {
		if g, there := got[name]; !there || g != want[name] {
			t.Errorf("%q is %.60q, want %.60q", name, g, want[name])
		}
	}
	for name := range got {
		if _, wanted := want[name]; !wanted {
			t.Errorf("%q is there (%.60q)", name, got[name])
		}
	}
}

// odd are names that files really have.
var odd = []string{
	"-rf", "a:b", "..a", " ", "line\nbreak", "tab\t", strings.Repeat("x", 255), "quote'\"", "star*", "\\", "é", "日本", "~", "$HOME", "%s",
}

func TestWhatIsPackedArrivesUnchanged(t *testing.T) {
	src := t.TempDir()
	want := map[string]string{
		"top/": "", "top/empty/": "", "top/none": "", "top/big": strings.Repeat("0123456789", 1<<17),
		"top/deep/": "", "top/deep/er/": "", "top/deep/er/f": "x", "top/link": "-> deep/er/f", "top/deep/up": "-> ../none",
		"top/loop": "-> .", "top/deep/dir": "-> ../empty",
	}
	for i, name := range odd {
		want["top/"+name] = fmt.Sprint("content ", i)
	}
	plant(t, src, want)
	run := filepath.Join(src, "top", "run")
	if err := os.WriteFile(run, []byte("#!"), 0o755); err != nil {
		t.Fatal(err)
	}
	want["top/run"] = "#! (runs)"
	at := time.Date(2020, 1, 2, 3, 4, 5, 678000, time.UTC)
	for _, name := range []string{"top/none", "top/empty"} {
		if err := os.Chtimes(filepath.Join(src, name), at, at); err != nil {
			t.Fatal(err)
		}
	}
	var stream bytes.Buffer
	packed, err := Pack(t.Context(), &stream, []Source{{Path: filepath.Join(src, "top")}}, nil)
	if err != nil || len(packed.Skipped) != 0 {
		t.Fatalf("%+v %v", packed, err)
	}
	for _, o := range []Options{{}, HostOptions(true)} {
		dst := t.TempDir()
		got, err := Unpack(t.Context(), bytes.NewReader(stream.Bytes()), dst, o)
		if err != nil {
			t.Fatal(err)
		}
		if got.Files != packed.Files || got.Bytes != packed.Bytes || got.Folders != packed.Folders || got.Links != packed.Links {
			t.Errorf("packed %+v, unpacked %+v", packed, got)
		}
		same(t, list(t, dst), want)
		for _, name := range []string{"top/none", "top/empty"} {
			if fi, err := os.Stat(filepath.Join(dst, name)); err != nil || !fi.ModTime().Equal(at) {
				t.Errorf("%s is of %v", name, fi.ModTime())
			}
		}
	}
}

func TestEachOddNameArrivesAsASourceOfItsOwn(t *testing.T) {
	src, dst := t.TempDir(), t.TempDir()
	var sources []Source
	for _, name := range odd {
		plant(t, src, map[string]string{name: name})
		sources = append(sources, Source{Path: filepath.Join(src, name)})
	}
	var stream bytes.Buffer
	if _, err := Pack(t.Context(), &stream, sources, nil); err != nil {
		t.Fatal(err)
	}
	report, err := Unpack(t.Context(), &stream, dst, Options{})
	if err != nil || !slices.Equal(report.Top, odd) {
		t.Fatalf("%q %v", report.Top, err)
	}
}

func TestPackNeverOpensWhatIsNotAFile(t *testing.T) {
	src := t.TempDir()
	plant(t, src, map[string]string{
		"d/file": "1", "d/out": "-> /etc/passwd", "d/up": "-> ../x", "d/none": "-> nothing", "d/a": "-> b", "d/b": "-> a",
		"d/tricky": "-> loop/../../x", "d/loop": "-> .", "x": "",
	})
	if err := syscall.Mkfifo(filepath.Join(src, "d", "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("unix", filepath.Join(src, "d", "sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	report, err := Pack(t.Context(), io.Discard, []Source{{Path: filepath.Join(src, "d")}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	why := map[string]string{}
	for _, s := range report.Skipped {
		why[s.Path] = s.Reason
	}
	for name, want := range map[string]string{
		"d/pipe": "named pipe", "d/sock": "socket", "d/out": "absolute", "d/up": "leads out", "d/none": "leads nowhere",
		"d/a": "leads nowhere", "d/b": "leads nowhere", "d/tricky": "leads out",
	} {
		if !strings.Contains(why[name], want) {
			t.Errorf("%s: %q, want %q", name, why[name], want)
		}
	}
	if report.Files != 1 || report.Links != 1 || len(why) != 8 {
		t.Errorf("%+v", report)
	}
	for _, name := range []string{"pipe", "sock", "gone"} {
		_, err := Pack(t.Context(), io.Discard, []Source{{Path: filepath.Join(src, "d", name)}}, nil)
		var fe *FileError
		if !errors.As(err, &fe) || !strings.Contains(fe.Path, name) {
			t.Errorf("%s as a source: %v", name, err)
		}
	}
	if _, err := Pack(t.Context(), io.Discard, []Source{{Path: "/"}}, nil); err == nil {
		t.Error("the whole disk was packed")
	}
}

// changer changes a file once the stream has passed a mark.
type changer struct {
	n    int
	at   int
	then func()
}

func (c *changer) Write(p []byte) (int, error) {
	if c.n += len(p); c.n >= c.at && c.then != nil {
		c.then()
		c.then = nil
	}
	return len(p), nil
}

func TestAFileThatChangesIsCutOrNamed(t *testing.T) {
	for name, c := range map[string]struct {
		then func(path string) error
		fail bool
	}{
		"grows": {func(path string) error {
			f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteString("more")
			return errors.Join(err, f.Close())
		}, false},
		"shrinks": {func(path string) error { return os.Truncate(path, 100) }, true},
		"goes":    {os.Remove, false},
	} {
		path := filepath.Join(t.TempDir(), "log")
		if err := os.WriteFile(path, make([]byte, 2<<20), 0o600); err != nil {
			t.Fatal(err)
		}
		w := &changer{at: 100 << 10, then: func() {
			if err := c.then(path); err != nil {
				t.Error(err)
			}
		}}
		_, err := Pack(t.Context(), w, []Source{{Path: path}}, nil)
		if (err != nil) != c.fail || (c.fail && !strings.Contains(err.Error(), "log")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPackStopsWhenItsContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, make([]byte, 4<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Pack(ctx, &changer{at: 1 << 20, then: cancel}, []Source{{Path: path}}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestADropNeverOverwrites(t *testing.T) {
	long := strings.Repeat("y", 251) + ".txt"
	src, dst := t.TempDir(), t.TempDir()
	plant(t, src, map[string]string{"a.txt": "new", "d/f": "new", ".profile": "new", long: "new", "x.tar.gz": "new"})
	plant(t, dst, map[string]string{
		"a.txt": "old", "a-2.txt": "old", "d/f": "old", ".profile": "old", long: "old", "x.tar.gz": "old", "link": "-> a.txt",
	})
	var stream bytes.Buffer
	var sources []Source
	for _, n := range []string{"a.txt", "d", ".profile", long, "x.tar.gz"} {
		sources = append(sources, Source{Path: filepath.Join(src, n)})
	}
	sources = append(sources, Source{Path: filepath.Join(src, "a.txt"), Name: "link"})
	if _, err := Pack(t.Context(), &stream, sources, nil); err != nil {
		t.Fatal(err)
	}
	r, err := Unpack(t.Context(), &stream, dst, Options{})
	if err != nil {
		t.Fatal(err)
	}
	shortened := strings.Repeat("y", 249) + "-2.txt"
	if want := []string{"a-3.txt", "d-2", ".profile-2", shortened, "x.tar-2.gz", "link-2"}; !slices.Equal(r.Top, want) {
		t.Errorf("got %q", r.Top)
	}
	got := list(t, dst)
	for name, content := range map[string]string{"a.txt": "old", "a-2.txt": "old", "a-3.txt": "new", "d/f": "old", "d-2/f": "new", "link": "-> a.txt"} {
		if got[name] != content {
			t.Errorf("%s is %q", name, got[name])
		}
	}
}

func TestReplaceMergesAsCopyingDoes(t *testing.T) {
	src, dst := t.TempDir(), t.TempDir()
	plant(t, src, map[string]string{"d/f": "new", "d/g": "new"})
	plant(t, dst, map[string]string{"d/f": "old", "d/h": "old"})
	pack := func() *bytes.Buffer {
		var b bytes.Buffer
		if _, err := Pack(t.Context(), &b, []Source{{Path: filepath.Join(src, "d")}}, nil); err != nil {
			t.Fatal(err)
		}
		return &b
	}
	if _, err := Unpack(t.Context(), pack(), dst, Options{Exists: ExistsReplace}); err != nil {
		t.Fatal(err)
	}
	same(t, list(t, dst), map[string]string{"d/": "", "d/f": "new", "d/g": "new", "d/h": "old"})
	r, err := Unpack(t.Context(), pack(), dst, Options{Exists: ExistsReplace, Rename: "e"})
	if err != nil || !slices.Equal(r.Top, []string{"e"}) {
		t.Errorf("%+v %v", r, err)
	}
	if _, err := Unpack(t.Context(), pack(), dst, Options{Exists: ExistsRefuse}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a taken name: %v", err)
	}
	plant(t, dst, map[string]string{"x": "a file"})
	if _, err := Unpack(t.Context(), pack(), dst, Options{Exists: ExistsReplace, Rename: "x"}); err == nil {
		t.Error("a folder took the place of a file")
	}
	same(t, list(t, dst), map[string]string{
		"d/": "", "d/f": "new", "d/g": "new", "d/h": "old", "e/": "", "e/f": "new", "e/g": "new", "x": "a file",
	})
}

// archive writes a tar by hand.
func archive(t testing.TB, headers ...tar.Header) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		content := strings.Repeat("c", int(h.Size))
		if h.Mode == 0 {
			h.Mode = 0o644
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func file(name string) tar.Header { return tar.Header{Name: name, Typeflag: tar.TypeReg, Size: 3} }
func folder(name string) tar.Header {
	return tar.Header{Name: name, Typeflag: tar.TypeDir, Mode: 0o755}
}

func symlink(name, to string) tar.Header {
	return tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: to}
}

func TestAHostileStreamLeavesNothing(t *testing.T) {
	for name, b := range map[string][]byte{
		"up":                  archive(t, file("../x")),
		"up inside":           archive(t, file("a/../../x")),
		"absolute":            archive(t, file("/etc/x")),
		"dot":                 archive(t, file("./x")),
		"two slashes":         archive(t, file("a//b")),
		"empty":               archive(t, tar.Header{Name: "a", Typeflag: tar.TypeReg}, folder("//")),
		"twice":               archive(t, file("a"), file("a")),
		"file as folder":      archive(t, file("a"), file("a/b")),
		"folder as file":      archive(t, folder("a"), file("a")),
		"link at top":         archive(t, symlink("a", "b")),
		"link to absolute":    archive(t, folder("d"), symlink("d/a", "/etc")),
		"link out":            archive(t, folder("d"), symlink("d/a", "../x")),
		"link out by links":   archive(t, folder("d"), symlink("d/a", "."), symlink("d/b", "a/../../x")),
		"below a link":        archive(t, folder("d"), symlink("d/a", "."), file("d/a/b")),
		"link over a file":    archive(t, folder("d"), file("d/a"), symlink("d/a", "b")),
		"hard link to nobody": archive(t, tar.Header{Name: "a", Typeflag: tar.TypeLink, Linkname: "/etc/passwd"}),
		"hard link to a link": archive(t, folder("d"), symlink("d/a", "."), tar.Header{Name: "d/b", Typeflag: tar.TypeLink, Linkname: "d/a"}),
		"device":              archive(t, tar.Header{Name: "a", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3}),
		"pipe":                archive(t, tar.Header{Name: "a", Typeflag: tar.TypeFifo}),
		"same by case":        archive(t, file("d/readme"), file("d/README")),
		"same by form":        archive(t, file("d/\u00e9"), file("d/e\u0301")),
		"same by folding":     archive(t, file("d/stra\u00dfe"), file("d/STRASSE")),
		"folders by case":     archive(t, file("d/a/x"), file("D/b/x")),
		"cut off":             archive(t, file("a"), file("b"))[:700],
		"cut off early":       archive(t, file("a"))[:100],
		"noise":               []byte(strings.Repeat("noise", 1000)),
		"a long element":      archive(t, file(strings.Repeat("x", 256))),
		"deep":                archive(t, file(strings.Repeat("d/", 200)+"x")),
		"something after it":  append(archive(t, file("a")), make([]byte, 3<<20)...),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			plant(t, dir, map[string]string{"mine": "1"})
			o := HostOptions(true)
			o.Exists = ExistsReplace
			if _, err := Unpack(t.Context(), bytes.NewReader(b), dir, o); err == nil {
				t.Error("it was taken")
			}
			same(t, list(t, dir), map[string]string{"mine": "1"})
		})
	}
}

func TestWhatActsByItselfIsLeftOutAndTold(t *testing.T) {
	for name, left := range map[string]string{
		"d/.git/config": "d/.git", "d/.GIT/hooks/x": "d/.GIT", "d/.g\u200cit/config": "d/.g\u200cit",
		"d/GIT~1/config": "d/GIT~1", "d/e/._x": "d/e/._x", "d/.git": "d/.git",
	} {
		dir := t.TempDir()
		plant(t, dir, map[string]string{"mine": "1"})
		o := HostOptions(true)
		o.Exists = ExistsReplace
		b := archive(t, folder("d"), file(name), folder("d/.git/refs"), symlink("d/.git/refs/l", "x"), file("d/ok"))
		report, err := Unpack(t.Context(), bytes.NewReader(b), dir, o)
		if err != nil || len(report.Skipped) == 0 || report.Skipped[0].Path != left || report.Files != 1 {
			t.Errorf("%s: %+v, %v", name, report, err)
		}
		same(t, list(t, dir), map[string]string{"mine": "1", "d/": "", "d/ok": "ccc"})
		// Asked for by itself it is refused.
		if _, err := Unpack(t.Context(), bytes.NewReader(archive(t, folder(".git"), file(".git/config"))), dir, o); err == nil {
			t.Error("a repository's own folder was taken")
		}
	}
}

func TestUnpackHoldsToWhatWasAgreed(t *testing.T) {
	b := archive(t, file("a"), file("b"), file("c"))
	for _, l := range []Limits{{Bytes: 8}, {Entries: 2}} {
		if _, err := Unpack(t.Context(), bytes.NewReader(b), t.TempDir(), Options{Limits: l}); !errors.Is(err, ErrLimit) {
			t.Errorf("%+v: %v", l, err)
		}
	}
	// What a stream makes without saying so, and what it has us remember.
	b = archive(t, file("a/b/c/d"))
	for _, l := range []Limits{{Entries: 3}, {Entries: 4}} {
		o := HostOptions(true)
		o.Limits = l
		if _, err := Unpack(t.Context(), bytes.NewReader(b), t.TempDir(), o); errors.Is(err, ErrLimit) != (l.Entries == 3) {
			t.Errorf("one file and three folders on the way, %+v: %v", l, err)
		}
	}
	for _, b := range [][]byte{archive(t, folder("aaaa"), folder("bbbb")), archive(t, file("d/x"), symlink("d/aaa", "x"), symlink("d/b", "x"))} {
		if _, err := Unpack(t.Context(), bytes.NewReader(b), t.TempDir(), Options{Limits: Limits{Names: 7}}); !errors.Is(err, ErrLimit) {
			t.Errorf("names: %v", err)
		}
	}
	// A header that lies about its size must fail before anything is read.
	var lie bytes.Buffer
	_ = tar.NewWriter(&lie).WriteHeader(&tar.Header{Name: "a", Typeflag: tar.TypeReg, Size: 1 << 50, Format: tar.FormatPAX, Mode: 0o600})
	if _, err := Unpack(t.Context(), &lie, t.TempDir(), Options{}); !errors.Is(err, ErrLimit) {
		t.Errorf("a lie: %v", err)
	}
}

func TestUnpackMasksRightsAndCopiesHardLinks(t *testing.T) {
	dir := t.TempDir()
	suid := file("suid")
	suid.Mode = 0o6755
	b := archive(t, suid, tar.Header{Name: "second", Typeflag: tar.TypeLink, Linkname: "suid"})
	if _, err := Unpack(t.Context(), bytes.NewReader(b), dir, HostOptions(true)); err != nil {
		t.Fatal(err)
	}
	one, err1 := os.Stat(filepath.Join(dir, "suid"))
	two, err2 := os.Stat(filepath.Join(dir, "second"))
	if err1 != nil || err2 != nil || one.Mode() != 0o755 || os.SameFile(one, two) || two.Size() != 3 {
		t.Errorf("%v %v %v %v", one.Mode(), two.Mode(), err1, err2)
	}
}

func TestAStreamThatBreaksOffLeavesNothing(t *testing.T) {
	b := archive(t, file("a"), file("b"))
	for n := 0; n < len(b); n += 97 {
		dir := t.TempDir()
		broken := io.MultiReader(bytes.NewReader(b[:n]), iotestErr{})
		if _, err := Unpack(t.Context(), broken, dir, Options{}); err == nil {
			t.Errorf("cut at %d: taken", n)
		}
		same(t, list(t, dir), map[string]string{})
	}
}

type iotestErr struct{}

func (iotestErr) Read([]byte) (int, error) { return 0, errors.New("broken off") }

func FuzzUnpack(f *testing.F) {
	f.Add(archive(f, file("a"), folder("d"), symlink("d/l", "x")))
	f.Add(archive(f, file("../a")))
	f.Add(archive(f, folder("d"), symlink("d/a", "."), symlink("d/b", "a/x")))
	f.Fuzz(func(t *testing.T, b []byte) {
		outer := t.TempDir()
		dir := filepath.Join(outer, "in")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		o := HostOptions(true)
		o.Limits = Limits{Bytes: 1 << 20, Entries: 100}
		_, err := Unpack(t.Context(), bytes.NewReader(b), dir, o)
		if entries, _ := os.ReadDir(outer); len(entries) != 1 {
			t.Fatal("something was written beside the folder")
		}
		entries, _ := os.ReadDir(dir)
		if err != nil && len(entries) != 0 {
			t.Fatalf("%v, and yet %d entries", err, len(entries))
		}
		root, _ := os.OpenRoot(dir)
		defer func() { _ = root.Close() }()
		_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, _ error) error {
			if d.Type()&fs.ModeSymlink == 0 {
				return nil
			}
			if real, err := filepath.EvalSymlinks(path); err == nil && !strings.HasPrefix(real, dir) {
				t.Fatalf("%s leads to %s", path, real)
			}
			return nil
		})
	})
}
