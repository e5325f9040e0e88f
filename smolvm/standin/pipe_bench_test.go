//go:build linux

package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"bottlebar.app/hop"
)

// BenchmarkThroughThePipe moves bytes between a guest and the host by each kind
// of pipe: bare, one connection for each stream, and through one session, by
// turns. "of-bare" is the ratio; to reach 0.8. A real machine's pipe was seen to
// carry 220 to 690 MB/s, this one several times that, so that here the ratio
// shows what a session takes of two processors; held to realPace it shows what
// people get.
func BenchmarkThroughThePipe(b *testing.B) {
	for _, kind := range []struct {
		name  string
		rules relayRules
		pace  int
	}{{"agent", relayAgent, 0}, {"mounted", relaySocket, 0}, {"paced", relayAgent, realPace}} {
		for _, up := range []bool{true, false} {
			for _, streams := range []int{1, 8} {
				way := map[bool]string{true: "up", false: "down"}[up]
				b.Run(fmt.Sprintf("%s/%s/%d", kind.name, way, streams), func(b *testing.B) {
					bed := newPipeBed(b, kind.rules, kind.pace)
					var bare, hopped time.Duration
					for b.Loop() {
						bare += bed.move(b, bed.bare, streams, up)
						hopped += bed.move(b, bed.hopped, streams, up)
					}
					mb := float64(b.N) * float64(moved) / 1e6
					b.ReportMetric(mb/hopped.Seconds(), "MB/s")
					b.ReportMetric(mb/bare.Seconds(), "bare-MB/s")
					b.ReportMetric(bare.Seconds()/hopped.Seconds(), "of-bare")
				})
			}
		}
	}
}

// realPace is what the faster kind of a real machine's pipe carried each way,
// in bytes per second.
const realPace = 690e6

const moved = 256 << 20 // bytes, all streams together

// pipeBed is a pipe with a plain listener and a session behind it.
type pipeBed struct {
	dir     string
	rules   relayRules
	up      *pace // nil: as fast as it goes
	down    *pace
	plain   net.Listener
	peer    *hop.Peer
	session *hop.Session
}

// ends are the two ends of a stream; close ends it.
type ends struct {
	guest, host io.ReadWriteCloser
}

func newPipeBed(b *testing.B, rules relayRules, rate int) *pipeBed {
	b.Helper()
	dir, err := os.MkdirTemp("", "pb") // short: sockets lie in it
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	bed := &pipeBed{dir: dir, rules: rules}
	if rate > 0 {
		bed.up, bed.down = &pace{rate: rate}, &pace{rate: rate}
	}
	if bed.plain, err = net.Listen("unix", filepath.Join(dir, "plain")); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { bed.plain.Close() })
	ln, err := hop.Listen(filepath.Join(dir, "hop"))
	if err != nil {
		b.Fatal(err)
	}
	secret := bytes.Repeat([]byte{7}, hop.SecretSize)
	done := make(chan struct{})
	go func() { defer close(done); ln.Serve(b.Context(), hop.Config{Secret: secret}) }()
	b.Cleanup(func() { ln.Close(); <-done })
	if bed.peer, err = hop.Dial(bed.through(b, "hop"), secret); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { bed.peer.Close() })
	if bed.session, err = ln.Session(b.Context()); err != nil {
		b.Fatal(err)
	}
	return bed
}

// through is the guest's end of a connection to a socket of the host.
func (p *pipeBed) through(b *testing.B, socket string) net.Conn {
	guest, far := pipePair(b, b.TempDir())
	go relay(far, filepath.Join(p.dir, socket), p.rules)
	if p.up == nil {
		return guest
	}
	outer, inner := pipePair(b, b.TempDir())
	go p.up.copy(guest, inner)
	go p.down.copy(inner, guest)
	return outer
}

// pace holds one direction of a pipe to a rate, all its connections together.
type pace struct {
	rate int // bytes per second

	mu  sync.Mutex
	due time.Time // when what has passed should have
}

func (p *pace) copy(to, from *net.UnixConn) {
	defer to.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if _, werr := to.Write(buf[:n]); err != nil || werr != nil {
			return
		}
		if early := p.passed(n); early > 0 {
			<-time.After(early)
		}
	}
}

// passed counts n bytes and says how long to wait after them.
func (p *pace) passed(n int) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if p.due.Before(now) {
		p.due = now
	}
	p.due = p.due.Add(time.Duration(n) * time.Second / time.Duration(p.rate))
	return p.due.Sub(now) - time.Millisecond // sleeps are coarse; this much goes ahead
}

func (p *pipeBed) bare(b *testing.B) ends {
	guest := p.through(b, "plain")
	host, err := p.plain.Accept()
	if err != nil {
		b.Fatal(err)
	}
	return ends{guest, host}
}

func (p *pipeBed) hopped(b *testing.B) ends {
	guest, err := p.peer.Open(b.Context(), hop.Egress)
	if err != nil {
		b.Fatal(err)
	}
	host, err := p.session.Accept(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return ends{guest, host}
}

// move sends bytes one way through streams and waits until all are there.
func (p *pipeBed) move(b *testing.B, open func(*testing.B) ends, streams int, up bool) time.Duration {
	all := make([]ends, streams)
	for i := range all {
		all[i] = open(b)
	}
	piece := make([]byte, hop.MaxPiece)
	began := time.Now()
	var both sync.WaitGroup
	for _, e := range all {
		from, to := e.host, e.guest
		if up {
			from, to = to, from
		}
		both.Go(func() {
			for left := moved / streams; left > 0; left -= len(piece) {
				if _, err := from.Write(piece); err != nil {
					b.Error(err)
					return
				}
			}
		})
		both.Go(func() {
			buf := make([]byte, len(piece))
			for left := moved / streams; left > 0; {
				n, err := to.Read(buf)
				if left -= n; err != nil && left > 0 {
					b.Error(err)
					return
				}
			}
		})
	}
	both.Wait()
	spent := time.Since(began)
	for _, e := range all {
		e.guest.Close()
		e.host.Close()
	}
	return spent
}
