package window

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"

	"bottlebar.app/assets/look"
	"bottlebar.app/internal/fault"
	"bottlebar.app/snapshot"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// loop stands for the toolkit's goroutine: what is posted runs on the test's.
type loop struct {
	mu     sync.Mutex
	posted []func()
	signal chan struct{}
}

func (l *loop) post(f func()) {
	l.mu.Lock()
	l.posted = append(l.posted, f)
	l.mu.Unlock()
	select {
	case l.signal <- struct{}{}:
	default:
	}
}

// until runs what is posted until ok holds.
func (l *loop) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for !ok() {
		select {
		case <-l.signal:
		case <-deadline:
			t.Fatalf("timed out waiting for %s", what)
		}
		l.mu.Lock()
		all := l.posted
		l.posted = nil
		l.mu.Unlock()
		for _, f := range all {
			f()
		}
	}
}

// world is the Backend of a test: it writes down what it is asked for and
// answers with what the test set.
type world struct {
	mu        sync.Mutex
	calls     []string
	err       error
	add       func(ctx context.Context, path string, progress func(done, total int64)) (snapshot.Artifact, error)
	decisions []snapshot.Decision
	rules     []snapshot.PolicyRule
	proof     snapshot.Proof
	tested    chan struct{} // lets the test of the credential end
}

func (w *world) did(format string, args ...any) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, fmt.Sprintf(format, args...))
	return w.err
}

func (w *world) all() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.calls, "|")
}

func (w *world) Add(ctx context.Context, path string, progress func(done, total int64)) (snapshot.Artifact, error) {
	err := w.did("add %s", path)
	if w.add != nil {
		return w.add(ctx, path, progress)
	}
	return snapshot.Artifact{ID: "new"}, err
}
func (w *world) Rename(_ context.Context, a, n string) error { return w.did("rename %s %s", a, n) }
func (w *world) Remove(_ context.Context, a string) error    { return w.did("remove %s", a) }
func (w *world) Pack(_ context.Context, image string, engine bool, name string, progress func(string)) (snapshot.Artifact, error) {
	progress("Pulling \x1b[1mlayer")
	return snapshot.Artifact{ID: "packed"}, w.did("pack %s as %q, engine %v", image, name, engine)
}

func (w *world) Make(_ context.Context, recipe, base, name string, progress func(string)) (snapshot.Artifact, error) {
	progress("Step 1/12")
	return snapshot.Artifact{ID: "made"}, w.did("make %s on %q as %q", recipe, base, name)
}

func (w *world) Images(context.Context) ([]snapshot.Image, error) {
	return []snapshot.Image{{Ref: "node:22", Size: 220e6, Fits: true}, {Ref: "other:1", Size: 1e6}}, w.err
}

func (w *world) Recipes(context.Context) ([]snapshot.Recipe, error) {
	return []snapshot.Recipe{
		{Name: "claude", Title: "Claude Code on a small Debian"},
		{Name: "mine", Own: true, Base: "debian:13", Made: []string{"mine"}, Stale: []string{"mine"}},
		{Name: "typo", Own: true, Problem: &snapshot.Problem{What: "reading the recipe typo", Why: "line 1: there is no setting titel", Cure: "correct it"}},
	}, w.err
}

func (w *world) Launch(_ context.Context, a, f string) (string, error) {
	return "b9", w.did("launch %s on %q", a, f)
}
func (w *world) Stop(_ context.Context, b string) error   { return w.did("stop %s", b) }
func (w *world) Resume(_ context.Context, b string) error { return w.did("resume %s", b) }
func (w *world) Prove(_ context.Context, b string) (snapshot.Proof, error) {
	return w.proof, w.did("prove %s", b)
}

func (w *world) CopyIn(_ context.Context, b string, p []string, _ func(done, total int64)) ([]string, error) {
	return []string{"/w/x"}, w.did("copy in %s %s", b, strings.Join(p, ","))
}

func (w *world) CopyOut(_ context.Context, b string, p []string, f string, _ func(done, total int64)) ([]string, error) {
	return []string{f + "/x"}, w.did("copy out %s %s to %s", b, strings.Join(p, ","), f)
}
func (w *world) Recheck(context.Context) error                      { return w.did("recheck") }
func (w *world) SetCredential(_ context.Context, k, s string) error { return w.did("set %s %s", k, s) }
func (w *world) ClearCredential(context.Context) error              { return w.did("clear") }
func (w *world) TestCredential(context.Context) error               { <-w.tested; return w.did("test") }
func (w *world) Decisions(context.Context, string) ([]snapshot.Decision, error) {
	err := w.did("decisions")
	return w.decisions, err
}

