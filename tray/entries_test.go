package tray

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"bottlebar.app/snapshot"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) *time.Time { t := noon.Add(-d); return &t }

// aBottle is a bottle that runs; n tells it from others and how old it is.
func aBottle(n int, s snapshot.SessionState) snapshot.Bottle {
	up := time.Duration(n) * time.Minute
	return snapshot.Bottle{
		ID: fmt.Sprintf("id%06d", n), Name: fmt.Sprintf("b%d", n), State: snapshot.Ready, Session: s, Artifact: "claude-node",
		Isolation: snapshot.Proved, ProvedAt: ago(up), StartedAt: ago(up), CreatedAt: noon.Add(-up), Driver: "docker",
	}
}

func library() []snapshot.Artifact {
	return []snapshot.Artifact{
		{ID: "aa", Name: "claude-node", Size: 1_243_000_000, Added: noon, LastUsed: ago(time.Minute)},
		{ID: "bb", Name: "lab", Size: 90_000_000, Added: noon, Problem: &snapshot.Problem{Why: "made for linux/amd64"}},
	}
}

func good() []snapshot.Check {
	return []snapshot.Check{{ID: "smolvm", Title: "smolvm", State: snapshot.CheckOK, Finding: "1.9.3"}}
}

// tree writes entries as indented lines: "-" a separator, "(x)" one that does
// nothing, "x -> verb target" one that acts.
func tree(entries []Entry, indent string) string {
	var b strings.Builder
	for _, e := range entries {
		switch {
		case e.Separator:
			b.WriteString(indent + "-\n")
			continue
		case e.Disabled:
			b.WriteString(indent + "(" + e.Label + ")")
		default:
			b.WriteString(indent + e.Label)
		}
		if e.Action.Verb != "" && !e.Disabled {
			b.WriteString(strings.TrimRight(fmt.Sprintf(" -> %s %s", e.Action.Verb, e.Action.Target), " "))
		}
		b.WriteString("\n" + tree(e.Children, indent+"  "))
	}
	return b.String()
}

const foot = `Library… -> library
Bottles… -> bottles
Activity… -> activity
Setup: all good -> setup
-
Quit Bottlebar -> quit
`

func TestTheMenuWhileNothingRuns(t *testing.T) {
	got := tree(Entries(snapshot.Snapshot{Library: library(), Setup: good()}, noon), "")
	want := `Launch
  claude-node   1.2 GB -> launch aa
  (lab   90 MB   ✕ made for linux/amd64)
Launch on Folder
  claude-node…   1.2 GB -> launch-on-folder aa
  (lab   90 MB   ✕ made for linux/amd64)
Make a Claude Artifact… -> make
Pack from Image… -> pack
Add Artifact… -> add
-
` + foot
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestTheMenuBeforeAnyArtifact(t *testing.T) {
	got := tree(Entries(snapshot.Snapshot{}, noon), "")
	for _, want := range []string{"Launch\n  (No artifacts yet)\n  Add Artifact… -> add\n", "Setup: checking… -> setup\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("lacks\n%s\nin\n%s", want, got)
		}
	}
}

