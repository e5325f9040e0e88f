package credential

import (
	"errors"
	"strings"
	"testing"

	"github.com/zalando/go-keyring"
)

func TestSystemStoreKeepsReplacesAndClears(t *testing.T) {
	keyring.MockInit()
	stores := map[string]Store{"keychain": System(), "memory": NewMemory()}
	for name, s := range stores {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			if _, err := s.Get(ctx); !errors.Is(err, ErrNotSet) {
				t.Errorf("empty Get = %v", err)
			}
			if err := s.Clear(ctx); err != nil {
				t.Errorf("clearing nothing = %v", err)
			}
			for _, want := range []Credential{{APIKey, NewSecret(apiKey)}, {Token, NewSecret(token)}} {
				if err := s.Set(ctx, want); err != nil {
					t.Fatal(err)
				}
				if got, err := s.Get(ctx); err != nil || got != want {
					t.Errorf("Get = %v, %v", got.Kind, err)
				}
				st, err := s.Status(ctx)
				if err != nil || !st.Set || st.Kind != want.Kind || st.Last4 != want.Secret.Last4() {
					t.Errorf("Status = %+v, %v", st, err)
				}
			}
			if err := s.Clear(ctx); err != nil {
				t.Fatal(err)
			}
			if st, err := s.Status(ctx); err != nil || st.Set {
				t.Errorf("Status after Clear = %+v, %v", st, err)
			}
		})
	}
}

func TestUnreachableKeychainNamesItsCure(t *testing.T) {
	keyring.MockInitWithError(errors.New("no session bus"))
	_, err := System().Get(t.Context())
	var u *UnreachableError
	if !errors.As(err, &u) || !strings.Contains(u.Cure(), EnvToken) || !strings.Contains(err.Error(), "Secret Service") {
		t.Errorf("err = %v", err)
	}
	keyring.MockInit()
	keyring.Set(service, account, "somebody else's text")
	if _, err := System().Get(t.Context()); !errors.Is(err, errForeign) || strings.Contains(err.Error(), "somebody") {
		t.Errorf("err = %v", err)
	}
}
