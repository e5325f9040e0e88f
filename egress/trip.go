package egress

import (
	"net/http"
	"time"
)

// Trip is why a proxy shut itself: a decoy was seen where it has no business.
type Trip struct {
	Time  time.Time `json:"time"`
	Decoy string    `json:"decoy"` // its name
	Via   string    `json:"via"`   // as in a Decision
	Host  string    `json:"host"`  // where it was going; the guest's word
	Port  uint16    `json:"port,omitempty"`
}

// SetDecoys replaces what is looked for in everything that leaves the bottle
// unencrypted. The bottle's placeholder belongs to it; at the API route's own
// place for it, it is none.
func (p *Proxy) SetDecoys(decoys []Decoy) {
	l := newLookout(decoys)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.look = l
}

// Reopen forgets why the proxy shut itself, and opens it.
func (p *Proxy) Reopen() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tripped = nil
	p.open = !p.done
}

// Tripped is why the proxy shut itself, or nil.
func (p *Proxy) Tripped() *Trip {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tripped
}

func (p *Proxy) lookout() *lookout {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.look
}

// trip shuts the proxy: everything that runs is cut, and nothing is let out
// until a person says so. The line about it is told first, and never dropped.
func (p *Proxy) trip(d Decision, decoy string) {
	d.Kind, d.Reason, d.Rule, d.Status = Canary, Tripped, decoy, http.StatusForbidden
	d.Time = time.Now().UTC()
	p.mu.Lock()
	first := p.tripped == nil
	if first {
		p.tripped = &Trip{Time: d.Time, Decoy: decoy, Via: d.Via, Host: d.Host, Port: d.Port}
	}
	p.open = false
	p.cancelAll(Tripped)
	p.mu.Unlock()
	p.denied.Add(1)
	p.journal.tell(d)
}

// sees looks for decoys in a tunnel's or a plain request's place, address and
// header, before anything else is done with it; where one is, the request is
// answered.
func (p *Proxy) sees(w http.ResponseWriter, d Decision, host string, r *http.Request) bool {
	l := p.lookout()
	if l == nil {
		return false
	}
	name := l.inHost(host)
	if name == "" && r.Method != http.MethodConnect {
		name = l.inText(r.RequestURI)
	}
	if name == "" {
		name = l.inHeader(r.Header)
	}
	if name == "" {
		return false
	}
	d.Host = shownPlace(host)
	if t, err := ParseTarget(host, DefaultPort); err == nil {
		d.Host, d.Port = t.Host, t.Port
	}
	p.trip(d, name)
	d.Reason = Tripped
	p.deny(w, d)
	return true
}

// seesName looks for decoys in what a TLS hello names.
func (p *Proxy) seesName(d Decision, sni string) bool {
	name := p.lookout().inHost(sni)
	if name != "" {
		p.trip(d, name)
	}
	return name != ""
}

// seesAPI looks for decoys in the parts of an API request that go upstream
// besides its body, or that are refused. Authorization is where the placeholder
// belongs, and a client that was told so may send it as a key as well; neither
// goes anywhere. A body is the session itself: it goes to Anthropic for the
// person's account, and an agent that looked at its own environment has the
// placeholder in it.
func (p *Proxy) seesAPI(w http.ResponseWriter, d Decision, r *http.Request) bool {
	l := p.lookout()
	if l == nil {
		return false
	}
	name := l.inText(r.RequestURI)
	if name == "" {
		name = l.inHeader(r.Header, "Authorization", "X-Api-Key", "Proxy-Authorization")
	}
	if name == "" {
		return false
	}
	d.Host, d.Path = defaultHost, "" // the path may be the decoy
	p.trip(d, name)
	d.Reason = Tripped
	p.deny(w, d)
	return true
}
