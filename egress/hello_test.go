package egress

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
)

// realHello is what Go's own client sends for a name.
func realHello(t testing.TB, name string) []byte {
	t.Helper()
	ours, theirs := net.Pipe()
	defer ours.Close()
	go func() {
		tls.Client(theirs, &tls.Config{ServerName: name, InsecureSkipVerify: true}).Handshake()
	}()
	var head [5]byte
	if _, err := io.ReadFull(ours, head[:]); err != nil {
		t.Fatal(err)
	}
	rest := make([]byte, binary.BigEndian.Uint16(head[3:]))
	if _, err := io.ReadFull(ours, rest); err != nil {
		t.Fatal(err)
	}
	return append(head[:], rest...)
}

// split cuts a hello's message into records of n bytes.
func split(record []byte, n int) []byte {
	var out []byte
	for msg := record[5:]; len(msg) > 0; {
		k := min(n, len(msg))
		out = append(out, 22, 3, 1, byte(k>>8), byte(k))
		out = append(out, msg[:k]...)
		msg = msg[k:]
	}
	return out
}

// hello builds a record with the given extensions.
func hello(exts ...[]byte) []byte {
	body := append([]byte{3, 3}, make([]byte, 32)...)
	body = append(body, 0, 0, 2, 0x13, 0x01, 1, 0)
	all := bytes.Join(exts, nil)
	body = binary.BigEndian.AppendUint16(body, uint16(len(all)))
	body = append(body, all...)
	msg := append([]byte{1, byte(len(body) >> 16), byte(len(body) >> 8), byte(len(body))}, body...)
	return append([]byte{22, 3, 1, byte(len(msg) >> 8), byte(len(msg))}, msg...)
}

// behind adds a byte behind the extensions of a hello, within its message.
func behind(record []byte) []byte {
	out := append(bytes.Clone(record), 0)
	binary.BigEndian.PutUint16(out[3:], uint16(len(out)-5))
	binary.BigEndian.PutUint16(out[7:], uint16(len(out)-9)) // the lower bytes of its length
	return out
}

func sniExt(names ...string) []byte {
	var list []byte
	for _, n := range names {
		list = append(list, 0)
		list = binary.BigEndian.AppendUint16(list, uint16(len(n)))
		list = append(list, n...)
	}
	e := []byte{0, 0}
	e = binary.BigEndian.AppendUint16(e, uint16(len(list)+2))
	e = binary.BigEndian.AppendUint16(e, uint16(len(list)))
	return append(e, list...)
}

func TestHelloReaderFindsTheNameAndKeepsEveryByte(t *testing.T) {
	real := realHello(t, "allowed.example")
	for name, in := range map[string][]byte{
		"one record": real, "records of 1": split(real, 1), "records of 7": split(real, 7), "records of 100": split(real, 100),
		"built by hand": hello([]byte{0, 10, 0, 0}, sniExt("allowed.example")),
	} {
		for _, tail := range []string{"", "more bytes"} {
			r := bytes.NewReader(append(bytes.Clone(in), tail...))
			raw, sni, err := readHello(r)
			if err != nil || sni != "allowed.example" || !bytes.Equal(raw, in) || r.Len() != len(tail) {
				t.Errorf("%s: %q, %v, %d of %d bytes, %d left", name, sni, err, len(raw), len(in), r.Len())
			}
		}
	}
	if _, sni, err := readHello(bytes.NewReader(hello())); err != nil || sni != "" {
		t.Errorf("without a name: %q, %v", sni, err)
	}
}

func TestHelloReaderRefusesWhatIsNoPlainHello(t *testing.T) {
	long := hello(append([]byte{0xff, 0xff, 0xff, 0x00}, make([]byte, 0xff00)...))
	huge := []byte{22, 3, 1, 0, 4, 1, 2, 0, 0}
	for name, c := range map[string]struct {
		in   []byte
		want error
	}{
		"http":              {[]byte("GET / HTTP/1.1\r\n\r\n"), errNotTLS},
		"ssh":               {[]byte("SSH-2.0-OpenSSH_9.6\r\n"), errNotTLS},
		"alert":             {[]byte{21, 3, 1, 0, 2, 2, 40}, errNotTLS},
		"application data":  {[]byte{23, 3, 3, 0, 1, 0}, errNotTLS},
		"empty record":      {[]byte{22, 3, 1, 0, 0, 1}, errNotTLS},
		"huge record":       {[]byte{22, 3, 1, 0x40, 1, 1}, errNotTLS},
		"version 2":         {[]byte{22, 2, 0, 0, 1, 1}, errNotTLS},
		"server hello":      {[]byte{22, 3, 3, 0, 4, 2, 0, 0, 0}, errNotTLS},
		"too long":          {huge, errLongTLS},
		"tiny records":      {split(long, 1), errLongTLS},
		"two names":         {hello(sniExt("a.example", "b.example")), errBadHello},
		"two extensions":    {hello(sniExt("a.example"), sniExt("b.example")), errBadHello},
		"empty name":        {hello(sniExt("")), errBadHello},
		"empty extension":   {hello([]byte{0, 0, 0, 0}), errBadHello},
		"other kind":        {hello([]byte{0, 0, 0, 6, 0, 4, 1, 0, 1, 'x'}), errBadHello},
		"list beyond end":   {hello([]byte{0, 0, 0, 6, 0, 9, 0, 0, 1, 'x'}), errBadHello},
		"bytes behind list": {hello([]byte{0, 0, 0, 7, 0, 4, 0, 0, 1, 'x', 'y'}), errBadHello},
		"bytes behind all":  {behind(hello(sniExt("a.example"))), errBadHello},
		"data as a hello":   {append([]byte{23}, hello(sniExt("a.example"))[1:]...), errNotTLS},
		"cut extension":     {hello([]byte{0, 0, 0, 9}), errBadHello},
		"cut in the header": {[]byte{22, 3}, io.ErrUnexpectedEOF},
		"cut in the record": {realHello(t, "x.example")[:40], io.ErrUnexpectedEOF},
		"nothing":           {nil, io.EOF},
	} {
		raw, _, err := readHello(bytes.NewReader(c.in))
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if len(raw) > maxHelloRaw+5 {
			t.Errorf("%s: kept %d bytes", name, len(raw))
		}
	}
}

func FuzzHello(f *testing.F) {
	real := realHello(f, "allowed.example")
	f.Add(real)
	f.Add(split(real, 3))
	f.Add(hello(sniExt("a"), sniExt("b")))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		raw, sni, err := readHello(bytes.NewReader(in))
		if !bytes.HasPrefix(in, raw[:min(len(raw), len(in))]) || len(raw) > maxHelloRaw+5 {
			t.Fatalf("kept %d bytes of %d that were not there", len(raw), len(in))
		}
		if err == nil && sni != "" && !strings.Contains(string(raw), sni) && len(raw) < 16<<10 {
			// A name that is split over records cannot be found in one piece.
			if bytes.Count(raw, []byte{22, 3}) < 2 {
				t.Fatalf("the name %q is not in the bytes", sni)
			}
		}
	})
}
