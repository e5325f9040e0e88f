package cache

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"bottlebar.app/internal/atomicfile"
	"bottlebar.app/smolvm/artifact/build"
)

// BenchmarkList lists a library of 10 000 artifacts: as a new process does
// ("cold"), as one that runs does ("warm"), and the same file by encoding/json
// ("baseline").
func BenchmarkList(b *testing.B) {
	l := open(b)
	data, err := encodeIndex(shelf(10_000))
	if err != nil {
		b.Fatal(err)
	}
	path := filepath.Join(l.dir, indexName)
	if err := atomicfile.Write(path, data, 0); err != nil {
		b.Fatal(err)
	}
	list := func(b *testing.B) {
		if got, err := l.List(); err != nil || len(got) != 10_000 {
			b.Fatal(len(got), err)
		}
	}
	b.Run("baseline-json", func(b *testing.B) {
		for b.Loop() {
			data, err := os.ReadFile(path)
			if err != nil {
				b.Fatal(err)
			}
			var all struct{ Artifacts []Artifact }
			if err := json.Unmarshal(data, &all); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("cold", func(b *testing.B) {
		for b.Loop() {
			l.stamp = stamp{}
			list(b)
		}
	})
	b.Run("warm", func(b *testing.B) {
		for b.Loop() {
			list(b)
		}
	})
}

// BenchmarkAdd adds an artifact, beside cp of the same file and its plain
// SHA-256. "copy" is what an addition does without cloning and verifying.
func BenchmarkAdd(b *testing.B) {
	path, size := large(b)
	l := open(b)
	run := func(name string, f func(b *testing.B)) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(size)
			for b.Loop() {
				f(b)
			}
		})
	}
	to := filepath.Join(b.TempDir(), "copy")
	run("baseline-cp", func(b *testing.B) {
		if err := exec.CommandContext(b.Context(), "cp", "--reflink=never", path, to).Run(); err != nil {
			b.Fatal(err)
		}
		_ = os.Remove(to)
	})
	run("copy", func(b *testing.B) {
		src, err := os.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		defer src.Close()
		if err := copyFile(b.Context(), to, src, size, &AddOptions{}); err != nil {
			b.Fatal(err)
		}
		_ = os.Remove(to)
	})
	run("add", func(b *testing.B) {
		a, err := l.Add(b.Context(), path, AddOptions{})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := l.Remove(a.ID); err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkVerify verifies an artifact again, beside its plain SHA-256.
func BenchmarkVerify(b *testing.B) {
	path, size := large(b)
	l := open(b)
	a, err := l.Add(b.Context(), path, AddOptions{})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("baseline-sha256", func(b *testing.B) {
		b.SetBytes(size)
		for b.Loop() {
			f, err := os.Open(path)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := io.Copy(sha256.New(), f); err != nil {
				b.Fatal(err)
			}
			_ = f.Close()
		}
	})
	b.Run("verify", func(b *testing.B) {
		b.SetBytes(size)
		for b.Loop() {
			if _, err := l.Verify(b.Context(), a.ID, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("verify-and-vet", func(b *testing.B) {
		b.SetBytes(size)
		for b.Loop() {
			fresh := a
			fresh.Rules = 0
			if _, err := l.verify(b.Context(), fresh, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// large makes an artifact of about 64 MB that compresses as programs do, to
// about a third.
func large(b *testing.B) (path string, size int64) {
	b.Helper()
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same bytes each time
	var layer build.Layer
	for i := range 96 {
		data := make([]byte, 2<<20)
		for j := 0; j < len(data); j += 24 {
			for k := range min(8, len(data)-j) {
				data[j+k] = byte(r.Uint32())
			}
		}
		layer.Files = append(layer.Files, build.File{Name: "f" + strconv.Itoa(i), Mode: 0o644, Data: data})
	}
	var out bytes.Buffer
	if err := build.Write(&out, build.Manifest{}, layer); err != nil {
		b.Fatal(err)
	}
	return write(b, b.TempDir(), "large.smolmachine", out.Bytes()), int64(out.Len())
}
