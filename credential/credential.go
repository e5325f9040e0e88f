package credential

import (
	"context"
	"errors"
	"log/slog"
	"strings"
)

// Kind is what a secret is.
type Kind string

// The kinds of secrets.
const (
	APIKey Kind = "api-key" // "sk-ant-api…", from the console
	Token  Kind = "token"   // "sk-ant-oat01-…", a subscription's, from `claude setup-token`
)

// ErrNotSet means that no credential is stored.
var ErrNotSet = errors.New("no credential is set")

// Secret is a secret that prints as redacted in every common way. Reveal gives
// the bytes to the one place that sends them on.
type Secret struct{ s string }

// NewSecret wraps s.
func NewSecret(s string) Secret { return Secret{s} }

const redacted = "[redacted]"

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return s.s }

// Last4 is the end of the secret, to tell one from another; empty for a short one.
func (s Secret) Last4() string {
	if len(s.s) < 16 {
		return ""
	}
	return s.s[len(s.s)-4:]
}

// String hides the secret.
func (Secret) String() string { return redacted }

// GoString hides the secret from %#v.
func (Secret) GoString() string { return redacted }

// MarshalJSON hides the secret.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText hides the secret.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue hides the secret from structured logs.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// Credential is a secret with its kind.
type Credential struct {
	Kind   Kind
	Secret Secret
}

// Status is what may be shown of a stored credential.
type Status struct {
	Set   bool
	Kind  Kind
	Last4 string // the last four characters
	Where string // "the login keychain", "the Secret Service", "this process's environment"
}

// Store keeps one credential.
type Store interface {
	// Get returns it, or ErrNotSet.
	Get(ctx context.Context) (Credential, error)
	// Set replaces it.
	Set(ctx context.Context, c Credential) error
	// Clear removes it; clearing an empty store is no error.
	Clear(ctx context.Context) error
	// Status says what is stored without handing it out.
	Status(ctx context.Context) (Status, error)
}

// The longest secret that is taken.
const maxSecret = 4096

var (
	// ErrKindUnknown means that a secret has no known prefix: the person says
	// whether it is an API key or a token.
	ErrKindUnknown = errors.New("this is neither an API key (sk-ant-api…) nor a token (sk-ant-oat…) that is known: say which it is")
	// ErrMalformed means that what was given cannot be a secret at all.
	ErrMalformed = errors.New("this is not a credential: it must be one line of printable characters")
)

// Parse makes a credential of what a person pasted. Space around it is
// dropped. kind is for secrets without a known prefix; where there is one and
// it says something else, the prefix is right.
func Parse(raw string, kind Kind) (Credential, error) {
	raw = strings.TrimSpace(raw)
	if len(raw) < 8 || len(raw) > maxSecret {
		return Credential{}, ErrMalformed
	}
	for _, r := range raw {
		if r <= 0x20 || r > 0x7e {
			return Credential{}, ErrMalformed
		}
	}
	if known, ok := KindOf(raw); ok {
		kind = known
	}
	if kind != APIKey && kind != Token {
		return Credential{}, ErrKindUnknown
	}
	return Credential{Kind: kind, Secret: NewSecret(raw)}, nil
}

// KindOf recognises a secret by its prefix; ok is false when the person must be asked.
func KindOf(secret string) (kind Kind, ok bool) {
	switch {
	case strings.HasPrefix(secret, "sk-ant-api"):
		return APIKey, true
	case strings.HasPrefix(secret, "sk-ant-oat"):
		return Token, true
	}
	return "", false
}
