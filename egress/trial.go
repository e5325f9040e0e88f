package egress

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"
)

// Trial is what the API said to a request that costs nothing.
type Trial struct {
	Status int `json:"status"` // of the reply; 0: there was none
	// Message is the API's own word for an error, cleaned and cut.
	Message string `json:"message,omitempty"`
	// Why is why there was no reply.
	Why    Reason `json:"why,omitempty"`
	Millis int64  `json:"ms"`
}

// trialTimeout is how long a trial may take in all.
const trialTimeout = 15 * time.Second

// tokenBeta is what a client with a subscription's token says that it has; the
// API takes such a token only then.
const tokenBeta = "oauth-2025-04-20"

// Try asks the API for its list of models with the credential, whether the
// proxy is open or not: what leaves is the person's own, and nothing of a
// bottle's.
func (p *Proxy) Try(ctx context.Context) Trial {
	ctx, cancel := context.WithTimeout(ctx, trialTimeout)
	defer cancel()
	p.mu.Lock()
	rules, cred := p.rules, p.cred
	p.mu.Unlock()
	switch {
	case rules.api == nil:
		return Trial{Why: NotAllowed}
	case cred == nil:
		return Trial{Why: NoCredential}
	}
	start := time.Now()
	t := rules.api.try(ctx, cred)
	t.Millis = time.Since(start).Milliseconds()
	return t
}

func (a *api) try(ctx context.Context, cred *Credential) Trial {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.base+"/v1/models?limit=1", nil)
	if err != nil {
		return Trial{Why: NotReached}
	}
	in := http.Header{"Anthropic-Version": {"2023-06-01"}, "User-Agent": {"bottlebar"}}
	if cred.Kind == Token {
		in.Set("Anthropic-Beta", tokenBeta)
	}
	req.Header = apiHeader(in, cred)
	resp, err := a.transport.RoundTrip(req)
	if err != nil {
		why := NotReached
		switch {
		case errors.Is(err, errFloor):
			why = BelowFloor
		case errors.Is(err, errNoAddress):
			why = NotResolved
		}
		return Trial{Why: why}
	}
	defer resp.Body.Close()
	t := Trial{Status: resp.StatusCode}
	if resp.StatusCode == http.StatusOK {
		return t
	}
	var e apiError
	if b, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10)); err == nil && json.Unmarshal(b, &e) == nil {
		t.Message = sentence(e.Error.Message)
	}
	return t
}

// sentence makes one short printable line of the API's words.
func sentence(s string) string {
	b := make([]rune, 0, 200)
	for _, c := range s {
		if len(b) == cap(b) {
			break
		}
		if c < 0x20 || c > 0x7e {
			c = '?'
		}
		b = append(b, c)
	}
	return string(b)
}
