package app

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"

	"bottlebar.app/cache"
	"bottlebar.app/internal/fault"
	"bottlebar.app/recipe"
	"bottlebar.app/smolvm/artifact"
	"bottlebar.app/snapshot"
)

// recipes remembers the hashes of recipes, each with the listing of its folder
// that it was made for: every snapshot asks for them.
type recipes struct {
	mu   sync.Mutex
	seen map[string]remembered
}

type remembered struct{ listing, hash string }

// stale tells whether the recipe of that name is there in another form than
// one with that hash. One that has gone makes nothing stale.
func (k *recipes) stale(folder, name, hash string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := listing(filepath.Join(folder, name))
	got, ok := k.seen[name]
	if !ok || got.listing != now {
		got = remembered{listing: now}
		if r, err := recipe.Load(folder, name); err == nil {
			got.hash = r.Hash
		}
		if k.seen == nil {
			k.seen = map[string]remembered{}
		}
		k.seen[name] = got
	}
	return got.hash != "" && got.hash != hash
}

// maxListing bounds what is looked at; a recipe has at most 256 files.
const maxListing = 1000

// listing tells names, sizes and times below a folder; empty when there is none.
func listing(dir string) string {
	var b strings.Builder
	n := 0
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if n++; err != nil || n > maxListing {
			return fs.SkipAll
		}
		if info, err := d.Info(); err == nil && !d.IsDir() {
			fmt.Fprintf(&b, "%q %d %d %v\n", path, info.Size(), info.ModTime().UnixNano(), info.Mode())
		}
		return nil
	})
	return b.String()
}

// Recipes implements control.Core.
func (a *App) Recipes(context.Context) ([]snapshot.Recipe, error) {
	list, err := recipe.List(a.paths.recipes())
	if err != nil {
		return nil, err
	}
	arts, err := a.library.List()
	if err != nil {
		return nil, err
	}
	out := make([]snapshot.Recipe, 0, len(list))
	for _, l := range list {
		r := snapshot.Recipe{Name: l.Name, Title: artifact.Clean(l.Title), Own: l.Own, Folder: l.Dir, Base: artifact.Clean(l.Base)}
		if l.Err != nil {
			f := fault.Of(l.Err)
			r.Problem = &snapshot.Problem{What: f.What, Why: f.Why, Cure: f.Cure}
		}
		for _, art := range arts {
			if art.Source.Kind != cache.FromRecipe || art.Source.Recipe != l.Name {
				continue
			}
			r.Made = append(r.Made, art.Name)
			if l.Err == nil && art.Source.RecipeHash != l.Hash {
				r.Stale = append(r.Stale, art.Name)
			}
		}
		out = append(out, r)
	}
	a.bus.changed() // what is stale may have become so unseen
	return out, nil
}
