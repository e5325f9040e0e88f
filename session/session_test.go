package session

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/storage"
	"fyne.io/fyne/v2/test"

	"bottlebar.app/assets/look"
	"bottlebar.app/internal/fault"
	"bottlebar.app/snapshot"
	"bottlebar.app/terminal"
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

// program is a Conn whose output the test writes and whose input it reads.
type program struct {
	*io.PipeReader
	out  *io.PipeWriter
	mu   sync.Mutex
	in   strings.Builder
	code *int
}

func newProgram() *program {
	r, w := io.Pipe()
	return &program{PipeReader: r, out: w}
}

func (p *program) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.in.Write(b)
}

func (p *program) typed() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.in.String()
}

func (p *program) Close() error                { return p.PipeReader.Close() }
func (p *program) Resize(cols, rows int) error { return nil }
func (p *program) ExitCode() (int, bool) {
	if p.code == nil {
		return 0, false
	}
	return *p.code, true
}

// world is the Backend and the Opener of a test.
type world struct {
	mu       sync.Mutex
	attached []string // "bottle/session"
	programs []*program
	refuse   error
	size     [2]int // that was asked for last
	copied   [][]string
	copyIn   func(ctx context.Context, paths []string, progress func(done, total int64)) ([]string, error)
	opened   []string
}

func (w *world) Attach(_ context.Context, bottle, session string, cols, rows int) (terminal.Conn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.attached = append(w.attached, bottle+"/"+session)
	w.size = [2]int{cols, rows}
	if w.refuse != nil {
		return nil, w.refuse
	}
	p := newProgram()
	w.programs = append(w.programs, p)
	return p, nil
}

func (w *world) CopyIn(ctx context.Context, bottle string, paths []string, progress func(done, total int64)) ([]string, error) {
	w.mu.Lock()
	w.copied = append(w.copied, paths)
	f := w.copyIn
	w.mu.Unlock()
	return f(ctx, paths, progress)
}

func (w *world) last() *program {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.programs[len(w.programs)-1]
}

func (w *world) joins() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.attached, " ")
}

func (w *world) Stop(b string)         { w.opened = append(w.opened, "stop "+b) }
func (w *world) ShowProblem(b string)  { w.opened = append(w.opened, "problem "+b) }
func (w *world) ShowBottles(b string)  { w.opened = append(w.opened, "bottles "+b) }
func (w *world) ShowLibrary(a string)  { w.opened = append(w.opened, "library "+a) }
func (w *world) ShowActivity(b string) { w.opened = append(w.opened, "activity "+b) }
func (w *world) ShowProof(b string)    { w.opened = append(w.opened, "proof "+b) }

func setup(t *testing.T) (*Windows, *world, *loop) {
	t.Helper()
	a := test.NewTempApp(t)
	a.Settings().SetTheme(look.Theme())
	wo, l := &world{}, &loop{signal: make(chan struct{}, 1)}
	w := New(Options{App: a, Backend: wo, Opener: wo, Post: l.post, Now: func() time.Time { return noon }, FontCache: t.TempDir()})
	t.Cleanup(w.Close)
	return w, wo, l
}

func bottle() snapshot.Bottle {
	at := noon.Add(-12 * time.Minute)
	return snapshot.Bottle{
		ID: "b1", Name: "docs-fix", State: snapshot.Ready, Session: snapshot.Working, Artifact: "claude-node", ArtifactID: "aa",
		Isolation: snapshot.Proved, ProvedAt: &at, StartedAt: &at, Folder: "/home/claude/work", Driver: "docker",
	}
}

func with(b ...snapshot.Bottle) snapshot.Snapshot { return snapshot.Snapshot{Bottles: b} }

// open shows the main window of b1 with its session joined.
func open(t *testing.T, w *Windows, wo *world, l *loop) *view {
	t.Helper()
	w.Update(with(bottle()))
	w.Open("b1")
	v := painted(w, key{"b1", Main})
	l.until(t, "the session", func() bool { return v.phase == live })
	return v
}

