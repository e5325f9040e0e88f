package egress

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

const (
	knocking      = 256              // connections whose handshake is under way
	handshakeTime = 10 * time.Second // for all of it
	keptAlive     = 5 * time.Minute  // between two requests on one connection
)

// Serve answers on ln until ctx ends or ln fails, and returns when all of it
// has ended. Connections may wait for their first request as long as they
// like: the app opens them ahead. A *tls.Conn's handshake is done here, so
// that a stranger's connection costs little and never reaches HTTP.
func (p *Proxy) Serve(ctx context.Context, ln net.Listener) error {
	front := &front{
		ln: ln, ready: make(chan net.Conn), slots: make(chan struct{}, p.limits.Conns),
		conns: map[net.Conn]struct{}{},
	}
	front.ctx, front.cancel = context.WithCancel(ctx)
	defer front.cancel()
	srv := &http.Server{
		Handler:           p,
		ReadHeaderTimeout: p.limits.Headers,
		IdleTimeout:       keptAlive,
		MaxHeaderBytes:    64 << 10,
		Protocols:         http1(),
		ErrorLog:          log.New(io.Discard, "", 0),
		BaseContext:       func(net.Listener) context.Context { return front.ctx },
	}
	stop := context.AfterFunc(front.ctx, func() { front.Close(); srv.Close() })
	defer stop()
	front.wg.Go(front.run)
	err := srv.Serve(front)
	front.cancel()
	front.Close()
	srv.Close()
	front.wg.Wait()
	if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// front stands before the HTTP server: it takes connections in, completes
// their handshakes, and passes each on once its first byte is there.
type front struct {
	ln     net.Listener
	ctx    context.Context
	cancel context.CancelFunc
	ready  chan net.Conn
	slots  chan struct{} // one per connection
	wg     sync.WaitGroup

	mu     sync.Mutex
	conns  map[net.Conn]struct{} // those that wait
	knocks []net.Conn            // those whose handshake is under way, the oldest first
	err    error
	shut   bool
}

func (f *front) run() {
	defer f.cancel()
	for {
		conn, err := f.ln.Accept()
		if err != nil {
			f.mu.Lock()
			f.err = err
			f.mu.Unlock()
			return
		}
		select {
		case f.slots <- struct{}{}:
		default:
			conn.Close()
			continue
		}
		if !f.hold(conn) {
			conn.Close()
			return
		}
		f.wg.Go(func() { f.greet(conn) })
	}
}

func (f *front) hold(c net.Conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.shut {
		return false
	}
	f.conns[c] = struct{}{}
	return true
}

func (f *front) greet(conn net.Conn) {
	k := &knocked{Conn: conn, free: func() { <-f.slots }}
	ok := f.handshake(conn)
	if ok {
		var first [1]byte
		n, _ := io.ReadFull(conn, first[:])
		k.first, ok = first[:n], n == 1
	}
	f.mu.Lock()
	delete(f.conns, conn)
	f.mu.Unlock()
	if ok {
		select {
		case f.ready <- k:
			return
		case <-f.ctx.Done():
		}
	}
	k.Close()
}

func (f *front) handshake(conn net.Conn) bool {
	t, ok := conn.(*tls.Conn)
	if !ok {
		return true
	}
	f.knock(t)
	defer f.known(t)
	ctx, cancel := context.WithTimeout(f.ctx, handshakeTime)
	defer cancel()
	return t.HandshakeContext(ctx) == nil
}

// knock takes a place among the handshakes. When there is none, the oldest gives
// its own up: who may come in is through in a moment, and a stranger who says
// nothing must keep nobody out.
func (f *front) knock(c net.Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.knocks) == knocking {
		closeNow(f.knocks[0])
		f.knocks = f.knocks[1:]
	}
	f.knocks = append(f.knocks, c)
}

func (f *front) known(c net.Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.knocks = slices.DeleteFunc(f.knocks, func(k net.Conn) bool { return k == c })
}

// Accept hands out connections that have sent something.
func (f *front) Accept() (net.Conn, error) {
	select {
	case c := <-f.ready:
		return c, nil
	case <-f.ctx.Done():
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.err != nil {
			return nil, f.err
		}
		return nil, net.ErrClosed
	}
}

// Close closes the listener and everything that waits.
func (f *front) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.shut = true
	for c := range f.conns {
		c.Close()
	}
	return f.ln.Close()
}

// Addr is the listener's.
func (f *front) Addr() net.Addr { return f.ln.Addr() }

// knocked is a connection whose first byte was already taken.
type knocked struct {
	net.Conn
	first []byte
	free  func()
	once  sync.Once
}

func (k *knocked) Read(b []byte) (int, error) {
	if len(k.first) > 0 && len(b) > 0 {
		n := copy(b, k.first)
		k.first = k.first[n:]
		return n, nil
	}
	return k.Conn.Read(b)
}

// CloseWrite ends our direction, where the connection can do that.
func (k *knocked) CloseWrite() error {
	if h, ok := k.Conn.(halfCloser); ok {
		return h.CloseWrite()
	}
	return errors.ErrUnsupported
}

// Close closes the connection and gives its place back.
func (k *knocked) Close() error {
	k.once.Do(k.free)
	return k.Conn.Close()
}
