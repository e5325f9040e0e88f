package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bottlebar.app/control"
)

// fakePolicy is what the fake owner shows, and what it was asked to change.
type fakePolicy struct {
	view     control.PolicyView
	changes  []control.PolicyChange
	checked  string
	launched string
}

func (f *fake) Policy(_ context.Context, name string) (control.PolicyView, error) {
	v := f.policy.view
	v.Bottle = name
	return v, nil
}

func (f *fake) ChangePolicy(_ context.Context, c control.PolicyChange) (control.PolicyView, error) {
	f.policy.changes = append(f.policy.changes, c)
	return f.policy.view, nil
}

func (f *fake) CheckPolicy(_ context.Context, path string) ([]control.PolicyProblem, error) {
	f.policy.checked = path
	return f.policy.view.Problems, nil
}

func TestPolicyVerbsSayWhatTheyMean(t *testing.T) {
	for line, want := range map[string]string{
		"allow github.com":                                   "{allow global   github.com 0 [] false 0s }",
		"allow deb.debian.org:80 --method get,HEAD":          "{allow global   deb.debian.org 80 [GET HEAD] false 0s }",
		"allow git.corp.example:8080 --private --artifact a": "{allow artifact  a git.corp.example 8080 [] true 0s }",
		"allow pypi.org --bottle b --for 15m":                "{allow once b  pypi.org 0 [] false 15m0s }",
		"allow [2606:4700::1]:80":                            "{allow global   [2606:4700::1] 80 [] false 0s }",
		"allow 2606:4700::1":                                 "{allow global   2606:4700::1 0 [] false 0s }",
		"allow https://github.com/x":                         "{allow global   https://github.com/x 0 [] false 0s }",
		"deny github.com --bottle b":                         "{deny bottle b  github.com 0 [] false 0s }",
		"block *.tracker.example":                            "{block global   *.tracker.example 0 [] false 0s }",
		"unblock a.example":                                  "{unblock global   a.example 0 [] false 0s }",
		"mute a.example --bottle b":                          "{mute bottle b  a.example 0 [] false 0s }",
		"remove a.example:80":                                "{remove global   a.example 80 [] false 0s }",
		"preset add node":                                    "{preset-on global    0 [] false 0s node}",
		"preset add git hosts --bottle b":                    "{preset-on bottle b   0 [] false 0s git hosts}",
		"preset rm node --artifact a":                        "{preset-off artifact  a  0 [] false 0s node}",
	} {
		f := &fake{}
		code, out, stderr := run(t, f, "", append([]string{"policy"}, strings.Fields(line)...)...)
		if code != 0 || out != "" || stderr != "" || len(f.policy.changes) != 1 {
			t.Errorf("%s: code %d, %q %q, %v", line, code, out, stderr, f.policy.changes)
			continue
		}
		if got := fmt.Sprint(f.policy.changes[0]); got != want {
			t.Errorf("%s asks for %s, want %s", line, got, want)
		}
	}
}

func TestPolicyVerbsThatMakeNoSense(t *testing.T) {
	for _, line := range []string{
		"allow", "allow a.example b.example", "allow a.example:0", "allow a.example:65536", "allow a.example:", "allow a.example --for 15m",
		"allow a.example --for soon --bottle b", "deny a.example --bottle b --artifact a", "block a.example --for 1m", "preset add", "preset", "check", "open a.example",
	} {
		f := &fake{}
		code, _, stderr := run(t, f, "", append([]string{"policy"}, strings.Fields(line)...)...)
		if len(f.policy.changes) > 0 || line != "preset" && code != 2 || !strings.HasPrefix(stderr, "bottlebar: ") && line != "preset" {
			t.Errorf("%s: code %d, %q, %v", line, code, stderr, f.policy.changes)
		}
	}
}

