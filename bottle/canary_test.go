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
