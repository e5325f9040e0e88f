package window

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/widget"
	"golang.org/x/net/publicsuffix"

	"bottlebar.app/assets"
	"bottlebar.app/assets/look"
	"bottlebar.app/snapshot"
)

// settleTime is how long a row must have been where it is before a click on it
// counts: one that appears or moves under the pointer is not what was meant.
const settleTime = 500 * time.Millisecond

// settled remembers since when each row is where it is.
type settled struct {
	at map[string]place
}

type place struct {
	index int
	since time.Time
}

// draw notes that rows, by their IDs, are drawn in this order.
func (s *settled) draw(ids []string, now time.Time) {
	next := make(map[string]place, len(ids))
	for i, id := range ids {
		p, ok := s.at[id]
		if !ok || p.index != i {
			p = place{i, now}
		}
		next[id] = p
	}
	s.at = next
}

// all begins anew for every row: the window was opened or they were scrolled.
func (s *settled) all(now time.Time) {
	for id, p := range s.at {
		p.since = now
		s.at[id] = p
	}
}

// ready tells whether a click on a row counts.
func (s *settled) ready(id string, now time.Time) bool {
	p, ok := s.at[id]
	return ok && now.Sub(p.since) >= settleTime
}

// wanted is one place that a bottle asks for, with whose it is. A row without
// an ask says how many names have none.
type wanted struct {
	bottle, name string
	ask          snapshot.Ask
	more         int // names without a row; the ask is empty
}

func (w wanted) key() string { return w.bottle + "/" + w.ask.ID }

// wants are the rows for a bottle by its ID, or for all, the oldest first: what
// comes is put below and moves nothing.
func wants(all []snapshot.Bottle, bottle string) []wanted {
	var out []wanted
	for _, b := range all {
		if bottle != "" && b.ID != bottle {
			continue
		}
		name := look.Clean(b.Name, 40)
		for _, a := range b.Asks.Rows {
			out = append(out, wanted{bottle: b.ID, name: name, ask: a})
		}
	}
	slices.SortStableFunc(out, func(a, b wanted) int {
		if c := a.ask.First.Compare(b.ask.First); c != 0 {
			return c
		}
		return strings.Compare(a.key(), b.key())
	})
	for _, b := range all {
		if n := b.Asks.MoreNames; n > 0 && (bottle == "" || b.ID == bottle) {
			out = append(out, wanted{bottle: b.ID, name: look.Clean(b.Name, 40), more: n})
		}
	}
	return out
}

// splitHost cuts a host in ASCII form into what may be cut away and the domain
// that says whose it is. An address, or a name that no registry gives away, is
// all domain.
func splitHost(host string) (before, domain string) {
	host = look.Clean(host, 255)
	d, err := publicsuffix.EffectiveTLDPlusOne(host)
	if err != nil || !strings.HasSuffix(host, "."+d) {
		return "", host
	}
	return strings.TrimSuffix(host, d), d
}

// hostLine shows a host on one line: its beginning gives way, its domain is
// strong and stays.
type hostLine struct {
	before, domain *look.Text
	root           *fyne.Container
}

func newHostLine() *hostLine {
	h := &hostLine{before: look.NewText("").Cutting(look.CutHead).Colored(look.ColorQuiet), domain: look.NewStrong("").Cutting(look.CutHead)}
	h.root = container.New(joined{}, h.before, h.domain)
	return h
}

func (h *hostLine) set(host string, port int) {
	before, domain := splitHost(host)
	if port != 0 {
		domain += ":" + strconv.Itoa(port)
	}
	h.before.Set(before)
	h.domain.Set(domain)
	h.root.Refresh()
}

// joined puts two texts next to each other; the first gives way.
type joined struct{}

func (joined) MinSize(o []fyne.CanvasObject) fyne.Size {
	return fyne.NewSize(40, max(o[0].MinSize().Height, o[1].MinSize().Height))
}

func (joined) Layout(o []fyne.CanvasObject, s fyne.Size) {
	full := func(o fyne.CanvasObject) float32 {
		t := o.(*look.Text)
		if t.Text == "" {
			return 0
		}
		return fyne.MeasureText(t.Text, t.Points, t.Style).Width + 1
	}
	second := min(full(o[1]), s.Width)
	first := min(full(o[0]), s.Width-second)
	o[0].Resize(fyne.NewSize(first, s.Height))
	o[0].Move(fyne.NewPos(0, 0))
	o[1].Resize(fyne.NewSize(second, s.Height))
	o[1].Move(fyne.NewPos(first, 0))
}

// asking is the left of the Activity window: what bottles ask for.
type asking struct {
	w       *Windows
	list    *widget.List
	rows    []wanted
	settled settled
	ticking bool // a second is being waited for
	empty   *look.Text
	root    *fyne.Container
}

