package cache

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// shelf makes n records as a library that has been used for a while has them.
func shelf(n int) []Artifact {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678901234, time.UTC)
	list := make([]Artifact, n)
	for i := range list {
		list[i] = Artifact{
			ID: fmt.Sprintf("%064x", i*7919), Name: fmt.Sprintf("artifact-%05d", i), Image: fmt.Sprintf("docker.io/library/image-%d:latest", i),
			Digest: "sha256:" + strings.Repeat("0a", 32), Platform: "linux/arm64", Size: 1 << 30, CRC: uint32(i), Entries: 8357, Unpacked: 3 << 30,
			Mode: "container", CPUs: 4, MemMiB: 8192, HasCommand: i%2 == 0, Workdir: "/home/node", Release: "1.9.3", Created: "2026-01-01T00:00:00Z",
			Origin: fmt.Sprintf("/Users/someone/Downloads/image-%d.smolmachine", i), Added: at.Add(time.Duration(i) * time.Second),
			Verified: at, ModTime: at, Rules: 1,
		}
		if i%3 == 0 {
			list[i].LastUsed = at.Add(time.Hour)
		}
		if i%10 == 0 {
			list[i].Settings = Settings{CPUs: 2, Command: []string{"claude", "a}\"b"}, Folder: "~/work"}
		}
	}
	return list
}

func TestTheIndexReadsBackAsItWasWritten(t *testing.T) {
	odd := shelf(3)
	odd[0].Image, odd[0].Problem, odd[0].Origin = "a\"b\\c\nd", "x <y> & z", "é\u2028"
	odd[1].Network, odd[1].Pinned = true, true
	odd[2] = Artifact{}
	for _, list := range [][]Artifact{{}, shelf(1), shelf(100), shelf(3000), odd} {
		data, err := encodeIndex(list)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeIndex(string(data))
		if err != nil || !reflect.DeepEqual(got, list) {
			t.Errorf("%v: %s", err, data)
		}
		var plain struct{ Artifacts []Artifact }
		if err := json.Unmarshal(data, &plain); err != nil || len(plain.Artifacts) != len(list) {
			t.Errorf("not plain JSON: %v", err)
		}
	}
}

func TestUsualRowsNeedNoSecondReader(t *testing.T) {
	for _, a := range shelf(20) {
		b, err := json.Marshal(&a)
		if err != nil {
			t.Fatal(err)
		}
		var got Artifact
		if r := (row{s: string(b)}); !r.object(&got) || !reflect.DeepEqual(got, a) {
			t.Errorf("%s", b)
		}
	}
}

// FuzzRow: where the fast reader says yes, encoding/json says the same.
func FuzzRow(f *testing.F) {
	for _, a := range shelf(20) {
		b, _ := json.Marshal(&a)
		f.Add(string(b))
	}
	f.Add(`{"id":"a","id":"b","crc":4294967296,"cpus":01,"added":"2026-01-01T00:00:00+01:00","settings":{"cpus":1}}`)
	f.Fuzz(func(t *testing.T, line string) {
		var fast, slow Artifact
		r := row{s: line}
		if !r.object(&fast) {
			return
		}
		if !json.Valid([]byte(line)) {
			return // our own file, damaged: what it says is held against the files
		}
		if err := json.Unmarshal([]byte(line), &slow); err != nil {
			t.Fatalf("%q: taken, and refused by encoding/json: %v", line, err)
		}
		for _, p := range []*time.Time{&slow.Added, &slow.LastUsed, &slow.Verified, &slow.ModTime} {
			*p = p.UTC()
		}
		if a, b := fmt.Sprintf("%+v", fast), fmt.Sprintf("%+v", slow); a != b && strings.ToValidUTF8(a, "\ufffd") == a {
			t.Fatalf("%q:\n%s\n%s", line, a, b)
		}
	})
}

// FuzzIndex: nothing makes the reader fail but with an error.
func FuzzIndex(f *testing.F) {
	for _, n := range []int{0, 1, 5} {
		b, _ := encodeIndex(shelf(n))
		f.Add(b)
	}
	f.Add([]byte(indexHead + indexTail))
	f.Add([]byte(indexHead + "\n,\n" + indexTail))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := decodeIndex(string(b))
		if err != nil {
			return
		}
		again, err := encodeIndex(list)
		if err != nil {
			return // a year that JSON cannot write
		}
		if got, err := decodeIndex(string(again)); err != nil || len(got) != len(list) {
			t.Fatalf("%d rows became %d: %v", len(list), len(got), err)
		}
	})
}

func FuzzName(f *testing.F) {
	for _, s := range []string{"a.smolmachine", "-rf", "..", "Ü b--c", "\xff\x00", strings.Repeat("x-", 60)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, name := range []string{nameOfFile(s), nameOfImage(s)} {
			if !legalName(name) {
				t.Fatalf("%q from %q", name, s)
			}
			if next := freeName(name, func(n string) bool { return n == name }); !legalName(next) || next == name {
				t.Fatalf("%q after %q", next, name)
			}
		}
	})
}
