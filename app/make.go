package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"bottlebar.app/cache"
	"bottlebar.app/control"
	"bottlebar.app/image"
	"bottlebar.app/internal/fault"
	"bottlebar.app/recipe"
	"bottlebar.app/sidecar/images"
	"bottlebar.app/smolvm/artifact"
	"bottlebar.app/snapshot"
)

// building is the stage that comes before packing.
const building = "building"

// MakeArtifact implements control.Core. Nothing but the artifact is left: what
// was built goes from the engine again, after a cancel and a failure too.
func (a *App) MakeArtifact(ctx context.Context, req control.MakeRequest, progress func(control.Progress)) (snapshot.Artifact, error) {
	if progress == nil {
		progress = func(control.Progress) {}
	}
	return a.entered(a.makeArtifact(ctx, req, progress))
}

func (a *App) makeArtifact(ctx context.Context, req control.MakeRequest, progress func(control.Progress)) (cache.Artifact, error) {
	name := req.Recipe
	if name == "" {
		name = recipe.Default
	}
	r, err := recipe.Load(a.paths.recipes(), name)
	if err != nil {
		return cache.Artifact{}, err
	}
	args, err := buildArgs(&r, req)
	if err != nil {
		return cache.Artifact{}, err
	}
	o := cache.PackOptions{
		Name: req.Name, Again: req.Again, Settings: cache.Settings{Command: r.Session.Command, User: r.Session.User, Folder: r.Session.Folder, CPUs: r.Session.CPUs, MemMiB: r.Session.MemMiB},
		Source: cache.Source{
			Kind: cache.FromRecipe, Ref: r.Name, Recipe: r.Name, RecipeHash: r.Hash, Build: hashOf(args), CPUs: req.CPUs, MemMiB: req.MemMiB,
		},
	}
	if err := o.Settings.Validate(); err != nil {
		return cache.Artifact{}, fault.Wrap(err, "reading the session of the recipe "+r.Name, "")
	}
	if !o.Again {
		if art, found, err := a.library.Find(o.Source, platform); err != nil || found {
			return art, err
		}
	}
	// What would fail after the build fails before it.
	if err := a.library.CheckName(o.Name); err != nil {
		return cache.Artifact{}, err
	}
	if _, err := a.install(ctx); err != nil {
		return cache.Artifact{}, err
	}
	if !a.making.TryLock() {
		return cache.Artifact{}, fault.New("making an artifact", "another one is being made", "wait for it, or cancel it")
	}
	defer a.making.Unlock()
	select {
	case <-a.swept:
	case <-ctx.Done():
		return cache.Artifact{}, ctx.Err()
	}
	return a.buildAndPack(ctx, &r, args, o, progress)
}

// buildArgs joins the recipe's arguments and base with those asked for.
func buildArgs(r *recipe.Recipe, req control.MakeRequest) (map[string]string, error) {
	args, err := r.BuildArgs(req.Base, req.Args)
	if err != nil {
		return nil, err
	}
	base, given := args[recipe.BaseArg]
	if !given || reID.MatchString(base) {
		return args, nil
	}
	ref, err := image.Parse(base)
	if err != nil {
		return nil, fault.Wrap(err, "reading the base of the recipe "+r.Name, "")
	}
	args[recipe.BaseArg] = ref.Familiar()
	return args, nil
}

// hashOf names a set of arguments.
func hashOf(args map[string]string) string {
	h := sha256.New()
	for _, k := range slices.Sorted(maps.Keys(args)) {
		fmt.Fprintf(h, "%q=%q\n", k, args[k])
	}
	return hex.EncodeToString(h.Sum(nil))
}

func (a *App) buildAndPack(ctx context.Context, r *recipe.Recipe, args map[string]string, o cache.PackOptions, progress func(control.Progress)) (art cache.Artifact, err error) {
	e, store, err := a.images(ctx)
	if err != nil {
		return art, err
	}
	defer store.Close()
	if "linux/"+e.Arch != platform {
		return art, fault.New("making an artifact", e.String()+" builds for linux/"+e.Arch+" and bottles here are "+platform, "choose an engine for this processor")
	}
	build := store.Begin()
	defer func() {
		if left := build.Remove(ctx); left != nil {
			a.log.Warn("clearing a build", "recipe", r.Name, "error", left)
			if err != nil {
				err = errors.Join(err, left)
			}
		}
	}()
	img, err := a.build(ctx, build, e.Arch, r, args, progress)
	if err != nil {
		return art, err
	}
	return a.packImage(ctx, store, img, o, progress)
}

// build builds a recipe's image. All that the engine says is kept in a log; the
// error of a failed build has its last lines.
func (a *App) build(ctx context.Context, b *images.Build, arch string, r *recipe.Recipe, args map[string]string, progress func(control.Progress)) (images.Image, error) {
	helperPath, err := a.helpers.path(arch)
	if err != nil {
		return images.Image{}, err
	}
	helper, err := os.ReadFile(helperPath)
	if err != nil {
		return images.Image{}, err
	}
	log, err := newBuildLog(filepath.Join(a.paths.State, buildsName, r.Name+".log"))
	if err != nil {
		return images.Image{}, err
	}
	defer log.close()
	in, out := io.Pipe()
	defer in.Close() // ends the writer, should the engine not have read it all
	go func() { _ = out.CloseWithError(r.Context(out, helper, b.Labels())) }()
	img, err := b.Run(ctx, in, args, func(line string) {
		if line = log.add(line); line != "" {
			progress(control.Progress{Stage: building, Line: line})
		}
	})
	if err != nil && ctx.Err() == nil {
		f := fault.Wrap(err, "building the recipe "+r.Name, "look at the whole log: "+log.path)
		f.Detail = strings.Join(log.last, "\n") + "\n\nThe whole log: " + log.path
		return images.Image{}, f
	}
	return img, err
}

const (
	maxBuildLog = 8 << 20 // bytes kept
	lastLines   = 20
)

// buildLog keeps what an engine says: all of it in a file, up to a bound, and
// the last lines.
type buildLog struct {
	path string
	f    *os.File
	left int
	last []string
}

func newBuildLog(path string) (*buildLog, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	return &buildLog{path: path, f: f, left: maxBuildLog}, err
}

var reTerminal = regexp.MustCompile(`\x1b\[[0-9;?]*[ -/]*[@-~]`)

// add keeps a line and returns it as it may be shown; empty for an empty one.
func (l *buildLog) add(line string) string {
	line = strings.TrimRight(reTerminal.ReplaceAllString(line, ""), " \t\r\n")
	line = artifact.Clean(line[strings.LastIndexByte(line, '\r')+1:])
	if strings.TrimSpace(line) == "" {
		return ""
	}
	if l.last = append(l.last, line); len(l.last) > lastLines {
		l.last = l.last[1:]
	}
	if n := len(line) + 1; n <= l.left {
		l.left -= n
		_, _ = l.f.WriteString(line + "\n") // the log is a help, not a condition
	}
	return line
}

func (l *buildLog) close() { l.f.Close() }
