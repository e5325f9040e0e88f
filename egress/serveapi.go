package egress

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"
)

// serveAPI serves the API route.
func (p *Proxy) serveAPI(w http.ResponseWriter, r *http.Request) {
	path, _, _ := strings.Cut(r.RequestURI, "?")
	d := Decision{Via: "api", Method: method(r), Path: shown(path)}
	if p.seesAPI(w, d, r) {
		return
	}
	out, ok := apiPath(r)
	ok = ok && r.Header["Upgrade"] == nil && r.Header["Trailer"] == nil && r.Trailer == nil
	f, why := p.admit(r.Context(), Target{}, true)
	if f != nil {
		defer p.release(f)
	}
	if why = f.judge(r, ok, why); why != "" {
		d.Reason = why
		p.deny(w, d)
		return
	}
	d.Host, d.Port = f.target.Host, f.target.Port
	c := &call{proxy: p, flow: f, w: w, d: d, path: path}
	if err := c.prepare(r, out); err != nil {
		c.refuse(err)
		return
	}
	defer c.body.release()
	c.run()
}

// judge says why an API request is refused before its body is read; ok is
// whether it is in the table, why what admit said.
func (f *flow) judge(r *http.Request, ok bool, why Reason) Reason {
	switch {
	case why == NotOpen || why == NoLease || why == Tripped:
		return why
	case !ok:
		return APIPath
	case why == TooMany:
		return APIBusy
	case why != "":
		return why
	case f.cred == nil:
		return NoCredential
	case !f.cred.carries(r):
		return APIAuth
	}
	return ""
}

// call is one request on the API route that may go upstream if its body and
// the caps allow.
type call struct {
	proxy *Proxy
	flow  *flow
	w     http.ResponseWriter
	d     Decision
	path  string

	body *body
	hold *reservation
	req  *http.Request
	sent atomic.Bool // some of the request may have reached the API
}

// prepare looks at the request, reserves what it may take, and builds the one
// that goes upstream.
func (c *call) prepare(r *http.Request, out string) error {
	if err := checkHeader(r.Header); err != nil {
		return err
	}
	need := int64(0)
	var err error
	if r.Method == http.MethodPost {
		m := newMessageReader(c.flow.rules.api.web)
		read := newJSONReader(m)
		c.body, err = readBody(r.Body, r.ContentLength, read.feed, &c.proxy.bodies)
		if err == nil {
			err = read.finish()
		}
		if err == nil && c.path == "/v1/messages" {
			need = m.most(c.body.size)
		}
	} else {
		c.body, err = readBody(http.NoBody, 0, func([]byte) error { return nil }, &c.proxy.bodies)
	}
	if err == nil {
		c.hold, err = c.proxy.meter.reserve(c.flow.ctx, need)
	}
	if err == nil {
		err = c.build(r, out)
	}
	if err != nil && c.body != nil {
		c.body.release()
	}
	return err
}

func (c *call) build(r *http.Request, out string) error {
	ctx := httptrace.WithClientTrace(c.flow.ctx, &httptrace.ClientTrace{WroteHeaders: func() { c.sent.Store(true) }})
	req, err := http.NewRequestWithContext(ctx, r.Method, c.flow.rules.api.base+out, c.body.reader())
	if err != nil {
		c.hold.free()
		return err
	}
	req.ContentLength = c.body.size
	// A connection that ended while it waited is tried anew with the same bytes.
	req.GetBody = func() (io.ReadCloser, error) { return c.body.reader(), nil }
	req.Header = apiHeader(r.Header, c.flow.cred)
	c.req = req
	return nil
}

// run sends the request and passes the reply on.
func (c *call) run() {
	p, d := c.proxy, c.d
	start := time.Now()
	var tap usageTap = noTap{}
	res := forwardSeen(c.w, c.req, c.req.Body, c.flow.rules.api.transport, cleanReply, func(resp *http.Response) func([]byte) {
		tap = tapFor(resp.Header)
		return tap.see
	})
	p.allowed.Add(1)
	d.Kind, d.Status, d.Up, d.Down, d.Rule = APICall, res.status, res.up, res.down, c.flow.verdict.Rule
	d.Millis = time.Since(start).Milliseconds()
	d.Tokens = c.settle(res, tap)
	p.up.Add(d.Up)
	p.down.Add(d.Down)
	if d.Reason = c.flow.why(); d.Reason == "" && res.status == 0 {
		d.Reason = dialReason(c.flow, res.err)
		d.Status = statusOf(d.Reason)
	}
	p.journal.tell(d)
	p.finish(c.w, res, d)
}

// settle turns the reservation into what the request took, and returns it.
func (c *call) settle(res result, tap usageTap) int64 {
	used, whole := tap.result()
	switch {
	case c.hold.tokens == 0: // it takes no tokens
		c.hold.free()
		return 0
	case res.status >= http.StatusBadRequest, res.status == 0 && !c.sent.Load():
		c.hold.free() // the API bills no errors
		return 0
	case whole:
		c.hold.settle(used)
		return used.Total()
	}
	c.hold.keep(used)
	return max(c.hold.tokens, used.Total())
}

// refuse answers a request that does not go upstream.
func (c *call) refuse(err error) {
	p, d := c.proxy, c.d
	var refusal *Refusal
	var capped *CapError
	status, text := http.StatusForbidden, ""
	d.Reason = APIBody
	switch {
	case errors.As(err, &refusal):
		text = refusal.Text
	case errors.As(err, &capped):
		d.Reason, status, text = APICap, http.StatusTooManyRequests, capped.Error()
	case errors.Is(err, errUnanswered):
		d.Reason, status = APIBusy, http.StatusTooManyRequests
		text = "This API request is held back: Bottlebar did not say in time whether a cap allows it. Try again in a moment."
	case errors.Is(err, errBodies):
		d.Reason, status = APIBusy, http.StatusTooManyRequests
		text = "This API request is refused: too much is being sent at once from this bottle. Try again in a moment."
	case errors.Is(err, errBodyLong):
		status, text = http.StatusRequestEntityTooLarge, "This API request is longer than the 32 MB that the API takes."
	case c.flow.why() != "":
		d.Reason = c.flow.why()
		text = denial(Decision{Reason: d.Reason})
	case errors.Is(err, context.Canceled):
		return // whoever sent it has gone
	default:
		text = unread(err)
	}
	d.Kind, d.Status = Denied, status
	p.denied.Add(1)
	p.journal.tell(d)
	writeAPIError(c.w, status, d.Reason, text)
}
