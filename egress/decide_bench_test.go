package egress

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkDecide asks a policy of 10 000 rules, a third of them exact, a
// third wildcards and a third blocks, beside a look at each rule in turn.
func BenchmarkDecide(b *testing.B) {
	var p Policy
	for i := range 10_000 / 3 {
		p.Hosts = append(p.Hosts, Rule{Host: fmt.Sprintf("host%d.example.com", i), Port: 443}, Rule{Host: fmt.Sprintf("*.wild%d.example.com", i), Port: 443})
		p.Block = append(p.Block, fmt.Sprintf("*.bad%d.example.com", i))
	}
	rules, err := p.Compile()
	if err != nil {
		b.Fatal(err)
	}
	block, hosts := flat(p)
	for name, host := range map[string]string{
		"exact": "host3332.example.com", "wildcard": "a.b.wild3332.example.com", "blocked": "x.bad3332.example.com", "unknown": "nobody.example.org",
		"longest": strings.Repeat("a.", 119) + "example.com",
	} {
		t := Target{Host: host, Port: 443}
		b.Run(name+"/table", func(b *testing.B) {
			for b.Loop() {
				rules.Decide(t)
			}
		})
		b.Run(name+"/linear", func(b *testing.B) {
			for b.Loop() {
				scan(block, hosts, t)
			}
		})
	}
}

type flatRule struct {
	host Host
	port uint16
}

func flat(p Policy) (block, hosts []flatRule) {
	for _, s := range p.Block {
		h, _ := ParseHost(s)
		block = append(block, flatRule{host: h})
	}
	for _, r := range p.Hosts {
		h, _ := ParseHost(r.Host)
		hosts = append(hosts, flatRule{h, r.Port})
	}
	return block, hosts
}

func scan(block, hosts []flatRule, t Target) bool {
	h := Host{Name: t.Host, Addr: t.Addr}
	for _, r := range block {
		if r.host.Covers(h) {
			return false
		}
	}
	for _, r := range hosts {
		if r.port == t.Port && r.host.Covers(h) {
			return true
		}
	}
	return false
}
