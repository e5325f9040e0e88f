package sidecar

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"bottlebar.app/egress"
	"bottlebar.app/sidecar/control"
)

// plainProxy is what the standard library offers for the same job: CONNECT by
// two io.Copy, everything else by httputil.ReverseProxy.
type plainProxy struct{ rest httputil.ReverseProxy }

func (p *plainProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		p.rest.ServeHTTP(w, r)
		return
	}
	up, err := net.Dial("tcp", r.Host)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer up.Close()
	c, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer c.Close()
	io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
	var wg sync.WaitGroup
	wg.Go(func() {
		io.Copy(up, rw.Reader)
		up.(*net.TCPConn).CloseWrite()
	})
	io.Copy(c, up)
	c.(interface{ CloseWrite() error }).CloseWrite()
	wg.Wait()
}

// served is a proxy behind the TLS of a sidecar; dial connects to it as the app does.
func served(b *testing.B, serve func(ctx context.Context, ln net.Listener)) (dial func() net.Conn) {
	b.Helper()
	server, err := control.NewIdentity()
	if err != nil {
		b.Fatal(err)
	}
	app, err := control.NewIdentity()
	if err != nil {
		b.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); serve(ctx, tls.NewListener(ln, server.Server(app.DER))) }()
	b.Cleanup(func() { cancel(); ln.Close(); <-done })
	return func() net.Conn {
		c, err := tls.Dial("tcp", ln.Addr().String(), app.Client(server.DER))
		if err != nil {
			b.Fatal(err)
		}
		return c
	}
}

// BenchmarkRelayToOrigin is bytes per second from the app's end to a server: by
// our proxy, and by the plain one behind the same TLS, by turns. To reach: one
// stream 400 MB/s, eight streams 0.9 × the plain proxy.
func BenchmarkRelayToOrigin(b *testing.B) {
	origin, err := net.Listen("tcp", ownAddress(b)+":0")
	if err != nil {
		b.Fatal(err)
	}
	defer origin.Close()
	go swallow(origin)
	to := origin.Addr().(*net.TCPAddr)
	p := egress.New(egress.Options{Tell: func(egress.Decision) {}})
	if err := p.SetPolicy(egress.Policy{Hosts: []egress.Rule{{Host: to.IP.String(), Port: uint16(to.Port), Private: true}}}); err != nil {
		b.Fatal(err)
	}
	p.Open()
	defer p.Close()
	ours := served(b, func(ctx context.Context, ln net.Listener) { _ = p.Serve(ctx, ln) })
	plain := served(b, func(ctx context.Context, ln net.Listener) {
		srv := &http.Server{Handler: &plainProxy{httputil.ReverseProxy{Rewrite: func(*httputil.ProxyRequest) {}}}, ErrorLog: log.New(io.Discard, "", 0)}
		defer context.AfterFunc(ctx, func() { srv.Close() })()
		_ = srv.Serve(ln)
	})
	for _, streams := range []int{1, 8} {
		b.Run(fmt.Sprintf("%d", streams), func(b *testing.B) {
			var spent [2]time.Duration
			for b.Loop() {
				for i, dial := range []func() net.Conn{ours, plain} {
					spent[i] += push(b, dial, to.String(), streams)
				}
			}
			bytes := float64(b.N) * pushed / 1e6
			b.ReportMetric(bytes/spent[0].Seconds(), "MB/s")
			b.ReportMetric(bytes/spent[1].Seconds(), "plain-MB/s")
			b.ReportMetric(spent[1].Seconds()/spent[0].Seconds(), "ours/plain")
		})
	}
}

const pushed = 128 << 20 // bytes, all streams together

func swallow(ln net.Listener) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			io.Copy(io.Discard, c)
			c.Write([]byte{1})
		}()
	}
}

