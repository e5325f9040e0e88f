package cache

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

const someDigest = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

func TestWhatWasPackedBeforeIsNotPackedAgain(t *testing.T) {
	l := open(t)
	p := &packer{b: machine(t, manifest{"digest": someDigest})}
	o := PackOptions{Image: "node:22", Source: Source{Digest: someDigest, CPUs: 2}}
	a, err := l.Pack(t.Context(), p, o, nil)
	if err != nil || a.Source != (Source{Kind: FromRegistry, Ref: "node:22", Digest: someDigest, CPUs: 2}) {
		t.Fatalf("%+v %v", a.Source, err)
	}
	none := &packer{err: errors.New("packed again")}
	b, err := l.Pack(t.Context(), none, o, nil)
	if !errors.Is(err, ErrDuplicate) || b.ID != a.ID || none.base != "" {
		t.Errorf("the same: %+v %v", b, err)
	}
	// The record outlives this process.
	again, err := Open(l.dir)
	if err != nil {
		t.Fatal(err)
	}
	if b, found, err := again.Find(o.Source, ""); err != nil || !found || b.ID != a.ID {
		t.Errorf("after opening again: %v %v", found, err)
	}
	for what, s := range map[string]Source{
		"another digest":  {Digest: "sha256:" + someDigest[8:] + "0", CPUs: 2},
		"other options":   {Digest: someDigest, CPUs: 3},
		"nothing known":   {Kind: FromRegistry, Ref: "node:22", CPUs: 2},
		"a recipe's name": {Kind: FromRecipe, Recipe: "node", CPUs: 2},
	} {
		if _, found, err := l.Find(s, ""); err != nil || found {
			t.Errorf("%s is taken for it: %v", what, err)
		}
	}
	if _, found, _ := l.Find(o.Source, "linux/other"); found {
		t.Error("another processor's is taken for it")
	}
	o.Again = true
	if _, err := l.Pack(t.Context(), none, o, nil); err == nil || none.base == "" {
		t.Errorf("not packed when asked to: %v", err)
	}
}

// A file may claim to be any image; only what this library packed counts.
func TestAFilesClaimIsNoSource(t *testing.T) {
	l := open(t)
	file := filepath.Join(t.TempDir(), "evil.smolmachine")
	if err := os.WriteFile(file, machine(t, manifest{"digest": someDigest}), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := l.Add(t.Context(), file, AddOptions{})
	if err != nil || a.Digest != someDigest || a.Source != (Source{}) {
		t.Fatalf("%+v %v", a, err)
	}
	if _, found, err := l.Find(Source{Digest: someDigest}, ""); err != nil || found {
		t.Errorf("taken for what it claims: %v", err)
	}
}

func TestATagThatMovedIsNotedAsWhatWasPacked(t *testing.T) {
	l := open(t)
	p := &packer{b: machine(t, manifest{"digest": someDigest})}
	a, err := l.Pack(t.Context(), p, PackOptions{Image: "node:22", Source: Source{Digest: "sha256:" + someDigest[8:] + "1"}}, nil)
	if err != nil || a.Source.Digest != someDigest {
		t.Errorf("%+v %v", a.Source, err)
	}
}

func TestWhatIsPackedIsVettedAsAnyFileIs(t *testing.T) {
	l := open(t)
	b := machine(t, nil)
	b[len(b)/2] ^= 1
	if _, err := l.Pack(t.Context(), &packer{b: b}, PackOptions{Image: "node:22"}, nil); err == nil {
		t.Error("a damaged file entered by way of a pack")
	}
	if got := left(t, l); len(got) != 0 {
		t.Errorf("left behind: %q", got)
	}
}