func (w *world) Answer(_ context.Context, b, id, hash, answer string) error {
	return w.did("answer %s %s %s %s", b, id, hash, answer)
}

func (w *world) Policy(_ context.Context, b string) ([]snapshot.PolicyRule, error) {
	return w.rules, w.did("policy %s", b)
}
func (w *world) Open(b string) { _ = w.did("open %s", b) }

func setUp(t *testing.T) (*Windows, *world, *loop) {
	t.Helper()
	a := test.NewTempApp(t)
	a.Settings().SetTheme(look.Theme())
	wo, l := &world{}, &loop{signal: make(chan struct{}, 1)}
	w := New(Options{
		App: a, Post: l.post, Now: func() time.Time { return noon },
		Backend: Backend{Library: wo, Bottles: wo, Copier: wo, Setup: wo, Activity: wo, Sessions: wo},
	})
	t.Cleanup(w.Close)
	return w, wo, l
}

func shelf() []snapshot.Artifact {
	return []snapshot.Artifact{
		{ID: "aa", Name: "claude-node", Image: "docker.io/library/node:22", Digest: "sha256:9f3c1b7e5a2d8c4f", Size: 1_243_000_000, Added: noon.Add(-50 * time.Hour)},
		{ID: "bb", Name: "lab", Image: "registry.example.com/lab:7", Size: 90_000_000, Added: noon, Problem: &snapshot.Problem{Why: "made for linux/amd64, this computer runs linux/arm64"}},
	}
}

func running() snapshot.Bottle {
	at := noon.Add(-12 * time.Minute)
	return snapshot.Bottle{
		ID: "b1", Name: "docs-fix", State: snapshot.Ready, Session: snapshot.Working, Artifact: "claude-node", Isolation: snapshot.Proved,
		ProvedAt: &at, StartedAt: &at, Folder: "/home/claude/work", Release: "1.9.3", Driver: "docker",
	}
}

// texts are all texts below o that are shown, in drawing order.
func texts(o fyne.CanvasObject) []string {
	var out []string
	var walk func(fyne.CanvasObject)
	walk = func(o fyne.CanvasObject) {
		if !o.Visible() {
			return
		}
		switch x := o.(type) {
		case *look.Text:
			out = append(out, x.Text)
		case *look.Button:
			out = append(out, "["+x.Label()+"]")
		case *look.Part:
			if x.Label() != "" {
				out = append(out, "["+x.Label()+"]")
			}
		case *widget.Label:
			out = append(out, x.Text)
		case *widget.RichText:
			out = append(out, x.String())
		case *fyne.Container:
			for _, c := range x.Objects {
				walk(c)
			}
		case fyne.Widget:
			for _, c := range test.WidgetRenderer(x).Objects() {
				walk(c)
			}
		}
	}
	walk(o)
	return out
}

func shows(o fyne.CanvasObject, want string) bool {
	for _, s := range texts(o) {
		if s == want {
			return true
		}
	}
	return false
}

// press taps the button with that label below o.
func press(t *testing.T, o fyne.CanvasObject, label string) {
	t.Helper()
	var hit fyne.Tappable
	var walk func(fyne.CanvasObject)
	walk = func(o fyne.CanvasObject) {
		if !o.Visible() || hit != nil {
			return
		}
		switch x := o.(type) {
		case *look.Button:
			if x.Label() == label {
				hit = x
			}
		case *look.Part:
			if x.Label() == label {
				hit = x
			}
		case *fyne.Container:
			for _, c := range x.Objects {
				walk(c)
			}
		case fyne.Widget:
			for _, c := range test.WidgetRenderer(x).Objects() {
				walk(c)
			}
		}
	}
	walk(o)
	if hit == nil {
		t.Fatalf("no button %q among %q", label, texts(o))
	}
	hit.Tapped(nil)
}

func lib(w *Windows) *library { return w.open["library"].view.(*library) }

// dialog is what lies over a window.
func dialogOf(t *testing.T, win fyne.Window) fyne.CanvasObject {
	t.Helper()
	top := win.Canvas().Overlays().Top()
	if top == nil {
		t.Fatal("no dialog is open")
	}
	return top
}

