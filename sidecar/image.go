package sidecar

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
)

const (
	imageName  = "bottlebar-sidecar"
	imageUser  = "65534:65534" // nobody
	imageEntry = "/sidecar"
	imageStop  = "SIGTERM"
	labelImage = "bottlebar.image"

	maxBinary = 64 << 20 // unpacked
)

// ForeignImageError means that an image of another make lies under the name of
// ours. It is not used: it would be given the credential.
type ForeignImageError struct {
	Tag  string
	What string // what differs
}

func (e *ForeignImageError) Error() string {
	return fmt.Sprintf("the image %s in the Docker engine is not Bottlebar's: %s differs: %s", e.Tag, e.What, e.Cure())
}

// Cure says how to get rid of it.
func (e *ForeignImageError) Cure() string { return "remove it with `docker image rm " + e.Tag + "`" }

// archive is an image in the form that `docker load` takes, made in memory.
// The same binary gives the same bytes each time.
type archive struct {
	tag   string
	arch  string
	layer string // digest of the one layer, "sha256:…"
	bytes []byte
}

// readBinary unpacks sidecar-<arch>.gz.
func readBinary(binaries fs.FS, arch string) ([]byte, error) {
	name := "sidecar-" + arch + ".gz"
	f, err := binaries.Open(name)
	if err != nil {
		return nil, fmt.Errorf("this build has no sidecar for %s: run `make` to build it: %w", arch, err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	b, err := io.ReadAll(io.LimitReader(z, maxBinary+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	if len(b) > maxBinary {
		return nil, fmt.Errorf("reading %s: it is larger than a sidecar can be", name)
	}
	return b, nil
}

// newArchive wraps a binary in an image that holds nothing else.
func newArchive(bin []byte, arch string) (*archive, error) {
	layer, err := tarOf(tarFile{"sidecar", 0o555, bin})
	if err != nil {
		return nil, err
	}
	diff := digest(layer)
	config, err := json.Marshal(map[string]any{
		"architecture": arch, "os": "linux", "created": "1970-01-01T00:00:00Z",
		"config": map[string]any{
			"Entrypoint": []string{imageEntry}, "User": imageUser, "StopSignal": imageStop,
			"Labels": map[string]string{labelImage: "sidecar"},
		},
		"rootfs":  map[string]any{"type": "layers", "diff_ids": []string{diff}},
		"history": []map[string]any{{"created": "1970-01-01T00:00:00Z", "created_by": "bottlebar"}},
	})
	if err != nil {
		return nil, err
	}
	id := digest(config)
	a := &archive{tag: imageName + ":" + id[7:19], arch: arch, layer: diff}
	configName, layerName := id[7:]+".json", diff[7:]+"/layer.tar"
	manifest, err := json.Marshal([]map[string]any{
		{"Config": configName, "RepoTags": []string{a.tag}, "Layers": []string{layerName}},
	})
	if err != nil {
		return nil, err
	}
	a.bytes, err = tarOf(
		tarFile{"manifest.json", 0o644, manifest},
		tarFile{configName, 0o644, config},
		tarFile{layerName, 0o644, layer},
	)
	return a, err
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

type tarFile struct {
	name string
	mode int64
	data []byte
}

func tarOf(files ...tarFile) ([]byte, error) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, f := range files {
		h := &tar.Header{
			Typeflag: tar.TypeReg, Name: f.name, Mode: f.mode, Size: int64(len(f.data)),
			ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR,
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.data); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return buf.Bytes(), err
}

// ensure returns the ID of the image in the engine, loading it when it is not
// there. What lies under the tag must be ours in every part that matters; the
// ID is what a container is then made of, so that the tag may move meanwhile.
func (a *archive) ensure(ctx context.Context, cli *client.Client) (string, error) {
	got, err := cli.ImageInspect(ctx, a.tag)
	if errdefs.IsNotFound(err) {
		if err := a.load(ctx, cli); err != nil {
			return "", fmt.Errorf("loading the sidecar's image: %w", err)
		}
		got, err = cli.ImageInspect(ctx, a.tag)
	}
	if err != nil {
		return "", fmt.Errorf("looking at the sidecar's image: %w", err)
	}
	if what := a.differs(got); what != "" {
		return "", &ForeignImageError{Tag: a.tag, What: what}
	}
	return got.ID, nil
}

func (a *archive) load(ctx context.Context, cli *client.Client) error {
	resp, err := cli.ImageLoad(ctx, bytes.NewReader(a.bytes), client.ImageLoadWithQuiet(true))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	dec := json.NewDecoder(io.LimitReader(resp.Body, 1<<20))
	for {
		var line struct {
			Error string `json:"error"`
		}
		if err := dec.Decode(&line); err != nil {
			return nil // the end, or an engine that answers in prose: inspect tells
		}
		if line.Error != "" {
			return fmt.Errorf("the engine says: %s", clean(line.Error))
		}
	}
}

// differs names the first thing in which an image is not this one.
func (a *archive) differs(got image.InspectResponse) string {
	switch {
	case !slices.Equal(got.RootFS.Layers, []string{a.layer}):
		return "its content"
	case got.Architecture != a.arch || got.Os != "linux":
		return "its platform"
	case got.Config == nil:
		return "its configuration"
	}
	return configDiffers(got)
}

func configDiffers(got image.InspectResponse) string {
	c := got.Config
	switch {
	case !slices.Equal(c.Entrypoint, []string{imageEntry}) || len(c.Cmd) != 0:
		return "its entry point"
	case c.User != imageUser:
		return "its user"
	case len(c.Env) != 0:
		return "its environment"
	case len(c.Volumes) != 0 || len(c.ExposedPorts) != 0 || (c.WorkingDir != "" && c.WorkingDir != "/"):
		return "its configuration"
	case c.Healthcheck != nil || len(c.OnBuild) != 0 || len(c.Shell) != 0:
		return "its configuration"
	}
	return ""
}

// prune removes images of other versions of the sidecar that nothing uses.
func (a *archive) prune(ctx context.Context, cli *client.Client) {
	list, err := cli.ImageList(ctx, image.ListOptions{
		Filters: filters.NewArgs(filters.Arg("label", labelImage+"=sidecar"), filters.Arg("reference", imageName)),
	})
	if err != nil {
		return
	}
	for _, img := range list {
		if slices.Contains(img.RepoTags, a.tag) || time.Since(time.Unix(img.Created, 0)) < 0 {
			continue
		}
		for _, tag := range img.RepoTags {
			// Without force: one that a container uses stays.
			_, _ = cli.ImageRemove(ctx, tag, image.RemoveOptions{})
		}
	}
}
