package app

import (
	"fmt"
	"runtime"
	"slices"
	"strings"

	"bottlebar.app/bottle"
	"bottlebar.app/cache"
	"bottlebar.app/control"
	"bottlebar.app/internal/fault"
	"bottlebar.app/snapshot"
)

// shown is what a snapshot holds besides bottles and library.
type shown struct {
	checks    []snapshot.Check
	simulated bool
	recovered bottle.Report
	caps      bottle.Caps
	trial     *control.CredentialTrial // of the credential that is set; nil before it was tested
}

// snapshot makes the value that is shown. It reads the library's index, which
// is one small file.
func (a *App) snapshot() snapshot.Snapshot {
	a.mu.Lock()
	st, driver := a.state, a.choice.Kind
	a.mu.Unlock()
	s := snapshot.Snapshot{
		Bottles: withPresets(a.rack.Bottles()), Setup: st.checks, Simulated: st.simulated, Driver: driver,
		Notice: recovered(st.recovered), Day: a.rack.DayUse(),
	}
	list, err := a.library.List()
	if err != nil {
		s.Notice = &snapshot.Problem{What: "reading the library", Why: err.Error()}
	}
	prepared := a.rack.Prepared()
	for _, art := range list {
		s.Library = append(s.Library, a.shownArtifact(art, prepared[art.ID]))
	}
	// The library changes under an open Setup window; its line follows.
	s.Setup = slices.Clone(s.Setup)
	for i := range s.Setup {
		switch s.Setup[i].ID {
		case libraryCheck:
			s.Setup[i] = checkLibrary(len(list), err)
		case policyCheck: // the files are edited by hand
			s.Setup[i] = checkPolicy(a.policy.store.Problems())
		}
	}
	return s
}

// Snapshot implements control.Core.
func (a *App) Snapshot() snapshot.Snapshot { return a.bus.now() }

func (a *App) shownArtifact(art cache.Artifact, prepared bool) snapshot.Artifact {
	out := snapshot.Artifact{
		ID: art.ID, Name: art.Name, Image: art.Image, Digest: art.Digest, Platform: art.Platform, Size: art.Size, Added: art.Added,
		Settings: snapshot.ArtifactSettings(art.Settings), Prepared: prepared, Source: art.Source.Kind,
	}
	// What smolvm pulled from may be a door that was open for that pull alone.
	switch art.Source.Kind {
	case cache.FromRecipe:
		out.Recipe, out.Image = art.Source.Recipe, "recipe "+art.Source.Recipe
		out.Stale = a.known.stale(a.paths.recipes(), art.Source.Recipe, art.Source.RecipeHash)
	case cache.FromRegistry, cache.FromEngine:
		out.Image = art.Source.Ref
	}
	if !art.LastUsed.IsZero() {
		t := art.LastUsed
		out.LastUsed = &t
	}
	if art.Problem != "" {
		out.Problem = &snapshot.Problem{What: art.Name, Why: art.Problem, Cure: "add it again, or remove it"}
	} else if f := fault.Of(art.Fits(runtime.GOARCH)); f != nil {
		out.Problem = &snapshot.Problem{What: art.Name, Why: f.Why, Cure: f.Cure}
	}
	return out
}

// recovered tells what was found and cleared at the start; nothing after a
// clean end.
func recovered(r bottle.Report) *snapshot.Problem {
	var parts []string
	if n := len(r.Cleared); n > 0 {
		parts = append(parts, "cleared what was half-made: "+strings.Join(r.Cleared, ", "))
	}
	if n := len(r.Errors); n > 0 {
		parts = append(parts, fmt.Sprintf("%d things could not be settled", n))
	}
	if len(parts) == 0 {
		return nil
	}
	p := &snapshot.Problem{What: "after the last end", Why: strings.Join(parts, "; ")}
	for _, e := range r.Errors {
		p.Detail += e.Error() + "\n"
	}
	return p
}
