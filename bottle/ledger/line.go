package ledger

import (
	"encoding/json"
	"errors"
	"time"
	"unicode/utf8"

	"bottlebar.app/snapshot"
)

// The verdicts and kinds that the ledger itself knows. All other kinds are
// the way by which a bottle asked: "connect", "http", "api".
const (
	VerdictAllowed = "allowed"
	VerdictDenied  = "denied"
	VerdictHeld    = "held"   // a refusal that waits for an answer first
	VerdictClosed  = "closed" // the end of something that was allowed, with its bytes

	KindPolicy = "policy" // the bottle's policy changed
	KindCanary = "canary" // a planted secret or a forbidden place was touched
	KindProbe  = "probe"  // the proof's own attempt, which nobody counts
	KindLost   = "lost"   // refusals that were dropped because there were too many
	KindSum    = "sum"    // lines that are no longer kept one by one
)

// line is the form on disk. Its names are kept: older ledgers are read by
// newer programs.
type line struct {
	N       uint64    `json:"n"` // rises by one from line to line, over both streams
	Time    time.Time `json:"time"`
	Kind    string    `json:"kind"`
	Verdict string    `json:"verdict"`
	Host    string    `json:"host,omitempty"`
	Port    int       `json:"port,omitempty"`
	Address string    `json:"address,omitempty"`
	Rule    string    `json:"rule,omitempty"`
	Method  string    `json:"method,omitempty"`
	Path    string    `json:"path,omitempty"`
	Status  int       `json:"status,omitempty"`
	Up      int64     `json:"up,omitempty"`
	Down    int64     `json:"down,omitempty"`
	Millis  int64     `json:"ms,omitempty"`
	Count   int       `json:"count"`
}

// maxText bounds each text of a line, in bytes, and maxLine the whole line.
const (
	maxText = 512
	maxLine = 32 << 10
)

func encode(d snapshot.Decision) ([]byte, error) {
	b, err := json.Marshal(line{
		N: d.Seq, Time: d.Time.UTC(), Kind: cut(d.Kind), Verdict: cut(d.Verdict), Host: cut(d.Host), Port: d.Port, Address: cut(d.Address),
		Rule: cut(d.Rule), Method: cut(d.Method), Path: cut(d.Path), Status: d.Status, Up: d.Up, Down: d.Down, Millis: d.Took.Milliseconds(), Count: d.Count,
	})
	return append(b, '\n'), err
}

var errNoLine = errors.New("not a line of a ledger")

// decode reads one line without its end.
func decode(b []byte) (snapshot.Decision, error) {
	var l line
	if err := json.Unmarshal(b, &l); err != nil {
		return snapshot.Decision{}, err
	}
	if l.N == 0 || l.Verdict == "" || l.Count < 1 || l.Millis < 0 || l.Millis > int64(1<<40) {
		return snapshot.Decision{}, errNoLine
	}
	return snapshot.Decision{
		Seq: l.N, Time: l.Time.UTC(), Kind: cut(l.Kind), Verdict: cut(l.Verdict), Host: cut(l.Host), Port: l.Port, Address: cut(l.Address),
		Rule: cut(l.Rule), Method: cut(l.Method), Path: cut(l.Path), Status: l.Status, Up: l.Up, Down: l.Down,
		Took: time.Duration(l.Millis) * time.Millisecond, Count: l.Count,
	}, nil
}

// cut bounds a text without cutting through a character.
func cut(s string) string {
	if len(s) <= maxText {
		return s
	}
	end := maxText
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}

// refusal tells which stream a line belongs to: those of refusals may be
// dropped, the rest never is.
func refusal(d snapshot.Decision) bool {
	return (d.Verdict == VerdictDenied || d.Verdict == VerdictHeld) && d.Kind != KindCanary && d.Kind != KindProbe && d.Kind != KindPolicy
}

// tally counts what is shown as allowed and blocked.
type tally struct {
	Allowed int `json:"allowed"`
	Blocked int `json:"blocked"`
}

func (t *tally) add(d snapshot.Decision) {
	switch {
	case d.Kind == KindProbe:
	case d.Verdict == VerdictAllowed:
		t.Allowed += d.Count
	case d.Verdict == VerdictDenied:
		t.Blocked += d.Count
	}
}
