package smolvm

import (
	"io"
	"io/fs"
	"strings"
	"time"
)

// HopKind is how bytes leave a machine that has no network.
type HopKind string

// The kinds of pipe out of a machine.
const (
	HopNone   HopKind = ""
	HopAgent  HopKind = "agent"  // --ssh-agent; the host's end is StartOptions.AuthSock
	HopSocket HopKind = "socket" // --mount-socket, releases from 1.8.0
)

// CreateOptions describes a new machine. Exactly one of From, Image
// and Archive is set.
type CreateOptions struct {
	Name       string
	From       string // path of a .smolmachine artifact that has been checked
	Image      string // reference of an image in a registry
	Archive    string // path of an image as `docker save` writes it, see [Version.PacksArchives]
	CPUs       int    // 0: the artifact's
	MemMiB     int    // 0: the artifact's
	StorageGiB int    // 0: smolvm's default
	OverlayGiB int    // 0: smolvm's default

	Hop         HopKind
	SocketHost  string // HopSocket: path on the host, without ':' ';' '|'
	SocketGuest string // HopSocket: absolute path in the machine

	Env       []string // K=V; kept in the clear in smolvm's records, so no secrets
	AllowCIDR []string // turns the network on; only where the release honours it

	// Command is what the machine runs instead of the artifact's own; left out
	// where the release takes none, see [Version.TakesCommand].
	Command []string

	// Isolated refuses options that could give the machine a network, a
	// folder, a port or more than one pipe, see [CheckIsolation].
	Isolated bool
}

// UpdateOptions says what to change in a machine that does not run.
type UpdateOptions struct {
	CPUs       int // 0: as it is
	MemMiB     int
	StorageGiB int // can only grow
	OverlayGiB int
	Env        []string // K=V
	RemoveEnv  []string // K
}

// StartOptions says how to start a machine.
type StartOptions struct {
	AuthSock string        // path of the socket behind the machine's --ssh-agent pipe; "" hands over none
	Timeout  time.Duration // 0: 120 s; below 0: none, for the first pull of an image
	Fresh    bool          // the machine cannot run yet: skip the look that protects a live one
}

// Secret is a variable whose value does not appear in any argument list, file
// or record.
type Secret struct{ Name, Value string }

// ExecOptions says how to run a command in a machine.
type ExecOptions struct {
	Workdir string        // "" is the record's, else the image's
	Env     []string      // K=V; visible in the host's process list
	Secrets []Secret      // not on 0.8.0, which drops them
	Timeout time.Duration // smolvm ends the command after that; 0: never
}

// Result is what a command in a machine came to.
type Result struct {
	ExitCode int // the command's own; 128+n when signal n killed it (≥ 0.8.1)
	Stdout   []byte
	Stderr   []byte
}

// CopyOptions applies to copies into a machine; releases before 1.9.0 leave
// the file to root with the default mode.
type CopyOptions struct {
	Mode     fs.FileMode // 0: default
	UID, GID int         // 0: root
}

// PackOptions says what to pack and where to.
type PackOptions struct {
	Image      string // reference in a registry
	Archive    string // instead: path of an image as `docker save` writes it, see [Version.PacksArchives]
	Output     string // path of the artifact; .smolmachine is added if missing
	StagingDir string // scratch space; used by releases from 1.2.0
	Platform   string // "linux/arm64"; "" is the host's
	CPUs       int    // default written into the artifact; 0: smolvm's
	MemMiB     int
	ConfigFile string // registry credentials, SMOLVM_CONFIG
	KeepStub   bool   // keep the program that pack puts beside the artifact
}

const artifactSuffix = ".smolmachine"

// Artifact is the path of the file that Pack makes.
func (o PackOptions) Artifact() string { return o.base() + artifactSuffix }

func (o PackOptions) base() string { return strings.TrimSuffix(o.Output, artifactSuffix) }

// Command is all that is needed to run a program.
type Command struct {
	Path  string
	Args  []string  // without the program's name
	Env   []string  // the whole environment
	Dir   string    // working folder
	Stdin io.Reader // nil: empty
}
