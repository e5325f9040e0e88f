package egress

import (
	"fmt"
	"net/http"
)

// deny answers one readable line and tells the journal.
func (p *Proxy) deny(w http.ResponseWriter, d Decision) {
	p.denied.Add(1)
	p.mu.Lock()
	canary := p.rules.canaries[d.Host]
	p.mu.Unlock()
	d.Kind = Denied
	if d.Status == 0 {
		d.Status = statusOf(d.Reason)
	}
	p.journal.tell(d, canary)
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Bottle-Denied", string(d.Reason))
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(d.Status)
	fmt.Fprintln(w, denial(d))
}

func statusOf(r Reason) int {
	switch r {
	case NotResolved, NotReached, ProxyDown, ProxyAuth, ProxyRefused:
		return http.StatusBadGateway
	case TooMany, NoLease:
		return http.StatusServiceUnavailable
	case BadRequest, HungUp:
		return http.StatusBadRequest
	}
	return http.StatusForbidden
}

// denial is the line that a program in the bottle reads; an agent must see
// that trying again, or another way, is pointless.
func denial(d Decision) string {
	where := d.Host
	if where == "" {
		where = "this request"
	} else if d.Port != 0 {
		where = fmt.Sprintf("%s port %d", d.Host, d.Port)
	}
	const ask = "Do not retry or look for another way; ask the user to allow it."
	switch d.Reason {
	case NotOpen:
		return where + " is blocked: the bottle has not been opened yet."
	case NoLease:
		return where + " is blocked: Bottlebar is not running."
	case NotResolved:
		return where + " has no address."
	case NotReached:
		return where + " could not be reached."
	case HungUp:
		return where + " was given up: the client closed its side of the connection before the answer came."
	case ProxyDown:
		return where + " could not be reached: the network's own proxy does not answer. Ask the user to look at Setup in Bottlebar."
	case ProxyAuth:
		return where + " could not be reached: the network's own proxy asks for a name and a password. Ask the user to run `bottlebar proxy login` on the host."
	case ProxyRefused:
		return where + " is refused by the network's own proxy, behind the bottle's. " + ask
	case TooMany:
		return where + " is refused: too many connections at once. Try again later."
	case BadRequest:
		return "This is not a request that the bottle's proxy serves."
	case BadName:
		return "This host name is blocked by the bottle's policy: it is not a plain name. " + ask
	case BelowFloor:
		return where + " is blocked by the bottle's policy: it leads to an address inside the host's network. " + ask
	case APIHost:
		return where + " is reached through the base URL only (ANTHROPIC_BASE_URL). " + ask
	case APIPath:
		return "This API request is blocked by the bottle's policy: only messages, token counts and the list of models are served. " + ask
	case APIAuth:
		return "This API request is blocked by the bottle's policy: it does not carry this bottle's placeholder credential. " + ask
	case NoCredential:
		return "No credential is set for the API. Ask the user to run `bottlebar credential set` on the host."
	}
	return where + " is blocked by the bottle's policy. " + ask
}