// painted gives a window its first frame, as the desktop does once it shows it.
func painted(w *Windows, k key) *view {
	win := w.open[k]
	win.Resize(fyne.NewSize(420, 260)) // a small one is painted sooner
	win.Canvas().Capture()
	return win.view
}

func TestANewWindowTakesTheSettingOfOption(t *testing.T) {
	w, wo, l := setup(t)
	meta := false
	w.o.Mac, w.o.OptionIsMeta = true, func() bool { return meta }
	optionB := func(v *view) string {
		v.term.KeyDown(&fyne.KeyEvent{Name: fyne.KeyB})
		v.term.TypedShortcut(&desktop.CustomShortcut{KeyName: fyne.KeyB, Modifier: fyne.KeyModifierAlt})
		v.term.TypedRune('∫')
		l.until(t, "what was typed", func() bool { return wo.last().typed() != "" })
		return wo.last().typed()
	}
	if got := optionB(open(t, w, wo, l)); got != "∫" {
		t.Errorf("Option and B typed %q, want its character", got)
	}
	meta = true
	w.Shell("b1")
	v := painted(w, key{"b1", "shell-1"})
	l.until(t, "the shell", func() bool { return v.phase == live })
	if got := optionB(v); got != "\x1bb" {
		t.Errorf("Option as Meta and B typed %q in a new window", got)
	}
}

func TestOpeningJoinsTheSessionOnceAndClosingHidesIt(t *testing.T) {
	w, wo, l := setup(t)
	v := open(t, w, wo, l)
	if got := w.open[v.k].Title(); got != "docs-fix — Bottlebar" {
		t.Errorf("title %q", got)
	}
	w.hide(v.k)
	if w.Shown("b1") {
		t.Error("the window is still shown")
	}
	w.Update(with(bottle()))
	w.Open("b1")
	if !w.Shown("b1") || v.phase != live || wo.joins() != "b1/main" {
		t.Errorf("after opening again: shown %v, joined %q", w.Shown("b1"), wo.joins())
	}
}

func TestAWindowWaitsForItsBottleAndShowsTheSteps(t *testing.T) {
	w, wo, l := setup(t)
	b := bottle()
	b.State, b.Steps = snapshot.Proving, []snapshot.Step{{Title: "Proving isolation", State: snapshot.StepRunning}}
	w.Update(with(b))
	w.Open("b1")
	v := painted(w, key{"b1", Main})
	if len(v.cover.Objects) == 0 || wo.joins() != "" {
		t.Errorf("%d things over the terminal, joined %q", len(v.cover.Objects), wo.joins())
	}
	w.Update(with(bottle()))
	l.until(t, "the session", func() bool { return v.phase == live })
	if len(v.cover.Objects) != 0 {
		t.Error("the steps still cover the session")
	}
}

// launching is a bottle on its way.
func launching() snapshot.Bottle {
	b := bottle()
	b.State, b.Session, b.StartedAt = snapshot.Starting, snapshot.NoSession, nil
	b.Steps = []snapshot.Step{{Title: "Preparing the machine", State: snapshot.StepDone}, {Title: "Starting the VM", State: snapshot.StepRunning}}
	return b
}

func TestACancelledLaunchClosesItsWindow(t *testing.T) {
	w, wo, _ := setup(t)
	w.Update(with(launching()))
	w.Open("b1")
	painted(w, key{"b1", Main}).discard()
	if len(wo.opened) != 1 || wo.opened[0] != "stop b1" {
		t.Errorf("asked for %q", wo.opened)
	}
	b := launching()
	b.State = snapshot.Stopping
	w.Update(with(b))
	if !w.Shown("b1") {
		t.Error("the window went before the bottle")
	}
	w.Update(with())
	if len(w.open) != 0 {
		t.Error("the window stays, with nothing to see in it")
	}
}

