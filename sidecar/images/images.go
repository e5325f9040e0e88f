package images

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"

	"bottlebar.app/internal/fault"
	"bottlebar.app/sidecar"
)

// Store is the images of an engine. Close it.
type Store struct {
	engine *sidecar.Engine
	cli    *client.Client
	app    string
}

// Open returns the images of an engine that FindEngine found. App names the
// owner of what is built, as for sidecars.
func Open(e *sidecar.Engine, app string) (*Store, error) {
	cli, err := client.NewClientWithOpts(client.WithHost(e.Host), client.WithAPIVersionNegotiation())
	if err != nil {
		return nil, err
	}
	return &Store{engine: e, cli: cli, app: app}, nil
}

// Close lets go of the engine.
func (s *Store) Close() error { return s.cli.Close() }

// Image is one image of the engine. References are somebody else's words.
type Image struct {
	ID       string    // the engine's: "sha256:…"
	Ref      string    // a tag: "node:22"
	Size     int64     // unpacked, in bytes
	Created  time.Time //
	Platform string    // "linux/arm64"
}

// maxListed bounds how many images are looked at one by one.
const maxListed = 500

// List returns the images that have a tag, the newest first, without those
// that Bottlebar made for itself.
func (s *Store) List(ctx context.Context) ([]Image, error) {
	list, err := s.cli.ImageList(ctx, image.ListOptions{})
	if err != nil {
		return nil, s.failed("listing the engine's images", err)
	}
	slices.SortFunc(list, func(a, b image.Summary) int { return cmp.Compare(b.Created, a.Created) })
	var out []Image
	for _, i := range list {
		if own(i.Labels) || len(out) >= maxListed {
			continue
		}
		platform := ""
		for _, ref := range i.RepoTags {
			if strings.Contains(ref, "<none>") {
				continue
			}
			if platform == "" {
				about, err := s.cli.ImageInspect(ctx, i.ID)
				if err != nil {
					break // it went meanwhile
				}
				platform = platformOf(about)
			}
			out = append(out, Image{ID: i.ID, Ref: ref, Size: i.Size, Created: time.Unix(i.Created, 0).UTC(), Platform: platform})
		}
	}
	return out, ctx.Err()
}

// own tells whether Bottlebar made an image: a sidecar's, or a build's.
func own(labels map[string]string) bool {
	return labels[sidecar.LabelApp] != "" || labels["bottlebar.image"] != ""
}

func platformOf(i image.InspectResponse) string {
	arch := i.Architecture
	switch arch {
	case "x86_64":
		arch = "amd64"
	case "aarch64":
		arch = "arm64"
	}
	return i.Os + "/" + arch
}

// Get looks at one image.
func (s *Store) Get(ctx context.Context, ref string) (Image, error) {
	what := "looking for the image " + ref
	i, err := s.cli.ImageInspect(ctx, ref)
	if errdefs.IsNotFound(err) {
		return Image{}, fault.New(what, s.engine.Name+" has no image of that name", "list what it has with `docker images`, or pull it with `docker pull "+ref+"`")
	}
	if err != nil {
		return Image{}, s.failed(what, err)
	}
	made, _ := time.Parse(time.RFC3339Nano, i.Created) // some images have none
	return Image{ID: i.ID, Ref: ref, Size: i.Size, Created: made.UTC(), Platform: platformOf(i)}, nil
}

// Save writes an image as an archive to w.
func (s *Store) Save(ctx context.Context, id string, w io.Writer) error {
	r, err := s.cli.ImageSave(ctx, []string{id})
	if err == nil {
		_, err = io.Copy(w, r)
		_ = r.Close()
	}
	if err != nil {
		return s.failed("saving the image", err)
	}
	return nil
}

// failed says what an engine's error means to a person.
func (s *Store) failed(what string, err error) error {
	var e *sidecar.EngineError
	if err = s.engine.Explain(err); errors.As(err, &e) {
		return fault.Wrap(err, what, "")
	}
	text := err.Error()
	for _, k := range known {
		if strings.Contains(strings.ToLower(text), k.sign) {
			return &fault.Error{What: what, Why: k.why, Cure: k.cure, Detail: text, Err: err}
		}
	}
	return fault.Wrap(err, what, "")
}

// known are texts of engines that deserve better words.
var known = []struct{ sign, why, cure string }{
	{"no space left on device", "the engine's disk is full", "free space there, for example with `docker image prune`"},
	{"pull access denied", "the image is private or does not exist", "look at its name, or log in and bring it with `docker pull`, then try again"},
	{"unauthorized", "the registry wants a login", "log in and bring the image with `docker pull`, then try again"},
	{"manifest unknown", "the registry has no image of that name and tag", "look at its name"},
	{"no matching manifest", "the image does not exist for this processor", "choose one that does"},
	{"repository name must be", "that is not an image's name", "write it as in docker.io/library/debian:13"},
	{"toomanyrequests", "the registry has had too many requests from here", "try again later, or log in"},
	{"no such host", "the registry's name cannot be resolved", "look at the name and at the network"},
	{"i/o timeout", "the registry does not answer", "look at the network, or bring the image with `docker pull`"},
	{"connection refused", "the registry does not answer", "look at the network, or bring the image with `docker pull`"},
}
