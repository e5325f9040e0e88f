package hop

import (
	"io"
	"net"
	"testing"
	"time"
)

// BenchmarkOneStream moves bytes through a session, and the same bytes
// through the bare socket in the same run: "of-bare" is their ratio.
func BenchmarkOneStream(b *testing.B) {
	const size = 256 << 20
	ln, err := net.Listen("unix", b.TempDir()+"/s")
	if err != nil {
		b.Fatal(err)
	}
	pair := func() (net.Conn, net.Conn) {
		got := make(chan net.Conn, 1)
		go func() {
			c, _ := ln.Accept()
			got <- c
		}()
		out, err := net.Dial("unix", ln.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		return out, <-got
	}
	chunk := make([]byte, maxFrame)
	pump := func(w io.Writer, r io.Reader) time.Duration {
		done := make(chan struct{})
		begun := time.Now()
		go func() {
			defer close(done)
			buf := make([]byte, maxFrame)
			for left := size; left > 0; {
				n, err := r.Read(buf)
				if left -= n; err != nil {
					b.Error(err)
					return
				}
			}
		}()
		for range size / len(chunk) {
			if _, err := w.Write(chunk); err != nil {
				b.Fatal(err)
			}
		}
		<-done
		return time.Since(begun)
	}
	var bare, through time.Duration
	for b.Loop() {
		x, y := pair()
		bare += pump(x, y)
		_, _ = x.Close(), y.Close()

		x, y = pair()
		host, err := newMux(x, false, Limits{}, nil)
		if err != nil {
			b.Fatal(err)
		}
		guest, err := newMux(y, true, Limits{}, nil)
		if err != nil {
			b.Fatal(err)
		}
		st, err := host.open(b.Context(), Forward)
		if err != nil {
			b.Fatal(err)
		}
		far, err := guest.accept()
		if err != nil {
			b.Fatal(err)
		}
		if _, err := far.readType(); err != nil {
			b.Fatal(err)
		}
		through += (pump(st, far) + pump(far, st)) / 2
		host.close(net.ErrClosed)
		guest.close(net.ErrClosed)
	}
	b.ReportMetric(float64(size)/1e6*float64(b.N)/through.Seconds(), "MB/s")
	b.ReportMetric(float64(size)/1e6*float64(b.N)/bare.Seconds(), "bare-MB/s")
	b.ReportMetric(bare.Seconds()/through.Seconds(), "of-bare")
}
