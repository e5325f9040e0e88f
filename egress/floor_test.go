package egress

import (
	"context"
	"errors"
	"net/netip"
	"strconv"
	"testing"
	"time"
)

func TestTheFloorHoldsForAllowedNames(t *testing.T) {
	r := newRig(t, Options{Never: prefixes("10.231.0.0/28")})
	var hosts []Rule
	add := func(name string, private bool, addrs ...string) {
		r.names.addrs[name] = addrs
		hosts = append(hosts, Rule{Host: name, Private: private})
	}
	add("loop.example", false, "127.0.0.1")
	add("mapped.example", false, "::ffff:127.0.0.1")
	add("zone.example", false, "fe80::1%lo")
	add("nat.example", false, "64:ff9b::7f00:1")
	add("meta.example", false, "169.254.169.254")
	add("lan.example", false, "192.168.1.1", "10.0.0.1")
	add("loop-private.example", true, "127.0.0.1")
	add("meta-private.example", true, "169.254.169.254")
	add("gateway-private.example", true, "10.231.0.1")
	add("localhost", false, "127.0.0.1")
	r.open(Policy{Hosts: hosts})
	for _, h := range hosts {
		_, _, resp := r.tunnel(h.Host + ":443")
		if resp.StatusCode != 403 || resp.Header.Get("X-Bottle-Denied") != string(BelowFloor) {
			t.Errorf("%s: %d %s", h.Host, resp.StatusCode, resp.Header.Get("X-Bottle-Denied"))
		}
	}
	r.names.addrs["gone.example"] = nil
	r.open(Policy{Hosts: []Rule{{Host: "unknown.example"}}})
	if _, _, resp := r.tunnel("unknown.example:443"); resp.StatusCode != 502 || resp.Header.Get("X-Bottle-Denied") != string(NotResolved) {
		t.Errorf("a name without address: %d", resp.StatusCode)
	}
}

// The floor holds twice, and each time by itself: before an address is dialled,
// and for what the kernel is then asked.
func TestTheFloorHoldsBeforeTheDialAndAtTheSocket(t *testing.T) {
	addr, hits := echoServer(t)
	server := netip.MustParseAddrPort(addr)
	d := &dialer{resolver: &fakeNames{}}
	check := d.check(server.Port(), true, new(Floor))
	for _, a := range []string{"127.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.169.254", "fe80::1%lo", "64:ff9b::7f00:1"} {
		if d.above(t.Context(), netip.MustParseAddr(a), check) {
			t.Errorf("%s is dialled", a)
		}
	}
	if !d.above(t.Context(), netip.MustParseAddr("10.0.0.1"), check) || !d.above(t.Context(), netip.MustParseAddr("2606:4700::1"), check) {
		t.Error("what is above the floor is not dialled")
	}
	for _, to := range []string{addr, "localhost:" + strconv.Itoa(int(server.Port()))} {
		conn, err := guarded(check).DialContext(t.Context(), "tcp", to)
		if err == nil {
			conn.Close()
		}
		if !errors.Is(err, errFloor) {
			t.Errorf("%s by way of the dialer: %v", to, err)
		}
	}
	if hits() != 0 {
		t.Errorf("%d connections", hits())
	}
	d.exempt = map[netip.AddrPort]bool{server: true}
	conn, err := guarded(check).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatalf("the server does not answer where it may be reached: %v", err)
	}
	conn.Close()
}

func TestRebindingNamesAreAskedOnceAndDialledAsChecked(t *testing.T) {
	r := newRig(t, Options{})
	// The first answer is public, every later one is loopback: a second lookup
	// would reach it.
	r.names.flip = func(n int, _ string) []string {
		if n == 1 {
			return []string{"192.0.2.255"} // nobody is there; the dial goes there and nowhere else
		}
		return []string{"127.0.0.1"}
	}
	floor := &Floor{}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	addr, hits := echoServer(t)
	port := netip.MustParseAddrPort(addr).Port()
	conn, _, err := r.Proxy.dialer.dial(ctx, Target{Host: "rebind.example", Port: port}, true, floor)
	if err == nil {
		conn.Close()
		t.Error("dialled something")
	}
	if q := r.names.queries(); len(q) != 1 || hits() != 0 {
		t.Errorf("asked %v, %d connections", q, hits())
	}
}

func TestATranslatorOfTheNetworkHidesNoAddress(t *testing.T) {
	for _, known := range []bool{true, false} {
		r := newRig(t, Options{})
		if r.names.addrs["ipv4only.arpa"] = []string{"2a00:1234:5678::c000:aa"}; !known {
			r.names.mute = "ipv4only.arpa." // it may have one: nobody says
		}
		r.names.addrs["operator.example"] = []string{"2a00:1234:5678::7f00:1"}
		r.open(Policy{Hosts: []Rule{{Host: "operator.example"}}})
		if _, _, resp := r.tunnel("operator.example:443"); resp.StatusCode != 403 || resp.Header.Get("X-Bottle-Denied") != string(BelowFloor) {
			t.Errorf("known %v: %d %s", known, resp.StatusCode, resp.Header.Get("X-Bottle-Denied"))
		}
	}
}
