package app_test

import (
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"bottlebar.app/control"
	"bottlebar.app/internal/claude"
	packs "bottlebar.app/smolvm/artifact/build"
	"bottlebar.app/snapshot"
)

// A machine is wired to whatever agent the process that starts it names: ours
// names the bottle's pipe, whatever agent the person's own programs use.
func TestThePersonsSSHAgentSeesNoBottle(t *testing.T) {
	dir, err := os.MkdirTemp("", "ag")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	sock := filepath.Join(dir, "agent.sock")
	agent, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", sock)
	if err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int32
	go func() {
		for {
			c, err := agent.Accept()
			if err != nil {
				return
			}
			asked.Add(1)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = agent.Close() })
	t.Setenv("SSH_AUTH_SOCK", sock)
	c, err := net.Dial("unix", sock)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, c)
	_ = c.Close()
	if asked.Swap(0) != 1 {
		t.Fatal("the decoy does not count")
	}

	h := newHome(t, "driver = \"process\"\n", "SSH_AUTH_SOCK="+sock)
	h.open()
	h.add()
	knock := func(name string) {
		t.Helper()
		for _, at := range []string{"/tmp/ssh-agent.sock", sock} {
			_, _ = h.exec(name, control.ExecRequest{Argv: []string{"sh", "-c", "echo hello | timeout 3 nc local:" + at + "; echo hello | timeout 3 nc -U " + at}})
		}
		if n := asked.Load(); n != 0 {
			t.Fatalf("the person's agent was asked %d times", n)
		}
	}
	knock(h.launch().Name)
	if err := h.app.Stop(t.Context(), "demo"); err != nil {
		t.Fatal(err)
	}
	h.close()
	killAt(t, h, "launched")
	h.open() // which adopts it
	b := h.app.Snapshot().Bottles[0]
	knock(b.Name)
	h.app.Woke()
	eventually(t, "the proof after a wake", func() bool {
		got, _ := h.bottle(b.ID)
		return got.Isolation == snapshot.Proved && got.ProvedAt.After(*b.ProvedAt)
	})
	knock(b.Name)
	resumeAfterItsEnd(t, h, b)
	knock(b.Name)
}

// resumeAfterItsEnd ends a bottle's VM, as a crash would, and starts it again.
func resumeAfterItsEnd(t *testing.T, h *home, b snapshot.Bottle) {
	t.Helper()
	if err := kill(vmPID(t, h, b.ID)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the bottle to be stopped", func() bool {
		got, _ := h.bottle(b.ID)
		return got.State == snapshot.Stopped
	})
	if _, err := h.app.Resume(t.Context(), b.Name, nil); err != nil {
		t.Fatal(err)
	}
}

// A guest can write to the agent root and to the unpacked layers of its
// machine. Neither another bottle nor its own next start runs what it wrote.
func TestWhatAGuestWritesToItsRootAndLayersReachesNobody(t *testing.T) {
	t.Parallel()
	h, a := ready(t, "driver = \"process\"\n")
	const agent = "/.smolvm-root/sbin/init"
	clean := h.run(a.Name, "sha256sum", agent)
	poison := func(name string) {
		t.Helper()
		r, err := h.exec(name, control.ExecRequest{Root: true, Argv: []string{"sh", "-c", "echo poison > " + agent + "; echo poison > /.smolvm-root/planted; echo poison > /etc/planted"}})
		if err != nil || r.code != 0 {
			t.Fatalf("writing as a guest: %+v, %v", r, err)
		}
	}
	poison(a.Name)
	if h.run(a.Name, "cat", agent) != "poison\n" {
		t.Fatal("the guest could not write to its root; this test shows nothing")
	}
	// The layers as they lie in its home, which its machine mounts.
	layers := 0
	_ = filepath.WalkDir(filepath.Join(h.dir, "b", a.ID, "home"), func(p string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && strings.HasSuffix(p, "/root/etc/passwd") && os.WriteFile(p, []byte("poison"), 0o600) == nil {
			layers++
		}
		return nil
	})
	if layers == 0 {
		t.Fatal("no layer was found; this test shows nothing")
	}
	pristine := func(name string) {
		t.Helper()
		if got := h.run(name, "sha256sum", agent); got != clean {
			t.Errorf("the agent of %s is %s, not %s", name, got, clean)
		}
		if r, err := h.exec(name, control.ExecRequest{Argv: []string{"test", "-e", "/.smolvm-root/planted"}}); err != nil || r.code == 0 {
			t.Errorf("what was planted is in %s: %v", name, err)
		}
	}
	b := h.launch()
	pristine(b.Name)
	if r, err := h.exec(b.Name, control.ExecRequest{Argv: []string{"grep", "-rl", "poison", "/etc"}}); err != nil || r.code == 0 || r.stdout != "" {
		t.Errorf("another bottle has the first one's files: %v", err)
	}
	if text, err := os.ReadFile(filepath.Join(filepath.Dir(shared.standin), "agent-rootfs/sbin/init")); err != nil || strings.Contains(string(text), "poison") {
		t.Errorf("the installation's root holds %q, %v", text, err)
	}
	// Its own next start: a new copy of the root.
	poison(b.Name)
	resumeAfterItsEnd(t, h, b)
	pristine(b.Name)
}

