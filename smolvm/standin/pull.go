//go:build linux

package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"bottlebar.app/smolvm/artifact/build"
)

// pulled is an image's root file system and what its configuration says.
type pulled struct {
	root                 string
	digest, platform     string // the digest is the configuration's, as the real command records it
	layers               int
	entrypoint, cmd, env []string
	workdir              string
}

// localImage finds a root file system for an image reference: the folder of
// that name below STANDIN_IMAGES, "/" and ":" written as "_".
func (a *app) localImage(ref string) (string, error) {
	if a.images != "" {
		dir := filepath.Join(a.images, strings.NewReplacer("/", "_", ":", "_").Replace(ref))
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			return dir, nil
		}
	}
	return "", failf("agent operation failed: pull image: %s: no such image, and the stand-in reaches no registry", ref)
}

// pull brings an image for "pack create": from STANDIN_IMAGES, or from a
// registry on this computer's loopback, which the real command's machine
// reaches by its network of the kind TSI. It asks for what the real one asks
// for, by the library that the real one's puller (crane) is made of.
func (a *app) pull(ref, platform, scratch string) (pulled, error) {
	if at, err := name.ParseReference(ref); err == nil && onLoopback(at.Context().RegistryStr()) {
		return a.pullFrom(at, platform, scratch)
	}
	root, err := a.localImage(ref)
	return pulled{
		root: root, layers: 1, platform: "linux/" + runtime.GOARCH,
		env: []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
	}, err
}

func onLoopback(registry string) bool {
	host, _, err := net.SplitHostPort(registry)
	return err == nil && host == "127.0.0.1"
}

func (a *app) pullFrom(at name.Reference, platform, scratch string) (pulled, error) {
	fail := func(op string, err error) (pulled, error) {
		return pulled{}, failf("agent operation failed: pull image: crane %s failed: Error: %v", op, err)
	}
	if _, cut := a.faults.has("pack", "noloopback"); cut {
		return fail("manifest", fmt.Errorf("fetching manifest %s: Get \"http://%s/v2/\": dial tcp %s: connect: connection refused", at, at.Context().RegistryStr(), at.Context().RegistryStr()))
	}
	want := v1.Platform{OS: "linux", Architecture: runtime.GOARCH}
	if os, arch, ok := strings.Cut(platform, "/"); ok {
		want = v1.Platform{OS: os, Architecture: arch}
	}
	img, err := remote.Image(at, remote.WithAuth(authn.Anonymous), remote.WithPlatform(want))
	if err != nil {
		return fail("manifest", err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		return fail("config", err)
	}
	digest, err := img.ConfigName()
	if err != nil {
		return fail("config", err)
	}
	layers, err := img.Layers()
	if err != nil {
		return fail("manifest", err)
	}
	p := pulled{
		root: filepath.Join(scratch, "root"), digest: digest.String(), platform: config.OS + "/" + config.Architecture, layers: len(layers),
		entrypoint: config.Config.Entrypoint, cmd: config.Config.Cmd, env: config.Config.Env, workdir: config.Config.WorkingDir,
	}
	if err := os.MkdirAll(p.root, 0o755); err != nil {
		return p, ioFailure(err)
	}
	for i, l := range layers {
		if err := a.pullLayer(l, p.root); err != nil {
			d, _ := l.Digest() // named if it has one
			return p, failf("agent operation failed: pull image: crane blob failed for layer %s: %v", d, err)
		}
		fmt.Fprintf(a.stderr, "\rPulling image %s... [%-20s] %d%%", at, strings.Repeat("=", 20*(i+1)/len(layers)), 100*(i+1)/len(layers))
	}
	return p, nil
}

// pullLayer unpacks a layer as it comes. Releases before 1.4 hand it to
// "tar -xzf", which takes nothing but gzip.
func (a *app) pullLayer(l v1.Layer, root string) error {
	if a.rel <= r102 {
		raw, err := l.Compressed()
		if err != nil {
			return err
		}
		var magic [2]byte
		_, err = io.ReadFull(raw, magic[:])
		_ = raw.Close()
		if err != nil || magic != [2]byte{0x1f, 0x8b} {
			return errors.New("tar: invalid magic")
		}
	}
	in, err := l.Uncompressed()
	if err != nil {
		return err
	}
	defer in.Close()
	return unpackLayer(in, root)
}

// localSource is what "machine create --image" takes besides a registry's image
// from 1.1.0 on: an archive as `docker save` writes it.
const localSource = "local:"

// fromArchive keeps the archive with the machine; it is unpacked at the first
// start.
func (a *app) fromArchive(path string, r *record) error {
	in, err := os.Open(path)
	if err != nil {
		return failf("config operation failed: create machine: image archive not found: %s", path)
	}
	defer in.Close()
	dir := a.store.dir(r.Name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return ioFailure(err)
	}
	out, err := os.Create(filepath.Join(dir, archiveName))
	if err != nil {
		return ioFailure(err)
	}
	defer out.Close()
	h := sha256.New()
	if _, err := io.Copy(io.MultiWriter(out, h), in); err != nil {
		return ioFailure(err)
	}
	r.Image = localSource + hex.EncodeToString(h.Sum(nil))
	return nil
}

const archiveName = "image.tar"

// unpackArchive lays an archive's layers into root.
func (a *app) unpackArchive(r *record, root string) (*v1.ConfigFile, error) {
	img, err := tarball.ImageFromPath(filepath.Join(a.store.dir(r.Name), archiveName), nil)
	if err != nil {
		return nil, failf("agent operation failed: local image: crane export failed (is the image a valid `docker save` / OCI archive?): %v", err)
	}
	config, err := img.ConfigFile()
	if err != nil || root == "" {
		return config, err
	}
	layers, err := img.Layers()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(root, 0o755); err != nil {
		return nil, err
	}
	for _, l := range layers {
		in, err := l.Uncompressed()
		if err != nil {
			return nil, err
		}
		err = unpackLayer(in, root)
		_ = in.Close()
		if err != nil {
			return nil, err
		}
	}
	return config, nil
}

// packLocal is "pack create --from-vm" of a machine made of an archive, which
// came after 1.9.3; what it writes is believed, not recorded.
func (a *app) packLocal(r *record, m *build.Manifest) error {
	if !a.after193 {
		return failf("agent operation failed: pack from VM: VM '%s' was created from a local image (%s). `pack create --from-vm` can only snapshot VMs created from a REGISTRY image — local archives and rootfs directories are flattened on boot and have no registry manifest to re-pull. Recreate the machine from a registry reference to pack it.", r.Name, r.Image)
	}
	config, err := a.unpackArchive(r, "")
	if err != nil {
		return err
	}
	m.Platform = config.OS + "/" + config.Architecture
	m.Entrypoint, m.Cmd, m.Env, m.Workdir = config.Config.Entrypoint, config.Config.Cmd, config.Config.Env, config.Config.WorkingDir
	return nil
}
