package egress

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// deny answers one readable line and tells the journal.
func (p *Proxy) deny(w http.ResponseWriter, d Decision) {
	p.denied.Add(1)
	p.mu.Lock()
	canary := p.rules.canaries[d.Host]
	p.mu.Unlock()
	d.Kind, d.Canary = Denied, canary
	if d.Status == 0 {
		d.Status = statusOf(d.Reason)
	}
	p.journal.tell(d)
	if d.Via == "api" {
		writeAPIError(w, d.Status, d.Reason, denial(d))
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Bottle-Denied", string(d.Reason))
	h.Set("Cache-Control", "no-store")
	text := denial(d)
	if (d.Method == http.MethodConnect || d.Method == http.MethodGet) && say(w, d.Status, text) {
		return
	}
	w.WriteHeader(d.Status)
	fmt.Fprintln(w, text)
}

// say answers with the sentence as the reason phrase too, and ends the
// connection. Of a refused tunnel most programs show the status line and
// nothing else: pip and apt all of it, curl and git the number.
func say(w http.ResponseWriter, status int, text string) bool {
	conn, _, err := hijack(w)
	if err != nil {
		return false
	}
	defer conn.Close()
	h := w.Header().Clone()
	h.Set("Connection", "close")
	h.Set("Content-Length", strconv.Itoa(len(text)+1))
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %d %s: %s\r\n", status, http.StatusText(status), text)
	_ = h.Write(&b)
	fmt.Fprintf(&b, "\r\n%s\n", text)
	_ = conn.SetDeadline(time.Now().Add(sayTime))
	if _, err := conn.Write(b.Bytes()); err != nil {
		return true
	}
	// What was sent after the request is read, so that its loss does not take
	// the answer with it.
	if c, ok := conn.(halfCloser); ok && c.CloseWrite() == nil {
		_ = conn.SetReadDeadline(time.Now().Add(lingerTime)) // a place is held meanwhile
		_, _ = io.CopyN(io.Discard, conn, maxDrained)
	}
	return true
}

const (
	sayTime    = 2 * time.Second
	lingerTime = 200 * time.Millisecond
	maxDrained = 64 << 10
)

func statusOf(r Reason) int {
	switch r {
	case NotResolved, NotReached, ProxyDown, ProxyAuth, ProxyRefused:
		return http.StatusBadGateway
	case TooMany, NoLease:
		return http.StatusServiceUnavailable
	case BadRequest, HungUp:
		return http.StatusBadRequest
	case APICap, APIBusy:
		return http.StatusTooManyRequests
	}
	return http.StatusForbidden
}

// ask ends what only a person can change.
const ask = "Do not retry or look for another way; ask the user to allow it."

// sentences are what a refusal says, %s being what was asked for.
var sentences = map[Reason]string{
	NotOpen:      "%s is blocked: the bottle has not been opened yet.",
	NoLease:      "%s is blocked: Bottlebar is not running.",
	NotResolved:  "%s has no address.",
	NotReached:   "%s could not be reached.",
	HungUp:       "%s was given up: the client closed its side of the connection before the answer came.",
	ProxyDown:    "%s could not be reached: the network's own proxy does not answer. Ask the user to look at Setup in Bottlebar.",
	ProxyAuth:    "%s could not be reached: the network's own proxy asks for a name and a password. Ask the user to run `bottlebar proxy login NAME` on the host.",
	ProxyRefused: "%s is refused by the network's own proxy, behind the bottle's. " + ask,
	TooMany:      "%s is refused: too many connections at once. Try again later.",
	BadRequest:   "This is not a request that the bottle's proxy serves.",
	BadName:      "This host name is blocked by the bottle's policy: it is not a plain name. " + ask,
	BelowFloor:   "%s is blocked by the bottle's policy: it leads to an address inside the host's network. " + ask,
	APIHost:      "%s is reached through the base URL only (ANTHROPIC_BASE_URL). " + ask,
	APIPath:      "This API request is blocked by the bottle's policy: only messages, token counts and the list of models are served. " + ask,
	APIAuth:      "This API request is blocked by the bottle's policy: it does not carry this bottle's placeholder credential. " + ask,
	NoCredential: "No credential is set for the API. Ask the user to run `bottlebar credential set` on the host.",
	APIBusy:      "This API request is refused: too many are under way at once in this bottle. Try again in a moment.",
	Tripped:      "This bottle's way out is shut: a decoy credential was seen in something that it sent. Do not retry; the user has been told.",
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
	text, ok := sentences[d.Reason]
	if !ok {
		text = "%s is blocked by the bottle's policy. " + ask
	}
	return strings.Replace(text, "%s", where, 1)
}
