package egress

import (
	"crypto/x509"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// Rules is a compiled Policy. It never changes.
type Rules struct {
	policy   Policy
	hosts    map[string][]rule // by name or address
	wild     []rule            // those of "*." rules; host is what follows the star
	block    []pattern
	canaries map[string]bool
	hold     hold
	floor    Floor
	api      *api // nil: no route
}

type rule struct {
	host string
	port uint16
	priv bool
	text string // as it is reported
}

// pattern is an exact name or address, or with wild everything below a name.
type pattern struct {
	host string
	wild bool
}

func (p pattern) matches(host string) bool {
	if p.wild {
		return strings.HasSuffix(host, "."+p.host)
	}
	return host == p.host
}

// Verdict is the answer of the one question.
type Verdict struct {
	OK      bool
	Reason  Reason // why not
	Rule    string // why
	Private bool   // by a private rule
}

// RuleError is a line of a policy that cannot be meant.
type RuleError struct {
	Rule string // the line's text
	Why  string
	Fix  string
}

func (e *RuleError) Error() string { return fmt.Sprintf("the rule %q: %s: %s", e.Rule, e.Why, e.Fix) }

// Cure says how to write the rule instead.
func (e *RuleError) Cure() string { return e.Fix }

// Compile checks a policy and makes it ready. Its errors are *RuleError.
func (p Policy) Compile() (*Rules, error) {
	r := &Rules{policy: p, hosts: map[string][]rule{}, canaries: map[string]bool{}, hold: p.Hold.compile()}
	if err := r.compileAPI(p.API); err != nil {
		return nil, err
	}
	for _, h := range p.Hosts {
		if err := r.addHost(h); err != nil {
			return nil, err
		}
	}
	for _, b := range p.Block {
		pat, addr, err := readPattern(b)
		if err != nil {
			return nil, err
		}
		r.block = append(r.block, pat)
		if addr.IsValid() {
			r.floor.never = append(r.floor.never, netip.PrefixFrom(addr, addr.BitLen()))
		}
	}
	for _, c := range p.Canaries {
		if name, _, err := normalise(c); err == nil {
			r.canaries[name] = true
		}
	}
	for _, f := range p.Floor {
		pre, err := netip.ParsePrefix(f)
		if err != nil {
			return nil, &RuleError{f, "not a prefix", "write it as 192.0.2.0/24"}
		}
		r.floor.local = append(r.floor.local, pre.Masked())
	}
	return r, nil
}

func (r *Rules) addHost(h Rule) error {
	pat, addr, err := readPattern(h.Host)
	if err != nil {
		return err
	}
	if err := checkPrivate(h, pat, addr); err != nil {
		return err
	}
	port := h.Port
	if port == 0 {
		port = DefaultPort
	}
	out := rule{host: pat.host, port: port, priv: h.Private, text: Target{Host: pat.host, Addr: addr, Port: port}.String()}
	if pat.wild {
		out.text = "*." + out.text
		r.wild = append(r.wild, out)
		return nil
	}
	r.hosts[pat.host] = append(r.hosts[pat.host], out)
	return nil
}

// checkPrivate refuses rules that could never work or that mean too much.
func checkPrivate(h Rule, pat pattern, addr netip.Addr) error {
	switch {
	case h.Private && pat.wild:
		return &RuleError{h.Host, "private needs an exact name", "name the one server"}
	case h.Private && addr.IsValid() && h.Port == 0:
		return &RuleError{h.Host, "private needs a port with an address", "add the port"}
	case !addr.IsValid():
		return nil
	}
	var fixed Floor
	if fixed.Check(addr, h.Private) == nil {
		return nil
	}
	if !h.Private && fixed.Check(addr, true) == nil {
		return &RuleError{h.Host, "it is a private address", "add private = true if it is a server of yours"}
	}
	return &RuleError{h.Host, "this address is never reached", "remove the rule"}
}

func readPattern(s string) (pattern, netip.Addr, error) {
	base, wild := strings.CutPrefix(strings.TrimSpace(s), "*.")
	name, addr, err := normalise(strings.Trim(base, "[]"))
	if err != nil || (wild && addr.IsValid()) {
		return pattern{}, netip.Addr{}, &RuleError{s, "not a host name", `write "example.com", "*.example.com" or an address`}
	}
	if wild && !strings.Contains(name, ".") {
		return pattern{}, netip.Addr{}, &RuleError{s, "it is too wide", "name the domain below it"}
	}
	return pattern{host: name, wild: wild}, addr, nil
}

func (r *Rules) compileAPI(a *API) error {
	if a == nil {
		return nil
	}
	base := a.Upstream
	if base == "" {
		base = DefaultUpstream
	}
	u, t, ok := readBase(base)
	if !ok {
		return &RuleError{base, "not the address of an API", "write it as https://host"}
	}
	out := &api{base: u.Scheme + "://" + u.Host + strings.TrimSuffix(u.Path, "/"), target: t, test: a.Upstream != ""}
	if a.Roots != "" {
		var err error
		if out.roots, err = x509.SystemCertPool(); err != nil {
			out.roots = x509.NewCertPool()
		}
		if !out.roots.AppendCertsFromPEM([]byte(a.Roots)) {
			return &RuleError{base, "its root certificates cannot be read", "give them as PEM"}
		}
	}
	r.api = out
	return nil
}

// readBase reads a base URL and the place that it leads to.
func readBase(base string) (*url.URL, Target, bool) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" {
		return nil, Target{}, false
	}
	port := map[string]uint16{"https": 443, "http": 80}[u.Scheme]
	if port == 0 {
		return nil, Target{}, false
	}
	t, err := ParseTarget(u.Host, port)
	return u, t, err == nil
}

// Decide answers whether t may be reached. It is asked for CONNECT and for
// plain HTTP, for each request, and asks nobody in turn: no resolver learns a
// name that is refused here.
func (r *Rules) Decide(t Target) Verdict {
	if slices.ContainsFunc(r.block, func(p pattern) bool { return p.matches(t.Host) }) {
		return Verdict{Reason: Blocked}
	}
	if r.api != nil && (t.Host == r.api.target.Host || t.Host == defaultHost) {
		return Verdict{Reason: APIHost}
	}
	for _, h := range r.hosts[t.Host] {
		if h.port == t.Port {
			return Verdict{OK: true, Rule: h.text, Private: h.priv}
		}
	}
	if !t.Addr.IsValid() {
		for _, h := range r.wild {
			if h.port == t.Port && strings.HasSuffix(t.Host, "."+h.host) {
				return Verdict{OK: true, Rule: h.text}
			}
		}
	}
	return Verdict{Reason: NotAllowed}
}

// defaultHost is never reached by a tunnel while there is an API route, even
// when a test leads the route elsewhere.
const defaultHost = "api.anthropic.com"