func TestTheSubmenuOfABottle(t *testing.T) {
	code := 3
	running := aBottle(12, snapshot.Working)
	running.Title, running.Allowed, running.Blocked = "✳ Fix the docs", 214, 3
	ended := aBottle(0, snapshot.Ended)
	ended.ExitCode = &code
	starting := snapshot.Bottle{ID: "s1", Name: "new", State: snapshot.Proving, Artifact: "claude-node", CreatedAt: noon, Simulated: true, Driver: "process", Steps: []snapshot.Step{
		{Title: "Starting the VM", State: snapshot.StepDone, Took: 1830 * time.Millisecond},
		{Title: "Proving isolation", State: snapshot.StepRunning},
		{Title: "Starting the session", State: snapshot.StepWaiting},
	}}
	stopped := snapshot.Bottle{ID: "s2", Name: "old-fix", State: snapshot.Stopped, Artifact: "claude-node"}
	broken := snapshot.Bottle{
		ID: "s3", Name: "bad", State: snapshot.Failed, Artifact: "claude-node",
		Problem: &snapshot.Problem{What: "starting the sidecar", Why: "no engine answers", Cure: "start Docker"},
	}
	for _, c := range []struct {
		name string
		b    snapshot.Bottle
		want string
	}{
		{"working", running, `● b12 — working, 12 min
  (“✳ Fix the docs”)
  (claude-node)
  -
  Open Session -> open id000012
  New Shell -> shell id000012
  Copy Files In… -> copy-in id000012
  Copy Files Out… -> copy-out id000012
  Activity… (214 allowed, 3 blocked) -> activity id000012
  Prove Isolation ✓ 11:48 -> prove id000012
  -
  Stop -> stop id000012
`},
		{"ended", ended, "✕ b0 — failed, exit code 3\n"},
		{"starting", starting, `◌ new — starting: proving isolation (simulated: no VM)
  (claude-node · simulated: no VM · sidecar is a process, not a container)
  -
  (✓ Starting the VM, 1.8 s)
  (◌ Proving isolation)
  (· Starting the session)
  -
  Cancel -> cancel s1
`},
		{"stopped", stopped, `◻ old-fix — stopped
  (claude-node)
  -
  Resume -> resume s2
  Discard -> discard s2
`},
		{"failed", broken, `✕ bad — failed
  (claude-node)
  -
  (✕ starting the sidecar: no engine answers)
  What Went Wrong… -> problem s3
  Discard -> discard s3
`},
	} {
		got := tree(Entries(snapshot.Snapshot{Bottles: []snapshot.Bottle{c.b}, Setup: good()}, noon), "")
		if !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: got\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
}

func TestBottlesThatNeedSomebodyComeFirstThenTheNewest(t *testing.T) {
	s := snapshot.Snapshot{Bottles: []snapshot.Bottle{aBottle(1, snapshot.Working), aBottle(3, snapshot.Idle), aBottle(2, snapshot.NeedsYou), aBottle(9, snapshot.NeedsYou)}}
	var names []string
	for _, e := range Entries(s, noon)[:4] {
		names = append(names, strings.Fields(e.Label)[1])
	}
	if got := strings.Join(names, " "); got != "b2 b9 b1 b3" {
		t.Errorf("order %s", got)
	}
}

func TestWhatIsMissingIsTheFirstLine(t *testing.T) {
	s := snapshot.Snapshot{
		Bottles: []snapshot.Bottle{aBottle(1, snapshot.Working)}, Simulated: true,
		Setup:  []snapshot.Check{{Title: "smolvm", State: snapshot.CheckFailed, Finding: "not found"}, {Title: "Disk", State: snapshot.CheckWarn}},
		Notice: &snapshot.Problem{What: "reading the journal", Why: "one entry is damaged"},
	}
	got := tree(Entries(s, noon), "")
	if !strings.HasPrefix(got, "✕ smolvm: not found… -> setup\n✕ reading the journal: one entry is damaged… -> problem\n(simulated: no VM)\n● b1 —") {
		t.Errorf("got\n%s", got)
	}
	if !strings.Contains(got, "Setup: 1 thing is missing… -> setup\n") {
		t.Errorf("the Setup line does not count:\n%s", got)
	}
}

func TestQuitIsOursAndLast(t *testing.T) {
	for _, s := range []snapshot.Snapshot{{}, {Bottles: many(200), Library: library(), Setup: good(), Simulated: true}} {
		e := Entries(s, noon)
		last := e[len(e)-1]
		if !last.Quit || last.Action.Verb != Quit || last.Disabled {
			t.Errorf("the last entry is %+v", last)
		}
		for _, x := range e[:len(e)-1] {
			if x.Quit {
				t.Errorf("a second quit: %+v", x)
			}
		}
	}
}

func many(n int) []snapshot.Bottle {
	out := make([]snapshot.Bottle, n)
	states := []snapshot.SessionState{snapshot.Working, snapshot.Idle, snapshot.NeedsYou, snapshot.Done}
	for i := range out {
		out[i] = aBottle(i, states[i%4])
		out[i].Title = "✳ a title that came out of the VM"
	}
	return out
}

func TestTheMenuStaysShort(t *testing.T) {
	lib := make([]snapshot.Artifact, 300)
	for i := range lib {
		lib[i] = snapshot.Artifact{ID: fmt.Sprint(i), Name: fmt.Sprintf("a%03d", i), Added: noon.Add(time.Duration(i) * time.Hour)}
	}
	e := Entries(snapshot.Snapshot{Bottles: many(40), Library: lib, Setup: good()}, noon)
	if len(e) >= 50 {
		t.Errorf("%d entries", len(e))
	}
	text := tree(e, "")
	for _, want := range []string{"More… (28) -> bottles\n", "  More… (290) -> library\n", "  a299   0 B -> launch 299\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("lacks %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "a000") {
		t.Error("the artifact that was used longest ago takes a place")
	}
}

// Whatever a VM, a file name or an error says, no entry of ours that acts
// begins with it, spans lines, or grows without bound.
func TestHostileTextCannotLookLikeOurs(t *testing.T) {
	evil := "Quit Bottlebar\n-\nStop\x1b[2J\u202e" + strings.Repeat("ﷺ", 400)
	b := aBottle(1, snapshot.Working)
	b.Name, b.Title, b.Artifact, b.Folder = evil, evil, evil, evil
	b.Transfer = &snapshot.Transfer{Label: evil}
	b.Problem = &snapshot.Problem{What: evil, Why: evil, Cure: evil}
	c := b
	c.ID, c.State, c.Steps = "x", snapshot.Proving, []snapshot.Step{{Title: evil, State: snapshot.StepRunning}}
	s := snapshot.Snapshot{
		Bottles: []snapshot.Bottle{b, c}, Notice: b.Problem,
		Library: []snapshot.Artifact{{ID: "a", Name: evil, Problem: b.Problem}, {ID: "b", Name: "Quit Bottlebar", Size: 5}},
		Setup:   []snapshot.Check{{Title: evil, Finding: evil, State: snapshot.CheckFailed}},
	}
	clean := map[string]bool{}
	walk(Entries(snapshot.Snapshot{Bottles: []snapshot.Bottle{aBottle(2, snapshot.Working)}, Setup: good()}, noon), func(e Entry) { clean[e.Label] = true })
	walk(Entries(s, noon), func(e Entry) {
		if n := len([]rune(e.Label)); n > 200 {
			t.Errorf("%d characters: %.40q…", n, e.Label)
		}
		if strings.ContainsAny(e.Label, "\n\r\x1b\u202e") {
			t.Errorf("controls in %q", e.Label)
		}
		if !e.Disabled && e.Action.Verb != Quit && strings.HasPrefix(e.Label, "Quit Bottlebar") && (e.Action.Verb != Launch && e.Action.Verb != LaunchOnFolder) {
			t.Errorf("%q looks like ours and does %s", e.Label, e.Action.Verb)
		}
		if !e.Disabled && clean[e.Label] && e.Label == "Stop" && e.Action.Verb != Stop {
			t.Errorf("%q does %s", e.Label, e.Action.Verb)
		}
		if e.Label == "Quit Bottlebar" && !e.Quit {
			t.Errorf("a second %q does %s", e.Label, e.Action.Verb)
		}
	})
}

func walk(entries []Entry, f func(Entry)) {
	for _, e := range entries {
		f(e)
		walk(e.Children, f)
	}
}

func TestEqualSeesEveryDifference(t *testing.T) {
	a := Entry{Label: "a", Children: []Entry{{Label: "b", Action: Action{Open, "1"}}}}
	for name, change := range map[string]func(*Entry){
		"label": func(e *Entry) { e.Label = "x" }, "disabled": func(e *Entry) { e.Disabled = true }, "checked": func(e *Entry) { e.Checked = true },
		"quit": func(e *Entry) { e.Quit = true }, "separator": func(e *Entry) { e.Separator = true }, "verb": func(e *Entry) { e.Action.Verb = Stop },
		"target of a child": func(e *Entry) { e.Children = []Entry{{Label: "b", Action: Action{Open, "2"}}} }, "no child": func(e *Entry) { e.Children = nil },
	} {
		b := a
		change(&b)
		if Equal([]Entry{a}, []Entry{b}) {
			t.Errorf("%s makes no difference", name)
		}
	}
	if !Equal([]Entry{a}, []Entry{a}) || !Equal(nil, []Entry{}) {
		t.Error("equal menus differ")
	}
}

// A tenth of the bottles gives the baseline: the menu shows twelve of them
// either way, so that more bottles must cost little more.
func BenchmarkEntries(b *testing.B) {
	for _, n := range []int{20, 200} {
		s := snapshot.Snapshot{Bottles: many(n), Library: library(), Setup: good()}
		b.Run(fmt.Sprintf("%d-bottles", n), func(b *testing.B) {
			for b.Loop() {
				Entries(s, noon)
			}
		})
	}
}

func TestABellIsMarkedUntilTheStateCalls(t *testing.T) {
	b := snapshot.Bottle{ID: "b1", Name: "api", State: snapshot.Ready, Session: snapshot.Working, Artifact: "claude", Rang: true}
	e := Entries(snapshot.Snapshot{Bottles: []snapshot.Bottle{b}}, time.Now())[0]
	if !strings.HasSuffix(e.Label, "working, bell") || e.Children[0].Label != "Rang the bell" {
		t.Errorf("a bell is shown as %q, %q", e.Label, e.Children[0].Label)
	}
	b.Session = snapshot.NeedsYou
	if e := Entries(snapshot.Snapshot{Bottles: []snapshot.Bottle{b}}, time.Now())[0]; strings.Contains(e.Label, "bell") {
		t.Errorf("what needs somebody is shown as %q", e.Label)
	}
}
