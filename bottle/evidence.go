package bottle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"bottlebar.app/hop"
	"bottlebar.app/snapshot"
)

// What is kept of a bottle whose proof missed: a folder of a few bounded files.
// It goes with the bottle; where the bottle is gone already, it goes by age.
const (
	evidenceFile = 256 << 10 // bytes of one file
	evidenceKept = 10        // folders
	evidenceAge  = 14 * 24 * time.Hour
)

// withEvidence keeps what a miss left behind and returns its error with the
// place. Nothing of it may hinder the stop that follows.
func (b *Bottle) withEvidence(ctx context.Context, l *live, miss error) error {
	if r := b.kept(ctx, l); r != nil {
		return failure(*r)
	}
	return miss
}

// kept keeps what can be seen of a bottle that is about to be stopped, with the
// report of its last proof. It returns nil where there is nothing to keep, or
// no way to.
func (b *Bottle) kept(ctx context.Context, l *live) *snapshot.Proof {
	b.mu.Lock()
	report := b.proof
	b.mu.Unlock()
	if report == nil || b.rack.cfg.Paths.Evidence == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
	defer cancel()
	r := *report
	r.Evidence = filepath.Join(b.rack.cfg.Paths.Evidence, b.id)
	if err := b.keepEvidence(ctx, l, r); err != nil {
		b.rack.cfg.Log.Error("keeping the evidence of a bottle that is stopped", "bottle", b.name, "error", err)
		return nil
	}
	b.mu.Lock()
	b.proof, b.entry.Evidence = &r, r.Evidence
	b.mu.Unlock()
	return &r
}

// keepEvidence writes the folder. A file that cannot be made says why instead.
func (b *Bottle) keepEvidence(ctx context.Context, l *live, r snapshot.Proof) error {
	if err := os.RemoveAll(r.Evidence); err != nil {
		return err
	}
	if err := os.MkdirAll(r.Evidence, 0o700); err != nil {
		return err
	}
	b.rack.pruneEvidence(r.Evidence)
	b.mu.Lock()
	e := *b.entry
	b.mu.Unlock()
	e.Secret, e.Session.Canary, e.Session.Env = nil, "", nil // what opens something is no evidence
	record, process := b.seen(ctx, l)
	var facts any = "there is no sidecar"
	if car := l.sidecar(); car != nil {
		if f, err := car.Inspect(ctx); err != nil {
			facts = err.Error()
		} else {
			facts = f
		}
	}
	files := map[string]string{
		"report.txt": reportText(r), "report.json": asJSON(r), "record.json": asJSON(record), "process.json": asJSON(process),
		"journal.json": asJSON(e), "sidecar.json": asJSON(facts), "activity.log": b.sidecarLog(), "helper.log": b.diary.text(),
		"console.log": b.consoleTail(ctx),
	}
	var errs []error
	for name, text := range files {
		errs = append(errs, os.WriteFile(filepath.Join(r.Evidence, name), []byte(tail(text, evidenceFile)), 0o600))
	}
	return errors.Join(errs...)
}

// seen is what smolvm and the kernel say of the machine at this moment.
func (b *Bottle) seen(ctx context.Context, l *live) (record, vm any) {
	m, err := l.client.Status(ctx, machineName)
	if err != nil {
		return err.Error(), "not looked at"
	}
	p, err := inspect(m.PID)
	if err != nil {
		return m, err.Error()
	}
	p.Env = nil // the person's own words may be in it
	return m, p
}

// consoleTail is the end of what the guest wrote to its console, cleaned.
func (b *Bottle) consoleTail(ctx context.Context) string {
	r, err := b.Log(ctx, "console")
	if err != nil {
		return err.Error()
	}
	defer r.Close()
	if s, ok := r.(io.Seeker); ok {
		if end, err := s.Seek(0, io.SeekEnd); err == nil {
			_, _ = s.Seek(max(0, end-evidenceFile), io.SeekStart)
		}
	}
	text, err := io.ReadAll(io.LimitReader(r, evidenceFile))
	if err != nil {
		return err.Error()
	}
	var out strings.Builder
	for line := range strings.Lines(string(text)) {
		out.WriteString(hop.Clean(strings.TrimRight(line, "\r\n"), 4096) + "\n")
	}
	return out.String()
}

// reportText is a report as a person reads it.
func reportText(r snapshot.Proof) string {
	var b strings.Builder
	verdict := "holds"
	if !r.Holds {
		verdict = "DOES NOT HOLD"
	}
	fmt.Fprintf(&b, "The isolation of %s %s. %s, smolvm %s, asked for by: %s.\n", r.Bottle, verdict, r.Time.Format(time.RFC3339), r.Release, r.Why)
	group := ""
	for _, l := range r.Lines {
		if l.Group != group {
			group = l.Group
			fmt.Fprintf(&b, "\n%s\n", strings.ToUpper(group[:1])+group[1:])
		}
		shape := "ok  "
		if !l.Holds {
			shape = "MISS"
		}
		fmt.Fprintf(&b, "  %s  %s: expected %s, found %s (%s)\n", shape, l.Tried, l.Expect, l.Found, l.By)
	}
	return b.String()
}

func asJSON(v any) string {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err.Error()
	}
	return string(b) + "\n"
}

func tail(text string, n int) string { return text[max(0, len(text)-n):] }

// dropEvidence removes what a proof that missed left behind.
func (b *Bottle) dropEvidence() {
	if dir := b.rack.cfg.Paths.Evidence; dir != "" {
		_ = os.RemoveAll(filepath.Join(dir, b.id))
	}
}

// pruneEvidence keeps the newest folders, and none that is old; but always the
// one that is being written.
func (r *Rack) pruneEvidence(but string) {
	dirs, err := os.ReadDir(r.cfg.Paths.Evidence)
	if err != nil {
		return
	}
	type folder struct {
		path string
		at   time.Time
	}
	var all []folder
	for _, d := range dirs {
		fi, err := d.Info()
		if path := filepath.Join(r.cfg.Paths.Evidence, d.Name()); err == nil && d.IsDir() && validID(d.Name()) && path != but {
			all = append(all, folder{path, fi.ModTime()})
		}
	}
	slices.SortFunc(all, func(a, b folder) int { return b.at.Compare(a.at) })
	for i, f := range all {
		if i >= evidenceKept-1 || r.cfg.Now().Sub(f.at) > evidenceAge {
			_ = os.RemoveAll(f.path)
		}
	}
}
