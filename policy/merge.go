package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"bottlebar.app/egress"
)

// Origin is where a line comes from.
type Origin string

// The origins, the widest first.
const (
	FromBuiltIn  Origin = "built in"
	FromSettings Origin = "settings" // [[host]] of the settings file
	FromGlobal   Origin = "global"
	FromArtifact Origin = "artifact"
	FromBottle   Origin = "bottle"
	FromOnce     Origin = "once" // a rule with an end
	FromProject  Origin = "project"
)

// Layer is one file and where it stands.
type Layer struct {
	Origin Origin
	File   File
}

// What a Line does.
const (
	Allows = "allow"
	Blocks = "block"
	Mutes  = "mute"
)

// Line is one line of an effective list.
type Line struct {
	Action  string // Allows, Blocks or Mutes
	Origin  Origin
	Preset  string // that it comes from; empty: written by itself
	API     bool   // the API's own route, not a host
	Host    egress.Host
	Port    uint16 // 0: every port
	Methods []string
	Private bool
	Granted time.Time
	Expires time.Time // zero: it stays
	File    string
	Line    int
	// Overruled says why a line is not in force; empty when it is.
	Overruled string
}

func (l Line) rule() egress.Rule {
	return egress.Rule{Host: l.Host.String(), Port: l.Port, Methods: l.Methods, Private: l.Private}
}

func (l Line) entry() Entry { return Entry{Host: l.Host, Port: l.Port} }

// Text is the line's place as decisions report the rule that decided.
func (l Line) Text() string {
	if l.API {
		return "api"
	}
	return l.entry().String()
}

// Effective is what holds for one bottle.
type Effective struct {
	Lines    []Line // allowed first, by origin from the widest
	API      bool   // the API's route is open
	Hosts    []egress.Rule
	Block    []string
	Presets  map[string]Origin // those that are on, and what turned them on
	Problems []Problem
	// Unknown says that a file is bad and what it said before is not known:
	// nothing is let through.
	Unknown bool
	// Next is when the first rule ends; zero when none does.
	Next  time.Time
	rules *egress.Rules
}

// apiHost is what the API's route leads to; a block of it closes the route.
var apiHost = egress.Host{Name: strings.TrimPrefix(egress.DefaultUpstream, "https://")}

// Merge joins files, the widest first, into what holds at a moment. Blocks of
// every layer win over whatever any layer allows. The project's file, which may
// be nil, is not trusted: it takes away, and never adds.
func Merge(layers []Layer, project *File, now time.Time) Effective {
	m := merger{now: now, presets: map[string]Origin{APIPreset: FromBuiltIn}}
	for _, l := range layers {
		m.layer(l)
	}
	if project != nil {
		m.project(*project)
	}
	m.expandPresets()
	if project != nil {
		m.narrow(*project)
	}
	return m.finish()
}

type merger struct {
	now      time.Time
	presets  map[string]Origin
	allows   []Line
	blocks   []Line
	mutes    []Line
	problems []Problem
}

func (m *merger) layer(l Layer) {
	m.problems = append(m.problems, l.File.Warnings...)
	if l.File.Only {
		for i := range m.allows {
			m.overrule(i, "only what the "+string(l.Origin)+" file allows")
		}
		for name := range m.presets {
			if name != APIPreset {
				delete(m.presets, name)
			}
		}
	}
	for _, p := range l.File.Presets {
		if _, on := m.presets[p.Name]; !on {
			m.presets[p.Name] = l.Origin
		}
	}
	for _, p := range l.File.Without {
		delete(m.presets, p.Name)
	}
	for _, a := range l.File.Allow {
		line := Line{
			Action: Allows, Origin: l.Origin, Host: a.Host, Port: a.Rule.Port, Methods: a.Rule.Methods, Private: a.Rule.Private,
			Granted: a.Granted, Expires: a.Expires, File: l.File.Name, Line: a.Line,
		}
		if !a.Expires.IsZero() {
			line.Origin = FromOnce
			if a.over(m.now) {
				continue
			}
		}
		m.allows = append(m.allows, line)
	}
	m.blocks = append(m.blocks, entries(l, Blocks, l.File.Block)...)
	m.mutes = append(m.mutes, entries(l, Mutes, l.File.Mute)...)
}

