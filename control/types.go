package control

import (
	"context"
	"io"

	"bottlebar.app/internal/frame"
	"bottlebar.app/snapshot"
)

// Core is the owner of the bottles, as the server sees it. app implements it.
// Every error may carry a cure (see internal/fault); the server sends what,
// why and cure on as they are.
type Core interface {
	ProxyCore

	// Snapshot is everything that is shown, now.
	Snapshot() snapshot.Snapshot
	// Watch sends a snapshot now and after each change, the latest only, and
	// closes the channel when ctx ends or the owner stops.
	Watch(ctx context.Context) <-chan snapshot.Snapshot

	// Launch builds a bottle and returns it ready, or undoes everything.
	// Ending ctx cancels the launch.
	Launch(ctx context.Context, req LaunchRequest, progress func(snapshot.Bottle)) (snapshot.Bottle, error)
	// Stop ends a bottle in whatever state and removes all of it.
	Stop(ctx context.Context, name string) error
	// Resume starts a bottle that stopped by itself.
	Resume(ctx context.Context, name string, progress func(snapshot.Bottle)) (snapshot.Bottle, error)
	// Prove runs the escape test again.
	Prove(ctx context.Context, name string) (snapshot.Proof, error)

	// Exec runs a command in a bottle. conn carries frames: towards the command
	// Stdin, CloseStdin, Resize, Signal; from it Stdout, Stderr and one Exit or
	// Error at the end. Exec returns when the command ended and its last frame is
	// written; an error before the first frame is returned, not written.
	Exec(ctx context.Context, name string, req ExecRequest, conn io.ReadWriter) error
	// Attach connects to a session of the bottle's keeper; conn as for Exec. The
	// session goes on when conn ends.
	Attach(ctx context.Context, name string, req AttachRequest, conn io.ReadWriter) error
	// Copy copies files and folders into or out of a bottle.
	Copy(ctx context.Context, name string, req CopyRequest, progress func(snapshot.Transfer)) (CopyReply, error)
	// Forward connects to a TCP port of the bottle's own loopback, and carries
	// bytes between it and conn until either ends.
	Forward(ctx context.Context, name string, req ForwardRequest, conn io.ReadWriter) error
	// Logs opens one of a bottle's logs: "console", "startup", "sidecar" or "helper".
	Logs(ctx context.Context, name, which string) (io.ReadCloser, error)
	// Environment lists the variables that let smolvm itself look at a bottle.
	Environment(ctx context.Context, name string) ([]string, error)

	// Activity is what a bottle wanted to reach lately, oldest first.
	Activity(ctx context.Context, name string) ([]snapshot.Decision, error)
	// ReadActivity calls each for what is on record of a bottle, also of one that
	// is gone, oldest first; with Follow until ctx ends or the bottle does.
	ReadActivity(ctx context.Context, name string, q ActivityQuery, each func([]snapshot.Decision) error) error
	// AnswerAsk answers one row of what a bottle asks for.
	AnswerAsk(ctx context.Context, name string, a AskAnswer) error
	// SetHold lets a bottle's first connections to unlisted places wait for an
	// answer, or no longer.
	SetHold(ctx context.Context, name string, on bool) error
	// Policy is the effective policy of a bottle, or the default for an empty name.
	Policy(ctx context.Context, name string) (PolicyView, error)
	// ChangePolicy edits the file of the change's scope and returns once every
	// running bottle that it concerns has the outcome: the policy of the bottle
	// that it names, or the default.
	ChangePolicy(ctx context.Context, change PolicyChange) (PolicyView, error)
	// CheckPolicy lists what is wrong with the policy file at path (absolute).
	CheckPolicy(ctx context.Context, path string) ([]PolicyProblem, error)

	// AddArtifact copies the file at path (absolute) into the library.
	AddArtifact(ctx context.Context, req AddRequest, progress func(Progress)) (snapshot.Artifact, error)
	// PackArtifact packs an image, of a registry or of the local engine, and adds
	// it. What was packed of the same image before is returned at once.
	PackArtifact(ctx context.Context, req PackRequest, progress func(Progress)) (snapshot.Artifact, error)
	// MakeArtifact builds a recipe on the local engine, packs it and adds it.
	MakeArtifact(ctx context.Context, req MakeRequest, progress func(Progress)) (snapshot.Artifact, error)
	// Recipes are what artifacts can be made of.
	Recipes(ctx context.Context) ([]snapshot.Recipe, error)
	// Images are those of the local engine that have a name.
	Images(ctx context.Context) ([]snapshot.Image, error)
	// RemoveArtifact, RenameArtifact and VerifyArtifact take a name or an ID prefix.
	RemoveArtifact(ctx context.Context, name string) error
	RenameArtifact(ctx context.Context, name, to string) (snapshot.Artifact, error)
	VerifyArtifact(ctx context.Context, name string, progress func(Progress)) (snapshot.Artifact, error)
	// SetArtifact replaces the settings of an artifact.
	SetArtifact(ctx context.Context, name string, settings snapshot.ArtifactSettings) (snapshot.Artifact, error)
	// PinArtifact keeps an artifact from pruning, or no longer.
	PinArtifact(ctx context.Context, name string, pinned bool) (snapshot.Artifact, error)
	// Prune removes prepared homes that no launch would use and, where the request
	// says so, artifacts that nobody used.
	Prune(ctx context.Context, req PruneRequest) (PruneReply, error)

	// SetCredential stores what the sidecar adds to API requests. Kind is
	// "api-key", "token" or "" to tell by the secret's prefix.
	SetCredential(ctx context.Context, kind, secret string) (CredentialStatus, error)
	ClearCredential(ctx context.Context) error
	CredentialStatus(ctx context.Context) (CredentialStatus, error)
	// TestCredential asks the API, through a sidecar, whether it takes the credential.
	TestCredential(ctx context.Context) (CredentialTrial, error)
	// Adjust changes what a bottle may do at the API, and lets one out again.
	Adjust(ctx context.Context, name string, req AdjustRequest) (snapshot.Bottle, error)
	// ResetDay starts the day's count of tokens afresh.
	ResetDay(ctx context.Context) error

	// Doctor runs each check of Setup anew.
	Doctor(ctx context.Context) ([]snapshot.Check, error)
	// HandOver ends this owner and leaves its bottles running; a screen that
	// starts asks a screenless one for it. It returns once the bottles' sessions
	// are closed and the lock is about to be free.
	HandOver(ctx context.Context) error
	// Show brings the owner's screen to the front; an owner without one returns an error.
	Show(ctx context.Context) error
	// Identity says who answers.
	Identity() Identity
}

