package app_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"bottlebar.app/control"
)

// A disk that is full closes the way out: nothing is reached that is not on
// record. With room again a proof opens it.
func TestAFullDiskClosesTheWayOutUntilThereIsRoom(t *testing.T) {
	t.Parallel()
	addr, host, at := site(t)
	h := newHome(t, fmt.Sprintf("[[host]]\nname = %q\nport = %d\nprivate = true\n", host, at))
	disk := filepath.Join(h.dir, "state", "ledger")
	if err := os.MkdirAll(disk, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=6m,mode=700"); err != nil {
		t.Fatalf("this test mounts a small disk, which root may: %v", err)
	}
	t.Cleanup(func() { h.close(); _ = syscall.Unmount(disk, syscall.MNT_DETACH) })
	h.open()
	h.add()
	b := h.launch()
	if got := <-h.get(b.Name, "http://"+addr+"/"); !strings.HasPrefix(got, "reached") {
		t.Fatalf("before: %s", got)
	}
	ballast := filepath.Join(disk, "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	_ = f.Close()
	reached := 1
	eventually(t, "the way out to close", func() bool {
		if strings.HasPrefix(<-h.get(b.Name, "http://"+addr+"/"), "reached") {
			reached++
		}
		x, _ := h.bottle(b.ID)
		return x.Problem != nil && strings.Contains(x.Problem.What, "way out")
	})
	x, _ := h.bottle(b.ID)
	if !strings.Contains(x.Problem.Why, "no space left") || !strings.Contains(x.Problem.Cure, "prove") {
		t.Errorf("the problem is %+v", x.Problem)
	}
	eventually(t, "a refusal", func() bool {
		ok := strings.HasPrefix(<-h.get(b.Name, "http://"+addr+"/"), "reached")
		if ok {
			reached++
		}
		return !ok
	})
	allowed := 0
	for _, d := range h.read(b.Name, control.ActivityQuery{Host: host, Verdict: "allowed"}) {
		if d.Verdict == "allowed" {
			allowed += d.Count
		}
	}
	if allowed != reached {
		t.Errorf("reached %d times, %d on record", reached, allowed)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if _, err := h.app.Prove(t.Context(), b.Name); err != nil {
		t.Fatal(err)
	}
	if got := <-h.get(b.Name, "http://"+addr+"/"); !strings.HasPrefix(got, "reached") {
		t.Errorf("with room again: %s", got)
	}
	if x, _ := h.bottle(b.ID); x.Problem != nil {
		t.Errorf("the problem stays: %+v", x.Problem)
	}
}
