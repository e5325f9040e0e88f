package bottle

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"

	"bottlebar.app/egress"
	"bottlebar.app/sidecar"
	"bottlebar.app/snapshot"
)

// Whoever asks one of the proof's listeners learns its nonce, whatever is asked.
func TestCanariesListenOnSingleAddressesAndAnswerOnlyTheirNonce(t *testing.T) {
	c, err := openCanaries(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	addrs := c.addrs()
	for _, a := range addrs {
		if a.Addr().IsUnspecified() || !a.Addr().IsValid() {
			t.Errorf("a listener on %s", a)
		}
		for _, ask := range []string{"", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "SSH-2.0-x\r\n"} {
			conn, err := net.Dial("tcp", a.String())
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.WriteString(conn, ask)
			// What was asked is not read: the end may come as a reset.
			got, _ := io.ReadAll(conn)
			if len(got) > 0 && string(got) != c.nonce {
				t.Errorf("%q was answered %q", ask, got)
			}
			_ = conn.Close()
		}
	}
	c.close()
	for _, a := range addrs {
		if conn, err := net.Dial("tcp", a.String()); err == nil {
			_ = conn.Close()
			t.Errorf("%s answers after its proof", a)
		}
	}
}

// The policy and the credential follow the proof: until it holds, nobody even
// looks them up.
func TestWithoutAProofNothingIsLookedUpThatLetsABottleOut(t *testing.T) {
	for _, state := range []snapshot.Isolation{snapshot.Unproved, snapshot.ProofFailed} {
		asked := false
		b := newBottle(&Rack{cfg: Config{Credential: func(context.Context) (*egress.Credential, error) {
			asked = true
			return nil, nil
		}}}, &entry{})
		b.isolation = state
		if err := b.letOut(t.Context(), &live{}); err == nil || !strings.Contains(err.Error(), "not proved") || asked {
			t.Errorf("%s: %v, the credential was asked for: %v", state, err, asked)
		}
	}
}

// A change of the policy that began before a sleep must not reach a sidecar that
// is being proved again: its door opens before the proof is whole.
func TestAChangeOfThePolicyReachesNoBottleThatIsNotProved(t *testing.T) {
	for _, state := range []snapshot.Isolation{snapshot.Unproved, snapshot.ProofFailed} {
		b := newBottle(&Rack{cfg: Config{Policies: silent{t}}}, &entry{})
		b.isolation = state
		if err := b.applyPolicy(t.Context(), &live{car: new(sidecar.Sidecar)}); err != nil {
			t.Errorf("%s: %v", state, err)
		}
	}
}

// silent are policies that nobody may ask for.
type silent struct{ t *testing.T }

func (s silent) Begin(_, _, _ string, _ OwnPolicy) error { return nil }
func (s silent) Of(_, _, _ string) egress.Policy {
	s.t.Fatal("the policy was looked up")
	return egress.Policy{}
}
func (s silent) Slept()        {}
func (s silent) Forget(string) {}

// The guest learns the name during the proof: a few lines are the proof's, and
// more of them are like any other refusal.
func TestTheNameOfAProofFillsNoRecord(t *testing.T) {
	b := one(t)
	b.probing.expect("nonce.example.com")
	for range 20 {
		d := refused("nonce.example.com")
		d.Canary = true
		b.record(nil, nil, d)
	}
	kinds := map[string]int{}
	for _, d := range b.Activity() {
		kinds[d.Kind] += d.Count
	}
	if kinds["probe"] != probeLines || kinds["connect"] != 20-probeLines || len(kinds) != 2 {
		t.Errorf("kinds: %v", kinds)
	}
}
