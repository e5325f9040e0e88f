package app_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"bottlebar.app/control"
	"bottlebar.app/snapshot"
)

// site is a server on an address of this computer that a private rule can open.
func site(t *testing.T) (addr, host string, at int) {
	t.Helper()
	l := listen(t, hostAddress(t)+":0")
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "reached") })}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	host, _, _ = strings.Cut(l.Addr().String(), ":")
	return l.Addr().String(), host, port(l)
}

// get asks for a page from inside and gives what came back, in a goroutine.
func (h *home) get(bottle, url string) <-chan string {
	got := make(chan string, 1)
	go func() {
		r, err := h.exec(bottle, control.ExecRequest{Argv: []string{"wget", "-q", "-O", "-", url}})
		got <- fmt.Sprint(r.stdout, r.code, err)
	}()
	return got
}

func (h *home) ask(bottle, host string, ok func(snapshot.Ask) bool) snapshot.Ask {
	h.t.Helper()
	var found snapshot.Ask
	eventually(h.t, "a row for "+host, func() bool {
		b, _ := h.bottle(bottle)
		i := slices.IndexFunc(b.Asks.Rows, func(r snapshot.Ask) bool { return r.Host == host && ok(r) })
		if i >= 0 {
			found = b.Asks.Rows[i]
		}
		return i >= 0
	})
	return found
}

func refusedRow(r snapshot.Ask) bool { return r.HeldUntil == nil }
func waitingRow(r snapshot.Ask) bool { return r.HeldUntil != nil }

