package images

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/image"

	"bottlebar.app/internal/enginetest"
	"bottlebar.app/internal/fault"
	"bottlebar.app/sidecar"
)

func open(t *testing.T, app string) *Store {
	t.Helper()
	e, err := sidecar.FindEngine(t.Context(), sidecar.FindOptions{Home: t.TempDir()})
	if err != nil {
		t.Fatalf("these tests need a Docker engine (make test starts one): %v", err)
	}
	s, err := Open(e, app)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestTheEnginesImagesAreListedWithoutOurs(t *testing.T) {
	ref := enginetest.Base(t)
	ours := enginetest.Base(t, "LABEL bottlebar.image=sidecar")
	s := open(t, "images-list")
	list, err := s.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	has := func(ref string) bool { return slices.ContainsFunc(list, func(i Image) bool { return i.Ref == ref }) }
	if !has(ref) || has(ours) {
		t.Errorf("listed %+v", list)
	}
	i, err := s.Get(t.Context(), ref)
	if err != nil || i.Platform == "" || i.Size < 1<<20 || !strings.HasPrefix(i.ID, "sha256:") {
		t.Errorf("%+v %v", i, err)
	}
	var b bytes.Buffer
	if err := s.Save(t.Context(), i.ID, &b); err != nil || b.Len() < 1<<20 {
		t.Errorf("saved %d bytes, %v", b.Len(), err)
	}
}

func TestWhatTheEngineRefusesHasACure(t *testing.T) {
	s := open(t, "images-refuse")
	if _, err := s.Get(t.Context(), "bottlebar-test/none:1"); err == nil || fault.Of(err).Cure == "" {
		t.Errorf("%v", err)
	}
	for text, why := range map[string]string{
		"write /var/lib/docker/tmp/x: no space left on device": "the engine's disk is full",
		"pull access denied for team/x, repository does not exist or may require 'docker login': denied: requested access to the resource is denied": "private or does not exist",
		"manifest for debian:99 not found: manifest unknown: manifest unknown":                                                                       "no image of that name and tag",
		"no matching manifest for linux/arm64/v8 in the manifest list entries":                                                                       "does not exist for this processor",
	} {
		f := fault.Of(s.failed("building the image", errors.New(text)))
		if !strings.Contains(f.Why, why) || f.Cure == "" || f.Detail != text {
			t.Errorf("%s: %+v", text, f)
		}
	}
}

func TestABuildsLeftoversGoByItsLabelAlone(t *testing.T) {
	s := open(t, "images-sweep")
	mine, other := s.Begin(), s.Begin()
	for _, b := range []*Build{mine, other} {
		var changes []string
		for k, v := range b.Labels() {
			changes = append(changes, "LABEL "+k+"="+v)
		}
		enginetest.Base(t, changes...)
	}
	count := func() int {
		list, err := s.cli.ImageList(t.Context(), image.ListOptions{All: true})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, i := range list {
			if i.Labels[sidecar.LabelApp] == "images-sweep" {
				n++
			}
		}
		return n
	}
	if n := count(); n != 2 {
		t.Fatalf("%d images to begin with", n)
	}
	if err := mine.Remove(t.Context()); err != nil || count() != 1 {
		t.Errorf("after one's removal %d are left, %v", count(), err)
	}
	foreign := open(t, "images-another")
	if err := foreign.Sweep(t.Context()); err != nil || count() != 1 {
		t.Errorf("another app's sweep left %d, %v", count(), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // what is to go goes, also at the end
	if err := s.Sweep(ctx); err != nil || count() != 0 {
		t.Errorf("the sweep left %d, %v", count(), err)
	}
}

func TestABuildIsFollowedToItsEnd(t *testing.T) {
	for in, want := range map[string]struct{ id, err, log string }{
		`{"stream":"Step 1/2"}{"stream":" : FROM x\nline"}{"stream":" two\n"}{"aux":{"ID":"sha256:1"}}{"stream":"end"}`: {"sha256:1", "", "Step 1/2 : FROM x|line two|end"},
		`{"status":"Pulling","id":"a"}{"status":"Downloading","progress":"[=>]","id":"a"}{"error":"it broke"}`:          {"", "it broke", "a Pulling|it broke"},
		`{"stream":"x\n"}`:       {"", "without an image", "x"},
		`{"stream":"x\n"} {"str`: {"", "reading the engine's answer", "x"},
	} {
		var log []string
		id, err := follow(strings.NewReader(in), func(l string) { log = append(log, l) })
		if id != want.id || (err == nil) != (want.err == "") || err != nil && !strings.Contains(err.Error(), want.err) || strings.Join(log, "|") != want.log {
			t.Errorf("%s: %q %v %q", in, id, err, log)
		}
	}
}

func FuzzFollow(f *testing.F) {
	f.Add([]byte(`{"stream":"a\nb"}{"aux":{"ID":"sha256:1"}}`))
	f.Add([]byte(`{"error":"x"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		id, err := follow(bytes.NewReader(b), func(l string) {
			if strings.Contains(l, "\n") && !bytes.Contains(b, []byte("error")) {
				t.Fatalf("%q is more than a line", l)
			}
		})
		if (id == "") == (err == nil) {
			t.Fatalf("%q with %v", id, err)
		}
	})
}
