package tray

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"bottlebar.app/assets/look"
	"bottlebar.app/snapshot"
)

// Limits of the menu. The rest is in the windows.
const (
	maxBottles   = 12 // bottles shown; then More…
	maxArtifacts = 10 // artifacts offered; then the library
	maxName      = 32 // letters of a name
	maxTitle     = 48 // letters of a title that came from a VM
	maxSentence  = 56 // letters of a finding or a reason
)

// Entries returns the menu for s as seen at now. It does not change s.
//
// Bottles that need somebody come first, then the newest. Text from elsewhere
// is cleaned and cut; the names of bottles stand behind a shape, those of
// artifacts before their size, and titles of sessions in quotation marks in a
// line that does nothing, so that none of them reads as an entry of ours.
func Entries(s snapshot.Snapshot, now time.Time) []Entry {
	var out []Entry
	out = append(out, alerts(s)...)
	out = append(out, bottles(s, now)...)
	if len(out) > 0 {
		out = append(out, separator())
	}
	return append(out,
		Entry{Label: "Launch", Children: artifacts(s, Launch)},
		Entry{Label: "Launch on Folder", Children: artifacts(s, LaunchOnFolder)},
		act("Make a Claude Artifact…", Make, ""),
		act("Pack from Image…", Pack, ""),
		act("Add Artifact…", Add, ""),
		separator(),
		act("Library…", Library, ""),
		act("Bottles…", Bottles, ""),
		act("Activity…"+askedFor(s.Bottles...), Activity, ""),
		act(setupLine(s), Setup, ""),
		separator(),
		Entry{Label: "Quit Bottlebar", Quit: true, Action: Action{Verb: Quit}},
	)
}

func separator() Entry { return Entry{Separator: true} }

func act(label string, v Verb, target string) Entry {
	return Entry{Label: label, Action: Action{Verb: v, Target: target}}
}

// note is an entry that only says something.
func note(label string) Entry { return Entry{Label: label, Disabled: true} }

// alerts are the lines above everything else: what is missing, what went
// wrong, and that there is no VM.
func alerts(s snapshot.Snapshot) []Entry {
	var out []Entry
	for _, c := range s.Setup {
		if c.State == snapshot.CheckFailed {
			out = append(out, act("✕ "+opening(c.Title+": "+c.Finding), Setup, ""))
			break
		}
	}
	if s.Notice != nil {
		out = append(out, act("✕ "+opening(sentence(*s.Notice)), ShowProblem, ""))
	}
	if s.Simulated {
		out = append(out, note(look.Simulated))
	}
	return out
}

// opening is a line that opens more: it ends with an ellipsis, cut or not.
func opening(s string) string {
	return strings.TrimRight(look.Clean(s, maxSentence), ".… ") + "…"
}

// sentence is the one line of a problem.
func sentence(p snapshot.Problem) string {
	if p.What == "" || p.Why == "" {
		return p.What + p.Why
	}
	return p.What + ": " + p.Why
}

func bottles(s snapshot.Snapshot, now time.Time) []Entry {
	order := make([]int, len(s.Bottles))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return compare(&s.Bottles[a], &s.Bottles[b]) })
	shown := min(len(order), maxBottles)
	out := make([]Entry, 0, shown+1)
	for _, i := range order[:shown] {
		out = append(out, bottle(s.Bottles[i], s.Simulated, now))
	}
	if rest := len(order) - shown; rest > 0 {
		out = append(out, act("More… ("+strconv.Itoa(rest)+")", Bottles, ""))
	}
	return out
}

// compare puts those that need somebody first, then the newest; the ID decides
// between equals, so that entries do not change places by themselves.
func compare(a, b *snapshot.Bottle) int {
	needA, needB := needs(a), needs(b)
	switch {
	case needA != needB && needA:
		return -1
	case needA != needB:
		return 1
	}
	if c := b.CreatedAt.Compare(a.CreatedAt); c != 0 {
		return c
	}
	return strings.Compare(a.ID, b.ID)
}

