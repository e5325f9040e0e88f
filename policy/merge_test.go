package policy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"bottlebar.app/egress"
)

var noon = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

// file reads a short form: "+host[:port]" allows, "!" blocks, "~" mutes, "@"
// turns a preset on and "-@" off, "only" is only; "+host ten" ends at ten.
func file(t testing.TB, lines ...string) File {
	t.Helper()
	var b, top strings.Builder
	for _, l := range lines {
		host, rest, _ := strings.Cut(strings.TrimLeft(l, "+!~"), " ")
		name, port, _ := strings.Cut(host, ":")
		entry := fmt.Sprintf("host = %q\n", name)
		if port != "" {
			entry += "port = " + port + "\n"
		}
		switch rest {
		case "":
		case "private":
			entry += "private = true\n"
		default:
			if m, ok := strings.CutPrefix(rest, "until "); ok {
				entry += "granted = 2026-01-31T11:00:00Z\nexpires = 2026-01-31T" + m + ":00Z\n"
			} else {
				entry += fmt.Sprintf("methods = [%q]\n", rest)
			}
		}
		switch {
		case l == "only":
			top.WriteString("only = true\n")
		case strings.HasPrefix(l, "@"):
			fmt.Fprintf(&top, "presets = [%q]\n", l[1:])
		case strings.HasPrefix(l, "-@"):
			fmt.Fprintf(&top, "without = [%q]\n", l[2:])
		case l[0] == '+':
			b.WriteString("[[allow]]\n" + entry)
		case l[0] == '!':
			b.WriteString("[[block]]\n" + entry)
		case l[0] == '~':
			b.WriteString("[[mute]]\n" + entry)
		}
	}
	f, err := Parse("test.toml", []byte(top.String()+b.String()))
	if err != nil {
		t.Fatalf("%q: %v", lines, err)
	}
	return f
}

