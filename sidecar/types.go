package sidecar

import (
	"context"
	"errors"
	"io"
	"time"
)

// The kinds of drivers.
const (
	KindDocker  = "docker"  // a container on a Docker engine
	KindProcess = "process" // a child process of the app
)

// ErrGone is what calls on a sidecar return once it has ended.
var ErrGone = errors.New("the sidecar has ended")

// ErrNotAdoptable is what Adopt returns for a sidecar that cannot outlive the
// app that made it, or that is no longer there.
var ErrNotAdoptable = errors.New("the sidecar is not there any more")

// Handle names a sidecar across restarts of the app; it is what the journal
// keeps. It holds no secret.
type Handle struct {
	ID      string    `json:"id"`     // 8 base32 characters; Docker objects are called bb-<ID>
	Driver  string    `json:"driver"` // KindDocker or KindProcess
	Created time.Time `json:"created"`
	// Container and Network are the engine's ids; empty with KindProcess.
	Container string `json:"container,omitempty"`
	Network   string `json:"network,omitempty"`
}

// Driver makes sidecars. Those it returns run, hold this app's keys, and serve
// health and echo only.
type Driver interface {
	// Kind is KindDocker or KindProcess.
	Kind() string
	// Start makes one. With warm it is labelled as one that waits.
	Start(ctx context.Context, warm bool) (*Sidecar, error)
	// Adopt takes over one that an earlier run of the app made. It is closed
	// again, without policy and credential. ErrNotAdoptable when it has ended;
	// what was left of it is gone then.
	Adopt(ctx context.Context, h Handle) (*Sidecar, error)
	// Sweep removes what this app (not another) left behind, except the
	// sidecars whose IDs are in keep. It returns the IDs it removed.
	Sweep(ctx context.Context, keep []string) ([]string, error)
	// Close lets go of the engine; sidecars are not touched.
	Close() error
}

// Facts is what the host can see of a sidecar, for the proof: it rests on the
// engine and the kernel, not on what the sidecar says.
type Facts struct {
	Driver  string
	ID      string
	Address string // of the sidecar on its own network; empty with KindProcess
	Gateway string // of that network: the engine's host
	Holds   bool   // every line holds
	Lines   []Fact
}

// Fact is one line of Facts.
type Fact struct {
	Name  string // stable word: "read-only-root"
	Want  string
	Got   string
	Holds bool
}

// Stream is one of a bottle's streams: the bytes of one connection that
// something in the bottle made to the proxy.
type Stream interface {
	io.Reader
	io.Writer
	// CloseWrite ends our direction; reading goes on.
	CloseWrite() error
	// Close ends both.
	Close() error
}

// Source hands out a bottle's streams as they come in. Accept returns an error
// when there will be no more.
type Source interface {
	Accept(ctx context.Context) (Stream, error)
}
