package session

import (
	"fmt"
	"strconv"
	"time"

	"fyne.io/fyne/v2"

	"bottlebar.app/assets"
	"bottlebar.app/assets/look"
	"bottlebar.app/snapshot"
)

// piece is what one part of the status line shows.
type piece struct {
	shape assets.ShapeName
	label string
	color fyne.ThemeColorName
}

// line is the status line as data. An empty label hides its part.
type line struct {
	state, bottle, artifact, proof, activity, caveat piece
}

// status says what the status line shows for b.
func status(b snapshot.Bottle, now time.Time) line {
	st := look.Of(b)
	l := line{
		state:    piece{st.Shape, st.Word, st.Color},
		bottle:   piece{label: look.Clean(b.Name, 32), color: look.ColorText},
		artifact: piece{label: look.Clean(b.Artifact, 32), color: look.ColorQuiet},
		proof:    proof(b, now),
	}
	if b.Session == snapshot.Ended && b.ExitCode != nil && st.Word == "failed" {
		l.state.label = "failed, exit code " + strconv.Itoa(*b.ExitCode)
	}
	if b.Allowed+b.Blocked > 0 {
		l.activity = piece{label: fmt.Sprintf("%d ok · %d blocked", b.Allowed, b.Blocked), color: look.ColorQuiet}
	}
	if c := caveats(b); c != "" {
		l.caveat = piece{label: c, color: look.ColorNeedsYou}
	}
	return l
}

// proof is the shield: when the proof held last, or that it does not.
func proof(b snapshot.Bottle, now time.Time) piece {
	at := ""
	if b.ProvedAt != nil {
		at = " " + look.Clock(*b.ProvedAt, now)
	}
	switch b.Isolation {
	case snapshot.Proved:
		return piece{assets.ShapeShield, "proved" + at, look.ColorGood}
	case snapshot.ProofFailed:
		return piece{assets.ShapeFailed, "not isolated" + at, look.ColorFailed}
	}
	return piece{assets.ShapeUnknown, "not proved yet", look.ColorQuiet}
}

// caveats names what is not as it is in earnest.
func caveats(b snapshot.Bottle) string {
	out := ""
	add := func(on bool, s string) {
		if !on {
			return
		}
		if out != "" {
			out += " · "
		}
		out += s
	}
	add(b.Simulated, look.Simulated)
	add(b.Driver == "process", look.ProcessDriver)
	add(b.Upstream != "", look.TestServer)
	return out
}

// progress is what the status line says while a copy runs.
func progress(label string, done, total int64, took time.Duration) string {
	s := label
	if total > 0 {
		s += fmt.Sprintf("  %s of %s", look.Size(done), look.Size(total))
	} else if done > 0 {
		s += "  " + look.Size(done)
	}
	// The first moments give no honest rate.
	if r := look.Rate(done, took); r != "" && took > 500*time.Millisecond {
		s += "  " + r
	}
	return s
}
