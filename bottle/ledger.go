package bottle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"bottlebar.app/bottle/ledger"
	"bottlebar.app/egress"
	"bottlebar.app/hop"
	"bottlebar.app/internal/fault"
	"bottlebar.app/sidecar"
	"bottlebar.app/snapshot"
)

// decision is the sidecar's line in the record's words. A kind that is not
// known here is never dropped.
func decision(d egress.Decision) snapshot.Decision {
	line := snapshot.Decision{
		Time: d.Time, Kind: d.Via, Host: d.Host, Port: int(d.Port), Address: d.IP, Rule: d.Rule, Method: d.Method,
		Path: d.Path, Status: d.Status, Up: d.Up, Down: d.Down, Took: time.Duration(d.Millis) * time.Millisecond, Count: max(d.Count, 1),
	}
	switch d.Kind {
	case egress.Denied:
		line.Verdict, line.Rule = ledger.VerdictDenied, string(d.Reason)
		if d.Canary {
			line.Kind = ledger.KindCanary
		}
	case egress.Canary:
		line.Kind, line.Verdict, line.Rule = ledger.KindCanary, ledger.VerdictDenied, "decoy: "+d.Rule
	case egress.Lost:
		line.Kind, line.Verdict, line.Rule = ledger.KindLost, ledger.VerdictDenied, "lines dropped"
	case egress.Allowed:
		line.Verdict = ledger.VerdictAllowed
	case egress.APICall:
		line.Verdict = ledger.VerdictAllowed
		switch {
		case d.Reason != "":
			line.Verdict, line.Rule = ledger.VerdictDenied, string(d.Reason)
		case line.Rule == "":
			line.Rule = "api route"
		}
	case egress.Held:
		line.Verdict = verdictHeld
	case egress.Closed:
		line.Verdict = ledger.VerdictClosed
		if d.Reason != "" {
			line.Rule = string(d.Reason) // what cut it off
		}
	default:
		line.Kind, line.Verdict = string(d.Kind), ledger.VerdictDenied
		if d.Reason != "" {
			line.Rule = string(d.Reason)
		}
	}
	return line
}

// keepRecord goes on with the bottle's record on disk, or begins it. Nothing is
// let out of a bottle whose record cannot be kept.
func (b *Bottle) keepRecord() error {
	root := b.rack.cfg.Paths.Ledger
	if root == "" {
		return nil
	}
	if err := b.recent.Open(filepath.Join(root, b.id)); err != nil {
		return err
	}
	b.mu.Lock()
	about := ledger.About{ID: b.id, Name: b.name, Artifact: b.entry.Artifact, Created: b.entry.Created}
	b.mu.Unlock()
	if err := b.recent.Sign(about); err != nil {
		return fault.Wrap(err, "opening the ledger of "+b.name, "free some space, and look whether Bottlebar's state folder can be written")
	}
	return nil
}

// record takes one line of a sidecar.
func (b *Bottle) record(l *live, car *sidecar.Sidecar, d egress.Decision) {
	b.hits.add(d)
	line := decision(d)
	switch {
	case b.probing.takes(line):
		line.Kind = ledger.KindProbe
	case d.Kind == egress.Denied && d.Canary:
		line.Kind = d.Via // the proof has its lines; more of them are like any other refusal
	}
	b.asks.saw(line, b.rack.cfg.Now())
	b.refuseMuted(l, line)
	if err := b.recent.Add(line); err != nil && !errors.Is(err, os.ErrClosed) {
		b.closeWayOut(l, car, err)
	}
}

