package bottle

import (
	"encoding/json"
	"strings"
	"testing"

	"bottlebar.app/hop"
	"bottlebar.app/snapshot"
)

func TestHooksGoToClaudeAloneAndNeverReplaceItsSettings(t *testing.T) {
	got := withHooks([]string{"/usr/bin/claude", "-c"})
	if len(got) != 4 || got[2] != "--settings" {
		t.Fatalf("got %q", got)
	}
	var s struct {
		Hooks map[string][]struct {
			Hooks []struct{ Type, Command string }
		}
	}
	if err := json.Unmarshal([]byte(got[3]), &s); err != nil {
		t.Fatal(err)
	}
	for _, e := range hookEvents {
		if h := s.Hooks[e]; len(h) != 1 || len(h[0].Hooks) != 1 || h[0].Hooks[0].Command != helperPath+" hook "+e {
			t.Errorf("%s: %+v", e, h)
		}
	}
	for _, command := range [][]string{{"bash"}, {"claude", "--settings", "x.json"}, {"claude", "--settings=x"}} {
		if got := withHooks(command); strings.Join(got, " ") != strings.Join(command, " ") {
			t.Errorf("%q became %q", command, got)
		}
	}
}

func TestEventsOfTheSessionBecomeItsState(t *testing.T) {
	b := newBottle(&Rack{cfg: Config{Changed: func() {}}}, &entry{})
	steps := []struct {
		body  string
		state snapshot.SessionState
		title string
	}{
		{`{"hook_event_name":"SessionStart"}`, snapshot.Idle, ""},
		{`{"hook_event_name":"UserPromptSubmit","prompt":"x"}`, snapshot.Working, ""},
		{`{"hook_event_name":"PermissionRequest","tool_name":"Bash","tool_input":{"command":"rm -rf build\u001b[2J"}}`, snapshot.NeedsYou, "run rm -rf build"},
		{`not json`, snapshot.NeedsYou, "run rm -rf build"},
		{`{"hook_event_name":"made-up"}`, snapshot.NeedsYou, "run rm -rf build"},
		{`{"hook_event_name":"PostToolUse"}`, snapshot.Working, ""},
		{`{"hook_event_name":"Notification","notification_type":"permission_prompt"}`, snapshot.NeedsYou, ""},
		{`{"hook_event_name":"Stop"}`, snapshot.Done, ""},
		{`{"hook_event_name":"Notification","notification_type":"idle_prompt"}`, snapshot.Idle, ""},
	}
	for _, s := range steps {
		b.heard(hop.EventMessage{Body: json.RawMessage(s.body)})
		if b.activity != s.state || !strings.HasPrefix(b.title, s.title) || strings.ContainsRune(b.title, 0x1b) {
			t.Errorf("after %s: %q %q", s.body, b.activity, b.title)
		}
	}
	code := 1
	b.exit = &code
	b.activity = snapshot.Ended
	b.heard(hop.EventMessage{Body: json.RawMessage(`{"hook_event_name":"UserPromptSubmit"}`)})
	if b.activity != snapshot.Ended {
		t.Error("a session that has ended works again")
	}
}

func FuzzHookEventNeverPanics(f *testing.F) {
	f.Add([]byte(`{"hook_event_name":"PermissionRequest","tool_input":{"command":"x"}}`))
	f.Add([]byte(`{"tool_input":[]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		b := newBottle(&Rack{cfg: Config{Changed: func() {}}}, &entry{})
		b.heard(hop.EventMessage{Body: body})
		if len(b.title) > 3*maxWish {
			t.Errorf("a title of %d bytes", len(b.title))
		}
	})
}
