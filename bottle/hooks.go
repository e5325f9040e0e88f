package bottle

import (
	"encoding/json"
	"path"
	"slices"
	"strings"

	"bottlebar.app/hop"
	"bottlebar.app/snapshot"
)

// hookEvents are the moments at which Claude Code runs our hook; together they
// tell whether it works, waits for a person, or is done.
var hookEvents = []string{"SessionStart", "UserPromptSubmit", "PreToolUse", "PermissionRequest", "Notification", "PostToolUse", "Stop"}

// withHooks gives Claude's own command settings with our hooks, unless it
// names settings itself. Each hook is the helper, which passes on the event
// and prints nothing, so that Claude goes on as if there were none.
func withHooks(command []string) []string {
	if path.Base(command[0]) != "claude" {
		return command
	}
	for _, a := range command {
		if a == "--settings" || strings.HasPrefix(a, "--settings=") {
			return command
		}
	}
	type hook struct {
		Type    string `json:"type"`
		Command string `json:"command"`
		Timeout int    `json:"timeout"` // seconds
	}
	type matcher struct {
		Matcher string `json:"matcher,omitempty"`
		Hooks   []hook `json:"hooks"`
	}
	hooks := make(map[string][]matcher, len(hookEvents))
	for _, e := range hookEvents {
		hooks[e] = []matcher{{Hooks: []hook{{Type: "command", Command: helperPath + " hook " + e, Timeout: 5}}}}
	}
	settings, err := json.Marshal(map[string]any{
		"hooks":      hooks,
		"statusLine": map[string]string{"type": "command", "command": helperPath + " status"}, // shows the person's own
	})
	if err != nil {
		return command
	}
	return append(slices.Clone(command), "--settings", string(settings))
}

// hookInput is what we read of a hook's input. All of it was written in the
// guest, which may send anything at any time: it can change a word that is
// shown, and nothing else.
type hookInput struct {
	Event        string `json:"hook_event_name"`
	Notification string `json:"notification_type"`
	Tool         string `json:"tool_name"`
	ToolInput    struct {
		Command string `json:"command"`
		File    string `json:"file_path"`
	} `json:"tool_input"`
}

// heard turns an event of the session into its state.
func (b *Bottle) heard(m hop.EventMessage) {
	if m.Name == hop.TerminalEvent {
		var t hop.TerminalInfo
		if json.Unmarshal(m.Body, &t) == nil {
			// One that runs on may be older news than an end that was seen.
			if t.Name == mainSession && t.Ended != nil {
				b.ended(t.Ended)
			}
			b.saw(t)
		}
		return
	}
	if m.Name == hop.StatusEvent {
		b.used(m.Body)
		return
	}
	var in hookInput
	if json.Unmarshal(m.Body, &in) != nil {
		return
	}
	state, title := in.state()
	if state == "" {
		return
	}
	b.mu.Lock()
	b.hooked = true
	same := b.activity == state && b.title == title
	over := b.exit != nil
	b.mu.Unlock()
	if same || over {
		return
	}
	b.set(func() { b.activity, b.title = state, title })
}

// maxWish bounds what is shown of the thing a session waits for.
const maxWish = 200

func (in hookInput) state() (snapshot.SessionState, string) {
	switch in.Event {
	case "UserPromptSubmit", "PreToolUse", "PostToolUse":
		return snapshot.Working, ""
	case "PermissionRequest":
		return snapshot.NeedsYou, in.wish()
	case "Stop":
		return snapshot.Done, ""
	case "SessionStart":
		return snapshot.Idle, ""
	case "Notification":
		switch {
		case in.Notification == "idle_prompt":
			return snapshot.Idle, ""
		case in.Notification == "permission_prompt", strings.HasPrefix(in.Notification, "elicitation"):
			return snapshot.NeedsYou, in.wish()
		}
	}
	return "", ""
}

// wish says in a few words what a session asks to be allowed.
func (in hookInput) wish() string {
	switch {
	case in.ToolInput.Command != "":
		return "run " + hop.Clean(in.ToolInput.Command, maxWish)
	case in.ToolInput.File != "":
		return hop.Clean(in.Tool, 40) + " " + hop.Clean(in.ToolInput.File, maxWish)
	}
	return hop.Clean(in.Tool, maxWish)
}
