//go:build linux

package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"bottlebar.app/smolvm/artifact/build"
)

// packCreate is "pack create".
func (a *app) packCreate(p *args) error {
	out := p.get("output")
	if base, ok := strings.CutSuffix(out, ".smolmachine"); ok && a.rel >= r177 {
		return failf("config operation failed: pack create: --output names the executable stub, not the .smolmachine sidecar (which is created automatically as '<output>.smolmachine'). Use --output %s instead.", base)
	}
	m := build.Manifest{CPUs: number(p.get("cpus")), MemMiB: number(p.get("mem")), Platform: "linux/" + runtime.GOARCH, Version: a.version}
	scratch, err := os.MkdirTemp("", "pack-staging-")
	if err != nil {
		return ioFailure(err)
	}
	defer os.RemoveAll(scratch)
	var root string
	if p.has("from-vm") {
		root, err = a.packFromVM(p.get("from-vm"), &m)
	} else {
		root, err = a.packImage(p.get("image"), p.get("oci-platform"), scratch, &m)
	}
	if err != nil {
		return err
	}
	if e := p.get("entrypoint"); e != "" {
		m.Entrypoint = []string{e}
	}
	return a.writePack(out, m, root)
}

func (a *app) packImage(ref, platform, scratch string, m *build.Manifest) (string, error) {
	fmt.Fprintln(a.stdout, "Starting agent VM...")
	if _, err := a.agentRoot(); err != nil {
		return "", err
	}
	fmt.Fprintf(a.stderr, "Pulling image %s...", ref)
	img, err := a.pull(ref, platform, scratch)
	fmt.Fprintf(a.stderr, "\rPulling image %s... done.                              \n", ref)
	if err != nil {
		return "", err
	}
	m.Image, m.Digest, m.Platform = ref, img.digest, img.platform
	m.Entrypoint, m.Cmd, m.Env, m.Workdir = img.entrypoint, img.cmd, img.env, img.workdir
	fmt.Fprintf(a.stdout, "Image: %s (%d layers, %d bytes)\n", ref, img.layers, size(img.root))
	fmt.Fprint(a.stdout, "Collecting runtime libraries...\nCollecting agent rootfs...\nCreating storage template...\n  Layer 1/1... done\n")
	return img.root, nil
}

// size adds up the files of a folder, in bytes.
func size(dir string) (n int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
			n += info.Size()
		}
		return nil
	})
	return n
}

// packFromVM takes the root of a stopped machine; its settings are not kept.
func (a *app) packFromVM(name string, m *build.Manifest) (string, error) {
	r, err := a.store.load(name)
	if err != nil {
		return "", err
	}
	if r == nil {
		return "", failf("agent operation failed: pack from VM: VM '%s' not found", name)
	}
	if r.alive() {
		return "", failf("agent operation failed: pack from VM: VM '%s' is running. Stop it first with: smolvm machine stop --name %s", name, name)
	}
	root, err := a.rootfs(r)
	if err != nil {
		return "", failf("agent operation failed: pack from VM: %v", err)
	}
	m.Image, m.Entrypoint, m.Env = r.Image, []string{"/bin/sh"}, r.Env
	if strings.HasPrefix(r.Image, localSource) {
		if err := a.packLocal(r, m); err != nil {
			return "", err
		}
	}
	fmt.Fprintf(a.stdout, "Packing VM '%s' snapshot...\nCollecting runtime libraries...\nCollecting agent rootfs...\nCreating storage template...\nStarting agent VM to export machine state...\n", name)
	return root, nil
}

func (a *app) writePack(out string, m build.Manifest, root string) error {
	for _, spin := range "⠋⠙⠹⠸" {
		fmt.Fprintf(a.stdout, "\r%c Assembling packed binary\x1b[K", spin)
	}
	sidecar := out + ".smolmachine"
	if err := build.WriteFile(sidecar, func(w io.Writer) error { return build.FromDir(w, m, root) }); err != nil {
		return failf("agent operation failed: pack: %s", osText(err))
	}
	stub, err := os.OpenFile(out, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o755)
	if err != nil {
		return failf("agent operation failed: pack: %s", osText(err))
	}
	defer stub.Close()
	if err := build.Stub(stub); err != nil {
		return ioFailure(err)
	}
	kib := func(name string) int64 {
		info, err := os.Stat(name)
		if err != nil {
			return 0
		}
		return (info.Size() + 1023) / 1024
	}
	fmt.Fprint(a.stdout, "\r\x1b[KAssembling packed binary done\n")
	fmt.Fprintf(a.stdout, "Packed: %s (stub: %dKB, total: %dKB)\n", out, kib(out), kib(out)+kib(sidecar))
	fmt.Fprintf(a.stdout, "Assets: %s (%dKB compressed)\n\nRun with: %s\n", sidecar, kib(sidecar), out)
	fmt.Fprint(a.stdout, "Note: Keep the .smolmachine file alongside the binary\nOptions: --help for usage\n")
	return nil
}
