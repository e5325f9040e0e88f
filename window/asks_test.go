package window

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"bottlebar.app/assets/look"
	"bottlebar.app/snapshot"
)

func askOf(id, host string, after time.Duration) snapshot.Ask {
	return snapshot.Ask{ID: id, Hash: "hash-" + id, Host: host, Port: 443, Kind: "connect", First: noon.Add(after), Last: noon.Add(after), Count: 3}
}

func asksFor(rows ...snapshot.Ask) snapshot.Snapshot {
	b := running()
	b.Asks = snapshot.Asks{Rows: rows, News: len(rows)}
	return snapshot.Snapshot{Bottles: []snapshot.Bottle{b}}
}

// Whose a name is stays readable and stands out, however long its beginning.
func TestTheDomainThatSaysWhoseAHostIsStandsOut(t *testing.T) {
	for host, want := range map[string][2]string{
		"registry.npmjs.org":                {"registry.", "npmjs.org"},
		"npmjs.org":                         {"", "npmjs.org"},
		"www.service.gov.uk":                {"", "www.service.gov.uk"}, // service.gov.uk is given out by name
		"a.b.example.co.uk":                 {"a.b.", "example.co.uk"},
		"api.anthropic.com.evil.example":    {"api.anthropic.com.", "evil.example"},
		"me.github.io":                      {"", "me.github.io"},
		"10.0.0.7":                          {"", "10.0.0.7"},
		"2001:db8::1":                       {"", "2001:db8::1"},
		"localhost":                         {"", "localhost"},
		"xn--pypi-4ve.org":                  {"", "xn--pypi-4ve.org"},
		strings.Repeat("a.", 60) + "x.test": {strings.Repeat("a.", 60), "x.test"},
	} {
		if a, b := splitHost(host); a != want[0] || b != want[1] {
			t.Errorf("%s: %q and %q", host, a, b)
		}
	}
	h := newHostLine()
	h.set(strings.Repeat("api.anthropic.com.", 10)+"evil.example", 443)
	h.root.Resize(fyne.NewSize(180, 18))
	if w := h.domain.Size().Width; w < fyne.MeasureText("evil.example:443", h.domain.Points, h.domain.Style).Width || h.before.Size().Width+w > 180 {
		t.Errorf("the domain has %g of 180, the beginning %g", w, h.before.Size().Width)
	}
}

// Nothing counts within half a second of a row's appearance or move.
func TestARowCountsOnceItHasStoodStill(t *testing.T) {
	var s settled
	now := noon
	step := func(d time.Duration) { now = now.Add(d) }
	s.draw([]string{"a", "b"}, now)
	step(settleTime - 1)
	if s.ready("a", now) || s.ready("gone", now) {
		t.Error("a row that has just appeared counts")
	}
	step(1)
	if !s.ready("a", now) || !s.ready("b", now) {
		t.Error("a row that stood still does not count")
	}
	s.draw([]string{"b", "c"}, now)
	if s.ready("b", now) || s.ready("c", now) || s.ready("a", now) {
		t.Error("a row that moved, a new one or one that went counts")
	}
	step(settleTime)
	s.draw([]string{"b", "c"}, now)
	if !s.ready("b", now) {
		t.Error("drawing it again where it was makes it new")
	}
	s.all(now)
	if s.ready("b", now) {
		t.Error("it counts as the window opens")
	}
}

func TestNewRowsComeBelowAndTheRestOfAFloodIsOneRow(t *testing.T) {
	b := running()
	b.Asks = snapshot.Asks{Rows: []snapshot.Ask{askOf("new", "new.example", time.Minute), askOf("old", "old.example", 0)}, MoreNames: 312}
	rows := wants([]snapshot.Bottle{b}, "")
	if len(rows) != 3 || rows[0].ask.ID != "old" || rows[1].ask.ID != "new" || rows[2].more != 312 {
		t.Fatalf("%+v", rows)
	}
	if len(wants([]snapshot.Bottle{b}, "other")) != 0 {
		t.Error("another bottle's rows are shown")
	}
	r := newAskRow(newAsking(&Windows{o: Options{Now: func() time.Time { return noon }}}))
	r.show(rows[2], noon)
	if r.host.domain.Text != "312 more names" || r.buttons.Visible() {
		t.Errorf("the row reads %q", r.host.domain.Text)
	}
	r.show(rows[0], noon)
	if r.host.domain.Text != "old.example:443" || !r.buttons.Visible() {
		t.Errorf("a row that is used again reads %q", r.host.domain.Text)
	}
}

func TestASecondLineSaysHowOftenWhenAndWhatHoldsIt(t *testing.T) {
	a := askOf("1", "registry.npmjs.org", -2*time.Minute)
	a.Presets = []string{"node"}
	d := wanted{bottle: "b1", name: "docs-fix", ask: a}
	if got := askWords(d, noon); got != "docs-fix · 3 times · 2 min · in node" {
		t.Errorf("%q", got)
	}
	until := noon.Add(21 * time.Second)
	d.ask.HeldUntil = &until
	if got := askWords(d, noon); got != "docs-fix · waits for you, 21 s · in node" {
		t.Errorf("%q", got)
	}
	if got := askWords(d, until); strings.Contains(got, "waits") {
		t.Errorf("after its end %q", got)
	}
}

// tapAsk taps a button of the first row that is drawn.
func tapAsk(t *testing.T, a *activity, label string) {
	t.Helper()
	row := newAskRow(a.asking)
	row.show(a.asking.rows[0], a.w.o.Now())
	for _, o := range row.buttons.Objects {
		if b := o.(*look.Button); b.Label() == label {
			test.Tap(b)
			return
		}
	}
	t.Fatalf("no button %s", label)
}