// push sends through tunnels and waits until all has arrived.
func push(b *testing.B, dial func() net.Conn, to string, streams int) time.Duration {
	conns := make([]net.Conn, streams)
	for i := range conns {
		conns[i] = open(b, dial(), to)
	}
	piece := make([]byte, 256<<10)
	began := time.Now()
	var wg sync.WaitGroup
	for _, c := range conns {
		wg.Go(func() {
			defer c.Close()
			for range pushed / streams / len(piece) {
				if _, err := c.Write(piece); err != nil {
					b.Error(err)
					return
				}
			}
			c.(interface{ CloseWrite() error }).CloseWrite()
			io.ReadFull(c, make([]byte, 1))
		})
	}
	wg.Wait()
	return time.Since(began)
}

func open(b *testing.B, c net.Conn, to string) net.Conn {
	fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: x\r\n\r\n", to)
	if resp, err := http.ReadResponse(bufio.NewReaderSize(c, 64), &http.Request{Method: http.MethodConnect}); err != nil || resp.StatusCode != 200 {
		b.Fatal(resp, err)
	}
	return c
}

// BenchmarkMemory is what the program in its container holds: when it has
// started, idle, with 200 tunnels that have carried something, and idle
// afterwards. To reach: 6 MB idle and 24 MB with the tunnels.
func BenchmarkMemory(b *testing.B) {
	e, err := FindEngine(b.Context(), FindOptions{Home: os.Getenv("HOME"), UID: os.Getuid()})
	if err != nil {
		b.Fatal(err)
	}
	d, err := NewDocker(e, DockerOptions{App: "bench-" + newID(), Binaries: program.binaries})
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	origin, err := net.Listen("tcp", ownAddress(b)+":0")
	if err != nil {
		b.Fatal(err)
	}
	defer origin.Close()
	go swallow(origin)
	to := origin.Addr().(*net.TCPAddr)
	for b.Loop() {
		s, err := d.Start(b.Context(), false)
		if err != nil {
			b.Fatal(err)
		}
		rule := egress.Rule{Host: to.IP.String(), Port: uint16(to.Port), Private: true}
		if err := s.Configure(b.Context(), egress.Policy{API: &egress.API{}, Hosts: []egress.Rule{rule}}, nil); err != nil {
			b.Fatal(err)
		}
		if err := s.Open(b.Context()); err != nil {
			b.Fatal(err)
		}
		in, err := d.(*docker).cli.ContainerInspect(b.Context(), s.Handle().Container)
		if err != nil {
			b.Fatal(err)
		}
		started := resident(b, in.State.Pid)
		b.ReportMetric(started, "started-MB")
		b.ReportMetric(rested(b, in.State.Pid, started), "idle-MB")
		b.ReportMetric(memory(b, in.State.Pid, "RssAnon:"), "idle-own-MB") // the rest is the program's file, shared by all
		var conns []net.Conn
		for range 200 {
			c, err := s.Dial(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			open(b, c, to.String())
			c.Write(make([]byte, 1<<10))
			conns = append(conns, c)
		}
		b.ReportMetric(resident(b, in.State.Pid), "200-tunnels-MB")
		for _, c := range conns {
			c.Write(make([]byte, 256<<10))
		}
		b.ReportMetric(resident(b, in.State.Pid), "200-after-bulk-MB")
		for _, c := range conns {
			c.Close()
		}
		b.ReportMetric(rested(b, in.State.Pid, 1.2*started), "afterwards-MB")
		if err := s.Close(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// rested is what a process has in memory once it has given a quarter of before
// back, or after half a minute.
func rested(b *testing.B, pid int, before float64) float64 {
	deadline := time.After(30 * time.Second)
	for {
		now := resident(b, pid)
		if now < 0.75*before {
			return now
		}
		select {
		case <-deadline:
			return now
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// resident is what a process has in memory, in MB.
func resident(b *testing.B, pid int) float64 { return memory(b, pid, "VmRSS:") }

// memory is one line of a process's status (proc_pid_status(5)), in MB.
func memory(b *testing.B, pid int, key string) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		if value, ok := strings.CutPrefix(string(line), key); ok {
			kb, err := strconv.ParseFloat(strings.Fields(value)[0], 64)
			if err != nil {
				b.Fatal(err)
			}
			return kb * 1024 / 1e6
		}
	}
	b.Fatal("no " + key)
	return 0
}
