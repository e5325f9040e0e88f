package bottle

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// canaries are listeners on this computer that a bottle must not reach. Each
// answers with the nonce and nothing else, binds a single address, and lives
// for one proof. A refused connection proves nothing where nobody listens:
// so the host asks each of them first.
type canaries struct {
	nonce     string
	listeners []net.Listener
	touched   atomic.Int32 // connections that were not our own check
	own       atomic.Int32 // connections that our check still has coming
	wg        sync.WaitGroup
}

// openCanaries listens on both loopback addresses and on this computer's own
// addresses in its network, as far as it has them.
func openCanaries(ctx context.Context) (*canaries, error) {
	var b [16]byte
	_, _ = rand.Read(b[:])
	c := &canaries{nonce: hex.EncodeToString(b[:])}
	addrs := []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.IPv6Loopback()}
	addrs = append(addrs, lanAddrs()...)
	var lc net.ListenConfig
	for _, a := range addrs {
		l, err := lc.Listen(ctx, "tcp", netip.AddrPortFrom(a, 0).String())
		if err != nil {
			if a == addrs[0] {
				return nil, fmt.Errorf("opening a canary on %s: %w", a, err)
			}
			continue // no IPv6 here, or an address that went away
		}
		c.listeners = append(c.listeners, l)
		c.wg.Go(func() { c.serve(l) })
	}
	if err := c.check(ctx); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *canaries) serve(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		if c.own.Add(-1) < 0 {
			c.touched.Add(1)
		}
		_ = conn.SetDeadline(time.Now().Add(time.Second))
		_, _ = io.WriteString(conn, c.nonce)
		_ = conn.Close()
	}
}

// check asks each canary from this side: an attempt that fails from the
// inside counts only against a listener that answers.
func (c *canaries) check(ctx context.Context) error {
	stay := c.listeners[:0:0]
	for _, l := range c.listeners {
		err := c.ask(ctx, l.Addr())
		switch {
		case err == nil:
			stay = append(stay, l)
		case here(l.Addr()):
			return err
		default:
			// The address went away meanwhile, as those of the engine's networks
			// do when another bottle ends.
			_ = l.Close()
		}
	}
	c.own.Store(0)
	c.listeners = stay
	return nil
}

// ask wants the nonce from one canary.
func (c *canaries) ask(ctx context.Context, addr net.Addr) error {
	c.own.Store(1)
	d := net.Dialer{Timeout: 2 * time.Second}
	conn, err := d.DialContext(ctx, "tcp", addr.String())
	if err != nil {
		return fmt.Errorf("the canary on %s does not answer this computer: %w", addr, err)
	}
	_ = conn.SetDeadline(time.Now().Add(2 * time.Second))
	got, err := io.ReadAll(io.LimitReader(conn, 64))
	_ = conn.Close()
	if err != nil || string(got) != c.nonce {
		return fmt.Errorf("the canary on %s gave a wrong answer to this computer", addr)
	}
	return nil
}

// here tells whether this computer still has an address. Where the system does
// not say, it has.
func here(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	if !ok || tcp.IP.IsLoopback() {
		return true
	}
	ifs, err := net.InterfaceAddrs()
	if err != nil {
		return true
	}
	return slices.ContainsFunc(ifs, func(i net.Addr) bool {
		n, ok := i.(*net.IPNet)
		return ok && n.IP.Equal(tcp.IP)
	})
}

// addrs lists where the canaries listen.
func (c *canaries) addrs() []netip.AddrPort {
	out := make([]netip.AddrPort, 0, len(c.listeners))
	for _, l := range c.listeners {
		if a, ok := l.Addr().(*net.TCPAddr); ok {
			out = append(out, a.AddrPort())
		}
	}
	return out
}

func (c *canaries) close() {
	for _, l := range c.listeners {
		_ = l.Close()
	}
	c.wg.Wait()
}

// lanAddrs are this computer's own addresses that are neither loopback nor
// link-local, at most four.
func lanAddrs() []netip.Addr {
	ifs, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var out []netip.Addr
	for _, i := range ifs {
		n, ok := i.(*net.IPNet)
		if !ok {
			continue
		}
		a, ok := netip.AddrFromSlice(n.IP)
		if a = a.Unmap(); !ok || a.IsLoopback() || a.IsLinkLocalUnicast() {
			continue
		}
		if out = append(out, a); len(out) == 4 {
			break
		}
	}
	return out
}
