package window

import (
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"bottlebar.app/assets"
	"bottlebar.app/assets/look"
	"bottlebar.app/snapshot"
)

// bottles is the Bottles window: a card each.
type bottles struct {
	w      *Windows
	cards  map[string]*card
	column *fyne.Container
	body   *fyne.Container
	scroll *container.Scroll
}

// ShowBottles opens the Bottles window with that bottle in sight; "" is any.
func (w *Windows) ShowBottles(bottle string) {
	f := w.present("bottles", "Bottles — Bottlebar", func(fyne.Window) content {
		b := newBottles(w)
		return content{view: b, root: b.body, update: b.update, size: fyne.NewSize(640, 480), lasting: true}
	})
	f.view.(*bottles).reveal(bottle)
}

func newBottles(w *Windows) *bottles {
	b := &bottles{w: w, cards: map[string]*card{}, column: look.Column(look.Gap), body: container.NewStack()}
	b.scroll = container.NewVScroll(look.Pad(b.column, look.Edge, look.Edge))
	return b
}

// update keeps the cards of bottles that stay, so that nothing jumps under the
// pointer.
func (b *bottles) update(s snapshot.Snapshot) {
	now := b.w.o.Now()
	cards := make(map[string]*card, len(s.Bottles))
	column := make([]fyne.CanvasObject, 0, len(s.Bottles))
	for _, bt := range s.Bottles {
		c := b.cards[bt.ID]
		if c == nil {
			c = newCard(b.w, bt.ID)
		}
		c.show(bt, now)
		cards[bt.ID] = c
		column = append(column, c.root)
	}
	b.cards, b.column.Objects = cards, column
	b.body.Objects = []fyne.CanvasObject{b.scroll}
	if len(s.Bottles) == 0 {
		b.body.Objects = []fyne.CanvasObject{b.empty(len(s.Library) > 0)}
	}
	b.column.Refresh()
	b.body.Refresh()
}

func (b *bottles) empty(library bool) fyne.CanvasObject {
	what, button := "Launch an artifact from the menu or from the library.", "Show library"
	if !library {
		what, button = "Add an artifact to the library first.", "Add an artifact…"
	}
	open := func() {
		if library {
			b.w.ShowLibrary("")
			return
		}
		b.w.ShowAdd()
	}
	return container.NewCenter(look.Column(look.Gap, container.NewCenter(bigMark()),
		container.NewCenter(look.NewTitle("No bottles")),
		container.NewCenter(look.NewText(what).Colored(look.ColorQuiet)),
		look.NewSpace(0, look.Gap),
		container.NewCenter(look.NewPrimary(button, open))))
}

func (b *bottles) reveal(id string) {
	c := b.cards[id]
	if c == nil {
		return
	}
	y := c.root.Position().Y
	if y < b.scroll.Offset.Y || y+c.root.Size().Height > b.scroll.Offset.Y+b.scroll.Size().Height {
		b.scroll.ScrollToOffset(fyne.NewPos(0, max(0, y-look.Edge)))
	}
}

// card is one bottle.
type card struct {
	w  *Windows
	id string

	root    *fyne.Container
	shape   *look.Shape
	name    *look.Text
	state   *look.Text
	facts   *look.Text
	parts   *fyne.Container // proof, activity, caveats
	proof   *look.Part
	traffic *look.Part
	caveat  *look.Part
	extra   *fyne.Container // steps of a launch, or what went wrong
	buttons *fyne.Container
	shown   string // which buttons are there
}

func newCard(w *Windows, id string) *card {
	c := &card{
		w: w, id: id, shape: look.NewShape(assets.ShapeIdle, look.ColorQuiet),
		name: look.NewStrong("").Cutting(look.CutEnd), state: look.NewText(""), facts: look.NewSecond("").Cutting(look.CutEnd),
		extra: look.Column(look.Step), buttons: look.Row(look.Gap),
	}
	c.name.Width = 200
	c.proof = look.NewPart("", func() { w.ShowProof(id) })
	c.traffic = look.NewPart("", func() { w.ShowActivity(id) })
	c.caveat = look.NewPart("", nil)
	c.parts = look.Row(look.Step, c.proof, c.traffic, c.caveat)
	head := look.Lead(c.shape, look.Row(look.Gap, c.name, c.state))
	// The parts have room around their text; moving them left lines it up.
	under := container.New(indent{look.ShapeSize + look.Gap}, look.Column(2, c.facts, container.New(indent{-look.Step}, c.parts), c.extra))
	body := look.Column(look.Step, look.Sides(head, c.buttons), under)
	c.root = container.NewStack(look.NewCard(), look.Pad(body, look.Gap+look.Step, look.Gap+look.Step))
	return c
}

// indent moves its one thing to the right, or left, and leaves its right edge.
type indent struct{ by float32 }

func (l indent) MinSize(o []fyne.CanvasObject) fyne.Size {
	return o[0].MinSize().AddWidthHeight(max(0, l.by), 0)
}

