package look

import (
	"fmt"
	"strings"
	"time"

	"bottlebar.app/assets"
	"bottlebar.app/snapshot"
)

// Proof is the shield of a bottle: when its proof held last, or that it does not.
func Proof(b snapshot.Bottle, now time.Time) State {
	at := ""
	if b.ProvedAt != nil {
		at = " " + Clock(*b.ProvedAt, now)
	}
	switch b.Isolation {
	case snapshot.Proved:
		return State{Rune: "✓", Word: "proved" + at, Shape: assets.ShapeShield, Color: ColorGood}
	case snapshot.ProofFailed:
		return State{Rune: "✕", Word: "not isolated" + at, Shape: assets.ShapeFailed, Color: ColorFailed}
	}
	if at != "" {
		return State{Rune: "?", Word: "not proved since" + at, Shape: assets.ShapeUnknown, Color: ColorNeedsYou}
	}
	return State{Rune: "?", Word: "not proved yet", Shape: assets.ShapeUnknown, Color: ColorQuiet}
}

// Traffic counts what a bottle reached and what was refused: "214 ok · 3 blocked".
func Traffic(b snapshot.Bottle) string {
	if b.Allowed+b.Blocked == 0 {
		return ""
	}
	return fmt.Sprintf("%d ok · %d blocked", b.Allowed, b.Blocked)
}

// Usage is what the session in b says it has used: "ctx 42 % · $0.31".
func Usage(b snapshot.Bottle) string {
	var parts []string
	if p := b.Context; p != nil {
		parts = append(parts, fmt.Sprintf("ctx %d %%", *p))
	}
	if c := b.Cost; c != nil && *c >= 0.005 {
		parts = append(parts, fmt.Sprintf("$%.2f", *c))
	}
	return strings.Join(parts, " · ")
}

// Folder is the session's folder of b, from the home of its user on: "~/work".
func Folder(b snapshot.Bottle) string {
	home := "/home/" + b.User
	if b.User == "root" {
		home = "/root"
	}
	if rest, ok := strings.CutPrefix(b.Folder, home); ok && b.User != "" && (rest == "" || rest[0] == '/') {
		return "~" + rest
	}
	return b.Folder
}

// Caveats names what is not as it is in earnest: no VM, no container, a test
// server in the place of the API.
func Caveats(b snapshot.Bottle) string {
	var out []string
	if b.Simulated {
		out = append(out, Simulated)
	}
	if b.Driver == "process" {
		out = append(out, ProcessDriver)
	}
	if b.Upstream != "" {
		out = append(out, TestServer)
	}
	return strings.Join(out, " · ")
}

// Todo counts what Setup found: what is missing, what is worth a look, and what
// is still being looked at. That there is no VM is no news there: it is said
// wherever a bottle is shown.
func Todo(s snapshot.Snapshot) (missing, notes, busy int) {
	for _, c := range s.Setup {
		switch {
		case c.State == snapshot.CheckFailed:
			missing++
		case c.State == snapshot.CheckWarn && (c.ID != "smolvm" || !s.Simulated):
			notes++
		case c.State == snapshot.CheckRunning:
			busy++
		}
	}
	return missing, notes, busy
}

// OfStep returns how a step of a launch is shown.
func OfStep(s snapshot.StepState) State {
	switch s {
	case snapshot.StepRunning:
		return State{"◌", "running", assets.ShapeMoving, ColorAccent, RankMoving}
	case snapshot.StepDone:
		return State{"✓", "done", assets.ShapeDone, ColorGood, RankIdle}
	case snapshot.StepFailed:
		return State{"✕", "failed", assets.ShapeFailed, ColorFailed, RankFailed}
	case snapshot.StepUndone:
		return State{"↺", "undone", assets.ShapeWaiting, ColorQuiet, RankNothing}
	}
	return State{"·", "waiting", assets.ShapeWaiting, ColorQuiet, RankNothing}
}

// Launching reports whether b is on its way to being ready.
func Launching(b snapshot.Bottle) bool {
	switch b.State {
	case snapshot.Preparing, snapshot.Creating, snapshot.Starting, snapshot.Proving:
		return true
	}
	return false
}
