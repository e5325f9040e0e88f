package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"bottlebar.app/control"
	"bottlebar.app/internal/claude"
	"bottlebar.app/internal/frame"
	"bottlebar.app/snapshot"
	"bottlebar.app/terminal/vt"
)

// The real client, in a bottle, against a fake of its API: with both kinds of
// credential it starts without a question, answers one, runs a tool that the
// person permits on its own screen, follows a change of the window's size, and
// ends.
func TestRealClaudeWorksInABottle(t *testing.T) {
	t.Parallel()
	artifact := realClaude(t)
	kinds := []struct {
		name, variable, secret string
		sent                   func(http.Header) string // the credential as the API gets it
		beta                   bool                     // the client says that it has a subscription
		look                   string                   // of the window
		colors                 vt.Colors
	}{
		{"token", "CLAUDE_CODE_OAUTH_TOKEN", "sk-ant-oat01-real-secret-of-the-person", func(h http.Header) string {
			return strings.TrimPrefix(h.Get("Authorization"), "Bearer ")
		}, true, "dark", vt.Colors{Foreground: vt.RGB{R: 0xec, G: 0xec, B: 0xea}, Background: vt.RGB{R: 0x1e, G: 0x1f, B: 0x22}, Dark: true}},
		{"API key", "ANTHROPIC_API_KEY", "sk-ant-api03-real-secret-of-the-person", func(h http.Header) string {
			return h.Get("X-Api-Key")
		}, false, "light", vt.Colors{Foreground: vt.RGB{R: 0x1b, G: 0x1c, B: 0x1e}, Background: vt.RGB{R: 0xff, G: 0xff, B: 0xff}}},
	}
	up, err := claude.Listen(hostAddress(t)+":0", script)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = up.Close() })
	h := newHome(t, "", "BOTTLEBAR_TEST_UPSTREAM="+up.URL, "BOTTLEBAR_TEST_ROOT="+up.Root)
	for i, kind := range kinds {
		h.env[kind.variable] = kind.secret
		h.open()
		if i == 0 {
			if _, err := h.app.AddArtifact(t.Context(), control.AddRequest{Path: artifact, Name: "claude"}, nil); err != nil {
				t.Fatal(err)
			}
		}
		t.Run(kind.name, func(t *testing.T) {
			before := len(up.Requests())
			b, err := h.app.Launch(t.Context(), control.LaunchRequest{Artifact: "claude", Mode: "default"}, nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := h.app.Stop(context.WithoutCancel(t.Context()), b.Name); err != nil {
					t.Error(err)
				}
			})
			if b.State != snapshot.Ready || b.Upstream != up.URL || b.User != "claude" || b.Folder != "/home/claude/work" {
				t.Errorf("launched as %+v", b)
			}
			v := viewWith(t, h, b.Name, "claude-"+kind.look, frame.Size{Cols: 120, Rows: 40}, vt.Options{TellTheme: true, Colors: kind.colors})
			state := func(want snapshot.SessionState, title string) {
				t.Helper()
				eventually(t, "the session to be "+string(want), func() bool {
					got, _ := h.bottle(b.ID)
					return got.Session == want && (title == "" || got.Title == title)
				})
			}
			converse(t, v, state)
			if got := h.run(b.Name, "cat", "proof.txt"); got != "tool-ran\n" {
				t.Errorf("the tool wrote %q", got)
			}
			eventually(t, "what the session has used", func() bool {
				got, _ := h.bottle(b.ID)
				return got.Context != nil && got.Cost != nil
			})
			resized(t, v)
			secretStaysOut(t, h, b.Name, kind.secret) // while the client runs
			leave(t, h, b.Name, v)
			sentToTheAPI(t, up.Requests()[before:], kind.secret, kind.sent, kind.beta)
		})
		h.close()
		delete(h.env, kind.variable)
	}
	h.nothingLeft()
}

