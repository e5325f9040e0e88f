package app_test

import (
	"slices"
	"strings"
	"testing"

	"bottlebar.app/control"
	"bottlebar.app/internal/claude"
)

// The real client searches by a request of its own in which Anthropic's servers
// are to do it.
func TestARealClientSearchesTheWebOnlyWhereTheBottlesSwitchIsOn(t *testing.T) {
	t.Parallel()
	artifact := realClaude(t)
	up, err := claude.Listen(hostAddress(t)+":0", func(t claude.Turn) claude.Reply {
		switch {
		case slices.Contains(t.Tools, "web_search"):
			return claude.Reply{Text: "The harbour opens at nine."}
		case len(t.Results) > 0:
			return claude.Reply{Text: "I was told: " + strings.Join(t.Results, " ")}
		case len(t.Tools) > 0:
			return claude.Reply{Text: "I look it up.", Tool: "WebSearch", Input: map[string]string{"query": "when does the harbour open"}}
		}
		return claude.Reply{Text: "A title"}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = up.Close() })
	h := newHome(t, "", "BOTTLEBAR_TEST_UPSTREAM="+up.URL, "BOTTLEBAR_TEST_ROOT="+up.Root, "CLAUDE_CODE_OAUTH_TOKEN=sk-ant-oat01-made-up-for-this-test")
	h.open()
	if _, err := h.app.AddArtifact(t.Context(), control.AddRequest{Path: artifact, Name: "claude"}, nil); err != nil {
		t.Fatal(err)
	}
	b, err := h.app.Launch(t.Context(), control.LaunchRequest{Artifact: "claude"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	searched := func() int {
		n := 0
		for _, r := range up.Requests() {
			if slices.Contains(r.Turn.Tools, "web_search") {
				n++
			}
		}
		return n
	}
	ask := func() string {
		return h.run(b.Name, "claude", "-p", "when does the harbour open", "--allowedTools", "WebSearch")
	}
	said := ask()
	if !strings.Contains(said, "bottlebar web") || searched() > 0 {
		t.Errorf("with the switch off the client says %q, and the API was asked %d times", said, searched())
	}
	on := true
	if _, err := h.app.Adjust(t.Context(), b.Name, control.AdjustRequest{Web: &on}); err != nil {
		t.Fatal(err)
	}
	said = ask()
	if !strings.Contains(said, "opens at nine") || searched() == 0 {
		t.Errorf("with the switch on the client says %q, and the API was asked %d times", said, searched())
	}
}
