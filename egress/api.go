package egress

import (
	"context"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// api is the compiled route.
type api struct {
	base      string // "https://host", without a slash at its end
	target    Target
	test      bool // leads to a test's server: no floor
	roots     *x509.CertPool
	transport *http.Transport
}

const (
	maxAPIBody = 64 << 20
	// Replies may think for long before their first byte.
	apiHeaderWait = 15 * time.Minute
)

// connect makes the route's transport. It keeps connections; they all lead to
// the one place.
func (a *api) connect(d *dialer, floor *Floor) {
	roots := a.roots
	if w := d.way.Load(); w != nil && w.from.Roots != "" {
		if more, err := withRoots(roots, w.from.Roots); err == nil { // it was compiled with them
			roots = more
		}
	}
	a.transport = &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if w := d.way.Load(); a.test && w.carries(a.target) {
				return d.tunnel(ctx, w, a.target, floor)
			} else if a.test {
				return (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, network, address)
			}
			conn, _, err := d.dial(ctx, a.target, false, floor)
			if err != nil {
				return nil, err
			}
			return conn, nil
		},
		TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:      true,
		DisableCompression:     true,
		TLSHandshakeTimeout:    10 * time.Second,
		ResponseHeaderTimeout:  apiHeaderWait,
		IdleConnTimeout:        90 * time.Second,
		MaxIdleConnsPerHost:    8,
		MaxResponseHeaderBytes: 256 << 10,
	}
}

var (
	modelPath = regexp.MustCompile(`^/v1/models(/[A-Za-z0-9._-]+)?$`)
	betaValue = regexp.MustCompile(`^[A-Za-z0-9._,-]{1,64}$`)
)

// apiPath returns the path and query that go upstream for r, both built anew,
// or false when r is not in the table.
func apiPath(r *http.Request) (string, bool) {
	path, query, _ := strings.Cut(r.RequestURI, "?")
	switch {
	case r.Method == http.MethodPost && (path == "/v1/messages" || path == "/v1/messages/count_tokens"):
	case r.Method == http.MethodGet && modelPath.MatchString(path) && !strings.Contains(path, ".."):
	default:
		return "", false
	}
	if query == "" {
		return path, true
	}
	values, err := url.ParseQuery(query)
	if err != nil || len(values) != 1 || len(values["beta"]) != 1 || !betaValue.MatchString(values["beta"][0]) {
		return "", false
	}
	return path + "?beta=" + url.QueryEscape(values["beta"][0]), true
}

// notForwarded are headers that do not go upstream: those that say who asks,
// from where, and those that change what is asked.
var notForwarded = []string{
	"Authorization", "X-Api-Key", "Cookie", "Forwarded", "Via", "From", "Referer", "Origin", "Host",
	"X-Real-Ip", "X-Client-Ip", "True-Client-Ip", "X-Http-Method-Override", "X-Http-Method", "X-Method-Override",
	"X-Original-Url", "X-Rewrite-Url", "Expect", "Accept-Encoding", "Content-Length",
}

// apiHeader returns the header that goes upstream.
func apiHeader(in http.Header, c *Credential) http.Header {
	h := in.Clone()
	stripHop(h)
	for _, name := range notForwarded {
		h.Del(name)
	}
	for name := range h {
		if strings.HasPrefix(name, "X-Forwarded-") || strings.HasPrefix(name, "Proxy-") || strings.HasPrefix(name, "Cf-") {
			h.Del(name)
		}
	}
	// What is counted and read later must not come compressed.
	h.Set("Accept-Encoding", "identity")
	if h.Get("User-Agent") == "" {
		h.Set("User-Agent", "")
	}
	switch c.Kind {
	case Token:
		h.Set("Authorization", "Bearer "+c.Secret)
	default:
		h.Set("X-Api-Key", c.Secret)
	}
	return h
}

