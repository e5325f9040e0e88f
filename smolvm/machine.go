package smolvm

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// State is what smolvm says about a machine.
type State string

// The states. StateUnreachable means that the process lives and did not answer
// once: it may be merely busy, and the word is stored; see [Client.Alive].
const (
	StateCreated     State = "created"
	StateRunning     State = "running"
	StateStopped     State = "stopped"
	StateUnreachable State = "unreachable"
	StateFailed      State = "failed"
	StateFrozen      State = "frozen"
	StateUnknown     State = "unknown" // a word this package does not know
)

// Machine is one record of `machine ls --json`.
type Machine struct {
	Name       string
	State      State
	CPUs       int
	MemMiB     int
	PID        int // of the VM process, 0 when there is none; may be stale unless running
	Mounts     int // how many, smolvm does not say which
	Ports      int // how many
	CreatedAt  time.Time
	StorageGiB int // 0: smolvm's default, 20
	OverlayGiB int // 0: smolvm's default, 10
	Image      string
	Entrypoint []string
	Cmd        []string
	Ephemeral  bool
	Network    bool // also true when the record does not say: nobody shall rely on silence
	Labels     map[string]string
	// RestartPolicy is "never" for a machine that only its owner starts; "" when
	// the record does not say.
	RestartPolicy string
}

// wireMachine is the JSON of releases 0.8.0 to 1.9.3; fields that are not
// used here are left out, any of them may be null or missing.
type wireMachine struct {
	Name       string            `json:"name"`
	State      string            `json:"state"`
	CPUs       *int              `json:"cpus"`
	MemoryMiB  *int              `json:"memory_mib"`
	PID        *int              `json:"pid"`
	Mounts     *int              `json:"mounts"`
	Ports      *int              `json:"ports"`
	CreatedAt  *int64            `json:"created_at"` // seconds since 1970
	StorageGB  *int              `json:"storage_gb"`
	OverlayGB  *int              `json:"overlay_gb"`
	Image      *string           `json:"image"`
	Entrypoint []string          `json:"entrypoint"`
	Cmd        []string          `json:"cmd"`
	Ephemeral  *bool             `json:"ephemeral"`
	Network    *bool             `json:"network"`
	Labels     map[string]string `json:"labels"`
	Restart    *string           `json:"restart_policy"`
}

func parseList(data []byte) ([]Machine, error) {
	var wire []wireMachine
	if err := json.Unmarshal(data, &wire); err != nil {
		return nil, fmt.Errorf("list of machines: %w", err)
	}
	if wire == nil {
		return nil, errors.New("list of machines: not an array")
	}
	out := make([]Machine, 0, len(wire))
	for _, w := range wire {
		m, err := w.machine()
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

func parseStatus(data []byte) (Machine, error) {
	var w wireMachine
	if err := json.Unmarshal(data, &w); err != nil {
		return Machine{}, fmt.Errorf("machine status: %w", err)
	}
	return w.machine()
}

func (w wireMachine) machine() (Machine, error) {
	if w.Name == "" {
		return Machine{}, errors.New("machine record without a name")
	}
	m := Machine{
		Name: w.Name, State: state(w.State), CPUs: val(w.CPUs), MemMiB: val(w.MemoryMiB), PID: val(w.PID),
		Mounts: val(w.Mounts), Ports: val(w.Ports), StorageGiB: val(w.StorageGB), OverlayGiB: val(w.OverlayGB),
		Image: val(w.Image), Entrypoint: w.Entrypoint, Cmd: w.Cmd, Ephemeral: val(w.Ephemeral),
		Network: w.Network == nil || *w.Network, Labels: w.Labels, RestartPolicy: val(w.Restart),
	}
	if w.CreatedAt != nil {
		m.CreatedAt = time.Unix(*w.CreatedAt, 0).UTC()
	}
	return m, nil
}

func state(s string) State {
	switch st := State(s); st {
	case StateCreated, StateRunning, StateStopped, StateUnreachable, StateFailed, StateFrozen:
		return st
	}
	return StateUnknown
}

func val[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// CheckName tells whether a machine may have this name, by the rules of every
// release; the error is ErrBadName.
func CheckName(name string) error {
	why := ""
	switch {
	case name == "":
		why = "is empty"
	case len(name) > 128:
		why = "is longer than 128 characters"
	case !alnum(name[0]):
		why = "must begin with a letter or digit"
	case name[len(name)-1] == '-':
		why = "ends with a hyphen"
	default:
		why = badName(name)
	}
	if why == "" {
		return nil
	}
	return &NameError{Name: name, Why: why}
}

func badName(name string) string {
	for i := range len(name) {
		c := name[i]
		if !alnum(c) && c != '_' && c != '-' {
			return "has a character that is not a letter, digit, hyphen or underscore"
		}
		if c == '-' && name[i-1] == '-' {
			return "has two hyphens in a row"
		}
	}
	return ""
}

func alnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

// NameError is a machine name that smolvm would not take; it is ErrBadName.
type NameError struct {
	Name string
	Why  string // "ends with a hyphen"
}

func (e *NameError) Error() string {
	return fmt.Sprintf("machine name %q %s", clip(clean(e.Name), 40), e.Why)
}

// Cure states the rule.
func (e *NameError) Cure() string { return nameCure }

// Is makes it an [ErrBadName].
func (e *NameError) Is(target error) bool { return target == ErrBadName }