func TestAFailedLaunchSaysWhatWhyAndWhatToDo(t *testing.T) {
	w, wo, _ := setup(t)
	w.Update(with(launching()))
	w.Open("b1")
	v := painted(w, key{"b1", Main})
	b := launching()
	b.State, b.Steps[1].State = snapshot.Failed, snapshot.StepFailed
	b.Problem = &snapshot.Problem{What: "starting the VM", Why: "it ended at once", Cure: "look at the log", Detail: "exit status 1"}
	w.Update(with(b))
	m, ok := v.standing()
	if !ok || m.Title != "Starting the VM failed" || strings.Join(m.Lines, " ") != "It ended at once. Look at the log." {
		t.Errorf("%q %q", m.Title, m.Lines)
	}
	for _, c := range m.Choices {
		c.Do()
	}
	if got := strings.Join(wo.opened, ", "); got != "problem b1, stop b1" {
		t.Errorf("Details and Discard asked for %q", got)
	}
}

func TestAResumedBottleGetsItsSessionBack(t *testing.T) {
	w, wo, l := setup(t)
	v := open(t, w, wo, l)
	_ = wo.last().out.CloseWithError(errors.New("the VM is gone"))
	l.until(t, "the break", func() bool { return v.phase == cutOff })
	b := bottle()
	b.State = snapshot.Stopped
	w.Update(with(b))
	w.Update(with(launching()))
	if len(v.cover.Objects) == 0 {
		t.Error("the steps of the resume are not shown")
	}
	w.Update(with(bottle()))
	l.until(t, "the session", func() bool { return v.phase == live })
}

// A session that is joined before the grid has its size would be drawn for
// another one, and be off by the lines that wrap differently.
func TestASessionIsJoinedOnceItsGridIsKnown(t *testing.T) {
	w, wo, l := setup(t)
	w.Update(with(bottle()))
	w.Open("b1")
	if wo.joins() != "" {
		t.Fatal("joined before the window was painted")
	}
	v := painted(w, key{"b1", Main})
	l.until(t, "the session", func() bool { return v.phase == live })
	wo.mu.Lock()
	asked := wo.size
	wo.mu.Unlock()
	if cols, rows := v.term.GridSize(); asked != [2]int{cols, rows} || cols == 80 {
		t.Errorf("joined for %v, the grid is %d by %d", asked, cols, rows)
	}
}

func TestTwoBottlesMayBeAwaitedAtOnce(t *testing.T) {
	w, _, _ := setup(t)
	w.Open("b1")
	w.Open("b2")
	other := bottle()
	other.ID = "b2"
	w.Update(with(bottle()))
	w.Update(with(bottle(), other))
	if !w.Shown("b1") || !w.Shown("b2") {
		t.Errorf("shown: %v, %v", w.Shown("b1"), w.Shown("b2"))
	}
}

func TestABottleMayBeOpenedBeforeItIsKnown(t *testing.T) {
	w, wo, l := setup(t)
	w.Open("b1")
	if len(w.open) != 0 {
		t.Fatal("a window on nothing")
	}
	w.Update(with(bottle()))
	if !w.Shown("b1") {
		t.Fatal("the window did not come with the bottle")
	}
	v := painted(w, key{"b1", Main})
	l.until(t, "the session", func() bool { return v.phase == live })
	if wo.joins() != "b1/main" {
		t.Errorf("joined %q", wo.joins())
	}
}

func TestTheEndOfTheProgramIsToldWithItsCodeAndAWayOn(t *testing.T) {
	w, wo, l := setup(t)
	v := open(t, w, wo, l)
	code := 3
	p := wo.last()
	p.code = &code
	_ = p.out.Close()
	l.until(t, "the end", func() bool { return v.phase == ended })
	m, ok := v.standing()
	if !ok || m.Title != "The session has ended, exit code 3" {
		t.Errorf("says %q", m.Title)
	}
	var labels []string
	for _, c := range m.Choices {
		labels = append(labels, c.Label)
	}
	if got := strings.Join(labels, ", "); got != "Close, Shell, Start again" {
		t.Errorf("offers %s", got)
	}
	m.Choices[2].Do()
	l.until(t, "the new session", func() bool { return v.phase == live })
	if wo.joins() != "b1/main b1/main" {
		t.Errorf("joined %q", wo.joins())
	}
}