func (l indent) Layout(o []fyne.CanvasObject, s fyne.Size) {
	o[0].Move(fyne.NewPos(l.by, 0))
	o[0].Resize(fyne.NewSize(s.Width-l.by, s.Height))
}

func (c *card) show(b snapshot.Bottle, now time.Time) {
	st := look.Of(b)
	c.shape.Set(st.Shape, st.Color)
	c.name.Set(look.Clean(b.Name, 48))
	c.state.Set(st.Word)
	c.state.SetColor(look.OnRaised(st.Color))
	c.facts.Set(bottleFacts(b, now))
	c.showParts(b, now)
	c.extra.Objects = c.extras(b)
	c.extra.Hidden = len(c.extra.Objects) == 0
	c.showButtons(b)
	c.root.Refresh()
}

// bottleFacts is the card's second line.
func bottleFacts(b snapshot.Bottle, now time.Time) string {
	var parts []string
	if b.Artifact != b.Name {
		parts = append(parts, look.Clean(b.Artifact, 40))
	}
	if b.Folder != "" {
		parts = append(parts, look.Clean(look.CutLeft(look.Folder(b), 40), 40))
	}
	if b.StartedAt != nil && b.State == snapshot.Ready {
		parts = append(parts, "up "+look.Ago(*b.StartedAt, now))
	}
	if b.Release != "" {
		parts = append(parts, "smolvm "+look.Clean(b.Release, 20))
	}
	return strings.Join(parts, " · ")
}

func (c *card) showParts(b snapshot.Bottle, now time.Time) {
	p := look.Proof(b, now)
	c.proof.Set(p.Shape, p.Word, p.Color)
	c.proof.Hidden = b.State != snapshot.Ready && b.Isolation != snapshot.ProofFailed
	c.traffic.Set("", look.Traffic(b), look.ColorQuiet)
	c.caveat.Set("", look.Caveats(b), look.ColorNeedsYou)
	c.parts.Hidden = c.proof.Hidden && c.traffic.Hidden && c.caveat.Hidden
}

// extras are the steps of a launch, or what went wrong.
func (c *card) extras(b snapshot.Bottle) []fyne.CanvasObject {
	var out []fyne.CanvasObject
	switch look.Of(b).Rank {
	case look.RankMoving:
		for _, s := range b.Steps {
			out = append(out, stepRow(s))
		}
	default:
		if b.Problem != nil {
			for _, l := range look.Reasons(*b.Problem) {
				out = append(out, secondParagraph(l))
			}
		}
	}
	if b.Transfer != nil {
		bar := look.NewProgress(look.Step, false)
		bar.Set(b.Transfer.Done, b.Transfer.Total)
		out = append(out, look.Column(look.Step, look.NewSecond("Copying "+look.Clean(b.Transfer.Label, 60)), bar))
	}
	return out
}

func stepRow(s snapshot.Step) fyne.CanvasObject {
	st := look.OfStep(s.State)
	took := ""
	if s.State == snapshot.StepDone && s.Took > 0 {
		took = look.Took(s.Took)
	}
	return look.Row(look.Gap, look.NewShape(st.Shape, st.Color), look.NewSecond(look.Clean(s.Title, 60)).Colored(look.ColorText), look.NewSecond(took))
}

// showButtons puts the buttons there that b's state has a use for.
func (c *card) showButtons(b snapshot.Bottle) {
	kind := string(look.Of(b).Word)
	switch {
	case b.State == snapshot.Ready:
		kind = "ready"
	case b.Problem != nil && b.Problem.Detail != "":
		kind += " with details"
	case b.Problem != nil:
		kind += " with a problem"
	}
	if kind == c.shown {
		return
	}
	c.shown = kind
	c.buttons.RemoveAll()
	for _, o := range c.buttonsFor(b) {
		c.buttons.Add(o)
	}
}

func (c *card) buttonsFor(b snapshot.Bottle) []fyne.CanvasObject {
	w, id := c.w, c.id
	stop := func() { w.Stop(id) }
	var out []fyne.CanvasObject
	switch b.State {
	case snapshot.Ready:
		return []fyne.CanvasObject{
			look.NewPrimary("Open", func() { w.o.Backend.Sessions.Open(id) }),
			look.NewButton("Files…", func() { w.ShowCopyIn(id) }),
			look.NewButton("Stop", stop),
		}
	case snapshot.Preparing, snapshot.Creating, snapshot.Starting, snapshot.Proving:
		return []fyne.CanvasObject{look.NewButton("Cancel", stop)}
	case snapshot.Stopping:
		return nil
	case snapshot.Stopped:
		resume := look.NewPrimary
		if b.Problem != nil { // what stopped it is to be read first
			resume = look.NewButton
		}
		out = append(out, resume("Resume", func() { w.Resume(id) }))
	}
	if b.Problem != nil && b.Problem.Detail != "" {
		out = append(out, look.NewButton("Details", func() { w.ShowProblem(id) }))
	}
	return append(out, look.NewButton("Discard", stop))
}
