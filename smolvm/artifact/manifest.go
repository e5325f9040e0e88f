package artifact

// Manifest is the JSON between an artifact's assets and its footer: what was
// packed, from where, and how a machine made from it starts. Its text is
// hostile; show it through [Clean].
type Manifest struct {
	Mode          string   // "container" (also when the file says nothing) or "vm"
	Image         string   // reference as it was given; "vm://NAME" for a snapshot
	Digest        string   // of the image, not of this file; "none" for a snapshot
	Platform      string   // of the guest: "linux/arm64"
	Entrypoint    []string //
	Cmd           []string //
	Env           []string // K=V; may hold secrets that were baked into the image
	Secrets       []string // names of secret_refs, sorted
	Workdir       string   // empty: none
	CPUs          int      // 0 to 255
	MemMiB        uint32   //
	ImageSize     uint64   // bytes when unpacked; 0 when not known
	Network, GPU  bool     //
	CUDA          bool     //
	HostPlatform  string   // where it was packed: "darwin/arm64"
	Created       string   // RFC 3339
	SmolvmVersion string   // release that packed it: "1.9.3"
	Assets        Assets
}

// Assets names what lies in the tar.
type Assets struct {
	Libraries          []Asset
	AgentRootfs        Asset
	Layers             []Layer // bottom first
	StorageTemplate    *Asset
	OverlayTemplate    *Asset
	OverlayLogicalSize uint64 // bytes; 0 when not given
	StorageLogicalSize uint64
}

// Asset is one file in the tar.
type Asset struct {
	Path string
	Size uint64 // bytes, as the writer counted; not relied on
}

// Layer is one image layer in the tar.
type Layer struct {
	Digest string
	Asset
}

// HasCommand says whether a machine made from m runs something by itself.
// Releases from 1.0.2 to 1.8.x do not start one that does not.
func (m *Manifest) HasCommand() bool { return len(m.Entrypoint)+len(m.Cmd) > 0 }
