package hop

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/yamux"
)

// Type is the first byte of every stream: what it is for.
type Type byte

// The types. A guest may open the first two; all others are the host's.
const (
	Egress  Type = 'g' // a connection to the proxy, as bytes
	Event   Type = 'e' // one hook event and its answer
	Exec    Type = 'x'
	Attach  Type = 'a'
	Keeper  Type = 'k' // list and close terminals
	Send    Type = 's'
	Receive Type = 'r'
	Probe   Type = 'p'
	Forward Type = 'f'
	About   Type = 'i'
	Seed    Type = 'd'
)

func (t Type) String() string {
	if name, ok := map[Type]string{
		Egress: "egress", Event: "event", Exec: "exec", Attach: "attach", Keeper: "keeper", Send: "send",
		Receive: "receive", Probe: "probe", Forward: "forward", About: "about", Seed: "seed",
	}[t]; ok {
		return name
	}
	return fmt.Sprintf("type %d", byte(t))
}

const (
	keepAlive    = 10 * time.Second // the agent pipe closes after 30 s of silence
	writeTimeout = 10 * time.Second
	backlog      = 256 // both ends; the library stops opening at as many unacknowledged ones
	openTimeout  = 10 * time.Second
	maxOpening   = 200 // fewer than backlog, so that opening never waits inside the library
)

// mux is what both ends of a session have in common.
type mux struct {
	wire    *wire
	session *yamux.Session
	opening chan struct{} // one token for each stream whose first answer has not come
	order   sync.Mutex    // held from a stream's number to its first frame
}

// newMux starts the multiplexer on conn. The guest is its client.
func newMux(conn net.Conn, guest bool, limits Limits, log func(string)) (*mux, error) {
	peerOdd := uint32(1)
	if guest {
		peerOdd = 0
	}
	w := newWire(conn, !guest, limits.filled(), peerOdd)
	cfg := &yamux.Config{
		AcceptBacklog: backlog, EnableKeepAlive: true, KeepAliveInterval: keepAlive,
		ConnectionWriteTimeout: writeTimeout, MaxStreamWindowSize: window,
		// Both off: they would close whole sessions, and long half-closed
		// streams. Each open here has a deadline, each close a linger.
		StreamOpenTimeout: 0, StreamCloseTimeout: 0,
		Logger: newLines(log),
	}
	start := yamux.Server
	if guest {
		start = yamux.Client
	}
	ys, err := start(w, cfg)
	if err != nil {
		_ = w.Close()
		return nil, err
	}
	return &mux{wire: w, session: ys, opening: make(chan struct{}, maxOpening)}, nil
}

func (m *mux) dead() bool { return m.session.IsClosed() || isClosed(m.wire.done) }

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// lost is the error of every call after the end.
func (m *mux) lost() error {
	select {
	case <-m.wire.done:
		return newLost(m.wire.cause)
	case <-time.After(time.Second): // the multiplexer closes the wire right after it says so
		return newLost(errors.New("the session ended"))
	}
}

func (m *mux) close(cause error) {
	m.wire.fail(cause)
	_ = m.session.Close()
	m.wire.wg.Wait()
}

// open opens a stream and writes its type. The caller gives the token back
// with opened once the first answer came, or the stream was reset.
func (m *mux) open(ctx context.Context, t Type) (*Stream, error) {
	select {
	case m.opening <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-m.wire.done:
		return nil, m.lost()
	}
	// The multiplexer numbers a stream and sends its first frame in two steps; two
	// callers between them would arrive out of order, which the gate takes for an attack.
	m.order.Lock()
	ys, err := m.session.OpenStream()
	m.order.Unlock()
	if err != nil {
		m.opened()
		if m.dead() {
			return nil, m.lost()
		}
		return nil, fmt.Errorf("opening a stream: %w", err)
	}
	s := m.stream(ys)
	if _, err := s.Write([]byte{byte(t)}); err != nil {
		s.Reset()
		m.opened()
		return nil, err
	}
	return s, nil
}

func (m *mux) opened() { <-m.opening }

func (m *mux) stream(ys *yamux.Stream) *Stream {
	return &Stream{Stream: ys, mux: m, lane: m.wire.gate.hold(ys.StreamID())}
}

// accept waits for the peer's next stream and reads its type.
func (m *mux) accept() (*Stream, error) {
	ys, err := m.session.AcceptStream()
	if err != nil {
		if m.dead() {
			return nil, m.lost()
		}
		return nil, err
	}
	return m.stream(ys), nil
}

// readType reads the first byte of an accepted stream.
func (s *Stream) readType() (Type, error) {
	_ = s.SetReadDeadline(time.Now().Add(openTimeout))
	var b [1]byte
	if _, err := s.Read(b[:]); err != nil {
		return 0, err
	}
	return Type(b[0]), s.SetReadDeadline(time.Time{})
}
