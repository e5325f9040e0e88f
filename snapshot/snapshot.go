// Package snapshot holds the values that people are shown: the bottles, the
// library, what Setup found, what was reached. app makes them, everybody else
// only reads them. It has no behaviour and imports nothing of ours.
//
// The JSON form is the one that `bottlebar ls --json` and its siblings print;
// its field names are kept stable.
package snapshot

import "time"

// Snapshot is everything that is shown, at one moment. It is a value: whoever
// holds one may keep it, nobody may change what it points to.
type Snapshot struct {
	Revision uint64     `json:"revision"` // rises by at least one with each change
	Bottles  []Bottle   `json:"bottles"`  // newest first
	Library  []Artifact `json:"library"`  // by name
	Setup    []Check    `json:"setup"`
	// Simulated says that the command is the stand-in: no VM anywhere.
	Simulated bool `json:"simulated"`
	// Driver is how sidecars run: "docker", "process", or "" before it is known.
	Driver string   `json:"driver"`
	Day    *Day     `json:"day,omitempty"`    // tokens of all bottles; nil while there are none
	Notice *Problem `json:"notice,omitempty"` // something that went wrong outside any bottle
}

// BottleState is where a bottle is in its life.
type BottleState string

// The states of a bottle, in the order of a normal life; the last three are ends or losses.
const (
	Preparing BottleState = "preparing"
	Creating  BottleState = "creating"
	Starting  BottleState = "starting"
	Proving   BottleState = "proving"
	Ready     BottleState = "ready"
	Stopping  BottleState = "stopping"
	Stopped   BottleState = "stopped"
	Failed    BottleState = "failed"
	Lost      BottleState = "lost"
)

// SessionState is what the session in a bottle is doing.
type SessionState string

// The states of a session. Empty: there is none yet.
const (
	NoSession SessionState = ""
	Working   SessionState = "working"
	NeedsYou  SessionState = "needs-you"
	Idle      SessionState = "idle"
	Done      SessionState = "done"
	Ended     SessionState = "failed" // the session's process ended with an error
)

// Isolation is what the last proof found.
type Isolation string

// The verdicts. Only Proved lets a session start.
const (
	Unproved    Isolation = "unproved"
	Proved      Isolation = "proved"
	ProofFailed Isolation = "failed"
)

// Bottle is one bottle as it is shown. Text that came from inside the VM has
// been cleaned and cut by app, and is marked "guest" here; treat it as text,
// never as markup or as one of our own words.
type Bottle struct {
	ID         string       `json:"id"` // 8 base32 characters
	Name       string       `json:"name"`
	State      BottleState  `json:"state"`
	Session    SessionState `json:"session"`
	Artifact   string       `json:"artifact"`    // the library's name at launch
	ArtifactID string       `json:"artifact_id"` // SHA-256, hex
	Simulated  bool         `json:"simulated"`
	Driver     string       `json:"driver"` // of its sidecar: "docker" or "process"
	Isolation  Isolation    `json:"isolation"`
	ProvedAt   *time.Time   `json:"proved_at,omitempty"`
	StartedAt  *time.Time   `json:"started_at"` // nil until it was ready once
	CreatedAt  time.Time    `json:"created_at"`
	Release    string       `json:"release"`                   // smolvm's version
	Folder     string       `json:"folder,omitempty"`          // the session's folder in the VM
	User       string       `json:"user,omitempty"`            // the session's user in the VM
	Command    []string     `json:"command,omitempty"`         // what the session runs
	Mode       string       `json:"mode,omitempty"`            // Claude's permission mode
	Title      string       `json:"title,omitempty"`           // guest: the session's window title
	Rang       bool         `json:"rang,omitempty"`            // the session's bell rang, and nobody has typed since
	Context    *int         `json:"context_percent,omitempty"` // guest: how full the model's context is, 0 to 100
	Cost       *float64     `json:"cost_usd,omitempty"`        // guest: what the session says it has cost
	ExitCode   *int         `json:"exit_code,omitempty"`       // of the session's process, once it ended
	Steps      []Step       `json:"steps,omitempty"`           // of the launch, as far as it came
	Problem    *Problem     `json:"problem,omitempty"`         // why it failed or is in doubt
	HelperLost bool         `json:"helper_lost,omitempty"`
	Upstream   string       `json:"test_upstream,omitempty"` // set when the API route goes to a test server
	Web        bool         `json:"web"`                     // Claude's servers may contact the internet on its behalf
	Usage      *Usage       `json:"usage,omitempty"`         // nil before the first request of one without a cap
	Cut        *Cut         `json:"cut,omitempty"`           // why its way out is shut until somebody opens it again
	Allowed    int          `json:"allowed"`
	Blocked    int          `json:"blocked"`
	Asks       Asks         `json:"asks"`
	Hold       bool         `json:"hold,omitempty"`     // first connections to unlisted places wait for an answer
	Transfer   *Transfer    `json:"transfer,omitempty"` // the copy that runs now
	Evidence   string       `json:"evidence,omitempty"` // folder that a proof which missed left behind
}

