package egress

import (
	"encoding/binary"
	"errors"
	"io"
)

const (
	maxHello    = 64 << 10  // bytes of the handshake message
	maxHelloRaw = 128 << 10 // bytes on the wire, record headers included
)

var (
	errNotTLS   = errors.New("not a TLS hello")
	errLongTLS  = errors.New("the TLS hello is too long")
	errBadHello = errors.New("the TLS hello is malformed")
)

// readHello reads the first TLS handshake message of a client (RFC 8446 §4.1.2),
// which may span records, and returns every byte it took from r together with
// the server name in it; the name is empty when the hello has none. The bytes
// are returned with an error too.
func readHello(r io.Reader) (raw []byte, sni string, err error) {
	var msg []byte
	for {
		var head [5]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return raw, "", err
		}
		raw = append(raw, head[:]...)
		n := int(binary.BigEndian.Uint16(head[3:]))
		if head[0] != 22 || head[1] != 3 || n == 0 || n > 16<<10 {
			return raw, "", errNotTLS
		}
		if len(raw)+n > maxHelloRaw {
			return raw, "", errLongTLS
		}
		at := len(raw)
		raw = append(raw, make([]byte, n)...)
		if _, err := io.ReadFull(r, raw[at:]); err != nil {
			return raw, "", err
		}
		msg = append(msg, raw[at:]...)
		if msg[0] != 1 {
			return raw, "", errNotTLS
		}
		if len(msg) < 4 {
			continue
		}
		size := int(msg[1])<<16 | int(msg[2])<<8 | int(msg[3])
		if size > maxHello {
			return raw, "", errLongTLS
		}
		if len(msg) >= 4+size {
			sni, err = helloName(msg[4 : 4+size])
			return raw, sni, err
		}
	}
}

// cursor walks over length-prefixed fields; once something does not fit, bad
// stays set and everything it returns is empty.
type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) take(n int) []byte {
	if c.bad || n > len(c.b) {
		c.bad = true
		return nil
	}
	out := c.b[:n]
	c.b = c.b[n:]
	return out
}

// number reads a big-endian number of size bytes, 1 or 2.
func (c *cursor) number(size int) int {
	n := 0
	for _, b := range c.take(size) {
		n = n<<8 | int(b)
	}
	return n
}

// vector reads a field with a length of size bytes in front.
func (c *cursor) vector(size int) []byte { return c.take(c.number(size)) }

// helloName returns the host name in the body of a ClientHello.
func helloName(body []byte) (string, error) {
	c := cursor{b: body}
	c.take(2 + 32) // version and random
	c.vector(1)    // session id
	c.vector(2)    // cipher suites
	c.vector(1)    // compression methods
	if c.bad {
		return "", errBadHello
	}
	if len(c.b) == 0 {
		return "", nil // a hello of old may end without extensions
	}
	exts := cursor{b: c.vector(2)}
	if c.bad || len(c.b) != 0 {
		return "", errBadHello
	}
	name, seen := "", false
	for len(exts.b) > 0 && !exts.bad {
		kind := exts.number(2)
		data := exts.vector(2)
		if exts.bad || kind != 0 {
			continue
		}
		if seen {
			return "", errBadHello // two names: the server may read the other one
		}
		seen = true
		var err error
		if name, err = serverName(data); err != nil {
			return "", err
		}
	}
	if exts.bad {
		return "", errBadHello
	}
	return name, nil
}

// serverName reads the server_name extension (RFC 6066 §3): a list that holds
// one host name and nothing else.
func serverName(data []byte) (string, error) {
	c := cursor{b: data}
	list := cursor{b: c.vector(2)}
	kind := list.number(1)
	name := list.vector(2)
	if c.bad || list.bad || kind != 0 || len(name) == 0 || len(list.b) != 0 || len(c.b) != 0 {
		return "", errBadHello
	}
	return string(name), nil
}
