package session

import (
	"strconv"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"

	"bottlebar.app/assets"
	"bottlebar.app/assets/look"
	"bottlebar.app/snapshot"
)

// standing is the message that stays while the window has no live session, or
// the bottle is in doubt.
func (v *view) standing() (look.Message, bool) {
	b := v.bottle
	switch {
	case v.phase == removed:
		return look.Message{
			Shape: assets.ShapeStopped, Color: look.ColorQuiet, Title: "This bottle was stopped",
			Lines:   []string{"The VM and everything in it are gone."},
			Choices: []look.Choice{{Label: "Close", Primary: true, Do: v.dismiss}},
		}, true
	case b.State == snapshot.Failed, b.State == snapshot.Lost, b.State == snapshot.Stopped:
		return v.notRunning(), true
	case v.phase == ended:
		return v.programEnded(), true
	case v.phase == cutOff:
		return look.Message{
			Shape: assets.ShapeUnknown, Color: look.ColorFailed, Title: "The session cannot be reached",
			Lines: because(v.cause), Choices: []look.Choice{{Label: "Connect again", Primary: true, Do: v.attach}},
		}, true
	case b.HelperLost:
		return look.Message{
			Shape: assets.ShapeUnknown, Color: look.ColorFailed, Title: "The helper in the VM does not answer",
			Lines:   problem(b.Problem, "The session may still run. It comes back by itself when the helper does."),
			Choices: []look.Choice{{Label: "Show bottle", Do: v.toBottles}},
		}, true
	case b.Isolation == snapshot.ProofFailed:
		return look.Message{
			Shape: assets.ShapeFailed, Color: look.ColorFailed, Title: "The isolation of this bottle does not hold",
			Lines:   problem(b.Problem, "Nothing gets out of it until the proof holds again."),
			Choices: []look.Choice{{Label: "Show proof", Do: v.toProof}},
		}, true
	}
	return look.Message{}, false
}

// notRunning is said of a bottle that stopped by itself or failed.
func (v *view) notRunning() look.Message {
	m := look.Message{Shape: assets.ShapeFailed, Color: look.ColorFailed, Title: "This bottle failed"}
	if p := v.bottle.Problem; p != nil && v.bottle.State == snapshot.Failed {
		m = look.Trouble(*p)
	}
	switch v.bottle.State {
	case snapshot.Stopped:
		m.Shape, m.Color, m.Title = assets.ShapeStopped, look.ColorQuiet, "This bottle has stopped"
		m.Lines = problem(v.bottle.Problem, "Its disk is whole: it can be resumed.")
	case snapshot.Lost:
		m.Shape, m.Title = assets.ShapeUnknown, "This bottle is lost"
		m.Lines = problem(v.bottle.Problem, "")
	}
	if p := v.bottle.Problem; p != nil && p.Detail != "" {
		m.Choices = append(m.Choices, look.Choice{Label: "Details", Do: func() { v.owner.o.Opener.ShowProblem(v.k.bottle) }})
	}
	if !v.joined && v.bottle.State == snapshot.Failed {
		// Nothing ever ran in it, so nothing is lost with it.
		return withChoice(m, look.Choice{Label: "Discard", Primary: true, Do: v.discard})
	}
	return withChoice(m, look.Choice{Label: "Show bottle", Do: v.toBottles})
}

func withChoice(m look.Message, c look.Choice) look.Message {
	m.Choices = append(m.Choices, c)
	return m
}

// programEnded is said when the session's program is through.
func (v *view) programEnded() look.Message {
	m := look.Message{Shape: assets.ShapeDone, Color: look.ColorQuiet, Title: "The session has ended"}
	code := v.exit
	if code == nil && v.k.session == Main {
		code = v.bottle.ExitCode
	}
	if code != nil && *code != 0 {
		m.Title += ", exit code " + strconv.Itoa(*code)
		m.Shape, m.Color = assets.ShapeFailed, look.ColorFailed
	}
	m.Choices = []look.Choice{{Label: "Close", Do: v.dismiss}}
	if v.k.session == Main {
		m.Choices = append(m.Choices, look.Choice{Label: "Shell", Do: v.shell})
	}
	m.Choices = append(m.Choices, look.Choice{Label: "Start again", Primary: true, Do: v.attach})
	return m
}

func (v *view) discard()   { v.owner.o.Opener.Stop(v.k.bottle) }
func (v *view) dismiss()   { v.owner.hide(v.k) }
func (v *view) shell()     { v.owner.Shell(v.k.bottle) }
func (v *view) toBottles() { v.owner.o.Opener.ShowBottles(v.k.bottle) }
func (v *view) toProof()   { v.owner.o.Opener.ShowProof(v.k.bottle) }

// because gives the lines of an error: what and why, then the cure.
func because(err error) []string {
	if err == nil {
		return nil
	}
	return look.Reasons(look.Problem(err))
}

// problem gives the lines of a problem, or the one that is said without any.
func problem(p *snapshot.Problem, none string) []string {
	switch {
	case p != nil:
		return look.Reasons(*p)
	case none != "":
		return []string{none}
	}
	return nil
}

// launch shows a launch as it goes, or how far it came, in the middle of the
// window.
func (v *view) launch() fyne.CanvasObject {
	b := v.bottle
	title := "Starting "
	switch b.State {
	case snapshot.Stopping:
		title = "Stopping "
	case snapshot.Failed, snapshot.Lost:
		title = "Not started: "
	}
	rows := container.New(layout.NewCustomPaddedVBoxLayout(look.Gap), look.NewTitle(title+look.Clean(b.Name, 40)), look.NewSpace(0, look.Step))
	for _, s := range b.Steps {
		st, text := look.OfStep(s.State), fyne.ThemeColorName(look.ColorText)
		if s.State == snapshot.StepWaiting || s.State == snapshot.StepUndone {
			text = look.ColorQuiet
		}
		took := ""
		if s.State == snapshot.StepDone && s.Took > 0 {
			took = look.Took(s.Took)
		}
		rows.Add(container.NewBorder(nil, nil,
			container.New(layout.NewCustomPaddedLayout(0, 0, 0, look.Gap), container.NewCenter(look.NewShape(st.Shape, st.Color))),
			container.New(layout.NewCustomPaddedLayout(0, 0, 2*look.Group, 0), look.NewSecond(took)),
			look.NewText(look.Clean(s.Title, 60)).Colored(text)))
	}
	if look.Launching(b) {
		rows.Add(look.NewSpace(0, look.Step))
		rows.Add(look.Row(look.Gap, look.NewButton("Cancel", v.discard)))
	}
	return container.NewCenter(rows)
}