func (m *merger) overrule(i int, why string) {
	if m.allows[i].Overruled == "" {
		m.allows[i].Overruled = why
	}
}

// over reports whether a rule's time has passed, or the clock was set back to
// before it began.
func (a Allow) over(now time.Time) bool {
	return !a.Expires.IsZero() && (!now.Before(a.Expires) || !a.Granted.IsZero() && now.Before(a.Granted))
}

func entries(l Layer, action string, list []Entry) []Line {
	out := make([]Line, 0, len(list))
	for _, e := range list {
		out = append(out, Line{Action: action, Origin: l.Origin, Host: e.Host, Port: e.Port, File: l.File.Name, Line: e.Line})
	}
	return out
}

// project takes what a project's file takes away.
func (m *merger) project(f File) {
	m.problems = append(m.problems, f.Warnings...)
	for _, p := range f.Without {
		delete(m.presets, p.Name)
	}
	m.blocks = append(m.blocks, entries(Layer{FromProject, f}, Blocks, f.Block)...)
	if len(f.Mute) > 0 {
		m.problems = append(m.problems, Problem{
			File: f.Name, Line: f.Mute[0].Line, Warning: true,
			Why: "a project cannot mute what it is refused: its [[mute]] is ignored", Fix: "mute it yourself, if you want that",
		})
	}
}

func (m *merger) expandPresets() {
	var lines []Line
	for _, p := range presets {
		from, on := m.presets[p.Name]
		if !on {
			continue
		}
		if p.API {
			lines = append(lines, Line{Action: Allows, Origin: from, Preset: p.Name, API: true, Host: apiHost, Port: egress.DefaultPort})
		}
		for _, r := range p.Hosts {
			h, _ := egress.ParseHost(r.Host) // ours; a test reads them all
			lines = append(lines, Line{Action: Allows, Origin: from, Preset: p.Name, Host: h, Port: r.Port, Methods: r.Methods})
		}
	}
	m.allows = append(lines, m.allows...)
}

// narrow holds a project's list against what is allowed: what is not covered is
// told, and with only what the list does not name is overruled.
func (m *merger) narrow(f File) {
	var kept []Line
	for _, want := range wanted(f) {
		got := m.cover(want)
		if len(got) == 0 {
			m.problems = append(m.problems, Problem{
				File: f.Name, Line: want.Line, Why: "the project wants " + want.Text() + ", which is not allowed; a project's file cannot allow it",
				Fix: "if you want that, allow it: bottlebar policy allow " + want.Text(),
			})
		}
		kept = append(kept, got...)
	}
	if !f.Only {
		return
	}
	for i := range m.allows {
		if !m.allows[i].API {
			m.overrule(i, "not in the project's list")
		}
	}
	m.allows = append(m.allows, kept...)
}

// wanted are the lines of a project's list.
func wanted(f File) []Line {
	var out []Line
	for _, a := range f.Allow {
		out = append(out, Line{
			Action: Allows, Origin: FromProject, Host: a.Host, Port: a.Rule.Port, Methods: a.Rule.Methods, Private: a.Rule.Private,
			Granted: a.Granted, Expires: a.Expires, File: f.Name, Line: a.Line,
		})
	}
	for _, n := range f.Presets {
		p, _ := PresetOf(n.Name)
		for _, r := range p.Hosts {
			h, _ := egress.ParseHost(r.Host)
			out = append(out, Line{Action: Allows, Origin: FromProject, Preset: p.Name, Host: h, Port: r.Port, Methods: r.Methods, File: f.Name, Line: n.Line})
		}
	}
	return out
}

// cover returns want as far as lines in force let it through: each result is
// within one of them, and ends with it.
func (m *merger) cover(want Line) []Line {
	if !want.Expires.IsZero() && (Allow{Granted: want.Granted, Expires: want.Expires}).over(m.now) {
		return nil
	}
	var out []Line
	for _, l := range m.allows {
		if l.Overruled != "" || l.API || l.Port != want.Port || !l.Host.Covers(want.Host) {
			continue
		}
		methods, ok := common(l.Methods, want.Methods)
		if !ok {
			continue
		}
		got := want
		got.Methods, got.Private = methods, l.Private && want.Private
		if !l.Expires.IsZero() && (got.Expires.IsZero() || l.Expires.Before(got.Expires)) {
			got.Granted, got.Expires = l.Granted, l.Expires
		}
		out = append(out, got)
	}
	return out
}

