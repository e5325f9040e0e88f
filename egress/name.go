package egress

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// Target is a place that a request names, in the one form in which everything
// compares, resolves and reports it.
type Target struct {
	Host string     // lower case, ASCII, no trailing dot; for an address its text
	Addr netip.Addr // valid when Host is an address: unmapped, without a zone
	Port uint16
	// Method is that of a plain HTTP request; empty for a tunnel, in which no
	// method can be seen.
	Method string
}

// String is "host:port", with brackets around an IPv6 address.
func (t Target) String() string {
	if t.Addr.IsValid() {
		return netip.AddrPortFrom(t.Addr, t.Port).String()
	}
	return t.Host + ":" + strconv.Itoa(int(t.Port))
}

var (
	errName = errors.New("not a host name that can be judged")
	errPort = errors.New("not a port between 1 and 65535")
)

// names maps what people type to what resolvers are asked: Unicode to
// punycode, with the rules that browsers apply, and nothing but letters,
// digits and hyphens left afterwards.
var names = idna.New(
	idna.MapForLookup(),
	idna.BidiRule(),
	idna.Transitional(false),
	idna.StrictDomainName(true),
)

// ParseTarget reads "host", "host:port", "address:port" or "[v6]:port". A
// missing port becomes def; with def 0 it is an error.
func ParseTarget(s string, def uint16) (Target, error) {
	host, port, err := splitPort(s, def)
	if err != nil {
		return Target{}, err
	}
	name, addr, err := normalise(host)
	if err != nil {
		return Target{}, err
	}
	return Target{Host: name, Addr: addr, Port: port}, nil
}

func splitPort(s string, def uint16) (string, uint16, error) {
	host, text, found := s, "", false
	switch {
	case strings.HasPrefix(s, "["):
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return "", 0, errName
		}
		if a, err := netip.ParseAddr(s[1:end]); err != nil || !a.Is6() {
			return "", 0, errName // brackets are for IPv6 alone
		}
		host = s[1:end]
		if rest := s[end+1:]; rest != "" {
			if rest[0] != ':' {
				return "", 0, errName
			}
			text, found = rest[1:], true
		}
	case strings.Count(s, ":") > 1:
		// A bare IPv6 address; a port could not be told from its last group.
	default:
		host, text, found = strings.Cut(s, ":")
	}
	if !found {
		if def == 0 {
			return "", 0, errPort
		}
		return host, def, nil
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || port == 0 || text[0] == '+' {
		return "", 0, errPort
	}
	return host, uint16(port), nil
}

// normalise returns the one form of a name, or of an address.
func normalise(s string) (string, netip.Addr, error) {
	if len(s) == 0 || len(s) > 1024 {
		return "", netip.Addr{}, errName
	}
	if a, err := netip.ParseAddr(s); err == nil {
		a = plain(a)
		return a.String(), a, nil
	}
	s = strings.TrimSuffix(s, ".")
	if plausible(s) && !strings.Contains(s, "--") {
		return s, netip.Addr{}, nil // nothing in it that could be mapped: a large policy is full of such
	}
	return mapped(s)
}

// mapped is normalise for a name that may have another form.
func mapped(s string) (string, netip.Addr, error) {
	name, err := names.ToASCII(s)
	if err != nil || !utf8.ValidString(s) {
		return "", netip.Addr{}, errName
	}
	// What does not map to itself would be judged as one name and, written once
	// more, be another.
	if again, err := names.ToASCII(name); err != nil || again != name || !plausible(name) {
		return "", netip.Addr{}, errName
	}
	return name, netip.Addr{}, nil
}

// plausible reports whether s, lower-case ASCII, is a sequence of labels that
// no resolver and no client takes for an address.
func plausible(s string) bool {
	if len(s) == 0 || len(s) > 253 {
		return false
	}
	last := ""
	for label := range strings.SplitSeq(s, ".") {
		if len(label) == 0 || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			c := label[i]
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
				return false
			}
		}
		last = label
	}
	return !numeric(last)
}

// numeric reports whether a last label makes a name an address to inet_aton:
// "127.1", "2130706433", "0x7f.1".
func numeric(label string) bool {
	digits := strings.Trim(label, "0123456789") == ""
	hex := strings.HasPrefix(label, "0x") && strings.Trim(label[2:], "0123456789abcdef") == ""
	return digits || hex
}

// plain removes what lets one address be written in several ways.
func plain(a netip.Addr) netip.Addr { return a.WithZone("").Unmap() }
