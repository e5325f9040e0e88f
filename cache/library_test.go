package cache

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"bottlebar.app/internal/atomicfile"
	"bottlebar.app/internal/fault"
)

func idOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func TestArtifactsAreFoundByNameAndByStartOfTheirID(t *testing.T) {
	l := open(t)
	a := add(t, l, "web.smolmachine", nil)
	b := add(t, l, "db.smolmachine", manifest{"cpus": 3})
	for ref, want := range map[string]string{"web": a.ID, "db": b.ID, a.ID: a.ID, a.ID[:6]: a.ID, b.ID[:12]: b.ID} {
		if got, err := l.Get(ref); err != nil || got.ID != want {
			t.Errorf("%q: %v %v", ref, got.ID, err)
		}
	}
	for _, ref := range []string{"", "we", a.ID[:5], "WEB", "nothing", "\x1b[31m", strings.Repeat("0", 64)} {
		_, err := l.Get(ref)
		var ue *UnknownError
		if !errors.As(err, &ue) || !slices.Equal(ue.Names, []string{"db", "web"}) || !strings.Contains(err.Error(), "db, web") || strings.ContainsRune(err.Error(), 0x1b) {
			t.Errorf("%q: %v", ref, err)
		}
	}
	list := []Artifact{{ID: "abcdef11", Name: "one"}, {ID: "abcdef22", Name: "two"}}
	var ue *UnknownError
	if _, err := find(list, "abcdef"); !errors.As(err, &ue) || !ue.Ambiguous || len(ue.Names) != 2 {
		t.Errorf("%v", err)
	}
	if i, err := find(list, "abcdef2"); err != nil || i != 1 {
		t.Errorf("%v %v", i, err)
	}
	if _, err := open(t).Get("x"); err == nil || !strings.Contains(err.Error(), "empty") {
		t.Errorf("%v", err)
	}
}

