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

	"bottlebar.app/assets"
	"bottlebar.app/assets/look"
	"bottlebar.app/snapshot"
)

// The choices of the filters that leave everything in.
const (
	allBottles  = "All bottles"
	allVerdicts = "Allowed and blocked"
	onlyAllowed = "Allowed"
	onlyBlocked = "Blocked"

	showDecisions = "Decisions"
	showPolicy    = "Policy"
)

// asksWidth is the width of the left part: what bottles ask for.
const asksWidth = 300

// activity is the Activity window: what bottles reached, the newest at the top.
type activity struct {
	w   *Windows
	win fyne.Window

	show    *widget.Select
	bottle  *widget.Select
	verdict *widget.Select
	text    *widget.Entry
	count   *look.Text
	list    *widget.List
	body    *fyne.Container
	table   fyne.CanvasObject
	right   *fyne.Container
	asking  *asking
	policy  *policyList

	names   map[string]string // shown name -> ID
	all     []snapshot.Decision
	rows    []snapshot.Decision
	seen    int // sum of the counts when it was loaded last
	loading bool
	again   bool // something changed while it was loading
}

// ShowActivity opens the Activity window on one bottle; "" is all of them.
func (w *Windows) ShowActivity(bottle string) {
	f := w.present("activity", "Activity — Bottlebar", func(win fyne.Window) content {
		a := newActivity(w, win)
		return content{view: a, root: a.root(), update: a.update, size: fyne.NewSize(1120, 560), lasting: true}
	})
	a := f.view.(*activity)
	a.bottle.SetSelected(allBottles)
	for name, id := range a.names {
		if id == bottle {
			a.bottle.SetSelected(name)
		}
	}
	a.asking.settled.all(w.o.Now())
	a.load()
}

// ActivityShown tells whether the Activity window is open.
func (w *Windows) ActivityShown() bool {
	f, ok := w.open["activity"]
	return ok && f.shown
}

func newActivity(w *Windows, win fyne.Window) *activity {
	a := &activity{w: w, win: win, names: map[string]string{}, seen: -1, body: container.NewStack(), count: look.NewSecond("")}
	a.asking, a.policy = newAsking(w), newPolicyList(w)
	a.policy.told = func(n int) {
		if a.show.Selected == showPolicy {
			a.count.Set(look.Count(n, "rule", "rules"))
		}
	}
	a.show = widget.NewSelect([]string{showDecisions, showPolicy}, func(string) { a.turn() })
	a.show.Selected = showDecisions
	a.bottle = widget.NewSelect([]string{allBottles}, func(string) { a.turn() })
	a.verdict = widget.NewSelect([]string{allVerdicts, onlyAllowed, onlyBlocked}, func(string) { a.filter() })
	a.text = widget.NewEntry()
	a.text.SetPlaceHolder("Filter by host or rule")
	a.list = widget.NewList(func() int { return len(a.rows) },
		func() fyne.CanvasObject { return newDecisionRow() },
		func(i widget.ListItemID, o fyne.CanvasObject) {
			if i < len(a.rows) {
				o.(*decisionRow).show(a.rows[i], a.w.o.Now())
			}
		})
	a.list.HideSeparators = true
	a.bottle.Selected, a.verdict.Selected = allBottles, allVerdicts
	a.text.OnChanged = func(string) { a.filter() }
	return a
}

func (a *activity) root() fyne.CanvasObject {
	wide := func(o fyne.CanvasObject, w float32) fyne.CanvasObject {
		return container.NewGridWrap(fyne.NewSize(w, look.RowHeight), o)
	}
	bar := look.Sides(look.Row(look.Gap, wide(a.show, 130), wide(a.bottle, 180), wide(a.verdict, 190), wide(a.text, 220)), a.count)
	left := container.New(stacked{}, look.Column(0, look.Pad(look.NewStrong("Asked for"), look.Gap, look.Edge), look.NewLine()), a.asking.root)
	a.table = container.New(stacked{}, look.Column(0, decisionHeader(), look.NewLine()), a.body)
	a.right = container.NewStack(a.table)
	top := look.Column(0, look.Pad(bar, look.Gap, look.Edge), look.NewLine())
	return container.New(stacked{}, top, container.New(beside{}, left, look.NewLine(), a.right))
}

