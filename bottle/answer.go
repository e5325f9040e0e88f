package bottle

import (
	"context"
	"net"
	"strconv"
	"time"

	"bottlebar.app/bottle/ledger"
	"bottlebar.app/egress"
	"bottlebar.app/internal/fault"
	"bottlebar.app/snapshot"
)

// holdTime is how long the first connection to an unlisted place waits.
const holdTime = 30 * time.Second

// ErrStaleAsk is the cause of an answer to a row that is no longer as it was
// drawn.
var ErrStaleAsk = errStale{}

type errStale struct{}

func (errStale) Error() string { return "what was answered is no longer there as it was shown" }

// TakeAsk takes the row that an answer is about. Both its ID and its hash must
// be those that were drawn.
func (b *Bottle) TakeAsk(id, hash string) (snapshot.Ask, error) {
	row, ok := b.asks.take(id, hash)
	if !ok {
		return row, &fault.Error{What: "answering for " + b.name, Why: ErrStaleAsk.Error(), Cure: "look at Activity and answer again", Err: ErrStaleAsk}
	}
	b.rack.cfg.Changed()
	return row, nil
}

// PutBackAsk restores a row whose answer could not be carried out.
func (b *Bottle) PutBackAsk(row snapshot.Ask) {
	b.asks.putBack(row)
	b.rack.cfg.Changed()
}

// ClearAsks forgets every row.
func (b *Bottle) ClearAsks() {
	b.asks.clear()
	b.rack.cfg.Changed()
}

// Refuse ends what waits for host, and lets nothing wait for it again.
func (b *Bottle) Refuse(ctx context.Context, host string) error {
	b.asks.refuse(host)
	return b.reconfigure(ctx)
}

// Unrefuse lets connections to host wait for an answer again.
func (b *Bottle) Unrefuse(host string) { b.asks.allow(host) }

// SetHold lets first connections to unlisted places wait for an answer, or no
// longer; a running bottle obeys at once.
func (b *Bottle) SetHold(ctx context.Context, on bool) error {
	if err := b.save(func(e *entry) { e.Hold = on }); err != nil {
		return err
	}
	return b.reconfigure(ctx)
}

// hold is what the bottle's policy says of waiting.
func (b *Bottle) hold() *egress.Hold {
	b.mu.Lock()
	on := b.entry.Hold
	b.mu.Unlock()
	if !on {
		return nil
	}
	return &egress.Hold{Millis: holdTime.Milliseconds(), Except: b.asks.refused()}
}

// reconfigure gives a bottle that is open its policy as it is now.
func (b *Bottle) reconfigure(ctx context.Context) error {
	l, err := b.running()
	if err != nil || b.View().Isolation != snapshot.Proved || l.sidecar() == nil {
		return nil //nolint:nilerr // it gets the policy when it is opened
	}
	return b.letOut(ctx, l)
}

// settleAsks removes the rows that a policy answers.
func (b *Bottle) settleAsks(p egress.Policy) {
	rules, err := p.Compile()
	if err != nil {
		return
	}
	b.asks.settle(func(host string, port int) bool {
		t, err := egress.ParseTarget(net.JoinHostPort(host, strconv.Itoa(port)), 0)
		if err != nil {
			return true
		}
		v := rules.Decide(t)
		return v.OK || v.Reason != egress.NotAllowed || b.asks.muted != nil && b.asks.muted(host, port)
	})
}

// refuseMuted ends the wait for a place that nobody is asked about.
func (b *Bottle) refuseMuted(l *live, d snapshot.Decision) {
	if d.Verdict != ledger.VerdictHeld || b.asks.muted == nil || !b.asks.muted(d.Host, d.Port) {
		return
	}
	l.lines.Go(func() {
		ctx, cancel := context.WithTimeout(l.ctx, 10*time.Second)
		defer cancel()
		if err := b.Refuse(ctx, d.Host); err != nil && ctx.Err() == nil {
			b.rack.cfg.Log.Warn("refusing a muted place", "bottle", b.name, "error", err)
		}
	})
}