func TestASessionOutOfReachCanBeTriedAgain(t *testing.T) {
	w, wo, l := setup(t)
	wo.refuse = fault.New("joining the session", "the helper does not answer", "stop the bottle")
	w.Update(with(bottle()))
	w.Open("b1")
	v := painted(w, key{"b1", Main})
	l.until(t, "the refusal", func() bool { return v.phase == cutOff })
	m, _ := v.standing()
	if m.Title != "The session cannot be reached" || strings.Join(m.Lines, " ") != "Joining the session: the helper does not answer. Stop the bottle." {
		t.Errorf("%q %q", m.Title, m.Lines)
	}
	wo.mu.Lock()
	wo.refuse = nil
	wo.mu.Unlock()
	m.Choices[0].Do()
	l.until(t, "the session", func() bool { return v.phase == live })
}

func TestASessionComesBackWithItsHelper(t *testing.T) {
	w, wo, l := setup(t)
	v := open(t, w, wo, l)
	_ = wo.last().out.CloseWithError(errors.New("the stream broke"))
	l.until(t, "the break", func() bool { return v.phase == cutOff })
	b := bottle()
	b.HelperLost = true
	w.Update(with(b))
	if v.phase != cutOff {
		t.Fatal("joined while the helper is lost")
	}
	w.Update(with(bottle()))
	l.until(t, "the session", func() bool { return v.phase == live })
}

func TestAWindowSaysThatItsBottleIsGone(t *testing.T) {
	w, wo, l := setup(t)
	v := open(t, w, wo, l)
	w.Update(with())
	m, ok := v.standing()
	if !ok || m.Title != "This bottle was stopped" {
		t.Errorf("says %q", m.Title)
	}
	m.Choices[0].Do()
	if len(w.open) != 0 {
		t.Error("the window is still there")
	}
	v = open(t, w, wo, l)
	w.hide(v.k)
	w.Update(with())
	if len(w.open) != 0 {
		t.Error("a hidden window outlives its bottle")
	}
}

func TestShellsAreWindowsOfTheirOwn(t *testing.T) {
	w, wo, l := setup(t)
	open(t, w, wo, l)
	w.Shell("b1")
	w.Shell("b1")
	painted(w, key{"b1", "shell-1"})
	painted(w, key{"b1", "shell-2"})
	l.until(t, "three sessions", func() bool { return strings.Count(wo.joins(), "/") == 3 })
	for _, want := range []string{"b1/main", "b1/shell-1", "b1/shell-2"} {
		if !strings.Contains(wo.joins(), want) {
			t.Errorf("joined %q", wo.joins())
		}
	}
	if got := w.open[key{"b1", "shell-1"}].Title(); got != "docs-fix (shell) — Bottlebar" {
		t.Errorf("title %q", got)
	}
	w.hide(key{"b1", "shell-1"})
	w.Shell("b1") // the one that was closed while its shell went on
	if len(w.open) != 3 || !w.open[key{"b1", "shell-1"}].shown {
		t.Errorf("%d windows", len(w.open))
	}
}

func TestEachPartOfTheStatusLineOpensWhatItNames(t *testing.T) {
	w, wo, l := setup(t)
	v := open(t, w, wo, l)
	b := bottle()
	b.Allowed, b.Simulated = 4, true
	full, cost := 42, 0.314
	b.Context, b.Cost = &full, &cost
	w.Update(with(b))
	var labels []string
	for _, p := range v.line.left {
		labels = append(labels, p.Label())
		p.Tapped(nil)
	}
	if got := strings.Join(labels, "|"); got != "working|docs-fix|simulated: no VM|claude-node|proved 11:48|4 ok · 0 blocked|ctx 42 % · $0.31" {
		t.Errorf("says %s", got)
	}
	if got := strings.Join(wo.opened, "|"); got != "bottles b1|bottles b1|library aa|proof b1|activity b1|bottles b1" {
		t.Errorf("opened %s", got)
	}
}