func TestThePolicyIsShownWithOriginsAndProblems(t *testing.T) {
	end := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	f := &fake{policy: fakePolicy{view: control.PolicyView{
		Rules: []control.RuleView{
			{Action: "allow", Host: "api.anthropic.com", Port: 443, Via: "api route", Origin: "built in", Preset: "claude", Hits: 7},
			{Action: "allow", Host: "a.example", Port: 80, Methods: []string{"GET"}, Private: true, Via: "connect", Origin: "once", Expires: &end},
			{Action: "allow", Host: "b.example", Port: 443, Via: "connect", Origin: "bottle", Overruled: "blocked: b.example"},
			{Action: "block", Host: "b.example", Origin: "global"},
		},
		Presets:  []control.PresetView{{Name: "go", For: "modules", LetsOut: "names", Hosts: []string{"proxy.golang.org:443"}, Origin: "global"}},
		Problems: []control.PolicyProblem{{File: "/p/policy.toml", Line: 3, Why: "wrong\x1b[31m", Fix: "right"}},
	}}}
	code, out, stderr := run(t, f, "", "policy", "show", "b")
	for _, want := range []string{
		"✓ allow     api.anthropic.com   443    built in, preset claude   7", "only GET; private address; until", "(allow)   b.example", "not in force: blocked: b.example", "✕ block     b.example           any    global",
	} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("shows\n%s\nwithout %q", out, want)
		}
	}
	if !strings.Contains(stderr, "/p/policy.toml, line 3: wrong") || strings.Contains(stderr, "\x1b") {
		t.Errorf("says %q", stderr)
	}
	code, out, _ = run(t, f, "", "policy", "show", "b", "--json")
	var v control.PolicyView
	if err := json.Unmarshal([]byte(out), &v); code != 0 || err != nil || v.Bottle != "b" || len(v.Rules) != 4 || v.Rules[3].Port != 0 {
		t.Errorf("as JSON it is %s (%v)", out, err)
	}
	if code, out, _ = run(t, f, "", "policy", "preset", "ls"); code != 0 || !strings.Contains(out, "go       global   modules   names") {
		t.Errorf("presets are\n%s", out)
	}
}

func TestAPolicyFileIsCheckedAndALaunchTellsWhatIsWrong(t *testing.T) {
	f := &fake{}
	if code, _, stderr := run(t, f, "", "policy", "check", "p.toml"); code != 0 || stderr != "" || !filepath.IsAbs(f.policy.checked) {
		t.Errorf("a good file: code %d, %q, %q", code, stderr, f.policy.checked)
	}
	f.policy.view.Problems = []control.PolicyProblem{{File: "p.toml", Line: 2, Why: "odd", Fix: "look", Warning: true}}
	if code, _, stderr := run(t, f, "", "policy", "check", "p.toml"); code != 0 || !strings.Contains(stderr, "line 2: odd: look") {
		t.Errorf("a warning: code %d, %q", code, stderr)
	}
	f.policy.view.Problems[0].Warning = false
	if code, _, _ := run(t, f, "", "policy", "check", "p.toml"); code != 1 {
		t.Errorf("a bad file: code %d", code)
	}
	code, out, stderr := run(t, f, "", "launch", "demo", "--detach", "--policy", "node,go")
	if code != 0 || out != "demo-1\n" || !strings.Contains(stderr, "line 2: odd") || f.policy.launched != "node,go" {
		t.Errorf("a launch: code %d, %q, %q, %q", code, out, stderr, f.policy.launched)
	}
	file := filepath.Join(t.TempDir(), "mine")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, arg := range []string{"./p.toml", "p.toml", file} {
		if run(t, f, "", "launch", "demo", "--detach", "--policy", arg); !filepath.IsAbs(f.policy.launched) {
			t.Errorf("the file %s is sent as %q", arg, f.policy.launched)
		}
	}

	// The bottle keeps a copy; people know the file that they gave.
	f.policy.view.Problems[0].File = "/state/policy/b1.toml"
	if _, _, stderr := run(t, f, "", "launch", "demo", "--detach", "--policy", file); !strings.Contains(stderr, file+", line 2: odd") {
		t.Errorf("names another file than the one given: %q", stderr)
	}
	if _, _, stderr := run(t, f, "", "proxy", "login"); !strings.Contains(stderr, "bottlebar: proxy login: name the user (see bottlebar proxy login --help)") {
		t.Errorf("help for %q", stderr)
	}
}
