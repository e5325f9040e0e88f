package inside

import (
	"crypto/x509"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// roots are the program's own, the same with every driver: an image of one file
// has none, and a confined process can neither read the system's nor ask for
// them. What a company adds comes with the policy.
func roots() *x509.CertPool {
	pool := x509.NewCertPool()
	for r := range bundle.Roots() {
		c, err := x509.ParseCertificate(r.Certificate)
		if err != nil {
			continue // what this version of the library cannot read vouches for nobody
		}
		if r.Constraint == nil {
			pool.AddCert(c)
		} else {
			pool.AddCertWithConstraint(c, r.Constraint)
		}
	}
	return pool
}
