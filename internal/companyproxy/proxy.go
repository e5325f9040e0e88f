package companyproxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"time"
)

// Options say what kind of proxy it is.
type Options struct {
	User, Password string            // asked for when User is not empty
	TLS            bool              // the proxy itself is reached by TLS
	Names          map[string]string // "host:port" → the address where it is; others go where they say
	// Inspect looks into TLS: it answers in each server's name with a
	// certificate of the company, and trusts Upstream, PEM, on its other side.
	Inspect  bool
	Upstream string
}

// Proxy is one that runs.
type Proxy struct {
	URL  string // without a name or a password
	Root string // PEM: what clients trust, for an https proxy and for one that inspects

	o      Options
	ca     *Authority
	server *http.Server
	inner  *http.Transport
	wg     sync.WaitGroup

	mu      sync.Mutex
	asked   []string
	refused map[string]bool
	conns   map[net.Conn]bool
}

// Listen starts one at an address of this computer ("192.0.2.7:0").
func Listen(address string, o Options) (*Proxy, error) {
	ca, err := NewAuthority()
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	p := &Proxy{Root: ca.Root, o: o, ca: ca, refused: map[string]bool{}, conns: map[net.Conn]bool{}}
	host, _, _ := net.SplitHostPort(l.Addr().String())
	p.URL = "http://" + l.Addr().String()
	if o.TLS {
		p.URL = "https://" + l.Addr().String()
		l = tls.NewListener(l, ca.Config(host))
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(o.Upstream))
	p.inner = &http.Transport{
		DialContext:     func(ctx context.Context, _, addr string) (net.Conn, error) { return p.dial(ctx, addr) },
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true, DisableCompression: true,
	}
	p.server = &http.Server{Handler: p, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	p.wg.Go(func() { _ = p.server.Serve(l) })
	return p, nil
}

// Close ends the proxy and what runs through it.
func (p *Proxy) Close() error {
	err := p.server.Close()
	p.mu.Lock()
	for c := range p.conns {
		_ = c.Close()
	}
	p.mu.Unlock()
	p.inner.CloseIdleConnections()
	p.wg.Wait()
	return err
}

// Asked is what it was asked for so far: "CONNECT host:port", "GET http://…".
func (p *Proxy) Asked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.asked)
}

// Refuse makes it answer 403 for "host:port" from now on.
func (p *Proxy) Refuse(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refused[target] = true
}

func (p *Proxy) dial(ctx context.Context, addr string) (net.Conn, error) {
	if to, ok := p.o.Names[addr]; ok {
		addr = to
	}
	return (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, "tcp", addr)
}

// ServeHTTP takes CONNECT and absolute URIs.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte(p.o.User+":"+p.o.Password))
	if p.o.User != "" && r.Header.Get("Proxy-Authorization") != want {
		w.Header().Set("Proxy-Authenticate", `Basic realm="company"`)
		http.Error(w, "who are you?", http.StatusProxyAuthRequired)
		return
	}
	p.mu.Lock()
	p.asked = append(p.asked, r.Method+" "+r.RequestURI)
	refused := p.refused[r.Host]
	p.mu.Unlock()
	switch {
	case refused:
		http.Error(w, "not at work", http.StatusForbidden)
	case r.Method == http.MethodConnect:
		p.connect(w, r)
	case r.URL.IsAbs():
		(&httputil.ReverseProxy{Rewrite: func(*httputil.ProxyRequest) {}, Transport: p.inner, FlushInterval: -1}).ServeHTTP(w, r)
	default:
		http.Error(w, "this is a proxy", http.StatusBadRequest)
	}
}

func (p *Proxy) keep(c net.Conn) func() {
	p.mu.Lock()
	p.conns[c] = true
	p.mu.Unlock()
	return func() {
		_ = c.Close()
		p.mu.Lock()
		delete(p.conns, c)
		p.mu.Unlock()
	}
}

func (p *Proxy) connect(w http.ResponseWriter, r *http.Request) {
	target := r.Host
	var up net.Conn
	if !p.o.Inspect {
		var err error
		if up, err = p.dial(r.Context(), target); err != nil {
			http.Error(w, "nobody there", http.StatusBadGateway)
			return
		}
		defer p.keep(up)()
	}
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer p.keep(conn)()
	_ = conn.SetDeadline(time.Time{})
	if _, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
		return
	}
	if p.o.Inspect {
		p.inspect(&buffered{conn, rw.Reader}, target)
		return
	}
	pump(&buffered{conn, rw.Reader}, up)
}

// inspect answers as the target, with the company's certificate for it.
func (p *Proxy) inspect(conn net.Conn, target string) {
	host, _, _ := net.SplitHostPort(target)
	one := &once{conn: tls.Server(conn, p.ca.Config(host)), done: make(chan struct{})}
	srv := &http.Server{
		ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0),
		ConnState: func(_ net.Conn, s http.ConnState) {
			if s == http.StateClosed || s == http.StateHijacked {
				one.Close()
			}
		},
		Handler: &httputil.ReverseProxy{
			Rewrite: func(r *httputil.ProxyRequest) {
				r.SetURL(&url.URL{Scheme: "https", Host: target})
				r.Out.Host = r.In.Host
			},
			Transport: p.inner, FlushInterval: -1,
		},
	}
	_ = srv.Serve(one)
}

// pump copies both ways, each end passed on.
func pump(a, b net.Conn) {
	var wg sync.WaitGroup
	half := func(dst, src net.Conn) {
		_, _ = io.Copy(dst, src)
		if h, ok := dst.(interface{ CloseWrite() error }); ok {
			_ = h.CloseWrite()
		} else {
			_ = dst.Close()
		}
	}
	wg.Go(func() { half(a, b) })
	half(b, a)
	wg.Wait()
}

// buffered is a connection some of whose bytes were already read.
type buffered struct {
	net.Conn
	r *bufio.Reader
}

func (b *buffered) Read(p []byte) (int, error) { return b.r.Read(p) }

func (b *buffered) CloseWrite() error {
	if h, ok := b.Conn.(interface{ CloseWrite() error }); ok {
		return h.CloseWrite()
	}
	return b.Close()
}

// once is a listener of one connection.
type once struct {
	conn net.Conn
	done chan struct{}
	out  sync.Once
	end  sync.Once
}

func (o *once) Accept() (net.Conn, error) {
	var c net.Conn
	o.out.Do(func() { c = o.conn })
	if c != nil {
		return c, nil
	}
	<-o.done
	return nil, net.ErrClosed
}

func (o *once) Close() error   { o.end.Do(func() { close(o.done) }); return nil }
func (o *once) Addr() net.Addr { return o.conn.LocalAddr() }
