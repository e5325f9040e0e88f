package hop

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/yamux"
)

// maxFrame is the most that one write puts in a frame: the gate refuses more.
const maxFrame = 64 << 10

// linger is how long a closed stream waits for the other end to finish.
const linger = 10 * time.Second

// ErrSessionLost is what every call on a session ends with when the session
// does. [errors.As] with [*Breach] tells whether the guest broke a rule.
var ErrSessionLost = errors.New("the connection to the bottle's helper was lost")

// lostError is ErrSessionLost with its cause.
type lostError struct{ cause error }

func (e *lostError) Error() string   { return ErrSessionLost.Error() + ": " + e.cause.Error() }
func (e *lostError) Unwrap() []error { return []error{ErrSessionLost, e.cause} }
func (e *lostError) Cure() string    { return "it reconnects by itself while the bottle runs" }
func newLost(cause error) error      { return &lostError{cause} }

// Stream is one byte stream of a session. Each direction ends by itself, so
// it is a net.Conn with CloseWrite. It must be closed.
type Stream struct {
	*yamux.Stream
	mux  *mux
	lane *lane

	once  sync.Once
	mu    sync.Mutex
	reset bool
	timer *time.Timer
}

var _ net.Conn = (*Stream)(nil)

// Read implements io.Reader.
func (s *Stream) Read(p []byte) (int, error) {
	n, err := s.Stream.Read(p)
	if n > 0 {
		s.mux.wire.gate.read(s.lane, n)
	}
	if n > 0 && err != nil { // the update of the window failed; the bytes are good
		return n, nil
	}
	return n, s.explain(err)
}

// Write implements io.Writer.
func (s *Stream) Write(p []byte) (int, error) {
	total := 0
	for first := true; first || len(p) > 0; first = false {
		n, err := s.Stream.Write(p[:min(len(p), maxFrame)])
		total += n
		if err != nil {
			return total, s.explain(err)
		}
		p = p[n:]
	}
	return total, nil
}

// CloseWrite ends this direction; the other goes on.
func (s *Stream) CloseWrite() error {
	return s.explain(s.Stream.Close())
}

// Close ends this direction and gives up on the other: what still arrives is
// thrown away, and an end that does not come in 10 s is made by a reset. What
// was written before arrives.
func (s *Stream) Close() error {
	s.once.Do(func() {
		s.mux.wire.gate.let(s.lane)
		_ = s.Stream.Close()
		if s.mux.wire.gate.over(s.lane) {
			return
		}
		s.mu.Lock()
		s.timer = time.AfterFunc(linger, s.Reset)
		s.mu.Unlock()
	})
	return nil
}

// Reset ends both directions at once. The other end's reads and writes fail,
// also for what was written before and not read yet.
func (s *Stream) Reset() {
	s.mu.Lock()
	s.reset = true
	if s.timer != nil {
		s.timer.Stop()
	}
	s.mu.Unlock()
	s.mux.wire.reset(s.lane)
	past := time.Unix(1, 0)
	_ = s.Stream.SetDeadline(past)
}

// Aborted is closed when either end has reset the stream. It is not closed
// by an orderly end, nor by the loss of the session.
func (s *Stream) Aborted() <-chan struct{} { return s.lane.aborted }

// explain turns the multiplexer's errors into ours.
func (s *Stream) explain(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		if err != nil && s.mux.dead() {
			return s.mux.lost()
		}
		return err
	}
	s.mu.Lock()
	reset := s.reset
	s.mu.Unlock()
	switch {
	case s.mux.dead():
		return s.mux.lost()
	case reset:
		return net.ErrClosed
	case errors.Is(err, yamux.ErrConnectionReset):
		s.mux.wire.gate.let(s.lane)
		return ErrReset
	case errors.Is(err, yamux.ErrStreamClosed):
		return net.ErrClosed
	}
	return fmt.Errorf("stream: %w", err)
}

// ErrReset is returned when the other end gave up on a stream.
var ErrReset = errors.New("the other end gave up")
