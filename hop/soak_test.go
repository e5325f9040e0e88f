package hop

import (
	"os"
	"testing"
	"time"
)

// soak is how long the tests in real time go on: a second, or what
// BOTTLEBAR_SOAK says, as `make soak` does.
func soak(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("BOTTLEBAR_SOAK")
	if text == "" {
		return time.Second
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("BOTTLEBAR_SOAK: %v", err)
	}
	return d
}

// Real sockets and the real clock: a pipe that closes after 30 s of silence
// stays open, and is the same session at the end.
func TestSilenceInRealTimeDoesNotEndTheSession(t *testing.T) {
	d := soak(t)
	for kind, idle := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			h := newHostFor(t, d+time.Minute)
			h.helper(h.through(idle))
			s := h.session()
			select {
			case <-s.Done():
				t.Fatal(s.Err())
			case <-time.After(d):
			}
			if err := echoed(h.ctx, s, 1<<20); err != nil {
				t.Error(err)
			}
		})
	}
}
