package cache

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"bottlebar.app/smolvm/artifact"
)

// manifest is what a test's artifact says.
type manifest map[string]any

// machine makes a valid artifact of 11 bytes of assets, an empty tar, and a
// manifest in which more replaces or adds keys.
func machine(t testing.TB, more manifest) []byte {
	t.Helper()
	m := manifest{
		"image": "example:latest", "digest": "none", "platform": "linux/" + runtime.GOARCH, "cpus": 2, "mem": 1024,
		"assets": manifest{"libraries": []any{}, "agent_rootfs": manifest{"path": "agent-rootfs.tar", "size": 0}, "layers": []any{}},
	}
	for k, v := range more {
		m[k] = v
	}
	doc, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return seal(doc)
}

func seal(doc []byte) []byte {
	assets, _ := hex.DecodeString("28b52ffd60000303200000")
	b := append(assets, doc...)
	f := artifact.Footer{
		Version: 1, AssetsSize: uint64(len(assets)), ManifestOffset: uint64(len(assets)),
		ManifestSize: uint64(len(doc)), Checksum: crc32.ChecksumIEEE(b),
	}
	b, _ = f.AppendBinary(b)
	return b
}

func write(t testing.TB, dir, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t testing.TB) *Library {
	t.Helper()
	l, err := Open(filepath.Join(t.TempDir(), "library"))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func add(t testing.TB, l *Library, name string, more manifest) Artifact {
	t.Helper()
	a, err := l.Add(t.Context(), write(t, t.TempDir(), name, machine(t, more)), AddOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// left lists what a library's folder holds, without lock and index.
func left(t testing.TB, l *Library) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(l.dir, func(path string, _ os.DirEntry, err error) error {
		rel, _ := filepath.Rel(l.dir, path)
		if !slices.Contains([]string{".", tmpName, lockName, indexName, watchName, watchName + "/changed"}, rel) {
			out = append(out, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// sound holds index, records and files against each other.
func sound(t testing.TB, l *Library) []Artifact {
	t.Helper()
	list, err := l.List()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{}
	for _, a := range list {
		r, err := l.readRecord(a.ID)
		if err != nil || fmt.Sprint(r) != fmt.Sprint(a) {
			t.Errorf("index has %+v, record %+v (%v)", a, r, err)
		}
		want = append(want, a.ID+suffix, a.ID+recordExt)
	}
	got := left(t, l)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the folder holds %q, want %q", got, want)
	}
	names := map[string]bool{}
	for _, a := range list {
		if names[a.Name] || !legalName(a.Name) {
			t.Errorf("name %q", a.Name)
		}
		names[a.Name] = true
	}
	return list
}

// sameCRC makes two different valid artifacts with one checksum: letters of a
// field that nobody reads change case until the sums agree. CRC-32 is linear,
// so which letters is a system of equations over bits.
func sameCRC(t testing.TB) (a, b []byte) {
	t.Helper()
	const letters = 64
	doc := func(image, pad string) []byte {
		return bytes.Replace(machine(t, manifest{"image": image, "zz": "PAD"}), []byte("PAD"), []byte(pad), 1)
	}
	crc := func(b []byte) uint32 {
		return crc32.ChecksumIEEE(b[:len(b)-artifact.FooterSize])
	}
	plain := strings.Repeat("a", letters)
	a = doc("one:latest", plain)
	want, base := crc(a), crc(doc("two:latest", plain))
	type row struct{ sum, set uint64 }
	var rows []row
	for i := range letters {
		flipped := plain[:i] + "A" + plain[i+1:]
		rows = append(rows, row{uint64(crc(doc("two:latest", flipped)) ^ base), 1 << i})
	}
	goal := row{uint64(want ^ base), 0}
	for bit := range 32 {
		i := slices.IndexFunc(rows, func(r row) bool { return r.sum>>bit&1 == 1 })
		if i < 0 {
			continue
		}
		pivot := rows[i]
		rows = slices.Delete(rows, i, i+1)
		for j := range rows {
			if rows[j].sum>>bit&1 == 1 {
				rows[j].sum ^= pivot.sum
				rows[j].set ^= pivot.set
			}
		}
		if goal.sum>>bit&1 == 1 {
			goal.sum ^= pivot.sum
			goal.set ^= pivot.set
		}
	}
	pad := []byte(plain)
	for i := range pad {
		if goal.set>>i&1 == 1 {
			pad[i] = 'A'
		}
	}
	reseal := func(b []byte) []byte {
		const assets = 11
		return seal(bytes.Clone(b[assets : len(b)-artifact.FooterSize]))
	}
	a, b = reseal(a), reseal(doc("two:latest", string(pad)))
	if goal.sum != 0 || crc(a) != crc(b) || bytes.Equal(a, b) {
		t.Fatal("no collision found")
	}
	return a, b
}