func TestTheWindowsOwnShortcutsAreFewAndTheRestAreTheProgram(t *testing.T) {
	for _, mac := range []bool{true, false} {
		w, wo, l := setup(t)
		w.o.Mac = mac
		v := open(t, w, wo, l)
		own := v.shortcuts()
		if !v.shortcut(own[1].keys) || len(w.open) != 2 {
			t.Errorf("mac %v: no shell from its shortcut", mac)
		}
		if !v.shortcut(own[0].keys) || w.Shown("b1") {
			t.Errorf("mac %v: not closed by its shortcut", mac)
		}
		if v.shortcut(&fyne.ShortcutCopy{}) {
			t.Errorf("mac %v: takes a shortcut that is the terminal's", mac)
		}
	}
}

func uris(paths ...string) []fyne.URI {
	var out []fyne.URI
	for _, p := range paths {
		out = append(out, storage.NewFileURI(p))
	}
	return out
}

func TestADropIsCopiedAndItsPathTypedAtThePrompt(t *testing.T) {
	w, wo, l := setup(t)
	v := open(t, w, wo, l)
	release := make(chan struct{})
	wo.copyIn = func(_ context.Context, paths []string, progress func(done, total int64)) ([]string, error) {
		progress(50, 100)
		<-release
		return []string{"/home/claude/work/a b.txt", "/home/claude/work/-rf"}, nil
	}
	v.dropped(fyne.Position{}, uris("/tmp/a b.txt", "/tmp/-rf"))
	if v.copies.now == nil || v.veil.Hidden || v.line.right[1].Label() != "Cancel" {
		t.Error("a copy under way is not shown")
	}
	l.until(t, "progress", func() bool { return strings.Contains(v.line.right[0].Label(), "50 B of 100 B") })
	close(release)
	p := wo.last()
	l.until(t, "the end of the copy", func() bool { return v.copies.now == nil })
	waitTyped(t, p, `'/home/claude/work/a b.txt' /home/claude/work/-rf `)
	if !v.veil.Hidden || v.line.right[1].Label() != "" || v.drops.Title != "" {
		t.Error("the copy is still shown")
	}
}

// waitTyped polls what arrived at the program: its writer is a goroutine of
// the terminal's.
func waitTyped(t *testing.T, p *program, want string) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); <-tick.C {
		if strings.Contains(p.typed(), want) {
			break
		}
	}
	if got := p.typed(); !strings.Contains(got, want) || strings.ContainsAny(got, "\r\n") {
		t.Errorf("typed %q, want %q", got, want)
	}
}

func TestWhatCannotBeCopiedIsToldAndTheRestGoesOn(t *testing.T) {
	w, wo, l := setup(t)
	v := open(t, w, wo, l)
	wo.copyIn = func(context.Context, []string, func(done, total int64)) ([]string, error) {
		return []string{"/w/good"}, errors.Join(
			errors.Join(fault.New("copying daemon.sock", "it is a socket", "copy regular files and folders")),
			fault.New("copying gone\x1b[2J.txt", "it vanished", "drop it again"))
	}
	v.dropped(fyne.Position{}, uris("/tmp/good", "/tmp/daemon.sock", "/tmp/gone.txt"))
	l.until(t, "the end of the copy", func() bool { return v.copies.now == nil })
	waitTyped(t, wo.last(), "/w/good ")
	if v.drops.Title != "2 of 3 dropped items not copied" {
		t.Errorf("title %q", v.drops.Title)
	}
	if got := strings.Join(v.drops.Lines, "|"); got != "Copying daemon.sock: it is a socket. Copy regular files and folders.|Copying gone�[2J.txt: it vanished. Drop it again." {
		t.Errorf("lines %s", got)
	}
	v.drops.Choices[0].Do()
	if v.drops.Title != "" {
		t.Error("not dismissed")
	}
}

