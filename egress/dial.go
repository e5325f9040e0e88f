package egress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Resolver turns names into addresses; *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

const (
	resolveTimeout = 5 * time.Second
	dialTimeout    = 10 * time.Second
	nat64Keep      = 10 * time.Minute
)

var (
	errNoAddress = errors.New("the name has no address")
	errNoAnswer  = errors.New("nobody answered there")
)

// dialer connects to targets that a policy allowed, above the floor.
type dialer struct {
	resolver Resolver
	roots    roots
	// exempt are addresses that tests may reach below the floor.
	exempt map[netip.AddrPort]bool
	// way is nil until one is set: straight out.
	way     atomic.Pointer[way]
	unknown unknown

	mu      sync.Mutex
	learned []netip.Prefix // see nat64
	asked   time.Time
}

// dial connects to t by the way out that is set. The address is the one that t
// was judged by; behind a proxy there may be none.
func (d *dialer) dial(ctx context.Context, t Target, priv bool, floor *Floor) (net.Conn, netip.Addr, error) {
	if w := d.way.Load(); w.carries(t) {
		return d.through(ctx, w, t, priv, floor)
	}
	return d.straight(ctx, t, priv, floor)
}

// straight resolves t once, drops what is below the floor, and connects to one
// of the very addresses it looked at: there is no second lookup that could
// answer something else. What the kernel is asked for is checked once more.
func (d *dialer) straight(ctx context.Context, t Target, priv bool, floor *Floor) (net.Conn, netip.Addr, error) {
	addrs, err := d.lookup(ctx, t)
	if err != nil {
		return nil, netip.Addr{}, err
	}
	check := d.check(t.Port, priv, floor)
	nd := guarded(check)
	last := errFloor
	for _, a := range addrs {
		if !d.above(ctx, a, check) {
			continue
		}
		conn, err := nd.DialContext(ctx, "tcp", netip.AddrPortFrom(plain(a), t.Port).String())
		if err == nil {
			return conn, plain(a), nil // a *net.TCPConn, which the kernel can splice
		}
		if errors.Is(err, errFloor) {
			continue
		}
		last = fmt.Errorf("%w: %w", errNoAnswer, err)
	}
	return nil, netip.Addr{}, last
}

// check is the floor for one port.
func (d *dialer) check(port uint16, priv bool, floor *Floor) func(netip.Addr) error {
	return func(a netip.Addr) error {
		if d.exempt[netip.AddrPortFrom(plain(a), port)] {
			return nil
		}
		return floor.checkPlace(a, port, priv)
	}
}

// above reports whether a may be reached, also behind a translator.
func (d *dialer) above(ctx context.Context, a netip.Addr, check func(netip.Addr) error) bool {
	return check(a) == nil && !(a.Is6() && d.embeds(ctx, a))
}

// guarded is a dialer that asks check about each address that the kernel is
// asked for, however it came to it.
func guarded(check func(netip.Addr) error) *net.Dialer {
	return &net.Dialer{
		Timeout:   dialTimeout,
		KeepAlive: 30 * time.Second,
		Control: func(_, address string, _ syscall.RawConn) error {
			ap, err := netip.ParseAddrPort(address)
			if err != nil {
				return errFloor
			}
			return check(ap.Addr())
		},
	}
}

// lookup returns the addresses of t, IPv4 first: many engines have no IPv6.
func (d *dialer) lookup(ctx context.Context, t Target) ([]netip.Addr, error) {
	if t.Addr.IsValid() {
		return []netip.Addr{t.Addr}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	// The final dot keeps search domains out of it: what is asked is what was judged.
	name := t.Host + "."
	if !dotted(t.Host) {
		name = t.Host
	}
	addrs, err := d.resolver.LookupNetIP(ctx, "ip", name)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoAddress, err)
	}
	for i := range addrs {
		addrs[i] = plain(addrs[i])
	}
	slices.SortStableFunc(addrs, func(a, b netip.Addr) int { return a.BitLen() - b.BitLen() })
	return addrs, nil
}

func dotted(host string) bool {
	for i := range len(host) {
		if host[i] == '.' {
			return true
		}
	}
	return false
}

// embeds reports whether a hides an IPv4 address behind this network's own
// translator, where the floor cannot see it. When that cannot be found out, it
// is assumed.
func (d *dialer) embeds(ctx context.Context, a netip.Addr) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if time.Since(d.asked) > nat64Keep {
		ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
		defer cancel()
		answers, err := d.resolver.LookupNetIP(ctx, "ip6", "ipv4only.arpa.")
		var dns *net.DNSError
		if err != nil && (!errors.As(err, &dns) || !dns.IsNotFound) {
			return true
		}
		d.learned, d.asked = nat64(answers), time.Now()
	}
	return within(a, d.learned)
}
