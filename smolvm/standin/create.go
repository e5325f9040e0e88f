//go:build linux

package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"bottlebar.app/smolvm/artifact"
)

// create is "machine create".
func (a *app) create(p *args) error {
	name := p.get("name")
	if name == "" && !p.has("name") {
		var b [4]byte
		_, _ = rand.Read(b[:]) // never fails
		name = "vm-" + hex.EncodeToString(b[:])
	}
	r := &record{
		Name: name, State: "created", CreatedAt: time.Now().Unix(), CPUs: 4, MemMiB: 8192,
		Cmd: []string{}, Entrypoint: []string{}, Labels: map[string]string{},
		SSHAgent: p.has("ssh-agent"), Init: p.values["init"], Ports: p.values["port"],
	}
	// 0.8.0 unpacks first and looks at names and folders afterwards.
	checks := func() error { return a.checkCreate(p, r) }
	unpack := func() error { return a.fromArtifact(p, r) }
	if p.has("from") {
		steps := []func() error{checks, unpack}
		if a.rel == r080 {
			slices.Reverse(steps)
		}
		for _, step := range steps {
			if err := step(); err != nil {
				return err
			}
		}
	} else if err := a.fromImage(p, r); err != nil {
		return err
	} else if err := checks(); err != nil {
		return err
	}
	if r.CRC != "" {
		if err := a.layDataDir(r); err != nil {
			return err
		}
	}
	if err := a.store.save(r); err != nil {
		return err
	}
	a.announce(r)
	return nil
}

func (a *app) announce(r *record) {
	w := a.stdout
	fmt.Fprintf(w, "Created machine: %s\n  CPUs: %d, Memory: %d MiB\n", r.Name, r.CPUs, r.MemMiB)
	if n := len(r.Volumes); n > 0 {
		fmt.Fprintf(w, "  Mounts: %d\n", n)
	}
	if n := len(r.Ports); n > 0 {
		fmt.Fprintf(w, "  Ports: %d\n", n)
	}
	if n := len(r.Init); n > 0 {
		fmt.Fprintf(w, "  Init commands: %d\n", n)
	}
	fmt.Fprintf(w, "\nUse 'smolvm machine start --name %s' to start the machine\n", r.Name)
	fmt.Fprintf(w, "Then use 'smolvm machine exec --name %s -- <command>' to run commands\n", r.Name)
}

// checkCreate looks at what does not come from the artifact.
func (a *app) checkCreate(p *args, r *record) error {
	if why := checkName(r.Name); why != "" {
		return failf("config operation failed: create machine: machine name %s", why)
	}
	if old, err := a.store.load(r.Name); err != nil {
		return err
	} else if old != nil {
		text := "already exists or is being created"
		if a.rel == r080 {
			text = "already exists"
		}
		return failf("config operation failed: create machine: machine '%s' %s", r.Name, text)
	}
	for _, v := range p.values["volume"] {
		vol, err := parseVolume(v)
		if err != nil {
			return err
		}
		r.Volumes = append(r.Volumes, vol)
	}
	if a.rel >= r193 {
		if cpus := p.get("cpus"); cpus == "0" {
			return failf("config operation failed: validate resources: CPU count must be at least 1")
		}
		if mem := p.get("mem"); mem != "" && number(mem) < 64 {
			return failf("config operation failed: validate resources: memory must be at least 64 MiB (got %s MiB)", mem)
		}
	}
	if err := a.parseSockets(p, r); err != nil {
		return err
	}
	for _, l := range p.values["label"] {
		k, v, _ := strings.Cut(l, "=")
		r.Labels[k] = v
	}
	for flag, to := range map[string]**int{"storage": &r.StorageGiB, "overlay": &r.OverlayGiB} {
		if p.has(flag) {
			n := number(p.get(flag))
			*to = &n
		}
	}
	return nil
}

