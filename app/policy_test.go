package app_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"bottlebar.app/control"
	"bottlebar.app/snapshot"
)

// origin is a server of this computer that a bottle may be allowed to reach.
type origin struct {
	host string
	port int
	held chan net.Conn // connections of the port for tunnels
	pipe int
}

func newOrigin(t *testing.T) *origin {
	t.Helper()
	o := &origin{host: hostAddress(t), held: make(chan net.Conn, 16)}
	l := listen(t, o.host+":0")
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "from the host by "+r.Method) })}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	o.port = port(l)
	tunnels := listen(t, o.host+":0")
	o.pipe = port(tunnels)
	go func() {
		for {
			c, err := tunnels.Accept()
			if err != nil {
				return
			}
			o.held <- c
		}
	}()
	return o
}

func (o *origin) url() string { return fmt.Sprintf("http://%s:%d/", o.host, o.port) }

// reached tells whether a request out of a bottle gets through, and what a
// refusal says.
func (o *origin) reached(h *home, bottle string) (bool, string) {
	h.t.Helper()
	r, err := h.exec(bottle, control.ExecRequest{Argv: []string{"wget", "-q", "-O", "-", o.url()}})
	if err != nil {
		h.t.Fatal(err)
	}
	return r.code == 0 && strings.HasPrefix(r.stdout, "from the host"), r.stdout + r.stderr
}

func (h *home) change(c control.PolicyChange) control.PolicyView {
	h.t.Helper()
	v, err := h.app.ChangePolicy(h.t.Context(), c)
	if err != nil {
		h.t.Fatalf("%+v: %v", c, err)
	}
	return v
}

func (h *home) writePolicy(name, text string) {
	h.t.Helper()
	path := filepath.Join(h.dir, "config", name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

func TestAPolicyChangesInARunningBottleAndEndsItsTunnels(t *testing.T) {
	t.Parallel()
	for _, driver := range []string{"docker", "process"} {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			policyChanges(t, "driver = \""+driver+"\"\n")
		})
	}
}

func policyChanges(t *testing.T, settings string) {
	o := newOrigin(t)
	h, b := ready(t, settings)
	if ok, _ := o.reached(h, b.Name); ok {
		t.Fatal("a host is reached that nobody allowed")
	}
	allow := control.PolicyChange{Action: "allow", Scope: "bottle", Bottle: b.Name, Host: o.host, Port: o.port, Private: true}
	h.change(allow)
	if ok, said := o.reached(h, b.Name); !ok {
		t.Fatalf("an allowed host is refused: %s", said)
	}
	view := h.change(control.PolicyChange{Action: "allow", Scope: "bottle", Bottle: b.Name, Host: o.host, Port: o.pipe, Private: true})
	i := slices.IndexFunc(view.Rules, func(r control.RuleView) bool { return r.Host == o.host && r.Port == o.port })
	if i < 0 || view.Rules[i].Origin != "bottle" || view.Rules[i].Hits != 1 || view.Rules[i].Line == 0 {
		t.Errorf("the policy shows %+v", view.Rules)
	}

	ended := make(chan error, 1)
	go func() {
		// The client holds its end open: only the sidecar can end the tunnel.
		_, err := h.exec(b.Name, control.ExecRequest{Argv: []string{"sh", "-c", fmt.Sprintf(
			"(printf 'CONNECT %[1]s:%[2]d HTTP/1.1\\r\\nHost: x\\r\\n\\r\\nup'; sleep 600) | nc 127.0.0.1 3128 & wait $!; kill $(jobs -p) 2>/dev/null; true", o.host, o.pipe)}})
		ended <- err
	}()
	conn := <-o.held
	defer conn.Close()
	if n, err := conn.Read(make([]byte, 2)); n == 0 || err != nil {
		t.Fatalf("the tunnel carries %d bytes, %v", n, err)
	}
	h.change(control.PolicyChange{Action: "deny", Scope: "bottle", Bottle: b.Name, Host: o.host, Port: o.pipe})
	if err := conn.SetReadDeadline(time.Now().Add(40 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
		t.Errorf("the tunnel of a host that is denied goes on: %v", err)
	}
	eventually(t, "the line that says revoked", func() bool {
		acts, err := h.app.Activity(t.Context(), b.Name)
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(acts, func(d snapshot.Decision) bool {
			return d.Verdict == "closed" && d.Port == o.pipe && d.Rule == "revoked"
		})
	})
	reply := h.run(b.Name, "sh", "-c", fmt.Sprintf("printf 'CONNECT %[1]s:%[2]d HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n' | nc -w 3 127.0.0.1 3128", o.host, o.pipe))
	if !strings.HasPrefix(reply, "HTTP/1.1 403") || !strings.Contains(reply, "X-Bottle-Denied: not-allowed") {
		t.Errorf("afterwards it is answered %q", reply)
	}
	if ok, said := o.reached(h, b.Name); !ok {
		t.Errorf("the other port is refused, too: %s", said)
	}

	// A block of every bottle wins over what this one is allowed.
	h.change(control.PolicyChange{Action: "block", Scope: "global", Host: o.host})
	if ok, _ := o.reached(h, b.Name); ok {
		t.Error("a blocked host is reached")
	}
	if _, err := h.app.ChangePolicy(t.Context(), allow); err == nil || !strings.Contains(err.Error(), "block list") {
		t.Errorf("allowing what is blocked gives %v", err)
	}
	h.change(control.PolicyChange{Action: "unblock", Scope: "global", Host: o.host})
	if ok, said := o.reached(h, b.Name); !ok {
		t.Errorf("what is off the block list is refused: %s", said)
	}
	if err := h.app.Stop(t.Context(), b.Name); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(h.dir, "state", "policy", "*"+b.ID+"*")); len(left) > 0 {
		t.Errorf("a stopped bottle leaves %v", left)
	}
	<-ended
}

