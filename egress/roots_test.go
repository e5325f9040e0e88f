package egress

import (
	"crypto/x509"
	"sync/atomic"
	"testing"
)

func TestTheSetOfRootsIsReadWhenAServerIsReachedAndIsTheOnlyOne(t *testing.T) {
	u := newUpstream(t)
	for _, known := range []bool{true, false} {
		var read atomic.Int32
		r := newRig(t, Options{Roots: func() *x509.CertPool {
			read.Add(1)
			pool := x509.NewCertPool()
			if known {
				pool.AddCert(u.Certificate())
			}
			return pool
		}})
		r.open(Policy{API: &API{Upstream: u.URL}})
		r.SetCredential(&Credential{APIKey, theKey, placeholder})
		if n := read.Load(); n != 0 {
			t.Errorf("read %d times before anything is asked", n)
		}
		resp, _ := r.send(message(placeholder, ""))
		if want := map[bool]int{true: 200, false: 502}[known]; resp.StatusCode != want {
			t.Errorf("with the server's root %v: %d, want %d", known, resp.StatusCode, want)
		}
		if read.Load() == 0 {
			t.Error("never read")
		}
	}
	if n := u.count(); n != 1 {
		t.Errorf("%d requests arrived, one of them with a credential for a stranger", n)
	}
}
