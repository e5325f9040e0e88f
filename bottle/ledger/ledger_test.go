package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"bottlebar.app/snapshot"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func allowed(host string) snapshot.Decision {
	return snapshot.Decision{Time: noon, Kind: "connect", Verdict: VerdictAllowed, Host: host, Port: 443, Rule: host + ":443"}
}

func denied(host string) snapshot.Decision {
	return snapshot.Decision{Time: noon, Kind: "connect", Verdict: VerdictDenied, Host: host, Port: 443, Rule: "not-allowed"}
}

func opened(t *testing.T, dir string, o Options) *Ledger {
	t.Helper()
	if o.Reserve == 0 {
		o.Reserve = 4096
	}
	l := New(o)
	if err := l.Open(dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func put(t *testing.T, l *Ledger, all ...snapshot.Decision) {
	t.Helper()
	for _, d := range all {
		if err := l.Add(d); err != nil {
			t.Fatal(err)
		}
	}
}

func read(t *testing.T, dir string, q Query) []snapshot.Decision {
	t.Helper()
	var out []snapshot.Decision
	for d, err := range Read(dir, q) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, d)
	}
	return out
}

func hosts(all []snapshot.Decision) []string {
	var out []string
	for _, d := range all {
		out = append(out, d.Host)
	}
	return out
}

func counts(t *testing.T, l *Ledger, wantAllowed, wantBlocked int) {
	t.Helper()
	if a, b := l.Counts(); a != wantAllowed || b != wantBlocked {
		t.Errorf("%d allowed and %d blocked, want %d and %d", a, b, wantAllowed, wantBlocked)
	}
}

func TestALineComesBackAsItWasWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "l")
	l := opened(t, dir, Options{})
	d := snapshot.Decision{
		Time: noon.Add(123456789), Kind: "api", Verdict: VerdictAllowed, Host: "api.anthropic.com", Port: 443, Address: "192.0.2.1", Rule: "api",
		Method: "POST", Path: "/v1/messages", Status: 200, Up: 10, Down: 20, Took: 1500 * time.Millisecond, Count: 1,
	}
	put(t, l, d)
	d.Seq = 1
	if got := read(t, dir, Query{}); len(got) != 1 || got[0] != d {
		t.Errorf("wrote %+v\nread  %+v", d, got)
	}
	for name, want := range map[string]os.FileMode{".": 0o700, "passed-000001.jsonl": 0o600, "denied-000001.jsonl": 0o600, reserveName: 0o600} {
		fi, err := os.Stat(filepath.Join(dir, name))
		if err != nil || fi.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", name, fi, err)
		}
	}
}

func TestAnAdoptedLedgerGoesOnWithNumbersAndCounts(t *testing.T) {
	dir := t.TempDir()
	l := New(Options{Reserve: 4096})
	put(t, l, denied("before.example")) // before there was a folder
	if err := l.Open(dir); err != nil {
		t.Fatal(err)
	}
	put(t, l, allowed("a.example"), denied("b.example"))
	probe := denied("nonce.example.com")
	probe.Kind = KindProbe
	put(t, l, probe)
	counts(t, l, 1, 2)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = opened(t, dir, Options{})
	counts(t, l, 1, 2)
	put(t, l, allowed("c.example"))
	counts(t, l, 2, 2)
	want := []string{"before.example", "a.example", "b.example", "nonce.example.com", "c.example"}
	if got := hosts(read(t, dir, Query{})); !slices.Equal(got, want) {
		t.Errorf("on disk %v", got)
	}
	if got := hosts(l.Recent()); !slices.Equal(got, want) {
		t.Errorf("in memory %v", got)
	}
	for i, d := range l.Recent() {
		if d.Seq != uint64(i+1) {
			t.Errorf("line %d has the number %d", i+1, d.Seq)
		}
	}
}