// closeWayOut shuts a sidecar whose lines cannot be written; one that does not
// obey is removed. Its remaining lines are read meanwhile.
func (b *Bottle) closeWayOut(l *live, car *sidecar.Sidecar, why error) {
	b.mu.Lock()
	was := b.unrecorded
	b.unrecorded = true
	b.mu.Unlock()
	if was {
		return
	}
	b.rack.cfg.Log.Error("the way out is closed", "bottle", b.name, "error", why)
	b.set(func() {
		b.problem = &snapshot.Problem{
			What: "the way out of " + b.name + " is closed", Why: firstCause(why),
			Cure: "free some space, then run bottlebar prove " + b.name,
		}
	})
	l.lines.Go(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(l.ctx), 15*time.Second)
		defer cancel()
		if err := car.Shut(ctx); err != nil && !errors.Is(err, sidecar.ErrGone) {
			l.lines.Go(func() { _ = car.Close(ctx) })
		}
	})
}

func firstCause(err error) string {
	var path *os.PathError
	if errors.As(err, &path) {
		return ledger.ErrFull.Error() + ": " + path.Err.Error()
	}
	return err.Error()
}

// recordable writes down that a policy is about to be in force, and is an error
// while the bottle's lines cannot be written: nothing is opened then.
func (b *Bottle) recordable(p egress.Policy) error {
	err := b.recent.Ready()
	if err == nil {
		err = b.notePolicy(p)
	}
	if err != nil {
		return &fault.Error{
			What: "opening the way out of " + b.name, Why: firstCause(err),
			Cure: "free some space, then run bottlebar prove " + b.name, Err: err,
		}
	}
	return nil
}

// opened is called once a policy is in force.
func (b *Bottle) opened(p egress.Policy) {
	b.settleAsks(p)
	b.set(func() { b.unrecorded = false })
}

// reopen opens a way out that was closed because nothing could be written.
func (b *Bottle) reopen(ctx context.Context, l *live) error {
	b.mu.Lock()
	was := b.unrecorded
	b.mu.Unlock()
	if !was || l.sidecar() == nil {
		return nil
	}
	if err := b.letOut(ctx, l); err != nil {
		return err
	}
	b.set(func() { b.problem = nil })
	return nil
}

// notePolicy writes a line for each rule that came or went since the last
// policy that the bottle's sidecar was given.
func (b *Bottle) notePolicy(p egress.Policy) error {
	now := make(map[string]bool, len(p.Hosts)+len(p.Block))
	for _, h := range p.Hosts {
		now[ruleText(h)] = true
	}
	for _, name := range p.Block {
		now["block "+name] = true
	}
	b.mu.Lock()
	before := b.known
	b.known = now
	b.mu.Unlock()
	at := b.rack.cfg.Now()
	if before == nil {
		return b.recent.Add(policyLine(at, "", inForce(len(now))))
	}
	var lines []snapshot.Decision
	for text := range now {
		if !before[text] {
			lines = append(lines, policyLine(at, text, "added"))
		}
	}
	for text := range before {
		if !now[text] {
			lines = append(lines, policyLine(at, text, "removed"))
		}
	}
	const most = 50
	if len(lines) > most {
		lines = []snapshot.Decision{policyLine(at, "", fmt.Sprintf("%s, %d changed", inForce(len(now)), len(lines)))}
	}
	slices.SortFunc(lines, func(x, y snapshot.Decision) int { return strings.Compare(x.Host+x.Rule, y.Host+y.Rule) })
	for _, line := range lines {
		if err := b.recent.Add(line); err != nil {
			return err
		}
	}
	return nil
}

// inForce says how many rules a policy has.
func inForce(rules int) string {
	if rules == 1 {
		return "1 rule in force"
	}
	return fmt.Sprintf("%d rules in force", rules)
}

func policyLine(at time.Time, host, what string) snapshot.Decision {
	return snapshot.Decision{Time: at, Kind: ledger.KindPolicy, Verdict: "changed", Host: host, Rule: what, Count: 1}
}

func ruleText(r egress.Rule) string {
	port := r.Port
	if port == 0 {
		port = egress.DefaultPort
	}
	text := fmt.Sprintf("%s:%d", r.Host, port)
	if len(r.Methods) > 0 {
		text += " " + strings.Join(r.Methods, ",")
	}
	if r.Private {
		text += " private"
	}
	return text
}

