package app_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"

	"bottlebar.app/app"
	"bottlebar.app/control"
	"bottlebar.app/internal/enginetest"
	"bottlebar.app/internal/fault"
	"bottlebar.app/snapshot"
)

// builtLeft lists what builds of this home left on the engine.
func (h *home) builtLeft() (out []string) {
	h.t.Helper()
	c := enginetest.Client(h.t)
	f := filters.NewArgs(filters.Arg("label", "bottlebar.app="+app.Instance(filepath.Join(h.dir, "state"))), filters.Arg("label", "bottlebar.build"))
	images, err := c.ImageList(h.t.Context(), image.ListOptions{All: true, Filters: f})
	if err != nil {
		h.t.Fatal(err)
	}
	for _, i := range images {
		out = append(out, "image "+i.ID)
	}
	boxes, err := c.ContainerList(h.t.Context(), container.ListOptions{All: true, Filters: f})
	if err != nil {
		h.t.Fatal(err)
	}
	for _, b := range boxes {
		out = append(out, "container "+b.ID)
	}
	return out
}

// clear fails for anything but artifacts that a pack or a build left.
func (h *home) clear() {
	h.t.Helper()
	if left := h.builtLeft(); len(left) > 0 {
		h.t.Errorf("left on the engine: %q", left)
	}
	for _, dir := range []string{"cache/packing", "cache/library/tmp"} {
		left, err := os.ReadDir(filepath.Join(h.dir, dir))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			h.t.Fatal(err)
		}
		for _, l := range left {
			h.t.Errorf("left over: %s/%s", dir, l.Name())
		}
	}
}

// recipe writes a recipe of the person's own.
func (h *home) recipe(name, dockerfile, config string) {
	h.t.Helper()
	dir := filepath.Join(h.dir, "config", "recipes", name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		h.t.Fatal(err)
	}
	for file, text := range map[string]string{"Dockerfile": dockerfile, "recipe.toml": config} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
			h.t.Fatal(err)
		}
	}
}

func (h *home) shown(name string) snapshot.Artifact {
	h.t.Helper()
	list := h.app.Snapshot().Library
	i := slices.IndexFunc(list, func(a snapshot.Artifact) bool { return a.Name == name })
	if i < 0 {
		h.t.Fatalf("no artifact %s in %+v", name, list)
	}
	return list[i]
}

