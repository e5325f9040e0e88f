package app

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"bottlebar.app/cache"
	"bottlebar.app/control"
	"bottlebar.app/internal/fault"
	"bottlebar.app/snapshot"
)

func telling(progress func(control.Progress)) func(cache.Progress) {
	if progress == nil {
		return nil
	}
	return func(p cache.Progress) {
		progress(control.Progress{Stage: string(p.Phase), Line: p.Line, Done: p.Done, Total: p.Total})
	}
}

// AddArtifact implements control.Core. Bytes that are in the library already
// are no failure: their artifact is returned.
func (a *App) AddArtifact(ctx context.Context, req control.AddRequest, progress func(control.Progress)) (snapshot.Artifact, error) {
	if !filepath.IsAbs(req.Path) {
		return snapshot.Artifact{}, fault.New("adding "+req.Path, "the path is not absolute", "give the whole path")
	}
	art, err := a.library.Add(ctx, req.Path, cache.AddOptions{Name: req.Name, Progress: telling(progress)})
	if err != nil && !errors.Is(err, cache.ErrDuplicate) {
		return snapshot.Artifact{}, err
	}
	a.bus.changed()
	a.prepare(art)
	return a.shownArtifact(art, false), nil
}

// prepare makes the artifact's prepared home in the background, so that its
// first launch is as quick as the later ones.
func (a *App) prepare(art cache.Artifact) {
	a.work.Go(func() {
		if err := a.rack.Prepare(a.ctx, art.ID); err != nil && a.ctx.Err() == nil {
			a.log.Info("preparing a home", "artifact", art.Name, "error", err)
		}
		a.bus.changed()
	})
}

// smolvmConfig is the person's own file with the credentials of registries.
func (a *App) smolvmConfig() string {
	if c := a.o.Getenv("SMOLVM_CONFIG"); c != "" {
		return c
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	path := filepath.Join(home, ".config", "smolvm", "config.toml")
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return path
}

// RemoveArtifact implements control.Core. Bottles that were launched from it go
// on: they have their own copy.
func (a *App) RemoveArtifact(ctx context.Context, name string) error {
	if _, err := a.library.Remove(name); err != nil {
		return err
	}
	a.bus.changed()
	_, err := a.pruneHomes(ctx)
	return err
}

// RenameArtifact implements control.Core.
func (a *App) RenameArtifact(_ context.Context, name, to string) (snapshot.Artifact, error) {
	was, err := a.library.Get(name)
	if err != nil {
		return snapshot.Artifact{}, err
	}
	art, err := a.library.Rename(name, to)
	if err == nil {
		err = a.policy.store.RenameArtifact(was.Name, art.Name)
	}
	a.bus.changed()
	return a.shownArtifact(art, false), err
}

// VerifyArtifact implements control.Core.
func (a *App) VerifyArtifact(ctx context.Context, name string, progress func(control.Progress)) (snapshot.Artifact, error) {
	art, err := a.library.Verify(ctx, name, telling(progress))
	a.bus.changed()
	return a.shownArtifact(art, false), err
}

// SetArtifact implements control.Core.
func (a *App) SetArtifact(_ context.Context, name string, settings snapshot.ArtifactSettings) (snapshot.Artifact, error) {
	art, err := a.library.SetSettings(name, cache.Settings(settings))
	if err != nil {
		return snapshot.Artifact{}, err
	}
	a.bus.changed()
	a.prepare(art)
	return a.shownArtifact(art, false), nil
}

// PinArtifact implements control.Core.
func (a *App) PinArtifact(_ context.Context, name string, pinned bool) (snapshot.Artifact, error) {
	art, err := a.library.Pin(name, pinned)
	a.bus.changed()
	return a.shownArtifact(art, false), err
}

// Prune implements control.Core. An artifact that a bottle was launched from
// stays: that bottle may be resumed.
func (a *App) Prune(ctx context.Context, req control.PruneRequest) (control.PruneReply, error) {
	var reply control.PruneReply
	if req.UnusedMS > 0 {
		used := make(map[string]bool)
		for _, b := range a.rack.Bottles() {
			used[b.ArtifactID] = true
		}
		before := time.Now().Add(-time.Duration(req.UnusedMS) * time.Millisecond)
		gone, err := a.library.Prune(before, func(art cache.Artifact) bool { return used[art.ID] }, req.Dry)
		for _, art := range gone {
			reply.Bytes += art.Size
			reply.Artifacts = append(reply.Artifacts, art.Name)
		}
		if err != nil {
			return reply, err
		}
	}
	records, bytes, err := a.rack.PruneRecords(req.Dry)
	reply.Records = records
	reply.Bytes += bytes
	if req.Dry || err != nil {
		return reply, err
	}
	freed, err := a.pruneHomes(ctx)
	reply.Bytes += freed
	a.bus.changed()
	return reply, err
}

// pruneHomes removes the prepared homes of artifacts that are gone.
func (a *App) pruneHomes(ctx context.Context) (int64, error) {
	list, err := a.library.List()
	if err != nil {
		return 0, err
	}
	keep := make(map[string]bool, len(list))
	for _, art := range list {
		keep[art.ID] = true
	}
	return a.rack.Prune(ctx, func(id string) bool { return keep[id] })
}
