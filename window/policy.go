package window

import (
	"context"
	"strconv"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/widget"

	"bottlebar.app/assets"
	"bottlebar.app/assets/look"
	"bottlebar.app/snapshot"
)

// policyList is the effective policy of a bottle, or what every bottle gets.
type policyList struct {
	w    *Windows
	list *widget.List
	rows []snapshot.PolicyRule
	root fyne.CanvasObject
	of   string
	told func(rules int) // how many there are
}

func newPolicyList(w *Windows) *policyList {
	p := &policyList{w: w}
	p.list = widget.NewList(func() int { return len(p.rows) },
		func() fyne.CanvasObject { return newPolicyRow() },
		func(i widget.ListItemID, o fyne.CanvasObject) {
			if i < len(p.rows) {
				o.(*policyRow).show(p.rows[i], w.o.Now())
			}
		})
	p.list.HideSeparators = true
	var cells [4]*look.Text
	for i, s := range []string{"Action", "Host", "From", "Hits"} {
		cells[i] = look.NewSecond(s)
	}
	cells[3].Right()
	head := container.NewStack(look.NewSpace(0, look.RowHeight-look.Step), policyColumns(cells, cells[0], look.Edge))
	p.root = container.New(stacked{}, look.Column(0, head, look.NewLine()), look.Pad(p.list, look.Step, look.Gap))
	return p
}

// load asks for the policy of a bottle by its ID; "" is what every bottle gets.
func (p *policyList) load(bottle string) {
	p.of = bottle
	p.w.background(func(ctx context.Context) {
		rows, err := p.w.o.Backend.Activity.Policy(ctx, bottle)
		p.w.post(func() {
			if p.of != bottle || p.w.failed(err) {
				return
			}
			p.rows = rows
			p.told(len(rows))
			p.list.Refresh()
		})
	})
}

// policyRow is one line of a policy.
type policyRow struct {
	widget.BaseWidget
	shape *look.Shape
	cells [4]*look.Text
	root  *fyne.Container
}

// The columns: action, host and port, origin, hits.
var policyWidths = [4]float32{96, 0, 260, 64}

func newPolicyRow() *policyRow {
	r := &policyRow{shape: look.NewShape(assets.ShapeDone, look.ColorGood)}
	r.cells[0] = look.NewMono("").Cutting(look.CutEnd)
	r.cells[1] = look.NewMono("").Cutting(look.CutHead)
	r.cells[2] = look.NewMono("").Cutting(look.CutEnd).Colored(look.ColorQuiet)
	r.cells[0].Style, r.cells[2].Style = fyne.TextStyle{}, fyne.TextStyle{} // figures alone are monospace
	r.cells[3] = look.NewMono("").Right()
	r.root = policyColumns(r.cells, look.Lead(r.shape, r.cells[0]), look.Edge-look.Gap)
	r.ExtendBaseWidget(r)
	return r
}

func policyColumns(cells [4]*look.Text, action fyne.CanvasObject, edge float32) *fyne.Container {
	return look.Pad(container.New(table{policyWidths[:]}, action, cells[1], cells[2], cells[3]), 0, edge)
}

func (r *policyRow) show(p snapshot.PolicyRule, now time.Time) {
	for i, s := range policyCells(p, now) {
		r.cells[i].Set(s)
	}
	switch {
	case p.Overruled != "":
		r.shape.Set(assets.ShapeIdle, look.ColorQuiet)
	case p.Action == "allow":
		r.shape.Set(assets.ShapeDone, look.ColorGood)
	default:
		r.shape.Set(assets.ShapeFailed, look.ColorFailed)
	}
}

func policyCells(p snapshot.PolicyRule, now time.Time) [4]string {
	host := hostPort(p.Host, p.Port)
	from := look.Clean(p.Origin, 20)
	if p.Preset != "" {
		from += ", preset " + look.Clean(p.Preset, 30)
	}
	if p.Expires != nil {
		from += ", until " + look.Clock(*p.Expires, now)
	}
	if p.Overruled != "" {
		from += ", not in force: " + look.Clean(p.Overruled, 60)
	}
	return [4]string{look.Clean(p.Action, 12), host, from, strconv.Itoa(p.Hits)}
}

// MinSize makes all rows equally high.
func (r *policyRow) MinSize() fyne.Size {
	r.ExtendBaseWidget(r)
	return fyne.NewSize(r.root.MinSize().Width, look.RowHeight-look.Step)
}

// CreateRenderer is for the toolkit.
func (r *policyRow) CreateRenderer() fyne.WidgetRenderer { return widget.NewSimpleRenderer(r.root) }
