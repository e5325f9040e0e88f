package credential

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestLoginsAreTakenFromTheEnvironmentAndShowNoPassword(t *testing.T) {
	env := map[string]string{EnvLogin: "alice:hunter2:x"}
	get := func(k string) string { return env[k] }
	unset := func(k string) error { delete(env, k); return nil }
	l, ok, err := LoginFromEnv(get, unset)
	if !ok || err != nil || len(env) != 0 {
		t.Fatal(ok, err, env)
	}
	got, err := l.Get(t.Context())
	if err != nil || got.User != "alice" || got.Password.Reveal() != "hunter2:x" {
		t.Errorf("%v, %v", got, err)
	}
	if s := fmt.Sprintf("%v %+v %#v", got, got, got); strings.Contains(s, "hunter2") {
		t.Error(s)
	}
	if err := l.Clear(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := l.Get(t.Context()); !errors.Is(err, ErrNotSet) {
		t.Error(err)
	}
	for _, bad := range []string{"alice", ":x", "a\nb:c", strings.Repeat("x", maxSecret) + ":y"} {
		env[EnvLogin] = bad
		if _, ok, err := LoginFromEnv(get, unset); ok || err == nil || len(env) != 0 || strings.Contains(err.Error(), bad) {
			t.Errorf("%.20q: %v, %v", bad, ok, err)
		}
	}
}
