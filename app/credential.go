package app

import (
	"context"
	"fmt"
	"net/http"

	"bottlebar.app/bottle"
	"bottlebar.app/control"
	"bottlebar.app/credential"
	"bottlebar.app/egress"
	"bottlebar.app/internal/fault"
	"bottlebar.app/snapshot"
)

// caps are the settings' limits. A file that cannot be read keeps the last
// ones that could.
func (a *App) caps() bottle.Caps {
	s, err := a.settings()
	a.mu.Lock()
	defer a.mu.Unlock()
	if err == nil {
		a.state.caps = bottle.Caps{Bottle: s.CapBottle, Day: s.CapDay}
	}
	return a.state.caps
}

func (a *App) decoys() bool {
	s, err := a.settings()
	return err != nil || s.Decoys == nil || *s.Decoys
}

// billed warns of what an API key costs that a subscription would not.
func billed(st credential.Status) string {
	if st.Set && st.Kind == credential.APIKey {
		return "requests with an API key are billed per use; with a Claude subscription, use a token from claude setup-token instead"
	}
	return ""
}

// shownCredential is Setup's line for a credential that is set: what it is,
// what it costs, and what the API said of it when it was last asked.
func (a *App) shownCredential(c snapshot.Check, st credential.Status) snapshot.Check {
	kind := "API key"
	if st.Kind == credential.Token {
		kind = "subscription token"
	}
	c.State, c.Command, c.Credential = snapshot.CheckOK, "", true
	c.Finding = fmt.Sprintf("%s ending in %s, in %s", kind, st.Last4, st.Where)
	a.mu.Lock()
	trial := a.state.trial
	a.mu.Unlock()
	if trial != nil {
		c.Finding = trial.Finding + ": " + c.Finding // its news first
		if c.Cure = trial.Cure; !trial.Valid {
			c.State = snapshot.CheckWarn
		}
	}
	if c.State == snapshot.CheckOK {
		if w := billed(st); w != "" {
			c.Finding += "; billed per use"
			c.Cure = w
		}
	}
	return c
}

func (a *App) forgetTrial() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.state.trial = nil
}

// TestCredential implements control.Core.
func (a *App) TestCredential(ctx context.Context) (control.CredentialTrial, error) {
	ctx, done := a.during(ctx)
	defer done()
	got, err := a.rack.TestCredential(ctx)
	if err != nil {
		return control.CredentialTrial{}, fault.Wrap(err, "testing the credential", "")
	}
	trial := foundBy(got)
	a.mu.Lock()
	a.state.trial = &trial
	a.mu.Unlock()
	_, _ = a.Doctor(ctx)
	return trial, nil
}

// foundBy says in words what the API answered.
func foundBy(t egress.Trial) control.CredentialTrial {
	out := control.CredentialTrial{Status: t.Status, Millis: t.Millis, Verdict: "no-way"}
	said := ""
	if t.Message != "" {
		said = " (" + t.Message + ")"
	}
	switch {
	case t.Status == http.StatusOK:
		out.Valid, out.Verdict, out.Finding = true, "valid", "the API takes it"
	case t.Status == http.StatusUnauthorized:
		out.Verdict, out.Finding = "refused", "the API refuses it"+said
		out.Cure = "make a new one: claude setup-token for a subscription, or a key in the API's console; then bottlebar credential set"
	case t.Status == http.StatusForbidden:
		out.Verdict, out.Finding = "refused", "the API knows it and does not let it in"+said
		out.Cure = "look at what it may do in the API's console, or at the subscription"
	case t.Status == http.StatusTooManyRequests:
		out.Verdict, out.Finding, out.Cure = "rate-limited", "the API knows it and has no room for it now"+said, "wait a while; the limits of the account are reached"
	case t.Status != 0:
		out.Verdict, out.Finding, out.Cure = "unclear", fmt.Sprintf("the API answers %d", t.Status)+said, "try again later"
	case t.Why == egress.NoCredential:
		out.Verdict, out.Finding, out.Cure = "not-set", "no credential is set", "bottlebar credential set"
	case t.Why == egress.NotResolved:
		out.Finding, out.Cure = "the API's name has no address where the sidecar runs", "look at this computer's network, or at the Docker engine's"
	case t.Why == egress.BelowFloor:
		out.Finding, out.Cure = "the API's name leads to an address inside this network", "look at the resolver or the company proxy of this network"
	default:
		out.Finding, out.Cure = "there is no way to the API from the sidecar", "look at this computer's network, a VPN or a company proxy"
	}
	return out
}

// Adjust implements control.Core.
func (a *App) Adjust(ctx context.Context, name string, req control.AdjustRequest) (snapshot.Bottle, error) {
	b, err := a.rack.Get(name)
	if err != nil {
		return snapshot.Bottle{}, err
	}
	if req.CapTokens != nil {
		if err := b.SetCap(ctx, *req.CapTokens); err != nil {
			return snapshot.Bottle{}, err
		}
	}
	if req.Web != nil {
		if err := b.SetWeb(ctx, *req.Web); err != nil {
			return snapshot.Bottle{}, err
		}
	}
	if req.Reopen {
		if err := b.Reopen(ctx); err != nil {
			return snapshot.Bottle{}, err
		}
	}
	return b.View(), nil
}

// ResetDay implements control.Core.
func (a *App) ResetDay(context.Context) error { return a.rack.ResetDay() }