// cleanReply removes from replies what would let a bottle keep a session
// upstream or learn whose account pays.
func cleanReply(h http.Header) {
	stripHop(h)
	for name := range h {
		low := strings.ToLower(name)
		if strings.HasPrefix(low, "set-cookie") || strings.Contains(low, "organization") || strings.Contains(low, "workspace") {
			h.Del(name)
		}
	}
	for _, name := range []string{"X-Api-Key", "Authorization", "Alt-Svc", "Strict-Transport-Security", "Report-To", "Nel"} {
		h.Del(name)
	}
}

// carries reports whether r presents exactly the placeholder, once.
func (c *Credential) carries(r *http.Request) bool {
	values := r.Header["Authorization"]
	if len(values) != 1 || c.Placeholder == "" {
		return false
	}
	return subtle.ConstantTimeCompare([]byte(values[0]), []byte("Bearer "+c.Placeholder)) == 1
}

// serveAPI serves the API route.
func (p *Proxy) serveAPI(w http.ResponseWriter, r *http.Request) {
	path, _, _ := strings.Cut(r.RequestURI, "?")
	d := Decision{Via: "api", Method: method(r), Path: shown(path)}
	out, ok := apiPath(r)
	f, why := p.admit(r.Context(), Target{}, true)
	switch {
	case why == NotOpen || why == NoLease:
	case !ok || r.Header["Upgrade"] != nil || r.Header["Trailer"] != nil || r.Trailer != nil:
		why = APIPath
	case why != "":
	case f.cred == nil:
		why = NoCredential
	case !f.cred.carries(r):
		why = APIAuth
	}
	if f != nil {
		defer p.release(f)
	}
	if why != "" {
		d.Reason = why
		p.deny(w, d)
		return
	}
	d.Host, d.Port, d.Rule = f.target.Host, f.target.Port, f.verdict.Rule
	req, err := p.apiRequest(f, w, r, out, path)
	if err != nil {
		p.refuseBody(w, d, err)
		return
	}
	start := time.Now()
	res := forward(w, req, req.Body, f.rules.api.transport, cleanReply)
	p.allowed.Add(1)
	d.Kind, d.Status, d.Up, d.Down = APICall, res.status, res.up, res.down
	d.Millis = time.Since(start).Milliseconds()
	p.up.Add(d.Up)
	p.down.Add(d.Down)
	if d.Reason = f.why(); d.Reason == "" && res.status == 0 {
		d.Reason = dialReason(f, res.err)
		d.Status = statusOf(d.Reason)
	}
	p.journal.tell(d)
	p.finish(w, res, d)
}

// apiRequest builds the one request that goes upstream.
func (p *Proxy) apiRequest(f *flow, w http.ResponseWriter, r *http.Request, out, path string) (*http.Request, error) {
	var body io.ReadCloser = http.NoBody
	length := int64(0)
	if r.Method == http.MethodPost {
		body, length = http.MaxBytesReader(w, r.Body, maxAPIBody), r.ContentLength
		if p.opt.Inspect != nil {
			var err error
			if body, length, err = p.opt.Inspect.Inspect(f.ctx, path, body); err != nil {
				return nil, err
			}
		}
	}
	req, err := http.NewRequestWithContext(f.ctx, r.Method, f.rules.api.base+out, body)
	if err != nil {
		return nil, err
	}
	req.ContentLength = length
	req.Header = apiHeader(r.Header, f.cred)
	return req, nil
}

// refuseBody answers a request whose body was looked at and refused.
func (p *Proxy) refuseBody(w http.ResponseWriter, d Decision, err error) {
	d.Reason, d.Rule = APIBody, ""
	var refusal *Refusal
	text := "This API request is blocked by the bottle's policy: its body cannot be read."
	if errors.As(err, &refusal) {
		text = refusal.Text
	}
	d.Kind, d.Status = Denied, http.StatusForbidden
	p.denied.Add(1)
	p.journal.tell(d)
	w.Header().Set("X-Bottle-Denied", string(d.Reason))
	http.Error(w, text, d.Status)
}
