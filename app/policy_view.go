package app

import (
	"time"

	"bottlebar.app/bottle"
	"bottlebar.app/control"
	"bottlebar.app/egress"
	"bottlebar.app/policy"
)

// view is what holds for a bottle, as it is shown; b is nil for none.
func (p *policies) view(b *bottle.Bottle, who policy.Bottle) control.PolicyView {
	e := p.store.Effective(who)
	v := control.PolicyView{
		Revision: uint64(time.Now().UnixNano()), //nolint:gosec // after 1970
		Rules:    make([]control.RuleView, 0, len(e.Lines)), Problems: shownProblems(e.Problems),
		Files: []control.PolicyFile{{Scope: "global", Path: p.store.GlobalPath()}},
	}
	if who.Artifact != "" {
		v.Files = append(v.Files, control.PolicyFile{Scope: "artifact", Path: p.store.ArtifactPath(who.Artifact)})
	}
	var hits bottle.Hits
	if b != nil {
		v.Bottle, hits = b.Name(), b.Hits()
		v.Files = append(v.Files, control.PolicyFile{Scope: "bottle", Path: p.store.BottlePath(who.ID)})
	}
	blocked := map[string]int{}
	for place, n := range hits.Blocked {
		blocked[e.BlockedBy(place.Host, place.Port)] += n
	}
	for _, l := range e.Lines {
		r := shownRule(l)
		switch {
		case l.Overruled != "":
		case l.Action == policy.Allows:
			r.Hits = hits.Allowed[l.Text()]
		case l.Action == policy.Blocks:
			r.Hits = blocked[l.Text()]
		}
		v.Rules = append(v.Rules, r)
	}
	for _, pre := range policy.Presets() {
		v.Presets = append(v.Presets, shownPreset(pre, e.Presets[pre.Name]))
	}
	return v
}

func shownRule(l policy.Line) control.RuleView {
	r := control.RuleView{
		Action: l.Action, Host: l.Host.String(), Port: int(l.Port), Methods: l.Methods, Private: l.Private, Origin: string(l.Origin),
		Preset: l.Preset, File: l.File, Line: l.Line, Overruled: l.Overruled,
	}
	if l.Action == policy.Allows {
		r.Via = "connect"
		if l.API {
			r.Via = "api route"
		}
	}
	if !l.Expires.IsZero() {
		t := l.Expires.UTC()
		r.Expires = &t
	}
	return r
}

func shownPreset(p policy.Preset, on policy.Origin) control.PresetView {
	v := control.PresetView{Name: p.Name, For: p.For, LetsOut: p.LetsOut, Origin: string(on), Hosts: []string{}}
	for _, h := range p.Hosts {
		v.Hosts = append(v.Hosts, egress.Target{Host: h.Host, Port: h.Port}.String())
	}
	return v
}

func shownProblems(list []policy.Problem) []control.PolicyProblem {
	out := make([]control.PolicyProblem, 0, len(list))
	for _, p := range list {
		out = append(out, control.PolicyProblem{File: p.File, Line: p.Line, Why: p.Why, Fix: p.Fix, Warning: p.Warning})
	}
	return out
}