// LaunchRequest says what to launch.
type LaunchRequest struct {
	Artifact string   `json:"artifact"`          // name or ID prefix
	Name     string   `json:"name,omitempty"`    // the bottle's; empty: the artifact's, "-2" on a clash
	Folder   string   `json:"folder,omitempty"`  // a folder of this computer, absolute, copied in; the session starts in its copy
	Command  []string `json:"command,omitempty"` // instead of the artifact's
	Mode     string   `json:"mode,omitempty"`    // Claude's permission mode
	Policy   string   `json:"policy,omitempty"`  // the bottle's own: an absolute path of a policy file, or names of presets with commas
	Hold     *bool    `json:"hold,omitempty"`    // first connections to unlisted places wait for an answer; absent: as the settings say
	// CapTokens is what the bottle may take at the API: 0 as the settings say, -1 without a cap.
	CapTokens int64 `json:"cap_tokens,omitempty"`
	// Web lets Claude's servers contact the internet on the bottle's behalf.
	Web bool `json:"web,omitempty"`
}

// ExecRequest says what to run in a bottle.
type ExecRequest struct {
	Argv     []string   `json:"argv"`
	Workdir  string     `json:"workdir,omitempty"` // absolute; empty: the session's folder
	Env      []string   `json:"env,omitempty"`     // K=V
	Root     bool       `json:"root,omitempty"`    // as root instead of the session's user
	Terminal bool       `json:"terminal,omitempty"`
	Size     frame.Size `json:"size"`
	// TimeoutMS ends the command after that long; 0: no limit.
	TimeoutMS int64 `json:"timeout_ms,omitempty"`
	// ViaSmolvm goes by smolvm instead of the helper; a person chooses it when the helper is lost.
	ViaSmolvm bool `json:"via_smolvm,omitempty"`
}

