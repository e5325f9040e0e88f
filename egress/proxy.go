package egress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Options are what a Proxy is made with.
type Options struct {
	// Tell receives each decision, one at a time. It may block; then whatever
	// the decision is about waits too.
	Tell func(Decision)
	// Resolver is the system's when nil.
	Resolver Resolver
	// Meter counts what the API route takes and holds it to its allowance; nil
	// means one without a cap. It may outlive the proxy.
	Meter *Meter
	// Tripped, if it is not nil, is why an earlier proxy of this sidecar shut
	// itself; the new one begins shut in the same way.
	Tripped *Trip
	// Never are prefixes that not even a private rule reaches: the network
	// that the sidecar itself stands in.
	Never []netip.Prefix
	// Roots are the certificates that vouch for servers, asked for when they are
	// needed; nil: the system's.
	Roots func() *x509.CertPool
	// Limits are the defaults where zero.
	Limits Limits
}

// Limits bound what runs at once and for how long.
type Limits struct {
	Tunnels int           // tunnels and plain requests; 512
	Calls   int           // requests on the API route; 8
	Conns   int           // connections to the proxy; 1024
	Headers time.Duration // until a request's header is complete; 10 s
	Hello   time.Duration // until a TLS hello is complete; 10 s
	Idle    time.Duration // a tunnel without a byte either way; 10 min
}

func (l Limits) withDefaults() Limits {
	set := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	setTime := func(p *time.Duration, v time.Duration) {
		if *p == 0 {
			*p = v
		}
	}
	set(&l.Tunnels, 512)
	set(&l.Calls, 8)
	set(&l.Conns, 1024)
	setTime(&l.Headers, 10*time.Second)
	setTime(&l.Hello, 10*time.Second)
	setTime(&l.Idle, 10*time.Minute)
	return l
}

// Stats are counters since the proxy was made, and what runs now.
type Stats struct {
	Open     bool   `json:"open"`
	Revision uint64 `json:"revision"`
	Tunnels  int    `json:"tunnels"` // now
	Calls    int    `json:"calls"`   // now
	Allowed  uint64 `json:"allowed"`
	Denied   uint64 `json:"denied"`
	Up       int64  `json:"up"`
	Down     int64  `json:"down"`
	Totals   Totals `json:"totals"` // of the meter, which may be older than the proxy
	Tripped  *Trip  `json:"tripped,omitempty"`
}

// Proxy serves a bottle's requests. A new one is closed: until [Proxy.Open] it
// answers health and echo and refuses everything else.
type Proxy struct {
	opt     Options
	limits  Limits
	dialer  *dialer
	journal *journal

	allowed, denied atomic.Uint64
	up, down        atomic.Int64

	mu       sync.Mutex
	rules    *Rules
	cred     *Credential
	nonce    string
	open     bool
	done     bool
	lease    time.Time // zero: none is asked for
	flows    map[*flow]struct{}
	tunnels  int
	calls    int
	held     int           // requests that wait for an answer
	changed  chan struct{} // closed when the policy changes, or when nothing is let out any more
	look     *lookout      // nil: nothing is looked for
	tripped  *Trip
	handlers sync.WaitGroup

	meter  *Meter
	bodies atomic.Int64 // bytes of API requests that are held now
}

// New returns a closed proxy.
func New(o Options) *Proxy {
	if o.Resolver == nil {
		o.Resolver = net.DefaultResolver
	}
	if o.Meter == nil {
		o.Meter = NewMeter(nil, nil)
	}
	rules, _ := Policy{}.Compile()
	return &Proxy{
		meter:   o.Meter,
		tripped: o.Tripped,
		opt:     o,
		limits:  o.Limits.withDefaults(),
		dialer:  &dialer{resolver: o.Resolver, roots: o.Roots},
		journal: newJournal(o.Tell),
		rules:   rules,
		flows:   map[*flow]struct{}{},
		changed: make(chan struct{}),
	}
}

// SetPolicy replaces the policy and ends what the new one does not allow.
func (p *Proxy) SetPolicy(pol Policy) error {
	rules, err := pol.Compile()
	if err != nil {
		return err
	}
	rules.floor.never = append(rules.floor.never, p.opt.Never...)
	p.mu.Lock()
	defer p.mu.Unlock()
	old := p.rules
	if rules.api != nil {
		rules.api.connect(p.dialer, &rules.floor)
	}
	p.rules = rules
	for f := range p.flows {
		if !f.stillAllowed(rules) {
			f.end(Revoked)
		}
	}
	p.tellHeld()
	if old.api != nil {
		old.api.transport.CloseIdleConnections()
	}
	return nil
}

// SetCredential replaces what the API route adds; nil removes it. Requests
// that are under way keep the one they began with.
func (p *Proxy) SetCredential(c *Credential) {
	if c != nil {
		dup := *c
		c = &dup
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cred = c
}

// SetNonce sets what /healthz answers.
func (p *Proxy) SetNonce(nonce string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.nonce = nonce
}

// Open lets requests out, as far as the policy goes. A proxy that shut itself
// stays shut until [Proxy.Reopen].
func (p *Proxy) Open() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open = !p.done && p.tripped == nil
}