// Step is one step of a launch.
type Step struct {
	Name  string        `json:"name"`  // stable word: "sidecar", "home", "start", "helper", "proof", "session"
	Title string        `json:"title"` // what the menu shows: "Starting the VM"
	State StepState     `json:"state"`
	Took  time.Duration `json:"took_ns"`
}

// StepState is how far a step came.
type StepState string

// The states of a step.
const (
	StepWaiting StepState = "waiting"
	StepRunning StepState = "running"
	StepDone    StepState = "done"
	StepFailed  StepState = "failed"
	StepUndone  StepState = "undone"
)

// Problem is a failure as it is shown: what failed, why, what to do.
type Problem struct {
	What   string `json:"what"`
	Why    string `json:"why"`
	Cure   string `json:"cure,omitempty"`
	Detail string `json:"detail,omitempty"` // raw output, cleaned, behind Details
}

// Transfer is a copy into or out of a bottle that is under way.
type Transfer struct {
	Label string `json:"label"` // "3 files into ~/work"
	Done  int64  `json:"done"`  // bytes
	Total int64  `json:"total"` // bytes; 0 when not known
}

// Artifact is one row of the library.
type Artifact struct {
	ID       string           `json:"id"` // SHA-256 of the file, hex
	Name     string           `json:"name"`
	Image    string           `json:"image"`
	Digest   string           `json:"digest"` // of the image, as the manifest has it
	Platform string           `json:"platform"`
	Size     int64            `json:"size"` // bytes of the file
	Added    time.Time        `json:"added"`
	LastUsed *time.Time       `json:"last_used,omitempty"`
	Settings ArtifactSettings `json:"settings"`
	Prepared bool             `json:"prepared"`          // a prepared home lies ready
	Source   string           `json:"source,omitempty"`  // what it was packed of here: "registry", "engine" or "recipe"
	Recipe   string           `json:"recipe,omitempty"`  // the recipe's name
	Stale    bool             `json:"stale,omitempty"`   // the recipe has changed since
	Problem  *Problem         `json:"problem,omitempty"` // damaged, or not for this computer
}

// ArtifactSettings are what a launch of an artifact starts from. Zero values
// mean: as the artifact or smolvm says.
type ArtifactSettings struct {
	Command    []string `json:"command,omitempty" toml:"command,omitempty"`
	User       string   `json:"user,omitempty" toml:"user,omitempty"`
	Folder     string   `json:"folder,omitempty" toml:"folder,omitempty"`
	CPUs       int      `json:"cpus,omitempty" toml:"cpus,omitempty"`
	MemMiB     int      `json:"mem_mib,omitempty" toml:"mem_mib,omitempty"`
	StorageGiB int      `json:"storage_gib,omitempty" toml:"storage_gib,omitempty"`
	OverlayGiB int      `json:"overlay_gib,omitempty" toml:"overlay_gib,omitempty"`
	Permission string   `json:"permission,omitempty" toml:"permission,omitempty"` // Claude's permission mode
}

// Check is one line of Setup.
type Check struct {
	ID      string     `json:"id"`    // "smolvm", "engine", "credential", "disk", "library"
	Title   string     `json:"title"` // "smolvm"
	State   CheckState `json:"state"`
	Finding string     `json:"finding"`           // one line
	Cure    string     `json:"cure,omitempty"`    // one line: what to do
	Command string     `json:"command,omitempty"` // a command that does it, to copy
	// Credential says that one is set, which can be tested, changed and cleared.
	Credential bool   `json:"credential,omitempty"`
	Action     string `json:"action,omitempty"` // a button that does it: "credential", "library", "retry"
}

