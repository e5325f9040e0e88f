package artifact

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"bottlebar.app/smolvm/artifact/build"
)

func TestHostileNamesAndLinksAreRefusedWithTheirReason(t *testing.T) {
	long := strings.Repeat("x", 300)
	deep := strings.Repeat("d/", 300) + "f"
	for _, c := range []struct {
		name  string
		items []item
		agent string // part of the reason in the agent's root; "": accepted
		layer string // in a layer
	}{
		{"plain", []item{folder("a/"), file("a/b", "c"), symlink("l", "a/b"), hardlink("h", "a/b")}, "", ""},
		{"dots and root", []item{folder("./"), folder("./a/"), file("./a/b", ""), file("a//c", "")}, "", ""},
		{"absolute link of an image", []item{symlink("bin", "/usr/bin"), folder("usr/"), file("usr/bin/x", "")}, "", ""},
		{"whiteouts", []item{file(".wh.gone", ""), file("d/.wh..wh..opq", "")}, "", ""},
		{"through an absolute link", []item{symlink("foo", "/"), file("foo/bar", "x")}, "beneath the link", "beneath the link"},
		{"through a relative link", []item{symlink("foo", "../.."), file("foo/bar", "x")}, "leads out", "beneath the link"},
		{"through a chain", []item{symlink("a", "."), symlink("b", "a/.."), file("b/etc/x", "x")}, "beneath the link", "beneath the link"},
		{"deep beneath a link", []item{folder("d/"), symlink("d/l", "/etc"), file("d/l/a/b/c", "x")}, "beneath the link", "beneath the link"},
		{"folder beneath a link", []item{symlink("l", "/etc"), folder("l/a/")}, "beneath the link", "beneath the link"},
		{"link beneath a link", []item{symlink("l", "/etc"), symlink("l/a", "b")}, "beneath the link", "beneath the link"},
		{"link in place of a folder", []item{folder("d/"), symlink("d", "/etc"), file("d/x", "")}, "twice", "twice"},
		{"link in place of an implied folder", []item{file("d/x", ""), symlink("d", "/etc")}, "twice", "twice"},
		{"folder in place of a link", []item{symlink("d", "/etc"), folder("d/")}, "twice", "twice"},
		{"file in place of a link", []item{symlink("d", "/etc/passwd"), file("d", "root::")}, "twice", "twice"},
		{"file twice", []item{file("d", "a"), file("d", "b")}, "twice", "twice"},
		{"folder twice", []item{folder("d/"), folder("d/"), file("d/x", "")}, "", ""},
		{"beneath a file", []item{file("d", "a"), file("d/x", "b")}, "no folder", "no folder"},
		{"upwards", []item{file("../x", "")}, "leads upwards", "leads upwards"},
		{"upwards inside", []item{file("a/../../x", "")}, "leads upwards", "leads upwards"},
		{"upwards and back", []item{file("a/../x", "")}, "leads upwards", "leads upwards"},
		{"absolute", []item{file("/etc/x", "")}, "absolute", "absolute"},
		{"dot as a file", []item{file(".", "x")}, "place of its root", "place of its root"},
		{"dot as a link", []item{symlink("./", "/etc")}, "place of its root", "place of its root"},
		{"long component", []item{file(long, "")}, "too long", "too long"},
		{"deep", []item{file(deep, "")}, "too long", "too long"},
		{"hard link out", []item{hardlink("h", "../../etc/passwd")}, "leads upwards", "leads upwards"},
		{"hard link absolute", []item{hardlink("h", "/etc/passwd")}, "absolute", "absolute"},
		{"hard link to nothing", []item{hardlink("h", "x")}, "no file in it", "no file in it"},
		{"hard link forwards", []item{hardlink("h", "x"), file("x", "")}, "no file in it", "no file in it"},
		{"hard link to a link", []item{symlink("l", "/etc/passwd"), hardlink("h", "l")}, "no file in it", "no file in it"},
		{"hard link through a link", []item{symlink("l", "/etc"), hardlink("h", "l/passwd")}, "another link", "another link"},
		{"hard link to a folder", []item{folder("d/"), hardlink("h", "d")}, "no file in it", "no file in it"},
		{"hard link to a hard link", []item{file("a", ""), hardlink("b", "a"), hardlink("c", "b")}, "", ""},
		{"link that climbs", []item{symlink("a/b", "../../etc")}, "leads out", ""},
		{"link that climbs no further", []item{symlink("a/b", "../etc")}, "", ""},
		{"empty link", []item{symlink("a", "")}, "target that is none", "target that is none"},
		{"character device", []item{{name: "null", kind: tar.TypeChar}}, "device", ""},
		{"block device", []item{{name: "sda", kind: tar.TypeBlock}}, "device", ""},
		{"pipe", []item{{name: "p", kind: tar.TypeFifo}}, "device", ""},
		{"case", []item{file("README", ""), file("readme", "")}, "spelling", ""},
		{"case of folders", []item{file("Lib/a", ""), file("lib/b", "")}, "spelling", ""},
		{"case and a link", []item{symlink("Foo", "/etc"), file("foo/x", "")}, "beneath the link", ""},
		{"composed and not", []item{file("\u00e9", ""), file("e\u0301", "")}, "spelling", ""},
		{"sharp s", []item{file("straße", ""), file("STRASSE", "")}, "spelling", ""},
		{"long s", []item{file("ſ", ""), file("S", "")}, "spelling", ""},
		{"escapes", []item{symlink("\x1b[31m", "/"), file("\x1b[31m/x", "")}, "beneath the link", "beneath the link"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inner := tarOf(t, c.items...)
			expect(t, "agent", withAgent(t, inner), c.agent)
			expect(t, "layer", withLayer(t, inner), c.layer)
		})
	}
}