func TestTheLibraryListsAndLaunches(t *testing.T) {
	w, wo, l := setUp(t)
	w.Update(snapshot.Snapshot{Library: shelf()})
	w.ShowLibrary("aa")
	root := w.open["library"].Content()
	for _, want := range []string{"claude-node", "docker.io/library/node:22", "9f3c1b7e5a2d", "lab", "made for linux/amd64, this computer runs linux/arm64", "90 MB", "never", "[Launch]", "[Remove]"} {
		if !shows(root, want) {
			t.Errorf("lacks %q: %q", want, texts(root))
		}
	}
	press(t, root, "Launch")
	l.until(t, "the session window", func() bool { return strings.Contains(wo.all(), "open") })
	if got := wo.all(); got != `launch aa on ""|open b9` {
		t.Errorf("did %s", got)
	}
}

func TestADamagedArtifactCannotBeLaunched(t *testing.T) {
	w, wo, _ := setUp(t)
	w.Update(snapshot.Snapshot{Library: shelf()})
	w.ShowLibrary("bb")
	press(t, w.open["library"].Content(), "Launch")
	w.Close()
	if wo.all() != "" {
		t.Errorf("did %s", wo.all())
	}
}

func TestAnEmptyLibrarySaysWhatToDo(t *testing.T) {
	w, _, _ := setUp(t)
	w.ShowLibrary("")
	root := w.open["library"].Content()
	for _, want := range []string{"No artifacts yet", "[Make a Claude Artifact…]", "[Add a file…]", "[Pack from Image…]", "Or drop one anywhere on this window."} {
		if !shows(root, want) {
			t.Errorf("lacks %q: %q", want, texts(root))
		}
	}
}

func TestDroppedFilesAreAddedAndARefusalNamesItsCure(t *testing.T) {
	w, wo, l := setUp(t)
	w.ShowLibrary("")
	root := w.open["library"].Content()
	release := make(chan struct{})
	wo.add = func(_ context.Context, path string, progress func(done, total int64)) (snapshot.Artifact, error) {
		progress(40, 100)
		<-release
		if strings.Contains(path, "bad") {
			return snapshot.Artifact{}, fault.New("adding bad.smolmachine", "its contents do not match its checksum", "copy the file again")
		}
		return snapshot.Artifact{ID: "aa"}, nil
	}
	lib(w).dropped([]string{"/tmp/bad.smolmachine", "/tmp/claude-node.smolmachine"})
	l.until(t, "progress", func() bool { return shows(root, "40 B of 100 B") })
	if !shows(root, "Adding bad.smolmachine") || !shows(root, "Adding claude-node.smolmachine") {
		t.Errorf("progress: %q", texts(root))
	}
	close(release)
	l.until(t, "both ends", func() bool { return shows(root, "Adding bad.smolmachine failed") && lib(w).added == "aa" })
	if !shows(root, "Copy the file again.") || shows(root, "[Cancel]") {
		t.Errorf("after the end: %q", texts(root))
	}
	w.Update(snapshot.Snapshot{Library: shelf()})
	if lib(w).selected != "aa" {
		t.Error("what was added is not selected")
	}
	press(t, root, "Dismiss")
	if shows(root, "Adding bad.smolmachine failed") {
		t.Error("not dismissed")
	}
}

func TestCancellingAnAddIsNoError(t *testing.T) {
	w, wo, l := setUp(t)
	w.ShowLibrary("")
	root := w.open["library"].Content()
	wo.add = func(ctx context.Context, _ string, _ func(done, total int64)) (snapshot.Artifact, error) {
		<-ctx.Done()
		return snapshot.Artifact{}, fmt.Errorf("adding: %w", ctx.Err())
	}
	lib(w).add("/tmp/a.smolmachine")
	press(t, root, "Cancel")
	l.until(t, "the end", func() bool { return !shows(root, "Adding a.smolmachine") })
	if shows(root, "[Dismiss]") {
		t.Errorf("an error is shown: %q", texts(root))
	}
}

func TestRemoveAsksAndRenameTakesAName(t *testing.T) {
	w, wo, l := setUp(t)
	w.Update(snapshot.Snapshot{Library: shelf()})
	w.ShowLibrary("aa")
	win := w.open["library"]
	press(t, win.Content(), "Remove")
	if wo.all() != "" {
		t.Fatal("removed without asking")
	}
	press(t, dialogOf(t, win), "Cancel")
	press(t, win.Content(), "Remove")
	press(t, dialogOf(t, win), "Remove")
	l.until(t, "the removal", func() bool { return strings.Contains(wo.all(), "remove aa") })

	wo.err = fault.New("renaming claude-node", "the name is taken", "choose another")
	press(t, win.Content(), "Rename")
	entry, ok := win.Canvas().Focused().(*widget.Entry)
	if !ok {
		t.Fatal("the field has not the keyboard")
	}
	entry.SetText("  other ")
	entry.OnSubmitted("")
	l.until(t, "the refusal", func() bool { return shows(win.Content(), "Renaming claude-node failed") })
	if !strings.HasSuffix(wo.all(), "rename aa other") {
		t.Errorf("did %s", wo.all())
	}
}

