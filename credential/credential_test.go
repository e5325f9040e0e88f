package credential

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
)

const (
	apiKey = "sk-ant-api03-abcdefghijklmnopqrstuvwxyz-0123"
	token  = "sk-ant-oat01-abcdefghijklmnopqrstuvwxyz-4567"
)

func TestSecretShowsItselfNowhere(t *testing.T) {
	s := NewSecret(apiKey)
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", s, "credential", Credential{APIKey, s}, "pointer", &s)
	asJSON, err := json.Marshal(map[string]any{"s": s, "c": Credential{APIKey, s}})
	if err != nil {
		t.Fatal(err)
	}
	for how, text := range map[string]string{
		"%v": fmt.Sprintf("%v", s), "%+v": fmt.Sprintf("%+v", Credential{APIKey, s}), "%#v": fmt.Sprintf("%#v", Credential{APIKey, s}),
		"%s": fmt.Sprintf("<%s>", s), "%q": fmt.Sprintf("%q", s), "%x": fmt.Sprintf("%x", s), "json": string(asJSON), "slog": log.String(),
		"error": fmt.Errorf("bad: %v", s).Error(),
	} {
		if strings.Contains(text, "abcdefghij") || strings.Contains(text, fmt.Sprintf("%x", "abcdefghij")) {
			t.Errorf("%s shows it: %s", how, text)
		}
	}
	if s.Reveal() != apiKey || s.Last4() != "0123" || NewSecret("short").Last4() != "" {
		t.Errorf("Reveal = %q, Last4 = %q", s.Reveal(), s.Last4())
	}
}

func TestParseRecognisesKindsAndRefusesWhatIsNoSecret(t *testing.T) {
	for _, c := range []struct {
		raw  string
		kind Kind
		want Kind
		err  error
	}{
		{apiKey, "", APIKey, nil},
		{"  " + token + "\n", "", Token, nil},
		{token, APIKey, Token, nil}, // the prefix is right
		{"some-other-form-of-key", "", "", ErrKindUnknown},
		{"some-other-form-of-key", Token, Token, nil},
		{"", APIKey, "", ErrMalformed},
		{"two words of text", APIKey, "", ErrMalformed},
		{apiKey + "\n" + token, "", "", ErrMalformed},
		{"sk-ant-api03-\x00bcdefgh", "", "", ErrMalformed},
		{"sk-ant-api03-ümlaut", "", "", ErrMalformed},
		{strings.Repeat("x", maxSecret+1), APIKey, "", ErrMalformed},
	} {
		got, err := Parse(c.raw, c.kind)
		if !errors.Is(err, c.err) || got.Kind != c.want {
			t.Errorf("Parse(%.20q, %q) = %v, %v; want %v, %v", c.raw, c.kind, got.Kind, err, c.want, c.err)
		}
	}
}

func TestFromEnvTakesTheTokenFirstAndRemovesBoth(t *testing.T) {
	env := map[string]string{EnvToken: token, EnvAPIKey: apiKey}
	get := func(k string) string { return env[k] }
	unset := func(k string) error { delete(env, k); return nil }
	m, ok, err := FromEnv(get, unset)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	c, err := m.Get(t.Context())
	if err != nil || c.Kind != Token || c.Secret.Reveal() != token {
		t.Errorf("got %v %v", c.Kind, err)
	}
	if len(env) != 0 {
		t.Errorf("left in the environment: %d variables", len(env))
	}
	if _, ok, err := FromEnv(get, unset); ok || err != nil {
		t.Errorf("an empty environment gave %v, %v", ok, err)
	}
	env[EnvAPIKey] = "not a key"
	if _, ok, err := FromEnv(get, unset); ok || err == nil || strings.Contains(err.Error(), "not a key") || len(env) != 0 {
		t.Errorf("a malformed one gave %v, %v; left %d", ok, err, len(env))
	}
}

// TestMain runs this program as a child that takes its credential and then
// shows what other programs can see of it.
func TestMain(m *testing.M) {
	if os.Getenv("CREDENTIAL_TEST_CHILD") != "" {
		_, ok, err := FromEnv(os.Getenv, os.Unsetenv)
		b, _ := os.ReadFile("/proc/self/environ")
		fmt.Printf("%v %v %s", ok, err, bytes.ReplaceAll(b, []byte{0}, []byte("\n")))
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestFromEnvLeavesNothingForOtherProgramsToRead(t *testing.T) {
	if _, err := os.Stat("/proc/self/environ"); err != nil {
		return // only Linux shows it as a file
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = []string{"FIRST=1", EnvAPIKey + "=" + apiKey, "CREDENTIAL_TEST_CHILD=1", "LAST=2"}
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	text := string(out)
	if !strings.HasPrefix(text, "true <nil>") || !strings.Contains(text, "FIRST=1") || !strings.Contains(text, "LAST=2") {
		t.Fatalf("the child said %q", text)
	}
	if strings.Contains(text, "abcdefghij") {
		t.Errorf("the key is still there: %q", text)
	}
}

func TestAskingAKeychainThatWaitsForAPersonEndsWithTheContext(t *testing.T) {
	block := make(chan struct{})
	defer close(block)
	k := &keychain{get: func() (string, error) { <-block; return "", nil }}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := k.Get(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v", err)
	}
}
