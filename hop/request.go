package hop

import (
	"encoding/json"
	"time"

	"bottlebar.app/hop/transfer"
	"bottlebar.app/internal/frame"
)

// HelperConfig is what the helper reads as one JSON object from its standard
// input when it starts. It carries the secret, so it never goes through
// arguments or environment.
type HelperConfig struct {
	Secret []byte `json:"secret"`           // [SecretSize] bytes, new for each start of the machine
	Socket string `json:"socket"`           // the pipe's guest end
	Proxy  string `json:"proxy,omitempty"`  // where egress is accepted; empty means 127.0.0.1:3128
	Events string `json:"events,omitempty"` // socket for hooks; empty means /run/bottlebar/hook.sock
	User   string `json:"user,omitempty"`   // who requests without a user run as; empty means root
	// Replace ends a helper that already serves the hooks' socket, and with
	// it its terminals, before the new one starts.
	Replace bool `json:"replace,omitempty"`
}

// DefaultProxy is where a guest reaches the proxy.
const DefaultProxy = "127.0.0.1:3128"

// DefaultEvents is the socket through which hooks reach the helper.
const DefaultEvents = "/run/bottlebar/hook.sock"

// Words in [frame.Failure].Code and [RemoteError].Code that callers branch on.
const (
	CodeNotFound  = "not-found"      // the command, path or terminal does not exist; a shell says 127
	CodeNotExec   = "not-executable" // it exists and cannot be run; a shell says 126
	CodeNoUser    = "no-user"        // no such user in the guest
	CodeNoFolder  = "no-folder"      // the working folder does not exist
	CodeRefused   = "refused"        // the request breaks a rule or a limit
	CodeNoSpace   = "no-space"       // the guest's disk is full
	CodeDenied    = "denied"         // the user may not do that
	CodeInternal  = "internal"       // anything else
	CodeUnreached = "unreachable"    // nobody listens there
)

// ExecRequest asks for a command. Its end is a [frame.Status].
type ExecRequest struct {
	Argv    []string      `json:"argv"`
	Env     []string      `json:"env,omitempty"`     // K=V, on top of the user's HOME, USER, LOGNAME, SHELL, PATH
	Workdir string        `json:"workdir,omitempty"` // empty means the user's home
	User    string        `json:"user,omitempty"`    // name or number; empty means the helper's default
	TTY     bool          `json:"tty,omitempty"`
	Size    frame.Size    `json:"size,omitzero"`
	Timeout time.Duration `json:"timeout,omitempty"` // nanoseconds; 0 means none
}

// AttachRequest asks for a terminal that outlives its viewers. An existing
// one of that name is shown as it is, also when its command has ended; then
// Again starts it anew. Without a command an unknown name is a failure.
type AttachRequest struct {
	Name    string     `json:"name"` // "claude", "shell-1": at most 64 of [A-Za-z0-9._-]
	Argv    []string   `json:"argv,omitempty"`
	Env     []string   `json:"env,omitempty"`
	Workdir string     `json:"workdir,omitempty"`
	MakeDir bool       `json:"make_dir,omitempty"` // make the folder, owned by the user, where it is missing
	User    string     `json:"user,omitempty"`
	Size    frame.Size `json:"size,omitzero"`
	Again   bool       `json:"again,omitempty"`
}

// AttachReply is the payload of a terminal's Ready frame.
type AttachReply struct {
	Started bool          `json:"started,omitempty"` // this request started the command
	Pid     int           `json:"pid,omitempty"`
	Size    frame.Size    `json:"size,omitzero"`
	Ended   *frame.Status `json:"ended,omitempty"` // the command is over; what follows is its last screen
}

// TerminalInfo describes one terminal that the helper keeps.
type TerminalInfo struct {
	Name    string        `json:"name"`
	Pid     int           `json:"pid,omitempty"`
	Viewers int           `json:"viewers"`
	Size    frame.Size    `json:"size,omitzero"`
	Started time.Time     `json:"started"`
	Ended   *frame.Status `json:"ended,omitempty"`

	// What its program told of itself by control sequences: the guest's
	// words, without controls, at most 200 bytes each. Clean them again.
	Title  string `json:"title,omitempty"`
	Notice string `json:"notice,omitempty"` // a notification (OSC 9, 777); gone once somebody types
	Rang   bool   `json:"rang,omitempty"`   // the bell, likewise
	Mark   string `json:"mark,omitempty"`   // a shell's last mark (OSC 133): A prompt, B input, C output, D end
	Code   int    `json:"code,omitempty"`   // what D said of the command's end; -1 for nothing
}

// TerminalEvent is the name of an event whose body is the TerminalInfo of a
// terminal that has something new to tell.
const TerminalEvent = "terminal"

// StatusEvent is the name of an event whose body is what Claude Code gives the
// command of its status line.
const StatusEvent = "status"

// Place says what a destination path means.
type Place string

// The places.
const (
	PlaceInto Place = "into" // a folder that receives the files; made if missing
	PlaceAuto Place = "auto" // as cp: into it if it is a folder or ends in a slash, else one file or folder of that name
)

// SendRequest says where files of a tar stream go.
type SendRequest struct {
	Dest   string          `json:"dest"` // absolute, or below the user's home
	Place  Place           `json:"place,omitempty"`
	User   string          `json:"user,omitempty"`
	Exists transfer.Exists `json:"exists,omitempty"`
}