func TestScopesJoinAndBlocksWin(t *testing.T) {
	type l = []string
	for name, c := range map[string]struct {
		global, artifact, bottle, project l
		want                              string // what is let through, by text
		told                              string
	}{
		"nothing said":            {want: "api"},
		"scopes add":              {l{"+a.example"}, l{"+b.example:80"}, l{"+c.example"}, nil, "api a.example:443 b.example:80 c.example:443", ""},
		"twice is once":           {l{"+a.example"}, l{"+a.example"}, nil, nil, "api a.example:443", ""},
		"a global block wins":     {l{"!a.example"}, nil, l{"+a.example", "+b.example"}, nil, "api b.example:443", ""},
		"a block below wins too":  {l{"+a.example"}, nil, l{"!*.example", "!a.example"}, nil, "api", ""},
		"a block of one port":     {l{"+a.example", "+a.example:80", "!a.example:80"}, nil, nil, nil, "api a.example:443", ""},
		"a block over a wildcard": {l{"+*.a.example", "!*.a.example"}, nil, nil, nil, "api", ""},
		"the API can be blocked":  {l{"!api.anthropic.com"}, nil, nil, nil, "", ""},
		"also by a wildcard":      {l{"!*.anthropic.com"}, nil, nil, nil, "", ""},
		"the API taken away":      {nil, nil, l{"-@claude"}, nil, "", ""},
		"and given back":          {l{"-@claude"}, nil, l{"@claude"}, nil, "api", ""},
		"presets":                 {l{"@go"}, nil, nil, nil, "api proxy.golang.org:443 sum.golang.org:443", ""},
		"presets taken away":      {l{"@go"}, l{"-@go"}, nil, nil, "api", ""},
		"only":                    {l{"+a.example", "@go"}, nil, l{"only", "+b.example"}, nil, "api b.example:443", ""},
		"over at noon":            {nil, nil, l{"+a.example until 12:00", "+b.example until 12:01"}, nil, "api b.example:443", ""},

		"a project blocks":                    {l{"+a.example", "+b.example"}, nil, nil, l{"!a.example"}, "api b.example:443", ""},
		"a project takes a preset":            {l{"@go"}, nil, nil, l{"-@go"}, "api", ""},
		"a project takes the API":             {nil, nil, nil, l{"-@claude"}, "", ""},
		"a project cannot allow":              {l{"+a.example"}, nil, nil, l{"+evil.example"}, "api a.example:443", "wants evil.example:443"},
		"nor turn a preset on":                {nil, nil, nil, l{"@go"}, "api", "wants proxy.golang.org:443"},
		"nor give the API back":               {l{"-@claude"}, nil, nil, l{"@claude"}, "", ""},
		"nor another port":                    {l{"+a.example"}, nil, nil, l{"+a.example:80"}, "api a.example:443", "wants a.example:80"},
		"nor a wildcard":                      {l{"+a.b.example"}, nil, nil, l{"+*.b.example"}, "api a.b.example:443", "wants *.b.example"},
		"nor unblock":                         {l{"+a.example", "!a.example"}, nil, nil, l{"+a.example"}, "api", ""},
		"nor mute":                            {l{"+a.example"}, nil, nil, l{"~evil.example"}, "api a.example:443", "mute"},
		"a project narrows to its list":       {l{"+a.example", "+b.example"}, nil, nil, l{"only", "+a.example", "+c.example"}, "api a.example:443", "wants c.example"},
		"within a wildcard":                   {l{"+*.b.example"}, nil, nil, l{"only", "+x.b.example", "+*.y.b.example"}, "api x.b.example:443 *.y.b.example:443", ""},
		"to a method":                         {l{"+a.example:80"}, nil, nil, l{"only", "+a.example:80 GET"}, "api a.example:80[GET]", ""},
		"not to another method":               {l{"+a.example:80 GET"}, nil, nil, l{"only", "+a.example:80 POST"}, "api", "wants a.example:80"},
		"of any method, what is there":        {l{"+a.example:80 GET"}, nil, nil, l{"only", "+a.example:80"}, "api a.example:80[GET]", ""},
		"a private one stays private":         {l{"+a.example:80 private"}, nil, nil, l{"only", "+a.example:80 private"}, "api a.example:80*", ""},
		"not a public one private":            {l{"+a.example:80"}, nil, nil, l{"only", "+a.example:80 private"}, "api a.example:80", ""},
		"what is taken away is not covered":   {l{"@go"}, nil, nil, l{"-@go", "+proxy.golang.org"}, "api", "wants proxy.golang.org"},
		"what the project blocks stays so":    {l{"+a.example"}, nil, nil, l{"only", "+a.example", "!a.example"}, "api", ""},
		"a project's own end":                 {l{"+a.example"}, nil, nil, l{"only", "+a.example until 12:00"}, "api", "wants"},
		"an end is the nearer one":            {nil, nil, l{"+a.example until 12:30"}, l{"only", "+a.example until 13:00"}, "api a.example:443@12:30", ""},
		"a project's preset is a list":        {l{"@go", "+a.example"}, nil, nil, l{"only", "@go"}, "api proxy.golang.org:443 sum.golang.org:443", ""},
		"what is over is not covered":         {nil, nil, l{"+a.example until 11:30"}, l{"only", "+a.example"}, "api", "wants a.example"},
		"a bottle's only under the project's": {l{"+a.example"}, nil, l{"only", "+b.example"}, l{"only", "+a.example"}, "api", "wants a.example"},
	} {
		t.Run(name, func(t *testing.T) {
			layers := []Layer{{FromGlobal, file(t, c.global...)}, {FromArtifact, file(t, c.artifact...)}, {FromBottle, file(t, c.bottle...)}}
			var project *File
			if c.project != nil {
				f := file(t, c.project...)
				project = &f
			}
			e := Merge(layers, project, noon)
			var got []string
			for _, l := range e.Lines {
				if l.Action != Allows || l.Overruled != "" {
					continue
				}
				text := l.Text()
				if l.Methods != nil && l.Preset == "" {
					text += fmt.Sprint(l.Methods)
				}
				if l.Private {
					text += "*"
				}
				if project != nil && !l.Expires.IsZero() {
					text += l.Expires.Format("@15:04")
				}
				if !slices.Contains(got, text) {
					got = append(got, text)
				}
			}
			if s := strings.Join(got, " "); !sameWords(s, c.want) {
				t.Errorf("lets through %q, want %q", s, c.want)
			}
			if e.API != strings.HasPrefix(c.want, "api") {
				t.Errorf("the API's route is %v", e.API)
			}
			told := fmt.Sprint(e.Problems)
			if (c.told == "") != (len(e.Problems) == 0) || !strings.Contains(told, c.told) {
				t.Errorf("tells %s, want %q", told, c.told)
			}
		})
	}
}

// sameWords compares without order, and without ends that are not asked for.
func sameWords(a, b string) bool {
	x, y := strings.Fields(a), strings.Fields(b)
	slices.Sort(x)
	slices.Sort(y)
	return slices.EqualFunc(x, y, func(p, q string) bool { return p == q || !strings.Contains(q, "@") && strings.HasPrefix(p, q+"@") })
}

func TestALineTellsWhereItComesFromAndWhyItIsNotInForce(t *testing.T) {
	e := Merge([]Layer{
		{FromGlobal, file(t, "@go", "+a.example", "!b.example")}, {FromBottle, file(t, "+b.example", "+c.example until 12:30", "~d.example")},
	}, nil, noon)
	var got []string
	for _, l := range e.Lines {
		got = append(got, fmt.Sprintf("%s %s %s %s %s", l.Action, l.Text(), l.Origin, l.Preset, l.Overruled))
	}
	want := []string{
		"allow api built in claude ", "allow proxy.golang.org:443 global go ", "allow sum.golang.org:443 global go ", "allow a.example:443 global  ",
		"allow b.example:443 bottle  blocked: b.example", "allow c.example:443 once  ", "block b.example global  ", "mute d.example bottle  ",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("lists\n%s", strings.Join(got, "\n"))
	}
	if !e.Next.Equal(noon.Add(30 * time.Minute)) {
		t.Errorf("the next end is %s", e.Next)
	}
	if !e.Muted("D.example.", 443) || e.Muted("a.example", 443) || e.Muted("not a name", 1) {
		t.Error("mutes the wrong names")
	}
	if e.BlockedBy("b.example", 443) != "b.example" || e.BlockedBy("a.example", 443) != "" {
		t.Error("blocks the wrong names")
	}
}

