package hop

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// SecretSize is the length of the secret that binds a session to one start
// of a machine.
const SecretSize = 32

// NewSecret makes a secret.
func NewSecret() []byte {
	b := make([]byte, SecretSize)
	_, _ = rand.Read(b) // never fails
	return b
}

// The handshake, before any byte reaches the multiplexer. Both ends prove
// the secret over both challenges; labels keep one proof from serving as
// another.
//
//	host  → guest: magic, version, host challenge
//	guest → host:  magic, version, guest challenge, proof("guest")
//	host  → guest: verdict, proof("host" + verdict)
const (
	magic            = "BHOP"
	protocol    byte = 1
	nonceSize        = 32
	helloSize        = len(magic) + 1 + nonceSize
	verdictGo   byte = 'y'
	verdictBusy byte = 'b' // another session is alive

	handshakeTimeout = 5 * time.Second
)

// Errors of the handshake.
var (
	ErrBusy    = errors.New("another session of this bottle is alive")
	ErrProof   = errors.New("the other end does not know the secret")
	ErrNoHello = errors.New("the other end does not speak this protocol")
)

func proof(secret []byte, label string, host, guest []byte) []byte {
	m := hmac.New(sha256.New, secret)
	fmt.Fprintf(m, "bottlebar hop %d %s\n", protocol, label)
	m.Write(host)
	m.Write(guest)
	return m.Sum(nil)
}

func hello(challenge []byte) []byte {
	return append(append([]byte(magic), protocol), challenge...)
}

func readHello(r io.Reader) ([]byte, error) {
	b := make([]byte, helloSize)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(b, []byte(magic)) {
		return nil, ErrNoHello
	}
	if v := b[len(magic)]; v != protocol {
		return nil, fmt.Errorf("%w: it speaks version %d, this is %d", ErrNoHello, v, protocol)
	}
	return b[len(magic)+1:], nil
}

// greetGuest is the host's half. admit is asked once the guest has proved
// itself; false tells it that another session is alive.
func greetGuest(conn net.Conn, secret []byte, admit func() bool) error {
	if len(secret) != SecretSize {
		return fmt.Errorf("a secret has %d bytes, this one %d", SecretSize, len(secret))
	}
	_ = conn.SetDeadline(time.Now().Add(handshakeTimeout))
	ours := NewSecret()
	if _, err := conn.Write(hello(ours)); err != nil {
		return err
	}
	theirs, err := readHello(conn)
	if err != nil {
		return err
	}
	sum := make([]byte, sha256.Size)
	if _, err := io.ReadFull(conn, sum); err != nil {
		return err
	}
	if !hmac.Equal(sum, proof(secret, "guest", ours, theirs)) {
		return ErrProof
	}
	verdict := verdictGo
	if !admit() {
		verdict = verdictBusy
	}
	_ = conn.SetDeadline(time.Now().Add(handshakeTimeout))
	out := append([]byte{verdict}, proof(secret, "host "+string(verdict), ours, theirs)...)
	if _, err := conn.Write(out); err != nil {
		return err
	}
	if verdict == verdictBusy {
		return ErrBusy
	}
	return conn.SetDeadline(time.Time{})
}

// greetHost is the guest's half.
func greetHost(conn net.Conn, secret []byte) error {
	_ = conn.SetDeadline(time.Now().Add(handshakeTimeout))
	theirs, err := readHello(conn)
	if err != nil {
		return err
	}
	ours := NewSecret()
	if _, err := conn.Write(append(hello(ours), proof(secret, "guest", theirs, ours)...)); err != nil {
		return err
	}
	b := make([]byte, 1+sha256.Size)
	if _, err := io.ReadFull(conn, b); err != nil {
		return err
	}
	if !hmac.Equal(b[1:], proof(secret, "host "+string(b[:1]), theirs, ours)) {
		return ErrProof
	}
	switch b[0] {
	case verdictGo:
		return conn.SetDeadline(time.Time{})
	case verdictBusy:
		return ErrBusy
	}
	return ErrNoHello
}
