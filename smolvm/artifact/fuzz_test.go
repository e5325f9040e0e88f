package artifact

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzRead: whatever is read, a file that Verify accepts is exactly its parts.
func FuzzRead(f *testing.F) {
	f.Add(minimal())
	files, _ := filepath.Glob("testdata/*.smolmachine")
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add(machoWith(sectionSegment, sectionName, []byte(sectionMagic)))
	f.Add(withLayer(f, tarOf(f, symlink("a", "b"), file("c", "d"))))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		if _, err := Detect(r, r.Size()); err != nil {
			t.Fatalf("detecting: %v", err)
		}
		file, err := Read(r, r.Size())
		if err != nil {
			var fe *FormatError
			if !errors.As(err, &fe) || fe.Why == "" || strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Fatalf("not one clean sentence: %q", err)
			}
			return
		}
		_ = CheckPlatform(&file.Manifest, "amd64")
		if _, err := verify(t, b); err != nil {
			return
		}
		if want := file.Footer.AssetsSize + file.Footer.ManifestSize + FooterSize; want != uint64(len(b)) {
			t.Fatalf("accepted %d bytes of which the footer knows %d", len(b), want)
		}
	})
}

// FuzzVet: what is accepted, another reader understands alike, and unpacking
// it name by name never leaves its folder.
func FuzzVet(f *testing.F) {
	for _, b := range [][]byte{
		tarOf(f), tarOf(f, file("a", "b"), folder("d/"), symlink("d/l", "../a"), hardlink("h", "a")),
		tarOf(f, symlink("foo", "/"), file("foo/bar", "x")), tarOf(f, file("../x", "")),
		tarOf(f, file(strings.Repeat("d/", 90)+"f", "long")), tarOf(f, item{name: "p", body: "x", pax: map[string]string{"SCHILY.xattr.a": "b\nc"}}),
		sparseTar(f, "d", 1<<20, "abc", [2]int64{0, 1}, [2]int64{4096, 2}),
	} {
		f.Add(b, true)
		f.Add(b, false)
	}
	f.Fuzz(func(t *testing.T, b []byte, layer bool) {
		b = resum(b)
		r := roleAgent
		if layer {
			r = roleLayer
		}
		v := &vetter{m: &Manifest{}, seen: map[string]bool{}}
		if v.inner(newDecoded(t.Context(), bytes.NewReader(b)), r) != nil {
			return
		}
		ours := names(t, b)
		links := map[string]bool{}
		tr := tar.NewReader(bytes.NewReader(b))
		for i := 0; ; {
			h, err := tr.Next()
			if err != nil { // the end, or something that it takes less of than we do
				return
			}
			if h.Typeflag == tar.TypeXGlobalHeader {
				continue
			}
			if i >= len(ours) || ours[i] != h.Name {
				t.Fatalf("entry %d of %q: another reader has %q", i, ours, h.Name)
			}
			i++
			name := filepath.Clean(h.Name)
			if !filepath.IsLocal(name) {
				t.Fatalf("accepted %q", h.Name)
			}
			for dir := filepath.Dir(name); dir != "."; dir = filepath.Dir(dir) {
				if links[dir] {
					t.Fatalf("accepted %q beneath the link %q", h.Name, dir)
				}
			}
			links[name] = links[name] || h.Typeflag == tar.TypeSymlink
		}
	})
}

// resum makes the sums of what may be headers right, which chance would not.
func resum(b []byte) []byte {
	b = bytes.Clone(b)
	for off := 0; off+block <= len(b); off += block {
		h := (*[block]byte)(b[off:])
		if m := string(h[offMagic : offMagic+5]); m == "ustar" {
			copy(h[offSum:], fmt.Sprintf("%06o\x00 ", checksum(h)))
		}
	}
	return b
}

// names lists a tar as our scanner reads it.
func names(t *testing.T, b []byte) []string {
	var out []string
	s := &scanner{in: newDecoded(t.Context(), bytes.NewReader(b)), tick: func() error { return nil }}
	for {
		e, err := s.next()
		if err != nil {
			t.Fatalf("accepted at first, then: %v", err)
		}
		if e == nil {
			return out
		}
		out = append(out, e.name)
	}
}

func FuzzClean(f *testing.F) {
	f.Add("a\x1b[31m\u202e")
	f.Fuzz(func(t *testing.T, s string) {
		if got := Clean(s); strings.ContainsAny(got, "\x1b\n\r\u202e\u200f") || len([]rune(got)) > maxShown+1 {
			t.Fatalf("%q", got)
		}
	})
}