// AttachRequest names a session of the keeper.
type AttachRequest struct {
	Session string     `json:"session,omitempty"` // empty: the bottle's main session; "shell" opens or finds a shell, "new-shell" opens another
	Size    frame.Size `json:"size"`
	Again   bool       `json:"again,omitempty"` // start the session's command again if it ended
}

// CopyRequest is a copy between this computer and a bottle.
type CopyRequest struct {
	In    bool     `json:"in"`
	Host  []string `json:"host"`  // absolute paths: the sources in, or one target out
	Guest string   `json:"guest"` // the target in, or the source out; relative to the session's folder
	// Unique never overwrites: a taken name becomes "name-2". Drops use it.
	Unique bool `json:"unique,omitempty"`
	// IntoFolder says that the target is meant as a folder (a trailing slash).
	IntoFolder bool `json:"into_folder,omitempty"`
}

// CopyReply says what arrived where.
type CopyReply struct {
	Paths   []string           `json:"paths"`             // final paths, in the order of the sources
	Skipped []snapshot.Problem `json:"skipped,omitempty"` // what was left out, and why
	Bytes   int64              `json:"bytes"`
	Files   int                `json:"files"`
}

// AddRequest adds a file to the library.
type AddRequest struct {
	Path string `json:"path"` // absolute
	Name string `json:"name,omitempty"`
}

// PackRequest packs an image.
type PackRequest struct {
	Image  string `json:"image"`
	Engine bool   `json:"engine,omitempty"` // of the local engine; else of a registry
	Again  bool   `json:"again,omitempty"`  // though the library has it
	Name   string `json:"name,omitempty"`
	CPUs   int    `json:"cpus,omitempty"`
	MemMiB int    `json:"mem_mib,omitempty"`
}

// ForwardRequest names a port of a bottle.
type ForwardRequest struct {
	Port uint16 `json:"port"`
}

// PruneRequest says what to prune besides unused prepared homes.
type PruneRequest struct {
	// UnusedMS removes artifacts that are not pinned and were neither added nor
	// launched for that long; 0 removes none.
	UnusedMS int64 `json:"unused_ms,omitempty"`
	Dry      bool  `json:"dry,omitempty"` // say what would go, remove nothing
}

// PruneReply says what went, or with Dry what would go.
type PruneReply struct {
	Bytes     int64    `json:"bytes"`
	Artifacts []string `json:"artifacts,omitempty"` // names
	Records   []string `json:"records,omitempty"`   // names of bottles that are gone, whose Activity was kept
}

// Progress is how far a long operation came.
type Progress struct {
	Stage string `json:"stage"`          // "building", "packing", "copying", "verifying"
	Line  string `json:"line,omitempty"` // of a program's own progress, cleaned
	Done  int64  `json:"done"`
	Total int64  `json:"total"`
}

// CredentialStatus is what may be shown of the credential.
type CredentialStatus struct {
	Set      bool   `json:"set"`
	Kind     string `json:"kind,omitempty"`      // "api-key" or "token"
	LastFour string `json:"last_four,omitempty"` // the only part ever shown
	Origin   string `json:"origin,omitempty"`    // "keychain", "environment"
	Warning  string `json:"warning,omitempty"`   // what it costs that another kind would not
}

// Identity says which process owns the bottles.
type Identity struct {
	PID     int    `json:"pid"`
	Version string `json:"version"`
	Screen  bool   `json:"screen"`
}
