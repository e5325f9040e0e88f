package sidecar

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"bottlebar.app/egress"
)

var errNotBuilt = errors.New("not built yet")

// Sidecar is one running sidecar.
type Sidecar struct{}

func (s *Sidecar) ID() string     { return "" }
func (s *Sidecar) Handle() Handle { return Handle{} }

// Nonce is what GET /healthz of this sidecar answers with.
func (s *Sidecar) Nonce() string { return "" }

// Dial returns one connection to the proxy, authenticated both ways.
func (s *Sidecar) Dial(ctx context.Context) (net.Conn, error) { return nil, errNotBuilt }

// Configure sends the policy and the credential (nil: none) and waits until both are in force.
func (s *Sidecar) Configure(ctx context.Context, p egress.Policy, c *egress.Credential) error {
	return errNotBuilt
}

// Open lets the bottle out, as far as the policy goes. Shut takes it back.
func (s *Sidecar) Open(ctx context.Context) error { return errNotBuilt }
func (s *Sidecar) Shut(ctx context.Context) error { return errNotBuilt }

// Decisions must be read until it is closed, which happens when the sidecar ends.
func (s *Sidecar) Decisions() <-chan egress.Decision           { return nil }
func (s *Sidecar) Inspect(ctx context.Context) (Facts, error) { return Facts{}, errNotBuilt }
func (s *Sidecar) Done() <-chan struct{}                       { return nil }

// Err says why Done is closed.
func (s *Sidecar) Err() error { return nil }

// Close removes it: container and network, or process. Idempotent.
func (s *Sidecar) Close(ctx context.Context) error { return errNotBuilt }

// Fleet hands out sidecars and keeps one warm.
type Fleet struct{}

// FleetOptions are what a Fleet needs besides its driver.
type FleetOptions struct {
	Beat <-chan time.Time // when to renew the leases; nil: the fleet's own clock, every 10 s
	Log  *slog.Logger     // nil: none
}

func NewFleet(d Driver, o FleetOptions) *Fleet { return &Fleet{} }

// Warm makes the warm one in the background.
func (f *Fleet) Warm() {}

func (f *Fleet) Claim(ctx context.Context) (*Sidecar, error)           { return nil, errNotBuilt }
func (f *Fleet) Adopt(ctx context.Context, h Handle) (*Sidecar, error) { return nil, errNotBuilt }
func (f *Fleet) Sweep(ctx context.Context, keep []string) ([]string, error) {
	return nil, errNotBuilt
}

// Close removes the warm one and lets go of the driver; claimed sidecars go on.
func (f *Fleet) Close(ctx context.Context) error { return errNotBuilt }

// Traffic counts what a Relay carried.
type Traffic struct {
	Streams, Up, Down atomic.Int64
}

// Relay carries src's streams to s until ctx ends, src ends or s dies.
func Relay(ctx context.Context, src Source, s *Sidecar, t *Traffic) error { return errNotBuilt }

// Engine is a Docker engine that may be used.
type Engine struct {
	Host    string // "unix:///…"
	Source  string // what named it: "setting", "DOCKER_HOST", "context colima", "known socket"
	Name    string // "Docker Desktop", "OrbStack", "Colima", … or "Docker"
	Version string
	API     string
	Arch    string // GOARCH spelling
}

// FindOptions are where FindEngine looks.
type FindOptions struct {
	Host   string              // setting or BOTTLEBAR_DOCKER_HOST; empty: look
	Home   string              // the person's home folder
	UID    int                 // the person's user id
	GOOS   string              // "" means this one
	Getenv func(string) string // nil: os.Getenv
}

// ErrNoEngine: none is installed or configured.
var ErrNoEngine = errors.New("no Docker engine is installed or configured")

func FindEngine(ctx context.Context, o FindOptions) (*Engine, error) { return nil, errNotBuilt }

// Choice is which driver is used, and why.
type Choice struct {
	Kind   string
	Engine *Engine // nil with KindProcess
	Reason string  // one line for people
}

// Choose decides between the drivers: setting is "", KindDocker or KindProcess.
func Choose(ctx context.Context, setting string, o FindOptions) (Choice, error) {
	return Choice{}, errNotBuilt
}

// DockerOptions are what the Docker driver needs.
type DockerOptions struct {
	App      string // value of the label bottlebar.app: names the state folder that owns these sidecars
	Binaries fs.FS  // sidecar-<arch>.gz
	Subnet   string // pool of the per-bottle networks; empty: 10.231.0.0/16
	Log      *slog.Logger
}

func NewDocker(e *Engine, o DockerOptions) (Driver, error) { return nil, errNotBuilt }

// ProcessOptions are what the process driver needs.
type ProcessOptions struct {
	Path     string   // program that calls inside.Main; empty: the embedded binary (Linux)
	Args     []string // its arguments in front of ours
	Binaries fs.FS
	Log      *slog.Logger
}

func NewProcess(o ProcessOptions) (Driver, error) { return nil, errNotBuilt }
