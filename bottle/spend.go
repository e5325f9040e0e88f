package bottle

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"bottlebar.app/egress"
	"bottlebar.app/hop"
	"bottlebar.app/internal/fault"
	"bottlebar.app/sidecar"
	"bottlebar.app/snapshot"
)

// account listens to what a sidecar tells about tokens until it ends.
func (b *Bottle) account(ctx context.Context, car *sidecar.Sidecar) {
	for {
		select {
		case <-car.Done():
			return
		case <-ctx.Done():
			return
		case <-car.Spent():
			b.rack.till.spent(b.id)
			b.rack.cfg.Changed()
		case w := <-car.Wants():
			if err := b.rack.till.answer(ctx, b.id, w); err != nil && ctx.Err() == nil {
				b.rack.cfg.Log.Error("answering a wish for tokens", "bottle", b.name, "error", err)
			}
		}
	}
}

// spending gives a sidecar what it looks for and what it may spend, and says
// whether the bottle's way out is cut and stays so.
func (b *Bottle) spending(ctx context.Context, car *sidecar.Sidecar) (cut bool, err error) {
	st, err := car.Stats(ctx)
	if err != nil {
		return false, err
	}
	if st.Tripped != nil {
		b.tripped(*st.Tripped)
	}
	if err := car.Watch(ctx, b.decoys()); err != nil {
		return false, err
	}
	if err := b.rack.till.bind(ctx, b.id, car); err != nil {
		return false, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.entry.Cut != nil, nil
}

// allowWeb lets the policy's API route ask for the web, where the bottle's
// switch is on.
func (b *Bottle) allowWeb(p *egress.Policy) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p.API != nil {
		api := *p.API
		api.Web = b.entry.Session.Web
		p.API = &api
	}
}

// usage is what the bottle took, as it is shown.
func (b *Bottle) usage() *snapshot.Usage {
	if b.rack.till == nil { // a bottle of a test
		return nil
	}
	n, limit := b.rack.till.bottleUse(b.id)
	if n.Requests == 0 && limit == 0 {
		return nil
	}
	return &snapshot.Usage{
		Requests: n.Requests, Input: n.Usage.Input, CacheWrite: n.Usage.CacheWrite, CacheRead: n.Usage.CacheRead,
		Output: n.Usage.Output, Unread: n.Unread, Tokens: n.Spent(), Held: n.Held, Cap: limit,
	}
}

// DayUse is what all bottles took today, as it is shown; nil before the first
// request of a day without a cap.
func (r *Rack) DayUse() *snapshot.Day {
	used, limit, resets := r.till.dayUse()
	if used == 0 && limit == 0 {
		return nil
	}
	return &snapshot.Day{Tokens: used, Cap: limit, Resets: resets}
}

// ResetDay starts the day's count of tokens afresh.
func (r *Rack) ResetDay() error {
	err := r.till.resetDay()
	r.cfg.Changed()
	return err
}

// SetCap changes the bottle's own cap in tokens: 0 for the settings', NoCap for
// none.
func (b *Bottle) SetCap(ctx context.Context, tokens int64) error {
	if tokens < NoCap {
		return fault.New("setting the cap of "+b.name, "it is negative", "name a number of tokens")
	}
	err := b.rack.till.setCap(ctx, b.id, tokens)
	b.rack.cfg.Changed()
	return err
}

// SetWeb lets the bottle's requests ask Claude's servers to search and fetch
// the web on its behalf, or no longer.
func (b *Bottle) SetWeb(ctx context.Context, on bool) error {
	if err := b.save(func(e *entry) { e.Session.Web = on }); err != nil {
		return err
	}
	return b.reconfigure(ctx)
}

// tripped marks a bottle whose sidecar saw a decoy in something that it sent,
// and shut itself.
func (b *Bottle) tripped(t egress.Trip) {
	b.mu.Lock()
	before := b.entry.Cut != nil
	b.mu.Unlock()
	if before {
		return
	}
	cut := &snapshot.Cut{
		Time: t.Time, Decoy: hop.Clean(t.Decoy, 100), Via: t.Via, Host: hop.Clean(t.Host, 260), Port: int(t.Port),
	}
	if err := b.save(func(e *entry) { e.Cut = cut }); err != nil {
		b.rack.cfg.Log.Error("marking a bottle", "bottle", b.name, "error", err)
	}
	b.rack.cfg.Log.Warn("a decoy was seen: the bottle's way out is cut", "bottle", b.name, "decoy", cut.Decoy, "via", cut.Via, "host", cut.Host)
}

