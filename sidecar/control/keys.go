package control

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"time"
)

// Identity is one side of the data connection: a key that never leaves the
// process that made it, and the certificate by which the other side knows it.
type Identity struct {
	DER  []byte // the certificate
	cert tls.Certificate
}

// NewIdentity makes a fresh one.
func NewIdentity() (*Identity, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	// Nobody reads names or dates: a certificate is compared byte by byte.
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "bottlebar"},
		NotBefore:    time.Unix(0, 0),
		NotAfter:     time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	return &Identity{DER: der, cert: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}}, nil
}

var errStranger = errors.New("the other side is not the one that was announced")

// Server is the TLS of a sidecar that takes connections from the holder of
// the certificate client alone.
func (id *Identity) Server(client []byte) *tls.Config {
	c := id.config(client)
	c.ClientAuth = tls.RequireAnyClientCert
	return c
}

// Client is the TLS of an app that talks to the holder of the certificate
// server alone.
func (id *Identity) Client(server []byte) *tls.Config {
	c := id.config(server)
	// The usual check looks at names and issuers; ours, in VerifyConnection,
	// demands the very certificate. TLS proves that its key is at the other end.
	c.InsecureSkipVerify = true
	return c
}

func (id *Identity) config(peer []byte) *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		SessionTicketsDisabled: true,
		GetCertificate:         func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &id.cert, nil },
		GetClientCertificate:   func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &id.cert, nil },
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) != 1 || len(peer) == 0 ||
				subtle.ConstantTimeCompare(s.PeerCertificates[0].Raw, peer) != 1 {
				return errStranger
			}
			return nil
		},
	}
}