func TestAClockSetBackEndsWhatWasAllowedForAWhile(t *testing.T) {
	f := file(t, "+a.example until 12:30") // granted at eleven
	for at, want := range map[time.Time]bool{
		noon: true, noon.Add(-time.Hour): true, noon.Add(-time.Hour - time.Second): false, noon.Add(30 * time.Minute): false, noon.AddDate(-1, 0, 0): false,
	} {
		if e := Merge([]Layer{{FromBottle, f}}, nil, at); (len(e.Hosts) == 1) != want {
			t.Errorf("at %s: %v", at, e.Hosts)
		}
	}
}

func TestMoreRulesThanAPolicyHoldsLetNothingThrough(t *testing.T) {
	var big File
	for i := range maxLines {
		h, _ := egress.ParseHost(fmt.Sprintf("h%d.example", i))
		big.Allow = append(big.Allow, Allow{Host: h, Rule: egress.Rule{Host: h.String(), Port: 443}})
	}
	second := file(t)
	for i := range maxLines {
		h, _ := egress.ParseHost(fmt.Sprintf("i%d.example", i))
		second.Allow = append(second.Allow, Allow{Host: h, Rule: egress.Rule{Host: h.String(), Port: 443}})
	}
	e := Merge([]Layer{{FromGlobal, big}, {FromArtifact, second}, {FromBottle, file(t, "+x.example")}}, nil, noon)
	if len(e.Hosts) > 0 || e.API || len(e.Problems) != 1 {
		t.Errorf("%d hosts, %v", len(e.Hosts), e.Problems)
	}
}

// FuzzMerge holds three promises over any files: a project's file never adds,
// blocks win, and what is listed as in force is what is decided.
func FuzzMerge(f *testing.F) {
	f.Add("[[allow]]\nhost='*.b.example'\n[[block]]\nhost='x.b.example'", "[[allow]]\nhost='a.example'\nport=80\nmethods=['GET']", "only=true\n[[allow]]\nhost='y.b.example'\n[[allow]]\nhost='a.example'\nport=80", "y.b.example", uint16(443))
	f.Add("presets=['node']", "without=['node']", "presets=['node']\nonly=true", "registry.npmjs.org", uint16(443))
	f.Add("[[allow]]\nhost='10.0.0.1'\nport=80\nprivate=true", "", "[[allow]]\nhost='10.0.0.1'\nport=80\nprivate=true", "10.0.0.1", uint16(80))
	f.Fuzz(func(t *testing.T, global, bottle, project, host string, port uint16) {
		g, err := Parse("g", []byte(global))
		b, err2 := Parse("b", []byte(bottle))
		p, err3 := ParseProject("p", []byte(project))
		if err != nil || err2 != nil || err3 != nil {
			return
		}
		layers := []Layer{{FromGlobal, g}, {FromBottle, b}}
		without, with := Merge(layers, nil, noon), Merge(layers, &p, noon)
		if with.API && !without.API {
			t.Error("a project turned the API on")
		}
		targets := []egress.Target{}
		if tg, err := egress.ParseTarget(host, max(port, 1)); err == nil {
			tg.Port = max(port, 1)
			targets = append(targets, tg)
		}
		for _, l := range slices.Concat(with.Lines, wanted(p)) {
			h := l.Host
			if h.Wild {
				h.Name = "below." + h.Name
			}
			targets = append(targets, egress.Target{Host: h.Name, Addr: h.Addr, Port: max(l.Port, 1)})
		}
		for _, tg := range targets {
			for _, method := range []string{"", "GET", "POST"} {
				tg.Method = method
				a, b := without.Decide(tg), with.Decide(tg)
				if b.OK && (!a.OK || b.Private && !a.Private) {
					t.Errorf("a project opened %s for %q: %+v, before %+v", tg, method, b, a)
				}
				for _, e := range []Effective{without, with} {
					blocked := slices.ContainsFunc(e.Lines, func(l Line) bool {
						return l.Action == Blocks && l.entry().matches(egress.Host{Name: tg.Host, Addr: tg.Addr}, tg.Port)
					})
					if blocked && e.Decide(tg).OK {
						t.Errorf("%s is let through and blocked", tg)
					}
				}
			}
		}
	})
}
