package hop

import (
	"io"
	"net"
	"syscall"
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
	chunk := make([]byte, MaxPiece)
	pump := func(w io.Writer, r io.Reader) cost {
		cpu := processor()
		done := make(chan struct{})
		begun := time.Now()
		go func() {
			defer close(done)
			buf := make([]byte, MaxPiece)
			for left := size; left > 0; {
				n, err := r.Read(buf)
				if left -= n; err != nil {
					b.Error(err)
					return
				}
			}
		}()
		for left := size; left > 0; left -= len(chunk) {
			if _, err := w.Write(chunk); err != nil {
				b.Fatal(err)
			}
		}
		<-done
		return cost{time.Since(begun), processor() - cpu}
	}
	var bare, through cost
	for b.Loop() {
		x, y := pair()
		bare = bare.plus(pump(x, y))
		_, _ = x.Close(), y.Close()

		x, y = pair()
		host, guest := newMux(x, false, Limits{}), newMux(y, true, Limits{})
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
		through = through.plus(pump(st, far))
		host.close(net.ErrClosed)
		guest.close(net.ErrClosed)
	}
	b.ReportMetric(float64(size)/1e6*float64(b.N)/through.took.Seconds(), "MB/s")
	b.ReportMetric(float64(size)/1e6*float64(b.N)/bare.took.Seconds(), "bare-MB/s")
	b.ReportMetric(bare.took.Seconds()/through.took.Seconds(), "of-bare")
	b.ReportMetric(bare.cpu.Seconds()/through.cpu.Seconds(), "cpu-of-bare")
}

// cost is what moving the bytes took: time, and processor time, which a busy
// computer changes less.
type cost struct{ took, cpu time.Duration }

func (c cost) plus(o cost) cost { return cost{c.took + o.took, c.cpu + o.cpu} }

// processor is the processor time of this process so far.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