func TestACancelledCopyIsNoErrorAndTheNextInLineStarts(t *testing.T) {
	w, wo, l := setup(t)
	v := open(t, w, wo, l)
	wo.copyIn = func(ctx context.Context, paths []string, _ func(done, total int64)) ([]string, error) {
		if paths[0] == "/tmp/two" {
			return []string{"/home/claude/work/two"}, nil
		}
		<-ctx.Done()
		return nil, ctx.Err()
	}
	v.dropped(fyne.Position{}, uris("/tmp/one"))
	v.dropped(fyne.Position{}, uris("/tmp/two"))
	if got := v.line.right[0].Label(); got != "one into /home/claude/work, 1 more waits" {
		t.Errorf("the line says %q", got)
	}
	v.line.right[1].Tapped(nil)
	l.until(t, "the end of both", func() bool { return v.copies.now == nil })
	if v.drops.Title != "" || len(wo.copied) != 2 {
		t.Errorf("said %q, %d copies", v.drops.Title, len(wo.copied))
	}
	l.until(t, "the path at the prompt", func() bool { return strings.Contains(wo.last().typed(), "/home/claude/work/two ") })
}

func TestWhatWasSaidOfADropGoesWithTheNext(t *testing.T) {
	w, wo, l := setup(t)
	v := open(t, w, wo, l)
	wo.copyIn = func(_ context.Context, paths []string, _ func(done, total int64)) ([]string, error) {
		if paths[0] == "/tmp/loop" {
			return []string{"/home/claude/work/loop"}, fault.New("left out loop/again", "it is a link that leads out", "")
		}
		return []string{"/home/claude/work/fine"}, nil
	}
	v.dropped(fyne.Position{}, uris("/tmp/loop"))
	l.until(t, "the end of the copy", func() bool { return v.copies.now == nil })
	if v.drops.Title != "Copied, but for 1 thing" {
		t.Errorf("said %q of a folder that is there but for a link in it", v.drops.Title)
	}
	v.dropped(fyne.Position{}, uris("/tmp/fine"))
	l.until(t, "the end of the next", func() bool { return v.copies.now == nil })
	if v.drops.Title != "" {
		t.Errorf("still says %q", v.drops.Title)
	}
}

func TestDropsAreCopiedOneAfterAnother(t *testing.T) {
	w, wo, l := setup(t)
	v := open(t, w, wo, l)
	var mu sync.Mutex
	running, most := 0, 0
	wo.copyIn = func(context.Context, []string, func(done, total int64)) ([]string, error) {
		mu.Lock()
		running++
		most = max(most, running)
		mu.Unlock()
		defer func() { mu.Lock(); running--; mu.Unlock() }()
		return nil, nil
	}
	for _, p := range []string{"/tmp/1", "/tmp/2", "/tmp/3"} {
		v.dropped(fyne.Position{}, uris(p))
	}
	l.until(t, "all copies", func() bool { return v.copies.now == nil && len(v.copies.queue) == 0 })
	if most != 1 || len(wo.copied) != 3 {
		t.Errorf("%d at once, %d in all", most, len(wo.copied))
	}
}

func TestADropThatCannotGoAnywhereSaysSo(t *testing.T) {
	w, wo, l := setup(t)
	v := open(t, w, wo, l)
	web, err := storage.ParseURI("https://example.com/cat.png")
	if err != nil {
		t.Fatal(err)
	}
	v.dropped(fyne.Position{}, []fyne.URI{web})
	if v.drops.Title != "Not copied" || !strings.Contains(v.drops.Lines[0], "no file on this computer") {
		t.Errorf("%q %q", v.drops.Title, v.drops.Lines)
	}
	b := bottle()
	b.State = snapshot.Stopped
	w.Update(with(b))
	v.dropped(fyne.Position{}, uris("/tmp/x"))
	if len(wo.copied) != 0 || !strings.Contains(v.drops.Lines[0], "not running") {
		t.Errorf("%q, %d copies", v.drops.Lines, len(wo.copied))
	}
}
