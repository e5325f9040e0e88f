package sidecar

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/docker/docker/client"
)

// ErrNoEngine is what a *NoEngineError is.
var ErrNoEngine = errors.New("no Docker engine is installed")

// NoEngineError means that no engine is installed or configured.
type NoEngineError struct{ goos string }

func (e *NoEngineError) Error() string { return ErrNoEngine.Error() + ": " + e.Cure() }

// Is makes it ErrNoEngine.
func (e *NoEngineError) Is(target error) bool { return target == ErrNoEngine }

// Cure says what to install.
func (e *NoEngineError) Cure() string {
	if e.goos == "darwin" {
		return "install Docker Desktop, OrbStack or Colima"
	}
	return "install one with `sudo apt-get install docker.io`"
}

// EngineProblem is what is wrong with an engine that is installed or named.
type EngineProblem string

// The problems.
const (
	Asleep    EngineProblem = "asleep"     // nobody answers
	Forbidden EngineProblem = "forbidden"  // its socket may not be opened
	Remote    EngineProblem = "remote"     // it is on another computer, or speaks over a network
	Unsafe    EngineProblem = "unsafe"     // others could have put the socket there
	NotDocker EngineProblem = "not-docker" // what answers is no Docker engine
)

// EngineError is why an engine cannot be used.
type EngineError struct {
	Kind   EngineProblem
	Name   string // of the engine: "Docker Desktop"
	Host   string
	Source string // what named it
	Err    error  // may be nil
}

func (e *EngineError) Error() string {
	what := map[EngineProblem]string{
		Asleep:    e.Name + " is not running",
		Forbidden: "this user may not use " + e.Name,
		Remote:    "the Docker engine at " + clean(e.Host) + " is not on this computer",
		Unsafe:    "the Docker socket at " + clean(e.Host) + " cannot be trusted",
		NotDocker: "what answers at " + clean(e.Host) + " is not a Docker engine",
	}[e.Kind]
	var why string
	var u *unsafeError
	if errors.As(e.Err, &u) {
		why = ": " + u.Error()
	}
	return what + why + ": " + e.Cure()
}

func (e *EngineError) Unwrap() error { return e.Err }

// Cure says what to do.
func (e *EngineError) Cure() string {
	switch e.Kind {
	case Asleep:
		switch e.Name {
		case "Colima":
			return "start it with `colima start`"
		case "Podman":
			return "start it with `podman machine start`"
		case "Lima":
			return "start it with `limactl start docker`"
		case "Docker":
			return "start it with `sudo service docker start`"
		}
		return "start " + e.Name
	case Forbidden:
		return "add yourself to its group with `sudo usermod -aG docker $USER` and log in again"
	case Remote:
		return "name one on a Unix socket of this computer, or unset what names this one (" + e.Name + ")"
	case Unsafe:
		return "the socket and the folders above it must belong to you or to root, and others must not write there"
	}
	return "name the socket of a Docker engine in the settings"
}

// ContextError means that a Docker context was named that is not there or
// cannot be read.
type ContextError struct {
	Name string
	Err  error
}

func (e *ContextError) Error() string {
	return fmt.Sprintf("there is no Docker context %q: %s", e.Name, e.Cure())
}

func (e *ContextError) Unwrap() error { return e.Err }

// Cure says how to choose another.
func (e *ContextError) Cure() string { return "choose one with `docker context use NAME`" }

// problemOf sorts what the system said about a socket.
func problemOf(err error) EngineProblem {
	var u *unsafeError
	switch {
	case errors.As(err, &u):
		return Unsafe
	case errors.Is(err, fs.ErrPermission):
		return Forbidden
	case errors.Is(err, syscall.ENOTSOCK), errors.Is(err, syscall.EPROTOTYPE):
		return NotDocker
	}
	return Asleep
}

// engineError makes an EngineError of a failed call when it was the engine
// that failed to answer, and leaves everything else as it is.
func engineError(e *Engine, err error) error {
	kind := EngineProblem("")
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, fs.ErrPermission), strings.Contains(err.Error(), "permission denied while trying to connect"):
		kind = Forbidden
	case client.IsErrConnectionFailed(err), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOENT):
		kind = Asleep
	default:
		return err
	}
	return &EngineError{Kind: kind, Name: e.Name, Host: e.Host, Source: e.Source, Err: err}
}

// Explain makes an *EngineError of what a call to the engine returned when it
// was the engine that failed to answer, and leaves everything else as it is.
func (e *Engine) Explain(err error) error { return engineError(e, err) }
