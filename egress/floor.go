package egress

import (
	"errors"
	"net/netip"
)

// Floor is what stands below every policy: addresses that are not reached,
// whoever named them. The zero value is the fixed part, the one that holds on
// any machine.
type Floor struct {
	never  []netip.Prefix          // not even by a private rule
	places map[netip.AddrPort]bool // the same, on one port
	local  []netip.Prefix          // not but by a private rule
}

// errFloor means that an address is below the floor.
var errFloor = errors.New("the address is never reached")

func prefixes(texts ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(texts))
	for i, t := range texts {
		out[i] = netip.MustParsePrefix(t)
	}
	return out
}

// The registries of special-purpose addresses of IANA, as of 2026, and the
// metadata services of the large clouds.
var (
	// always is refused even where a private rule allows.
	always = prefixes(
		"0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4",
		"192.0.0.0/24", "168.63.129.16/32", "100.100.100.200/32",
		"::/96", "fe80::/10", "fec0::/10", "ff00::/8", "fd00:ec2::/32",
	)
	// private is what a private rule may open: what networks number themselves
	// with, some of them out of ranges meant for examples and measurements.
	private = prefixes(
		"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7",
		"192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
	)
	// special is everything else in IPv4, and inside 2000::/3, that is not the
	// public internet; much of it embeds an IPv4 address.
	special = prefixes("192.88.99.0/24", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
	global6 = netip.MustParsePrefix("2000::/3")
)

// Check returns nil when a may be reached, by a private rule if priv is set.
func (f *Floor) Check(a netip.Addr, priv bool) error {
	a = plain(a)
	if !a.IsValid() || within(a, always) || within(a, f.never) {
		return errFloor
	}
	if priv && (within(a, private) || within(a, f.local)) {
		return nil
	}
	if within(a, f.local) || within(a, private) || within(a, special) {
		return errFloor
	}
	// Whatever form of embedding or of local use is invented next lies outside
	// the one block from which public IPv6 addresses are given.
	if a.Is6() && !global6.Contains(a) {
		return errFloor
	}
	return nil
}

// checkPlace is Check for the port, too, that is dialled.
func (f *Floor) checkPlace(a netip.Addr, port uint16, priv bool) error {
	if f.places[netip.AddrPortFrom(plain(a), port)] {
		return errFloor
	}
	return f.Check(a, priv)
}

func within(a netip.Addr, list []netip.Prefix) bool {
	for _, p := range list {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// nat64 returns the prefixes under which a network embeds IPv4 addresses in
// IPv6, from the answer to "AAAA ipv4only.arpa" (RFC 7050): the two well-known
// addresses 192.0.0.170 and 192.0.0.171 stand at one of the places that RFC
// 6052 allows.
func nat64(answers []netip.Addr) []netip.Prefix {
	var out []netip.Prefix
	for _, a := range answers {
		if !a.Is6() || a.Is4In6() {
			continue
		}
		b := a.As16()
		for _, bits := range []int{96, 64, 56, 48, 40, 32} {
			v := embedded(b, bits)
			if v[0] == 192 && v[1] == 0 && v[2] == 0 && (v[3] == 170 || v[3] == 171) {
				if p, err := a.Prefix(bits); err == nil {
					out = append(out, p)
				}
			}
		}
	}
	return out
}

// embedded is the IPv4 address behind a prefix of so many bits; byte 8 is left
// out, as RFC 6052 has it.
func embedded(b [16]byte, bits int) [4]byte {
	var v [4]byte
	at := bits / 8
	for i := range v {
		if at == 8 && bits != 96 {
			at++
		}
		v[i] = b[at]
		at++
	}
	return v
}
