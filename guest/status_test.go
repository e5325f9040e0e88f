package guest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bottlebar.app/hop"
)

func TestThePersonsOwnStatusLineIsShownBehindOurs(t *testing.T) {
	home, project := t.TempDir(), t.TempDir()
	write := func(dir, name, text string) {
		t.Helper()
		dir = filepath.Join(dir, ".claude")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	line := func(command string) string {
		b, _ := json.Marshal(map[string]any{"model": "x", "statusLine": map[string]string{"type": "command", "command": command}})
		return string(b)
	}
	input := fmt.Sprintf(`{"cwd":"/elsewhere","workspace":{"project_dir":%q}}`, project)
	getenv := func(k string) string { return map[string]string{"HOME": home}[k] }
	expect := func(want string) {
		t.Helper()
		if got := ownCommand([]byte(input), getenv); got != want {
			t.Errorf("the person's own is %q, want %q", got, want)
		}
	}
	expect("")
	write(home, "settings.json", line("echo user"))
	expect("echo user")
	write(project, "settings.json", line("echo project"))
	expect("echo project")
	write(project, "settings.local.json", line(os.Args[0]+" "+verbStatus)) // would call itself
	expect("echo project")
	write(project, "settings.local.json", "{broken")
	expect("echo project")
	write(project, "settings.local.json", line("echo local"))
	expect("echo local")
	input = "no JSON"
	expect("echo user")

	var out bytes.Buffer
	if err := ownStatusLine(t.Context(), `printf 'model %s' "$(cat)"`, []byte("given"), &out); err != nil || out.String() != "model given" {
		t.Errorf("it printed %q, %v", out.String(), err)
	}
	out.Reset()
	if err := ownStatusLine(t.Context(), `yes | head -c 200000`, nil, &out); err != nil || out.Len() != maxStatus {
		t.Errorf("of a line without end %d bytes are shown, %v", out.Len(), err)
	}
}

func TestTheStatusLineReachesTheAppAndShowsThePersonsOwn(t *testing.T) {
	p := newPair(t)
	home := shortDir(t)
	t.Setenv("CLAUDE_CONFIG_DIR", home)
	if err := os.WriteFile(filepath.Join(home, "settings.json"), []byte(`{"statusLine":{"type":"command","command":"echo mine"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	done := make(chan string, 1)
	go func() {
		var out bytes.Buffer
		err := statusLine(p.ctx, p.cfg.Events, strings.NewReader(`{"cost":{"total_cost_usd":0.31}}`), &out)
		done <- fmt.Sprint(out.String(), err)
	}()
	in, err := p.session.Accept(p.ctx)
	if err != nil {
		t.Fatal(err)
	}
	if in.Event.Name != hop.StatusEvent || string(in.Event.Body) != `{"cost":{"total_cost_usd":0.31}}` {
		t.Errorf("told %+v", in.Event)
	}
	_ = in.Reply(nil)
	if got := <-done; got != "mine\n<nil>" {
		t.Errorf("it printed %q", got)
	}
}
