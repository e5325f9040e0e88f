package guest

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"bottlebar.app/hop"
)

func TestAHooksEventReachesTheAppAndItsAnswerComesBack(t *testing.T) {
	p := newPair(t)
	long := strings.Repeat("x", 900<<10)
	in, _ := json.Marshal(map[string]any{"hook_event_name": "PermissionRequest", "tool_input": map[string]string{"command": long}})
	var out bytes.Buffer
	done := make(chan error, 1)
	go func() { done <- hook(p.cfg.Events, "permission", bytes.NewReader(in), &out) }()
	ev, err := p.session.Accept(p.ctx)
	if err != nil || ev.Type != hop.Event {
		t.Fatalf("%+v %v", ev, err)
	}
	var body struct {
		Name string                   `json:"hook_event_name"`
		Tool struct{ Command string } `json:"tool_input"`
	}
	if err := json.Unmarshal(ev.Event.Body, &body); err != nil || body.Name != "PermissionRequest" || !strings.HasSuffix(body.Tool.Command, "…") {
		t.Errorf("%v %.80q", err, ev.Event.Body)
	}
	if ev.Event.Name != "permission" || ev.Event.UID != 0 {
		t.Errorf("%+v", ev.Event.Name)
	}
	if err := ev.Reply(json.RawMessage(`{"decision":"allow"}`)); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil || strings.TrimSpace(out.String()) != `{"decision":"allow"}` {
		t.Errorf("printed %q %v", out.String(), err)
	}
}

func TestAHookWithoutAnAppPrintsNothing(t *testing.T) {
	var out bytes.Buffer
	if err := hook("/no/such/socket", "", strings.NewReader("{}"), &out); err != nil || out.Len() != 0 {
		t.Errorf("%v %q", err, out.String())
	}
	if err := hook("/no/such/socket", "", strings.NewReader("not json"), &out); err == nil {
		t.Error("noise was taken")
	}
	if err := hook("/no/such/socket", "", strings.NewReader(`"`+strings.Repeat("x", 1<<20)+`"`), &out); err == nil {
		t.Error("an endless event was taken")
	}
}

func TestShortenFitsWhateverIsGiven(t *testing.T) {
	many := make(map[string]string)
	for i := range 1000 {
		many[strings.Repeat("k", 5)+string(rune('a'+i%26))+strings.Repeat("z", i/26)] = strings.Repeat("v", 1000)
	}
	b, _ := json.Marshal(many)
	out, err := shorten(b, maxHookBody)
	if err != nil || len(out) > maxHookBody || !json.Valid(out) {
		t.Errorf("%d bytes, %v", len(out), err)
	}
}
