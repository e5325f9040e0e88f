package egress

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// plainMethods are the methods that are forwarded over plain HTTP. TRACE would
// echo headers, and the rest has no use that is worth a look at each server.
var plainMethods = map[string]bool{
	http.MethodGet: true, http.MethodHead: true, http.MethodPost: true, http.MethodPut: true,
	http.MethodPatch: true, http.MethodDelete: true, http.MethodOptions: true,
}

// servePlain forwards "GET http://host/path". Each request is judged by
// itself, whatever came before on the same connection.
func (p *Proxy) servePlain(w http.ResponseWriter, r *http.Request) {
	d := Decision{Via: "http", Method: method(r)}
	if p.sees(w, d, r.URL.Host, r) {
		return
	}
	t, err := ParseTarget(r.URL.Host, 80)
	if err != nil {
		d.Reason, d.Host = BadName, shown(r.URL.Host)
		p.deny(w, d)
		return
	}
	d.Host, d.Port = t.Host, t.Port
	if r.URL.Scheme != "http" || !plainMethods[r.Method] {
		d.Reason = BadRequest
		p.deny(w, d)
		return
	}
	t.Method = r.Method
	f, why := p.admitHeld(r.Context(), t, d)
	if why != "" {
		d.Reason = why
		p.deny(w, d)
		return
	}
	defer p.release(f)
	// Dialled before the line is told, so that the line names the address.
	conn, addr, by, err := p.dialer.plain(f.ctx, t, f.verdict.Private, &f.rules.floor)
	if err != nil {
		d.Reason = dialReason(f, err)
		p.deny(w, d)
		return
	}
	defer conn.Close()
	if !f.goesBy(conn) {
		d.Reason = f.why()
		p.deny(w, d)
		return
	}
	start := time.Now()
	d.Kind, d.IP, d.Rule = Allowed, addressText(addr), f.verdict.Rule
	p.allowed.Add(1)
	p.journal.tell(d)

	tr := oneConn(conn, p.limits.Idle)
	defer tr.CloseIdleConnections()
	out, rt := plainRequest(f.ctx, r, t), http.RoundTripper(tr)
	if by != nil {
		rt = by.dress(out, tr)
	}
	body := p.lookout().watch(r.Body, func(name string) { p.trip(d, name) })
	res := forward(w, out, body, rt, stripHop)
	d.Kind, d.Time, d.Status = Closed, time.Time{}, res.status
	d.Up, d.Down, d.Millis = res.up, res.down, time.Since(start).Milliseconds()
	p.up.Add(d.Up)
	p.down.Add(d.Down)
	if d.Reason = f.why(); d.Reason == "" && res.status == 0 {
		d.Reason = dialReason(f, res.err)
		d.Status = statusOf(d.Reason)
	}
	p.journal.tell(d)
	p.finish(w, res, d)
}

// oneConn is a transport for one request over a connection that is already
// there: nothing is kept for a later request, which is judged and dialled anew.
func oneConn(conn net.Conn, wait time.Duration) *http.Transport {
	var used atomic.Bool
	return &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			if used.Swap(true) {
				return nil, errNoAnswer
			}
			return conn, nil
		},
		DisableKeepAlives: true, DisableCompression: true, ResponseHeaderTimeout: wait,
		MaxResponseHeaderBytes: 256 << 10, Protocols: http1(),
	}
}

func http1() *http.Protocols {
	var p http.Protocols
	p.SetHTTP1(true)
	return &p
}

// plainRequest is the request that goes out for r: the same, without what is
// between the bottle and the proxy, and with the host that was judged.
func plainRequest(ctx context.Context, r *http.Request, t Target) *http.Request {
	u := *r.URL
	u.User, u.Fragment = nil, ""
	u.Host = t.String()
	if t.Port == 80 {
		u.Host = t.Host
		if t.Addr.Is6() {
			u.Host = "[" + t.Host + "]"
		}
	}
	out := &http.Request{
		Method: r.Method, URL: &u, Host: u.Host, Header: r.Header.Clone(),
		ContentLength: r.ContentLength, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	stripHop(out.Header)
	if out.Header.Get("User-Agent") == "" {
		out.Header.Set("User-Agent", "") // else the transport adds its own
	}
	return out.WithContext(ctx)
}

// stripHop removes what concerns one connection alone (RFC 9110 §7.6.1), and
// what Connection names.
func stripHop(h http.Header) {
	for _, line := range h["Connection"] {
		for name := range splitList(line) {
			h.Del(name)
		}
	}
	for _, name := range []string{
		"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
		"Te", "Trailer", "Transfer-Encoding", "Upgrade", "Http2-Settings",
	} {
		h.Del(name)
	}
}

func splitList(s string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for len(s) > 0 {
			end := len(s)
			next := ""
			for i := range len(s) {
				if s[i] == ',' {
					end, next = i, s[i+1:]
					break
				}
			}
			if name := http.CanonicalHeaderKey(trimOWS(s[:end])); name != "" && !yield(name) {
				return
			}
			s = next
		}
	}
}

