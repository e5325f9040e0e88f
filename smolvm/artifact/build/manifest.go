package build

import "encoding/json"

// Manifest is the JSON document inside an artifact, in the writer's order of
// fields. Assets is filled in by Write.
type Manifest struct {
	Mode       string               `json:"mode,omitempty"` // "container" when empty, or "vm"
	Image      string               `json:"image"`
	Digest     string               `json:"digest"`   // "sha256:…" of the image; from the layers when empty
	Platform   string               `json:"platform"` // of the guest, such as "linux/arm64"
	Entrypoint []string             `json:"entrypoint,omitempty"`
	Cmd        []string             `json:"cmd,omitempty"`
	Env        []string             `json:"env,omitempty"` // K=V
	SecretRefs map[string]SecretRef `json:"secret_refs,omitempty"`
	Workdir    string               `json:"workdir,omitempty"`
	CPUs       int                  `json:"cpus"` // 4 when 0, as smolvm's writer
	MemMiB     int                  `json:"mem"`  // 8192 when 0
	ImageSize  int64                `json:"image_size"`
	Network    bool                 `json:"network"`
	GPU        bool                 `json:"gpu"`
	// HostPlatform, Created (RFC 3339) and Version are required by readers
	// before 1.7.2; defaults are filled in.
	HostPlatform string `json:"host_platform"`
	Created      string `json:"created"`
	Version      string `json:"smolvm_version"`
	Assets       Assets `json:"assets"`
}

// SecretRef names where a secret comes from; a pack that has any is refused
// by releases from 1.0.0 on.
type SecretRef struct {
	FromEnv  string `json:"from_env,omitempty"`
	FromFile string `json:"from_file,omitempty"`
}

// Assets is the table of contents of the tar. Sizes are of the inner tars.
type Assets struct {
	Libraries []Asset      `json:"libraries"`
	AgentRoot Asset        `json:"agent_rootfs"`
	Layers    []LayerAsset `json:"layers"`
}

// Asset is one entry of the tar.
type Asset struct {
	Path string `json:"path"`
	Size int64  `json:"size"`
}

// LayerAsset is one image layer; the list is bottom first.
type LayerAsset struct {
	Digest string `json:"digest"`
	Path   string `json:"path"`
	Size   int64  `json:"size"`
}

const zeroDigest = "sha256:0000000000000000000000000000000000000000000000000000000000000000"

func (m Manifest) withDefaults() Manifest {
	set := func(p *string, v string) {
		if *p == "" {
			*p = v
		}
	}
	set(&m.Image, "example:latest")
	set(&m.Platform, "linux/amd64")
	set(&m.HostPlatform, m.Platform)
	set(&m.Created, "2026-01-01T00:00:00Z")
	set(&m.Version, "0.8.0")
	if m.CPUs == 0 {
		m.CPUs = 4
	}
	if m.MemMiB == 0 {
		m.MemMiB = 8192
	}
	if m.Digest == "" {
		m.Digest = zeroDigest
		if n := len(m.Assets.Layers); n > 0 {
			m.Digest = m.Assets.Layers[n-1].Digest
		}
	}
	return m
}

func (m Manifest) encode() ([]byte, error) { return json.MarshalIndent(m, "", "  ") }