func (h *home) read(name string, q control.ActivityQuery) []snapshot.Decision {
	h.t.Helper()
	client := &control.Client{Socket: h.app.Socket()}
	var all []snapshot.Decision
	err := client.ReadActivity(h.t.Context(), name, q, func(lines []snapshot.Decision) error {
		all = append(all, lines...)
		return nil
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return all
}

// What is refused is one row with the presets that hold it; an answer that
// names it as it was drawn opens it, any other opens nothing. All of it is on
// record over a restart and after the bottle is gone.
func TestWhatABottleAsksForIsAnsweredAndOnRecord(t *testing.T) {
	t.Parallel()
	h, b := ready(t, "")
	for range 3 {
		<-h.get(b.Name, "http://registry.npmjs.org:443/")
	}
	row := h.ask(b.ID, "registry.npmjs.org", refusedRow)
	if !slices.Contains(row.Presets, "node") {
		t.Errorf("presets %q", row.Presets)
	}
	answer := func(a control.AskAnswer) error { return h.app.AnswerAsk(t.Context(), b.Name, a) }
	for name, a := range map[string]control.AskAnswer{
		"no hash": {ID: row.ID, Answer: "bottle"}, "another hash": {ID: row.ID, Hash: "0000", Answer: "bottle"},
		"no id": {Hash: row.Hash, Answer: "bottle"}, "no such answer": {ID: row.ID, Hash: row.Hash, Answer: "everything"},
	} {
		if err := answer(a); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	rules := func() (out []string) {
		p, err := h.app.Policy(t.Context(), b.Name)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range p.Rules {
			out = append(out, r.Action+" "+r.Host+" "+r.Origin)
		}
		return out
	}
	if slices.ContainsFunc(rules(), func(s string) bool { return strings.Contains(s, "npmjs") }) {
		t.Fatalf("a stale answer made a rule: %q", rules())
	}
	if err := answer(control.AskAnswer{ID: row.ID, Hash: row.Hash, Answer: "once"}); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(rules(), "allow registry.npmjs.org once") {
		t.Errorf("after the answer: %q", rules())
	}
	<-h.get(b.Name, "http://muted.example:443/")
	row = h.ask(b.ID, "muted.example", refusedRow)
	if err := answer(control.AskAnswer{ID: row.ID, Hash: row.Hash, Answer: "never"}); err != nil {
		t.Fatal(err)
	}
	<-h.get(b.Name, "http://muted.example:80/")
	<-h.get(b.Name, "http://last.example:443/")
	h.ask(b.ID, "last.example", refusedRow)
	v, _ := h.bottle(b.ID)
	if slices.ContainsFunc(v.Asks.Rows, func(r snapshot.Ask) bool { return r.Host != "last.example" && r.Port == 443 }) {
		t.Errorf("rows that were answered are there: %+v", v.Asks.Rows)
	}

	before := h.read(b.Name, control.ActivityQuery{})
	h.close()
	h.open()
	eventually(t, "the bottle", func() bool { x, ok := h.bottle(b.ID); return ok && x.State == snapshot.Ready })
	eventually(t, "the socket", func() bool { _, err := os.Stat(h.app.Socket()); return err == nil })
	after := h.read(b.Name, control.ActivityQuery{})
	if len(after) < len(before) || !slices.Equal(before, after[:len(before)]) {
		t.Errorf("%d lines before the restart, %d after", len(before), len(after))
	}
	if x, _ := h.bottle(b.ID); x.Blocked < v.Blocked || x.Allowed < v.Allowed {
		t.Errorf("%d and %d after the restart, %d and %d before", x.Allowed, x.Blocked, v.Allowed, v.Blocked)
	}
	// Who said never is not asked by the next app either.
	<-h.get(b.Name, "http://muted.example:443/")
	<-h.get(b.Name, "http://later.example:443/")
	h.ask(b.ID, "later.example", refusedRow)
	if x, _ := h.bottle(b.ID); slices.ContainsFunc(x.Asks.Rows, func(r snapshot.Ask) bool { return r.Host == "muted.example" && r.Port == 443 }) {
		t.Errorf("asks again for what is never to be asked: %+v", x.Asks.Rows)
	}
	if !slices.Contains(rules(), "allow registry.npmjs.org once") {
		t.Errorf("after the restart: %q", rules())
	}
	if len(h.read(b.Name, control.ActivityQuery{Kind: "policy", Host: "registry.npmjs.org*"})) == 0 {
		t.Error("the change of the policy is not on record")
	}
	if err := h.app.Stop(t.Context(), b.Name); err != nil {
		t.Fatal(err)
	}
	if gone := h.read(b.Name, control.ActivityQuery{Verdict: "denied", Host: "last.example"}); len(gone) == 0 {
		t.Error("the record went with the bottle")
	}
	if r, err := h.app.Prune(t.Context(), control.PruneRequest{}); err != nil || !slices.Contains(r.Records, b.Name) {
		t.Errorf("pruned %+v, %v", r, err)
	}
	if err := h.app.ReadActivity(t.Context(), b.Name, control.ActivityQuery{}, nil); err == nil {
		t.Error("the record is there after pruning")
	}
}

func TestFollowingShowsARefusalAsItComesAndEndsWithTheBottle(t *testing.T) {
	t.Parallel()
	h, b := ready(t, "")
	client := &control.Client{Socket: h.app.Socket()}
	seen := make(chan snapshot.Decision, 100)
	ended := make(chan error, 1)
	go func() {
		ended <- client.ReadActivity(t.Context(), b.Name, control.ActivityQuery{Follow: true, Host: "*.followed.example"}, func(lines []snapshot.Decision) error {
			for _, d := range lines {
				seen <- d
			}
			return nil
		})
	}()
	for i := range 3 {
		host := fmt.Sprintf("h%d.followed.example", i)
		<-h.get(b.Name, "http://"+host+":443/")
		select {
		case d := <-seen:
			if d.Host != host || d.Verdict != "denied" || d.Bottle != b.Name {
				t.Errorf("line %+v", d)
			}
		case <-time.After(40 * time.Second):
			t.Fatal("no line came")
		}
	}
	if err := h.app.Stop(t.Context(), b.Name); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("the end: %v", err)
	}
}

// A bottle that holds: yes lets the connection through that waits, no refuses
// it at once, silence after half a minute; switched off, nothing waits.
func TestAConnectionThatWaitsGetsItsAnswer(t *testing.T) {
	t.Parallel()
	h, b := ready(t, "hold = true\n")
	if !b.Hold {
		t.Fatal("the setting is not the bottle's")
	}
	began := time.Now()
	silence := h.get(b.Name, "http://silence.example:443/")
	held := h.ask(b.ID, "silence.example", waitingRow)

	addr, host, at := site(t)
	yes := h.get(b.Name, "http://"+addr+"/")
	h.ask(b.ID, host, waitingRow)
	if _, err := h.app.ChangePolicy(t.Context(), control.PolicyChange{Action: "allow", Scope: "bottle", Bottle: b.Name, Host: host, Port: at, Private: true}); err != nil {
		t.Fatal(err)
	}
	if got := <-yes; !strings.HasPrefix(got, "reached") {
		t.Errorf("after yes: %s", got)
	}
	no := h.get(b.Name, "http://no.example:443/")
	row := h.ask(b.ID, "no.example", waitingRow)
	if err := h.app.AnswerAsk(t.Context(), b.Name, control.AskAnswer{ID: row.ID, Hash: row.Hash, Answer: "no"}); err != nil {
		t.Fatal(err)
	}
	if got := <-no; strings.HasPrefix(got, "reached") || time.Now().After(*row.HeldUntil) {
		t.Errorf("after no: %s", got)
	}
	if err := h.app.SetHold(t.Context(), b.Name, false); err != nil {
		t.Fatal(err)
	}
	if err := h.app.SetHold(t.Context(), b.Name, true); err != nil {
		t.Fatal(err)
	}
	// That ended the wait of silence.example; it waits to its end now.
	<-silence
	silence = h.get(b.Name, "http://silence.example:443/")
	held = h.ask(b.ID, "silence.example", func(r snapshot.Ask) bool { return r.HeldUntil != nil && r.HeldUntil.After(*held.HeldUntil) })
	if got := <-silence; strings.HasPrefix(got, "reached") || time.Now().Before(held.HeldUntil.Add(-time.Second)) {
		t.Errorf("after %v: %s", time.Since(began), got)
	}
	if lines := h.read(b.Name, control.ActivityQuery{Host: "silence.example"}); !slices.ContainsFunc(lines, func(d snapshot.Decision) bool { return d.Verdict == "held" }) ||
		!slices.ContainsFunc(lines, func(d snapshot.Decision) bool { return d.Verdict == "denied" }) {
		t.Errorf("on record: %+v", lines)
	}
}