func newAsking(w *Windows) *asking {
	k := &asking{w: w}
	k.list = widget.NewList(func() int { return len(k.rows) },
		func() fyne.CanvasObject { return newAskRow(k) },
		func(i widget.ListItemID, o fyne.CanvasObject) {
			if i < len(k.rows) {
				o.(*askRow).show(k.rows[i], w.o.Now())
			}
		})
	k.list.HideSeparators = true
	k.empty = look.NewSecond("Nothing waits for your word")
	k.root = container.NewStack(look.Pad(k.list, look.Step, look.Step), look.Pad(container.NewVBox(k.empty), look.Gap, look.Edge))
	return k
}

// update shows the rows of a bottle, or of all.
func (k *asking) update(all []snapshot.Bottle, bottle string) {
	k.rows = wants(all, bottle)
	ids := make([]string, len(k.rows))
	for i, r := range k.rows {
		ids[i] = r.key()
	}
	k.settled.draw(ids, k.w.o.Now())
	if len(k.rows) == 0 {
		k.empty.Show()
	} else {
		k.empty.Hide()
	}
	k.list.Refresh()
	k.tick()
}

// tick counts the seconds down while a connection waits, and only then.
func (k *asking) tick() {
	now := k.w.o.Now()
	if k.ticking || !slices.ContainsFunc(k.rows, func(d wanted) bool { return waits(d.ask, now) }) {
		return
	}
	k.ticking = true
	k.w.background(func(ctx context.Context) {
		second := time.NewTimer(time.Second)
		defer second.Stop()
		select {
		case <-second.C:
		case <-ctx.Done():
			return
		}
		k.w.post(func() {
			k.ticking = false
			k.list.Refresh()
			if k.w.ActivityShown() {
				k.tick()
			}
		})
	})
}

// clicked runs f for a row whose place has been the same for a while.
func (k *asking) clicked(drawn wanted, f func(wanted)) {
	if k.settled.ready(drawn.key(), k.w.o.Now()) {
		f(drawn)
	}
}

// askRow is one row of it. What a click answers is what the row drew.
type askRow struct {
	widget.BaseWidget
	k       *asking
	drawn   wanted
	shape   *look.Shape
	host    *hostLine
	second  *look.Text
	buttons *fyne.Container
	root    *fyne.Container
}

func newAskRow(k *asking) *askRow {
	r := &askRow{k: k, shape: look.NewShape(assets.ShapeFailed, look.ColorFailed), host: newHostLine(), second: look.NewSecond("").Cutting(look.CutEnd)}
	r.buttons = look.Row(look.Gap,
		look.NewButton("Allow once", func() { k.clicked(r.drawn, func(d wanted) { k.w.answer(d, "once") }) }),
		look.NewButton("Allow…", func() { k.clicked(r.drawn, k.w.showAsk) }))
	text := look.Column(2, r.host.root, r.second, look.Pad(r.buttons, look.Step, 0))
	r.root = look.Pad(look.Lead(r.shape, text), look.Gap, look.Edge-look.Step)
	r.ExtendBaseWidget(r)
	return r
}

func (r *askRow) show(d wanted, now time.Time) {
	r.drawn = d
	if d.more > 0 {
		r.host.set(look.Count(d.more, "more name", "more names"), 0)
		r.second.Set(d.name)
		r.buttons.Hide()
		r.shape.Set(assets.ShapeIdle, look.ColorQuiet)
		return
	}
	r.host.set(d.ask.Host, d.ask.Port)
	r.second.Set(askWords(d, now))
	r.buttons.Show()
	if waits(d.ask, now) {
		r.shape.Set(assets.ShapeNeeds, look.ColorNeedsYou)
	} else {
		r.shape.Set(assets.ShapeFailed, look.ColorFailed)
	}
}

// waits tells whether a connection waits for the answer.
func waits(a snapshot.Ask, now time.Time) bool { return a.HeldUntil != nil && now.Before(*a.HeldUntil) }

// askWords is the second line of a row: whose, how often, when, and the
// presets that hold it.
func askWords(d wanted, now time.Time) string {
	words := []string{d.name, look.Count(d.ask.Count, "time", "times"), look.Ago(d.ask.Last, now)}
	if waits(d.ask, now) {
		words = append(words[:1:1], "waits for you, "+strconv.Itoa(int(d.ask.HeldUntil.Sub(now).Seconds()+0.5))+" s")
	}
	if len(d.ask.Presets) > 0 {
		words = append(words, "in "+look.Clean(strings.Join(d.ask.Presets, ", "), 60))
	}
	return strings.Join(words, " · ")
}

// CreateRenderer is for the toolkit.
func (r *askRow) CreateRenderer() fyne.WidgetRenderer { return widget.NewSimpleRenderer(r.root) }