// denied tells whether a name was refused since a moment, for the proof.
func (b *Bottle) denied(host string, since time.Time) bool {
	for _, d := range slices.Backward(b.recent.Recent()) {
		if d.Verdict == ledger.VerdictDenied && d.Host == host && !d.Time.Before(since.Add(-time.Minute)) {
			return true
		}
	}
	return false
}

// Activity is what the bottle wanted to reach lately, oldest first.
func (b *Bottle) Activity() []snapshot.Decision { return named(b.recent.Recent(), b.name) }

func named(all []snapshot.Decision, name string) []snapshot.Decision {
	for i := range all {
		all[i].Bottle = name
	}
	return all
}

// ReadActivity calls each for what is on record of a bottle by its name or ID,
// also of one that is gone, oldest first. With follow it goes on with what
// comes, until ctx ends or the bottle does.
func (r *Rack) ReadActivity(ctx context.Context, name string, q ledger.Query, follow bool, each func([]snapshot.Decision) error) error {
	b, err := r.Get(name)
	if err == nil {
		return b.recent.Each(ctx, q, follow, func(all []snapshot.Decision) error { return each(named(all, b.name)) })
	}
	gone, lerr := ledger.List(r.cfg.Paths.Ledger, r.live())
	if lerr != nil {
		return lerr
	}
	i := slices.IndexFunc(gone, func(k ledger.Kept) bool { return k.Name == name || k.ID == name })
	if i < 0 {
		return err
	}
	for d, err := range ledger.Read(gone[i].Dir, q) {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = each(named([]snapshot.Decision{d}, gone[i].Name))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// live tells the IDs of the bottles that there are.
func (r *Rack) live() func(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	ids := make(map[string]bool, len(r.bottles))
	for _, b := range r.bottles {
		ids[b.id] = true
	}
	return func(id string) bool { return ids[id] }
}

// sweepRecords removes the records of bottles that are gone for long.
func (r *Rack) sweepRecords() {
	if r.cfg.Paths.Ledger == "" {
		return
	}
	if err := ledger.Sweep(r.cfg.Paths.Ledger, r.live(), r.cfg.Now()); err != nil {
		r.cfg.Log.Warn("removing old ledgers", "error", err)
	}
}

// PruneRecords removes what is on record of bottles that are gone, and says
// whose it was and how many bytes. With dry it removes nothing.
func (r *Rack) PruneRecords(dry bool) (names []string, bytes int64, err error) {
	if r.cfg.Paths.Ledger == "" {
		return nil, 0, nil
	}
	all, err := ledger.List(r.cfg.Paths.Ledger, r.live())
	if err != nil {
		return nil, 0, err
	}
	var errs []error
	for _, k := range all {
		if !dry {
			if err := os.RemoveAll(k.Dir); err != nil {
				errs = append(errs, err)
				continue
			}
		}
		names, bytes = append(names, k.Name), bytes+k.Bytes
	}
	return names, bytes, errors.Join(errs...)
}

// sidecarLog is the record's latest lines as text.
func (b *Bottle) sidecarLog() string {
	var out strings.Builder
	for _, d := range b.recent.Recent() {
		where := d.Host
		if d.Port != 0 {
			where = fmt.Sprintf("%s:%d", d.Host, d.Port)
		}
		if d.Path != "" {
			where = strings.TrimSpace(d.Method + " " + d.Path)
		}
		fmt.Fprintf(&out, "%s %s %s %s (%s) up %d down %d, %d ms, ×%d\n",
			d.Time.UTC().Format(time.RFC3339), d.Kind, d.Verdict, hop.Clean(where, 300), hop.Clean(d.Rule, 100), d.Up, d.Down, d.Took.Milliseconds(), d.Count)
	}
	return out.String()
}

// forget removes the record of a bottle that nothing was let out of.
func (b *Bottle) forget() {
	_ = b.recent.Close()
	if dir := b.recent.Dir(); dir != "" {
		_ = os.RemoveAll(dir)
	}
}