// update loads the decisions again when the bottles' own counts say that there
// are new ones: nothing is asked for while nothing happens.
func (a *activity) update(s snapshot.Snapshot) {
	sum := 0
	names := map[string]string{}
	options := []string{allBottles}
	for _, b := range s.Bottles {
		sum += b.Allowed + b.Blocked
		name := look.Clean(b.Name, 40)
		names[name] = b.ID
		options = append(options, name)
	}
	if !slices.Equal(options, a.bottle.Options) {
		a.names = names
		a.bottle.SetOptions(options)
		if !slices.Contains(options, a.bottle.Selected) {
			a.bottle.SetSelected(allBottles)
		}
	}
	a.asking.update(s.Bottles, a.chosen())
	if sum != a.seen {
		a.seen = sum
		a.load()
	}
}

// load asks for the decisions in the background, one question at a time.
func (a *activity) load() {
	if a.loading {
		a.again = true
		return
	}
	a.loading = true
	a.w.background(func(ctx context.Context) {
		all, err := a.w.o.Backend.Activity.Decisions(ctx, "")
		a.w.post(func() { a.loaded(all, err) })
	})
}

func (a *activity) loaded(all []snapshot.Decision, err error) {
	a.loading = false
	if !a.w.failed(err) {
		a.all = all
		a.filter()
	}
	if a.again {
		a.again = false
		a.load()
	}
}

// chosen is the ID of the bottle that is chosen, "" for all.
func (a *activity) chosen() string { return a.names[a.bottle.Selected] }

// turn shows decisions or policy of the bottle that is chosen.
func (a *activity) turn() {
	a.asking.update(a.w.last.Bottles, a.chosen())
	if a.show.Selected == showPolicy {
		a.verdict.Disable()
		a.text.Disable()
		a.right.Objects = []fyne.CanvasObject{a.policy.root}
		a.policy.load(a.chosen())
		a.right.Refresh()
		return
	}
	a.verdict.Enable()
	a.text.Enable()
	a.right.Objects = []fyne.CanvasObject{a.table}
	a.filter()
}

// filter shows the rows that pass.
func (a *activity) filter() {
	bottle := ""
	if a.bottle.Selected != allBottles {
		bottle = a.bottle.Selected
	}
	a.rows = passing(a.all, bottle, a.names[bottle], a.verdict.Selected, a.text.Text)
	if a.show.Selected == showDecisions {
		a.count.Set(look.Count(len(a.rows), "decision", "decisions"))
	}
	a.body.RemoveAll()
	switch {
	case len(a.all) == 0:
		a.body.Add(container.NewCenter(look.NewText("No bottle has asked for anything yet").Colored(look.ColorQuiet)))
	case len(a.rows) == 0:
		a.body.Add(container.NewCenter(look.NewText("No decision passes the filter").Colored(look.ColorQuiet)))
	default:
		a.body.Add(look.Pad(a.list, look.Step, look.Gap))
		a.list.Refresh()
	}
	a.win.Content().Refresh()
}

// passing are the decisions that the filters let through, the newest first. A
// bottle is named by its name or its ID.
func passing(all []snapshot.Decision, name, id, verdict, text string) []snapshot.Decision {
	text = strings.ToLower(strings.TrimSpace(text))
	var out []snapshot.Decision
	for _, d := range slices.Backward(all) {
		switch {
		case name != "" && d.Bottle != name && d.Bottle != id,
			verdict == onlyAllowed && d.Verdict != "allowed",
			verdict == onlyBlocked && d.Verdict != "denied",
			text != "" && !strings.Contains(strings.ToLower(d.Host+" "+d.Rule), text):
			continue
		}
		out = append(out, d)
	}
	return out
}

// decisionRow is one row of the table.
type decisionRow struct {
	widget.BaseWidget
	shape *look.Shape
	cells [7]*look.Text
	root  *fyne.Container
}

// The columns: time, bottle, verdict, host and port, rule, bytes, milliseconds.
var columnWidths = [7]float32{64, 112, 88, 0, 152, 76, 64}

func newDecisionRow() *decisionRow {
	r := &decisionRow{shape: look.NewShape(assets.ShapeDone, look.ColorGood)}
	for i := range r.cells {
		r.cells[i] = look.NewMono("").Cutting(look.CutEnd)
	}
	r.cells[0].Color, r.cells[4].Color = look.ColorQuiet, look.ColorQuiet
	r.cells[1].Style, r.cells[2].Style, r.cells[4].Style = fyne.TextStyle{}, fyne.TextStyle{}, fyne.TextStyle{}
	r.cells[3].Ending = look.CutHead
	r.cells[5].Align, r.cells[6].Align = fyne.TextAlignTrailing, fyne.TextAlignTrailing
	r.root = decisionColumns(r.cells, look.Lead(r.shape, r.cells[2]), look.Edge-look.Gap)
	r.ExtendBaseWidget(r)
	return r
}

