package egress

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

// sink takes bytes until their end and answers one.
func sink(b *testing.B) string {
	b.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				br := bufio.NewReader(c)
				if _, err := br.ReadByte(); err != nil {
					return
				}
				c.Write([]byte{1})
				io.Copy(io.Discard, br)
				c.Write([]byte{2})
			}()
		}
	}()
	b.Cleanup(func() { ln.Close() })
	return ln.Addr().String()
}

func benchRig(b *testing.B, to string) (proxy, target string) {
	b.Helper()
	ap := netip.MustParseAddrPort(to)
	names := &fakeNames{addrs: map[string][]string{"origin.example": {ap.Addr().String()}}}
	p := New(Options{Resolver: names, Tell: func(Decision) {}})
	p.dialer.exempt = map[netip.AddrPort]bool{ap: true}
	if err := p.SetPolicy(Policy{Hosts: []Rule{{Host: "origin.example", Port: ap.Port()}}}); err != nil {
		b.Fatal(err)
	}
	p.Open()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); p.Serve(ctx, ln) }()
	b.Cleanup(func() { cancel(); p.Close(); <-done })
	return ln.Addr().String(), fmt.Sprintf("origin.example:%d", ap.Port())
}

// BenchmarkTunnel compares a connection straight to a server with a tunnel to
// it: the time until the first byte is back, and bytes per second.
func BenchmarkTunnel(b *testing.B) {
	to := sink(b)
	proxy, target := benchRig(b, to)
	dial := map[string]func() net.Conn{
		"direct": func() net.Conn {
			c, err := net.Dial("tcp", to)
			if err != nil {
				b.Fatal(err)
			}
			return c
		},
		"tunnel": func() net.Conn {
			c, err := net.Dial("tcp", proxy)
			if err != nil {
				b.Fatal(err)
			}
			fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: x\r\n\r\n", target)
			if resp, err := http.ReadResponse(bufio.NewReaderSize(c, 64), &http.Request{Method: http.MethodConnect}); err != nil || resp.StatusCode != 200 {
				b.Fatal(resp, err)
			}
			return c
		},
	}
	for _, way := range []string{"direct", "tunnel"} {
		b.Run("setup/"+way, func(b *testing.B) {
			for b.Loop() {
				c := dial[way]()
				c.Write([]byte{1})
				io.ReadFull(c, make([]byte, 1))
				c.Close()
			}
		})
		b.Run("stream/"+way, func(b *testing.B) {
			const size = 64 << 20
			b.SetBytes(size)
			piece := make([]byte, 256<<10)
			for b.Loop() {
				c := dial[way]()
				for range size / len(piece) {
					c.Write(piece)
				}
				c.(*net.TCPConn).CloseWrite()
				io.ReadFull(c, make([]byte, 2))
				c.Close()
			}
		})
	}
}

// BenchmarkAPI compares a request straight to a server, one through the
// standard library's plain reverse proxy, and one on the API route.
func BenchmarkAPI(b *testing.B) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, `{"ok":true}`)
	}))
	defer srv.Close()
	u, _ := url.Parse(srv.URL)
	plain := httptest.NewServer(httputil.NewSingleHostReverseProxy(u))
	defer plain.Close()
	proxy, _ := benchRigAPI(b, srv.URL)
	for _, way := range []struct{ name, url string }{{"direct", srv.URL}, {"httputil", plain.URL}, {"route", "http://" + proxy}} {
		b.Run(way.name, func(b *testing.B) {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for b.Loop() {
				req, _ := http.NewRequest(http.MethodPost, way.url+"/v1/messages", strings.NewReader(`{"model":"x"}`))
				req.Header.Set("Authorization", "Bearer "+placeholder)
				resp, err := client.Do(req)
				if err != nil || resp.StatusCode != 200 {
					b.Fatal(resp, err)
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
		})
	}
}

func benchRigAPI(b *testing.B, upstream string) (string, *Proxy) {
	b.Helper()
	p := New(Options{Tell: func(Decision) {}})
	if err := p.SetPolicy(Policy{API: &API{Upstream: upstream}}); err != nil {
		b.Fatal(err)
	}
	p.SetCredential(&Credential{APIKey, theKey, placeholder})
	p.Open()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); p.Serve(ctx, ln) }()
	b.Cleanup(func() { cancel(); p.Close(); <-done })
	return ln.Addr().String(), p
}