func trimOWS(s string) string {
	for len(s) > 0 && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for len(s) > 0 && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

// result is how a forwarded request went. A status of 0 means that there was
// no reply to pass on, and nothing has been written yet.
type result struct {
	status   int
	up, down int64
	err      error // the reply was cut, or there was none
}

// forward sends out with body, and copies the reply as it comes, each piece at
// once.
//
// Full duplex is not an optimisation: without it the server, when the first
// bytes of a reply are written, finishes off a request body that the transport
// may still be reading, and the transport then drops the reply in its middle.
// Requests to the API are read to their end before, so it matters to others.
func forward(w http.ResponseWriter, out *http.Request, body io.ReadCloser, rt http.RoundTripper, clean func(http.Header)) (res result) {
	return forwardSeen(w, out, body, rt, clean, nil)
}

// forwardSeen is forward that shows the reply's bytes to see once they were
// sent on; see is asked for when the reply's header is there.
func forwardSeen(w http.ResponseWriter, out *http.Request, body io.ReadCloser, rt http.RoundTripper, clean func(http.Header), see func(*http.Response) func([]byte)) (res result) {
	rc := http.NewResponseController(w)
	if err := rc.EnableFullDuplex(); err != nil {
		res.err = err
		return res
	}
	counter := &counted{body: body}
	if out.Body = counter; out.ContentLength == 0 {
		out.Body = http.NoBody
	}
	resp, err := lastWord(rt, out)
	defer func() { res.up = counter.n.Load() }()
	if err != nil {
		res.err = err
		return res
	}
	defer resp.Body.Close()
	res.status = resp.StatusCode
	seen := func([]byte) {}
	if see != nil {
		seen = see(resp)
	}
	clean(resp.Header)
	for name, values := range resp.Header {
		w.Header()[name] = values
	}
	if resp.ContentLength >= 0 && w.Header().Get("Content-Length") == "" && out.Method != http.MethodHead {
		w.Header().Set("Content-Length", strconv.FormatInt(resp.ContentLength, 10))
	}
	w.WriteHeader(resp.StatusCode)
	buf := buffers.Get().(*[64 << 10]byte)
	defer buffers.Put(buf)
	for {
		n, err := resp.Body.Read(buf[:])
		if n > 0 {
			m, werr := w.Write(buf[:n])
			res.down += int64(m)
			if werr == nil {
				werr = rc.Flush()
			}
			seen(buf[:n])
			if werr != nil {
				res.err = werr
				return res
			}
		}
		if errors.Is(err, io.EOF) {
			return res
		}
		if err != nil {
			res.err = err
			return res
		}
	}
}

// lastWord sends out. A reply that is no last word, or has no status at all, is
// none: what is written here could not say either.
func lastWord(rt http.RoundTripper, out *http.Request) (*http.Response, error) {
	resp, err := rt.RoundTrip(out)
	if err == nil && resp.StatusCode < http.StatusOK {
		resp.Body.Close()
		return nil, errNoAnswer
	}
	return resp, err
}

// finish tells the bottle about a reply that never came, or cuts the
// connection where one was cut: it must not look complete.
func (p *Proxy) finish(w http.ResponseWriter, res result, d Decision) {
	switch {
	case res.err == nil:
	case res.status != 0:
		panic(http.ErrAbortHandler)
	case d.Via == "api":
		writeAPIError(w, statusOf(d.Reason), d.Reason, denial(d))
	default:
		h := w.Header()
		h.Set("Content-Type", "text/plain; charset=utf-8")
		h.Set("X-Bottle-Denied", string(d.Reason))
		w.WriteHeader(statusOf(d.Reason))
		_, _ = io.WriteString(w, denial(d)+"\n")
	}
}

// counted counts what was read of a request's body.
type counted struct {
	body io.ReadCloser
	n    atomic.Int64
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.body.Read(b)
	c.n.Add(int64(n))
	return n, err
}

func (c *counted) Close() error { return c.body.Close() }