// answer carries an answer to what was drawn out.
func (w *Windows) answer(d wanted, answer string) {
	w.background(func(ctx context.Context) {
		err := w.o.Backend.Activity.Answer(ctx, d.bottle, d.ask.ID, d.ask.Hash, answer)
		w.post(func() {
			if !w.failed(err) {
				w.dismiss("ask " + d.key())
			}
		})
	})
}

// showAsk opens the window with the whole name and every answer.
func (w *Windows) showAsk(d wanted) {
	w.present("ask "+d.key(), "Allow a host — Bottlebar", func(fyne.Window) content {
		return content{root: w.askWindow(d), size: fyne.NewSize(600, 360)}
	})
}

// oneLine is how many letters of a name fit a line of that window.
const oneLine = 56

// askWindow lays out one question. Its buttons count once it has been there for
// a moment.
func (w *Windows) askWindow(d wanted) fyne.CanvasObject {
	opened := w.o.Now()
	tap := func(answer string) func() {
		return func() {
			if w.o.Now().Sub(opened) >= settleTime {
				w.answer(d, answer)
			}
		}
	}
	before, domain := splitHost(d.ask.Host)
	if len(before)+len(domain) > oneLine { // the domain is not to be broken
		before += "\n"
	}
	whole := widget.NewRichText(
		&widget.TextSegment{Text: before, Style: widget.RichTextStyle{Inline: true, ColorName: look.ColorQuiet, TextStyle: fyne.TextStyle{Monospace: true}}},
		&widget.TextSegment{Text: domain + ":" + strconv.Itoa(d.ask.Port), Style: widget.RichTextStyle{Inline: true, TextStyle: fyne.TextStyle{Monospace: true, Bold: true}}})
	whole.Wrapping = fyne.TextWrapBreak
	name := container.NewStack(look.NewCard(), look.Pad(whole, look.Step, look.Step))
	facts := look.Column(look.Step,
		look.NewSecond("First "+look.Clock(d.ask.First, w.o.Now())+", last "+look.Clock(d.ask.Last, w.o.Now())+", "+look.Count(d.ask.Count, "time", "times")),
		look.NewSecond(presetWords(d.ask.Presets)).Cutting(look.CutEnd))
	choice := func(label, hint, answer string) fyne.CanvasObject {
		return container.New(choiceLine{}, look.NewButton(label, tap(answer)), look.NewSecond(hint).Cutting(look.CutEnd))
	}
	choices := look.Column(look.Gap,
		choice("Allow once", "For 15 minutes, in this bottle", "once"),
		choice("For this bottle", "As long as "+d.name+" exists", "bottle"),
		choice("Always", "For every bottle, until you take it back", "always"),
		choice("Never ask again", "It stays refused in this bottle, without a row", "never"))
	if waits(d.ask, w.o.Now()) {
		choices.Add(choice("Not now", "Refuse the connection that waits", "no"))
	}
	return look.Pad(container.NewVBox(look.Column(look.Gap, look.NewTitle(d.name+" asks for"), name, facts, look.NewLine(), choices)), look.Edge, look.Edge)
}

func presetWords(names []string) string {
	if len(names) == 0 {
		return "No preset holds it"
	}
	return "Held by the preset " + look.Clean(strings.Join(names, ", "), 80)
}

// choiceLine puts a button of one width before its hint.
type choiceLine struct{}

const choiceWidth = 132

func (choiceLine) MinSize(o []fyne.CanvasObject) fyne.Size {
	return fyne.NewSize(choiceWidth+look.Group+40, o[0].MinSize().Height)
}

func (choiceLine) Layout(o []fyne.CanvasObject, s fyne.Size) {
	o[0].Resize(fyne.NewSize(choiceWidth, s.Height))
	o[0].Move(fyne.NewPos(0, 0))
	h := o[1].MinSize().Height
	o[1].Resize(fyne.NewSize(s.Width-choiceWidth-look.Group, h))
	o[1].Move(fyne.NewPos(choiceWidth+look.Group, (s.Height-h)/2))
}

// beside puts what bottles ask for at the left, a line, and the rest.
type beside struct{}

func (beside) MinSize(o []fyne.CanvasObject) fyne.Size {
	r := o[2].MinSize()
	return fyne.NewSize(asksWidth+1+r.Width, max(o[0].MinSize().Height, r.Height))
}

func (beside) Layout(o []fyne.CanvasObject, s fyne.Size) {
	o[0].Resize(fyne.NewSize(asksWidth, s.Height))
	o[0].Move(fyne.NewPos(0, 0))
	o[1].Resize(fyne.NewSize(1, s.Height))
	o[1].Move(fyne.NewPos(asksWidth, 0))
	o[2].Resize(fyne.NewSize(s.Width-asksWidth-1, s.Height))
	o[2].Move(fyne.NewPos(asksWidth+1, 0))
}