// expect verifies b; why is part of the reason, empty when it is to pass.
func expect(t *testing.T, what string, b []byte, why string) {
	t.Helper()
	_, err := verify(t, b)
	var fe *FormatError
	switch {
	case why == "" && err != nil:
		t.Errorf("%s: refused: %v", what, err)
	case why != "" && err == nil:
		t.Errorf("%s: accepted, want %q", what, why)
	case why != "" && (!errors.As(err, &fe) || !strings.Contains(fe.Why, why)):
		t.Errorf("%s: %v, want %q", what, err, why)
	case fe != nil && strings.ContainsAny(fe.Error(), "\x1b\n"):
		t.Errorf("%s: raw name in %q", what, fe.Error())
	}
	if _, vetErr := Vet(t.Context(), bytes.NewReader(b), int64(len(b)), nil); (vetErr == nil) != (err == nil) {
		t.Errorf("%s: Vet says %v, Verify %v", what, vetErr, err)
	}
}

func TestTheAssetsTarHoldsFilesAndFoldersAlone(t *testing.T) {
	for _, c := range []struct {
		name  string
		items []item
		why   string
	}{
		{"empty", nil, ""},
		{"usual", []item{folder("layers/"), file("storage.ext4", "x"), file("overlay.raw", "")}, ""},
		{"link", []item{symlink("agent-rootfs.tar", "layers/x.tar")}, "a link"},
		{"hard link", []item{file("a", ""), hardlink("b", "a")}, "a link"},
		{"device", []item{{name: "d", kind: tar.TypeBlock}}, "device"},
		{"upwards", []item{file("../x", "")}, "leads upwards"},
		{"absolute", []item{file("/x", "")}, "absolute"},
		{"case", []item{file("storage.ext4", ""), file("Storage.ext4", "")}, "spelling"},
		{"letters", []item{file("störage", "")}, "characters"},
		{"tar that nobody names", []item{file("other.tar", string(tarOf(t, file("../x", ""))))}, "leads upwards"},
		{"agent in other letters", []item{file("Agent-Rootfs.tar", string(tarOf(t, file("../x", ""))))}, "leads upwards"},
		{"layer that the manifest does not name", []item{file("layers/zz.tar", string(tarOf(t, symlink("a", "/"), file("a/b", ""))))}, "beneath the link"},
		{"part that is no tar", []item{file("agent-rootfs.tar", strings.Repeat("x", 2000))}, "is damaged"},
		{"part that is cut", []item{file("agent-rootfs.tar", string(tarOf(t, file("a", "b"))[:700]))}, "too early"},
		{"part without end mark", []item{file("agent-rootfs.tar", string(tarOf(t, file("a", "b"))[:1024]))}, "too early"},
		{"part of no bytes", []item{file("agent-rootfs.tar", "")}, ""},
	} {
		t.Run(c.name, func(t *testing.T) { expect(t, "outer", withOuter(t, tarOf(t, c.items...)), c.why) })
	}
}

func TestLayersOfTheManifestMustBeThere(t *testing.T) {
	expect(t, "no layer", seal(compress(t, tarOf(t)), manifestOf(true)), "lacks its layer")
}

