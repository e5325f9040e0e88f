package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"

	"bottlebar.app/cache"
	"bottlebar.app/control"
	"bottlebar.app/image"
	"bottlebar.app/internal/fault"
	"bottlebar.app/sidecar"
	"bottlebar.app/sidecar/images"
	"bottlebar.app/smolvm"
	"bottlebar.app/smolvm/artifact"
	"bottlebar.app/snapshot"
)

// platform is what bottles on this computer run.
const platform = "linux/" + runtime.GOARCH

// PackArtifact implements control.Core.
func (a *App) PackArtifact(ctx context.Context, req control.PackRequest, progress func(control.Progress)) (snapshot.Artifact, error) {
	var art cache.Artifact
	var err error
	if req.Engine {
		art, err = a.packEngine(ctx, req, progress)
	} else {
		art, err = a.packRegistry(ctx, req, progress)
	}
	return a.entered(art, err)
}

// entered ends an addition: what the library has already is no failure.
func (a *App) entered(art cache.Artifact, err error) (snapshot.Artifact, error) {
	if err != nil && !errors.Is(err, cache.ErrDuplicate) {
		return snapshot.Artifact{}, err
	}
	a.bus.changed()
	a.prepare(art)
	return a.shownArtifact(art, false), nil
}

func (a *App) packRegistry(ctx context.Context, req control.PackRequest, progress func(control.Progress)) (cache.Artifact, error) {
	ref, err := image.Parse(req.Image)
	if err != nil {
		return cache.Artifact{}, err
	}
	o := cache.PackOptions{
		Image: ref.String(), Name: req.Name, Again: req.Again,
		Source: cache.Source{Kind: cache.FromRegistry, Ref: ref.Familiar(), CPUs: req.CPUs, MemMiB: req.MemMiB},
	}
	tellLine(progress, "Asking the registry for the digest of "+ref.Familiar())
	if o.Source.Digest, err = image.Resolve(ctx, ref, platform); err != nil {
		// Then nothing can be recognised, and smolvm says what is wrong, if anything is.
		a.log.Info("asking for an image's digest", "image", ref.Familiar(), "error", err)
	}
	p, err := a.packer(ctx, req.CPUs, req.MemMiB)
	if err != nil {
		return cache.Artifact{}, err
	}
	return a.library.Pack(ctx, p, o, telling(progress))
}

// reID is how an engine names an image that has no better name.
var reID = regexp.MustCompile(`^(sha256:)?[0-9a-f]{12,64}$`)

func (a *App) packEngine(ctx context.Context, req control.PackRequest, progress func(control.Progress)) (cache.Artifact, error) {
	ref := req.Image
	if !reID.MatchString(ref) {
		parsed, err := image.Parse(ref)
		if err != nil {
			return cache.Artifact{}, err
		}
		ref = parsed.Familiar()
	}
	_, store, err := a.images(ctx)
	if err != nil {
		return cache.Artifact{}, err
	}
	defer store.Close()
	img, err := store.Get(ctx, ref)
	if err != nil {
		return cache.Artifact{}, err
	}
	return a.packImage(ctx, store, img, cache.PackOptions{
		Name: req.Name, Again: req.Again,
		Source: cache.Source{Kind: cache.FromEngine, Ref: ref, CPUs: req.CPUs, MemMiB: req.MemMiB},
	}, progress)
}

// images opens the images of the engine that sidecars would run on, whatever
// the settings say of sidecars: the same one, and trusted by the same rules.
func (a *App) images(ctx context.Context) (*sidecar.Engine, *images.Store, error) {
	o, _, err := a.engineOptions()
	if err != nil {
		return nil, nil, err
	}
	e, err := sidecar.FindEngine(ctx, o)
	if err != nil {
		return nil, nil, fault.Wrap(err, "looking for a container engine", "")
	}
	store, err := images.Open(e, Instance(a.paths.State))
	return e, store, err
}

// Images implements control.Core.
func (a *App) Images(ctx context.Context) ([]snapshot.Image, error) {
	_, store, err := a.images(ctx)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	list, err := store.List(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]snapshot.Image, 0, len(list))
	for _, i := range list {
		out = append(out, snapshot.Image{
			Ref: artifact.Clean(i.Ref), ID: i.ID, Size: i.Size, Created: i.Created, Platform: artifact.Clean(i.Platform), Fits: i.Platform == platform,
		})
	}
	return out, nil
}

// packImage packs an image of an engine, which smolvm cannot look into.
func (a *App) packImage(ctx context.Context, store *images.Store, img images.Image, o cache.PackOptions, progress func(control.Progress)) (cache.Artifact, error) {
	what := "packing " + o.Source.Ref
	if img.Platform != platform {
		return cache.Artifact{}, fault.New(what, "the image is for "+artifact.Clean(img.Platform)+" and bottles here are "+platform, "pull or build it with --platform "+platform)
	}
	// Most engines name an image by the digest that is noted with artifacts.
	// With others this finds nothing, and the look after saving does.
	o.Source.Digest = img.ID
	if !o.Again {
		if art, found, err := a.library.Find(o.Source, platform); err != nil || found {
			return art, err
		}
	}
	p, err := a.packer(ctx, o.Source.CPUs, o.Source.MemMiB)
	if err != nil {
		return cache.Artifact{}, err
	}
	dir, err := a.scratch()
	if err != nil {
		return cache.Artifact{}, err
	}
	defer os.RemoveAll(dir)
	tellLine(progress, "Saving the image from the engine")
	path := filepath.Join(dir, "image.tar")
	if err := a.save(ctx, store, img, path); err != nil {
		return cache.Artifact{}, fault.Wrap(err, what, "")
	}
	archive, err := image.OpenArchive(path)
	if err != nil {
		return cache.Artifact{}, fault.Wrap(err, what, "")
	}
	o.Source.Digest, o.Image = archive.Digest, o.Source.Ref
	return a.library.Pack(ctx, &fromEngine{packer: p, archive: archive}, o, telling(progress))
}

