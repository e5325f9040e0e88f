package hop

import (
	"context"
	"net"
	"time"
)

// Peer is the guest's end of a session.
type Peer struct{ mux *mux }

// Dial proves itself over conn and starts the session. The connection is
// closed if that fails; [ErrBusy] means that another helper has the session.
func Dial(conn net.Conn, secret []byte) (*Peer, error) {
	if err := greetHost(conn, secret); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return &Peer{mux: newMux(conn, true, Limits{})}, nil
}

// Accept waits for the host's next stream. Its type is read by
// [Stream.Begin], in a goroutine of the stream's own.
func (p *Peer) Accept() (*Stream, error) { return p.mux.accept() }

// Begin reads the type of an accepted stream.
func (s *Stream) Begin() (Type, error) { return s.readType() }

// Open opens a stream of type Egress or Event.
func (p *Peer) Open(ctx context.Context, t Type) (*Stream, error) {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	s, err := p.mux.open(ctx, t)
	if err != nil {
		return nil, err
	}
	p.mux.opened()
	return s, nil
}

// Done is closed when the session has ended.
func (p *Peer) Done() <-chan struct{} { return p.mux.wire.done }

// Err is why it ended; nil while it lives.
func (p *Peer) Err() error {
	if !isClosed(p.mux.wire.done) {
		return nil
	}
	return newLost(p.mux.wire.cause)
}

// Close ends the session.
func (p *Peer) Close() error {
	p.mux.close(net.ErrClosed)
	return nil
}

// ReadRequest reads the request at the start of a host's stream.
func ReadRequest(s *Stream, v any) error {
	_ = s.SetReadDeadline(time.Now().Add(openTimeout))
	if err := ReadMessage(s, v); err != nil {
		return err
	}
	return s.SetReadDeadline(time.Time{})
}
