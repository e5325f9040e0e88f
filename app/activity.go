package app

import (
	"context"
	"slices"
	"time"

	"bottlebar.app/bottle"
	"bottlebar.app/bottle/ledger"
	"bottlebar.app/control"
	"bottlebar.app/internal/fault"
	"bottlebar.app/policy"
	"bottlebar.app/snapshot"
)

// onceFor is how long "allow once" holds when nobody says for how long.
const onceFor = 15 * time.Minute

// Activity implements control.Core.
func (a *App) Activity(ctx context.Context, name string) ([]snapshot.Decision, error) {
	if b, err := a.rack.Get(name); err == nil {
		return b.Activity(), nil
	}
	const most = 2000
	var all []snapshot.Decision
	err := a.rack.ReadActivity(ctx, name, ledger.Query{}, false, func(lines []snapshot.Decision) error {
		if all = append(all, lines...); len(all) > 2*most {
			all = slices.Clone(all[len(all)-most:])
		}
		return nil
	})
	return all[max(0, len(all)-most):], err
}

// AllActivity is what all bottles wanted to reach lately, oldest first.
func (a *App) AllActivity(context.Context) ([]snapshot.Decision, error) {
	var all []snapshot.Decision
	for _, v := range a.rack.Bottles() {
		if b, err := a.rack.Get(v.ID); err == nil {
			all = append(all, b.Activity()...)
		}
	}
	slices.SortStableFunc(all, func(x, y snapshot.Decision) int { return x.Time.Compare(y.Time) })
	return all, nil
}

// ReadActivity implements control.Core.
func (a *App) ReadActivity(ctx context.Context, name string, q control.ActivityQuery, each func([]snapshot.Decision) error) error {
	ctx, done := a.during(ctx)
	defer done()
	return a.rack.ReadActivity(ctx, name, ledger.Query{After: q.After, Since: q.Since, Verdict: q.Verdict, Kind: q.Kind, Host: q.Host}, q.Follow, each)
}

// AnswerAsk implements control.Core.
func (a *App) AnswerAsk(ctx context.Context, name string, ans control.AskAnswer) error {
	b, err := a.rack.Get(name)
	if err != nil {
		return err
	}
	change, ok := answers[ans.Answer]
	if !ok {
		return fault.New("answering for "+name, "there is no answer "+ans.Answer, "use once, bottle, always, never or no")
	}
	row, err := b.TakeAsk(ans.ID, ans.Hash)
	if err != nil {
		return err
	}
	if err := a.carryOut(ctx, b, row, change, ans); err != nil {
		b.PutBackAsk(row)
		return err
	}
	return nil
}

// answers are the changes of the policy that answers stand for; "no" is none.
var answers = map[string]control.PolicyChange{
	"once":   {Action: "allow", Scope: "once"},
	"bottle": {Action: "allow", Scope: "bottle"},
	"always": {Action: "allow", Scope: "global"},
	"never":  {Action: "mute", Scope: "bottle"},
	"no":     {},
}

func (a *App) carryOut(ctx context.Context, b *bottle.Bottle, row snapshot.Ask, change control.PolicyChange, ans control.AskAnswer) error {
	if change.Action == "" {
		return b.Refuse(ctx, row.Host)
	}
	change.Host, change.Port = row.Host, row.Port
	if change.Scope != "global" {
		change.Bottle = b.ID()
	}
	if change.Scope == "once" {
		if change.For = ans.For; change.For <= 0 {
			change.For = onceFor
		}
	}
	if change.Action == "allow" {
		b.Unrefuse(row.Host)
	}
	if _, err := a.ChangePolicy(ctx, change); err != nil {
		return err
	}
	if change.Action == "mute" {
		return b.Refuse(ctx, row.Host)
	}
	return nil
}

// SetHold implements control.Core.
func (a *App) SetHold(ctx context.Context, name string, on bool) error {
	b, err := a.rack.Get(name)
	if err != nil {
		return err
	}
	return b.SetHold(ctx, on)
}

// withPresets says of each place that bottles ask for which presets hold it.
func withPresets(all []snapshot.Bottle) []snapshot.Bottle {
	for i := range all {
		rows := all[i].Asks.Rows
		for k := range rows {
			for _, p := range policy.PresetsFor(rows[k].Host, rows[k].Port) {
				rows[k].Presets = append(rows[k].Presets, p.Name)
			}
		}
	}
	return all
}

// holds tells whether a launch's first connections wait: as it says, else as
// the settings do.
func (a *App) holds(req control.LaunchRequest) bool {
	if req.Hold != nil {
		return *req.Hold
	}
	s, err := a.settings()
	return err == nil && s.Hold
}
