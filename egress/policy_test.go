package egress

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

func TestFloorHoldsUnderEverySpelling(t *testing.T) {
	var f Floor
	refused := []string{
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.255.255",
		"169.254.169.254", "169.254.0.1", "172.16.0.1", "172.31.255.255", "192.0.0.170", "192.0.0.8", "192.0.2.1", "192.88.99.1",
		"192.168.0.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1",
		"255.255.255.255", "168.63.129.16", "100.100.100.200",
		"::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:7f00:1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
		"::ffff:0:127.0.0.1", "::ffff:0:0:1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1", "100:0:0:1::1",
		"2001::1", "2001:0:7f00:1::", "2001:10::1", "2001:20::1", "2001:1ff:ffff::1", "2001:db8::1", "2002:7f00:1::", "2002:a9fe:a9fe::",
		"3fff::1", "3fff:fff::1", "5f00::1", "fc00::1", "fd00::1", "fd00:ec2::254", "fe80::1", "fe80::1%lo", "fe80::1%eth0", "febf::1",
		"fec0::1", "feff::1", "ff02::1", "4000::1", "1fff::1", "8000::1", "fd53:4d00::1",
	}
	for _, s := range refused {
		if f.Check(netip.MustParseAddr(s), false) == nil {
			t.Errorf("%s passes the floor", s)
		}
	}
	for _, s := range []string{
		"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.1", "100.63.255.255", "100.128.0.1", "126.255.255.255", "128.0.0.1", "172.15.255.255",
		"172.32.0.1", "192.0.1.1", "192.167.255.255", "192.169.0.1", "198.17.255.255", "198.20.0.1", "223.255.255.255", "::ffff:1.1.1.1",
		"2606:4700::1", "2a00::1", "2001:200::1", "2001:4860:4860::8888", "2003::1", "3ffe:ffff::1",
	} {
		if err := f.Check(netip.MustParseAddr(s), false); err != nil {
			t.Errorf("%s is refused", s)
		}
	}
	if f.Check(netip.Addr{}, true) == nil {
		t.Error("no address passes the floor")
	}
}

func TestPrivateRulesNeverReachLoopbackLinkLocalOrMetadata(t *testing.T) {
	f := Floor{never: prefixes("10.231.0.0/28", "93.184.216.34/32"), local: prefixes("8.8.4.0/24")}
	for _, s := range []string{
		"127.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.169.254", "::ffff:169.254.169.254", "fe80::1", "fe80::1%lo", "fd00:ec2::254",
		"168.63.129.16", "100.100.100.200", "192.0.0.192", "0.0.0.0", "255.255.255.255", "224.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1",
		"2002:7f00:1::", "::7f00:1", "fec0::1", "10.231.0.1", "93.184.216.34",
	} {
		if f.Check(netip.MustParseAddr(s), true) == nil {
			t.Errorf("a private rule reaches %s", s)
		}
	}
	for _, s := range []string{"10.0.0.1", "172.16.1.1", "192.168.1.1", "100.64.0.1", "fd12::1", "8.8.4.4", "192.0.2.2", "1.1.1.1"} {
		if f.Check(netip.MustParseAddr(s), true) != nil {
			t.Errorf("a private rule does not reach %s", s)
		}
	}
	if f.Check(netip.MustParseAddr("8.8.4.4"), false) == nil {
		t.Error("a prefix of the host's own passes without a private rule")
	}
}

func TestTranslatorPrefixesAreLearned(t *testing.T) {
	for _, c := range []struct{ answer, prefix string }{
		{"64:ff9b::c000:aa", "64:ff9b::/96"},
		{"2a01:4f8:1:2:3:4:c000:ab", "2a01:4f8:1:2:3:4::/96"},
		{"2a01:4f8:c000:aa::", "2a01:4f8::/32"},
		{"2a01:4f8:1:2:c0:0:aa00:0", "2a01:4f8:1:2::/64"},
	} {
		got := nat64([]netip.Addr{netip.MustParseAddr(c.answer), netip.MustParseAddr("192.0.0.170")})
		found := false
		for _, p := range got {
			found = found || p == netip.MustParsePrefix(c.prefix)
		}
		if !found {
			t.Errorf("%s gives %v, want %s", c.answer, got, c.prefix)
		}
	}
	if got := nat64([]netip.Addr{netip.MustParseAddr("2606:4700::1")}); len(got) != 0 {
		t.Errorf("an ordinary answer gives %v", got)
	}
}