// SendReply tells what became of them.
type SendReply struct {
	Paths []string `json:"paths"`          // final guest paths of the top-level names, in stream order
	More  int      `json:"more,omitempty"` // how many more there are than Paths holds
	Files int64    `json:"files"`
	Bytes int64    `json:"bytes"`
}

// ReceiveRequest names what to fetch as one tar stream.
type ReceiveRequest struct {
	Paths []string `json:"paths"` // absolute, or below the user's home
	User  string   `json:"user,omitempty"`
}

// ProbeTarget is something the guest must not reach (or must, for a control).
type ProbeTarget struct {
	Name    string `json:"name"`
	Network string `json:"network"` // tcp or udp
	Addr    string `json:"addr"`    // host:port; a name is resolved by the guest
}

// ProbeRequest is one round of the escape test, run in the guest as root.
// Every attempt has 1.5 s, all of them together 5 s.
type ProbeRequest struct {
	Health   string        `json:"health,omitempty"`   // origin-form path asked of the proxy by GET: /healthz
	Echo     string        `json:"echo,omitempty"`     // origin-form path that takes a POST and answers ?down=N bytes, byte i being i modulo 251
	Up       int64         `json:"up,omitempty"`       // bytes posted to Echo, at most 16 MiB
	Down     int64         `json:"down,omitempty"`     // bytes asked of Echo, at most 16 MiB
	Parallel int           `json:"parallel,omitempty"` // health requests at once, at most 64
	Targets  []ProbeTarget `json:"targets,omitempty"`
	Lookups  []string      `json:"lookups,omitempty"`  // names that must not resolve
	Connects []string      `json:"connects,omitempty"` // host:port asked of the proxy by CONNECT
	Vsock    []uint32      `json:"vsock,omitempty"`    // ports of the host (context 2)
}

// Outcomes of an [Attempt].
const (
	OutcomeConnected   = "connected"   // TCP or vsock connected; UDP got an answer; a name resolved
	OutcomeRefused     = "refused"     // actively refused
	OutcomeUnreachable = "unreachable" // no route, no such network or address family
	OutcomeTimeout     = "timeout"     // nothing in 1.5 s
	OutcomeNoName      = "no-name"     // the name did not resolve
	OutcomeStatus      = "status"      // the proxy answered; Status says what
	OutcomeError       = "error"       // anything else, in Detail
)

// Attempt is what happened to one thing tried.
type Attempt struct {
	Name    string        `json:"name"`
	Kind    string        `json:"kind"` // health, echo, parallel, target, lookup, connect, vsock
	Target  string        `json:"target,omitempty"`
	Outcome string        `json:"outcome"`
	Status  int           `json:"status,omitempty"` // of an HTTP answer
	Bytes   int64         `json:"bytes,omitempty"`  // received and found right
	Sent    int64         `json:"sent,omitempty"`   // that the other end says it received
	Body    string        `json:"body,omitempty"`   // first 512 bytes of an answer
	Detail  string        `json:"detail,omitempty"`
	Took    time.Duration `json:"took"`
}

// ProbeReply is what the guest says. It can only lower a verdict.
type ProbeReply struct {
	Attempts   []Attempt   `json:"attempts"`
	Interfaces []Interface `json:"interfaces"`
}

// Interface is a network interface of the guest.
type Interface struct {
	Name  string   `json:"name"`
	Up    bool     `json:"up"`
	Addrs []string `json:"addrs,omitempty"`
}

// ForwardRequest asks for a TCP connection to the guest's loopback.
type ForwardRequest struct {
	Port uint16 `json:"port"`
}

// User is one entry of the guest's user list, cleaned and bounded.
type User struct {
	Name  string `json:"name"`
	UID   uint32 `json:"uid"`
	GID   uint32 `json:"gid"`
	Home  string `json:"home"`
	Shell string `json:"shell"`
}

// Info is what the helper says about itself and its guest.
type Info struct {
	Version    string      `json:"version"`
	Kernel     string      `json:"kernel"`
	Arch       string      `json:"arch"`
	Hostname   string      `json:"hostname"`
	Pid        int         `json:"pid"`
	Started    time.Time   `json:"started"`
	Users      []User      `json:"users"`
	Interfaces []Interface `json:"interfaces"`
}

// SeedRequest prepares a user's home before a session starts in it. What is
// already there stays.
type SeedRequest struct {
	User      string                     `json:"user,omitempty"`
	Folder    string                     `json:"folder,omitempty"`     // the session's folder: made if missing, and trusted by Claude
	ConfigDir string                     `json:"config_dir,omitempty"` // CLAUDE_CONFIG_DIR, if the artifact sets one
	Claude    map[string]json.RawMessage `json:"claude,omitempty"`     // further top-level keys of .claude.json, added where absent
	GitName   string                     `json:"git_name,omitempty"`
	GitEmail  string                     `json:"git_email,omitempty"`
	Plant     []SeedFile                 `json:"plant,omitempty"` // files in the home, written where neither they nor their folder are there
}

// SeedFile is a small file below a user's home.
type SeedFile struct {
	Path string `json:"path"` // relative: "folder/file"
	Text string `json:"text"`
}

// SeedReply names the files that changed, and the folder as it is called
// once a leading ~ is replaced.
type SeedReply struct {
	Changed []string `json:"changed"`
	Folder  string   `json:"folder"`
}

// EventMessage is what a guest's hook sends.
type EventMessage struct {
	UID  uint32          `json:"uid"`  // of the process that ran the hook, as the helper saw it
	Name string          `json:"name"` // the hook's own argument, may be empty
	Body json.RawMessage `json:"body"` // the hook's input; long strings in it are cut
}