// Shut takes Open back and ends everything that is under way.
func (p *Proxy) Shut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open = false
	p.cancelAll(NotOpen)
}

// Renew lets new requests in for d from now. A proxy that was never renewed
// asks for no lease.
func (p *Proxy) Renew(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lease = time.Now().Add(d)
}

// Stats returns the counters.
func (p *Proxy) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Stats{
		Open: p.open, Revision: p.rules.policy.Revision, Tunnels: p.tunnels, Calls: p.calls,
		Allowed: p.allowed.Load(), Denied: p.denied.Load(), Up: p.up.Load(), Down: p.down.Load(),
		Totals: p.meter.Totals(), Tripped: p.tripped,
	}
}

// Close ends everything and waits for it.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.open, p.done, p.cred = false, true, nil
	p.cancelAll(NotOpen)
	api := p.rules.api
	p.mu.Unlock()
	p.handlers.Wait()
	if api != nil {
		api.transport.CloseIdleConnections()
	}
	p.journal.close()
}

func (p *Proxy) cancelAll(why Reason) {
	for f := range p.flows {
		f.end(why)
	}
	p.tellHeld()
}

// cut is the cause of a context that ended something early.
type cut struct{ why Reason }

func (c cut) Error() string { return string(c.why) }

// flow is one tunnel, plain request or API call that was let through.
type flow struct {
	target  Target
	api     bool
	verdict Verdict
	rules   *Rules // those it was judged by
	cred    *Credential
	ctx     context.Context
	cancel  context.CancelCauseFunc

	mu    sync.Mutex
	out   net.Conn // what it goes out by, once that is there
	ended bool
}

// end ends a flow. When it returns, none of the bottle's bytes goes out by it
// any more: whoever took a permission back may rely on it.
func (f *flow) end(why Reason) {
	f.cancel(cut{why})
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = true
	if f.out != nil {
		closeNow(f.out)
	}
}

// goesBy says what the flow goes out by. It is false, and out closed, when the
// flow was ended meanwhile.
func (f *flow) goesBy(out net.Conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.out = out; f.ended {
		closeNow(out)
	}
	return !f.ended
}

// closeNow closes c without a last word to the other side, which a TLS
// connection may have to wait for.
func closeNow(c net.Conn) {
	for {
		switch in := c.(type) {
		case *knocked:
			c = in.Conn
		case *tls.Conn:
			c = in.NetConn()
		default:
			c.Close()
			return
		}
	}
}

func (f *flow) stillAllowed(r *Rules) bool {
	if f.api { // a search goes on for as long as its request does
		return r.api != nil && r.api.base == f.rules.api.base && (r.api.web || !f.rules.api.web)
	}
	v := r.Decide(f.target)
	return v.OK && v.Private == f.verdict.Private
}

// why is the reason for which a flow was ended early, or "".
func (f *flow) why() Reason {
	var c cut
	if errors.As(context.Cause(f.ctx), &c) {
		return c.why
	}
	return ""
}

// admit judges a target and registers it, both under one lock, so that a
// change of policy either is what judged it or ends it.
func (p *Proxy) admit(ctx context.Context, t Target, api bool) (*flow, Reason) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.tripped != nil:
		return nil, Tripped
	case !p.open:
		return nil, NotOpen
	case !p.lease.IsZero() && time.Now().After(p.lease):
		return nil, NoLease
	}
	f := &flow{target: t, api: api, rules: p.rules, cred: p.cred}
	if api {
		if p.rules.api == nil {
			return nil, NotAllowed
		}
		if p.calls >= p.limits.Calls {
			return nil, TooMany
		}
		f.target, f.verdict = p.rules.api.target, Verdict{OK: true, Rule: "api"}
	} else {
		if f.verdict = p.rules.Decide(t); !f.verdict.OK {
			return nil, f.verdict.Reason
		}
		if p.tunnels >= p.limits.Tunnels {
			return nil, TooMany
		}
	}
	if api {
		p.calls++
	} else {
		p.tunnels++
	}
	f.ctx, f.cancel = context.WithCancelCause(ctx)
	p.flows[f] = struct{}{}
	return f, ""
}

func (p *Proxy) release(f *flow) {
	f.cancel(nil)
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.flows[f]; !ok {
		return
	}
	delete(p.flows, f)
	if f.api {
		p.calls--
	} else {
		p.tunnels--
	}
}

// ServeHTTP sorts requests: tunnels and plain requests go to the policy, the
// rest is the sidecar's own or the API route.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	if p.done {
		p.mu.Unlock()
		http.Error(w, "closed", http.StatusServiceUnavailable)
		return
	}
	p.handlers.Add(1)
	p.mu.Unlock()
	defer p.handlers.Done()
	switch {
	case r.Method == http.MethodConnect:
		p.serveConnect(w, r)
	case r.URL.IsAbs() || r.URL.Host != "":
		p.servePlain(w, r)
	case r.URL.Path == "/healthz":
		p.serveHealth(w, r)
	case r.URL.Path == "/echo":
		p.serveEcho(w, r)
	default:
		p.serveAPI(w, r)
	}
}
