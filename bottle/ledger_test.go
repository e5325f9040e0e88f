package bottle

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"bottlebar.app/bottle/ledger"
	"bottlebar.app/egress"
	"bottlebar.app/snapshot"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// one is a bottle that a test feeds with a sidecar's lines.
func one(t *testing.T) *Bottle {
	t.Helper()
	root := t.TempDir()
	r := &Rack{cfg: Config{Paths: Paths{Ledger: root}, Now: func() time.Time { return noon }, Changed: func() {}}}
	b := newBottle(r, &entry{ID: "abcdefgh", Name: "one"})
	if err := b.keepRecord(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.recent.Close() })
	return b
}

func refused(host string) egress.Decision {
	return egress.Decision{Time: noon, Kind: egress.Denied, Via: "connect", Host: host, Port: 443, Reason: egress.NotAllowed, Count: 1}
}

func TestASidecarsLinesBecomeLinesOfTheRecord(t *testing.T) {
	for name, c := range map[string]struct {
		d    egress.Decision
		want snapshot.Decision
	}{
		"denied":  {egress.Decision{Kind: egress.Denied, Via: "http", Host: "h", Port: 80, Reason: egress.NotAllowed}, snapshot.Decision{Kind: "http", Verdict: "denied", Host: "h", Port: 80, Rule: "not-allowed"}},
		"canary":  {egress.Decision{Kind: egress.Denied, Via: "connect", Host: "h", Reason: egress.NotAllowed, Canary: true}, snapshot.Decision{Kind: "canary", Verdict: "denied", Host: "h", Rule: "not-allowed"}},
		"lost":    {egress.Decision{Kind: egress.Lost, Via: "connect", Count: 7}, snapshot.Decision{Kind: "lost", Verdict: "denied", Rule: "lines dropped", Count: 7}},
		"allowed": {egress.Decision{Kind: egress.Allowed, Via: "connect", Host: "h", IP: "192.0.2.1", Rule: "h:443"}, snapshot.Decision{Kind: "connect", Verdict: "allowed", Host: "h", Address: "192.0.2.1", Rule: "h:443"}},
		"closed":  {egress.Decision{Kind: egress.Closed, Via: "connect", Host: "h", Up: 1, Down: 2, Millis: 3}, snapshot.Decision{Kind: "connect", Verdict: "closed", Host: "h", Up: 1, Down: 2, Took: 3 * time.Millisecond}},
		"api":     {egress.Decision{Kind: egress.APICall, Via: "api", Path: "/v1/messages"}, snapshot.Decision{Kind: "api", Verdict: "allowed", Rule: "api route", Path: "/v1/messages"}},
		"no api":  {egress.Decision{Kind: egress.APICall, Via: "api", Reason: egress.APIPath}, snapshot.Decision{Kind: "api", Verdict: "denied", Rule: "api-path"}},
		"held":    {egress.Decision{Kind: egress.Held, Via: "connect", Host: "h", Millis: 30000}, snapshot.Decision{Kind: "connect", Verdict: "held", Host: "h", Took: 30 * time.Second}},
		"unknown": {egress.Decision{Kind: "decoy", Host: "h", Reason: "seen"}, snapshot.Decision{Kind: "decoy", Verdict: "denied", Host: "h", Rule: "seen"}},
	} {
		c.want.Count = max(c.want.Count, 1)
		if got := decision(c.d); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func TestTheProofsOwnRefusalsAreOnRecordAndNobodysNews(t *testing.T) {
	b := one(t)
	b.probing.expect("127.0.0.1:4711", "nonce.example.com")
	local := refused("127.0.0.1")
	local.Port = 4711
	for _, d := range []egress.Decision{local, refused("nonce.example.com"), refused("other.example")} {
		b.record(nil, nil, d)
	}
	v := b.View()
	if v.Blocked != 1 || len(v.Asks.Rows) != 1 || v.Asks.Rows[0].Host != "other.example" {
		t.Errorf("%d blocked, asks %+v", v.Blocked, v.Asks.Rows)
	}
	if !b.denied("nonce.example.com", noon) || len(b.Activity()) != 3 {
		t.Error("the proof does not find its own line")
	}
	for range probeLines { // a guest knows the name by now
		b.record(nil, nil, refused("nonce.example.com"))
	}
	if v := b.View(); v.Blocked != 2 {
		t.Errorf("a guest that asks for the proof's name hides %d refusals", probeLines+1-v.Blocked)
	}
}

// A flood of names is one number; rows, names and memory stay bounded.
func TestAFloodOfNamesMakesOneNumber(t *testing.T) {
	a := newAsks("abcdefgh")
	for i := range 10_000 {
		a.saw(decision(refused(fmt.Sprint("n", i, ".example"))), noon)
	}
	v := a.view()
	if len(v.Rows) != maxAsks || v.MoreNames != maxNames || v.MoreCount != 10_000-maxAsks || len(a.names) != maxNames {
		t.Errorf("%d rows, %d more names, asked for %d times", len(v.Rows), v.MoreNames, v.MoreCount)
	}
	news := v.News
	a.saw(decision(refused("n9999.example")), noon)
	a.saw(decision(refused("n3.example")), noon)
	if v = a.view(); v.News != news {
		t.Error("what came before is news again")
	}
}

func TestAPlaceIsOneRowHoweverOftenItIsWanted(t *testing.T) {
	a := newAsks("abcdefgh")
	for i := range 3 {
		d := refused("npm.example")
		d.Time, d.Count = noon.Add(time.Duration(i)*time.Minute), i+1
		a.saw(decision(d), noon)
	}
	other := refused("npm.example")
	other.Port = 80
	a.saw(decision(other), noon)
	for _, reason := range []egress.Reason{egress.Blocked, egress.NotOpen, egress.BelowFloor, egress.APIHost, egress.BadName} {
		d := refused("no-rule-helps.example")
		d.Reason = reason
		a.saw(decision(d), noon)
	}
	rows := a.view().Rows
	if len(rows) != 2 {
		t.Fatalf("rows %+v", rows)
	}
	i := slices.IndexFunc(rows, func(r snapshot.Ask) bool { return r.Port == 443 })
	if r := rows[i]; r.Count != 6 || !r.First.Equal(noon) || !r.Last.Equal(noon.Add(2*time.Minute)) {
		t.Errorf("row %+v", r)
	}
}

// An answer names what was drawn. Anything else takes nothing.
func TestAnAnswerToWhatIsNoLongerThereIsRefused(t *testing.T) {
	a := newAsks("abcdefgh")
	a.saw(decision(refused("a.example")), noon)
	a.saw(decision(refused("b.example")), noon)
	rows := a.view().Rows
	for name, c := range map[string][2]string{
		"no id": {"", rows[0].Hash}, "no hash": {rows[0].ID, ""}, "another's hash": {rows[0].ID, rows[1].Hash}, "made up": {"0000", "0000"},
	} {
		if _, ok := a.take(c[0], c[1]); ok {
			t.Errorf("%s: taken", name)
		}
	}
	row, ok := a.take(rows[0].ID, rows[0].Hash)
	if !ok || row.Host != rows[0].Host {
		t.Fatal("the right answer is refused")
	}
	if _, ok := a.take(rows[0].ID, rows[0].Hash); ok {
		t.Error("a second click counts again")
	}
	again := refused(row.Host)
	again.Time = noon.Add(time.Minute)
	a.saw(decision(again), noon)
	if _, ok := a.take(row.ID, row.Hash); ok {
		t.Error("a stale click answers the next appearance of the place")
	}
}

func TestARowThatWaitsSaysUntilWhenAndHasRoomInAFlood(t *testing.T) {
	a := newAsks("abcdefgh")
	for i := range maxAsks {
		a.saw(decision(refused(fmt.Sprint("n", i, ".example"))), noon)
	}
	held := egress.Decision{Time: noon, Kind: egress.Held, Via: "connect", Host: "wait.example", Port: 443, Millis: 30000}
	a.saw(decision(held), noon)
	find := func() *snapshot.Ask {
		rows := a.view().Rows
		if len(rows) > maxAsks {
			t.Fatalf("%d rows", len(rows))
		}
		i := slices.IndexFunc(rows, func(r snapshot.Ask) bool { return r.Host == "wait.example" })
		if i < 0 {
			t.Fatal("the row that waits is not there")
		}
		return &rows[i]
	}
	if r := find(); r.HeldUntil == nil || !r.HeldUntil.Equal(noon.Add(30*time.Second)) {
		t.Errorf("held until %v", r.HeldUntil)
	}
	a.saw(decision(refused("wait.example")), noon)
	if r := find(); r.HeldUntil != nil || r.Count != 2 {
		t.Errorf("after its refusal %+v", r)
	}
}

func TestAPolicysChangesAreLinesOfTheRecord(t *testing.T) {
	b := one(t)
	for _, p := range []egress.Policy{
		{Revision: 1, Hosts: []egress.Rule{{Host: "a.example"}}},
		{Revision: 2, Hosts: []egress.Rule{{Host: "a.example"}}},
		{Revision: 3, Hosts: []egress.Rule{{Host: "b.example", Port: 8443, Private: true}}, Block: []string{"c.example"}},
	} {
		if err := b.notePolicy(p); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, d := range b.Activity() {
		got = append(got, d.Kind+" "+d.Verdict+" "+d.Host+" "+d.Rule)
	}
	want := []string{
		"policy changed  1 rule in force", "policy changed a.example:443 removed",
		"policy changed b.example:8443 private added", "policy changed block c.example added",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if allowed, blocked := b.recent.Counts(); allowed+blocked != 0 {
		t.Error("a change of policy is counted as a decision")
	}
}

func TestTheRecordOfABottleThatIsGoneIsFoundByItsNameUntilItIsPruned(t *testing.T) {
	b := one(t)
	r := b.rack
	b.record(nil, nil, refused("a.example"))
	b.recent.Close()
	read := func(name string) (out []snapshot.Decision, err error) {
		err = r.ReadActivity(t.Context(), name, ledger.Query{}, true, func(all []snapshot.Decision) error {
			out = append(out, all...)
			return nil
		})
		return out, err
	}
	for _, name := range []string{"one", "abcdefgh"} {
		if all, err := read(name); err != nil || len(all) != 1 || all[0].Bottle != "one" {
			t.Errorf("%s: %+v, %v", name, all, err)
		}
	}
	if _, err := read("two"); err == nil {
		t.Error("a bottle that never was has a record")
	}
	if names, bytes, err := r.PruneRecords(true); err != nil || len(names) != 1 || bytes == 0 {
		t.Errorf("would prune %v, %d bytes, %v", names, bytes, err)
	}
	if _, err := os.Stat(filepath.Join(r.cfg.Paths.Ledger, b.id)); err != nil {
		t.Error("a dry run removed it")
	}
	if _, _, err := r.PruneRecords(false); err != nil {
		t.Fatal(err)
	}
	if _, err := read("one"); err == nil {
		t.Error("it is there after pruning")
	}
}