// A crash can tear the last line anywhere. It is left out, whatever is left of
// it, and the next line stands by itself.
func TestATornLineIsLeftOutAndTheNextBeginsAfresh(t *testing.T) {
	whole, err := encode(func() snapshot.Decision { d := allowed("torn.example"); d.Seq, d.Count = 2, 1; return d }())
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(whole) {
		dir := t.TempDir()
		l := opened(t, dir, Options{})
		put(t, l, allowed("first.example"))
		l.Close()
		path := filepath.Join(dir, "passed-000001.jsonl")
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(before, whole[:n]...), 0o600); err != nil {
			t.Fatal(err)
		}
		l = opened(t, dir, Options{})
		put(t, l, allowed("next.example"))
		want := []string{"first.example", "next.example"}
		if n == len(whole)-1 { // only its end is missing
			want = []string{"first.example", "torn.example", "next.example"}
		}
		if got := hosts(read(t, dir, Query{})); !slices.Equal(got, want) {
			t.Fatalf("torn after %d bytes: %v", n, got)
		}
		counts(t, l, len(want), 0)
		l.Close()
	}
}

func TestAFileWithoutItsHeadCountsFromTheOneBefore(t *testing.T) {
	dir := t.TempDir()
	o := Options{Passed: Budget{600, 9}}
	l := opened(t, dir, o)
	for i := range 10 {
		put(t, l, allowed(fmt.Sprint("h", i, ".example")))
	}
	l.Close()
	all, _ := numbers(dir, passedName)
	last := filepath.Join(dir, fmt.Sprintf("passed-%06d.jsonl", all[len(all)-1]))
	if err := os.WriteFile(last, nil, 0o600); err != nil { // a crash between making it and its head
		t.Fatal(err)
	}
	left := len(read(t, dir, Query{}))
	l = opened(t, dir, o)
	counts(t, l, left, 0)
	if left == 0 || len(all) < 3 {
		t.Fatalf("%d lines in %d files show nothing", left, len(all))
	}
}

func TestBothStreamsStayWithinTheirBudgets(t *testing.T) {
	dir := t.TempDir()
	o := Options{Passed: Budget{8 << 10, 4}, Denied: Budget{4 << 10, 2}}
	l := opened(t, dir, o)
	for i := range 2000 {
		put(t, l, allowed(fmt.Sprint("a", i%5, ".example")), denied(fmt.Sprint("d", i, ".example")))
	}
	counts(t, l, 2000, 2000)
	var bytes int64
	files, _ := os.ReadDir(dir)
	for _, f := range files {
		fi, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		bytes += fi.Size()
	}
	if limit := int64(4*(8<<10) + 2*(4<<10) + 4096 + 4<<10); bytes > limit {
		t.Errorf("%d bytes in %d files, the budgets are %d", bytes, len(files), limit)
	}
	l.Close()
	l = opened(t, dir, o)
	counts(t, l, 2000, 2000)
}

// What was let through is summed up before its file goes, once, however often
// the program dies in between: nothing that was reached is without a trace.
func TestWhatWasLetThroughLeavesASumWhenItsFileGoes(t *testing.T) {
	dir := t.TempDir()
	l := opened(t, dir, Options{Passed: Budget{2 << 10, 2}})
	secret := allowed("exfiltrated.example")
	secret.Up = 12345
	put(t, l, secret)
	for i := range 500 {
		d := allowed("noise.example")
		d.Time = noon.Add(time.Duration(i) * time.Second)
		put(t, l, d)
	}
	got := read(t, dir, Query{Host: "exfiltrated.example"})
	if len(got) != 1 || got[0].Kind != KindSum || got[0].Up != 12345 || got[0].Count != 1 || !strings.Contains(got[0].Rule, "sum since 2026-11-23T12:00:00Z") {
		t.Fatalf("it is left as %+v", got)
	}
	n := 0
	for _, d := range read(t, dir, Query{Host: "noise.example"}) {
		n += d.Count
	}
	if n != 500 {
		t.Errorf("%d of 500 lines are accounted for", n)
	}
	o := readOlder(dir)
	l.mu.Lock()
	err := l.fold(filepath.Join(dir, "passed-000001.jsonl"), o.Through)
	l.mu.Unlock()
	if err != nil || len(readOlder(dir).Sums) != len(o.Sums) || readOlder(dir).Sums[0] != o.Sums[0] {
		t.Errorf("a file that was in the sums was added again: %v", err)
	}
}

