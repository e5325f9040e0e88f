package build_test

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"

	"bottlebar.app/smolvm/artifact/build"
)

func sample(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	err := build.Write(&b, build.Manifest{Cmd: []string{"sleep", "9"}},
		build.Layer{Files: []build.File{{Name: "etc", Mode: fs.ModeDir | 0o755}, {Name: "etc/hostname", Mode: 0o644, UID: 7, Data: []byte("a\n")}}},
		build.Layer{Files: []build.File{{Name: "l", Mode: fs.ModeSymlink | 0o777, Link: "etc/hostname"}}})
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestFooterDescribesTheFile(t *testing.T) {
	raw := sample(t)
	f := raw[len(raw)-64:]
	if string(f[:8]) != "SMOLPACK" || binary.LittleEndian.Uint32(f[8:]) != 1 {
		t.Fatalf("footer starts %q", f[:12])
	}
	assets, manifest := binary.LittleEndian.Uint64(f[28:]), binary.LittleEndian.Uint64(f[44:])
	if binary.LittleEndian.Uint64(f[36:]) != assets || assets+manifest+64 != uint64(len(raw)) {
		t.Fatalf("sizes %d + %d + 64 do not make %d", assets, manifest, len(raw))
	}
	if got, want := binary.LittleEndian.Uint32(f[52:]), crc32.ChecksumIEEE(raw[:len(raw)-64]); got != want {
		t.Fatalf("checksum %08x, content has %08x", got, want)
	}
	var m build.Manifest
	if err := json.Unmarshal(raw[assets:assets+manifest], &m); err != nil {
		t.Fatal(err)
	}
	if len(m.Assets.Layers) != 2 || m.CPUs != 4 || m.Digest != m.Assets.Layers[1].Digest {
		t.Fatalf("manifest %+v", m)
	}
}

func TestAssetsHoldTheNamedTars(t *testing.T) {
	raw := sample(t)
	size := binary.LittleEndian.Uint64(raw[len(raw)-64+28:])
	zr, err := zstd.NewReader(bytes.NewReader(raw[:size]))
	if err != nil {
		t.Fatal(err)
	}
	defer zr.Close()
	var names []string
	tr := tar.NewReader(zr)
	for {
		h, err := tr.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
		if h.Name == "agent-rootfs.tar" {
			continue
		}
		inner := tar.NewReader(tr)
		if _, err := inner.Next(); err != nil {
			t.Fatalf("%s: %v", h.Name, err)
		}
	}
	if len(names) != 3 || names[0] != "agent-rootfs.tar" {
		t.Fatalf("entries %q", names)
	}
}

func TestSameInputGivesSameBytes(t *testing.T) {
	if !bytes.Equal(sample(t), sample(t)) {
		t.Fatal("two builds of the same layers differ")
	}
	var a, b bytes.Buffer
	for _, w := range []*bytes.Buffer{&a, &b} {
		dir := t.TempDir()
		if err := os.MkdirAll(filepath.Join(dir, "etc"), 0o755); err != nil {
			t.Fatal(err)
		}
		for _, n := range []string{"etc/b", "etc/a"} {
			if err := os.WriteFile(filepath.Join(dir, n), []byte(n), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := build.FromDir(w, build.Manifest{}, dir); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Fatal("two equal folders give different artifacts")
	}
}

func TestDemoNamesTheCureWithoutBusybox(t *testing.T) {
	err := build.Demo(io.Discard, build.DemoOptions{Busybox: filepath.Join(t.TempDir(), "none")})
	if err == nil || !bytes.Contains([]byte(err.Error()), []byte("busybox-static")) {
		t.Fatalf("got %v", err)
	}
}
