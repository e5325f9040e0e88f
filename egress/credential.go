package egress

import "log/slog"

// CredentialKind is how a credential is presented to the API.
type CredentialKind string

// The kinds of credentials.
const (
	APIKey CredentialKind = "api-key" // sent as x-api-key
	Token  CredentialKind = "token"   // a subscription's token, sent as a bearer
)

// Credential is what the API route adds to requests, and the placeholder that
// a bottle must present to have it added. It shows itself redacted wherever it
// is printed; only the control channel reads the secret.
type Credential struct {
	Kind        CredentialKind
	Secret      string
	Placeholder string
}

const redacted = "[redacted]"

// String hides the secret.
func (Credential) String() string { return redacted }

// GoString hides the secret from %#v.
func (Credential) GoString() string { return redacted }

// MarshalJSON hides the secret: a credential is never written to a file.
func (Credential) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// LogValue hides the secret from structured logs.
func (Credential) LogValue() slog.Value { return slog.StringValue(redacted) }
