package egress

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"
)

const (
	// A company's network often answers no question about names outside it;
	// each of them would wait this long once.
	proxiedResolveTimeout = 2 * time.Second
	unknownKeep           = time.Minute
	maxUnknown            = 1024
	// A proxy answers once it has reached the target.
	proxyAnswerTimeout = 30 * time.Second
	maxProxyAnswer     = 64 << 10
)

// What a company's proxy can do to a request.
var (
	errProxyDown    = errors.New("the upstream proxy does not answer")
	errProxyAuth    = errors.New("the upstream proxy asks for a name and a password")
	errProxyRefused = errors.New("the upstream proxy refuses")
)

// through reaches t by the proxy of w.
func (d *dialer) through(ctx context.Context, w *way, t Target, priv bool, floor *Floor) (net.Conn, netip.Addr, error) {
	addr, err := d.judge(ctx, w, t, priv, floor)
	if err != nil {
		return nil, netip.Addr{}, err
	}
	conn, err := d.tunnel(ctx, w, t, floor)
	return conn, addr, err
}

// judge holds the floor in front of a proxy, which looks names up itself. A
// name that resolves here must not lead below the floor by any of its
// addresses, since the proxy may take each of them; one that resolves nowhere
// but at the proxy leads where that says, which is why a proxy is only ever
// used when it was named. The proxy itself is no target: whoever reached it
// could ask it for anything.
func (d *dialer) judge(ctx context.Context, w *way, t Target, priv bool, floor *Floor) (netip.Addr, error) {
	if t.Host == w.proxy.Host {
		return netip.Addr{}, errFloor
	}
	if !t.Addr.IsValid() && d.unknown.has(t.Host) {
		return netip.Addr{}, nil
	}
	short, cancel := context.WithTimeout(ctx, proxiedResolveTimeout)
	defer cancel()
	addrs, err := d.lookup(short, t)
	if ctx.Err() != nil {
		return netip.Addr{}, ctx.Err()
	}
	if err != nil || len(addrs) == 0 {
		d.unknown.add(t.Host)
		return netip.Addr{}, nil
	}
	check := d.check(t.Port, priv, floor)
	for _, a := range addrs {
		if !d.above(ctx, a, check) {
			return netip.Addr{}, errFloor
		}
	}
	return addrs[0], nil
}

// tunnel is a connection to t through the proxy, however t was judged.
func (d *dialer) tunnel(ctx context.Context, w *way, t Target, floor *Floor) (net.Conn, error) {
	conn, err := d.toProxy(ctx, w, floor)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, proxyAnswerTimeout)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	out, err := connectThrough(conn, w, t)
	if err == nil && !stop() {
		err = fmt.Errorf("%w: %w", errProxyDown, context.Cause(ctx))
	}
	if err != nil {
		stop()
		conn.Close()
		return nil, err
	}
	return out, nil
}

// toProxy connects to the proxy itself, which may have a private address but
// none that is never reached.
func (d *dialer) toProxy(ctx context.Context, w *way, floor *Floor) (net.Conn, error) {
	conn, _, err := d.straight(ctx, w.proxy, true, floor)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errProxyDown, err)
	}
	if !w.secure {
		return conn, nil
	}
	c, err := secured(ctx, conn, &tls.Config{ServerName: w.proxy.Host, RootCAs: d.roots.with(w.from.Roots), MinVersion: tls.VersionTLS12})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errProxyDown, err)
	}
	return c, nil
}

// secured is conn inside TLS; it is closed when the other end does not prove
// its name in time.
func secured(ctx context.Context, conn net.Conn, config *tls.Config) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	c := tls.Client(conn, config)
	if err := c.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return c, nil
}

// connectThrough asks for t and reads the answer. Nothing of the answer's
// words goes further: they are a stranger's.
func connectThrough(conn net.Conn, w *way, t Target) (net.Conn, error) {
	ask := "CONNECT " + t.String() + " HTTP/1.1\r\nHost: " + t.String() + "\r\n"
	if w.auth != "" {
		ask += "Proxy-Authorization: " + w.auth + "\r\n"
	}
	if _, err := io.WriteString(conn, ask+"\r\n"); err != nil {
		return nil, fmt.Errorf("%w: %w", errProxyDown, err)
	}
	br := bufio.NewReader(io.LimitReader(conn, maxProxyAnswer))
	resp, err := http.ReadResponse(br, &http.Request{Method: http.MethodConnect})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errProxyDown, err)
	}
	switch {
	case resp.StatusCode == http.StatusProxyAuthRequired:
		resp.Body.Close()
		return nil, errProxyAuth
	case resp.StatusCode/100 != 2:
		resp.Body.Close()
		return nil, fmt.Errorf("%w: status %d", errProxyRefused, resp.StatusCode)
	}
	// A server that speaks first may already have said something.
	if n := br.Buffered(); n > 0 {
		first, _ := br.Peek(n)
		return &knocked{Conn: conn, first: first, free: func() {}}, nil
	}
	return conn, nil
}

// plain is a connection over which one plain request to t is sent, and how: to
// the server itself, or to the proxy.
func (d *dialer) plain(ctx context.Context, t Target, priv bool, floor *Floor) (net.Conn, netip.Addr, *way, error) {
	w := d.way.Load()
	if !w.carries(t) {
		conn, addr, err := d.straight(ctx, t, priv, floor)
		return conn, addr, nil, err
	}
	addr, err := d.judge(ctx, w, t, priv, floor)
	if err != nil {
		return nil, netip.Addr{}, nil, err
	}
	conn, err := d.toProxy(ctx, w, floor)
	return conn, addr, w, err
}

// dress makes of a request and its transport those that a proxy takes. The
// connection is there already, TLS included, so that the transport need not
// know what kind of proxy it is.
func (c *way) dress(r *http.Request, tr *http.Transport) http.RoundTripper {
	tr.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: c.proxy.String()})
	if c.auth != "" {
		r.Header.Set("Proxy-Authorization", c.auth)
	}
	return &asked{tr}
}

// asked turns a proxy's question for a password into an error: it is not the
// bottle's to answer.
type asked struct{ tr *http.Transport }

func (a *asked) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := a.tr.RoundTrip(r)
	if err == nil && resp.StatusCode == http.StatusProxyAuthRequired {
		resp.Body.Close()
		return nil, errProxyAuth
	}
	return resp, err
}

// TryWay asks the proxy of w for t, as a sidecar would, and hangs up. It says
// what is wrong with the way, from where the app stands.
func TryWay(ctx context.Context, w Way, l *Login, host string, r Resolver) error {
	c, err := w.compile(l)
	if err != nil || c.proxy.Port == 0 {
		return err
	}
	t, err := ParseTarget(host, DefaultPort)
	if err != nil {
		return err
	}
	d := &dialer{resolver: r}
	conn, err := d.tunnel(ctx, c, t, new(Floor))
	if err != nil {
		return err
	}
	return conn.Close()
}

// WayReason is the reason that err of TryWay stands for, or "".
func WayReason(err error) Reason {
	switch {
	case errors.Is(err, errProxyAuth):
		return ProxyAuth
	case errors.Is(err, errProxyRefused):
		return ProxyRefused
	case errors.Is(err, errProxyDown):
		return ProxyDown
	}
	return ""
}
