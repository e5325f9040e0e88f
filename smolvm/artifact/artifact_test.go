package artifact

import (
	"archive/tar"
	"bytes"
	"fmt"
	"hash/crc32"
	"io"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// item is one entry of a tar that a test makes.
type item struct {
	name, link string
	kind       byte // 0: a file
	body       string
	pax        map[string]string
}

// tarOf writes items as archive/tar does; it checks little, as hostile tars need.
func tarOf(t testing.TB, items ...item) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, i := range items {
		kind := i.kind
		if kind == 0 {
			kind = tar.TypeReg
		}
		h := &tar.Header{Name: i.name, Linkname: i.link, Typeflag: kind, Mode: 0o755, Size: int64(len(i.body)), PAXRecords: i.pax}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, i.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func file(name, body string) item   { return item{name: name, body: body} }
func symlink(name, to string) item  { return item{name: name, link: to, kind: tar.TypeSymlink} }
func hardlink(name, to string) item { return item{name: name, link: to, kind: tar.TypeLink} }
func folder(name string) item       { return item{name: name, kind: tar.TypeDir} }

// rewrite changes the header at offset off of a tar and makes its sum right.
func rewrite(b []byte, off int, change func(h []byte)) []byte {
	b = bytes.Clone(b)
	h := (*[block]byte)(b[off:])
	change(h[:])
	copy(h[offSum:], fmt.Sprintf("%06o\x00 ", checksum(h)))
	return b
}

// manifestOf is a manifest with one layer, layers/l.tar, if layered.
func manifestOf(layered bool) string {
	layers := "[]"
	if layered {
		layers = `[{"digest":"sha256:00","path":"layers/l.tar","size":0}]`
	}
	return `{"image":"example:latest","digest":"none","platform":"linux/amd64","cpus":2,"mem":1024,` +
		`"assets":{"libraries":[],"agent_rootfs":{"path":"agent-rootfs.tar","size":0},"layers":` + layers + `}}`
}

// seal makes a file of compressed assets and a manifest.
func seal(assets []byte, manifest string) []byte {
	b := append(bytes.Clone(assets), manifest...)
	f := Footer{
		Version: Version, AssetsSize: uint64(len(assets)), ManifestOffset: uint64(len(assets)),
		ManifestSize: uint64(len(manifest)), Checksum: crc32.ChecksumIEEE(b),
	}
	b, _ = f.AppendBinary(b)
	return b
}

func compress(t testing.TB, b []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	return w.EncodeAll(b, nil)
}

// withOuter, withAgent and withLayer make an artifact around one tar.
func withOuter(t testing.TB, outer []byte) []byte {
	return seal(compress(t, outer), manifestOf(false))
}

func withAgent(t testing.TB, agent []byte) []byte {
	return withOuter(t, tarOf(t, file("agent-rootfs.tar", string(agent))))
}

func withLayer(t testing.TB, layer []byte) []byte {
	return seal(compress(t, tarOf(t, file("agent-rootfs.tar", string(tarOf(t))), file("layers/l.tar", string(layer)))), manifestOf(true))
}

func verify(t testing.TB, b []byte) (Summary, error) {
	t.Helper()
	return Verify(t.Context(), bytes.NewReader(b), int64(len(b)), nil)
}