func TestSearchLooksAtNameAndImage(t *testing.T) {
	for text, want := range map[string]int{"": 2, "NODE": 1, "registry": 1, " lab ": 1, "zzz": 0} {
		if got := len(matching(shelf(), text)); got != want {
			t.Errorf("%q finds %d, want %d", text, got, want)
		}
	}
}

func TestACardOffersWhatItsStateAllows(t *testing.T) {
	w, wo, l := setUp(t)
	trouble := &snapshot.Problem{What: "starting the sidecar", Why: "no engine answers", Cure: "start Docker", Detail: "dial unix: refused"}
	for _, c := range []struct {
		change func(*snapshot.Bottle)
		want   string
	}{
		{func(*snapshot.Bottle) {}, "[Open] [Files…] [Stop]"},
		{func(b *snapshot.Bottle) { b.State = snapshot.Starting }, "[Cancel]"},
		{func(b *snapshot.Bottle) { b.State = snapshot.Stopping }, ""},
		{func(b *snapshot.Bottle) { b.State = snapshot.Stopped }, "[Resume] [Discard]"},
		{func(b *snapshot.Bottle) { b.State, b.Problem = snapshot.Stopped, trouble }, "[Resume] [Details] [Discard]"},
		{func(b *snapshot.Bottle) { b.State, b.Problem = snapshot.Failed, trouble }, "[Details] [Discard]"},
		{func(b *snapshot.Bottle) { b.State = snapshot.Lost }, "[Discard]"},
	} {
		b := running()
		c.change(&b)
		w.Update(snapshot.Snapshot{Bottles: []snapshot.Bottle{b}})
		w.ShowBottles("b1")
		card := w.open["bottles"].view.(*bottles).cards["b1"]
		if got := strings.Join(texts(card.buttons), " "); got != c.want {
			t.Errorf("%s: offers %q, want %q", b.State, got, c.want)
		}
	}
	b := running()
	b.State, b.Problem = snapshot.Failed, trouble
	w.Update(snapshot.Snapshot{Bottles: []snapshot.Bottle{b}})
	root := w.open["bottles"].Content()
	if !shows(root, "Starting the sidecar: no engine answers.") || !shows(root, "Start Docker.") {
		t.Errorf("the error is not told: %q", texts(root))
	}
	press(t, root, "Details")
	if !shows(w.open["problem"].Content(), "Starting the sidecar failed") {
		t.Errorf("the error does not open: %q", texts(w.open["problem"].Content()))
	}
	press(t, root, "Discard")
	l.until(t, "the end", func() bool { return strings.Contains(wo.all(), "stop b1") })
}

func TestCardsStayTheSameObjectsWhenSnapshotsCome(t *testing.T) {
	w, _, _ := setUp(t)
	w.Update(snapshot.Snapshot{Bottles: []snapshot.Bottle{running()}})
	w.ShowBottles("")
	v := w.open["bottles"].view.(*bottles)
	before := v.cards["b1"]
	b := running()
	b.Session = snapshot.NeedsYou
	w.Update(snapshot.Snapshot{Bottles: []snapshot.Bottle{b}})
	if v.cards["b1"] != before || before.state.Text != "needs you" {
		t.Error("the card was made anew, or says", before.state.Text)
	}
}

func TestSetupNamesWhatIsMissingAndItsCure(t *testing.T) {
	w, wo, l := setUp(t)
	w.Update(snapshot.Snapshot{Simulated: true, Setup: []snapshot.Check{
		{Title: "smolvm", State: snapshot.CheckOK, Finding: "1.9.3"},
		{Title: "Docker engine", State: snapshot.CheckFailed, Finding: "it does not answer", Cure: "start Docker Desktop", Command: "open -a Docker"},
		{Title: "Credential", State: snapshot.CheckWarn, Finding: "none is set", Action: "credential"},
	}})
	w.ShowSetup()
	win := w.open["setup"]
	for _, want := range []string{"1 thing is missing", "Bottles here are simulated: no VM.", "Start Docker Desktop.", "open -a Docker", "[Copy]", "[Set…]"} {
		if !shows(win.Content(), want) {
			t.Errorf("lacks %q: %q", want, texts(win.Content()))
		}
	}
	press(t, win.Content(), "Copy")
	if got := w.o.App.Clipboard().Content(); got != "open -a Docker" {
		t.Errorf("copied %q", got)
	}
	press(t, win.Content(), "Check again")
	l.until(t, "the check", func() bool { return wo.all() == "recheck" })
}

