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
	state, bottle, artifact, proof, activity, usage, caveat piece
}

// status says what the status line shows for b.
func status(b snapshot.Bottle, now time.Time) line {
	st := look.Of(b)
	l := line{
		state:    piece{st.Shape, st.Word, st.Color},
		bottle:   piece{label: look.Clean(b.Name, 32), color: look.ColorText},
		artifact: piece{label: look.Clean(b.Artifact, 32), color: look.ColorQuiet},
	}
	if b.Artifact == b.Name {
		l.artifact.label = "" // once is enough
	}
	if b.Session == snapshot.Ended && b.ExitCode != nil && st.Word == "failed" {
		l.state.label = "failed, exit code " + strconv.Itoa(*b.ExitCode)
	}
	p := look.Proof(b, now)
	l.proof = piece{p.Shape, p.Word, p.Color}
	l.activity = piece{label: look.Traffic(b), color: look.ColorQuiet}
	l.usage = piece{label: look.Usage(b), color: look.ColorQuiet}
	l.caveat = piece{label: look.Caveats(b), color: look.ColorNeedsYou}
	return l
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