func needs(b *snapshot.Bottle) bool {
	return b.State == snapshot.Ready && b.Session == snapshot.NeedsYou
}

// bottle is one bottle with its submenu.
func bottle(b snapshot.Bottle, allSimulated bool, now time.Time) Entry {
	st := look.Of(b)
	label := st.Rune + " " + look.Clean(b.Name, maxName) + " — " + st.Word
	switch {
	case look.Launching(b):
		if step, ok := running(b.Steps); ok {
			label += ": " + lowerFirst(look.Clean(step.Title, maxTitle))
		}
	case b.State == snapshot.Ready && b.Session == snapshot.Ended && b.ExitCode != nil:
		label += ", exit code " + strconv.Itoa(*b.ExitCode)
	case b.State == snapshot.Ready && b.StartedAt != nil && now.Sub(*b.StartedAt) >= time.Minute:
		label += ", " + look.Ago(*b.StartedAt, now)
	}
	if ringing(b) {
		label += ", bell"
	}
	if b.Simulated && !allSimulated {
		label += " (" + look.Simulated + ")"
	}
	return Entry{Label: label, Children: submenu(b, now)}
}

// ringing says that a bell rang for somebody whom the state does not call already.
func ringing(b snapshot.Bottle) bool {
	return b.State == snapshot.Ready && b.Rang && b.Session != snapshot.NeedsYou
}

// running is the step of a launch that is under way; of two side by side the later.
func running(steps []snapshot.Step) (snapshot.Step, bool) {
	for _, s := range slices.Backward(steps) {
		if s.State == snapshot.StepRunning {
			return s, true
		}
	}
	return snapshot.Step{}, false
}

func submenu(b snapshot.Bottle, now time.Time) []Entry {
	out := facts(b)
	switch b.State {
	case snapshot.Preparing, snapshot.Creating, snapshot.Starting, snapshot.Proving:
		out = append(out, steps(b.Steps)...)
		out = append(out, separator(), act("Cancel", Cancel, b.ID))
	case snapshot.Ready:
		out = append(out, ready(b, now)...)
	case snapshot.Stopping:
		out = append(out, steps(b.Steps)...)
		out = append(out, note("Removing what is left"))
	case snapshot.Stopped:
		out = append(out, problem(b)...)
		out = append(out, act("Resume", Resume, b.ID), act("Discard", Discard, b.ID))
	default: // failed, lost
		out = append(out, problem(b)...)
		out = append(out, act("Discard", Discard, b.ID))
	}
	return out
}

// facts are the lines that only tell: the title of the session in quotation
// marks, since it came from the VM, then what the bottle is made of.
func facts(b snapshot.Bottle) []Entry {
	var out []Entry
	if title := look.Clean(b.Title, maxTitle); title != "" && b.State == snapshot.Ready {
		out = append(out, note("“"+title+"”"))
	}
	if ringing(b) {
		out = append(out, note("Rang the bell"))
	}
	parts := []string{look.Clean(b.Artifact, maxName)}
	if b.Simulated {
		parts = append(parts, look.Simulated)
	}
	if b.Driver == "process" {
		parts = append(parts, look.ProcessDriver)
	}
	if b.Upstream != "" {
		parts = append(parts, look.TestServer)
	}
	out = append(out, note(strings.Join(parts, " · ")))
	if b.Transfer != nil {
		out = append(out, note("Copying "+look.Clean(b.Transfer.Label, maxTitle)))
	}
	return append(out, separator())
}

// ready is the submenu's part that acts on a running bottle.
func ready(b snapshot.Bottle, now time.Time) []Entry {
	out := problem(b)
	return append(out,
		act("Open Session", Open, b.ID),
		act("New Shell", Shell, b.ID),
		act("Copy Files In…", CopyIn, b.ID),
		act("Copy Files Out…", CopyOut, b.ID),
		act(activityLine(b)+askedFor(b), Activity, b.ID),
		act(proofLine(b, now), Prove, b.ID),
		separator(),
		act("Stop", Stop, b.ID),
	)
}