func TestTheCredentialIsHandedOverAndForgotten(t *testing.T) {
	w, wo, l := setUp(t)
	w.Update(snapshot.Snapshot{Setup: []snapshot.Check{{Title: "Credential", State: snapshot.CheckWarn, Action: "credential"}}})
	w.ShowSetup()
	win := w.open["setup"]
	press(t, win.Content(), "Set…")
	entry := win.Canvas().Focused().(*widget.Entry)
	if !entry.Password {
		t.Error("the field shows what is typed")
	}
	wo.err = fault.New("keeping the credential", "the keychain is locked", "unlock it")
	entry.SetText(" sk-ant-oat01-x ")
	press(t, dialogOf(t, win), "Set")
	l.until(t, "the refusal", func() bool {
		return shows(dialogOf(t, win), "Keeping the credential: the keychain is locked. Unlock it.")
	})
	wo.mu.Lock()
	wo.err = nil
	wo.mu.Unlock()
	press(t, dialogOf(t, win), "Set")
	l.until(t, "the end", func() bool { return win.Canvas().Overlays().Top() == nil })
	if entry.Text != "" {
		t.Error("the secret stays in the field")
	}
	if got := wo.all(); got != "set token sk-ant-oat01-x|set token sk-ant-oat01-x" {
		t.Errorf("did %s", got)
	}
}

func launchable(s snapshot.Snapshot) snapshot.Snapshot {
	s.Library = []snapshot.Artifact{{ID: "aa"}}
	return s
}

func TestTheCredentialsTestIsSeenToRunAndItsAnswerIsReadToTheEnd(t *testing.T) {
	w, wo, l := setUp(t)
	wo.tested = make(chan struct{})
	c := snapshot.Check{ID: "credential", Title: "Credential", State: snapshot.CheckOK, Action: "credential", Credential: true, Finding: "API key ending in 5678"}
	w.Update(snapshot.Snapshot{Setup: []snapshot.Check{c}})
	w.ShowSetup()
	root := w.open["setup"].Content()
	press(t, root, "Test")
	if !shows(root, "Asking the API about it") {
		t.Errorf("while it runs it shows %q", texts(root))
	}
	press(t, root, "Test") // asks nothing anew
	close(wo.tested)
	l.until(t, "the end", func() bool { return !shows(root, "Asking the API about it") })
	if got := wo.all(); got != "test" {
		t.Errorf("did %s", got)
	}
	c.State, c.Finding = snapshot.CheckWarn, "the API refuses it (invalid x-api-key): API key ending in 5678, in this process's environment"
	w.Update(snapshot.Snapshot{Setup: []snapshot.Check{c}})
	if !shows(root, c.Finding) {
		t.Errorf("the answer is %q", texts(root))
	}
}

func TestSetupHeading(t *testing.T) {
	check := func(states ...snapshot.CheckState) snapshot.Snapshot {
		var s snapshot.Snapshot
		for _, c := range states {
			s.Setup = append(s.Setup, snapshot.Check{State: c})
		}
		return s
	}
	for _, c := range []struct {
		s    snapshot.Snapshot
		want string
		good bool
	}{
		{check(), "Looking at this computer", false},
		{check(snapshot.CheckRunning, snapshot.CheckOK), "Looking at this computer", false},
		{check(snapshot.CheckFailed, snapshot.CheckRunning), "1 thing is missing", false},
		{check(snapshot.CheckFailed, snapshot.CheckFailed), "2 things are missing", false},
		{check(snapshot.CheckOK, snapshot.CheckWarn), "1 thing to do", false}, // no artifact
		{launchable(check(snapshot.CheckOK, snapshot.CheckWarn)), "You can launch; 1 thing is left to do", true},
		{launchable(check(snapshot.CheckOK, snapshot.CheckOK)), "All good: you can launch", true},
		{launchable(snapshot.Snapshot{Simulated: true, Setup: []snapshot.Check{{ID: "smolvm", State: snapshot.CheckWarn}}}), "All good: you can launch", true},
	} {
		if got, _, good := setupHeading(c.s); got != c.want || good != c.good {
			t.Errorf("%v: %q %v", c.s.Setup, got, good)
		}
	}
}

