package image

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"bottlebar.app/internal/fault"
)

// Archive is one image as `docker save` writes it, in a file that must stay as
// long as the Archive is used.
type Archive struct {
	// Digest is that of the image's configuration, "sha256:…": what smolvm
	// records of an image, and what most engines call its ID.
	Digest   string
	Platform string // "linux/arm64"

	path     string
	config   []byte
	layers   []v1.Layer
	manifest v1.Manifest
}

// Path is the archive's file.
func (a *Archive) Path() string { return a.path }

const (
	maxLayers = 512     // more than any engine makes
	maxConfig = 4 << 20 // bytes of an image's configuration
)

// OpenArchive reads an archive with exactly one image. Layers become gzip
// without compression: old releases of smolvm take nothing but gzip, and over
// loopback there is nothing to save by compressing.
func OpenArchive(path string) (*Archive, error) {
	a := &Archive{path: path}
	if err := a.read(); err != nil {
		return nil, fault.Wrap(err, "reading the image as the engine saved it", "save it with docker save IMAGE and look whether that can be loaded again")
	}
	return a, nil
}

func (a *Archive) read() error {
	img, err := tarball.ImageFromPath(a.path, nil)
	if err != nil {
		return err
	}
	about, err := img.ConfigFile()
	if err != nil {
		return err
	}
	if a.config, err = img.RawConfigFile(); err != nil {
		return err
	}
	layers, err := img.Layers()
	if err != nil {
		return err
	}
	if len(layers) > maxLayers || len(a.config) > maxConfig {
		return errors.New("it has more layers, or a larger configuration, than an image can have")
	}
	config := sum(a.config)
	a.Digest, a.Platform = config.String(), about.OS+"/"+about.Architecture
	a.manifest = v1.Manifest{
		SchemaVersion: 2, MediaType: types.DockerManifestSchema2,
		Config: v1.Descriptor{MediaType: types.DockerConfigJSON, Size: int64(len(a.config)), Digest: config},
		Layers: []v1.Descriptor{},
	}
	for _, l := range layers {
		stored, err := tarball.LayerFromOpener(l.Uncompressed, tarball.WithCompressionLevel(gzip.NoCompression))
		if err != nil {
			return err
		}
		d, err := partial.Descriptor(stored)
		if err != nil {
			return err
		}
		a.layers, a.manifest.Layers = append(a.layers, stored), append(a.manifest.Layers, *d)
	}
	return nil
}

func sum(b []byte) v1.Hash {
	h := sha256.Sum256(b)
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(h[:])}
}

// Manifest is the digest of the manifest that a registry serves for the archive.
func (a *Archive) Manifest() string {
	raw, err := json.Marshal(a.manifest)
	if err != nil {
		return ""
	}
	return sum(raw).String()
}

// ErrTooLarge is what a bounded writer returns.
var ErrTooLarge = errors.New("the image is larger than the engine said")

// Bound returns a writer to w that fails once more than limit bytes came.
func Bound(w io.Writer, limit int64) io.Writer { return &bounded{w, limit} }

type bounded struct {
	w    io.Writer
	left int64
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.left -= int64(len(p)); b.left < 0 {
		return 0, ErrTooLarge
	}
	return b.w.Write(p)
}