func TestPolicyFilesAreObeyedAsTheyAreEditedAndABadOneChangesNothing(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	h, b := ready(t, "")
	rule := fmt.Sprintf("[[allow]]\nhost = %q\nport = %d\nprivate = true\n", o.host, o.port)
	h.writePolicy("policy.toml", "# by hand\n"+rule+"methods = [\"GET\"]\n")
	eventually(t, "the edited file to be in force", func() bool { ok, _ := o.reached(h, b.Name); return ok })
	post := fmt.Sprintf("printf 'POST %s HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 0\\r\\n\\r\\n' | nc -w 3 127.0.0.1 3128", o.url())
	if said := h.run(b.Name, "sh", "-c", post); !strings.HasPrefix(said, "HTTP/1.1 403") {
		t.Errorf("another method is answered %q", said)
	}

	h.writePolicy("policy.toml", "# by hand\n"+rule+"prot = 1\n[[block]]\nhost = \"a b\"\n")
	policyLine := func() snapshot.Check {
		setup := h.app.Snapshot().Setup
		if i := slices.IndexFunc(setup, func(c snapshot.Check) bool { return c.ID == "policy" }); i >= 0 {
			return setup[i]
		}
		return snapshot.Check{}
	}
	eventually(t, "Setup to show the bad file", func() bool { return policyLine().State == snapshot.CheckFailed })
	if c := policyLine(); !strings.Contains(c.Finding, "policy.toml, line 8") || c.Cure == "" {
		t.Errorf("Setup says %+v", c)
	}
	if ok, said := o.reached(h, b.Name); !ok {
		t.Errorf("a bad file took away what the last good one allowed: %s", said)
	}
	if _, err := h.app.ChangePolicy(t.Context(), control.PolicyChange{Action: "block", Scope: "global", Host: "x.example"}); err == nil || !strings.Contains(err.Error(), "line 8") {
		t.Errorf("editing a bad file gives %v", err)
	}
	view, err := h.app.Policy(t.Context(), b.Name)
	if err != nil || len(view.Problems) == 0 || view.Problems[0].Line != 8 {
		t.Errorf("the policy tells %+v, %v", view.Problems, err)
	}

	// Its last good text outlives the app.
	h.close()
	h.open()
	if ok, said := o.reached(h, b.Name); !ok {
		t.Errorf("after a restart a bad file took away what the last good one allowed: %s", said)
	}
	h.writePolicy("policy.toml", "# by hand\n")
	eventually(t, "the corrected file to be in force", func() bool { ok, _ := o.reached(h, b.Name); return !ok })
	eventually(t, "Setup to show that the file is good again", func() bool { return policyLine().State == snapshot.CheckOK })

	// Hosts of the settings file reach running bottles as well.
	h.settings(fmt.Sprintf("[[host]]\nname = %q\nport = %d\nprivate = true\n", o.host, o.port))
	eventually(t, "the edited settings to be in force", func() bool { ok, _ := o.reached(h, b.Name); return ok })
}

func TestAPolicyOutlivesTheAppAndEndsWhenItsTimeIsOver(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	h, b := ready(t, "")
	h.change(control.PolicyChange{Action: "allow", Scope: "artifact", Bottle: b.Name, Host: "kept.example"})
	once := control.PolicyChange{Action: "allow", Scope: "once", Bottle: b.Name, Host: o.host, Port: o.port, Private: true, For: time.Hour}
	view := h.change(once)
	end := expiry(view, o)
	if end == nil {
		t.Fatalf("the rule has no end: %+v", view.Rules)
	}
	h.close()
	h.open()
	if ok, said := o.reached(h, b.Name); !ok {
		t.Errorf("after a restart it is refused: %s", said)
	}
	view, err := h.app.Policy(t.Context(), b.Name)
	if err != nil {
		t.Fatal(err)
	}
	if again := expiry(view, o); again == nil || !again.Equal(*end) {
		t.Errorf("after a restart it ends at %v, before at %v", again, end)
	}
	if !slices.ContainsFunc(view.Rules, func(r control.RuleView) bool { return r.Host == "kept.example" && r.Origin == "artifact" }) {
		t.Errorf("the artifact's rule is gone: %+v", view.Rules)
	}
	if _, err := h.app.RenameArtifact(t.Context(), "demo", "renamed"); err != nil {
		t.Fatal(err)
	}
	if view, err = h.app.Policy(t.Context(), b.Name); err != nil || !slices.ContainsFunc(view.Rules, func(r control.RuleView) bool { return r.Host == "kept.example" }) {
		t.Errorf("after renaming the artifact its rule is gone: %+v, %v", view.Rules, err)
	}
	once.For = time.Second
	h.change(once)
	eventually(t, "the rule to end", func() bool { ok, _ := o.reached(h, b.Name); return !ok })
	if text, err := os.ReadFile(filepath.Join(h.dir, "state", "policy", b.ID+".toml")); err != nil || strings.Contains(string(text), o.host) {
		t.Errorf("a rule that is over stays in the file: %q, %v", text, err)
	}
}