func TestAnAnswerCarriesWhatWasDrawnAndNothingElse(t *testing.T) {
	w, wo, l := setUp(t)
	now := noon
	w.o.Now = func() time.Time { return now }
	w.Update(asksFor(askOf("a1", "a.example", 0), askOf("a2", "b.example", time.Second)))
	w.ShowActivity("")
	a := w.open["activity"].view.(*activity)
	tapAsk(t, a, "Allow once")
	tapAsk(t, a, "Allow…")
	if strings.Contains(wo.all(), "answer") || len(w.open) != 1 {
		t.Fatalf("a click at once counts: %s", wo.all())
	}
	now = now.Add(settleTime)
	tapAsk(t, a, "Allow once")
	l.until(t, "the answer", func() bool { return strings.Contains(wo.all(), "answer b1 a1 hash-a1 once") })

	// The first is gone, the second moved up under the pointer: not at once.
	drawn := newAskRow(a.asking)
	drawn.show(a.asking.rows[0], now)
	w.Update(asksFor(askOf("a2", "b.example", time.Second)))
	test.Tap(drawn.buttons.Objects[0].(*look.Button))
	tapAsk(t, a, "Allow once")
	if n := strings.Count(wo.all(), "answer"); n != 1 {
		t.Errorf("%d answers after a stale click and one on a row that moved", n)
	}
	now = now.Add(settleTime)
	tapAsk(t, a, "Allow…")
	f := w.open["ask b1/a2"]
	if f == nil {
		t.Fatal("no window with the whole name")
	}
	always := find(f.Content(), "Always")
	test.Tap(always)
	if strings.Contains(wo.all(), "always") {
		t.Error("a click as the window opens counts")
	}
	now = now.Add(settleTime)
	test.Tap(always)
	l.until(t, "the answer", func() bool {
		return strings.Contains(wo.all(), "answer b1 a2 hash-a2 always") && w.open["ask b1/a2"] == nil
	})
}

// find is the button of a label.
func find(o fyne.CanvasObject, label string) *look.Button {
	var found *look.Button
	var walk func(o fyne.CanvasObject)
	walk = func(o fyne.CanvasObject) {
		switch x := o.(type) {
		case *look.Button:
			if x.Label() == label {
				found = x
			}
		case *fyne.Container:
			for _, c := range x.Objects {
				walk(c)
			}
		}
	}
	walk(o)
	return found
}

func TestTheWindowOfAnAskShowsTheWholeName(t *testing.T) {
	w, _, _ := setUp(t)
	host := strings.Repeat("long-label.", 18) + "evil.example"
	d := wanted{bottle: "b1", name: "docs-fix", ask: askOf("a", host, 0)}
	win := test.NewTempWindow(t, w.askWindow(d))
	win.Resize(fyne.NewSize(600, 360))
	markup := test.RenderToMarkup(win.Canvas())
	var text strings.Builder
	for _, part := range strings.Split(markup, "<text ")[1:] {
		if _, rest, ok := strings.Cut(part, ">"); ok {
			shown, _, _ := strings.Cut(rest, "</text>")
			text.WriteString(shown)
		}
	}
	if !strings.Contains(strings.ReplaceAll(text.String(), "\n", ""), host+":443") {
		t.Errorf("the name is not there whole: %s", text.String())
	}
}

func TestThePolicyIsListedWithOriginAndHits(t *testing.T) {
	w, wo, l := setUp(t)
	until := noon.Add(10 * time.Minute)
	wo.rules = []snapshot.PolicyRule{
		{Action: "allow", Host: "registry.npmjs.org", Port: 443, Origin: "bottle", Preset: "node", Hits: 12},
		{Action: "allow", Host: "x.example", Port: 443, Origin: "once", Expires: &until},
		{Action: "block", Host: "*.evil.example", Origin: "global"},
		{Action: "allow", Host: "y.evil.example", Port: 443, Origin: "settings", Overruled: "blocked"},
	}
	w.Update(asksFor())
	w.ShowActivity("b1")
	a := w.open["activity"].view.(*activity)
	a.show.SetSelected(showPolicy)
	l.until(t, "the policy", func() bool { return len(a.policy.rows) == 4 })
	var got []string
	for _, r := range a.policy.rows {
		c := policyCells(r, noon)
		got = append(got, strings.Join(c[:], "|"))
	}
	want := []string{
		"allow|registry.npmjs.org:443|bottle, preset node|12", "allow|x.example:443|once, until 12:10|0",
		"block|*.evil.example|global|0", "allow|y.evil.example:443|settings, not in force: blocked|0",
	}
	if !slices.Equal(got, want) || !strings.Contains(wo.all(), "policy b1") {
		t.Errorf("%q; %s", got, wo.all())
	}
}

// BenchmarkFilter is a filter over what ten full bottles hold in memory, beside
// walking over the same lines without one.
func BenchmarkFilter(b *testing.B) {
	all := make([]snapshot.Decision, 20_000)
	for i := range all {
		all[i] = snapshot.Decision{Seq: uint64(i), Bottle: "b", Verdict: "allowed", Host: fmt.Sprint("h", i, ".example.com"), Rule: "r"}
	}
	b.Run("text", func(b *testing.B) {
		for b.Loop() {
			passing(all, "b", "", onlyAllowed, "h19999")
		}
	})
	b.Run("walk", func(b *testing.B) {
		n := 0
		for b.Loop() {
			for i := range all {
				n += len(all[i].Host)
			}
		}
		_ = n
	})
}
