package cache

import (
	"slices"

	"bottlebar.app/smolvm/artifact"
)

// The kinds of Source.
const (
	FromRegistry = "registry" // an image that smolvm pulled
	FromEngine   = "engine"   // an image of the local container engine
	FromRecipe   = "recipe"   // an image built of a recipe
)

// Source is what this library packed an artifact of. What a file claims about
// itself never becomes one: by it a later wish for the same is recognised.
type Source struct {
	Kind   string `json:"kind"`
	Ref    string `json:"ref,omitempty"`     // the image, as it was asked for
	Digest string `json:"digest,omitempty"`  // of the image's configuration, "sha256:…"
	CPUs   int    `json:"cpus,omitempty"`    // as asked for; 0: smolvm's default
	MemMiB int    `json:"mem_mib,omitempty"` //
	Recipe string `json:"recipe,omitempty"`  // its name
	// RecipeHash is that of the recipe's files, Build that of its base and
	// arguments; both hex.
	RecipeHash string `json:"recipe_hash,omitempty"`
	Build      string `json:"build,omitempty"`
}

// same tells whether packing for t would make what is there for s.
func (s *Source) same(t *Source) bool {
	if s.CPUs != t.CPUs || s.MemMiB != t.MemMiB {
		return false
	}
	if t.Digest != "" {
		return s.Digest == t.Digest
	}
	return t.Kind == FromRecipe && s.Kind == FromRecipe && s.Recipe == t.Recipe && s.RecipeHash == t.RecipeHash && s.Build == t.Build
}

// Find returns the sound artifact that was packed of that source for the
// processor of a platform ("" is this program's), if there is one: the same
// digest or, of a recipe that was not built yet, the same recipe, and the same
// options.
func (l *Library) Find(s Source, platform string) (Artifact, bool, error) {
	list, err := l.List()
	if err != nil {
		return Artifact{}, false, err
	}
	arch := (&AddOptions{Platform: platform}).arch()
	i := slices.IndexFunc(list, func(a Artifact) bool {
		return a.trusted() && artifact.Arch(a.Platform) == arch && a.Source.same(&s)
	})
	if i < 0 {
		return Artifact{}, false, nil
	}
	return list[i], true, nil
}