// cutProblem tells a person what went where.
func cutProblem(name string, c *snapshot.Cut) *snapshot.Problem {
	how := map[string]string{"connect": "in a connection", "http": "in a request", "api": "in a request for the API"}[c.Via]
	where := "to " + c.Host
	if c.Host == "" {
		where = "that it sent"
	}
	return &snapshot.Problem{
		What: "the way out of " + name + " is cut",
		Why:  fmt.Sprintf("%s was seen %s %s at %s: something in it took what looks like a secret and sent it away", c.Decoy, how, where, c.Time.Local().Format("15:04:05")),
		Cure: "look at what runs in it; then stop it, or let it out again with bottlebar reopen " + name,
	}
}

// Reopen lets a bottle out again after a person has looked at what cut it off.
func (b *Bottle) Reopen(ctx context.Context) error {
	l, err := b.running()
	if err != nil {
		return err
	}
	b.mu.Lock()
	cut := b.entry.Cut
	b.mu.Unlock()
	if cut == nil {
		return fault.New("opening "+b.name+" again", "its way out is not cut", "nothing is to be done")
	}
	car := l.sidecar()
	if car == nil || b.View().Isolation != snapshot.Proved {
		return fault.New("opening "+b.name+" again", "its isolation is not proved", "bottlebar prove "+b.name)
	}
	if err := car.Reopen(ctx); err != nil {
		return err
	}
	if err := b.save(func(e *entry) { e.Cut = nil }); err != nil {
		return err
	}
	return b.letOut(ctx, l)
}

// decoys are what the sidecar looks for: of the placeholder the part that is
// random, and what is planted.
func (b *Bottle) decoys() []egress.Decoy {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.entry.Session
	out := []egress.Decoy{{Name: "the placeholder key", Value: strings.TrimPrefix(s.Canary, canaryPrefix)}}
	if p := s.Planted; p != nil {
		out = append(out,
			egress.Decoy{Name: "the decoy key in ~/.aws/credentials", Value: p.Secret},
			egress.Decoy{Name: "the decoy key in ~/.aws/credentials", Value: p.KeyID},
			egress.Decoy{Name: "the decoy " + decoyVariable, Value: p.Token},
		)
	}
	return out
}

// planted are the decoys of one start. They open nothing anywhere.
type planted struct {
	KeyID  string `json:"key_id"` // as AWS forms them, 20 characters
	Secret string `json:"secret"` // 40 characters
	Token  string `json:"token"`  // of the variable
}

// decoyVariable is a name that no program reads.
const decoyVariable = "BACKUP_ACCESS_TOKEN"

func newPlanted() *planted {
	random := func(n int) []byte {
		b := make([]byte, n)
		_, _ = rand.Read(b)
		return b
	}
	return &planted{
		KeyID:  "AKIA" + base32.StdEncoding.EncodeToString(random(10)),
		Secret: base64.StdEncoding.EncodeToString(random(30)),
		Token:  "bkp_" + base64.RawURLEncoding.EncodeToString(random(30)),
	}
}

// files are what lies in a home for others to find: a profile that no program
// uses unless it is asked for by name.
func (p *planted) files() []hop.SeedFile {
	return []hop.SeedFile{{
		Path: ".aws/credentials",
		Text: "[archive]\naws_access_key_id = " + p.KeyID + "\naws_secret_access_key = " + p.Secret + "\n",
	}}
}

// TestCredential asks the API for something that costs nothing, with the
// credential that is set, through a sidecar of its own: the way on which a
// bottle's requests go, with its floor, its resolver and the same trust in the
// engine. Nothing of a bottle is involved.
func (r *Rack) TestCredential(ctx context.Context) (trial egress.Trial, err error) {
	cred, err := r.cfg.Credential(ctx)
	if err != nil {
		return trial, err
	}
	if cred == nil {
		return egress.Trial{Why: egress.NoCredential}, nil
	}
	fleet, err := r.cfg.Fleet(ctx)
	if err != nil {
		return trial, err
	}
	car, err := fleet.Claim(ctx)
	if err != nil {
		r.halfMade.Store(true)
		return trial, err
	}
	defer func() { err = errors.Join(err, car.Close(context.WithoutCancel(ctx))) }()
	way, login, err := r.cfg.Way(ctx)
	if err == nil {
		err = car.SetWay(ctx, way, login)
	}
	if err != nil {
		return trial, err
	}
	api := &egress.API{}
	if u := r.cfg.Upstream; u != nil {
		api.Upstream, api.Roots = u.URL, u.Roots
	}
	if err := car.Configure(ctx, egress.Policy{Revision: 1, API: api}, cred); err != nil {
		return trial, err
	}
	return car.Try(ctx)
}
