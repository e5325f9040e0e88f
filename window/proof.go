package window

import (
	"context"
	"fmt"
	"slices"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"bottlebar.app/assets"
	"bottlebar.app/assets/look"
	"bottlebar.app/snapshot"
)

// proof is the window on one bottle's proof of isolation.
type proof struct {
	w      *Windows
	id     string
	win    fyne.Window
	head   *fyne.Container
	rows   *fyne.Container
	report *snapshot.Proof
	err    error
	busy   bool
	cancel context.CancelFunc
}

// ShowProof opens the window on a bottle's proof and runs the proof. It is
// what both the menu and the shields do: a proof is worth most when it is new.
func (w *Windows) ShowProof(bottle string) {
	b, ok := w.bottle(bottle)
	if !ok {
		return
	}
	f := w.present("proof "+bottle, "Isolation of "+look.Clean(b.Name, 40), func(win fyne.Window) content {
		p := &proof{w: w, id: bottle, win: win, head: container.NewStack(), rows: look.Column(0)}
		root := container.New(stacked{}, p.head, container.NewVScroll(p.rows))
		return content{view: p, root: root, size: fyne.NewSize(640, 480), closed: p.stop}
	})
	f.view.(*proof).run()
}

func (p *proof) stop() {
	if p.cancel != nil {
		p.cancel()
	}
}

func (p *proof) run() {
	if p.busy {
		return
	}
	ctx, cancel := context.WithCancel(p.w.ctx)
	p.busy, p.cancel, p.err = true, cancel, nil
	p.show()
	p.w.background(func(context.Context) {
		defer cancel()
		r, err := p.w.o.Backend.Bottles.Prove(ctx, p.id)
		gone := ctx.Err() != nil
		p.w.post(func() {
			p.busy = false
			if gone {
				return
			}
			if p.err = err; err == nil {
				p.report = &r
			}
			p.show()
		})
	})
}

func (p *proof) show() {
	m := p.headline()
	p.head.Objects = []fyne.CanvasObject{look.Column(0, look.NewBar(m), look.NewLine())}
	p.rows.RemoveAll()
	if p.report != nil {
		p.list()
	}
	p.win.Content().Refresh()
}

// list shows the attempts by their groups; what did not go as it must stands
// before all of them.
func (p *proof) list() {
	heading := func(text string) { p.rows.Add(look.Pad(look.NewStrong(text), look.Gap, look.Edge)) }
	add := func(a snapshot.Attempt) {
		p.rows.Add(attemptRow(a))
		p.rows.Add(look.Pad(look.NewLine(), 0, look.Edge))
	}
	for i, a := range missed(p.report.Lines) {
		if i == 0 {
			heading("What did not go as it must")
		}
		add(a)
	}
	group := ""
	for _, a := range p.report.Lines {
		if !a.Holds {
			continue
		}
		if a.Group != group {
			group = a.Group
			heading(look.Capital(look.Clean(group, 80)))
		}
		add(a)
	}
}

func missed(all []snapshot.Attempt) []snapshot.Attempt {
	return slices.DeleteFunc(slices.Clone(all), func(a snapshot.Attempt) bool { return a.Holds })
}

// headline says how the proof went.
func (p *proof) headline() look.Message {
	again := look.Choice{Label: "Prove again", Do: p.run}
	switch {
	case p.busy:
		return look.Message{
			Shape: assets.ShapeMoving, Color: look.ColorAccent, Title: "Trying to get out of the bottle",
			Lines: []string{"Each way out is tried from inside, against something that would answer."},
		}
	case p.err != nil:
		return look.Trouble(look.Problem(p.err), again)
	case p.report == nil:
		return look.Message{Shape: assets.ShapeUnknown, Color: look.ColorQuiet, Title: "Not proved yet", Choices: []look.Choice{again}}
	}
	when := look.Clock(p.report.Time, p.w.o.Now())
	if !p.report.Holds {
		lines := []string{fmt.Sprintf("%d of %d attempts did not go as they must, at %s.", len(missed(p.report.Lines)), len(p.report.Lines), when)}
		if p.report.Evidence == "" {
			return look.Message{Shape: assets.ShapeFailed, Color: look.ColorFailed, Title: "The isolation does not hold", Lines: lines, Choices: []look.Choice{again}}
		}
		lines = append(lines, "The bottle was stopped. Until you discard it, what was found is kept in", look.Clean(p.report.Evidence, 200))
		return look.Message{Shape: assets.ShapeFailed, Color: look.ColorFailed, Title: "The isolation does not hold", Lines: lines}
	}
	return look.Message{
		Shape: assets.ShapeShield, Color: look.ColorGood, Title: "The isolation holds",
		Lines: []string{fmt.Sprintf("All %d attempts went as they must, at %s.", len(p.report.Lines), when)}, Choices: []look.Choice{again},
	}
}

func attemptRow(a snapshot.Attempt) fyne.CanvasObject {
	shape, color := assets.ShapeDone, fyne.ThemeColorName(look.ColorGood)
	if !a.Holds {
		shape, color = assets.ShapeFailed, look.ColorFailed
	}
	said := "found: " + look.Clean(a.Found, 120)
	if a.By != "" {
		said += " · " + look.Clean(a.By, 80)
	}
	found := look.NewSecond(said).Cutting(look.CutEnd)
	if !a.Holds {
		found.Color = look.ColorFailed
	}
	text := look.Column(2, look.NewText(look.Capital(look.Clean(a.Tried, 120))).Cutting(look.CutEnd), found)
	row := look.Sides(look.Lead(look.NewShape(shape, color), text), look.NewSecond("expected: "+look.Clean(a.Expect, 40)))
	return container.NewStack(look.NewSpace(0, look.TallRow), look.Pad(row, look.Step, look.Edge))
}
