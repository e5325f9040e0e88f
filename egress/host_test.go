package egress

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

func TestHostsHaveOneForm(t *testing.T) {
	for in, want := range map[string]string{
		"Example.COM": "example.com", "example.com.": "example.com", " *.Example.com ": "*.example.com", "bücher.example": "xn--bcher-kva.example",
		"BÜCHER.example": "xn--bcher-kva.example", "*.bücher.example": "*.xn--bcher-kva.example", "ｇｉｔhub.com": "github.com",
		"example。com": "example.com", "[2606:4700::1]": "2606:4700::1", "2606:4700::1": "2606:4700::1", "::ffff:1.1.1.1": "1.1.1.1", "1.1.1.1": "1.1.1.1",
	} {
		h, err := ParseHost(in)
		if err != nil || h.String() != want {
			t.Errorf("%q gives %q, %v; want %q", in, h, err, want)
			continue
		}
		if again, err := ParseHost(h.String()); err != nil || again != h {
			t.Errorf("%q read once more gives %q, %v", h, again, err)
		}
	}
}

func TestAMisspeltHostIsToldWhatIsWrong(t *testing.T) {
	for in, why := range map[string]string{
		"": "empty", "  ": "empty", "*.": "empty", "https://github.com": "web address", "github.com/x": "more than a name", "me@github.com": "more than a name",
		"git hub.com": "space", "a.*.com": "star", "*": "star", "*github.com": "star", "github.com:443": "colon", "a..b": "two dots", ".a.b": "two dots",
		"-a.example": "hyphen", "a-.example": "hyphen", strings.Repeat("a", 64) + ".example": "63", strings.Repeat("a.", 127) + "example": "253",
		"127.1": "address", "2130706433": "address", "0x7f.1": "address", "a_b.example": "character", "a\x00.example": "character",
		"*.127.0.0.1": "nothing below", "*.[::1]": "nothing below",
	} {
		_, err := ParseHost(in)
		var re *RuleError
		if !errors.As(err, &re) || !strings.Contains(err.Error(), why) || re.Cure() == "" {
			t.Errorf("%q gives %v, want %q and a cure", in, err, why)
		}
	}
}

func TestAPortIsReadWithItsHost(t *testing.T) {
	for in, want := range map[string]string{
		"a.example": "a.example 0", "a.example:80": "a.example 80", "*.a.example:8443": "*.a.example 8443", "[2606:4700::1]:80": "2606:4700::1 80", "2606:4700::1": "2606:4700::1 0",
		"a.example:0": "", "a.example:65536": "", "a.example:-1": "", "a.example:+80": "", "a.example:": "", "a.example:http": "", ":80": "", "1.1.1.1:53": "1.1.1.1 53",
	} {
		h, port, err := ParseHostPort(in)
		if got := fmt.Sprint(h, port); err == nil && got != want || err != nil && want != "" {
			t.Errorf("%q gives %s %d, %v; want %q", in, h, port, err, want)
		}
	}
}

func TestHostsCoverWhatTheyName(t *testing.T) {
	for _, c := range []struct {
		wide, narrow string
		want         bool
	}{
		{"a.example", "a.example", true},
		{"a.example", "b.a.example", false},
		{"*.a.example", "b.a.example", true},
		{"*.a.example", "a.example", false},
		{"*.a.example", "*.a.example", true},
		{"*.a.example", "*.b.a.example", true},
		{"*.b.a.example", "*.a.example", false},
		{"a.example", "*.a.example", false},
		{"*.1.example", "1.1.1.1", false},
		{"1.1.1.1", "1.1.1.1", true},
		{"*.aa.example", "x.a.example", false},
	} {
		w, err := ParseHost(c.wide)
		n, err2 := ParseHost(c.narrow)
		if err != nil || err2 != nil || w.Covers(n) != c.want {
			t.Errorf("%s covers %s: %v (%v, %v)", c.wide, c.narrow, w.Covers(n), err, err2)
		}
	}
}

func TestMethodsAreJudgedForPlainRequestsAlone(t *testing.T) {
	r := compile(t, Policy{Hosts: []Rule{
		{Host: "deb.example", Port: 80, Methods: []string{"GET", "HEAD"}},
		{Host: "deb.example", Port: 80, Methods: []string{"OPTIONS"}},
		{Host: "any.example", Port: 80},
	}})
	for _, c := range []struct {
		host, method string
		want         bool
	}{
		{"deb.example", "GET", true},
		{"deb.example", "OPTIONS", true},
		{"deb.example", "POST", false},
		{"deb.example", "", false}, // a tunnel hides its methods
		{"any.example", "POST", true},
		{"any.example", "", true},
	} {
		if v := r.Decide(Target{Host: c.host, Port: 80, Method: c.method}); v.OK != c.want {
			t.Errorf("%q of %s: %+v", c.method, c.host, v)
		}
	}
	for _, bad := range []Rule{
		{Host: "a.example", Methods: []string{"GET"}},
		{Host: "a.example", Port: 443, Methods: []string{"GET"}},
		{Host: "a.example", Port: 8443, Methods: []string{"GET"}},
		{Host: "a.example", Port: 80, Methods: []string{"get"}},
		{Host: "a.example", Port: 80, Methods: []string{"CONNECT"}},
	} {
		var re *RuleError
		if _, err := (Policy{Hosts: []Rule{bad}}).Compile(); !errors.As(err, &re) || re.Cure() == "" {
			t.Errorf("%+v gives %v", bad, err)
		}
	}
}

