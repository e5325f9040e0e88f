package egress

import "crypto/x509"

// roots are the certificates that vouch for servers. They are asked for when
// a connection needs them, not before: most sidecars wait, and a set of them
// read is about two megabytes.
type roots func() *x509.CertPool

// with is the set with further certificates, as PEM, in it. nil stands for the
// system's.
func (r roots) with(pems ...string) *x509.CertPool {
	var pool *x509.CertPool
	if r != nil {
		pool = r()
	}
	own := false
	for _, pem := range pems {
		if pem == "" {
			continue
		}
		if !own {
			pool, own = copied(pool), true
		}
		pool.AppendCertsFromPEM([]byte(pem)) // they were read once, by readable
	}
	return pool
}

func copied(pool *x509.CertPool) *x509.CertPool {
	if pool != nil {
		return pool.Clone()
	}
	if pool, err := x509.SystemCertPool(); err == nil {
		return pool
	}
	return x509.NewCertPool()
}

// readable reports whether there are certificates in pem.
func readable(pem string) bool { return x509.NewCertPool().AppendCertsFromPEM([]byte(pem)) }