func TestWhatReadersTakeDifferentlyIsRefused(t *testing.T) {
	plain := tarOf(t, file("a", "12345"))
	evil := tarOf(t, symlink("foo", "/"), file("foo/bar", "x"))
	number := func(h []byte, off, width int, n int64) { copy(h[off:], fmt.Sprintf("%0*o\x00", width-1, n)) }
	pax := func(records string) []byte {
		x := rewrite(tarOf(t, file("p", records)), 0, func(h []byte) { h[offType] = typePAX })
		x = x[:block+padded(int64(len(records)))]
		return append(x, plain...)
	}
	gnu := func(kind byte, name string) []byte {
		x := rewrite(tarOf(t, file("././@LongLink", name)), 0, func(h []byte) { h[offType] = kind })
		return x[:block+padded(int64(len(name)))]
	}
	attr := func(key, value string) string {
		n := len(key) + len(value) + 4 // a digit, a space, the sign, the line's end
		if n > 9 {
			n++
		}
		return fmt.Sprintf("%d %s=%s\n", n, key, value)
	}
	for _, c := range []struct {
		name string
		tar  []byte
		why  string
	}{
		{"plain", plain, ""},
		{"hidden behind the end mark", append(bytes.Clone(plain), evil...), "behind its end mark"},
		{"hidden behind one empty block", append(append(bytes.Clone(plain[:1024]), make([]byte, 512)...), evil...), "behind its end mark"},
		{"padding of a record", append(bytes.Clone(plain), make([]byte, 20*block)...), ""},
		{"checksum", append([]byte("b"), plain[1:]...), "is damaged"},
		{"folder with a body", rewrite(plain, 0, func(h []byte) { h[offType] = typeFolder }), "no file"},
		{"link with a body", rewrite(plain, 0, func(h []byte) { h[offType] = typeSymlink; h[offLink] = 'x' }), "no file"},
		{"file named as a folder", rewrite(plain, 0, func(h []byte) { h[1] = '/' }), "folder's name"},
		{"unknown type", rewrite(plain, 0, func(h []byte) { h[offType] = 'Z' }), "unknown type"},
		{"contiguous", rewrite(plain, 0, func(h []byte) { h[offType] = '7' }), "unknown type"},
		{"old type", rewrite(plain, 0, func(h []byte) { h[offType] = 0 }), ""},
		{"old form", rewrite(plain, 0, func(h []byte) { clear(h[offMagic:]) }), ""},
		{"foreign form", rewrite(plain, 0, func(h []byte) { h[offMagic] = 'x' }), "not known"},
		{"star's form", rewrite(plain, 0, func(h []byte) { copy(h[508:], "tar\x00") }), "disagree"},
		{"prefix in GNU's form", rewrite(plain, 0, func(h []byte) { copy(h[offMagic:], magicGNU); copy(h[offPrefix:], "etc/cron.d") }), "disagree"},
		{"size in binary", rewrite(plain, 0, func(h []byte) { clear(h[offSize : offSize+12]); h[offSize] = 0x80; h[offSize+11] = 5 }), ""},
		{"size below zero", rewrite(plain, 0, func(h []byte) { copy(h[offSize:], bytes.Repeat([]byte{0xff}, 12)) }), "size"},
		{"size beyond all", rewrite(plain, 0, func(h []byte) { copy(h[offSize:], append([]byte{0x80}, bytes.Repeat([]byte{0xff}, 11)...)) }), "size"},
		{"size of a terabyte", rewrite(plain, 0, func(h []byte) { copy(h[offSize:], "\x80\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00") }), "64 GiB"},
		{"size with letters", rewrite(plain, 0, func(h []byte) { copy(h[offSize:], "0000x000005\x00") }), "size"},
		{"prefix upwards", rewrite(plain, 0, func(h []byte) { copy(h[offPrefix:], "../etc") }), "leads upwards"},
		{"prefix absolute", rewrite(plain, 0, func(h []byte) { copy(h[offPrefix:], "/etc") }), "absolute"},
		{"PAX name", pax(attr("path", "sub/dir")), ""},
		{"PAX name upwards", pax(attr("path", "../../evil")), "leads upwards"},
		{"PAX name twice", pax(attr("path", "a") + attr("path", "b")), "two names"},
		{"PAX name empty", pax(attr("path", "")), "an empty one"},
		{"PAX size that agrees", pax(attr("size", "5")), ""},
		{"PAX size that does not", pax(attr("size", "1024")), "two sizes"},
		{"PAX size of a file said to be empty", rewrite(pax(attr("size", "5")), 2*block, func(h []byte) { number(h, offSize, 12, 0) }), "two sizes"},
		{"PAX name within a value", pax(attr("SCHILY.xattr.user.x", "\n"+strings.TrimSuffix(attr("path", "evil"), "\n"))), "hides"},
		{"PAX binary value", pax(attr("SCHILY.xattr.user.x", "a\nb=\nc") + attr("path", "x")), ""},
		{"PAX sparse", pax(attr("GNU.sparse.major", "1")), "sparse"},
		{"PAX length too long", pax("99 path=a\n"), "attributes that are none"},
		{"PAX twice", append(pax(attr("path", "a"))[:1024], pax(attr("mtime", "1"))...), "two attribute headers"},
		{"PAX at the end", pax(attr("path", "a"))[:1024], "too early"},
		{"PAX before the end mark", append(pax(attr("path", "a"))[:1024], make([]byte, 1024)...), "belongs to an entry"},
		{"global name", rewrite(pax(attr("path", "../..")), 0, func(h []byte) { h[offType] = typeGlobal }), "all its entries"},
		{"global comment", rewrite(pax(attr("comment", "none")), 0, func(h []byte) { h[offType] = typeGlobal }), ""},
		{"long name", append(gnu(typeLongName, strings.Repeat("d/", 100)+"f\x00"), plain...), ""},
		{"long name upwards", append(gnu(typeLongName, "../x\x00"), plain...), "leads upwards"},
		{"long name with a NUL", append(gnu(typeLongName, "ok\x00/../../x\x00"), plain...), "long name that is none"},
		{"long name twice", append(append(gnu(typeLongName, "a\x00"), gnu(typeLongName, "b\x00")...), plain...), "two names"},
		{"long name and PAX name", append(gnu(typeLongName, "a\x00"), pax(attr("path", "b"))...), "two names"},
		{"long link", append(gnu(typeLongLink, "../../../etc/passwd\x00"), tarOf(t, hardlink("h", "a"))...), "leads upwards"},
		{"long name of megabytes", append(gnu(typeLongName, strings.Repeat("x", 2<<20)+"\x00"), plain...), "header of"},
	} {
		t.Run(c.name, func(t *testing.T) {
			expect(t, "agent", withAgent(t, c.tar), c.why)
			expect(t, "layer", withLayer(t, c.tar), c.why)
		})
	}
}