func TestOnlyABlockMayNameAllOfATopLevelDomain(t *testing.T) {
	var re *RuleError
	if _, err := (Policy{Hosts: []Rule{{Host: "*.com"}}}).Compile(); !errors.As(err, &re) || re.Why != "it is too wide" {
		t.Errorf("allowing *.com gives %v", err)
	}
	r := compile(t, Policy{Hosts: []Rule{{Host: "a.example"}}, Block: []string{"*.example"}})
	if v := r.Decide(Target{Host: "a.example", Port: 443}); v.Reason != Blocked {
		t.Errorf("a name below a blocked top: %+v", v)
	}
}

func TestABlockedAddressIsReachedByNoName(t *testing.T) {
	r := newRig(t, Options{})
	r.names.addrs["name.example"] = []string{"93.184.216.34"}
	p := Policy{Hosts: []Rule{{Host: "name.example", Port: 8443}}, Block: []string{"93.184.216.34:8443"}}
	r.open(p)
	if _, _, resp := r.tunnel("name.example:8443"); resp.StatusCode != http.StatusForbidden || resp.Header.Get("X-Bottle-Denied") != string(BelowFloor) {
		t.Errorf("%s %v", resp.Status, resp.Header)
	}
	floor := compile(t, p).floor
	if addr := netip.MustParseAddr("93.184.216.34"); floor.checkPlace(addr, 443, false) != nil {
		t.Error("another port is blocked with it")
	}
}

func TestTheBlockListWinsOnItsPorts(t *testing.T) {
	r := compile(t, Policy{
		Hosts: []Rule{{Host: "a.example"}, {Host: "a.example", Port: 80}, {Host: "*.w.example"}, {Host: "x.y.w.example", Port: 80}, {Host: "93.184.216.34"}},
		Block: []string{"a.example:80", "*.y.w.example", "z.w.example"},
	})
	for at, want := range map[string]string{
		"a.example:443": "", "a.example:80": "a.example:80", "b.w.example:443": "", "x.y.w.example:443": "*.y.w.example", "x.y.w.example:80": "*.y.w.example",
		"y.w.example:443": "", "z.w.example:443": "z.w.example", "93.184.216.34:443": "",
	} {
		tg, err := ParseTarget(at, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.BlockedBy(tg); got != want {
			t.Errorf("%s is blocked by %q, want %q", at, got, want)
		}
		if v := r.Decide(tg); v.OK == (want != "") {
			t.Errorf("%s: %+v", at, v)
		}
	}
}

// linear is how rules would be looked up one by one: what the tables must
// agree with, and the baseline of the benchmark.
func linear(p Policy, t Target) bool {
	for _, b := range p.Block {
		if h, port, err := ParseHostPort(b); err == nil && (port == 0 || port == t.Port) && h.Covers(Host{Name: t.Host, Addr: t.Addr}) {
			return false
		}
	}
	for _, r := range p.Hosts {
		if h, err := ParseHost(r.Host); err == nil && r.Port == t.Port && h.Covers(Host{Name: t.Host, Addr: t.Addr}) {
			return true
		}
	}
	return false
}

func FuzzTablesAgreeWithALookAtEachRule(f *testing.F) {
	f.Add("a.example\n*.b.example\n!c.b.example\n!*.d.example", "x.b.example")
	f.Add("*.a.b.c\n*.b.c\n!*.x.a.b.c", "y.x.a.b.c")
	f.Fuzz(func(t *testing.T, lines, host string) {
		var p Policy
		for l := range strings.Lines(lines) {
			l = strings.TrimSpace(l)
			if b, ok := strings.CutPrefix(l, "!"); ok {
				if _, _, err := ParseHostPort(b); err == nil {
					p.Block = append(p.Block, b)
				}
				continue
			}
			r := Rule{Host: l, Port: 80}
			if _, err := r.Check(); err == nil {
				p.Hosts = append(p.Hosts, r)
			}
		}
		rules, err := p.Compile()
		if err != nil {
			t.Fatalf("rules that passed one by one: %v", err)
		}
		tg, err := ParseTarget(host, 80)
		if err != nil {
			return
		}
		if got, want := rules.Decide(tg).OK, linear(p, tg); got != want {
			t.Errorf("%q under %q: %v, one by one %v", host, lines, got, want)
		}
	})
}

func TestALargePolicyFitsAControlLine(t *testing.T) {
	const line = 8 << 20 // sidecar/control.MaxCommand, which this package does not know
	p := Policy{}
	for i := range MaxRules {
		name := fmt.Sprintf("%05d.", i)
		for len(name) < 253-60 {
			name += strings.Repeat("x", 60) + "."
		}
		name += strings.Repeat("x", 253-len(name))
		p.Hosts = append(p.Hosts, Rule{Host: name, Port: 65535, Methods: []string{"GET", "HEAD"}, Private: true})
	}
	if _, err := p.Compile(); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(p)
	if err != nil || len(b) > line {
		t.Errorf("it has %d bytes, %v", len(b), err)
	}
	p.Hosts = append(p.Hosts, Rule{Host: "one.example"})
	var re *RuleError
	if _, err := p.Compile(); !errors.As(err, &re) || re.Cure() == "" {
		t.Errorf("one rule more gives %v", err)
	}
}

func FuzzPlainNamesAreTheirOwnForm(f *testing.F) {
	f.Add("a-1.example.com")
	f.Add("1.1.1.example")
	f.Add("xn--bcher-kva.example")
	f.Add("ab--c.example")
	f.Fuzz(func(t *testing.T, s string) {
		if !plausible(s) || strings.Contains(s, "--") {
			return
		}
		if name, _, err := mapped(s); err != nil || name != s {
			t.Errorf("%q maps to %q, %v", s, name, err)
		}
	})
}