// A guest can make two things grow on this computer beside its own disks.
func TestABottleThatFillsThisComputersDiskIsStopped(t *testing.T) {
	t.Parallel()
	for what, flood := range map[string]string{
		"console": "dd if=/dev/zero bs=1M count=80 >> /.smolvm-console",
		"root":    "dd if=/dev/zero of=/.smolvm-root/ballast bs=1M count=1 seek=700",
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			h, b := ready(t, "driver = \"process\"\n")
			if r, err := h.exec(b.Name, control.ExecRequest{Root: true, Argv: []string{"sh", "-c", flood}}); err != nil || r.code != 0 {
				t.Fatalf("flooding: %+v, %v", r, err)
			}
			eventually(t, "the bottle to be stopped", func() bool {
				got, _ := h.bottle(b.ID)
				return got.State == snapshot.Stopped
			})
			got, _ := h.bottle(b.ID)
			if got.Problem == nil || !strings.Contains(got.Problem.Why, "it wrote") || got.Evidence == "" || !strings.Contains(got.Problem.Cure, got.Evidence) {
				t.Fatalf("shown as %+v, evidence %q", got.Problem, got.Evidence)
			}
			for _, name := range []string{"journal.json", "record.json", "console.log"} {
				if fi, err := os.Stat(filepath.Join(got.Evidence, name)); err != nil || fi.Size() > 1<<20 {
					t.Errorf("%s: %v, %v", name, fi, err)
				}
			}
		})
	}
}

func TestAPackThatAsksForANetworkIsNotLaunched(t *testing.T) {
	t.Parallel()
	h := newHome(t, "driver = \"process\"\n")
	h.open()
	path := filepath.Join(t.TempDir(), "net.smolmachine")
	files, err := packs.DemoFiles("")
	if err != nil {
		t.Fatal(err)
	}
	err = packs.WriteFile(path, func(w io.Writer) error {
		return packs.Write(w, packs.Manifest{Image: "example:latest", CPUs: 1, MemMiB: 256, Network: true}, packs.Layer{Files: files})
	})
	if err != nil {
		t.Fatal(err)
	}
	a, err := h.app.AddArtifact(t.Context(), control.AddRequest{Path: path}, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.app.Launch(t.Context(), control.LaunchRequest{Artifact: a.Name}, nil)
	says(t, err, "a network of its own")
	h.nothingLeft()
}

// A proof of a bottle that runs looks for its own refusal among whatever else
// the guest is asking for.
func TestAGuestThatFloodsTheRecordStillProves(t *testing.T) {
	t.Parallel()
	h, b := ready(t, "driver = \"process\"\n")
	const flood = `while :; do awk 'BEGIN{srand(); r=rand(); for(i=0;i<5000;i++) printf "HEAD http://h%d-%s.example/ HTTP/1.1\r\nHost: x\r\n\r\n", i, r}' | nc 127.0.0.1 3128 >/dev/null; done`
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		ours, theirs := net.Pipe()
		go func() { _, _ = io.Copy(io.Discard, ours) }()
		_ = h.app.Exec(ctx, b.Name, control.ExecRequest{Argv: []string{"sh", "-c", flood}}, theirs)
		_ = ours.Close()
	}()
	defer func() { stop(); <-ended }()
	eventually(t, "the flood to be counted", func() bool {
		return slices.ContainsFunc(h.read(b.Name, control.ActivityQuery{}), func(d snapshot.Decision) bool { return d.Kind == "lost" })
	})
	for range 3 {
		p, err := h.app.Prove(t.Context(), b.Name)
		if err != nil || !p.Holds {
			for _, l := range p.Lines {
				if !l.Holds {
					t.Errorf("%s: %s", l.Name, l.Found)
				}
			}
			t.Fatalf("proving: %v", err)
		}
	}
}