// zeros is n zero bytes.
type zeros struct{ n int64 }

func (z *zeros) Read(p []byte) (int, error) {
	if z.n == 0 {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), z.n)]
	clear(p)
	z.n -= int64(len(p))
	return len(p), nil
}

// bomb is an artifact whose assets are a tar with a file of size zero bytes of
// which n are really there.
func bomb(t testing.TB, size, n int64, options ...zstd.EOption) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b, append(options, zstd.WithEncoderConcurrency(1))...)
	if err != nil {
		t.Fatal(err)
	}
	var head bytes.Buffer
	if err := tar.NewWriter(&head).WriteHeader(&tar.Header{Name: "storage.ext4", Size: size, Typeflag: tar.TypeReg, Format: tar.FormatGNU}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(w, io.MultiReader(&head, &zeros{n})); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return seal(b.Bytes(), manifestOf(false))
}

func TestBombsAreBounded(t *testing.T) {
	expect(t, "what a header promises", bomb(t, 65<<30, 0), "64 GiB")
	expect(t, "a promise that is not kept", bomb(t, 1<<30, 1<<20), "too early")
	expect(t, "window", bomb(t, 64<<20, 64<<20+1024, zstd.WithWindowSize(64<<20)), "more memory")
	expect(t, "image size", seal(compress(t, tarOf(t)), strings.Replace(manifestOf(false), `"mem"`, `"image_size":99999999999999,"mem"`, 1)), "larger than")

	v := &vetter{m: &Manifest{}, entries: MaxEntries}
	if err := v.outer(newDecoded(t.Context(), bytes.NewReader(tarOf(t, file("a", ""))))); err == nil || !strings.Contains(err.Error(), "4000000") {
		t.Errorf("one entry more than there may be: %v", err)
	}
	v = &vetter{m: &Manifest{}, seen: map[string]bool{}}
	d := newDecoded(t.Context(), bytes.NewReader(tarOf(t, file("a", ""))))
	d.left = 600 // as if all the rest had been read
	if err := v.outer(d); err == nil || !strings.Contains(err.Error(), "64 GiB") {
		t.Errorf("more bytes than there may be: %v", err)
	}
}