// script answers the question with words, the request with a tool, and the
// tool's output with words again.
func script(t claude.Turn) claude.Reply {
	switch {
	case len(t.Results) > 0:
		return claude.Reply{Text: "The tool came back with " + fmt.Sprint(len(t.Results)) + " result."}
	case strings.Contains(t.Text, "leave a proof"):
		return claude.Reply{Text: "I leave one.", Tool: "Bash", Input: map[string]string{"command": "echo tool-ran > proof.txt", "description": "Leave a proof"}}
	case strings.Contains(t.Text, "six times seven"):
		return claude.Reply{Text: "It is forty-two, streamed word by word through the bottle's one way out."}
	}
	return claude.Reply{Text: "ok"}
}

// realClaude returns the artifact with the client, made once and kept.
func realClaude(t *testing.T) string {
	t.Helper()
	dir, err := claude.CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	path, err := claude.Artifact(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// converse takes the client from its prompt through a question and a tool.
// What it tells its hooks becomes the session's state.
func converse(t *testing.T, v *viewer, state func(want snapshot.SessionState, title string)) {
	t.Helper()
	v.await("prompt", func(s string) bool { return strings.Contains(s, "❯") && strings.Contains(s, "Claude Code") })
	if s := v.text(); strings.Contains(s, "trust") || strings.Contains(s, "Welcome to Claude") || strings.Contains(s, "Select login") {
		t.Errorf("the client asks before it starts:\n%s", s)
	}
	v.save("1-prompt")
	v.typed("what is six times seven?")
	v.await("what was typed", has("six times seven?"))
	v.key(vt.KeyEnter)
	v.await("the answer", has("forty-two, streamed word by word"))
	v.save("2-answer")
	state(snapshot.Done, "")
	v.typed("leave a proof")
	v.await("what was typed", has("❯ leave a proof"))
	v.key(vt.KeyEnter)
	v.await("the permission question", has("Do you want to proceed?"))
	v.save("3-permission")
	state(snapshot.NeedsYou, "run echo tool-ran > proof.txt")
	// A question that has just come up takes no key for a moment, so that
	// nobody answers it by what they were typing.
	v.insist(vt.KeyEnter, "the end of the turn", has("came back with 1 result"))
	v.save("4-tool")
	state(snapshot.Done, "")
}

func has(part string) func(string) bool {
	return func(s string) bool { return strings.Contains(s, part) }
}

// viewer is a person at a session: its screen, and keys.
type viewer struct {
	t      *testing.T
	name   string
	term   *vt.Terminal
	conn   net.Conn
	done   chan error // of Attach
	status chan frame.Status

	mu      sync.Mutex // of what follows
	out     *frame.Writer
	raw     []byte // all output so far
	changed chan struct{}
}

func view(t *testing.T, h *home, bottle, name string, size frame.Size) *viewer {
	t.Helper()
	return viewWith(t, h, bottle, name, size, vt.Options{})
}

// viewWith looks at a session with a terminal of that kind.
func viewWith(t *testing.T, h *home, bottle, name string, size frame.Size, o vt.Options) *viewer {
	t.Helper()
	o.Cols, o.Rows = int(size.Cols), int(size.Rows)
	ours, theirs := net.Pipe()
	v := &viewer{
		t: t, name: name, term: vt.New(o), conn: ours,
		out: frame.NewWriter(ours), done: make(chan error, 1), status: make(chan frame.Status, 1), changed: make(chan struct{}, 1),
	}
	go func() {
		v.done <- h.app.Attach(t.Context(), bottle, control.AttachRequest{Size: size}, theirs)
		_ = theirs.Close()
	}()
	read := make(chan struct{})
	go func() {
		defer close(read)
		v.read()
	}()
	t.Cleanup(func() {
		_ = ours.Close()
		<-read
	})
	return v
}

func (v *viewer) read() {
	in := frame.NewReader(v.conn)
	for {
		kind, p, err := in.Next()
		if err != nil {
			return
		}
		switch kind {
		case frame.Stdout:
			v.mu.Lock()
			v.raw = append(v.raw, p...)
			v.mu.Unlock()
			_, _ = v.term.Write(p)
			if r := v.term.TakeReplies(nil); len(r) > 0 {
				v.send(frame.Stdin, r)
			}
		case frame.Exit:
			var st frame.Status
			_ = json.Unmarshal(p, &st)
			v.status <- st
		}
		select {
		case v.changed <- struct{}{}:
		default:
		}
	}
}

func (v *viewer) send(k frame.Kind, p []byte) {
	v.mu.Lock()
	defer v.mu.Unlock()
	_ = v.out.Write(k, p)
}

func (v *viewer) typed(s string) { v.send(frame.Stdin, v.term.EncodeText(nil, s)) }
func (v *viewer) key(k vt.Key)   { v.send(frame.Stdin, v.term.EncodeKey(nil, vt.KeyEvent{Key: k})) }

func (v *viewer) resize(s frame.Size) {
	v.term.Resize(int(s.Cols), int(s.Rows))
	b, _ := json.Marshal(s)
	v.send(frame.Resize, b)
}

// text is the screen, line by line, without what is left of it empty.
func (v *viewer) text() string {
	var b strings.Builder
	v.term.View(func(s *vt.Screen) {
		for y := s.Top; y < s.Top+s.Rows; y++ {
			var row strings.Builder
			for _, c := range s.Line(y).Cells {
				if c.Width() > 0 {
					row.WriteString(s.Text(c))
				}
			}
			b.WriteString(strings.TrimRight(strings.ReplaceAll(row.String(), "\u00a0", " "), " ") + "\n")
		}
	})
	return b.String()
}

func (v *viewer) await(what string, ok func(string) bool) {
	v.t.Helper()
	v.until(what, ok, nil, nil)
}

// insist presses a key again and again until the screen is as it must be.
func (v *viewer) insist(k vt.Key, what string, ok func(string) bool) {
	v.t.Helper()
	v.key(k)
	again := time.NewTicker(500 * time.Millisecond)
	defer again.Stop()
	v.until(what, ok, again.C, func() { v.key(k) })
}

// until waits for a screen; the deadline is reached only by a failure.
func (v *viewer) until(what string, ok func(string) bool, tick <-chan time.Time, again func()) {
	v.t.Helper()
	deadline := time.NewTimer(40 * time.Second)
	defer deadline.Stop()
	for !ok(v.text()) {
		select {
		case <-v.changed:
		case <-tick:
			again()
		case <-deadline.C:
			v.t.Fatalf("timed out waiting for %s; the screen:\n%s", what, v.text())
		}
	}
}

// save keeps the screen for people to look at, and the output up to it, which
// other tests show again.
func (v *viewer) save(name string) {
	v.t.Helper()
	at := filepath.Join("..", "build", "shots", v.name+"-"+name)
	err := os.MkdirAll(filepath.Dir(at), 0o755)
	if err == nil {
		err = os.WriteFile(at+".txt", []byte(v.text()), 0o644)
	}
	v.mu.Lock()
	raw := slices.Clone(v.raw)
	v.mu.Unlock()
	if err == nil {
		err = os.WriteFile(at+".pty", raw, 0o644)
	}
	if err != nil {
		v.t.Error(err)
	}
}

// resized makes the window narrower and looks whether the client's screen is
// whole afterwards: its frame fits the new width, and nothing is there twice.
func resized(t *testing.T, v *viewer) {
	t.Helper()
	v.resize(frame.Size{Cols: 90, Rows: 30})
	rule := strings.Repeat("─", 90)
	v.await("a prompt between two rules of 90 columns", func(s string) bool {
		_, below, _ := strings.Cut(s, rule+"\n❯\n"+rule+"\n")
		return strings.Contains(below, "manual mode")
	})
	v.save("5-resized")
	s := v.text()
	for _, part := range []string{"forty-two, streamed", "came back with 1 result"} {
		if n := strings.Count(s, part); n > 1 {
			t.Errorf("%q is on the screen %d times:\n%s", part, n, s)
		}
	}
}

// leave ends the client from its prompt, and reads how it ended.
func leave(t *testing.T, h *home, bottle string, v *viewer) {
	t.Helper()
	v.typed("/exit")
	v.await("what was typed", has("/exit"))
	v.key(vt.KeyEnter)
	select {
	case st := <-v.status: // the view ends right after it
		if st.Code != 0 {
			t.Errorf("the client ended with %+v", st)
		}
	case <-time.After(40 * time.Second):
		t.Fatalf("the client did not end:\n%s", v.text())
	}
	eventually(t, "the session to be shown as done", func() bool {
		all := h.app.Snapshot().Bottles
		return len(all) == 1 && all[0].Name == bottle && all[0].Session == snapshot.Done
	})
}

// sentToTheAPI looks at what arrived: the person's secret in its place and the
// client's own words about itself unchanged.
func sentToTheAPI(t *testing.T, requests []claude.Request, secret string, sent func(http.Header) string, beta bool) {
	t.Helper()
	if len(requests) < 3 {
		t.Fatalf("the API was asked %d times", len(requests))
	}
	for _, r := range requests {
		if got := sent(r.Header); got != secret {
			t.Errorf("%s %s came with the credential %q", r.Method, r.Path, got)
		}
		if a, k := r.Header.Get("Authorization"), r.Header.Get("X-Api-Key"); a != "" && k != "" {
			t.Errorf("%s %s came with two credentials", r.Method, r.Path)
		}
		if got := strings.Contains(r.Header.Get("Anthropic-Beta"), "oauth-"); got != beta {
			t.Errorf("%s %s: betas %q", r.Method, r.Path, r.Header.Get("Anthropic-Beta"))
		}
		if !strings.HasPrefix(r.Header.Get("User-Agent"), "claude-cli/"+claude.Version) {
			t.Errorf("%s %s: sent by %q", r.Method, r.Path, r.Header.Get("User-Agent"))
		}
	}
}

// secretStaysOut looks for the person's secret everywhere in the guest: files,
// command lines, environments.
func secretStaysOut(t *testing.T, h *home, bottle, secret string) {
	t.Helper()
	// The needle is put together in the guest, so that the search does not find itself.
	head, tail := secret[:len(secret)/2], secret[len(secret)/2:]
	search := `n="` + head + `""` + tail + `"
control="$HOME/.control"; printf %s "$n" > "$control"
N="$n" sleep 600 & c=$!
until tr '\0' '\n' < /proc/$c/environ | grep -F -e "$n" >/dev/null; do sleep 0.1; done
find / -xdev \( -path /proc -o -path /sys -o -path /usr/local/bin/claude \) -prune -o -type f -size -40000k -print0 2>/dev/null | xargs -0 grep -lF -e "$n" 2>/dev/null
for p in /proc/[0-9]*; do for f in environ cmdline; do
  if [ "${p#/proc/}" != $$ ] && tr '\0' '\n' < $p/$f 2>/dev/null | grep -F -e "$n" >/dev/null; then echo $p/$f; fi
done; done
kill $c; rm -f "$control"; echo $HOME/.control /proc/$c/environ`
	r, err := h.exec(bottle, control.ExecRequest{Argv: []string{"sh", "-c", search}, Root: true})
	if err != nil || r.code != 0 {
		t.Fatalf("searching the guest: %+v, %v", r, err)
	}
	// The last line names what the search must find: it was put there for it.
	lines := strings.Split(strings.TrimSpace(r.stdout), "\n")
	found, planted := lines[:len(lines)-1], strings.Fields(lines[len(lines)-1])
	for _, p := range planted {
		if !slices.Contains(found, p) {
			t.Errorf("the search does not find what lies in %s", p)
		}
	}
	for _, p := range found {
		if !slices.Contains(planted, p) {
			t.Errorf("the secret is in the guest: %s", p)
		}
	}
	if bytes.Contains([]byte(h.log.String()), []byte(secret)) {
		t.Error("the secret is in the app's log")
	}
}
