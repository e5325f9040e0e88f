//go:build linux

package main

import (
	"archive/tar"
	"bytes"
	"io"
	"log"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"bottlebar.app/smolvm/artifact"
)

// anImage has one layer with one file, plain or as gzip.
func anImage(t *testing.T, plain bool) v1.Image {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: "mark", Mode: 0o644, Size: 6, Typeflag: tar.TypeReg}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("pulled")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var layer v1.Layer = static.NewLayer(b.Bytes(), types.DockerUncompressedLayer)
	if !plain {
		var err error
		layer, err = tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil })
		if err != nil {
			t.Fatal(err)
		}
	}
	img, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		t.Fatal(err)
	}
	img, err = mutate.ConfigFile(img, &v1.ConfigFile{OS: "linux", Architecture: runtime.GOARCH, Config: v1.Config{Cmd: []string{"sleep", "9"}, Env: []string{"A=b"}, WorkingDir: "/w"}, RootFS: must(t, img).RootFS})
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func must(t *testing.T, img v1.Image) *v1.ConfigFile {
	t.Helper()
	c, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func pushed(t *testing.T, img v1.Image) string {
	t.Helper()
	srv := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(srv.Close)
	ref, err := name.ParseReference(strings.TrimPrefix(srv.URL, "http://") + "/team/app:1")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, img); err != nil {
		t.Fatal(err)
	}
	return ref.String()
}

func TestPackPullsFromThisComputersLoopback(t *testing.T) {
	img := anImage(t, false)
	ref := pushed(t, img)
	digest, err := img.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range []string{"0.8.0", "1.0.2", "1.7.7", "1.9.3"} {
		in := newInstall(t, version, false)
		out := filepath.Join(in.work, "app")
		in.ok("pack", "create", "--image", ref, "-o", out)
		f, err := artifact.Open(out + ".smolmachine")
		if err != nil {
			t.Fatal(err)
		}
		if m := f.Manifest; m.Digest != digest.String() || m.Image != ref || m.Workdir != "/w" || strings.Join(m.Cmd, " ") != "sleep 9" || strings.Join(m.Env, " ") != "A=b" || m.Network {
			t.Errorf("%s: %+v", version, m)
		}
		in.env = []string{"STANDIN_FAULT=pack:noloopback"}
		if r := in.run("", "pack", "create", "--image", ref, "-o", out+"2"); r.exit != 1 || !strings.Contains(r.stderr, "Error: agent operation failed: pull image: crane manifest failed") {
			t.Errorf("%s, out of reach: %+v", version, r)
		}
		in.env = nil
		if r := in.run("", "pack", "create", "--image", strings.Replace(ref, "app:1", "app:2", 1), "-o", out+"3"); r.exit != 1 || !strings.Contains(r.stderr, "MANIFEST_UNKNOWN") {
			t.Errorf("%s, not there: %+v", version, r)
		}
	}
}

// Old releases hand layers to "tar -xzf".
func TestOldReleasesTakeLayersAsGzipAlone(t *testing.T) {
	ref := pushed(t, anImage(t, true))
	for version, want := range map[string]int{"1.0.2": 1, "1.9.3": 0} {
		in := newInstall(t, version, false)
		if r := in.run("", "pack", "create", "--image", ref, "-o", filepath.Join(in.work, "app")); r.exit != want {
			t.Errorf("%s: %+v", version, r)
		}
	}
}

func TestAMachineOfAnArchiveIsPackedByLaterReleasesOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "image.tar")
	ref, err := name.NewTag("app:1")
	if err != nil {
		t.Fatal(err)
	}
	if err := tarball.WriteToFile(path, ref, anImage(t, false)); err != nil {
		t.Fatal(err)
	}
	for version, want := range map[string]int{"1.9.3": 1, "1.10.0": 0} {
		in := newInstall(t, version, false)
		in.ok("machine", "create", "--name", "m", "--image", path)
		r := in.run("", "pack", "create", "--from-vm", "m", "-o", filepath.Join(in.work, "app"))
		if r.exit != want || want == 1 && !strings.Contains(r.stderr, "was created from a local image (local:") {
			t.Errorf("%s: %+v", version, r)
		}
	}
}
