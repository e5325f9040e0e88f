package policy

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"bottlebar.app/egress"
)

const sample = `# What I let out.
presets = ["node", "Git hosts"] # for work
without = ["claude"]
later = { a = 1 }

[[allow]] # ours
host = "Git.Corp.example."
port = 8080
private = true
note = "the old one"

[[allow]]
host = "mirror.example"
port = 80
methods = ["get", "HEAD"]

[[allow]]
host = "soon.example"
granted = 2026-01-31T18:00:00Z
expires = 2026-01-31T19:00:00+01:00

[[block]]
host = "*.tracker.example"

[[block]]
host = "half.example"
port = 8443

[[mute]]
host = "telemetry.example"
`

func TestAPolicyFileIsRead(t *testing.T) {
	f, err := Parse("policy.toml", []byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range f.Presets {
		got = append(got, fmt.Sprintf("%d preset %s", p.Line, p.Name))
	}
	for _, p := range f.Without {
		got = append(got, fmt.Sprintf("%d without %s", p.Line, p.Name))
	}
	for _, a := range f.Allow {
		got = append(got, fmt.Sprintf("%d allow %s %d %v %v %s", a.Line, a.Rule.Host, a.Rule.Port, a.Rule.Methods, a.Rule.Private, a.Expires.Sub(a.Granted)))
	}
	for _, b := range f.Block {
		got = append(got, fmt.Sprintf("%d block %s", b.Line, b))
	}
	for _, m := range f.Mute {
		got = append(got, fmt.Sprintf("%d mute %s", m.Line, m))
	}
	for _, w := range f.Warnings {
		got = append(got, fmt.Sprintf("%d %s", w.Line, w.Why))
	}
	want := []string{
		"2 preset node", "2 preset git-hosts", "3 without claude",
		"7 allow git.corp.example 8080 [] true 0s", "13 allow mirror.example 80 [GET HEAD] false 0s", "18 allow soon.example 443 [] false 0s",
		"23 block *.tracker.example", "26 block half.example:8443", "30 mute telemetry.example",
		`4 "later" is not known to this version, and is ignored`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("read as\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestABadLineIsToldWithItsNumberAndACure(t *testing.T) {
	for text, want := range map[string]string{
		"\npresets = [":                                                 "line 2",
		"a = 1\na = 2\n":                                                "line 2",
		"presets = \"node\"":                                            "line 1: presets is not a list",
		"presets = [\n\"node\",\n\"nodee\"]":                            "line 3: there is no preset",
		"without = [1]":                                                 "line 1: there is no preset",
		"allow = [\"a.example\"]":                                       "line 1: allow is a list of its own",
		"[[allow]]\nport = 1":                                           "line 1: \"\": not a host name: it is empty",
		"[[allow]]\n\nhost = \"\"":                                      "line 3: \"\": not a host name: it is empty",
		"[[allow]]\nhost = 7":                                           "line 2: host is not text",
		"[[allow]]\nhost = \"a.example\"\nport = 0":                     "line 3: the port",
		"[[allow]]\nhost = \"a.example\"\nport = 65536":                 "line 3: the port",
		"[[allow]]\nhost = \"a.example\"\nport = -1":                    "line 3: the port",
		"[[allow]]\nhost = \"a.example\"\nport = \"443\"":               "line 3: the port",
		"[[allow]]\nhost = \"a.example\"\nmethods = [\"GET\"]":          "line 2: \"a.example\": methods cannot be seen inside TLS: add port = 80",
		"[[allow]]\nhost = \"a.example\"\nport=80\nmethods = []":        "line 4: methods is not a list",
		"[[allow]]\nhost = \"a.example\"\nport=80\nmethods = [\"GE\"]":  "line 2: \"a.example\": there is no method",
		"[[allow]]\nhost = \"a.example\"\nprivate = \"yes\"":            "line 3: private is neither",
		"[[allow]]\nhost = \"*.a.example\"\nport = 443\nprivate = true": "exact name",
		"[[allow]]\nhost = \"10.0.0.1\"\nport = 80":                     "private address: add private = true",
		"[[allow]]\nhost = \"127.0.0.1\"\nport = 80\nprivate = true":    "never reached",
		"[[allow]]\nhost = \"*.co.uk\"":                                 "line 2: \"*.co.uk\": it is too wide",
		"[[allow]]\nhost = \"*\"":                                       "a star",
		"[[allow]]\nhost = \"https://a.example/\"":                      "web address",
		"[[allow]]\nhost = \"" + strings.Repeat("a.", 130) + "com\"":    "253",
		"[[allow]]\nhost = \"a.example\"\nexpires = 2026-01-01":         "line 3: expires is not a moment",
		"[[allow]]\nhost = \"a.example\"\nexpires = \"soon\"":           "line 3: expires is not a moment",
		"[[block]]\nhost = \"a b\"":                                     "line 2: \"a b\": not a host name: it has a space",
		"[block]\nhost = \"a.example\"":                                 "line 1: [block] is no rule: write each rule as [[block]]",
		"[[allow]]\nhost = \"a.example\"\n[allow.x]\ny = 1":             "line 3: [allow.x] is no rule",
		"a = 1\nblock.host = \"a.example\"":                             "line 2: block is a list",
		"only = 1":                                                      "line 1: only is neither",
		"artifact = 1":                                                  "line 1: artifact is not text",
	} {
		f, err := Parse("policy.toml", []byte(text))
		var bad *BadFileError
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), want) || bad.Cure() == "" {
			t.Errorf("%q gives %v, want %q and a cure", text, err, want)
		}
		if len(f.Allow)+len(f.Block)+len(f.Presets) > 0 {
			t.Errorf("%q gives rules besides an error: %+v", text, f)
		}
	}
}

func TestEveryBadLineIsToldAtOnce(t *testing.T) {
	_, err := Parse("p", []byte("[[allow]]\nhost = \"a b\"\n[[allow]]\nhost = \"c\"\nport = 0\n[[block]]\nhost = \"-\"\n"))
	var bad *BadFileError
	if !errors.As(err, &bad) || len(bad.Problems) != 3 || bad.Problems[2].Line != 7 {
		t.Errorf("gives %v", err)
	}
}

func TestARuleWithAnUnknownKeyIsLeftOut(t *testing.T) {
	f, err := Parse("p", []byte("[[allow]]\nhost = \"a.example\"\nport = 80\nmethds = [\"GET\"]\n[[allow]]\nhost = \"b.example\"\n"))
	if err != nil || len(f.Allow) != 1 || f.Allow[0].Rule.Host != "b.example" || len(f.Warnings) != 1 || f.Warnings[0].Line != 4 {
		t.Errorf("read as %+v, %v", f, err)
	}
}

func TestAWildcardOverNamesForAnybodyIsWarnedOf(t *testing.T) {
	f, err := Parse("p", []byte("[[allow]]\nhost = \"*.github.io\"\n[[allow]]\nhost = \"*.corp.internal\"\n"))
	if err != nil || len(f.Allow) != 2 || len(f.Warnings) != 1 || f.Warnings[0].Line != 2 {
		t.Errorf("read as %+v, %v", f, err)
	}
}

func TestAFileOfTenThousandRulesIsReadAndOneMoreRefused(t *testing.T) {
	var b strings.Builder
	for i := range maxLines {
		fmt.Fprintf(&b, "[[allow]]\nhost = \"h%d.example.com\"\n", i)
	}
	f, err := Parse("p", []byte(b.String()))
	if err != nil || len(f.Allow) != maxLines || f.Allow[maxLines-1].Line != 2*maxLines {
		t.Fatalf("%d rules, %v", len(f.Allow), err)
	}
	if e := Merge([]Layer{{FromGlobal, f}}, nil, time.Now()); len(e.Hosts) != maxLines || !e.Decide(egress.Target{Host: "h9999.example.com", Port: 443}).OK {
		t.Errorf("%d hosts", len(e.Hosts))
	}
	if _, err := Parse("p", []byte(b.String()+"[[block]]\nhost = \"x.example\"\n")); err == nil {
		t.Error("one rule more is read")
	}
}

func TestPresetsAreExactAndSayWhatTheyLetOut(t *testing.T) {
	for i, p := range Presets() {
		if p.For == "" || p.LetsOut == "" || i > 0 && presets[i-1].Name >= p.Name || (len(p.Hosts) == 0) != p.API {
			t.Errorf("preset %+v", p)
		}
		for _, r := range p.Hosts {
			h, err := r.Check()
			if err != nil || h.Wild || h.String() != r.Host || r.Port == 0 || r.Private {
				t.Errorf("preset %s: %+v, %v", p.Name, r, err)
			}
			found := false
			for _, q := range PresetsFor(r.Host, int(r.Port)) {
				found = found || q.Name == p.Name
			}
			if !found {
				t.Errorf("%s is not found by its host %s", p.Name, r.Host)
			}
		}
	}
	if got := PresetsFor("Registry.NPMjs.org.", 443); len(got) != 1 || got[0].Name != "node" {
		t.Errorf("the registry is in %+v", got)
	}
	if got := PresetsFor("registry.npmjs.org", 80); len(got) != 0 {
		t.Errorf("another port is in %+v", got)
	}
	if _, ok := PresetOf("  GIT   hosts "); !ok {
		t.Error("a name in other words is not found")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(sample)
	f.Add("[[allow]]\nhost = '''\n[[allow]]\n'''\n[allow.x]\n[[allow.y]]\n")
	f.Add("allow.host = 1\n[block]\n")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := Parse("p", []byte(text))
		if err != nil {
			var bad *BadFileError
			if !errors.As(err, &bad) || len(bad.Problems) == 0 {
				t.Fatalf("%q: %v", text, err)
			}
			for _, p := range bad.Problems {
				if p.Why == "" || p.Fix == "" || p.Line < 0 || p.Line > strings.Count(text, "\n")+1 {
					t.Errorf("%q: %+v", text, p)
				}
			}
			return
		}
		for _, a := range file.Allow {
			if _, err := a.Rule.Check(); err != nil || a.Rule.Port == 0 {
				t.Errorf("%q lets through %+v, %v", text, a.Rule, err)
			}
		}
		editKeeps(t, text)
	})
}
