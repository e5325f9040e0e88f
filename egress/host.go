package egress

import (
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// Host is what a rule names: one name, everything below one, or an address, in
// the one form in which hosts compare.
type Host struct {
	Name string     // lower case, ASCII, without the star; for an address its text
	Wild bool       // everything below Name, and not Name itself
	Addr netip.Addr // valid when it is an address
}

// String is "example.com", "*.example.com" or an address.
func (h Host) String() string {
	if h.Wild {
		return "*." + h.Name
	}
	return h.Name
}

// Covers reports whether every host that o names is one that h names.
func (h Host) Covers(o Host) bool {
	switch {
	case h.Wild && !o.Addr.IsValid():
		return strings.HasSuffix(o.Name, "."+h.Name) || o.Wild && o.Name == h.Name
	case o.Wild:
		return false
	}
	return h.Name == o.Name
}

// ParseHost reads what a rule names. Unicode becomes the ASCII form that
// resolvers are asked for. Its errors are *RuleError and say what is wrong with
// the spelling.
func ParseHost(s string) (Host, error) {
	text := strings.TrimSpace(s)
	base, wild := strings.CutPrefix(text, "*.")
	name, addr, err := normalise(unbracket(base))
	switch {
	case err != nil:
		return Host{}, misspelt(s, base)
	case wild && addr.IsValid():
		return Host{}, &RuleError{s, "not a host name", "an address has nothing below it: name the one address"}
	}
	return Host{Name: name, Wild: wild, Addr: addr}, nil
}

// ParseHostPort reads "host", "host:port" or "[v6]:port". Without a port it is 0.
func ParseHostPort(s string) (Host, uint16, error) {
	text := strings.TrimSpace(s)
	i := strings.LastIndexByte(text, ':')
	if i < 0 || strings.Count(text, ":") > 1 && !strings.Contains(text, "]:") {
		h, err := ParseHost(text)
		return h, 0, err
	}
	h, err := ParseHost(text[:i])
	if err != nil {
		return Host{}, 0, err
	}
	port, err := strconv.ParseUint(text[i+1:], 10, 16)
	if err != nil || port == 0 {
		return Host{}, 0, &RuleError{s, "its port is not a number between 1 and 65535", "write it as " + h.String() + ":443, or leave the port away"}
	}
	return h, uint16(port), nil
}

func unbracket(s string) string {
	if in, ok := strings.CutPrefix(s, "["); ok {
		if in, ok = strings.CutSuffix(in, "]"); ok && strings.Contains(in, ":") {
			return in
		}
	}
	return s
}

// misspelt says what is wrong with a name that normalise refused; whole is the
// text of the rule.
func misspelt(whole, name string) error {
	const plain = `write "example.com", "*.example.com" or an address`
	bad := func(why, fix string) error { return &RuleError{cutTo(whole, 80), "not a host name: " + why, fix} }
	ascii, _ := idna.ToASCII(name)
	switch {
	case strings.TrimSpace(name) == "":
		return bad("it is empty", plain)
	case strings.Contains(name, "://"):
		return bad("it is a web address", "write the name alone, without https:// and what follows it")
	case strings.ContainsAny(name, "/?#@"):
		return bad("it has more than a name", "write the name alone, without a path or a user")
	case strings.Contains(name, "*"):
		return bad("a star stands elsewhere than at its beginning", `only "*." and a domain is understood`)
	case strings.ContainsAny(name, " \t\r\n"):
		return bad("it has a space", plain)
	case strings.Contains(name, ":"):
		return bad("it has a colon", "give the port by itself")
	case len(ascii) > 253 || len(name) > 1024:
		return bad("it is longer than 253 characters", plain)
	}
	last := ""
	for label := range strings.SplitSeq(strings.TrimSuffix(ascii, "."), ".") {
		switch {
		case label == "":
			return bad("two dots stand together, or one at its beginning", plain)
		case len(label) > 63:
			return bad("a part between dots is longer than 63 characters", plain)
		case label[0] == '-' || label[len(label)-1] == '-':
			return bad("a part begins or ends with a hyphen", plain)
		}
		last = strings.ToLower(label)
	}
	if numeric(last) {
		return bad("programs read it as an address", "write the address in its usual form, as 192.0.2.1")
	}
	return bad("it has a character that names do not have", plain)
}

func cutTo(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