func expiry(v control.PolicyView, o *origin) *time.Time {
	for _, r := range v.Rules {
		if r.Host == o.host && r.Port == o.port && r.Origin == "once" {
			return r.Expires
		}
	}
	return nil
}

func TestAProjectsFileTakesAwayAndNeverAdds(t *testing.T) {
	t.Parallel()
	o, other := newOrigin(t), newOrigin(t)
	h := newHome(t, "")
	h.open()
	h.add()
	var rules strings.Builder
	for i := range 9_998 {
		fmt.Fprintf(&rules, "[[allow]]\nhost = \"host-%d.of-many.example\"\n", i)
	}
	for _, p := range []int{o.port, other.port} {
		fmt.Fprintf(&rules, "[[allow]]\nhost = %q\nport = %d\nprivate = true\n", o.host, p)
	}
	h.writePolicy("policy.toml", rules.String()) // ten thousand: the sidecar takes them in one line
	folder := t.TempDir()
	if err := os.MkdirAll(filepath.Join(folder, ".bottlebar"), 0o755); err != nil {
		t.Fatal(err)
	}
	project := fmt.Sprintf("[[block]]\nhost = %q\nport = %d\n[[allow]]\nhost = \"evil.example\"\n", o.host, other.port)
	if err := os.WriteFile(filepath.Join(folder, ".bottlebar", "policy.toml"), []byte(project), 0o644); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the rules to be read", func() bool {
		v, err := h.app.Policy(t.Context(), "")
		return err == nil && len(v.Rules) > 10_000
	})
	b, err := h.app.Launch(t.Context(), control.LaunchRequest{Artifact: "demo", Folder: folder, Policy: "Node, git hosts"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if ok, said := o.reached(h, b.Name); !ok {
		t.Errorf("one of ten thousand rules is not in force: %s", said)
	}
	if ok, _ := other.reached(h, b.Name); ok {
		t.Error("what the project blocks is reached")
	}
	v, err := h.app.Policy(t.Context(), b.Name)
	if err != nil {
		t.Fatal(err)
	}
	if len(v.Problems) != 1 || !strings.Contains(v.Problems[0].Why, "evil.example:443") {
		t.Errorf("the policy tells %+v", v.Problems)
	}
	for _, want := range []string{"registry.npmjs.org", "github.com"} {
		if !slices.ContainsFunc(v.Rules, func(r control.RuleView) bool { return r.Host == want && r.Origin == "bottle" && r.Overruled == "" }) {
			t.Errorf("%s of the launch's presets is not in force", want)
		}
	}
	if slices.ContainsFunc(v.Rules, func(r control.RuleView) bool {
		return r.Action == "allow" && r.Host == "evil.example" && r.Overruled == ""
	}) {
		t.Error("a project allowed a host")
	}

	for name, prepare := range map[string]func(path string) error{
		"a link out of the folder": func(p string) error { return os.Symlink("/etc/hostname", p) },
		"a bad line":               func(p string) error { return os.WriteFile(p, []byte("\n[[block]]\nhost = \"a b\"\n"), 0o644) },
		"a folder":                 func(p string) error { return os.Mkdir(p, 0o755) },
	} {
		path := filepath.Join(folder, ".bottlebar", "policy.toml")
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
		if err := prepare(path); err != nil {
			t.Fatal(err)
		}
		if _, err := h.app.Launch(t.Context(), control.LaunchRequest{Artifact: "demo", Folder: folder}, nil); err == nil || !strings.Contains(err.Error(), "policy.toml") {
			t.Errorf("%s: the launch gives %v", name, err)
		}
	}
}

func TestALaunchWithAPolicyThatNobodyKnowsDoesNotBegin(t *testing.T) {
	t.Parallel()
	h := newHome(t, "")
	h.writePolicy("policy.toml", "\n[[block]]\nhost = 1\n") // bad from the first: what it blocks is not known
	h.open()
	h.add()
	_, err := h.app.Launch(t.Context(), control.LaunchRequest{Artifact: "demo"}, nil)
	if err == nil || !strings.Contains(err.Error(), "line 3") {
		t.Errorf("launching gives %v", err)
	}
	for _, bad := range []string{"nodee", "node,,go", "/nowhere/policy.toml"} {
		if _, err := h.app.Launch(t.Context(), control.LaunchRequest{Artifact: "demo", Policy: bad}, nil); err == nil {
			t.Errorf("launching with the policy %q works", bad)
		}
	}
}