func TestTargetsHaveOneForm(t *testing.T) {
	for in, want := range map[string]string{
		"example.com:443":        "example.com:443",
		"EXAMPLE.com.:443":       "example.com:443",
		"bücher.example:443":     "xn--bcher-kva.example:443",
		"BÜCHER.example:443":     "xn--bcher-kva.example:443",
		"xn--bcher-kva.example":  "xn--bcher-kva.example:443",
		"ｅｘａｍｐｌｅ.com:80":         "example.com:80",
		"example。com":            "example.com:443",
		"gitlab:22":              "gitlab:22",
		"93.184.216.34:443":      "93.184.216.34:443",
		"[2606:4700::1]:443":     "[2606:4700::1]:443",
		"2606:4700::1":           "[2606:4700::1]:443",
		"[::ffff:1.2.3.4]:443":   "1.2.3.4:443",
		"[fe80::1%lo]:443":       "[fe80::1]:443",
		"a-b.c1.example.com:443": "a-b.c1.example.com:443",
		"1password.com":          "1password.com:443",
	} {
		got, err := ParseTarget(in, 443)
		if err != nil || got.String() != want {
			t.Errorf("ParseTarget(%q) = %q, %v; want %q", in, got.String(), err, want)
		}
	}
	for _, in := range []string{
		"", ":443", "example.com:", "example.com:0", "example.com:65536", "example.com:+443", "example.com:44 3", "example.com:-1",
		"example..com:443", ".example.com:443", "example.com..:443", "-a.com:443", "a-.com:443", "a_b.com:443", "a b.com:443", "a\x00.com:443",
		"a\r\nHost: b.com:443", "exa%6dple.com:443", "example.com/:443", "user@example.com:443", "*.example.com:443", "example.com:443:443",
		"127.1:443", "2130706433:443", "0x7f.0.0.1:443", "0177.0.0.1:443", "127.0.0.01:443", "1.2.3:443", "example.0x1:443", "example.12:443",
		"１２７.0.0.1x:0", "[127.0.0.1]:443", "[::1:443", "[::1]443", "[]:443", "[example.com]:443", "xn--a.example:443", "xn--:443",
		strings.Repeat("a", 64) + ".com:443", strings.Repeat("a.", 130) + "com:443", strings.Repeat("a", 2000), "/path", "http://example.com",
	} {
		if got, err := ParseTarget(in, 443); err == nil {
			t.Errorf("ParseTarget(%.60q) = %q, want an error", in, got)
		}
	}
	if _, err := ParseTarget("example.com", 0); err == nil {
		t.Error("a missing port passes where one is needed")
	}
}

