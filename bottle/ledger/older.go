package ledger

import (
	"cmp"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"time"

	"bottlebar.app/internal/atomicfile"
	"bottlebar.app/snapshot"
)

// maxOlder bounds the hosts that are summed up by name; the rest is one sum.
const maxOlder = 2000

// older sums up what was let through in files that are gone: a bottle that
// opens tunnels until the budget is spent hides what it reached from nobody.
type older struct {
	Through int     `json:"through"` // the last file that is in it
	Sums    []total `json:"sums"`
}

// total is the sum of one place's lines.
type total struct {
	Kind    string    `json:"kind"`
	Verdict string    `json:"verdict"`
	Host    string    `json:"host"`
	Port    int       `json:"port"`
	Rule    string    `json:"rule"`
	First   time.Time `json:"first"`
	Last    time.Time `json:"last"`
	Up      int64     `json:"up"`
	Down    int64     `json:"down"`
	Count   int       `json:"count"`
}

type place struct {
	kind, verdict, host, rule string
	port                      int
}

func (t total) place() place { return place{t.Kind, t.Verdict, t.Host, t.Rule, t.Port} }

// readOlder returns the sums; none where there are none, or where they cannot
// be read.
func readOlder(dir string) older {
	var o older
	b, err := os.ReadFile(filepath.Join(dir, olderName))
	if err != nil || json.Unmarshal(b, &o) != nil {
		return older{}
	}
	if len(o.Sums) > maxOlder+1 {
		o.Sums = o.Sums[:maxOlder+1]
	}
	return o
}

// fold adds a file to the sums before it is removed. A file that is in them
// already is not added again: the program may have died before the removal.
func (l *Ledger) fold(path string, number int) error {
	o := readOlder(l.dir)
	if number <= o.Through {
		return nil
	}
	at := make(map[place]int, len(o.Sums))
	for i, t := range o.Sums {
		at[t.place()] = i
	}
	for d, err := range readFile(path) {
		if err != nil {
			return err
		}
		if d.Kind == KindProbe {
			continue
		}
		t := total{Kind: d.Kind, Verdict: d.Verdict, Host: d.Host, Port: d.Port, Rule: d.Rule, First: d.Time}
		i, ok := at[t.place()]
		if !ok && len(o.Sums) >= maxOlder {
			t = total{Verdict: d.Verdict, Rule: "other places", First: d.Time}
			i, ok = at[t.place()]
		}
		if !ok {
			i = len(o.Sums)
			o.Sums, at[t.place()] = append(o.Sums, t), i
		}
		s := &o.Sums[i]
		s.First, s.Last = earlier(s.First, d.Time), later(s.Last, d.Time)
		s.Up, s.Down, s.Count = s.Up+d.Up, s.Down+d.Down, s.Count+d.Count
	}
	o.Through = number
	slices.SortFunc(o.Sums, func(a, b total) int { return cmp.Or(a.First.Compare(b.First), cmp.Compare(a.Host, b.Host)) })
	return atomicfile.WriteJSON(filepath.Join(l.dir, olderName), o)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// lines are the sums as they are shown: each at its last time, with its first
// in the rule's words.
func (o older) lines() []snapshot.Decision {
	out := make([]snapshot.Decision, 0, len(o.Sums))
	for _, t := range o.Sums {
		rule := "sum since " + t.First.UTC().Format(time.RFC3339)
		if t.Rule != "" {
			rule = t.Rule + ", " + rule
		}
		out = append(out, snapshot.Decision{
			Time: t.Last.UTC(), Kind: KindSum, Verdict: cut(t.Verdict), Host: cut(t.Host), Port: t.Port, Rule: cut(rule),
			Up: t.Up, Down: t.Down, Count: max(t.Count, 1),
		})
	}
	return out
}
