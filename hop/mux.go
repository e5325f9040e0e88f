package hop

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
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
	backlog      = 256 // streams that wait to be accepted
	openTimeout  = 10 * time.Second
	maxOpening   = 200 // streams whose first answer has not come; fewer than backlog
)

// mux is what both ends of a session have in common: many streams on one
// connection, in frames of the format that head.go describes. The receive loop
// never waits for anybody but the connection, and puts the bytes where a
// reader waits for them: on their way from one end's Write to the other end's
// Read they are copied by the kernel alone.
type mux struct {
	wire    *wire
	gate    *gate
	opening chan struct{} // one token for each stream whose first answer has not come

	mu      sync.Mutex
	streams map[uint32]*Stream // those on the wire
	nextID  uint32
	pings   map[uint32]chan struct{}
	ping    uint32

	accepted chan *Stream
	wg       sync.WaitGroup
}

// newMux starts the multiplexer on conn. The guest opens odd streams.
func newMux(conn net.Conn, guest bool, limits Limits) *mux {
	peerOdd, first := uint32(1), uint32(2)
	if guest {
		peerOdd, first = 0, 1
	}
	m := &mux{
		wire: newWire(conn), gate: newGate(!guest, limits.filled(), peerOdd, time.Now),
		opening: make(chan struct{}, maxOpening), streams: map[uint32]*Stream{}, nextID: first,
		pings: map[uint32]chan struct{}{}, accepted: make(chan *Stream, backlog),
	}
	m.wg.Go(m.wire.flush)
	m.wg.Go(m.receive)
	m.wg.Go(m.keepAlive)
	return m
}

func (m *mux) dead() bool { return isClosed(m.wire.done) }

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
	<-m.wire.done
	return newLost(m.wire.cause)
}

func (m *mux) close(cause error) {
	m.wire.fail(cause)
	m.wg.Wait()
}

// send queues a frame without a body.
func (m *mux) send(h head) {
	m.gate.out(h)
	m.wire.send(h)
}

// keepAlive pings through the silence, and ends a session that does not answer.
func (m *mux) keepAlive() {
	tick := time.NewTicker(keepAlive)
	defer tick.Stop()
	for {
		select {
		case <-m.wire.done:
			return
		case <-tick.C:
		}
		ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
		_, err := m.roundTrip(ctx)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			m.wire.fail(errors.New("the other end does not answer"))
		}
	}
}

// roundTrip measures one ping.
func (m *mux) roundTrip(ctx context.Context) (time.Duration, error) {
	answered := make(chan struct{})
	m.mu.Lock()
	id := m.ping
	m.ping++
	m.pings[id] = answered
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		delete(m.pings, id)
		m.mu.Unlock()
	}()
	begun := time.Now()
	m.send(head{kind: typePing, flags: flagSYN, size: id})
	select {
	case <-answered:
		return time.Since(begun), nil
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-m.wire.done:
		return 0, m.lost()
	}
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
	// Numbers go out in the order in which they are given: the gate takes
	// anything else for an attack.
	m.mu.Lock()
	id := m.nextID
	m.nextID += 2
	m.send(head{kind: typeWindow, flags: flagSYN, stream: id, size: window - firstWindow})
	s := newStream(m, id)
	m.streams[id] = s
	m.mu.Unlock()
	if _, err := s.Write([]byte{byte(t)}); err != nil {
		s.Reset()
		m.opened()
		return nil, err
	}
	return s, nil
}

func (m *mux) opened() { <-m.opening }

// accept waits for the peer's next stream.
func (m *mux) accept() (*Stream, error) {
	select {
	case s := <-m.accepted:
		s.acknowledge()
		return s, nil
	case <-m.wire.done:
		return nil, m.lost()
	}
}

func (m *mux) find(id uint32) *Stream {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.streams[id]
}

// forget takes a stream that is over off the list.
func (m *mux) forget(id uint32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.streams, id)
}

// count is how many streams are on the wire.
func (m *mux) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.streams)
}

// receive takes frames until the connection ends, and then wakes everybody.
func (m *mux) receive() {
	for {
		h, err := m.wire.next()
		if err == nil {
			err = m.frame(h)
		}
		if err != nil {
			m.wire.fail(err)
			break
		}
	}
	m.mu.Lock()
	all := make([]*Stream, 0, len(m.streams))
	for _, s := range m.streams {
		all = append(all, s)
	}
	m.mu.Unlock()
	for _, s := range all {
		s.wake()
	}
}

// frame handles one frame; its body is still to be read.
func (m *mux) frame(h head) error {
	v, breach := m.gate.in(h)
	if breach != nil {
		return breach
	}
	if v != pass && h.body() > 0 {
		if err := m.wire.discard(int(h.body())); err != nil {
			return err
		}
		h.size = 0
	}
	if v == drop {
		return nil
	}
	switch h.kind {
	case typePing:
		m.pinged(h)
		return nil
	case typeGoAway:
		if h.size != 0 {
			return errors.New("the other end gave the session up")
		}
		return nil
	}
	if h.flags&flagSYN != 0 {
		m.arrive(h.stream)
	}
	s := m.find(h.stream)
	if s == nil {
		return m.wire.discard(int(h.body()))
	}
	if h.kind == typeWindow {
		s.widen(h.size)
	} else if err := s.receive(int(h.size)); err != nil {
		return err
	}
	if h.flags&(flagFIN|flagRST) != 0 {
		s.ended(h.flags)
	}
	return nil
}

func (m *mux) pinged(h head) {
	if h.flags == flagSYN {
		m.send(head{kind: typePing, flags: flagACK, size: h.size})
		return
	}
	m.mu.Lock()
	answered := m.pings[h.size]
	delete(m.pings, h.size)
	m.mu.Unlock()
	if answered != nil {
		close(answered)
	}
}

// arrive puts a new stream of the peer where it is accepted, or resets it
// where too many wait already.
func (m *mux) arrive(id uint32) {
	s := newStream(m, id)
	m.mu.Lock()
	m.streams[id] = s
	m.mu.Unlock()
	select {
	case m.accepted <- s:
	default:
		s.Reset()
	}
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
