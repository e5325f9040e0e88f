package app_test

import (
	"io"
	"net"
	"testing"
	"time"

	"bottlebar.app/control"
)

func TestAForwardedPortCarriesBytesBothWays(t *testing.T) {
	t.Parallel()
	h, b := ready(t, "driver = \"process\"\n")
	h.run(b.Name, "sh", "-c", "nc -l -p 8080 -e cat >/dev/null 2>&1 & sleep 0.1; true")
	ours, theirs := net.Pipe()
	defer ours.Close()
	failed := make(chan error, 1)
	go func() {
		failed <- h.app.Forward(t.Context(), b.Name, control.ForwardRequest{Port: 8080}, theirs)
		_ = theirs.Close()
	}()
	_ = ours.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(ours, "there and back"); err != nil {
		t.Fatalf("writing: %v, %v", err, <-failed)
	}
	got := make([]byte, len("there and back"))
	if _, err := io.ReadFull(ours, got); err != nil || string(got) != "there and back" {
		t.Errorf("came back %q, %v", got, err)
	}
	_ = ours.Close()
	<-failed
	closed, other := net.Pipe()
	defer closed.Close()
	if err := h.app.Forward(t.Context(), b.Name, control.ForwardRequest{Port: 9}, other); err == nil {
		t.Error("a port that nobody listens on was reached")
	}
}

func TestPruningSparesWhatIsPinnedOrUsed(t *testing.T) {
	t.Parallel()
	h := newHome(t, "driver = \"process\"\n")
	h.open()
	a := h.add()
	if _, err := h.app.PinArtifact(t.Context(), a.Name, true); err != nil {
		t.Fatal(err)
	}
	prune := func(dry bool) control.PruneReply {
		t.Helper()
		r, err := h.app.Prune(t.Context(), control.PruneRequest{UnusedMS: 1, Dry: dry})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := prune(false); len(r.Artifacts) != 0 {
		t.Errorf("a pinned artifact went: %+v", r)
	}
	if _, err := h.app.PinArtifact(t.Context(), a.Name, false); err != nil {
		t.Fatal(err)
	}
	if r := prune(true); len(r.Artifacts) != 1 || len(h.app.Snapshot().Library) != 1 {
		t.Errorf("a dry run: %+v, %d left", r, len(h.app.Snapshot().Library))
	}
	if r := prune(false); len(r.Artifacts) != 1 || r.Bytes == 0 || len(h.app.Snapshot().Library) != 0 {
		t.Errorf("pruned %+v", r)
	}
}