// The weaker way in is a person's choice: whoever ends the helper does not
// bring it about.
func TestALostHelperIsNotReplacedBySmolvmByItself(t *testing.T) {
	t.Parallel()
	h, b := ready(t, "driver = \"process\"\n")
	if out, err := exec.Command("kill", append([]string{"-STOP"}, helperPIDs(t, h, b.ID)...)...).CombinedOutput(); err != nil {
		t.Fatalf("kill: %v %s", err, out)
	}
	run := func(via bool, what string) (result, error) {
		return h.exec(b.Name, control.ExecRequest{Argv: []string{"sh", "-c", what}, Root: true, ViaSmolvm: via})
	}
	failed := make(chan error, 1)
	go func() {
		_, err := run(false, "echo ran >> /etc/ran")
		failed <- err
	}()
	eventually(t, "the helper to be called lost", func() bool {
		got, _ := h.bottle(b.ID)
		return got.HelperLost
	})
	if err := <-failed; err == nil || !strings.Contains(err.Error(), "helper") {
		t.Errorf("with the helper lost: %v", err)
	}
	if _, err := run(false, "echo ran >> /etc/ran"); err == nil || !strings.Contains(err.Error(), "helper") {
		t.Errorf("once it is known to be lost: %v", err)
	}
	if r, err := run(true, "cat /etc/ran; echo asked for"); err != nil || r.stdout != "asked for\n" {
		t.Errorf("by the way that was asked for: %+v, %v", r, err)
	}
}

// The credential works in the sidecar and lies nowhere else: not in the guest,
// the app's files and log, the container's description or its log.
func TestTheCredentialIsOnlyWhereItIsUsed(t *testing.T) {
	t.Parallel()
	up, err := claude.Listen(hostAddress(t)+":0", claude.Demo)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = up.Close() })
	h, b := ready(t, "", "BOTTLEBAR_TEST_UPSTREAM="+up.URL, "BOTTLEBAR_TEST_ROOT="+up.Root, "ANTHROPIC_API_KEY="+madeUpKey)
	if got := h.asking(b.Name, `{"model":"m","max_tokens":100,"stream":true,"messages":[{"role":"user","content":"hi"}]}`); !strings.Contains(got, "message_stop") {
		t.Fatalf("the API answers %q", got)
	}
	// What is refused or wrong must not tell it either.
	h.asking(b.Name, `{"model":"m","mcp_servers":[]}`)
	if got := h.run(b.Name, "sh", "-c", `printf 'TRACE /v1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nConnection: close\r\n\r\n' "$ANTHROPIC_AUTH_TOKEN" | nc -w 5 127.0.0.1 3128`); strings.Contains(got, madeUpKey) {
		t.Errorf("TRACE is answered %q", got)
	}
	secretStaysOut(t, h, b.Name, madeUpKey)
	staysWithTheApp(t, h, b.Name, madeUpKey)
}
