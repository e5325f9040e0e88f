package images

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/docker/docker/api/types/build"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"

	"bottlebar.app/internal/fault"
	"bottlebar.app/sidecar"
)

// LabelBuild names the build that an image or a container comes from.
const LabelBuild = "bottlebar.build"

// Build is one build under way or done.
type Build struct {
	store *Store
	id    string
}

// Begin names a build. Whatever becomes of it, end it with Remove.
func (s *Store) Begin() *Build { return &Build{store: s, id: rand.Text()} }

// Labels are what everything that the build makes has to carry, from its first
// step on: an engine's classic builder tells what it made by nothing else.
func (b *Build) Labels() map[string]string {
	return map[string]string{sidecar.LabelApp: b.store.app, LabelBuild: b.id}
}

// Run builds what the context (a tar with a Dockerfile) says and returns the
// image. Each line that the engine says goes to log. Ending ctx ends the build.
// It is the classic builder that is asked: it needs no session beside the
// request, and every engine since 20.10 has it.
func (b *Build) Run(ctx context.Context, buildContext io.Reader, args map[string]string, log func(line string)) (Image, error) {
	const what = "building the image"
	values := map[string]*string{}
	for k, v := range args {
		values[k] = &v
	}
	resp, err := b.store.cli.ImageBuild(ctx, buildContext, build.ImageBuildOptions{
		Version: build.BuilderV1, Remove: true, ForceRemove: true, BuildArgs: values, Labels: b.Labels(),
		AuthConfigs: nil, // nothing of the person's goes into a build
	})
	if err != nil {
		return Image{}, b.store.failed(what, err)
	}
	defer resp.Body.Close()
	id, err := follow(resp.Body, log)
	if ctx.Err() != nil {
		return Image{}, ctx.Err()
	}
	if err != nil {
		return Image{}, b.store.failed(what, err)
	}
	return b.store.Get(ctx, id)
}

// maxLine bounds one message of an engine.
const maxLine = 1 << 20

// message is one line of an engine's answer to a build.
type message struct {
	Stream   string `json:"stream"`
	Status   string `json:"status"`
	ID       string `json:"id"`
	Progress string `json:"progress"`
	Error    string `json:"error"`
	Aux      struct {
		ID string `json:"ID"`
	} `json:"aux"`
}

// follow reads an engine's answer to its end and returns the image's ID.
func follow(r io.Reader, log func(line string)) (string, error) {
	dec := json.NewDecoder(r)
	id, part := "", ""
	for {
		var m message
		err := dec.Decode(&m)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", fmt.Errorf("reading the engine's answer: %w", err)
		}
		if m.Aux.ID != "" {
			id = m.Aux.ID
		}
		if m.Status != "" && m.Progress == "" {
			m.Stream = strings.TrimSpace(m.ID+" "+m.Status) + "\n"
		}
		lines := strings.Split(part+m.Stream, "\n")
		for _, l := range lines[:len(lines)-1] {
			log(l)
		}
		if part = lines[len(lines)-1]; len(part) > maxLine {
			part = ""
		}
		if m.Error != "" {
			log(m.Error)
			return "", errors.New(m.Error)
		}
	}
	if part != "" {
		log(part)
	}
	if id == "" {
		return "", errors.New("the engine ended without an image")
	}
	return id, nil
}

// Remove takes away all that the build made, the image too.
func (b *Build) Remove(ctx context.Context) error {
	return b.store.remove(ctx, filters.NewArgs(filters.Arg("label", LabelBuild+"="+b.id)))
}

// Sweep takes away what builds of this app left that did not end in order. No
// build of it may be under way.
func (s *Store) Sweep(ctx context.Context) error {
	return s.remove(ctx, filters.NewArgs(filters.Arg("label", sidecar.LabelApp+"="+s.app), filters.Arg("label", LabelBuild)))
}

const (
	removeTimeout = time.Minute
	removePause   = 200 * time.Millisecond
	quietRounds   = 2 // looks that must find nothing: a cancelled build takes a moment to end
)

// remove deletes containers and images until there are none.
func (s *Store) remove(ctx context.Context, which filters.Args) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
	defer cancel()
	tick := time.NewTicker(removePause)
	defer tick.Stop()
	for quiet := 0; ; {
		found, err := s.removeOnce(ctx, which)
		switch {
		case found == 0 && err == nil:
			if quiet++; quiet >= quietRounds {
				return nil
			}
		default:
			quiet = 0
		}
		select {
		case <-ctx.Done():
			if err == nil {
				err = fault.New("removing what the build left", fmt.Sprintf("the engine still holds %d things of it", found), "remove them with `docker system prune`")
			}
			return s.failed("removing what the build left", err)
		case <-tick.C:
		}
	}
}

// removeOnce deletes what can be deleted now, and says how much it saw.
func (s *Store) removeOnce(ctx context.Context, which filters.Args) (int, error) {
	boxes, err := s.cli.ContainerList(ctx, container.ListOptions{All: true, Filters: which})
	if err != nil {
		return 0, err
	}
	for _, c := range boxes {
		_ = s.cli.ContainerRemove(ctx, c.ID, container.RemoveOptions{Force: true, RemoveVolumes: true}) // seen again if it stays
	}
	made, err := s.cli.ImageList(ctx, image.ListOptions{All: true, Filters: which})
	if err != nil {
		return len(boxes), err
	}
	for _, i := range made {
		// One that another is made of goes in a later round, after that.
		_, _ = s.cli.ImageRemove(ctx, i.ID, image.RemoveOptions{Force: true, PruneChildren: true})
	}
	return len(boxes) + len(made), nil
}