func compile(t testing.TB, p Policy) *Rules {
	t.Helper()
	r, err := p.Compile()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestPolicyDecides(t *testing.T) {
	r := compile(t, Policy{
		API: &API{},
		Hosts: []Rule{
			{Host: "registry.npmjs.org"},
			{Host: "Plain.Example.com.", Port: 80},
			{Host: "*.wild.example"},
			{Host: "93.184.216.34", Port: 8443},
			{Host: "git.corp.example", Private: true},
			{Host: "10.1.2.3", Port: 8080, Private: true},
			{Host: "blocked.example"},
			{Host: "api.anthropic.com"},
			{Host: "*.anthropic.com"},
			{Host: "bücher.example"},
		},
		Block: []string{"blocked.example", "*.no.wild.example", "Evil.wild.example."},
	})
	for target, want := range map[string]Verdict{
		"registry.npmjs.org:443":      {OK: true, Rule: "registry.npmjs.org:443"},
		"REGISTRY.npmjs.ORG.:443":     {OK: true, Rule: "registry.npmjs.org:443"},
		"registry.npmjs.org:80":       {Reason: NotAllowed},
		"registry.npmjs.org:22":       {Reason: NotAllowed},
		"xregistry.npmjs.org:443":     {Reason: NotAllowed},
		"x.registry.npmjs.org:443":    {Reason: NotAllowed},
		"registry.npmjs.org.x:443":    {Reason: NotAllowed},
		"plain.example.com:80":        {OK: true, Rule: "plain.example.com:80"},
		"plain.example.com:443":       {Reason: NotAllowed},
		"wild.example:443":            {Reason: NotAllowed},
		"a.wild.example:443":          {OK: true, Rule: "*.wild.example:443"},
		"a.b.wild.example:443":        {OK: true, Rule: "*.wild.example:443"},
		"awild.example:443":           {Reason: NotAllowed},
		"evil.wild.example:443":       {Reason: Blocked},
		"x.no.wild.example:443":       {Reason: Blocked},
		"no.wild.example:443":         {OK: true, Rule: "*.wild.example:443"},
		"blocked.example:443":         {Reason: Blocked},
		"93.184.216.34:8443":          {OK: true, Rule: "93.184.216.34:8443"},
		"93.184.216.34:443":           {Reason: NotAllowed},
		"[::ffff:93.184.216.34]:8443": {OK: true, Rule: "93.184.216.34:8443"},
		"git.corp.example:443":        {OK: true, Rule: "git.corp.example:443", Private: true},
		"10.1.2.3:8080":               {OK: true, Rule: "10.1.2.3:8080", Private: true},
		"10.1.2.3:80":                 {Reason: NotAllowed},
		"10.1.2.4:8080":               {Reason: NotAllowed},
		"api.anthropic.com:443":       {Reason: APIHost},
		"api.anthropic.com.:443":      {Reason: APIHost},
		"console.anthropic.com:443":   {OK: true, Rule: "*.anthropic.com:443"},
		"xn--bcher-kva.example:443":   {OK: true, Rule: "xn--bcher-kva.example:443"},
		"localhost:443":               {Reason: NotAllowed},
		"127.0.0.1:443":               {Reason: NotAllowed},
	} {
		tg, err := ParseTarget(target, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Decide(tg); got != want {
			t.Errorf("%s: %+v, want %+v", target, got, want)
		}
	}
	// Where the route is led elsewhere the API's own name is no way past it.
	test := compile(t, Policy{API: &API{Upstream: "https://api.test.example"}, Hosts: []Rule{{Host: "api.anthropic.com"}, {Host: "api.test.example"}}})
	for _, name := range []string{"api.anthropic.com", "api.test.example"} {
		if got := test.Decide(Target{Host: name, Port: 443}); got.Reason != APIHost {
			t.Errorf("%s by a tunnel: %+v", name, got)
		}
	}
	if got := compile(t, Policy{}).Decide(Target{Host: "example.com", Port: 443}); got.OK {
		t.Error("the empty policy allows something")
	}
}

func TestPoliciesThatCannotBeMeantAreRefusedWithACure(t *testing.T) {
	for _, p := range []Policy{
		{Hosts: []Rule{{Host: ""}}},
		{Hosts: []Rule{{Host: "*"}}},
		{Hosts: []Rule{{Host: "*.com"}}},
		{Hosts: []Rule{{Host: "a.*.com"}}},
		{Hosts: []Rule{{Host: "*.1.2.3.4"}}},
		{Hosts: []Rule{{Host: "https://example.com"}}},
		{Hosts: []Rule{{Host: "example.com/path"}}},
		{Hosts: []Rule{{Host: "127.0.0.1", Port: 80}}},
		{Hosts: []Rule{{Host: "127.0.0.1", Port: 80, Private: true}}},
		{Hosts: []Rule{{Host: "::1", Port: 80, Private: true}}},
		{Hosts: []Rule{{Host: "169.254.169.254", Port: 80, Private: true}}},
		{Hosts: []Rule{{Host: "fe80::1", Port: 80, Private: true}}},
		{Hosts: []Rule{{Host: "10.0.0.1", Port: 80}}},
		{Hosts: []Rule{{Host: "10.0.0.1", Private: true}}},
		{Hosts: []Rule{{Host: "*.corp.example", Private: true}}},
		{Block: []string{"not a name"}},
		{Floor: []string{"10.0.0.0"}},
		{API: &API{Upstream: "api.example.com"}},
		{API: &API{Upstream: "ftp://api.example.com"}},
		{API: &API{Upstream: "https://user:pw@api.example.com"}},
		{API: &API{Upstream: "https://api.example.com", Roots: "garbage"}},
	} {
		_, err := p.Compile()
		var re *RuleError
		if !errors.As(err, &re) || re.Cure() == "" || re.Why == "" {
			t.Errorf("%+v compiles: %v", p, err)
		}
	}
}

func FuzzTarget(f *testing.F) {
	for _, s := range []string{"example.com:443", "[::1]:80", "bücher.de", "127.1:1", "a..b:2", "x\x00:3", "１.２:3", "xn--a:4", "[fe80::1%lo]:5"} {
		f.Add(s)
	}
	r := compile(f, Policy{Hosts: []Rule{{Host: "allowed.example"}, {Host: "*.wild.example"}}})
	f.Fuzz(func(t *testing.T, s string) {
		tg, err := ParseTarget(s, 443)
		if err != nil {
			return
		}
		again, err := ParseTarget(tg.String(), 0)
		if err != nil || again != tg {
			t.Fatalf("%q gives %q, which gives %q, %v", s, tg, again, err)
		}
		if v := r.Decide(tg); v.OK && tg.Host != "allowed.example" && !strings.HasSuffix(tg.Host, ".wild.example") {
			t.Fatalf("%q is allowed as %q by %q", s, tg, v.Rule)
		}
	})
}

func FuzzPolicy(f *testing.F) {
	f.Add("example.com", uint16(443), false, "*.bad.example")
	f.Add("*.example.com", uint16(0), true, "")
	f.Add("10.0.0.1", uint16(80), true, "10.0.0.2")
	f.Fuzz(func(t *testing.T, host string, port uint16, private bool, block string) {
		p := Policy{Hosts: []Rule{{Host: host, Port: port, Private: private}}}
		if block != "" {
			p.Block = []string{block}
		}
		r, err := p.Compile()
		if err != nil {
			var re *RuleError
			if !errors.As(err, &re) {
				t.Fatalf("%v", err)
			}
			return
		}
		for _, probe := range []string{"127.0.0.1:443", "169.254.169.254:80", "localhost:443", "[::1]:443"} {
			tg, _ := ParseTarget(probe, 0)
			if v := r.Decide(tg); v.OK && tg.Addr.IsValid() {
				t.Fatalf("%q lets %s through", host, probe)
			}
		}
	})
}
