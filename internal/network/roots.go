package network

import (
	"crypto/x509"
	"encoding/pem"
	"strings"
)

// maxRoots bounds what is handed on.
const maxRoots = 100

// Roots picks from certificates in PEM those that can be a root: a
// certification authority that signs itself, and that trusted says yes to.
// Each is returned once, as PEM, with how many there are.
func Roots(text []byte, trusted func(*x509.Certificate) bool) (string, int) {
	var out strings.Builder
	seen := map[string]bool{}
	for len(seen) < maxRoots {
		var b *pem.Block
		if b, text = pem.Decode(text); b == nil {
			break
		}
		if b.Type != "CERTIFICATE" || seen[string(b.Bytes)] {
			continue
		}
		c, err := x509.ParseCertificate(b.Bytes)
		if err != nil || !c.IsCA || c.CheckSignatureFrom(c) != nil || !trusted(c) {
			continue
		}
		seen[string(b.Bytes)] = true
		_ = pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: b.Bytes})
	}
	return out.String(), len(seen)
}
