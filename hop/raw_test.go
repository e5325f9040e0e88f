package hop

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// host is a listener that serves, with what it tells.
type host struct {
	t      *testing.T
	ctx    context.Context
	ln     *Listener
	secret []byte
	told   chan Happening
}

func newHost(t *testing.T) *host {
	t.Helper()
	return newHostFor(t, 60*time.Second)
}

func newHostFor(t *testing.T, limit time.Duration) *host {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "bb")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	h := &host{t: t, ctx: ctx, secret: NewSecret(), told: make(chan Happening, 100)}
	if h.ln, err = Listen(filepath.Join(dir, "s")); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = h.ln.Serve(ctx, Config{Secret: h.secret, Log: func(e Happening) {
			h.told <- e
		}})
	}()
	t.Cleanup(func() { cancel(); <-done })
	return h
}

func (h *host) dial() net.Conn {
	h.t.Helper()
	conn, err := net.Dial("unix", h.ln.Path())
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// raw is a guest that proved itself and then speaks for itself. What the
// host sends is read and thrown away.
func (h *host) raw() net.Conn {
	h.t.Helper()
	conn := h.dial()
	if err := greetHost(conn, h.secret); err != nil {
		h.t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, conn) }()
	return conn
}

func (h *host) expect(kind EventKind) Happening {
	h.t.Helper()
	for {
		select {
		case e := <-h.told:
			if e.Kind == kind {
				return e
			}
		case <-h.ctx.Done():
			h.t.Fatalf("%s was never told", kind)
		}
	}
}

// until polls for something that happens elsewhere.
func (h *host) until(what string, is func() bool) {
	h.t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-h.ctx.Done():
			h.t.Fatalf("never happened: %s", what)
		case <-tick.C:
		}
	}
}

// peer is a well-behaved guest.
func (h *host) peer() *Peer {
	h.t.Helper()
	p, err := Dial(h.dial(), h.secret)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = p.Close() })
	return p
}

func (h *host) session() *Session {
	h.t.Helper()
	s, err := h.ln.Session(h.ctx)
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

// heap is what the process holds after a collection.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

func TestAFloodEndsTheSessionAndIsTold(t *testing.T) {
	payload := make([]byte, 64<<10)
	for name, c := range map[string]struct {
		frame func(i int) []byte
		want  string
	}{
		"pings": {func(i int) []byte { return head{kind: typePing, flags: flagSYN, size: uint32(i)}.append(nil) }, "pings per second"},
		"streams": {func(i int) []byte {
			return append(opened(uint32(2*i+1)).append(nil), append(data(uint32(2*i+1), 1).append(nil), byte(Egress))...)
		}, "streams open"}, // at once, or per second where the accepting is slow
		"streams opened and reset": {func(i int) []byte {
			return append(opened(uint32(2*i+1)).append(nil), head{kind: typeWindow, flags: flagRST, stream: uint32(2*i + 1)}.append(nil)...)
		}, "streams opened per second"},
		"unread bytes": {func(i int) []byte {
			// Four frames for each of many streams: the window before any update.
			id := uint32(2*(i/4) + 1)
			b := data(id, uint32(len(payload))).append(nil)
			if i%4 == 0 {
				b = append(opened(id).append(nil), b...)
			}
			p := payload
			p[0] = byte(Egress)
			return append(b, p...)
		}, "bytes unread"},
		"even number": {func(int) []byte { return opened(4).append(nil) }, "number of a new stream"},
		"wrong type": {func(i int) []byte {
			return append(append(opened(uint32(2*i+1)).append(nil), data(uint32(2*i+1), 1).append(nil)...), byte(Exec))
		}, "type of a stream"},
		"large frame":  {func(int) []byte { return data(1, 1<<20).append(opened(1).append(nil)) }, "bytes in one frame"},
		"noise":        {func(int) []byte { return []byte("GET / HTTP/1.1\r\n\r\n") }, "protocol version"},
		"a huge frame": {func(int) []byte { return data(1, 1<<31).append(opened(1).append(nil)) }, "bytes in one frame"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			before, routines := heap(), runtime.NumGoroutine()
			conn := h.raw()
			s := h.session()
			most := uint64(0)
			for i := 0; ; i++ {
				if _, err := conn.Write(c.frame(i)); err != nil {
					break
				}
				if i%200 == 0 {
					most = max(most, heap())
				}
				if i > 2_000_000 {
					t.Fatal("nothing stops the flood")
				}
			}
			most = max(most, heap())
			if grown := int64(most) - int64(before); grown > 100<<20 {
				t.Errorf("the app grew by %d MiB", grown>>20)
			}
			e := h.expect(EventBreach)
			if !strings.HasPrefix(e.Text, c.want) {
				t.Errorf("told %q %d, want %q", e.Text, e.Number, c.want)
			}
			<-s.Done()
			var b *Breach
			if !errors.Is(s.Err(), ErrSessionLost) || !errors.As(s.Err(), &b) {
				t.Errorf("the session ended with %v", s.Err())
			}
			_, err := s.About(h.ctx)
			if !errors.Is(err, ErrSessionLost) {
				t.Errorf("a call afterwards gives %v", err)
			}
			if n := runtime.NumGoroutine(); n > routines+700 {
				t.Errorf("%d goroutines", n)
			}
		})
	}
}

func TestASecondBottleDoesNotFeelTheFlood(t *testing.T) {
	bad, good := newHost(t), newHost(t)
	peer := good.peer()
	go echoStreams(peer)
	s := good.session()
	conn := bad.raw()
	for {
		if _, err := conn.Write(head{kind: typePing, flags: flagSYN}.append(nil)); err != nil {
			break
		}
	}
	bad.expect(EventBreach)
	if _, err := s.Ping(good.ctx); err != nil {
		t.Error(err)
	}
}

// echoStreams answers each forward with a good answer and then its own bytes.
func echoStreams(p *Peer) {
	for {
		st, err := p.Accept()
		if err != nil {
			return
		}
		go func() {
			defer func() { _ = st.Close() }()
			if _, err := st.Begin(); err != nil {
				return
			}
			var req ForwardRequest
			if ReadRequest(st, &req) != nil || WriteAnswer(st, nil) != nil {
				return
			}
			_, _ = io.Copy(st, st)
		}()
	}
}

func TestFramesCutAtEachByteEndTheSession(t *testing.T) {
	whole := append(data(1, 5).append(opened(1).append(nil)), byte(Egress), 'a', 'b', 'c', 'd')
	for n := range len(whole) + 1 {
		h := newHost(t)
		conn := h.raw()
		s := h.session()
		if _, err := conn.Write(whole[:n]); err != nil {
			t.Fatal(err)
		}
		if n == len(whole) {
			in, err := s.Accept(h.ctx)
			if err != nil {
				t.Fatal(err)
			}
			b := make([]byte, 4)
			if _, err := io.ReadFull(in, b); err != nil || string(b) != "abcd" {
				t.Errorf("got %q %v", b, err)
			}
		}
		_ = conn.Close()
		<-s.Done()
		if !errors.Is(s.Err(), ErrSessionLost) {
			t.Errorf("cut at %d: %v", n, s.Err())
		}
		h.expect(EventLost)
	}
}