// common is what two lists of methods share; nil is every method.
func common(a, b []string) ([]string, bool) {
	switch {
	case a == nil:
		return b, true
	case b == nil:
		return a, true
	}
	var both []string
	for _, m := range a {
		if slices.Contains(b, m) {
			both = append(both, m)
		}
	}
	return both, len(both) > 0
}

// finish lets the blocks win, and compiles.
func (m *merger) finish() Effective {
	e := Effective{Presets: m.presets, Problems: m.problems}
	block := make([]string, 0, len(m.blocks))
	seen := map[string]bool{}
	for _, b := range m.blocks {
		if t := b.entry().String(); !seen[t] {
			seen[t] = true
			block = append(block, t)
		}
	}
	blocked := blockedBy(block)
	hosts := map[string]bool{}
	for i := range m.allows {
		l := &m.allows[i]
		if by := blocked(*l); by != "" && l.Overruled == "" {
			l.Overruled = "blocked: " + by
		}
		if l.Overruled != "" {
			continue
		}
		if !l.Expires.IsZero() && (e.Next.IsZero() || l.Expires.Before(e.Next)) {
			e.Next = l.Expires
		}
		if l.API {
			e.API = true
			continue
		}
		r := l.rule()
		if key := fmt.Sprint(r); !hosts[key] {
			hosts[key] = true
			e.Hosts = append(e.Hosts, r)
		}
	}
	e.Block = block
	e.Lines = slices.Concat(m.allows, m.blocks, m.mutes)
	slices.SortStableFunc(e.Lines, func(a, b Line) int { return cmp.Compare(rank(a), rank(b)) })
	rules, err := egress.Policy{Hosts: e.Hosts, Block: e.Block}.Compile()
	if err != nil {
		// More than any policy holds: nothing is let through, and it is told.
		return Effective{
			Lines: e.Lines, Presets: e.Presets,
			Problems: append(e.Problems, Problem{File: "the policy", Why: err.Error() + ": nothing is let through", Fix: "remove rules"}),
		}
	}
	e.rules = rules
	return e
}

var ranks = []Origin{FromBuiltIn, FromSettings, FromGlobal, FromArtifact, FromBottle, FromOnce, FromProject}

func rank(l Line) int {
	return slices.Index([]string{Allows, Blocks, Mutes}, l.Action)*len(ranks) + slices.Index(ranks, l.Origin)
}

// blockedBy tells which line of the block list refuses all of a line.
func blockedBy(block []string) func(Line) string {
	rules, err := egress.Policy{Block: block}.Compile()
	return func(l Line) string {
		if err != nil {
			return ""
		}
		// "*.a.b" is no name, so that only a wildcard over all of it is found.
		return rules.BlockedBy(egress.Target{Host: l.Host.String(), Addr: l.Host.Addr, Port: l.Port})
	}
}

// BlockedBy is the line of the block list that refuses a host on a port, or "".
func (e Effective) BlockedBy(host string, port uint16) string {
	if e.rules == nil {
		return ""
	}
	t, err := egress.ParseTarget(host, port)
	if err != nil {
		return ""
	}
	t.Port = port
	return e.rules.BlockedBy(t)
}

// Decide is the verdict on a place, as the sidecar would give it; method is
// that of a plain request, or empty.
func (e Effective) Decide(t egress.Target) egress.Verdict {
	if e.rules == nil {
		return egress.Verdict{Reason: egress.NotAllowed}
	}
	return e.rules.Decide(t)
}

// Muted reports whether a refused host is not to be asked about.
func (e Effective) Muted(host string, port uint16) bool {
	h, err := egress.ParseHost(host)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(e.Lines, func(l Line) bool {
		return l.Action == Mutes && l.entry().matches(h, port)
	})
}
