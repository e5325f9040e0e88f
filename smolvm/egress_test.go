package smolvm

import (
	"errors"
	"testing"
	"time"
)

func TestEgressEventsAreReadWhereTheyExist(t *testing.T) {
	args := []string{"machine", "egress-events", "--name", "m", "--json"}
	at := time.Date(2026, 8, 21, 10, 0, 0, 0, time.UTC)
	c, _ := scripted(t, "1.9.3", reply{Args: args, Stdout: `[
		{"timestamp":"2026-08-21T10:00:00Z","operation":"connect","dest":"10.0.0.1:443"},
		{"timestamp":1787306400,"operation":"resolve","dest":"x.example","more":1},
		{"timestamp":null,"operation":"connect","dest":"y"}]`})
	got, err := c.EgressEvents(t.Context(), "m")
	if err != nil || len(got) != 3 || got[0] != (EgressEvent{at, "connect", "10.0.0.1:443"}) || !got[1].At.Equal(at) || !got[2].At.IsZero() {
		t.Errorf("%+v, %v", got, err)
	}
	c, calls := scripted(t, "1.8.0")
	if _, err := c.EgressEvents(t.Context(), "m"); !errors.Is(err, ErrUnsupported) || len(calls()) != 0 {
		t.Error(err)
	}
}

func FuzzParseEgress(f *testing.F) {
	f.Add([]byte(`[{"timestamp":1e300,"operation":"connect","dest":"x"}]`))
	f.Add([]byte(`null`))
	f.Fuzz(func(_ *testing.T, data []byte) { _, _ = parseEgress(data) })
}