func number(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

func parseVolume(v string) (volume, error) {
	parts := strings.Split(v, ":")
	if len(parts) < 2 {
		return volume{}, failf("mount operation failed: parse mount: expected HOST:GUEST[:ro], got '%s'", v)
	}
	vol := volume{Host: parts[0], Guest: parts[1], ReadOnly: len(parts) > 2 && parts[2] == "ro"}
	info, err := os.Stat(vol.Host)
	if err != nil {
		return vol, failf("mount source not found: %s", vol.Host)
	}
	if !info.IsDir() {
		return vol, failf("mount operation failed: validate host path: source path on host must be a directory (virtiofs limitation): %s", vol.Host)
	}
	vol.Host, err = filepath.Abs(vol.Host)
	return vol, err
}

func (a *app) parseSockets(p *args, r *record) error {
	for _, s := range p.values["mount-socket"] {
		host, guest, ok := strings.Cut(s, ":")
		switch {
		case !ok:
			return failf("config operation failed: mount-socket: expected HOST_PATH:GUEST_PATH, got '%s'", s)
		case a.rel < r193: // looks no further
		case !filepath.IsAbs(guest):
			return failf("config operation failed: publish-socket: guest path '%s' must be absolute", guest)
		case slices.ContainsFunc(r.Sockets, func(o socket) bool { return o.Guest == guest }):
			return failf("config operation failed: mount-socket: guest path '%s' is mounted more than once", guest)
		}
		abs, err := filepath.Abs(host)
		if err != nil {
			return ioFailure(err)
		}
		r.Sockets = append(r.Sockets, socket{abs, guest})
	}
	return nil
}

// network says whether the flags ask for a network device.
func wantsNetwork(p *args, policy bool) bool {
	return p.has("net") || p.has("port") || p.has("dns") ||
		policy && (p.has("allow-cidr") || p.has("allow-host") || p.has("outbound-localhost-only"))
}

func (a *app) fromImage(p *args, r *record) error {
	r.Image, r.Network, r.GPU = p.get("image"), wantsNetwork(p, true), p.has("gpu")
	local := a.rel >= r177 && filepath.IsAbs(r.Image)
	if local {
		if err := a.fromArchive(r.Image, r); err != nil {
			return err
		}
	}
	if a.rel >= r177 && r.Image != "" && !r.Network && !local {
		return failf("config operation failed: create machine: image '%s' must be pulled from a registry, but this machine has no network, so the pull can never succeed. Add --net (or publish a port with -p, or set an egress policy with --allow-cidr/--allow-host). To keep the machine network-isolated, supply the image locally instead: `docker save %s | smolvm machine create --image - ...`", r.Image, r.Image)
	}
	if p.has("cpus") {
		r.CPUs = number(p.get("cpus"))
	}
	if p.has("mem") {
		r.MemMiB = number(p.get("mem"))
	}
	r.Cmd, r.Workdir = append(r.Cmd, p.rest...), p.get("workdir")
	r.Env = a.envItems(p.values["env"])
	return nil
}

// fromArtifact reads the file of --from and unpacks it.
func (a *app) fromArtifact(p *args, r *record) error {
	path := p.get("from")
	f, err := a.openArtifact(path)
	if err != nil {
		return err
	}
	m := f.Manifest
	if a.rel >= r102 && len(m.Secrets) > 0 {
		return failf("config operation failed: create from .smolmachine: secret '%s': source kind 'env' is not allowed in scope Untrusted; secret refs may only be resolved on the trusted local host (packs may not carry secret refs)", m.Secrets[0])
	}
	host := runtime.GOARCH
	if v := a.getenv("STANDIN_ARCH"); v != "" {
		host = v
	}
	if arch := artifact.Arch(m.Platform); a.rel >= r177 && arch != host {
		return failf("agent operation failed: platform mismatch: this artifact is built for architecture '%s' (platform '%s'), but this host is '%s'. A packed VM or image carries native binaries and cannot run on a different CPU architecture — re-pack on an '%s' host, or use an '%s' artifact.", arch, m.Platform, host, arch, host)
	}
	a.settings(p, r, m)
	r.CRC = fmt.Sprintf("%08x", f.Footer.Checksum)
	fmt.Fprintln(a.stdout, "Extracting .smolmachine assets...")
	if err := a.extract(path, f, r); err != nil {
		word := "extract sidecar"
		if a.rel >= r193 {
			word = "extract sidecar (shared)"
		}
		return failf("agent operation failed: %s: %v", word, err)
	}
	return nil
}

// settings are the manifest's, as far as the flags leave them.
func (a *app) settings(p *args, r *record, m artifact.Manifest) {
	r.Image, r.Workdir, r.GPU = m.Image, m.Workdir, m.GPU
	r.Entrypoint, r.Cmd = append(r.Entrypoint, m.Entrypoint...), append(r.Cmd, m.Cmd...)
	if a.rel >= r177 && len(p.rest) > 0 {
		r.Cmd = p.rest // thrown away with --from before 1.6.4
	}
	r.CPUs, r.MemMiB = m.CPUs, int(m.MemMiB)
	// A value equal to the default counts as not given.
	if v := p.get("cpus"); v != "" && v != "4" {
		r.CPUs = number(v)
	}
	if v := p.get("mem"); v != "" && v != "8192" {
		r.MemMiB = number(v)
	}
	r.Env = append(slices.Clone(m.Env), a.envItems(p.values["env"])...)
	// Before 1.8.0 the egress flags are read and thrown away here.
	r.Network = m.Network || wantsNetwork(p, a.rel >= r193)
}

func (a *app) openArtifact(path string) (*artifact.File, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, failf("config operation failed: create from .smolmachine: file not found: %s", path)
	}
	const read = "agent operation failed: read .smolmachine: "
	if err == nil && info.IsDir() {
		return nil, failf(read + "I/O error: Is a directory (os error 21)")
	}
	f, err := artifact.Open(path)
	var fe *artifact.FormatError
	if errors.As(err, &fe) && fe.Reply != "" {
		return nil, failf(read+"%s", fe.Reply)
	}
	if err != nil {
		return nil, failf(read+"I/O error: %s", osText(err))
	}
	if f.Footer.Version != 1 && a.rel < r177 {
		return nil, failf(read+"unsupported version: %d", f.Footer.Version)
	}
	return f, nil
}

// envItems reads the -e flags: an item without "=" is dropped by 0.8.0 and
// later copied from the environment, if it is set; an empty key is dropped.
func (a *app) envItems(items []string) []string {
	var out []string
	for _, e := range items {
		k, _, ok := strings.Cut(e, "=")
		if k == "" {
			continue
		}
		if !ok {
			v := a.getenv(k)
			if a.rel == r080 || v == "" {
				continue
			}
			e = k + "=" + v
		}
		out = append(out, e)
	}
	return out
}

// layDataDir makes a machine's folder as create leaves it. The disks are
// placeholders: the guest's root is a folder.
func (a *app) layDataDir(r *record) error {
	dir := a.store.dir(r.Name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return ioFailure(err)
	}
	files := map[string]string{"name": r.Name, "storage.raw": "", "overlay.raw": ""}
	if a.rel >= r193 {
		files[".pack-shared"] = r.CRC
	}
	for name, text := range files {
		mode := os.FileMode(0o644)
		if strings.HasPrefix(name, ".") {
			mode = 0o600
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), mode); err != nil {
			return ioFailure(err)
		}
	}
	return nil
}
