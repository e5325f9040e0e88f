package policy

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"bottlebar.app/egress"
)

// BenchmarkTenThousandRules is what a change of a large policy costs the app,
// step by step, beside reading the text with the TOML library alone.
func BenchmarkTenThousandRules(b *testing.B) {
	var text strings.Builder
	for i := range maxLines {
		fmt.Fprintf(&text, "[[allow]]\nhost = \"h%d.example.com\"\n", i)
	}
	raw := []byte(text.String())
	f, err := Parse("p", raw)
	if err != nil {
		b.Fatal(err)
	}
	e := Merge([]Layer{{FromGlobal, f}}, nil, noon)
	steps := []struct {
		name string
		do   func()
	}{
		{"toml", func() { _, _ = scan("p", raw) }},
		{"parse", func() { _, _ = Parse("p", raw) }},
		{"merge", func() { Merge([]Layer{{FromGlobal, f}}, nil, time.Now()) }},
		{"compile", func() { _, _ = egress.Policy{Hosts: e.Hosts, Block: e.Block}.Compile() }},
		{"edit", func() {
			x, _ := newEdit("p", raw)
			_, _ = x.remove(tableAllow, func(f found) bool { return f.Host.Name == "h77.example.com" })
		}},
	}
	for _, s := range steps {
		b.Run(s.name, func(b *testing.B) {
			for b.Loop() {
				s.do()
			}
		})
	}
}
