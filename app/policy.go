package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"bottlebar.app/bottle"
	"bottlebar.app/control"
	"bottlebar.app/egress"
	"bottlebar.app/internal/fault"
	"bottlebar.app/policy"
	"bottlebar.app/snapshot"
)

// policies joins the policy files with the bottles that they are for.
type policies struct {
	app   *App
	store *policy.Store
	dirty chan struct{} // what holds may have changed

	applying sync.Mutex
}

var _ bottle.Policies = (*policies)(nil)

// openPolicies reads the files and watches them. Changes reach bottles after
// start.
func openPolicies(a *App) (*policies, error) {
	p := &policies{app: a, dirty: make(chan struct{}, 1)}
	var err error
	p.store, err = policy.Open(policy.Options{
		Config: filepath.Dir(a.paths.Settings), State: a.paths.State, Log: a.log, Changed: p.changed,
		Settings: func() ([]egress.Rule, error) {
			s, err := a.settings()
			return s.rules(), err
		},
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// start lets changes reach the bottles that run, and clears what was kept of
// bottles that are gone.
func (p *policies) start() {
	var ids []string
	for _, b := range p.app.rack.Bottles() {
		ids = append(ids, b.ID)
	}
	p.store.Keep(ids)
	p.app.work.Go(func() {
		for {
			select {
			case <-p.app.ctx.Done():
				return
			case <-p.dirty:
			}
			_ = p.apply(p.app.ctx) // the bottle shows it
		}
	})
}

func (p *policies) beat() { p.store.Beat() }

func (p *policies) close() { p.store.Close() }

// changed never blocks: it is called from the watch.
func (p *policies) changed() {
	select {
	case p.dirty <- struct{}{}:
	default:
	}
}

// apply gives every running bottle what holds now.
func (p *policies) apply(ctx context.Context) error {
	p.applying.Lock()
	defer p.applying.Unlock()
	defer p.app.bus.changed()
	return p.app.rack.ApplyPolicies(ctx)
}

// Begin implements bottle.Policies. Files that have become bad do not stop a
// launch: what they said before is in force. What nobody knows does.
func (p *policies) Begin(id, artifact, artifactID string, own bottle.OwnPolicy) error {
	if err := p.store.Begin(id, own.Bottle, own.Project); err != nil {
		return err
	}
	if e := p.store.Effective(p.who(id, artifact, artifactID)); e.Unknown {
		bad := e.Problems[0]
		return fault.New("reading the policy", bad.Where()+": "+bad.Why, bad.Fix)
	}
	return nil
}

// Of implements bottle.Policies.
func (p *policies) Of(id, artifact, artifactID string) egress.Policy {
	e := p.store.Effective(p.who(id, artifact, artifactID))
	out := egress.Policy{Hosts: e.Hosts, Block: e.Block}
	if e.API {
		out.API = &egress.API{}
	}
	return out
}

// muted reports whether nobody is to be asked about a place.
func (p *policies) muted(b *bottle.Bottle, host string, port int) bool {
	name, id := b.Artifact()
	return p.store.Muted(p.who(b.ID(), name, id), host, port)
}

// Forget implements bottle.Policies.
func (p *policies) Forget(id string) { p.store.Forget(id) }

// Slept ends what was allowed for a while.
func (p *policies) Slept() { p.store.Slept() }

// who is a bottle as the store knows it: its artifact by the name that it has
// today, or had when it was last in the library.
func (p *policies) who(id, artifact, artifactID string) policy.Bottle {
	if a, err := p.app.library.Get(artifactID); err == nil && artifactID != "" {
		artifact = a.Name
	}
	return policy.Bottle{ID: id, Artifact: artifact, ArtifactID: artifactID}
}

// bottleOf is a bottle by its name or ID, with what the store needs of it.
func (p *policies) bottleOf(name string) (*bottle.Bottle, policy.Bottle, error) {
	b, err := p.app.rack.Get(name)
	if err != nil {
		return nil, policy.Bottle{}, err
	}
	v := b.View()
	return b, p.who(v.ID, v.Artifact, v.ArtifactID), nil
}

// Policy implements control.Core.
func (a *App) Policy(_ context.Context, name string) (control.PolicyView, error) {
	if name == "" {
		return a.policy.view(nil, policy.Bottle{}), nil
	}
	b, who, err := a.policy.bottleOf(name)
	if err != nil {
		return control.PolicyView{}, err
	}
	return a.policy.view(b, who), nil
}

// ChangePolicy implements control.Core.
func (a *App) ChangePolicy(ctx context.Context, c control.PolicyChange) (control.PolicyView, error) {
	var b *bottle.Bottle
	var who policy.Bottle
	var err error
	switch {
	case c.Artifact != "":
		art, aerr := a.library.Get(c.Artifact)
		who, err = policy.Bottle{Artifact: art.Name, ArtifactID: art.ID}, aerr
	case c.Bottle != "":
		b, who, err = a.policy.bottleOf(c.Bottle)
	}
	if err != nil {
		return control.PolicyView{}, err
	}
	err = a.policy.store.Change(policy.Change{
		Action: c.Action, Scope: c.Scope, Bottle: who, Host: c.Host, Port: c.Port, Methods: c.Methods, Private: c.Private, For: c.For, Preset: c.Preset,
	})
	if err != nil {
		return control.PolicyView{}, err
	}
	if err := a.policy.apply(context.WithoutCancel(ctx)); err != nil {
		return control.PolicyView{}, err
	}
	return a.policy.view(b, who), nil
}

// CheckPolicy implements control.Core.
func (a *App) CheckPolicy(_ context.Context, path string) ([]control.PolicyProblem, error) {
	f, err := readPolicy(path)
	if err == nil {
		return shownProblems(f.Warnings), nil
	}
	if bad, ok := err.(*policy.BadFileError); ok { //nolint:errorlint // readPolicy returns it as it is
		return shownProblems(bad.Problems), nil
	}
	return nil, err
}

func readPolicy(path string) (policy.File, error) {
	what := "reading the policy " + path
	if !filepath.IsAbs(path) {
		return policy.File{}, fault.New(what, "the path is not absolute", "give the whole path")
	}
	fi, err := os.Stat(path)
	cure := "name a policy file, or presets: bottlebar policy preset ls"
	if errors.Is(err, fs.ErrNotExist) {
		return policy.File{}, fault.New(what, "there is no such file", cure)
	}
	if err != nil {
		return policy.File{}, fault.Wrap(err, what, cure)
	}
	if !fi.Mode().IsRegular() || fi.Size() > policy.MaxFile {
		return policy.File{}, fault.New(what, "it is no file, or larger than a policy", "name a policy file")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return policy.File{}, fault.Wrap(err, what, "")
	}
	return policy.Parse(path, text)
}

// ownPolicy is what a launch says of its own.
func ownPolicy(req control.LaunchRequest) (bottle.OwnPolicy, error) {
	var own bottle.OwnPolicy
	switch {
	case req.Policy == "":
	case filepath.IsAbs(req.Policy):
		if _, err := readPolicy(req.Policy); err != nil {
			return own, err
		}
		text, err := os.ReadFile(req.Policy)
		if err != nil {
			return own, err
		}
		own.Bottle = text
	default:
		var names []string
		for name := range strings.SplitSeq(req.Policy, ",") {
			p, ok := policy.PresetOf(name)
			if !ok {
				return own, fault.New("launching with the policy "+req.Policy, fmt.Sprintf("there is no preset %q", name), "bottlebar policy preset ls lists them; a file is named by its path")
			}
			names = append(names, fmt.Sprintf("%q", p.Name))
		}
		own.Bottle = []byte("# What this bottle may reach.\npresets = [" + strings.Join(names, ", ") + "]\n")
	}
	if req.Folder == "" {
		return own, nil
	}
	var err error
	own.Project, err = policy.ReadProject(req.Folder)
	return own, err
}

// policyCheck is the ID of the policy's line in Setup.
const policyCheck = "policy"

func (a *App) checkPolicy(context.Context) snapshot.Check {
	return checkPolicy(a.policy.store.Problems())
}

func checkPolicy(problems []policy.Problem) snapshot.Check {
	c := snapshot.Check{ID: policyCheck, Title: "Policy", State: snapshot.CheckOK, Finding: "its files are understood"}
	if len(problems) == 0 {
		return c
	}
	// What is not in force first.
	problems = slices.Clone(problems)
	slices.SortStableFunc(problems, func(x, y policy.Problem) int {
		switch {
		case x.Warning == y.Warning:
			return 0
		case y.Warning:
			return -1
		}
		return 1
	})
	p := problems[0]
	c.State, c.Finding, c.Cure = snapshot.CheckFailed, p.Where()+": "+p.Why, p.Fix
	if p.Warning {
		c.State = snapshot.CheckWarn
	} else {
		c.Finding += "; what it said before stays in force"
	}
	if n := len(problems) - 1; n > 0 {
		c.Finding += fmt.Sprintf(" (and %d more)", n)
	}
	return c
}
