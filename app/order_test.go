package app_test

import (
	"bytes"
	"slices"
	"sync"
	"testing"

	"bottlebar.app/control"
	"bottlebar.app/snapshot"
)

// order looks at the steps of a launch as they are told.
type order struct {
	t *testing.T

	mu    sync.Mutex
	began []string
}

func (o *order) look(b snapshot.Bottle) {
	o.mu.Lock()
	defer o.mu.Unlock()
	done := make(map[string]bool)
	for _, s := range b.Steps {
		done[s.Name] = s.State == snapshot.StepDone
	}
	for _, s := range b.Steps {
		if s.State == snapshot.StepWaiting || slices.Contains(o.began, s.Name) {
			continue
		}
		o.began = append(o.began, s.Name)
		for _, before := range map[string][]string{"start": {"sidecar", "home"}, "proof": {"start", "helper"}, "session": {"proof"}}[s.Name] {
			if !done[before] {
				o.t.Errorf("%s began before %s was done", s.Name, before)
			}
		}
	}
	if b.Session != snapshot.NoSession && b.Isolation != snapshot.Proved {
		o.t.Errorf("a session is %s while the isolation is %s", b.Session, b.Isolation)
	}
}

func (o *order) end() {
	o.t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range []string{"sidecar", "start", "proof", "session"} {
		if !slices.Contains(o.began, s) {
			o.t.Errorf("nothing was told of %s: %q", s, o.began)
		}
	}
}

// Nothing of a bottle runs before its sidecar is ready, and no session before
// the proof; also when it is resumed.
func TestTheVMStartsAfterItsSidecarAndTheSessionAfterTheProof(t *testing.T) {
	t.Parallel()
	h := newHome(t, "driver = \"process\"\n")
	h.open()
	h.add()
	launch := &order{t: t}
	b, err := h.app.Launch(t.Context(), control.LaunchRequest{Artifact: "demo"}, launch.look)
	if err != nil {
		t.Fatal(err)
	}
	launch.end()
	if err := kill(vmPID(t, h, b.ID)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the bottle to be stopped", func() bool {
		got, _ := h.bottle(b.ID)
		return got.State == snapshot.Stopped
	})
	resume := &order{t: t}
	if _, err := h.app.Resume(t.Context(), b.Name, resume.look); err != nil {
		t.Fatal(err)
	}
	resume.end()
}

// What opens a bottle's way out passes the engine on its way into the sidecar:
// at that moment its isolation is proved, at a launch, after a sleep and when
// it is resumed.
func TestThePolicyAndTheCredentialAreSentOnceTheProofHolds(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	h := newHome(t, "[[host]]\nname = \"files.example\"\n", "BOTTLEBAR_DOCKER_HOST=unix://"+e.path, "ANTHROPIC_API_KEY="+madeUpKey)
	opening := []string{madeUpKey, "files.example", `"op":"open"`}
	var mu sync.Mutex
	sent := make(map[string]int)
	e.seen = func(p []byte) {
		mu.Lock()
		defer mu.Unlock()
		for _, what := range opening {
			if !bytes.Contains(p, []byte(what)) {
				continue
			}
			sent[what]++
			for _, b := range h.app.Snapshot().Bottles {
				if b.Isolation != snapshot.Proved {
					t.Errorf("%q is sent while the isolation is %s and the bottle %s", what, b.Isolation, b.State)
				}
			}
		}
	}
	all := func(when string) {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		for _, what := range opening {
			if sent[what] == 0 {
				t.Errorf("%s: %q was not sent", when, what)
			}
		}
		clear(sent)
	}
	e.live(t, "")
	h.open()
	h.add()
	b := h.launch()
	all("at a launch")
	h.app.Woke()
	eventually(t, "the proof after a sleep", func() bool {
		got, _ := h.bottle(b.ID)
		mu.Lock()
		defer mu.Unlock()
		return got.ProvedAt.After(*b.ProvedAt) && sent[`"op":"open"`] > 0
	})
	all("after a sleep")
	resumeAfterItsEnd(t, h, b)
	all("resumed")
}