func TestTheShippedRecipeBecomesAnArtifactWhoseSessionRuns(t *testing.T) {
	t.Parallel()
	base := enginetest.Base(t)
	h := newHome(t, "")
	h.open()
	var stages []string
	a, err := h.app.MakeArtifact(t.Context(), control.MakeRequest{Base: base}, func(p control.Progress) {
		if !slices.Contains(stages, p.Stage) {
			stages = append(stages, p.Stage)
		}
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, fault.Of(err).Detail)
	}
	if a.Name != "claude" || a.Recipe != "claude" || a.Image != "recipe claude" || a.Stale || a.Settings.User != "claude" || !strings.HasPrefix(a.Digest, "sha256:") {
		t.Errorf("made %+v", a)
	}
	if want := []string{"building", "packing", "copying", "verifying"}; !slices.Equal(stages, want) {
		t.Errorf("told of %q, want %q", stages, want)
	}
	h.clear()
	b, err := h.app.Launch(t.Context(), control.LaunchRequest{Artifact: "claude"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if b.State != snapshot.Ready || b.User != "claude" || b.Folder != "/home/claude/work" {
		t.Errorf("launched as %+v", b)
	}
	for want, argv := range map[string][]string{
		"2.1.330 (Claude Code)\n": {"claude", "--version"},
		"/home/claude/.claude\n":  {"sh", "-c", "echo $CLAUDE_CONFIG_DIR"},
		"755\n":                   {"stat", "-c", "%a", "/opt/bottlebar/helper"},
	} {
		if got := h.run(b.Name, argv...); got != want {
			t.Errorf("%q printed %q", argv, got)
		}
	}
	// The same again costs nothing: no engine is asked.
	h.env["DOCKER_HOST"] = "unix:///nowhere/docker.sock"
	again, err := h.app.MakeArtifact(t.Context(), control.MakeRequest{Base: base}, nil)
	if err != nil || again.ID != a.ID {
		t.Errorf("made again: %+v, %v", again, err)
	}
	if _, err := h.app.MakeArtifact(t.Context(), control.MakeRequest{Base: base, CPUs: 3}, nil); err == nil {
		t.Error("other options were taken for the same")
	}
}

func TestARecipeOfOnesOwnIsListedAndGoesStale(t *testing.T) {
	t.Parallel()
	base := enginetest.Base(t)
	h := newHome(t, "")
	h.open()
	const dockerfile = "ARG BASE\nFROM $BASE\nARG WORD=none\nCOPY note.txt /note.txt\nRUN echo \"$WORD\" >> /note.txt\nUSER claude\nCMD [\"sleep\", \"1000000\"]\n"
	h.recipe("mine", dockerfile, "title = \"With a note\"\nbase = \""+base+"\"\n[args]\nWORD = \"second\"\n[session]\ncommand = [\"sh\"]\n")
	if err := os.WriteFile(filepath.Join(h.dir, "config/recipes/mine/note.txt"), []byte("first\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	h.recipe("Bad Name", dockerfile, "")
	h.recipe("typo", dockerfile, "titel = \"x\"\n")
	if _, err := h.app.MakeArtifact(t.Context(), control.MakeRequest{Recipe: "mine"}, nil); err != nil {
		t.Fatalf("%v\n%s", err, fault.Of(err).Detail)
	}
	b, err := h.app.Launch(t.Context(), control.LaunchRequest{Artifact: "mine"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := h.run(b.Name, "cat", "/note.txt"); got != "first\nsecond\n" || !slices.Equal(b.Command, []string{"sh"}) {
		t.Errorf("inside %q, runs %q", got, b.Command)
	}
	h.recipe("mine", dockerfile+"# changed\n", "base = \""+base+"\"\n")
	list, err := h.app.Recipes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]snapshot.Recipe{}
	for _, r := range list {
		byName[r.Name] = r
	}
	if r := byName["mine"]; !r.Own || !slices.Equal(r.Made, []string{"mine"}) || !slices.Equal(r.Stale, []string{"mine"}) || r.Problem != nil {
		t.Errorf("mine is listed as %+v", r)
	}
	for name, why := range map[string]string{"Bad Name": "not a recipe's name", "typo": "line 1: there is no setting titel"} {
		if p := byName[name].Problem; p == nil || !strings.Contains(p.Why, why) {
			t.Errorf("%s is listed as %+v", name, p)
		}
	}
	if r := byName["claude"]; r.Own || r.Problem != nil || len(list) != 4 {
		t.Errorf("claude is listed as %+v of %d", r, len(list))
	}
	eventually(t, "the artifact to be shown as stale", func() bool { return h.shown("mine").Stale })
	h.clear()
}

func TestAFailedBuildShowsItsLastLinesAndLeavesNothing(t *testing.T) {
	t.Parallel()
	base := enginetest.Base(t)
	h := newHome(t, "")
	h.open()
	h.recipe("fails", "ARG BASE\nFROM $BASE\nRUN echo about to break && exit 7\n", "")
	_, err := h.app.MakeArtifact(t.Context(), control.MakeRequest{Recipe: "fails", Base: base}, nil)
	f := fault.Of(err)
	if f == nil || !strings.Contains(f.Detail, "about to break") || !strings.Contains(f.Why, "returned a non-zero code: 7") || !strings.Contains(f.Cure, "fails.log") {
		t.Fatalf("failed as %+v", f)
	}
	if b, err := os.ReadFile(filepath.Join(h.dir, "state/builds/fails.log")); err != nil || !strings.Contains(string(b), "Step ") {
		t.Errorf("the log holds %q, %v", b, err)
	}
	for name, req := range map[string]control.MakeRequest{
		"there is none of that name":         {Recipe: "nosuch"},
		"not a recipe's name":                {Recipe: "../../etc"},
		"looks like a secret":                {Base: base, Args: map[string]string{"NPM_TOKEN": "x"}},
		"begins like an option":              {Base: "--privileged"},
		"no such host":                       {Base: "registry.invalid/none:1"},
		"is taken":                           {Base: base, Name: "taken"},
		"letters, digits and single hyphens": {Base: base, Name: "Not Legal"},
	} {
		if name == "is taken" {
			if _, err := h.app.AddArtifact(t.Context(), control.AddRequest{Path: shared.artifact, Name: "taken"}, nil); err != nil {
				t.Fatal(err)
			}
		}
		_, err := h.app.MakeArtifact(t.Context(), req, nil)
		if err == nil {
			t.Errorf("%s: made", name)
			continue
		}
		if f := fault.Of(err); f.Cure == "" {
			t.Errorf("%s: no cure: %+v", name, f)
		}
		t.Logf("%s: %v", name, err)
	}
	h.clear()
}

func TestACancelledBuildLeavesNothing(t *testing.T) {
	t.Parallel()
	base := enginetest.Base(t)
	h := newHome(t, "")
	h.open()
	h.recipe("slow", "ARG BASE\nFROM $BASE\nRUN touch /made\nRUN echo now it is slow && sleep 1000\n", "")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err := h.app.MakeArtifact(ctx, control.MakeRequest{Recipe: "slow", Base: base}, func(p control.Progress) {
		if p.Line == "now it is slow" {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
	if len(h.app.Snapshot().Library) != 0 {
		t.Error("something was added")
	}
	h.clear()
}

// What a killed app leaves carries its label, and goes at its next start.
func TestTheNextStartClearsWhatAKilledBuildLeft(t *testing.T) {
	t.Parallel()
	base := enginetest.Base(t)
	h := newHome(t, "")
	c := enginetest.Client(t)
	labels := map[string]string{"bottlebar.app": app.Instance(filepath.Join(h.dir, "state")), "bottlebar.build": "killed"}
	made, err := c.ContainerCreate(t.Context(), &container.Config{Image: base, Cmd: []string{"sleep", "1000"}, Labels: labels}, nil, nil, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.ContainerStart(t.Context(), made.ID, container.StartOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ContainerCommit(t.Context(), made.ID, container.CommitOptions{}); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(h.dir, "cache/packing/old")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if len(h.builtLeft()) != 2 {
		t.Fatalf("to be cleared: %q", h.builtLeft())
	}
	h.open()
	eventually(t, "the leftovers to be gone", func() bool {
		_, err := os.Stat(dir)
		return len(h.builtLeft()) == 0 && errors.Is(err, fs.ErrNotExist)
	})
}

func TestAnImageOfTheEngineIsPackedByEveryWay(t *testing.T) {
	t.Parallel()
	base := enginetest.Base(t, `CMD ["sleep","1000000"]`, "WORKDIR /home/claude/work", "ENV MARK=kept")
	for version, fault := range map[string]string{"0.8.0": "", "1.9.3": "", "1.12.0": "pack:noloopback"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			h := newHome(t, "", "STANDIN_VERSION="+version, "STANDIN_FAULT="+fault)
			h.open()
			said := ""
			a, err := h.app.PackArtifact(t.Context(), control.PackRequest{Image: base, Engine: true, Name: "packed"}, func(p control.Progress) { said += p.Line + "\n" })
			if err != nil {
				t.Fatalf("%v\n%s", err, said)
			}
			if a.Image != base || a.Source != "engine" || a.Platform != "linux/"+runtime.GOARCH {
				t.Errorf("packed %+v", a)
			}
			if byArchive := strings.Contains(said, "does not reach this computer's loopback: packing by way of the image's archive"); byArchive != (fault != "") {
				t.Errorf("said %q", said)
			}
			h.clear()
			before := said
			again, err := h.app.PackArtifact(t.Context(), control.PackRequest{Image: base, Engine: true}, func(p control.Progress) { said += p.Line })
			if err != nil || again.ID != a.ID || said != before {
				t.Errorf("the same again: %+v, %v, %q", again, err, strings.TrimPrefix(said, before))
			}
			b, err := h.app.Launch(t.Context(), control.LaunchRequest{Artifact: "packed", Command: []string{"sh"}}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := h.run(b.Name, "sh", "-c", "echo $MARK; cat /home/claude/work/README.md | head -1; stat -c %u /home/claude/work"); got != "kept\n# Demo\n1000\n" {
				t.Errorf("inside %q", got)
			}
			if err := h.app.Stop(t.Context(), b.Name); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAPackThatCannotBeSaysWhatToDo(t *testing.T) {
	t.Parallel()
	base := enginetest.Base(t)
	h := newHome(t, "", "STANDIN_FAULT=pack:noloopback")
	h.open()
	refuse := func(name, why string, req control.PackRequest) {
		t.Helper()
		_, err := h.app.PackArtifact(t.Context(), req, nil)
		f := fault.Of(err)
		if err == nil || !strings.Contains(err.Error(), why) || f.Cure == "" {
			t.Errorf("%s: %v (cure %q)", name, err, f.Cure)
		}
	}
	refuse("loopback out of reach of an old release", "does not reach this computer's loopback", control.PackRequest{Image: base, Engine: true})
	refuse("not on the engine", "no image of that name", control.PackRequest{Image: "bottlebar-test/none:1", Engine: true})
	refuse("hostile", "outside ASCII", control.PackRequest{Image: "a\u202eb", Engine: true})
	refuse("hostile path", "that is not an image", control.PackRequest{Image: "../../containers/json?x=", Engine: true})
	refuse("an option", "begins like an option", control.PackRequest{Image: "--from-vm"})
	refuse("a web address", "address of the web", control.PackRequest{Image: "https://ghcr.io/team/app"})
	h.env["STANDIN_FAULT"] = "pack:enospc"
	refuse("disk full", "No space left", control.PackRequest{Image: base, Engine: true})
	h.env["DOCKER_HOST"] = "unix:///nowhere/docker.sock"
	refuse("no engine there", "not running", control.PackRequest{Image: base, Engine: true})
	h.env["DOCKER_HOST"] = "tcp://192.0.2.1:2375"
	refuse("another computer's engine", "not on this computer", control.PackRequest{Image: base, Engine: true})
	h.clear()
}

// A pack's machine has a network and shares its root with its guest: each gets
// one of its own, and a poisoned one poisons nobody.
func TestEveryPackHasAPristineRootOfItsOwn(t *testing.T) {
	t.Parallel()
	base := enginetest.Base(t)
	h := newHome(t, "", "STANDIN_FAULT=pack:slow=300ms")
	h.open()
	poisoned := map[string]bool{}
	for range 2 {
		_, err := h.app.PackArtifact(t.Context(), control.PackRequest{Image: base, Engine: true, Again: true}, func(control.Progress) {
			roots, _ := filepath.Glob(filepath.Join(h.dir, "cache/packing/*/root/sbin/init"))
			for _, r := range roots {
				b, err := os.ReadFile(r)
				if err != nil || poisoned[r] {
					continue
				}
				if strings.Contains(string(b), "poison") {
					t.Error("a pack got a root that another one's guest had written to")
				}
				if os.WriteFile(r, []byte("poison"), 0o755) == nil {
					poisoned[r] = true
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if b, err := os.ReadFile(filepath.Join(filepath.Dir(shared.standin), "agent-rootfs/sbin/init")); err != nil || strings.Contains(string(b), "poison") {
		t.Errorf("the installation's root holds %q, %v", b, err)
	}
	if len(poisoned) != 2 {
		t.Errorf("the test got at %d roots", len(poisoned))
	}
}
