package cli

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bottlebar.app/control"
	"bottlebar.app/snapshot"
)

// recorded is an owner with a record; it notes what was asked of it.
type recorded struct {
	fake
	query control.ActivityQuery
	hold  []string
}

func (r *recorded) ReadActivity(_ context.Context, name string, q control.ActivityQuery, each func([]snapshot.Decision) error) error {
	r.query = q
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	return each([]snapshot.Decision{
		{Seq: 1, Time: at, Bottle: name, Kind: "connect", Verdict: "allowed", Host: "registry.npmjs.org", Port: 443, Rule: "registry.npmjs.org:443", Count: 1},
		{Seq: 2, Time: at, Bottle: name, Kind: "http", Verdict: "denied", Host: "=cmd()\x1b[2J", Port: 80, Rule: "not-allowed", Count: 3},
	})
}

func (r *recorded) SetHold(_ context.Context, name string, on bool) error {
	word := " off"
	if on {
		word = " on"
	}
	r.hold = append(r.hold, name+word)
	return nil
}

func TestActivityPassesItsFiltersOnAndPrintsCleanRows(t *testing.T) {
	r := &recorded{}
	before := time.Now()
	code, out, errs := runCore(t, r, "activity", "b", "--denied", "--host", "*.npmjs.org", "--kind", "http", "--since", "10m")
	if code != 0 || r.query.Verdict != "denied" || r.query.Host != "*.npmjs.org" || r.query.Kind != "http" || r.query.Follow {
		t.Fatalf("code %d, query %+v, %s", code, r.query, errs)
	}
	if ago := before.Sub(r.query.Since); ago < 9*time.Minute || ago > 10*time.Minute {
		t.Errorf("since %v ago", ago)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 3 || strings.ContainsRune(out, 0x1b) || !strings.Contains(lines[1], "✓ allowed") || !strings.Contains(lines[2], "✕ denied ×3") {
		t.Errorf("printed %q", out)
	}
	if code, _, _ := runCore(t, r, "activity", "b", "--denied", "--allowed"); code != 2 {
		t.Errorf("contradicting filters: code %d", code)
	}
}

func TestActivityIsOneJSONArrayOrWhenFollowedOneObjectALine(t *testing.T) {
	r := &recorded{}
	code, out, _ := runCore(t, r, "activity", "b", "--json")
	var all []snapshot.Decision
	if err := json.Unmarshal([]byte(out), &all); code != 0 || err != nil || len(all) != 2 {
		t.Errorf("code %d, %v: %s", code, err, out)
	}
	code, out, _ = runCore(t, r, "activity", "b", "--json", "--follow")
	if lines := strings.Split(strings.TrimSpace(out), "\n"); code != 0 || !r.query.Follow || len(lines) != 2 || !json.Valid([]byte(lines[1])) {
		t.Errorf("code %d: %s", code, out)
	}
}

func TestAnExportOverwritesNothingAndHoldsNoFormula(t *testing.T) {
	r := &recorded{}
	dir := t.TempDir()
	path := filepath.Join(dir, "out.csv")
	if code, _, errs := runCore(t, r, "activity", "b", "--export", path); code != 0 || !strings.Contains(errs, "2 lines in "+path) {
		t.Fatalf("code %d, %s", code, errs)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil || len(rows) != 3 || rows[0][5] != "host" || rows[2][5] != "'=cmd()\x1b[2J" || rows[2][15] != "3" {
		t.Errorf("%v: %q", err, rows)
	}
	if code, _, errs := runCore(t, r, "activity", "b", "--export", path); code != 1 || !strings.Contains(errs, "there already") {
		t.Errorf("a second export: code %d, %s", code, errs)
	}
	lines := filepath.Join(dir, "out.jsonl")
	if code, _, _ := runCore(t, r, "activity", "b", "--export", lines); code != 0 {
		t.Errorf("code %d", code)
	}
	if b, err := os.ReadFile(lines); err != nil || strings.Count(string(b), "\n") != 2 {
		t.Errorf("%q, %v", b, err)
	}
	if code, _, _ := runCore(t, r, "activity", "b", "--export", filepath.Join(dir, "x"), "--follow"); code != 2 {
		t.Errorf("an export that follows: code %d", code)
	}
}

func TestHoldIsOnOrOff(t *testing.T) {
	r := &recorded{}
	for word, want := range map[string]int{"on": 0, "off": 0, "perhaps": 2} {
		if code, _, errs := runCore(t, r, "policy", "hold", "b", word); code != want {
			t.Errorf("%s: code %d, %s", word, code, errs)
		}
	}
	if len(r.hold) != 2 {
		t.Errorf("asked for %q", r.hold)
	}
}

func runCore(t *testing.T, r *recorded, args ...string) (int, string, string) {
	t.Helper()
	return runAgainst(t, r, "", args...)
}
