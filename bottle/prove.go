package bottle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"bottlebar.app/hop"
	"bottlebar.app/internal/fault"
	"bottlebar.app/sidecar"
	"bottlebar.app/smolvm"
	"bottlebar.app/snapshot"
)

// What asks for a proof.
const (
	whyLaunch   = "launch"
	whyAsked    = "asked"
	whyAdoption = "adoption" // another process owns the bottle now
	whyWake     = "wake"     // this computer slept
	whyShut     = "shut"     // it had no way out: a proof could not be made, or a policy not be given
	whySidecar  = "sidecar"  // the last one ended, with its engine or alone
	whyUpgrade  = "upgrade"  // the smolvm command is another one
)

var (
	// errProof is the cause of an end that a proof brought: something was tried
	// and did not go as it must.
	errProof = errors.New("the proof of isolation failed")
	// errUntried is the cause where something could not be tried at all. It says
	// nothing about the bottle; until it can be, nothing leaves.
	errUntried = errors.New("the proof of isolation could not be made")
)

// The headings of a report, in its order.
const (
	groupMachine = "the machine, seen from this computer"
	groupSidecar = "the sidecar, seen from this computer"
	groupWay     = "what must work"
	groupEscape  = "ways out that must not exist"
	groupTraces  = "what this computer noted meanwhile"
)

// Whose word a line is, where nothing had to be stopped.
const (
	byJournal = "the journal of the launch"
	byRecord  = "smolvm's record"
	byKernel  = "the kernel of this computer"
	byFiles   = "the files on this computer"
	byEngine  = "the sidecar's driver"
	byCanary  = "the listeners themselves"
	byLedger  = "the sidecar's decisions"
	byGuest   = "the guest, whose word only lowers the verdict"
)

// proof collects the lines of a report.
type proof struct {
	report  snapshot.Proof
	untried error // what could not be tried
}

// under returns where lines of one heading go, all with the same word on what
// stopped it or whose word it is.
func (p *proof) under(group, by string) lines { return lines{p, group, by} }

type lines struct {
	p         *proof
	group, by string
}

func (l lines) add(name, tried, expect, found string, holds bool) {
	l.p.report.Lines = append(l.p.report.Lines, snapshot.Attempt{
		Group: l.group, Name: name, Tried: tried, Expect: expect, Found: hop.Clean(found, 200), By: l.by, Holds: holds,
	})
}

// untried adds a line for what could not be looked at.
func (l lines) untried(name, tried, expect string, err error) {
	l.add(name, tried, expect, err.Error(), false)
	l.p.untried = errors.Join(l.p.untried, fmt.Errorf("%s: %w", tried, err))
}

// groups are the headings in the order of a report.
var groups = []string{groupMachine, groupSidecar, groupWay, groupEscape, groupTraces}

func (p *proof) verdict() {
	slices.SortStableFunc(p.report.Lines, func(a, b snapshot.Attempt) int {
		return slices.Index(groups, a.Group) - slices.Index(groups, b.Group)
	})
	p.report.Holds = len(p.report.Lines) > 0 && p.untried == nil && p.missed() == 0
}

// missed counts the lines that do not hold.
func (p *proof) missed() int {
	n := 0
	for _, l := range p.report.Lines {
		if !l.Holds {
			n++
		}
	}
	return n
}

func (p *proof) take(o *proof) {
	p.report.Lines = append(p.report.Lines, o.report.Lines...)
	p.untried = errors.Join(p.untried, o.untried)
}

// outcome is nil for a proof that holds. A single line that was tried and does
// not hold is a miss, whatever could not be tried beside it.
func (p *proof) outcome() error {
	switch {
	case p.report.Holds:
		return nil
	case p.untried != nil && p.missed() == unwrapped(p.untried):
		f := fault.Wrap(p.untried, "proving isolation", "it is tried again; nothing leaves the bottle until it holds")
		f.Err = errors.Join(errUntried, p.untried)
		return f
	}
	return failure(p.report)
}

// unwrapped counts the errors in a join of joins.
func unwrapped(err error) int {
	j, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return 1
	}
	n := 0
	for _, e := range j.Unwrap() {
		n += unwrapped(e)
	}
	return n
}

// prove runs the escape test: what the host can see for itself, then what can
// be tried from the inside. The verdict rests on the host's facts; what the
// guest says can only lower it, for the helper may have been replaced.
//
// At a launch nothing can leave yet, and both go side by side. Later the door
// between bottle and sidecar is shut until the host's part holds.
func (b *Bottle) prove(ctx context.Context, l *live, in *smolvm.Install, why string) *proof {
	began := b.rack.cfg.Now()
	p := &proof{report: snapshot.Proof{Bottle: b.name, Time: began.UTC(), Why: why, Release: in.Version.String()}}
	defer func() {
		p.verdict()
		p.report.Took = b.rack.cfg.Now().Sub(began)
	}()
	car := l.sidecar()
	if car == nil {
		p.under(groupSidecar, byEngine).untried("sidecar", "inspect the sidecar", "as it was made", errors.New("there is none"))
		return p
	}
	var host, rest proof
	if why == whyLaunch {
		// What the guest is asked needs the sidecar's facts; the machine's record
		// and process need neither, and are looked at meanwhile. The sidecar is new
		// and answers health and echo alone.
		l.door.open()
		var both sync.WaitGroup
		both.Go(func() { b.proveInside(ctx, &rest, l, car, b.proveSidecar(ctx, &rest, car)) })
		b.proveMachine(ctx, &host, l, in)
		both.Wait()
		p.take(&host)
		p.take(&rest)
		return p
	}
	var facts sidecar.Facts
	var both sync.WaitGroup
	both.Go(func() { facts = b.proveSidecar(ctx, &rest, car) })
	b.proveMachine(ctx, &host, l, in)
	both.Wait()
	p.take(&host)
	p.take(&rest)
	if p.verdict(); !p.report.Holds {
		return p
	}
	l.door.open()
	b.proveInside(ctx, p, l, car, facts)
	return p
}

// failure is the error of a proof that does not hold, with its first miss.
func failure(r snapshot.Proof) error {
	var misses []string
	for _, l := range r.Lines {
		if !l.Holds {
			misses = append(misses, fmt.Sprintf("%s: expected %s, found %s", l.Tried, l.Expect, l.Found))
		}
	}
	why := "nothing could be tried"
	if len(misses) > 0 {
		why = misses[0]
	}
	cure := "do not use this bottle; the whole report is in its details"
	if r.Evidence != "" {
		cure = "do not use this bottle; what was found is kept in " + r.Evidence
	}
	return &fault.Error{What: "proving isolation", Why: why, Cure: cure, Detail: strings.Join(misses, "\n"), Err: errProof}
}

func orWord(err error, good string) string {
	if err != nil {
		return err.Error()
	}
	return good
}

func word(ok bool, good, bad string) string {
	if ok {
		return good
	}
	return bad
}

func short(hash string) string { return hash[:min(12, len(hash))] }