// askedFor says how many hosts wait for somebody's word: a number, never a
// name that a bottle chose.
func askedFor(all ...snapshot.Bottle) string {
	n := 0
	for _, b := range all {
		n += len(b.Asks.Rows) + b.Asks.MoreNames
	}
	if n == 0 {
		return ""
	}
	return " · " + look.Count(n, "host", "hosts") + " asked for"
}

func activityLine(b snapshot.Bottle) string {
	if b.Allowed == 0 && b.Blocked == 0 {
		return "Activity…"
	}
	return "Activity… (" + strconv.Itoa(b.Allowed) + " allowed, " + strconv.Itoa(b.Blocked) + " blocked)"
}

func proofLine(b snapshot.Bottle, now time.Time) string {
	line := "Prove Isolation"
	switch b.Isolation {
	case snapshot.Proved:
		line += " ✓"
	case snapshot.ProofFailed:
		line += " ✕"
	}
	if b.ProvedAt != nil {
		line += " " + look.Clock(*b.ProvedAt, now)
	}
	return line
}

// problem is the entry that opens what went wrong.
func problem(b snapshot.Bottle) []Entry {
	if b.Problem == nil {
		return nil
	}
	return []Entry{
		note("✕ " + look.Clean(sentence(*b.Problem), maxSentence)),
		act("What Went Wrong…", ShowProblem, b.ID),
	}
}

// steps are the lines of a launch.
func steps(all []snapshot.Step) []Entry {
	out := make([]Entry, 0, len(all)+1)
	for _, s := range all {
		line := look.OfStep(s.State).Rune + " " + look.Clean(s.Title, maxTitle)
		if s.State == snapshot.StepDone && s.Took > 0 {
			line += ", " + look.Took(s.Took)
		}
		out = append(out, note(line))
	}
	return out
}

// artifacts is the list under Launch and Launch on Folder: those used last
// first, since they are the ones wanted again.
func artifacts(s snapshot.Snapshot, v Verb) []Entry {
	if len(s.Library) == 0 {
		return []Entry{note("No artifacts yet"), act("Add Artifact…", Add, "")}
	}
	order := make([]int, len(s.Library))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return used(&s.Library[b]).Compare(used(&s.Library[a]))
	})
	shown := min(len(order), maxArtifacts)
	picked := slices.Sorted(slices.Values(order[:shown])) // by name again, as everywhere
	out := make([]Entry, 0, shown+1)
	for _, i := range picked {
		a := &s.Library[i]
		name := look.Clean(a.Name, maxName)
		if v == LaunchOnFolder && a.Problem == nil {
			name += "…" // the folder is asked for
		}
		e := act(name+"   "+look.Size(a.Size), v, a.ID)
		if a.Problem != nil {
			e.Label += "   ✕ " + look.Clean(a.Problem.Why, maxTitle)
			e.Disabled = true
		}
		out = append(out, e)
	}
	if rest := len(order) - shown; rest > 0 {
		out = append(out, act("More… ("+strconv.Itoa(rest)+")", Library, ""))
	}
	return out
}

func used(a *snapshot.Artifact) time.Time {
	if a.LastUsed != nil {
		return *a.LastUsed
	}
	return a.Added
}

// setupLine sums the checks up.
func setupLine(s snapshot.Snapshot) string {
	missing, notes, busy := look.Todo(s)
	switch {
	case missing > 0:
		return "Setup: " + look.Count(missing, "thing is missing…", "things are missing…")
	case notes > 0:
		return "Setup: " + look.Count(notes, "thing to do…", "things to do…")
	case busy > 0 || len(s.Setup) == 0:
		return "Setup: checking…"
	}
	return "Setup: all good"
}

func lowerFirst(s string) string {
	if s == "" || s[0] < 'A' || s[0] > 'Z' || (len(s) > 1 && s[1] >= 'A' && s[1] <= 'Z') {
		return s
	}
	return string(s[0]+'a'-'A') + s[1:]
}
