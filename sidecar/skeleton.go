package sidecar

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
)

var errNotBuilt = errors.New("not built yet")

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

// ProcessOptions are what the process driver needs.
type ProcessOptions struct {
	Path     string   // program that calls inside.Main; empty: the embedded binary (Linux)
	Args     []string // its arguments in front of ours
	Binaries fs.FS
	Log      *slog.Logger
}

func NewProcess(o ProcessOptions) (Driver, error) { return nil, errNotBuilt }

func engineError(e *Engine, err error) error { return err }