func TestActivityShowsTheNewestFirstAndFilters(t *testing.T) {
	all := []snapshot.Decision{
		{Time: noon, Bottle: "a", Verdict: "allowed", Host: "api.anthropic.com", Port: 443, Rule: "api route"},
		{Time: noon, Bottle: "b", Verdict: "denied", Host: "evil.example", Port: 443, Rule: "not on the list"},
		{Time: noon, Bottle: "id-a", Verdict: "denied", Host: "169.254.169.254", Port: 80, Rule: "metadata address"},
	}
	for _, c := range []struct {
		name, id, verdict, text, want string
	}{
		{"", "", allVerdicts, "", "169.254.169.254 evil.example api.anthropic.com"},
		{"a", "id-a", allVerdicts, "", "169.254.169.254 api.anthropic.com"},
		{"", "", onlyBlocked, "", "169.254.169.254 evil.example"},
		{"", "", onlyAllowed, "", "api.anthropic.com"},
		{"", "", allVerdicts, "LIST", "evil.example"},
		{"b", "id-b", onlyAllowed, "", ""},
	} {
		var hosts []string
		for _, d := range passing(all, c.name, c.id, c.verdict, c.text) {
			hosts = append(hosts, d.Host)
		}
		if got := strings.Join(hosts, " "); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

func TestARowOfActivityKeepsTheEndOfALongHost(t *testing.T) {
	d := snapshot.Decision{
		Time: noon, Bottle: "docs-fix", Verdict: "denied", Host: "api.anthropic.com." + strings.Repeat("x", 200) + ".evil.example", Port: 443,
		Rule: "not on the list", Up: 300, Down: 1200, Took: 41 * time.Millisecond, Count: 7,
	}
	got := decisionCells(d, noon)
	if !strings.HasPrefix(got[3], "…") || !strings.HasSuffix(got[3], ".evil.example:443  ×7") {
		t.Errorf("host %q", got[3])
	}
	if got[0] != "12:00:00" || got[2] != "blocked" || got[5] != "1.5 kB" || got[6] != "41" {
		t.Errorf("cells %q", got)
	}
}

func TestActivityAsksOnlyWhenTheCountsChange(t *testing.T) {
	w, wo, l := setUp(t)
	b := running()
	wo.decisions = []snapshot.Decision{{Time: noon, Bottle: "docs-fix", Verdict: "allowed", Host: "api.anthropic.com"}}
	w.Update(snapshot.Snapshot{Bottles: []snapshot.Bottle{b}})
	w.ShowActivity("b1")
	a := w.open["activity"].view.(*activity)
	l.until(t, "the rows", func() bool { return len(a.rows) == 1 && !a.loading })
	if a.bottle.Selected != "docs-fix" {
		t.Errorf("the bottle is not selected: %q", a.bottle.Selected)
	}
	asked := strings.Count(wo.all(), "decisions")
	for range 5 {
		w.Update(snapshot.Snapshot{Bottles: []snapshot.Bottle{b}})
	}
	if a.loading || strings.Count(wo.all(), "decisions") != asked {
		t.Error("asked although nothing happened")
	}
	b.Blocked = 1
	w.Update(snapshot.Snapshot{Bottles: []snapshot.Bottle{b}})
	l.until(t, "the question", func() bool { return strings.Count(wo.all(), "decisions") == asked+1 && !a.loading })
}

func TestCopyInAndOut(t *testing.T) {
	w, wo, l := setUp(t)
	w.Update(snapshot.Snapshot{Bottles: []snapshot.Bottle{running()}})
	w.ShowCopyIn("b1")
	in := w.open["copy-in b1"]
	press(t, in.Content(), "Copy in") // nothing chosen: nothing done
	in.view.(*chosen).add("/tmp/a", "/tmp/b/")
	press(t, in.Content(), "Remove")
	press(t, in.Content(), "Copy in")
	l.until(t, "the copy", func() bool { return shows(in.Content(), "Copied") })
	if got := wo.all(); got != "copy in b1 /tmp/b" {
		t.Errorf("did %s", got)
	}
	wo.err = errors.Join(fault.New("copying x", "it is a socket", "copy files"), fault.New("copying y", "it vanished", "try again"))
	w.ShowCopyOut("b1")
	out := w.open["copy-out b1"]
	press(t, out.Content(), "Copy out") // no path: nothing done
	for _, o := range entries(out.Content()) {
		if o.MultiLine {
			o.SetText(" results.csv\n\n/etc/os-release ")
		} else {
			o.SetText("/tmp/out")
		}
	}
	press(t, out.Content(), "Copy out")
	l.until(t, "the errors", func() bool {
		return shows(out.Content(), "Copying x failed") && shows(out.Content(), "Copying y failed")
	})
	if !strings.HasSuffix(wo.all(), "|copy out b1 results.csv,/etc/os-release to /tmp/out") {
		t.Errorf("did %s", wo.all())
	}
}

func entries(o fyne.CanvasObject) []*widget.Entry {
	var out []*widget.Entry
	switch x := o.(type) {
	case *widget.Entry:
		out = append(out, x)
	case *fyne.Container:
		for _, c := range x.Objects {
			out = append(out, entries(c)...)
		}
	}
	return out
}

func TestLaunchOnAFolderWantsAFolder(t *testing.T) {
	w, wo, l := setUp(t)
	w.Update(snapshot.Snapshot{Library: shelf()})
	w.ShowLaunchOn("aa")
	win := w.open["launch aa"]
	entry := entries(win.Content())[0]
	entry.SetText("/nowhere/at/all")
	press(t, win.Content(), "Launch")
	l.until(t, "the refusal", func() bool { return shows(win.Content(), "Opening /nowhere/at/all failed") })
	dir := t.TempDir()
	entry.SetText(dir)
	press(t, win.Content(), "Launch")
	l.until(t, "the launch", func() bool { return strings.Contains(wo.all(), "open b9") })
	if wo.all() != fmt.Sprintf("launch aa on %q|open b9", dir) || w.open["launch aa"] != nil {
		t.Errorf("did %s", wo.all())
	}
}

func TestPackShowsWhatIsPrintedAndThenTheArtifact(t *testing.T) {
	w, wo, l := setUp(t)
	w.ShowPack()
	win := w.open["pack"]
	press(t, win.Content(), "Pack") // no image: nothing done
	e := entries(win.Content())
	e[0].SetText("node:22")
	press(t, win.Content(), "Pack")
	l.until(t, "the library", func() bool { return w.open["library"] != nil })
	l.until(t, "the end", func() bool { return shows(win.Content(), "Packed") })
	if got := wo.all(); got != `pack node:22 as "", engine false` {
		t.Errorf("did %s", got)
	}
	if !shows(win.Content(), "Pulling �[1mlayer") {
		t.Errorf("the output is missing or not cleaned: %q", texts(win.Content()))
	}
}

func TestPackOffersTheEnginesImagesThatFit(t *testing.T) {
	w, wo, l := setUp(t)
	w.ShowPack()
	win := w.open["pack"]
	p := win.view.(*packing)
	p.where.SetSelected(inEngine)
	l.until(t, "the images", func() bool { return len(p.choice.Options) == 1 })
	if !shows(win.Content(), "1 image; 1 other is for another processor. The engine hands it to smolvm; nothing is uploaded.") {
		t.Errorf("shows %q", texts(win.Content()))
	}
	press(t, win.Content(), "Pack") // none chosen: nothing done
	p.choice.SetSelectedIndex(0)
	press(t, win.Content(), "Pack")
	l.until(t, "the end", func() bool { return shows(win.Content(), "Packed") })
	if got := wo.all(); got != `pack node:22 as "", engine true` {
		t.Errorf("did %s", got)
	}
}

func TestMakeTakesTheShippedRecipeUnlessOneIsChosen(t *testing.T) {
	w, wo, l := setUp(t)
	w.ShowMake("")
	win := w.open["make"]
	m := win.view.(*making)
	l.until(t, "the recipes", func() bool { return m.recipe.Selected == "claude" })
	if !shows(win.Content(), "Claude Code on a small Debian") {
		t.Errorf("shows %q", texts(win.Content()))
	}
	m.recipe.SetSelected("typo")
	press(t, win.Content(), "Make") // it has a problem: nothing done
	if !strings.Contains(m.hint.Text, "There is no setting titel") && !strings.Contains(m.hint.Text, "there is no setting titel") {
		t.Errorf("hints %q", m.hint.Text)
	}
	m.recipe.SetSelected("mine")
	if m.hint.Text != "Changed since mine was made." || m.base.PlaceHolder != "debian:13" {
		t.Errorf("hints %q, base %q", m.hint.Text, m.base.PlaceHolder)
	}
	m.base.SetText("debian:14")
	press(t, win.Content(), "Make")
	l.until(t, "the end", func() bool { return shows(win.Content(), "Made") })
	if got := wo.all(); got != `make mine on "debian:14" as ""` {
		t.Errorf("did %s", got)
	}
}

func TestAProofIsRunAndReported(t *testing.T) {
	w, wo, l := setUp(t)
	wo.proof = snapshot.Proof{Time: noon, Lines: []snapshot.Attempt{
		{Group: "ways out", Tried: "connect to the host", Expect: "refused", Found: "network is unreachable", By: "no network device", Holds: true},
		{Group: "the machine", Tried: "list interfaces", Expect: "only lo", Found: "lo eth0", Holds: false},
	}, Evidence: "/state/evidence/b1"}
	w.Update(snapshot.Snapshot{Bottles: []snapshot.Bottle{running()}})
	w.ShowProof("b1")
	win := w.open["proof b1"]
	l.until(t, "the report", func() bool { return shows(win.Content(), "The isolation does not hold") })
	for _, want := range []string{"1 of 2 attempts did not go as they must, at 12:00.", "Connect to the host", "Ways out", "What did not go as it must", "found: network is unreachable · no network device", "The bottle was stopped. Until you discard it, what was found is kept in", "/state/evidence/b1", "found: lo eth0", "expected: only lo"} {
		if !shows(win.Content(), want) {
			t.Errorf("lacks %q: %q", want, texts(win.Content()))
		}
	}
	all := texts(win.Content())
	if slices.Index(all, "List interfaces") > slices.Index(all, "Connect to the host") {
		t.Errorf("the miss stands below what held: %q", all)
	}
	if slices.Contains(all, "[Prove again]") {
		t.Error("offers to prove a bottle that was stopped")
	}
	wo.proof.Holds, wo.proof.Lines = true, wo.proof.Lines[:1]
	w.ShowProof("b1")
	l.until(t, "the second report", func() bool { return shows(win.Content(), "The isolation holds") })
	press(t, win.Content(), "Prove again")
	l.until(t, "the third report", func() bool { return shows(win.Content(), "The isolation holds") })
}

func TestAFailureFromTheMenuOpensAWindowAndACancelDoesNot(t *testing.T) {
	w, wo, l := setUp(t)
	wo.err = fmt.Errorf("launching: %w", context.Canceled)
	w.Launch("aa", "")
	w.Stop("b1")
	l.until(t, "both ends", func() bool { return strings.Contains(wo.all(), "stop") && strings.Contains(wo.all(), "launch") })
	w.work.Wait()
	l.post(func() {})
	ran := false
	l.post(func() { ran = true })
	l.until(t, "the answers", func() bool { return ran })
	if w.open["problem"] != nil {
		t.Error("a cancel is shown as an error")
	}
	wo.err = fault.New("launching claude-node", "the disk is full", "free 5 GB")
	w.Launch("aa", "")
	l.until(t, "the window", func() bool { return w.open["problem"] != nil })
	root := w.open["problem"].Content()
	if !shows(root, "Launching claude-node failed") || !shows(root, "The disk is full.") || !shows(root, "Free 5 GB.") {
		t.Errorf("says %q", texts(root))
	}
}

func TestAClosedWindowTakesNoSnapshots(t *testing.T) {
	w, _, _ := setUp(t)
	w.ShowLibrary("")
	f := w.open["library"]
	f.shown = false
	w.Update(snapshot.Snapshot{Library: shelf()})
	if len(lib(w).all) != 0 {
		t.Error("a hidden window was updated")
	}
	w.ShowLibrary("")
	if len(lib(w).all) != 2 {
		t.Error("a window that comes back shows old rows")
	}
}

// The toolkit's file dialog has no size before it is shown and panics when it
// is asked for one.
func TestEveryFileDialogOpens(t *testing.T) {
	w, _, _ := setUp(t)
	w.Update(snapshot.Snapshot{Bottles: []snapshot.Bottle{running()}, Library: shelf()})
	w.ShowAdd()
	dialogOf(t, w.open["library"])
	w.ShowLaunchOn("aa")
	press(t, w.open["launch aa"].Content(), "Choose…")
	dialogOf(t, w.open["launch aa"])
	w.ShowCopyIn("b1")
	press(t, w.open["copy-in b1"].Content(), "Add file…")
	dialogOf(t, w.open["copy-in b1"])
	w.ShowCopyOut("b1")
	press(t, w.open["copy-out b1"].Content(), "Choose…")
	dialogOf(t, w.open["copy-out b1"])
}