func TestAFloodOfRefusalsLeavesTheOneTunnelAndTheCanary(t *testing.T) {
	dir := t.TempDir()
	l := opened(t, dir, Options{Passed: Budget{4 << 10, 2}, Denied: Budget{4 << 10, 2}})
	canary := denied("planted.example")
	canary.Kind = KindCanary
	for i := range 3000 {
		put(t, l, denied(fmt.Sprint("flood", i, ".example")))
		switch i {
		case 1000:
			put(t, l, allowed("tunnel.example"))
		case 1001:
			put(t, l, canary)
		}
	}
	for _, host := range []string{"tunnel.example", "planted.example"} {
		if got := read(t, dir, Query{Host: host}); len(got) != 1 {
			t.Errorf("%s: %d lines are there", host, len(got))
		}
	}
	counts(t, l, 1, 3001)
}

func TestAQuerySelects(t *testing.T) {
	dir := t.TempDir()
	l := opened(t, dir, Options{})
	late := denied("late.example.org")
	late.Time = noon.Add(time.Hour)
	end := allowed("a.example")
	end.Verdict = VerdictClosed
	api := snapshot.Decision{Time: noon, Kind: "api", Verdict: VerdictAllowed, Host: "api.anthropic.com"}
	put(t, l, allowed("a.example"), end, denied("b.Example"), api, late)
	for name, c := range map[string]struct {
		q    Query
		want []string
	}{
		"all":          {Query{}, []string{"a.example", "a.example", "b.Example", "api.anthropic.com", "late.example.org"}},
		"denied":       {Query{Verdict: VerdictDenied}, []string{"b.Example", "late.example.org"}},
		"allowed":      {Query{Verdict: VerdictAllowed}, []string{"a.example", "a.example", "api.anthropic.com"}},
		"kind":         {Query{Kind: "api"}, []string{"api.anthropic.com"}},
		"since":        {Query{Since: noon.Add(time.Minute)}, []string{"late.example.org"}},
		"host":         {Query{Host: "B.example"}, []string{"b.Example"}},
		"part":         {Query{Host: "example"}, nil},
		"pattern":      {Query{Host: "*.example*"}, []string{"a.example", "a.example", "b.Example", "late.example.org"}},
		"after":        {Query{After: 3}, []string{"api.anthropic.com", "late.example.org"}},
		"both ends":    {Query{Host: "*anthropic*"}, []string{"api.anthropic.com"}},
		"single star":  {Query{Host: "*", Kind: "api"}, []string{"api.anthropic.com"}},
		"several":      {Query{Verdict: VerdictDenied, Host: "late*", Since: noon}, []string{"late.example.org"}},
		"none of that": {Query{Kind: "nosuch"}, nil},
	} {
		if got := hosts(read(t, dir, c.q)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestFollowingBeginsWithTheRecordAndLosesNothingHoweverSlow(t *testing.T) {
	l := opened(t, t.TempDir(), Options{})
	put(t, l, allowed("h0.example"), denied("x.example"))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	const all = 3 * recentSize // more than is held in memory
	began, written := make(chan struct{}), make(chan struct{})
	go func() {
		<-began
		for i := 1; i < all; i++ {
			_ = l.Add(allowed(fmt.Sprint("h", i, ".example")))
		}
		close(written)
	}()
	n := 0
	err := l.Each(ctx, Query{Verdict: VerdictAllowed}, true, func(lines []snapshot.Decision) error {
		if n == 0 {
			close(began)
			<-written
		}
		for _, d := range lines {
			if want := fmt.Sprint("h", n, ".example"); d.Host != want {
				return fmt.Errorf("line %d is of %s", n, d.Host)
			}
			n++
		}
		if n == all {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || n != all {
		t.Errorf("%d of %d lines: %v", n, all, err)
	}
}

func TestFollowingEndsWithTheLedger(t *testing.T) {
	l := opened(t, t.TempDir(), Options{})
	put(t, l, allowed("a.example"))
	seen := 0
	err := l.Each(t.Context(), Query{}, true, func(lines []snapshot.Decision) error {
		seen += len(lines)
		return l.Close()
	})
	if err != nil || seen != 1 {
		t.Errorf("%d lines, %v", seen, err)
	}
}

func TestTheLedgersOfBottlesThatAreGoneAreKeptForATime(t *testing.T) {
	root := t.TempDir()
	now := time.Now()
	for id, age := range map[string]time.Duration{"aaaaaaaa": 0, "bbbbbbbb": time.Hour, "cccccccc": keptFor + time.Hour} {
		dir := filepath.Join(root, id)
		l := opened(t, dir, Options{})
		if err := l.Sign(About{ID: id, Name: "name-" + id[:1]}); err != nil {
			t.Fatal(err)
		}
		put(t, l, allowed(id+".example"))
		l.Close()
		files, _ := os.ReadDir(dir)
		for _, f := range files {
			if err := os.Chtimes(filepath.Join(dir, f.Name()), now.Add(-age), now.Add(-age)); err != nil {
				t.Fatal(err)
			}
		}
	}
	live := func(id string) bool { return id == "aaaaaaaa" }
	all, err := List(root, live)
	if err != nil || len(all) != 2 || all[0].Name != "name-b" || all[1].Name != "name-c" {
		t.Fatalf("%+v, %v", all, err)
	}
	if err := Sweep(root, live, now); err != nil {
		t.Fatal(err)
	}
	left, _ := os.ReadDir(root)
	if len(left) != 2 || left[0].Name() != "aaaaaaaa" || left[1].Name() != "bbbbbbbb" {
		t.Errorf("%v are left", left)
	}
}

func TestNeitherTextsNorLinesAreLongerThanTheirBounds(t *testing.T) {
	dir := t.TempDir()
	l := opened(t, dir, Options{})
	d := allowed(strings.Repeat("é", 4000))
	d.Path, d.Rule = strings.Repeat("\x00", 4000), strings.Repeat("\"", 4000)
	put(t, l, d, allowed("next.example"))
	got := read(t, dir, Query{})
	if len(got) != 2 || len(got[0].Host) != maxText || got[1].Host != "next.example" {
		t.Errorf("%d lines", len(got))
	}
}

// FuzzTheReader takes any bytes for a file: it must neither fail nor yield what
// is no line, and what it yields must be read the same again.
func FuzzTheReader(f *testing.F) {
	d := allowed("a.example")
	d.Seq, d.Count = 1, 1
	whole, _ := encode(d)
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add([]byte(`{"ledger":1,"begun":"2026-11-23T12:00:00Z","before":{"allowed":1,"blocked":2}}` + "\n"))
	f.Add([]byte("{\"n\":1}\n\n\x00\xff\n"))
	f.Add(bytes.Repeat([]byte("x"), maxLine+10))
	f.Fuzz(func(t *testing.T, b []byte) {
		for d, err := range readLines(bytes.NewReader(b)) {
			if err != nil {
				t.Fatal(err)
			}
			if d.Seq == 0 || d.Count < 1 || d.Took < 0 || len(d.Host) > maxText {
				t.Fatalf("yields %+v", d)
			}
			again, err := encode(d)
			if err != nil {
				continue // a year that JSON has no form for
			}
			back, err := decode(bytes.TrimSuffix(again, []byte{'\n'}))
			if err != nil || !back.Time.Equal(d.Time) || back.Host != d.Host || back.Seq != d.Seq || back.Took != d.Took {
				t.Fatalf("%+v comes back as %+v, %v", d, back, err)
			}
		}
	})
}

func BenchmarkAdd(b *testing.B) {
	for name, dir := range map[string]string{"memory": "", "disk": b.TempDir()} {
		b.Run(name, func(b *testing.B) {
			l := New(Options{Reserve: 4096})
			if dir != "" {
				if err := l.Open(dir); err != nil {
					b.Fatal(err)
				}
			}
			defer l.Close()
			for b.Loop() {
				if err := l.Add(allowed("registry.npmjs.org")); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
