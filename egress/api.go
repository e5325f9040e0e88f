package egress

import (
	"context"
	"crypto/subtle"
	"crypto/tls"
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
	test      bool   // leads to a test's server: no floor
	web       bool   // web search and fetch may be asked for
	roots     string // further ones, as PEM
	transport *http.Transport
}

// apiHeaderWait is long: replies may think before their first byte.
const apiHeaderWait = 15 * time.Minute

// connect makes the route's transport. It keeps connections; they all lead to
// the one place.
func (a *api) connect(d *dialer, floor *Floor) {
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
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
	}
	a.transport = &http.Transport{
		DialContext: dial,
		DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			more := ""
			if w := d.way.Load(); w != nil {
				more = w.from.Roots
			}
			return secured(ctx, conn, &tls.Config{
				ServerName: a.target.Host, RootCAs: d.roots.with(a.roots, more), MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
			})
		},
		ForceAttemptHTTP2:      true,
		DisableCompression:     true,
		ResponseHeaderTimeout:  apiHeaderWait,
		IdleConnTimeout:        90 * time.Second,
		MaxIdleConnsPerHost:    8,
		MaxResponseHeaderBytes: 256 << 10,
	}
}

var (
	modelPath = regexp.MustCompile(`^/v1/models(/[A-Za-z0-9._-]+)?$`)
	betaValue = regexp.MustCompile(`^(true|false)$`) // what is asked for by name stands in a header, and is read there
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
	"X-Original-Url", "X-Rewrite-Url", "Expect", "Accept-Encoding", "Content-Encoding", "Content-Length",
}

// apiHeader returns the header that goes upstream.
func apiHeader(in http.Header, c *Credential) http.Header {
	h := in.Clone()
	stripHop(h)
	for _, name := range notForwarded {
		h.Del(name)
	}
	for name := range h {
		// Some servers take an underscore for a hyphen.
		if strings.HasPrefix(name, "X-Forwarded-") || strings.HasPrefix(name, "Proxy-") || strings.HasPrefix(name, "Cf-") || strings.Contains(name, "_") {
			h.Del(name)
		}
	}
	if h["Content-Type"] != nil {
		h.Set("Content-Type", "application/json") // as which it was read
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
