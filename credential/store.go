package credential

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
)

// The names under which the secret lies in a keychain.
const (
	service = "app.bottlebar"
	account = "anthropic"
)

// UnreachableError means that the system's keychain cannot be used.
type UnreachableError struct {
	Where string // "the Secret Service"
	Fix   string
	Err   error
}

func (e *UnreachableError) Error() string {
	return e.Where + " cannot be reached: " + e.Fix
}

func (e *UnreachableError) Unwrap() error { return e.Err }

// Cure says what to start, or what to do without it.
func (e *UnreachableError) Cure() string { return e.Fix }

// stored is the form in a keychain.
type stored struct {
	Kind   Kind   `json:"kind"`
	Secret string `json:"secret"`
}

func encode(c Credential) (string, error) {
	b, err := json.Marshal(stored{c.Kind, c.Secret.s})
	return string(b), err
}

// errForeign is what a keychain item gives that is not ours.
var errForeign = errors.New("the keychain's item was not written by Bottlebar: set the credential again")

func decode(text string) (Credential, error) {
	var s stored
	if json.Unmarshal([]byte(text), &s) != nil {
		return Credential{}, errForeign
	}
	c, err := Parse(s.Secret, s.Kind)
	if err != nil {
		return Credential{}, errForeign
	}
	return c, nil
}

// keychain is a Store over the three calls that every system's keychain has.
// They may show a question to the person and take as long as it does.
type keychain struct {
	where string
	get   func() (string, error) // ErrNotSet when there is none
	set   func(string) error
	clear func() error
}

// wait runs f, which cannot be interrupted, and stops waiting when ctx ends.
func wait[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type result struct {
		v   T
		err error
	}
	done := make(chan result, 1)
	go func() {
		v, err := f()
		done <- result{v, err}
	}()
	select {
	case r := <-done:
		return r.v, r.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

func (k *keychain) Get(ctx context.Context) (Credential, error) {
	text, err := wait(ctx, k.get)
	if err != nil {
		return Credential{}, err
	}
	return decode(text)
}

func (k *keychain) Set(ctx context.Context, c Credential) error {
	text, err := encode(c)
	if err != nil {
		return err
	}
	_, err = wait(ctx, func() (struct{}, error) { return struct{}{}, k.set(text) })
	return err
}

func (k *keychain) Clear(ctx context.Context) error {
	_, err := wait(ctx, func() (struct{}, error) { return struct{}{}, k.clear() })
	if errors.Is(err, ErrNotSet) {
		return nil
	}
	return err
}

func (k *keychain) Status(ctx context.Context) (Status, error) {
	c, err := k.Get(ctx)
	if errors.Is(err, ErrNotSet) {
		return Status{Where: k.where}, nil
	}
	if err != nil {
		return Status{Where: k.where}, err
	}
	return statusOf(c, k.where), nil
}

func statusOf(c Credential, where string) Status {
	return Status{Set: true, Kind: c.Kind, Last4: c.Secret.Last4(), Where: where}
}

// Memory is a Store that ends with the process.
type Memory struct {
	mu    sync.Mutex
	c     *Credential
	where string
}

// NewMemory returns an empty one.
func NewMemory() *Memory { return &Memory{where: "this process's memory"} }

// Get returns what was set.
func (m *Memory) Get(context.Context) (Credential, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.c == nil {
		return Credential{}, ErrNotSet
	}
	return *m.c, nil
}

// Set replaces it.
func (m *Memory) Set(_ context.Context, c Credential) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.c = &c
	return nil
}

// Clear removes it.
func (m *Memory) Clear(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.c = nil
	return nil
}

// Status says what is set.
func (m *Memory) Status(context.Context) (Status, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.c == nil {
		return Status{Where: m.where}, nil
	}
	return statusOf(*m.c, m.where), nil
}

// The variables that a server's credential may come in, by preference.
const (
	EnvToken  = "CLAUDE_CODE_OAUTH_TOKEN"
	EnvAPIKey = "ANTHROPIC_API_KEY"
)

// FromEnv takes a credential out of the environment into a store in memory.
// Both variables are removed in any case, so that no child process inherits
// them. ok is false when neither is set.
func FromEnv(getenv func(string) string, unsetenv func(string) error) (store *Memory, ok bool, err error) {
	m := NewMemory()
	m.where = "this process's environment"
	var errs []error
	for _, v := range []struct {
		name string
		kind Kind
	}{{EnvToken, Token}, {EnvAPIKey, APIKey}} {
		raw := getenv(v.name)
		if raw == "" {
			continue
		}
		if err := unsetenv(v.name); err != nil {
			errs = append(errs, err)
		}
		scrub(v.name)
		if ok {
			continue
		}
		c, err := Parse(raw, v.kind)
		if err != nil {
			errs = append(errs, errors.New(v.name+": "+err.Error()))
			continue
		}
		m.c, ok = &c, true
	}
	if !ok {
		m = nil
	}
	return m, ok, errors.Join(errs...)
}
