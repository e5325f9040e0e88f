package hop

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// idleCut is what a forwarded agent's socket does (on every release): it closes
// both ways after 30 s without a byte, and at the first end of either side.
// carry does so between two connections until one of them ends.
func carry(a, b net.Conn, idle time.Duration) {
	cut := func() { _, _ = a.Close(), b.Close() }
	timer := time.AfterFunc(max(idle, time.Millisecond), cut)
	if idle == 0 {
		timer.Stop()
	}
	defer timer.Stop()
	var both sync.WaitGroup
	pump := func(dst, src net.Conn) {
		defer cut()
		buf := make([]byte, 16<<10)
		for {
			n, err := src.Read(buf)
			if idle > 0 {
				timer.Reset(idle)
			}
			if n > 0 {
				if _, werr := dst.Write(buf[:n]); werr != nil {
					return
				}
			}
			if err != nil {
				return
			}
		}
	}
	both.Go(func() { pump(a, b) })
	pump(b, a)
	both.Wait()
}

// pipes are both kinds as they behave between guest and host: what the guest
// dials, and the connection that comes out at the host's socket.
var kinds = map[string]time.Duration{AgentSocket{}.Name(): 30 * time.Second, MountSocket{}.Name(): 0}

// through serves a socket that stands for the guest's end: each connection to
// it is carried to the host's, with the manners of its kind.
func (h *host) through(idle time.Duration) string {
	h.t.Helper()
	to := h.ln.Path()
	path := filepath.Join(filepath.Dir(to), "guest")
	ln, err := net.Listen("unix", path)
	if err != nil {
		h.t.Fatal(err)
	}
	var wg sync.WaitGroup
	h.t.Cleanup(func() { _ = ln.Close(); wg.Wait() })
	wg.Go(func() {
		for {
			a, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				b, err := net.Dial("unix", to)
				if err != nil {
					_ = a.Close()
					return
				}
				carry(a, b, idle)
			})
		}
	})
	return path
}

