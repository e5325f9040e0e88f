package egress

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// Rules is a compiled Policy. It never changes.
type Rules struct {
	policy   Policy
	hosts    table
	block    table
	canaries map[string]bool
	hold     hold
	floor    Floor
	api      *api // nil: no route
}

// rule is one line for a host. Port 0 is every port; the block list has such.
type rule struct {
	port    uint16
	priv    bool
	methods []string // of plain HTTP; nil: any, and tunnels too
	text    string   // as it is reported
}

func (r rule) matches(to Target) bool {
	return (r.port == 0 || r.port == to.Port) && (r.methods == nil || slices.Contains(r.methods, to.Method))
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
	if n := len(p.Hosts) + len(p.Block); n > MaxRules {
		return nil, &RuleError{fmt.Sprintf("%d rules", n), fmt.Sprintf("a policy has at most %d", MaxRules), "use wildcards, or remove some"}
	}
	r := &Rules{policy: p, hosts: newTable(), block: newTable(), canaries: map[string]bool{}, hold: p.Hold.compile()}
	r.floor.places = map[netip.AddrPort]bool{}
	if err := r.compileAPI(p.API); err != nil {
		return nil, err
	}
	for _, h := range p.Hosts {
		if err := r.addHost(h); err != nil {
			return nil, err
		}
	}
	for _, b := range p.Block {
		if err := r.addBlock(b); err != nil {
			return nil, err
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

// Check reads one rule and says what is wrong with it, as Compile would. It
// returns the host in its one form.
func (h Rule) Check() (Host, error) {
	host, err := ParseHost(h.Host)
	if err != nil {
		return Host{}, err
	}
	if host.Wild && !strings.Contains(host.Name, ".") {
		return Host{}, &RuleError{h.Host, "it is too wide", "name the domain below it"}
	}
	if err := checkPrivate(h, host); err != nil {
		return Host{}, err
	}
	return host, checkMethods(h)
}

func (r *Rules) addHost(h Rule) error {
	host, err := h.Check()
	if err != nil {
		return err
	}
	port := h.Port
	if port == 0 {
		port = DefaultPort
	}
	text := Target{Host: host.String(), Addr: host.Addr, Port: port}.String()
	r.hosts.add(host, rule{port: port, priv: h.Private, methods: slices.Clip(h.Methods), text: text})
	return nil
}

func (r *Rules) addBlock(text string) error {
	host, port, err := ParseHostPort(text)
	if err != nil {
		return err
	}
	r.block.add(host, rule{port: port, text: text})
	// A name that leads there is blocked, too.
	switch {
	case !host.Addr.IsValid():
	case port == 0:
		r.floor.never = append(r.floor.never, netip.PrefixFrom(host.Addr, host.Addr.BitLen()))
	default:
		r.floor.places[netip.AddrPortFrom(host.Addr, port)] = true
	}
	return nil
}

// checkMethods refuses methods where none could be seen.
func checkMethods(h Rule) error {
	if len(h.Methods) == 0 {
		return nil
	}
	if h.Port == 0 || h.Port == DefaultPort || h.Port == 8443 {
		return &RuleError{h.Host, "methods cannot be seen inside TLS", "add port = 80 for plain HTTP, or remove the methods"}
	}
	for _, m := range h.Methods {
		if !plainMethods[m] {
			return &RuleError{h.Host, fmt.Sprintf("there is no method %q", cutTo(m, 20)), "write GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS"}
		}
	}
	return nil
}

// checkPrivate refuses rules that could never work or that mean too much.
func checkPrivate(h Rule, host Host) error {
	addr := host.Addr
	switch {
	case h.Private && host.Wild:
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
	if a.Roots != "" && !readable(a.Roots) {
		return &RuleError{base, "its root certificates cannot be read", "give them as PEM"}
	}
	r.api = &api{
		base: u.Scheme + "://" + u.Host + strings.TrimSuffix(u.Path, "/"), target: t, test: a.Upstream != "", web: a.Web, roots: a.Roots,
	}
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
	if r.BlockedBy(t) != "" {
		return Verdict{Reason: Blocked}
	}
	if r.api != nil && (t.Host == r.api.target.Host || t.Host == defaultHost) {
		return Verdict{Reason: APIHost}
	}
	if h, ok := r.hosts.find(t); ok {
		return Verdict{OK: true, Rule: h.text, Private: h.priv}
	}
	return Verdict{Reason: NotAllowed}
}

// BlockedBy is the line of the block list that refuses t, as the policy has
// it, or "".
func (r *Rules) BlockedBy(t Target) string {
	b, _ := r.block.find(t)
	return b.text
}

// defaultHost is never reached by a tunnel while there is an API route, even
// when a test leads the route elsewhere.
const defaultHost = "api.anthropic.com"
