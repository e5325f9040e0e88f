package session

import (
	"strconv"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"

	"bottlebar.app/assets"
	"bottlebar.app/assets/look"
	"bottlebar.app/internal/fault"
	"bottlebar.app/snapshot"
)

// standing is the message that stays while the window has no live session, or
// the bottle is in doubt.
func (v *view) standing() (message, bool) {
	b := v.bottle
	switch {
	case v.phase == removed:
		return message{shape: assets.ShapeStopped, color: look.ColorQuiet, title: "This bottle was stopped",
			lines:   []string{"The VM and everything in it are gone."},
			buttons: []choice{{label: "Close", primary: true, do: v.dismiss}}}, true
	case b.State == snapshot.Failed, b.State == snapshot.Lost, b.State == snapshot.Stopped:
		return v.notRunning(), true
	case v.phase == ended:
		return v.programEnded(), true
	case v.phase == cutOff:
		return message{shape: assets.ShapeUnknown, color: look.ColorFailed, title: "The session cannot be reached",
			lines: because(v.cause), buttons: []choice{{label: "Connect Again", primary: true, do: v.attach}}}, true
	case b.HelperLost:
		return message{shape: assets.ShapeUnknown, color: look.ColorFailed, title: "The helper in the VM does not answer",
			lines:   problem(b.Problem, "The session may still run. It comes back by itself when the helper does."),
			buttons: []choice{{label: "Show Bottle", do: v.toBottles}}}, true
	case b.Isolation == snapshot.ProofFailed:
		return message{shape: assets.ShapeFailed, color: look.ColorFailed, title: "The isolation of this bottle does not hold",
			lines:   problem(b.Problem, "Nothing gets out of it until the proof holds again."),
			buttons: []choice{{label: "Show Proof", do: v.toProof}}}, true
	}
	return message{}, false
}

// notRunning is said of a bottle that stopped by itself or failed.
func (v *view) notRunning() message {
	m := message{shape: assets.ShapeFailed, color: look.ColorFailed, title: "This bottle failed",
		buttons: []choice{{label: "Show Bottle", do: v.toBottles}}}
	switch v.bottle.State {
	case snapshot.Stopped:
		m.shape, m.color, m.title = assets.ShapeStopped, look.ColorQuiet, "This bottle has stopped"
		m.lines = problem(v.bottle.Problem, "Its disk is whole: it can be resumed.")
	case snapshot.Lost:
		m.shape, m.title = assets.ShapeUnknown, "This bottle is lost"
		fallthrough
	default:
		m.lines = problem(v.bottle.Problem, "")
	}
	return m
}

// programEnded is said when the session's program is through.
func (v *view) programEnded() message {
	m := message{shape: assets.ShapeDone, color: look.ColorQuiet, title: "The session has ended"}
	code := v.exit
	if code == nil && v.k.session == Main {
		code = v.bottle.ExitCode
	}
	if code != nil {
		m.title += ", exit code " + strconv.Itoa(*code)
		if *code != 0 {
			m.shape, m.color = assets.ShapeFailed, look.ColorFailed
		}
	}
	m.buttons = []choice{{label: "Close", do: v.dismiss}}
	if v.k.session == Main {
		m.buttons = append(m.buttons, choice{label: "Shell", do: v.shell})
	}
	m.buttons = append(m.buttons, choice{label: "Start Again", primary: true, do: v.attach})
	return m
}

func (v *view) dismiss()   { v.owner.hide(v.k) }
func (v *view) shell()     { v.owner.Shell(v.k.bottle) }
func (v *view) toBottles() { v.owner.o.Opener.ShowBottles(v.k.bottle) }
func (v *view) toProof()   { v.owner.o.Opener.ShowProof(v.k.bottle) }

// because gives the lines of an error: what and why, then the cure.
func because(err error) []string {
	if err == nil {
		return nil
	}
	f := fault.Of(err)
	return problem(&snapshot.Problem{What: f.What, Why: f.Why, Cure: f.Cure}, "")
}

// problem gives the lines of a problem, or the one that is said without any.
func problem(p *snapshot.Problem, none string) []string {
	if p == nil {
		if none == "" {
			return nil
		}
		return []string{none}
	}
	var out []string
	if s := look.Clean(joined(": ", p.What, p.Why), 240); s != "" {
		out = append(out, look.Sentence(s))
	}
	if s := look.Clean(p.Cure, 240); s != "" {
		out = append(out, look.Sentence(s))
	}
	return out
}

func joined(sep string, parts ...string) string {
	var out []string
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, sep)
}

func launching(b snapshot.Bottle) bool {
	switch b.State {
	case snapshot.Preparing, snapshot.Creating, snapshot.Starting, snapshot.Proving:
		return true
	}
	return false
}

// steps shows a launch as it goes, in the middle of the window.
func steps(b snapshot.Bottle) fyne.CanvasObject {
	rows := container.New(layout.NewCustomPaddedVBoxLayout(look.Gap), look.NewTitle("Starting "+look.Clean(b.Name, 40)), look.NewSpace(0, look.Step))
	for _, s := range b.Steps {
		shape, c, text := assets.ShapeIdle, look.ColorQuiet, look.ColorQuiet
		switch s.State {
		case snapshot.StepRunning:
			shape, c, text = assets.ShapeMoving, look.ColorAccent, look.ColorText
		case snapshot.StepDone:
			shape, c, text = assets.ShapeDone, look.ColorGood, look.ColorText
		case snapshot.StepFailed:
			shape, c, text = assets.ShapeFailed, look.ColorFailed, look.ColorText
		}
		took := ""
		if s.State == snapshot.StepDone && s.Took > 0 {
			took = look.Took(s.Took)
		}
		rows.Add(container.NewBorder(nil, nil,
			container.New(layout.NewCustomPaddedLayout(0, 0, 0, look.Gap), container.NewCenter(look.NewShape(shape, c))),
			container.New(layout.NewCustomPaddedLayout(0, 0, 2*look.Group, 0), look.NewSecond(took)),
			look.NewText(look.Clean(s.Title, 60)).Colored(text)))
	}
	return container.NewCenter(rows)
}