func TestEditsLast(t *testing.T) {
	l := open(t)
	add(t, l, "web.smolmachine", nil)
	add(t, l, "db.smolmachine", manifest{"cpus": 3})
	at := time.Date(2026, 3, 1, 12, 0, 0, 5, time.FixedZone("", 3600))
	s := Settings{Command: []string{"claude", "--x", "\"é\\ }"}, User: "node", Folder: "~/work", CPUs: 4, MemMiB: 2048, StorageGiB: 20, OverlayGiB: 5, Permission: "plan"}
	if _, err := l.Rename("web", "api"); err != nil {
		t.Fatal(err)
	}
	_, err1 := l.SetSettings("api", s)
	err2 := l.Used("api", at)
	err3 := l.Used("api", at.Add(-time.Hour)) // a late word about an earlier launch
	_, err4 := l.Pin("api", true)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	sound(t, l)
	again, err := Open(l.dir)
	if err != nil {
		t.Fatal(err)
	}
	a, err := again.Get("api")
	if err != nil || !a.LastUsed.Equal(at) || a.LastUsed.Location() != time.UTC || !a.Pinned || !slices.Equal(a.Settings.Command, s.Command) || a.Settings.Folder != "~/work" {
		t.Errorf("%+v %v", a, err)
	}
	for name, taken := range map[string]bool{"db": true, "DB": false, "": false} {
		var ne *NameError
		if _, err := again.Rename("api", name); !errors.As(err, &ne) || ne.Taken != taken {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := again.Rename("api", "api"); err != nil {
		t.Errorf("to its own name: %v", err)
	}
	var ue *UnknownError
	if _, err := again.Rename("none", "x"); !errors.As(err, &ue) {
		t.Errorf("%v", err)
	}
	sound(t, again)
}

func TestSettingsAreHeldToTheirBounds(t *testing.T) {
	for _, s := range []Settings{
		{CPUs: -1},
		{CPUs: 256},
		{MemMiB: 63},
		{MemMiB: -5},
		{StorageGiB: -1},
		{OverlayGiB: 1 << 30},
		{Permission: "yolo"},
		{Permission: "Plan"},
		{User: "Root"},
		{User: "-x"},
		{User: "a b"},
		{User: "a\nb"},
		{User: strings.Repeat("x", 40)},
		{Folder: "work"},
		{Folder: "~user/x"},
		{Folder: "/a/../b"},
		{Folder: "/a\nb"},
		{Folder: "../x"},
		{Command: []string{""}},
		{Command: []string{"a\x00"}},
		{Command: make([]string, 1000)},
	} {
		f := fault.Of(s.Validate())
		if f == nil || f.Why == "" || f.Cure == "" {
			t.Errorf("%+v: %v", s, f)
		}
	}
	for _, s := range []Settings{
		{},
		{CPUs: 1, MemMiB: 64, StorageGiB: 1, OverlayGiB: 1},
		{CPUs: 255},
		{User: "1000"},
		{User: "_apt"},
		{Folder: "/"},
		{Folder: "~"},
		{Folder: "~/a b"},
		{Permission: "bypassPermissions"},
		{Command: []string{"sh", "-c", "", "x\ny"}},
	} {
		if err := s.Validate(); err != nil {
			t.Errorf("%+v: %v", s, err)
		}
	}
}

func TestRemoveGivesBackWhatItWas(t *testing.T) {
	l := open(t)
	a := add(t, l, "web.smolmachine", nil)
	got, err := l.Remove("web")
	if err != nil || got.ID != a.ID {
		t.Errorf("%+v %v", got, err)
	}
	if got := left(t, l); len(got) != 0 {
		t.Errorf("left behind: %q", got)
	}
	var ue *UnknownError
	if _, err := l.Remove("web"); !errors.As(err, &ue) {
		t.Errorf("%v", err)
	}
}

func TestPruneSparesWhatIsPinnedUsedOrNeeded(t *testing.T) {
	l := open(t)
	for i, name := range []string{"old", "pinned", "used", "kept"} {
		add(t, l, name+".smolmachine", manifest{"cpus": i + 1})
	}
	soon := time.Now().Add(time.Hour)
	_, err := l.Pin("pinned", true)
	if err := errors.Join(err, l.Used("used", soon.Add(time.Hour))); err != nil {
		t.Fatal(err)
	}
	keep := func(a Artifact) bool { return a.Name == "kept" }
	for _, dry := range []bool{true, false} {
		gone, err := l.Prune(soon, keep, dry)
		if err != nil || len(gone) != 1 || gone[0].Name != "old" {
			t.Errorf("dry %v: %+v %v", dry, gone, err)
		}
	}
	if gone, err := l.Prune(soon, keep, false); err != nil || len(gone) != 0 {
		t.Errorf("again: %+v %v", gone, err)
	}
	if len(sound(t, l)) != 3 {
		t.Error("not three left")
	}
}

func TestVerifyFindsDamageAndSaysSoUntilItIsHealed(t *testing.T) {
	l := open(t)
	b := machine(t, nil)
	a, err := l.Add(t.Context(), write(t, t.TempDir(), "web.smolmachine", b), AddOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := l.Verify(t.Context(), "web", nil); err != nil || got.Problem != "" || got.Verified.Before(a.Verified) {
		t.Fatalf("%+v %v", got, err)
	}
	scribble(t, l.Path(a), b)
	var de *DamagedError
	got, err := l.Verify(t.Context(), "web", nil)
	if !errors.As(err, &de) || got.Problem == "" || de.Cure() == "" {
		t.Errorf("%+v %v", got, err)
	}
	if got, _ := l.Get("web"); got.Problem == "" {
		t.Error("the damage is not recorded")
	}
	if err := errors.Join(os.Remove(l.Path(a)), os.WriteFile(l.Path(a), b, 0o400)); err != nil {
		t.Fatal(err)
	}
	if got, err := l.Verify(t.Context(), "web", nil); err != nil || got.Problem != "" {
		t.Errorf("healed: %+v %v", got, err)
	}
	if err := os.Remove(l.Path(a)); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Verify(t.Context(), "web", nil); !errors.As(err, &de) || !strings.Contains(de.Why, "gone") {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	add(t, l, "db.smolmachine", manifest{"cpus": 3})
	if got, err := l.Verify(ctx, "db", nil); !errors.Is(err, context.Canceled) || got.Problem != "" {
		t.Errorf("a cancelled look found %+v %v", got, err)
	}
}

func TestReadyLooksAgainWhenTheFileIsNotAsItWas(t *testing.T) {
	l := open(t)
	b := machine(t, nil)
	a, err := l.Add(t.Context(), write(t, t.TempDir(), "web.smolmachine", b), AddOptions{})
	if err != nil {
		t.Fatal(err)
	}
	looks := 0
	look := func(Progress) { looks++ }
	if _, err := l.Ready(t.Context(), "web", look); err != nil || looks != 0 {
		t.Errorf("%d looks, %v", looks, err)
	}
	if err := os.Chtimes(l.Path(a), time.Time{}, time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Ready(t.Context(), "web", look); err != nil || looks == 0 {
		t.Errorf("touched: %d looks, %v", looks, err)
	}
	looks = 0
	if _, err := l.Ready(t.Context(), "web", look); err != nil || looks != 0 {
		t.Errorf("after that: %d looks, %v", looks, err)
	}
	scribble(t, l.Path(a), b)
	var de *DamagedError
	if _, err := l.Ready(t.Context(), "web", nil); !errors.As(err, &de) {
		t.Errorf("%v", err)
	}
}

func TestTheIndexIsMadeAgainFromTheFiles(t *testing.T) {
	l := open(t)
	web, db := add(t, l, "web.smolmachine", nil), add(t, l, "db.smolmachine", manifest{"cpus": 3})
	if _, err := l.SetSettings("web", Settings{CPUs: 5}); err != nil {
		t.Fatal(err)
	}
	index := filepath.Join(l.dir, indexName)
	whole, err := os.ReadFile(index)
	if err != nil {
		t.Fatal(err)
	}
	damages := map[string]func() error{
		"lost":     func() error { return os.Remove(index) },
		"empty":    func() error { return os.WriteFile(index, nil, 0o600) },
		"cut":      func() error { return os.WriteFile(index, whole[:len(whole)/2], 0o600) },
		"garbage":  func() error { return os.WriteFile(index, []byte("\x00\xff{"), 0o600) },
		"a folder": func() error { return errors.Join(os.Remove(index), os.Mkdir(index, 0o700), os.Remove(index)) },
		"behind":   func() error { return atomicfile.Write(filepath.Join(l.dir, pendingName), nil, 0) },
		"other row": func() error {
			return os.WriteFile(index, []byte(strings.Replace(string(whole), `"name"`, `"nome`, 1)), 0o600)
		},
	}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			if err := damage(); err != nil {
				t.Fatal(err)
			}
			list := sound(t, l)
			if len(list) != 2 || list[1].Settings.CPUs != 5 {
				t.Errorf("%+v", list)
			}
		})
	}
	t.Run("a record that the index does not know", func(t *testing.T) {
		r, err := l.readRecord(web.ID)
		if err != nil {
			t.Fatal(err)
		}
		r.Name = "renamed"
		err = errors.Join(atomicfile.Write(filepath.Join(l.dir, pendingName), nil, 0), atomicfile.WriteJSON(l.record(web.ID), &r))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Get("renamed"); err != nil {
			t.Errorf("%v", err)
		}
		sound(t, l)
	})
	t.Run("a file that went", func(t *testing.T) {
		if err := os.Remove(l.Path(db)); err != nil {
			t.Fatal(err)
		}
		again, err := Open(l.dir)
		if err != nil {
			t.Fatal(err)
		}
		if list := sound(t, again); len(list) != 1 {
			t.Errorf("%+v", list)
		}
	})
}

func TestAFileWhoseRecordIsLostIsReadAgain(t *testing.T) {
	l := open(t)
	a := add(t, l, "web.smolmachine", manifest{"image": "example.com/thing:1"})
	for name, damage := range map[string]func() error{
		"lost":           func() error { return os.Remove(l.record(a.ID)) },
		"damaged":        func() error { return os.WriteFile(l.record(a.ID), []byte("{"), 0o600) },
		"of another":     func() error { return os.WriteFile(l.record(a.ID), []byte(`{"id":"x","name":"web"}`), 0o600) },
		"with bad names": func() error { return os.WriteFile(l.record(a.ID), []byte(`{"id":"`+a.ID+`","name":"../x"}`), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			if err := errors.Join(damage(), os.Remove(filepath.Join(l.dir, indexName))); err != nil {
				t.Fatal(err)
			}
			again, err := Open(l.dir)
			if err != nil {
				t.Fatal(err)
			}
			list := sound(t, again)
			if len(list) != 1 || list[0].Name != "thing" || list[0].Problem == "" {
				t.Fatalf("%+v", list)
			}
			if err := again.Rebuild(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			if got, err := again.Get("thing"); err != nil || got.Problem != "" || !got.trusted() || got.CPUs != 2 {
				t.Errorf("%+v %v", got, err)
			}
			if _, err := again.Ready(t.Context(), "thing", nil); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("and the file is no artifact", func(t *testing.T) {
		id := strings.Repeat("ab", 32)
		write(t, l.dir, id+suffix, []byte("not what it says"))
		again, err := Open(l.dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := again.Rebuild(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		got, err := again.Get(id)
		if err != nil || got.Problem == "" {
			t.Errorf("%+v %v", got, err)
		}
		if _, err := again.Remove(id); err != nil {
			t.Error(err)
		}
	})
}

func TestStrangersInTheFolderAreLeftAlone(t *testing.T) {
	l := open(t)
	add(t, l, "web.smolmachine", nil)
	for _, name := range []string{".DS_Store", "notes.txt", "other.smolmachine", "x.json"} {
		write(t, l.dir, name, []byte("x"))
	}
	again, err := Open(l.dir)
	if err != nil {
		t.Fatal(err)
	}
	if list, err := again.List(); err != nil || len(list) != 1 {
		t.Errorf("%+v %v", list, err)
	}
	if _, err := os.Stat(filepath.Join(l.dir, "notes.txt")); err != nil {
		t.Error(err)
	}
}