// helper is a guest that keeps dialling and echoes every stream.
func (h *host) helper(path string) {
	h.t.Helper()
	ctx, cancel := context.WithCancel(h.ctx)
	done := make(chan struct{})
	h.t.Cleanup(func() { cancel(); <-done })
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			if conn, err := net.Dial("unix", path); err == nil {
				if p, err := Dial(conn, h.secret); err == nil {
					stop := context.AfterFunc(ctx, func() { _ = p.Close() })
					echoStreams(p)
					stop()
					_ = p.Close()
				}
			}
			select {
			case <-ctx.Done():
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
}

// echoed sends n bytes through one stream and wants the same back.
func echoed(ctx context.Context, s *Session, n int) error {
	st, err := s.Forward(ctx, 1)
	if err != nil {
		return err
	}
	defer st.Close()
	stop := context.AfterFunc(ctx, st.Reset)
	defer stop()
	want := make([]byte, n)
	_, _ = rand.Read(want)
	sent := make(chan error, 1)
	go func() {
		_, err := st.Write(want)
		sent <- errors.Join(err, st.CloseWrite())
	}()
	got, err := io.ReadAll(st)
	if serr := <-sent; serr != nil {
		return serr
	}
	if err == nil && !bytes.Equal(got, want) {
		err = fmt.Errorf("%d bytes came back for %d, and not the same", len(got), len(want))
	}
	return err
}

func TestSixtyFourStreamsCarryBothWaysAtOnceUnharmed(t *testing.T) {
	for kind, idle := range kinds {
		t.Run(kind, func(t *testing.T) {
			h := newHost(t)
			h.helper(h.through(idle))
			s := h.session()
			var wg sync.WaitGroup
			for range 64 {
				wg.Go(func() {
					if err := echoed(h.ctx, s, 1<<20+4711); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if n := s.mux.count(); n != 0 {
				t.Errorf("%d streams are left", n)
			}
			s.mux.gate.mu.Lock()
			defer s.mux.gate.mu.Unlock()
			if g := s.mux.gate; g.unread != 0 || len(g.lanes) != 0 || g.theirs != 0 {
				t.Errorf("unread %d, %d lanes, %d open", g.unread, len(g.lanes), g.theirs)
			}
		})
	}
}

// A pipe that closes after 30 s of silence is kept open by the session's own
// pings: half an hour, in virtual time, then a stream.
func TestHalfAnHourOfSilenceDoesNotEndTheSession(t *testing.T) {
	for kind, idle := range kinds {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				guestEnd, pipeA := net.Pipe()
				pipeB, hostEnd := net.Pipe()
				go carry(pipeA, pipeB, idle)
				guest, m := newMux(guestEnd, true, Limits{}), newMux(hostEnd, false, Limits{})
				defer guest.close(net.ErrClosed)
				defer m.close(net.ErrClosed)
				time.Sleep(30 * time.Minute) //nolint:forbidigo // of the bubble's own time
				if m.dead() || guest.dead() {
					t.Fatalf("it ended: %v", m.lost())
				}
				go echoStreams(&Peer{mux: guest})
				if err := echoed(t.Context(), newSession(m), 1<<20); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A peer that is there and says nothing is given up, and so is one that does
// not read.
func TestAPeerThatDoesNotAnswerIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		go func() { _, _ = io.Copy(io.Discard, theirs) }()
		m := newMux(ours, false, Limits{})
		began := time.Now()
		<-m.wire.done
		if took := time.Since(began); took > keepAlive+writeTimeout+time.Second {
			t.Errorf("after %v", took)
		}
		m.close(net.ErrClosed)

		ours, theirs = net.Pipe()
		defer theirs.Close()
		m = newMux(ours, false, Limits{})
		<-m.wire.done
		m.close(net.ErrClosed)
	})
}

// The app restarts, its socket goes away and comes back at the same path: the
// helper dials again and streams go on.
func TestAListenerThatGoesAndComesBackIsFoundAgain(t *testing.T) {
	for kind, idle := range kinds {
		t.Run(kind, func(t *testing.T) {
			h := newHost(t)
			path := h.ln.Path()
			h.helper(h.through(idle))
			if err := echoed(h.ctx, h.session(), 100_000); err != nil {
				t.Fatal(err)
			}
			for range 3 {
				_ = h.ln.Close()
				if _, err := os.Stat(path); !os.IsNotExist(err) {
					t.Fatal("the socket is there still")
				}
				ln, err := Listen(path)
				if err != nil {
					t.Fatal(err)
				}
				h.ln = ln
				served := make(chan struct{})
				go func() { defer close(served); _ = ln.Serve(h.ctx, Config{Secret: h.secret}) }()
				t.Cleanup(func() { _ = ln.Close(); <-served })
				if err := echoed(h.ctx, h.session(), 100_000); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// The sockets of two bottles change places: each helper meets a listener that
// does not know its secret, and neither gets a session.
func TestSwappedSocketsGiveNobodyASession(t *testing.T) {
	a, b := newHost(t), newHost(t)
	pa, pb := a.ln.Path(), b.ln.Path()
	tmp := pa + ".tmp"
	for _, r := range [][2]string{{pa, tmp}, {pb, pa}, {tmp, pb}} {
		if err := os.Rename(r[0], r[1]); err != nil {
			t.Fatal(err)
		}
	}
	for path, secret := range map[string][]byte{pa: a.secret, pb: b.secret} {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		if p, err := Dial(conn, secret); err == nil {
			_ = p.Close()
			t.Error("a helper took the other bottle's socket for its own")
		}
	}
	a.expect(EventRefused)
	b.expect(EventRefused)
}

// While the guest of one bottle floods its pipe in every way that the gate
// knows, the app stays small, and the round trip in another bottle is what it
// is while the same bytes go to somebody who throws them away.
func TestFloodsLeaveTheAppSmallAndTheSecondBottleQuick(t *testing.T) {
	good := newHost(t)
	good.helper(good.through(0))
	s := good.session()
	trips := func() time.Duration {
		all := make([]time.Duration, 200)
		for i := range all {
			var err error
			if all[i], err = s.Ping(good.ctx); err != nil {
				t.Fatal(err)
			}
		}
		slices.Sort(all)
		return all[len(all)/2]
	}
	under := func(secret func() []byte, path func() string) (median time.Duration, most uint64) {
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for _, frames := range floods() {
			p, sec := path(), secret()
			wg.Go(func() { flood(ctx, p, sec, frames) })
		}
		median, most = trips(), heap()
		stop()
		wg.Wait()
		return median, most
	}
	quiet, before := trips(), heap()
	sink := discards(t)
	busy, _ := under(func() []byte { return nil }, func() string { return sink })
	var bad *host
	flooded, most := under(func() []byte { return bad.secret }, func() string { bad = newHost(t); bad.deaf(); return bad.ln.Path() })
	grown := int64(most) - int64(before)
	t.Logf("round trip in the second bottle: %v at rest, %v beside a busy neighbour, %v beside floods (%.1f times that); the app grew by %d MiB, %d goroutines",
		quiet, busy, flooded, float64(flooded)/float64(busy), grown>>20, runtime.NumGoroutine())
	if grown > 100<<20 {
		t.Errorf("the app grew by %d MiB", grown>>20)
	}
	if flooded > 20*busy+20*time.Millisecond {
		t.Errorf("the second bottle's round trip went from %v to %v", busy, flooded)
	}
}

// deaf has nobody hear what the listener tells.
func (h *host) deaf() {
	go func() {
		for {
			select {
			case <-h.told:
			case <-h.ctx.Done():
				return
			}
		}
	}()
}

// discards is a socket whose listener throws everything away.
func discards(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(io.Discard, c); _ = c.Close() }()
		}
	}()
	return path
}

// flood writes frames to a socket, connection after connection, until ctx ends.
// With a secret it proves itself first.
func flood(ctx context.Context, path string, secret []byte, frames func(int) []byte) {
	for ctx.Err() == nil {
		conn, err := net.Dial("unix", path)
		if err != nil {
			return
		}
		if secret == nil || greetHost(conn, secret) == nil {
			for i := 0; i < 20_000 && ctx.Err() == nil; i++ {
				if _, err := conn.Write(frames(i)); err != nil {
					break
				}
			}
		}
		_ = conn.Close()
	}
}

// floods are the frames of a guest that wants to exhaust the app.
func floods() []func(i int) []byte {
	payload := make([]byte, 64<<10)
	payload[0] = byte(Egress)
	return []func(i int) []byte{
		func(i int) []byte { return head{kind: typePing, flags: flagSYN, size: uint32(i)}.append(nil) },
		func(i int) []byte { return opened(uint32(2*i + 1)).append(nil) },
		func(i int) []byte {
			id := uint32(2*(i/4) + 1)
			b := data(id, uint32(len(payload))).append(nil)
			if i%4 == 0 {
				b = append(opened(id).append(nil), b...)
			}
			return append(b, payload...)
		},
		func(int) []byte { return opened(4).append(nil) },
	}
}

// A guest that acknowledges nothing and answers nothing holds up its own calls
// until their deadlines, and no more of them than the app allows.
func TestAGuestThatAcknowledgesNothingBlocksNobodyForEver(t *testing.T) {
	h := newHost(t)
	h.raw()
	s := h.session()
	ctx, cancel := context.WithTimeout(h.ctx, 500*time.Millisecond)
	defer cancel()
	var wg sync.WaitGroup
	for range 2 * maxOpening {
		wg.Go(func() {
			if _, err := s.Forward(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		})
	}
	wg.Wait()
	if len(s.mux.opening) != 0 || s.mux.count() != 0 {
		t.Errorf("%d are opening, %d streams are left", len(s.mux.opening), s.mux.count())
	}
}

// A write and an end of the same direction at once: the end never overtakes
// the bytes, which the gate would take for an attack.
func TestAnEndNeverOvertakesTheBytes(t *testing.T) {
	h := newHost(t)
	go echoStreams(h.peer())
	s := h.session()
	for range 300 {
		st, err := s.Forward(h.ctx, 1)
		if err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = st.Write(make([]byte, 200_000)) }()
		go func() { _, _ = io.Copy(io.Discard, st) }()
		_ = st.CloseWrite()
		_ = st.Close()
	}
	if _, err := s.Ping(h.ctx); err != nil {
		t.Fatal(err)
	}
	if s.mux.dead() {
		t.Error(s.Err())
	}
}

// FuzzFrames feeds a session whatever bytes a guest may send after it proved
// itself: it ends, or goes on, and holds nothing that it should not.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Add(append(append(opened(1).append(nil), data(1, 5).append(nil)...), "gabcd"...))
	f.Add(append(opened(1).append(nil), head{kind: typeWindow, flags: flagRST, stream: 1}.append(nil)...))
	f.Add(head{kind: typePing, flags: flagSYN, size: 7}.append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		guest, end := net.Pipe()
		m := newMux(end, false, Limits{})
		s := newSession(m)
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = io.Copy(io.Discard, guest) })
		wg.Go(s.run)
		ctx, cancel := context.WithCancel(context.Background())
		wg.Go(func() {
			for {
				in, err := s.Accept(ctx)
				if err != nil {
					return
				}
				wg.Go(func() { _, _ = io.Copy(io.Discard, in); _ = in.Close() })
			}
		})
		_, _ = guest.Write(b)
		_ = guest.Close()
		<-m.wire.done
		cancel()
		m.close(net.ErrClosed)
		wg.Wait()
		if n := m.gate.unread; n < 0 || n > m.gate.limits.Unread {
			t.Errorf("%d bytes unread", n)
		}
	})
}