// CheckState is how a check went.
type CheckState string

// The outcomes of a check.
const (
	CheckOK      CheckState = "ok"
	CheckWarn    CheckState = "warning"
	CheckFailed  CheckState = "failed"
	CheckRunning CheckState = "running"
)

// Decision is one line of Activity: something a bottle wanted to reach, or that
// was changed for it.
type Decision struct {
	Seq     uint64        `json:"seq"` // rises from line to line of a bottle; 0 for a sum of lines that are gone
	Time    time.Time     `json:"time"`
	Bottle  string        `json:"bottle"`
	Kind    string        `json:"kind"`    // "connect", "http", "api"; "policy", "canary", "probe", "lost", "sum"
	Verdict string        `json:"verdict"` // "allowed", "denied", "closed" (the end of an allowed one), "held", "changed"
	Host    string        `json:"host"`    // guest
	Port    int           `json:"port"`
	Address string        `json:"address,omitempty"`
	Rule    string        `json:"rule"` // what decided
	Method  string        `json:"method,omitempty"`
	Path    string        `json:"path,omitempty"` // guest; without the query
	Status  int           `json:"status,omitempty"`
	Up      int64         `json:"up"`
	Down    int64         `json:"down"`
	Took    time.Duration `json:"took_ns"`
	Count   int           `json:"count"` // how many such lines this one stands for
}

// Asks are the places that a bottle wanted and no rule names.
type Asks struct {
	Rows      []Ask `json:"rows"`       // newest first, a few
	MoreNames int   `json:"more_names"` // names beyond the rows, as far as they are told apart
	MoreCount int   `json:"more_count"` // how often those were asked for
	News      int   `json:"news"`       // rises with each new place
}

// Ask is one such place. An answer must name ID and Hash as they were drawn.
type Ask struct {
	ID        string     `json:"id"`
	Hash      string     `json:"hash"`
	Host      string     `json:"host"` // guest: a name in ASCII form, or an address
	Port      int        `json:"port"`
	Kind      string     `json:"kind"` // "connect" or "http"
	First     time.Time  `json:"first"`
	Last      time.Time  `json:"last"`
	Count     int        `json:"count"`
	Presets   []string   `json:"presets,omitempty"`    // that would allow it
	HeldUntil *time.Time `json:"held_until,omitempty"` // its connection waits for the answer until then
}

// PolicyRule is one line of an effective policy.
type PolicyRule struct {
	Action    string     `json:"action"` // "allow", "block" or "mute"
	Host      string     `json:"host"`
	Port      int        `json:"port"`   // 0: every port
	Origin    string     `json:"origin"` // where it comes from, in a word
	Preset    string     `json:"preset,omitempty"`
	Expires   *time.Time `json:"expires,omitempty"`
	Overruled string     `json:"overruled,omitempty"` // why it is not in force; empty when it is
	Hits      int        `json:"hits"`
}

// Proof is the report of one run of the escape test.
type Proof struct {
	Bottle   string        `json:"bottle"`
	Time     time.Time     `json:"time"`
	Took     time.Duration `json:"took_ns"`
	Why      string        `json:"why"`     // what asked for it: "launch", "asked", "adoption", "wake", "shut", "sidecar", "upgrade"
	Release  string        `json:"release"` // smolvm's version at that moment
	Holds    bool          `json:"holds"`
	Lines    []Attempt     `json:"lines"`              // in groups
	Evidence string        `json:"evidence,omitempty"` // folder that was kept because it does not hold
}

// Attempt is one line of a proof: what was tried, what was expected, what happened.
type Attempt struct {
	Group  string `json:"group"`  // heading: "ways out that must not exist"
	Name   string `json:"name"`   // stable word: "host-loopback-v4"
	Tried  string `json:"tried"`  // "connect to 127.0.0.1:49152 on the host"
	Expect string `json:"expect"` // "refused", "works", "403", "absent", "equal"
	Found  string `json:"found"`  // guest, cleaned: "network is unreachable"
	By     string `json:"by"`     // what stopped it, or whose word it is: "no network device", "the kernel of this computer"
	Holds  bool   `json:"holds"`
}