func decisionColumns(cells [7]*look.Text, verdict fyne.CanvasObject, edge float32) *fyne.Container {
	return look.Pad(container.New(table{columnWidths[:]}, cells[0], cells[1], verdict, cells[3], cells[4], cells[5], cells[6]), 0, edge)
}

func decisionHeader() fyne.CanvasObject {
	var cells [7]*look.Text
	for i, s := range []string{"Time", "Bottle", "Verdict", "Host", "Rule", "Bytes", "ms"} {
		cells[i] = look.NewSecond(s)
	}
	cells[5].Right()
	cells[6].Right()
	return container.NewStack(look.NewSpace(0, look.RowHeight-look.Step), decisionColumns(cells, cells[2], look.Edge))
}

func (r *decisionRow) show(d snapshot.Decision, now time.Time) {
	for i, s := range decisionCells(d, now) {
		r.cells[i].Set(s)
	}
	switch d.Verdict {
	case "allowed":
		r.shape.Set(assets.ShapeDone, look.ColorGood)
	case "held":
		r.shape.Set(assets.ShapeNeeds, look.ColorNeedsYou)
	case "closed", "changed": // the end of one that was allowed, with its bytes
		r.shape.Set(assets.ShapeIdle, look.ColorQuiet)
	default:
		r.shape.Set(assets.ShapeFailed, look.ColorFailed)
	}
}

// hostPort is a host and its port. The host is cut on the left: its end says whose
// it is.
func hostPort(host string, port int) string {
	host = look.CutLeft(look.Clean(host, 255), 80)
	if port != 0 {
		host += ":" + strconv.Itoa(port)
	}
	return host
}

// decisionCells are the texts of a row.
func decisionCells(d snapshot.Decision, now time.Time) [7]string {
	host := hostPort(d.Host, d.Port)
	if d.Count > 1 {
		host += "  ×" + strconv.Itoa(d.Count)
	}
	verdict := look.Clean(d.Verdict, 16)
	if verdict == "denied" {
		verdict = "blocked" // the word that counts and menu use
	}
	switch {
	case d.Path != "":
		host = look.Clean(d.Method+" "+d.Path, 80)
	case d.Kind == "policy" && host == "":
		host = "policy"
	}
	bytes, ms := "", ""
	if d.Up+d.Down > 0 {
		bytes = look.Size(d.Up + d.Down)
	}
	if d.Took > 0 && d.Verdict != "held" {
		ms = strconv.FormatInt(d.Took.Milliseconds(), 10)
	}
	return [7]string{
		d.Time.In(now.Location()).Format("15:04:05"),
		look.Clean(d.Bottle, 40), verdict, host, ruleWords(d.Rule),
		bytes, ms,
	}
}

// ruleWords says in words why something was blocked; rules are shown as they
// were written.
func ruleWords(rule string) string {
	switch rule {
	case "not-allowed":
		return "no rule allows it"
	case "closed":
		return "before the proof held"
	case "address":
		return "private address"
	case "no-address":
		return "name not found"
	case "unreachable":
		return "nobody answers there"
	case "proxy-down":
		return "the network's proxy is silent"
	case "proxy-auth":
		return "the network's proxy wants a login"
	case "proxy-refused":
		return "the network's proxy refuses"
	case "sni":
		return "TLS names another host"
	case "no-credential":
		return "no credential is set"
	case "api-path":
		return "not an API request"
	case "api":
		return "API"
	}
	return look.Clean(rule, 60)
}

// MinSize makes all rows equally high.
func (r *decisionRow) MinSize() fyne.Size {
	r.ExtendBaseWidget(r)
	return fyne.NewSize(r.root.MinSize().Width, look.RowHeight-look.Step) // a list puts Step between rows
}

// CreateRenderer is for the toolkit.
func (r *decisionRow) CreateRenderer() fyne.WidgetRenderer {
	return widget.NewSimpleRenderer(r.root)
}

// table lays cells out in columns of fixed widths; the one of width 0 takes the rest.
type table struct{ widths []float32 }

func (t table) MinSize([]fyne.CanvasObject) fyne.Size {
	var w float32 = 160
	for _, c := range t.widths {
		w += c + look.Gap
	}
	return fyne.NewSize(w, look.BodySize)
}

func (t table) Layout(o []fyne.CanvasObject, s fyne.Size) {
	rest := s.Width
	for _, c := range t.widths {
		rest -= c + look.Gap
	}
	x := float32(0)
	for i, w := range t.widths {
		if w == 0 {
			w = rest + look.Gap
		}
		h := o[i].MinSize().Height
		o[i].Resize(fyne.NewSize(w, h))
		o[i].Move(fyne.NewPos(x, (s.Height-h)/2))
		x += w + look.Gap
	}
}
