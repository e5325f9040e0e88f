package bottle

import (
	"io"
	"net"
	"testing"
)

func TestCanariesCountOnlyStrangers(t *testing.T) {
	c, err := openCanaries(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	if n := c.touched.Load(); n != 0 {
		t.Fatalf("the host's own check counted as %d touches", n)
	}
	conn, err := net.Dial("tcp", c.addrs()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	got, _ := io.ReadAll(conn)
	if string(got) != c.nonce {
		t.Errorf("canary answered %q", got)
	}
	if n := c.touched.Load(); n != 1 {
		t.Errorf("%d touches after one stranger", n)
	}
}

// strayed is a listener whose address this computer does not have any more.
type strayed struct{ net.Listener }

func (strayed) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(240, 0, 0, 1), Port: 9} }

func TestACanaryWhoseAddressWentAwayIsNoFailure(t *testing.T) {
	c, err := openCanaries(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	n := len(c.listeners)
	c.listeners = append(c.listeners, strayed{l})
	if err := c.check(t.Context()); err != nil {
		t.Error(err)
	}
	if len(c.listeners) != n {
		t.Errorf("%d canaries, want %d", len(c.listeners), n)
	}
	// One that does not answer on an address that is here is a failure.
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = dead.Close()
	c.listeners = append(c.listeners, dead)
	if c.check(t.Context()) == nil {
		t.Error("a canary that does not answer was taken")
	}
}
