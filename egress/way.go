package egress

import (
	"encoding/base64"
	"log/slog"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// Way is how a sidecar gets out: straight, or through an HTTP proxy that a
// company runs. The zero value is straight, with the system's roots.
type Way struct {
	// Proxy is "http://host:port" or "https://host:port" of a proxy that takes
	// CONNECT (RFC 9110 §9.3.6); empty: straight out. It holds no user: that is
	// what a Login is for.
	Proxy string `json:"proxy,omitempty"`
	// Direct are reached without the proxy: a name, "*.corp.example" for
	// everything below one, an address, a prefix, or "<local>" for every name
	// without a dot.
	Direct []string `json:"direct,omitempty"`
	// Roots are further root certificates, PEM, for the API route and for an
	// https proxy: those of a company that looks into TLS.
	Roots string `json:"roots,omitempty"`
}

// Login is what a company's proxy asks for. It shows itself redacted wherever
// it is printed; only the control channel reads it.
type Login struct {
	User, Password string
}

// String hides the login.
func (Login) String() string { return redacted }

// GoString hides the login from %#v.
func (Login) GoString() string { return redacted }

// MarshalJSON hides the login: it is never written to a file.
func (Login) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// LogValue hides the login from structured logs.
func (Login) LogValue() slog.Value { return slog.StringValue(redacted) }

// Ports of proxies that name none, as URLs have them.
const (
	proxyPort    = 80
	proxyTLSPort = 443
)

// simpleNames is the entry of Direct that stands for names without a dot.
const simpleNames = "<local>"

// way is a compiled Way. It never changes.
type way struct {
	from   Way
	login  Login
	proxy  Target // zero: straight
	secure bool   // TLS to the proxy itself
	auth   string // value of Proxy-Authorization, or ""
	names  []Host
	nets   []netip.Prefix
	simple bool
}

// Check returns a *RuleError for a way that cannot be meant.
func (w Way) Check() error {
	_, err := w.compile(nil)
	return err
}

func (w Way) compile(l *Login) (*way, error) {
	c := &way{from: w}
	if w.Roots != "" && !readable(w.Roots) {
		return nil, &RuleError{"extra roots", "they cannot be read", "give certificates as PEM"}
	}
	if w.Proxy == "" {
		return c, nil
	}
	if err := c.readProxy(w.Proxy); err != nil {
		return nil, err
	}
	for _, d := range w.Direct {
		if err := c.addDirect(d); err != nil {
			return nil, err
		}
	}
	if l != nil && l.User != "" {
		c.login = *l
		c.auth = "Basic " + base64.StdEncoding.EncodeToString([]byte(l.User+":"+l.Password))
	}
	return c, nil
}

func (c *way) readProxy(text string) error {
	bad := func(why, fix string) error { return &RuleError{shown(text), why, fix} }
	const form = `write it as "http://proxy.corp.example:3128"`
	u, err := url.Parse(text)
	if err != nil {
		return &RuleError{"upstream proxy", "not the address of a proxy", form} // the text may hold a password
	}
	if u.User != nil {
		return &RuleError{u.Redacted(), "a name or password does not belong here", "take it out, and run bottlebar proxy login NAME"}
	}
	if u.Host == "" || (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "" {
		return bad("not the address of a proxy", form)
	}
	port := map[string]uint16{"http": proxyPort, "https": proxyTLSPort}[u.Scheme]
	if port == 0 {
		return bad("only HTTP proxies can be used", form)
	}
	t, err := ParseTarget(u.Host, port)
	if err != nil {
		return bad("not the address of a proxy", form)
	}
	var fixed Floor
	if t.Host == "localhost" || strings.HasSuffix(t.Host, ".localhost") || (t.Addr.IsValid() && fixed.Check(t.Addr, true) != nil) {
		return bad("a sidecar does not reach this computer's loopback", "name the proxy by an address that other machines use")
	}
	c.proxy, c.secure = t, u.Scheme == "https"
	return nil
}

func (c *way) addDirect(text string) error {
	if text == simpleNames {
		c.simple = true
		return nil
	}
	if p, err := netip.ParsePrefix(text); err == nil {
		c.nets = append(c.nets, p.Masked())
		return nil
	}
	// ".corp.example" is how the variable no_proxy has it.
	base, below := strings.CutPrefix(text, "*.")
	if !below {
		base, below = strings.CutPrefix(text, ".")
	}
	name, addr, err := normalise(strings.Trim(base, "[]"))
	if err != nil || (below && addr.IsValid()) {
		return &RuleError{shown(text), "not a host that is reached without the proxy", `write "git.corp.example", "*.corp.example", an address or a prefix`}
	}
	c.names = append(c.names, Host{Name: name, Wild: below, Addr: addr})
	return nil
}

// carries reports whether t is reached through the proxy.
func (c *way) carries(t Target) bool {
	if c == nil || c.proxy.Port == 0 {
		return false
	}
	if t.Addr.IsValid() && within(t.Addr, c.nets) {
		return false
	}
	if c.simple && !t.Addr.IsValid() && !dotted(t.Host) {
		return false
	}
	return !slices.ContainsFunc(c.names, func(h Host) bool { return h.Covers(Host{Name: t.Host, Addr: t.Addr}) })
}

// same reports whether nothing would change.
func (c *way) same(o *way) bool {
	return o != nil && c.login == o.login && c.from.Proxy == o.from.Proxy && c.from.Roots == o.from.Roots &&
		slices.Equal(c.from.Direct, o.from.Direct)
}

// SetWay replaces the way out. One that differs ends what went by the old one.
// The policy's transport is made anew with its roots.
func (p *Proxy) SetWay(w Way, l *Login) error {
	c, err := w.compile(l)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.same(p.dialer.way.Load()) {
		return nil
	}
	p.dialer.way.Store(c)
	for f := range p.flows {
		f.end(Revoked)
	}
	if old := p.rules.api; old != nil {
		rules, route := *p.rules, *old
		route.connect(p.dialer, &rules.floor)
		rules.api = &route
		p.rules = &rules
		old.transport.CloseIdleConnections()
	}
	return nil
}