// save spools an image to a file. What the engine says of its size bounds it,
// with room for the headers of many small files.
func (a *App) save(ctx context.Context, store *images.Store, img images.Image, path string) error {
	need := img.Size + img.Size/4 + 64<<20
	if free, err := cache.FreeSpace(filepath.Dir(path)); err == nil && free < need {
		return &cache.SpaceError{Need: need, Free: free}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	err = store.Save(ctx, img.ID, image.Bound(f, 2*img.Size+1<<30))
	return errors.Join(err, f.Close())
}

func tellLine(progress func(control.Progress), line string) {
	if progress != nil {
		progress(control.Progress{Stage: string(cache.Packing), Line: line})
	}
}

// scratch is a folder for one pack, on the library's disk.
func (a *App) scratch() (string, error) {
	dir := filepath.Join(a.paths.Cache, packingName)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	return os.MkdirTemp(dir, "")
}

// oldPacks are the folders that an earlier owner left in the middle of a pack.
func (a *App) oldPacks() (dirs []string) {
	dir := filepath.Join(a.paths.Cache, packingName)
	entries, _ := os.ReadDir(dir) // there may be none
	for _, e := range entries {
		dirs = append(dirs, filepath.Join(dir, e.Name()))
	}
	return dirs
}

// sweepPacks clears what an earlier owner left in the middle of a pack or a
// build: folders, and what carries this owner's label on the engine.
func (a *App) sweepPacks(dirs []string) {
	defer close(a.swept) // no build begins before
	for _, d := range dirs {
		_ = os.RemoveAll(d) // what stays is tried again at the next start
	}
	_, store, err := a.images(a.ctx)
	if err != nil {
		return // without an engine there is nothing on one
	}
	defer store.Close()
	if err := store.Sweep(a.ctx); err != nil && a.ctx.Err() == nil {
		a.log.Warn("clearing what a build left", "error", err)
	}
}

// packer runs smolvm's pack create in a home and with an agent root of its own:
// its helper VM has a network, and must not share anything with a bottle.
type packer struct {
	app       *App
	in        *smolvm.Install
	cpus, mem int
}

func (a *App) packer(ctx context.Context, cpus, mem int) (*packer, error) {
	in, err := a.install(ctx)
	if err != nil {
		return nil, err
	}
	return &packer{app: a, in: in, cpus: cpus, mem: mem}, nil
}

// Pack implements cache.Packer.
func (p *packer) Pack(ctx context.Context, ref, outBase string, progress func(line string)) (string, error) {
	return p.pack(ctx, smolvm.PackOptions{Image: ref, Output: outBase}, progress)
}

func (p *packer) pack(ctx context.Context, o smolvm.PackOptions, progress func(line string)) (string, error) {
	home, err := p.app.scratch()
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(home)
	root := filepath.Join(home, "root")
	if _, err := p.app.rack.CopyRoot(ctx, p.in, root); err != nil {
		return "", err
	}
	o.CPUs, o.MemMiB, o.ConfigFile, o.StagingDir = p.cpus, p.mem, p.app.smolvmConfig(), home
	client := p.in.Client(smolvm.Home{Dir: filepath.Join(home, "home"), AgentRoot: root, Env: standinEnv(p.app.o.Getenv)})
	if err := client.Pack(ctx, o, progress); err != nil {
		return "", err
	}
	return o.Artifact(), nil
}

// fromEngine packs an archive: by way of a registry that is open on loopback
// for this pull alone or, where smolvm's machine does not reach that and the
// release can do it, by way of a machine that is made of the archive.
type fromEngine struct {
	*packer
	archive *image.Archive
}

// Pack implements cache.Packer; the reference only names the image.
func (p *fromEngine) Pack(ctx context.Context, _, outBase string, progress func(line string)) (string, error) {
	reg, err := image.Serve(ctx, p.archive)
	if err != nil {
		return "", err
	}
	path, err := p.pack(ctx, smolvm.PackOptions{Image: reg.Ref(), Output: outBase}, progress)
	_ = reg.Close()
	if err == nil {
		return path, p.check(path)
	}
	if reg.Asked() || !errors.Is(err, smolvm.ErrPull) || ctx.Err() != nil {
		return "", err
	}
	unreached := fmt.Sprintf("the machine that smolvm %v packs with does not reach this computer's loopback", p.in.Version)
	if !p.in.Version.PacksArchives() {
		return "", fault.Wrap(err, unreached, "push the image to a registry and pack it from there, or update smolvm")
	}
	progress(unreached + ": packing by way of the image's archive")
	return p.pack(ctx, smolvm.PackOptions{Archive: p.archive.Path(), Output: outBase}, progress)
}

// check compares what was packed with what was served.
func (p *fromEngine) check(path string) error {
	f, err := artifact.Open(path)
	if err != nil {
		return err
	}
	if f.Manifest.Digest != p.archive.Digest && f.Manifest.Digest != p.archive.Manifest() {
		_ = os.Remove(path)
		return fault.New("comparing what was packed", "it is another image than the engine's: "+artifact.Clean(f.Manifest.Digest), "pack it again; if it stays so, install smolvm again")
	}
	return nil
}