func TestAssetsEndWithTheirFrames(t *testing.T) {
	good := tarOf(t, file("a", "b"))
	expect(t, "two frames", seal(append(compress(t, good[:700]), compress(t, good[700:])...), manifestOf(false)), "")
	expect(t, "something behind", seal(append(compress(t, good), "trailing"...), manifestOf(false)), "damaged")
	expect(t, "a second tar in a second frame", seal(append(compress(t, good), compress(t, good)...), manifestOf(false)), "behind its end mark")
	expect(t, "half a frame", seal(compress(t, good)[:20], manifestOf(false)), "ends too early")
}

// interrupted cancels when the contents are read.
type interrupted struct {
	io.ReaderAt
	cancel func()
	looks  int
}

func (i *interrupted) ReadAt(p []byte, off int64) (int, error) {
	if i.looks++; i.looks > 2 { // behind footer and manifest
		i.cancel()
	}
	return i.ReaderAt.ReadAt(p, off)
}

func TestCancelEndsThePass(t *testing.T) {
	b := bomb(t, 128<<20, 128<<20+1024)
	for name, run := range map[string]func(context.Context, io.ReaderAt, int64, Progress) (Summary, error){"Verify": Verify, "Vet": Vet} {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := run(ctx, &interrupted{ReaderAt: bytes.NewReader(b), cancel: cancel}, int64(len(b)), nil)
		cancel()
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// changing gives other bytes at the second look at the tail.
type changing struct {
	io.ReaderAt
	from  int64
	looks int
}

func (c *changing) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.ReaderAt.ReadAt(p, off)
	if off+int64(n) > c.from {
		if c.looks++; c.looks > 2 {
			p[n-1] ^= 1
		}
	}
	return n, err
}

func TestAFileThatChangesMeanwhileIsRefused(t *testing.T) {
	b := minimal()
	_, err := Verify(t.Context(), &changing{ReaderAt: bytes.NewReader(b), from: 11}, int64(len(b)), nil)
	if err == nil || !strings.Contains(err.Error(), "changed while it was read") {
		t.Errorf("%v", err)
	}
}

// broken fails to read from an offset on.
type broken struct {
	io.ReaderAt
	size int64
}

var errMedium = errors.New("medium error")

func (b *broken) ReadAt(p []byte, off int64) (int, error) {
	if off < b.size-4096 && off > 0 {
		return 0, errMedium
	}
	return b.ReaderAt.ReadAt(p, off)
}

func TestAReadErrorIsToldAsSuch(t *testing.T) {
	raw := seal(append(compress(t, tarOf(t, file("a", "b"))), make([]byte, 8<<20)...), manifestOf(false))
	_, err := Verify(t.Context(), &broken{bytes.NewReader(raw), int64(len(raw))}, int64(len(raw)), nil)
	if !errors.Is(err, errMedium) {
		t.Errorf("%v", err)
	}
}

func TestBuiltArtifactsPass(t *testing.T) {
	var b bytes.Buffer
	layer := build.Layer{Files: []build.File{{Name: "etc/hostname", Mode: 0o644, Data: []byte("a\n")}}}
	if err := build.Write(&b, build.Manifest{Cmd: []string{"sleep", "9"}}, layer); err != nil {
		t.Fatal(err)
	}
	s, err := verify(t, b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if !s.File.Manifest.HasCommand() || s.Entries < 3 || s.Unpacked == 0 {
		t.Errorf("%+v", s)
	}
}

func TestProgressReachesTheEnd(t *testing.T) {
	b := withLayer(t, tarOf(t, file("a", strings.Repeat("abc", 1<<20))))
	for name, run := range map[string]func(context.Context, io.ReaderAt, int64, Progress) (Summary, error){"Verify": Verify, "Vet": Vet} {
		var last, total int64
		_, err := run(t.Context(), bytes.NewReader(b), int64(len(b)), func(d, n int64) {
			if d < last {
				t.Errorf("%s: backwards from %d to %d", name, last, d)
			}
			last, total = d, n
		})
		if err != nil || last != int64(len(b)) || total != last {
			t.Errorf("%s: %d of %d, %v", name, last, total, err)
		}
	}
}
