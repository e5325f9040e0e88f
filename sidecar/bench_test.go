package sidecar

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"

	"bottlebar.app/egress"
)

// BenchmarkStreamToOrigin is one stream from the app's end to a server, beside
// a connection straight to it.
func BenchmarkStreamToOrigin(b *testing.B) {
	ln, err := net.Listen("tcp", ownAddress(b)+":0")
	if err != nil {
		b.Fatal(err)
	}
	defer ln.Close()
	go func() {
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
	}()
	d, err := NewProcess(ProcessOptions{Binaries: program.binaries})
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	s, err := d.Start(b.Context(), false)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close(b.Context())
	to := ln.Addr().(*net.TCPAddr)
	p := egress.Policy{Hosts: []egress.Rule{{Host: to.IP.String(), Port: uint16(to.Port), Private: true}}}
	if err := s.Configure(b.Context(), p, nil); err != nil {
		b.Fatal(err)
	}
	if err := s.Open(b.Context()); err != nil {
		b.Fatal(err)
	}
	const size = 64 << 20
	piece := make([]byte, 256<<10)
	run := func(b *testing.B, dial func() net.Conn) {
		b.SetBytes(size)
		for b.Loop() {
			c := dial()
			for range size / len(piece) {
				c.Write(piece)
			}
			c.(interface{ CloseWrite() error }).CloseWrite()
			io.ReadFull(c, make([]byte, 1))
			c.Close()
		}
	}
	b.Run("direct", func(b *testing.B) {
		run(b, func() net.Conn {
			c, err := net.Dial("tcp", to.String())
			if err != nil {
				b.Fatal(err)
			}
			return c
		})
	})
	b.Run("process", func(b *testing.B) {
		run(b, func() net.Conn {
			c, err := s.Dial(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: x\r\n\r\n", to)
			if resp, err := http.ReadResponse(bufio.NewReaderSize(c, 64), &http.Request{Method: http.MethodConnect}); err != nil || resp.StatusCode != 200 {
				b.Fatal(resp, err)
			}
			return c
		})
	})
}

func ownAddress(b *testing.B) string {
	for _, p := range ownPrefixes() {
		if a := p.Addr(); a.Is4() && !a.IsLoopback() && !a.IsLinkLocalUnicast() {
			return a.String()
		}
	}
	b.Fatal("this machine has no address but loopback; `ip addr` shows what there is")
	return ""
}
