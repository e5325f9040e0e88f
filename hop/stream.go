package hop

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// MaxPiece is the most that one write puts in a frame. With its head it fills
// 64 KiB, which is what pipes move at a time; the gate refuses little more.
const MaxPiece = 64<<10 - headSize

// bulkFrame is what a stream sends that is after throughput, not delay.
const bulkFrame = 16 << 10

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

// ErrReset is returned when the other end gave up on a stream.
var ErrReset = errors.New("the other end gave up")

// Stream is one byte stream of a session. Each direction ends by itself, so
// it is a net.Conn with CloseWrite. It must be closed.
type Stream struct {
	id   uint32
	mux  *mux
	lane *lane

	reading, writing sync.Mutex // one of each at a time
	readable         chan struct{}
	writable         chan struct{}
	readBy, writeBy  deadline

	mu      sync.Mutex
	buf     backlogged
	want    []byte // a reader waits here
	filled  int    // of want
	taken   uint32 // by readers since the last update of the peer's window
	credit  uint32 // what may be sent
	gotFIN  bool
	sentFIN bool
	flying  bool // a frame is being written; an end waits for it
	reset   bool // here
	gone    bool // there
	timer   *time.Timer
	once    sync.Once
}

var _ net.Conn = (*Stream)(nil)

func newStream(m *mux, id uint32) *Stream {
	return &Stream{
		id: id, mux: m, lane: m.gate.hold(id), credit: firstWindow,
		readable: make(chan struct{}, 1), writable: make(chan struct{}, 1), readBy: newDeadline(), writeBy: newDeadline(),
	}
}

// acknowledge tells the peer that its stream was accepted, with the whole window.
func (s *Stream) acknowledge() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.reset && !s.gone {
		s.mux.send(head{kind: typeWindow, flags: flagACK, stream: s.id, size: window - firstWindow})
	}
}

// LocalAddr and RemoteAddr implement net.Conn; a stream has no address of its own.
func (s *Stream) LocalAddr() net.Addr { return s.mux.wire.conn.LocalAddr() }

// RemoteAddr implements net.Conn.
func (s *Stream) RemoteAddr() net.Addr { return s.mux.wire.conn.RemoteAddr() }

// SetDeadline implements net.Conn.
func (s *Stream) SetDeadline(t time.Time) error {
	_ = s.SetReadDeadline(t)
	return s.SetWriteDeadline(t)
}

// SetReadDeadline implements net.Conn.
func (s *Stream) SetReadDeadline(t time.Time) error { s.readBy.set(t); return nil }

// SetWriteDeadline implements net.Conn.
func (s *Stream) SetWriteDeadline(t time.Time) error { s.writeBy.set(t); return nil }

// Read implements io.Reader.
func (s *Stream) Read(p []byte) (int, error) {
	s.reading.Lock()
	defer s.reading.Unlock()
	if len(p) == 0 {
		return 0, nil
	}
	for {
		n, err := s.tryRead(p)
		if n > 0 || err != nil {
			return n, err
		}
		late := false
		select {
		case <-s.readable:
		case <-s.readBy.passed():
			late = true
		case <-s.mux.wire.done:
		}
		s.mu.Lock()
		n = s.filled
		s.want, s.filled = nil, 0
		s.mu.Unlock()
		if n > 0 {
			s.consumed(n)
			return n, nil
		}
		if late {
			return 0, fmt.Errorf("reading a stream: %w", os.ErrDeadlineExceeded)
		}
	}
}

// tryRead takes what is there; where nothing is, p is left for the receive loop.
func (s *Stream) tryRead(p []byte) (int, error) {
	s.mu.Lock()
	switch {
	case s.reset:
		s.mu.Unlock()
		return 0, net.ErrClosed
	case s.gone:
		s.mu.Unlock()
		s.mux.gate.let(s.lane)
		return 0, ErrReset
	case s.buf.len() > 0:
		n := s.buf.read(p)
		s.mu.Unlock()
		s.consumed(n)
		return n, nil
	case s.gotFIN:
		s.mu.Unlock()
		return 0, io.EOF
	case s.mux.dead():
		s.mu.Unlock()
		return 0, s.mux.lost()
	}
	s.want, s.filled = p, 0
	s.mu.Unlock()
	return 0, nil
}

// consumed gives the peer its window back, half a window at a time.
func (s *Stream) consumed(n int) {
	s.mux.gate.read(s.lane, n)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken += uint32(n); s.taken >= window/2 && !s.gotFIN && !s.reset && !s.gone {
		s.mux.send(head{kind: typeWindow, stream: s.id, size: s.taken})
		s.taken = 0
	}
}

// receive takes n bytes off the connection to where a reader waits, or keeps
// them until one comes.
func (s *Stream) receive(n int) error {
	bulk := n >= bulkFrame
	for n > 0 {
		got, err := s.mux.wire.take(n, func(n int, read func([]byte) (int, error)) (int, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			if room := s.want[s.filled:]; len(room) > 0 && s.buf.len() == 0 {
				k, err := read(room[:min(n, len(room))])
				if s.filled += k; s.filled > 0 && errors.Is(err, syscall.EAGAIN) {
					signal(s.readable)
				}
				return k, err
			}
			k, err := read(s.buf.room(n))
			s.buf.grow(k)
			if errors.Is(err, syscall.EAGAIN) {
				signal(s.readable) // what came so far, while the rest is waited for
			}
			return k, err
		})
		n -= got
		if n == 0 || s.mux.wire.raw == nil {
			signal(s.readable)
		}
		if err != nil {
			return err
		}
	}
	if bulk {
		// The reader goes first: it empties its buffer and waits again before the
		// next frame, which then needs no copy and wakes no other thread.
		runtime.Gosched()
	}
	return nil
}

// widen lets more be sent.
func (s *Stream) widen(n uint32) {
	s.mu.Lock()
	s.credit += n
	s.mu.Unlock()
	signal(s.writable)
}

// ended notes that the peer ended its direction, or the whole stream.
func (s *Stream) ended(flags uint16) {
	s.mu.Lock()
	if flags&flagRST != 0 {
		s.gone = true
	} else {
		s.gotFIN = true
	}
	s.mu.Unlock()
	s.drop()
	s.wake()
}

// drop takes a stream off the list once it is over.
func (s *Stream) drop() {
	if s.mux.gate.over(s.lane) {
		s.mux.forget(s.id)
	}
}

func (s *Stream) wake() {
	signal(s.readable)
	signal(s.writable)
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Write implements io.Writer.
func (s *Stream) Write(p []byte) (int, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	total := 0
	for len(p) > 0 {
		n, err := s.reserve(min(len(p), MaxPiece))
		if err != nil {
			return total, err
		}
		h := head{kind: typeData, stream: s.id, size: uint32(n)}
		s.mux.gate.out(h)
		err = s.mux.wire.write(h, p[:n])
		s.landed()
		if err != nil {
			return total, s.mux.lost()
		}
		total, p = total+n, p[n:]
	}
	return total, nil
}

// landed sends the end that had to wait for a frame.
func (s *Stream) landed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flying = false; s.sentFIN {
		s.end()
	}
}

// end sends the end of this direction. Called with mu held.
func (s *Stream) end() {
	if s.reset || s.gone {
		return
	}
	s.mux.send(head{kind: typeWindow, flags: flagFIN, stream: s.id})
	s.drop()
}

// reserve waits until something may be sent and takes up to n bytes of it.
func (s *Stream) reserve(n int) (int, error) {
	for {
		s.mu.Lock()
		switch {
		case s.reset || s.sentFIN:
			s.mu.Unlock()
			return 0, net.ErrClosed
		case s.gone:
			s.mu.Unlock()
			return 0, ErrReset
		case s.mux.dead():
			s.mu.Unlock()
			return 0, s.mux.lost()
		case s.credit > 0 && !isClosed(s.writeBy.passed()):
			n = min(n, int(s.credit))
			s.credit -= uint32(n)
			s.flying = true
			s.mu.Unlock()
			return n, nil
		}
		s.mu.Unlock()
		select {
		case <-s.writable:
		case <-s.writeBy.passed():
			return 0, fmt.Errorf("writing a stream: %w", os.ErrDeadlineExceeded)
		case <-s.mux.wire.done:
		}
	}
}

// CloseWrite ends this direction; the other goes on.
func (s *Stream) CloseWrite() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.mux.dead():
		return s.mux.lost()
	case s.sentFIN || s.reset:
		return nil
	case s.gone:
		return ErrReset
	}
	if s.sentFIN = true; !s.flying {
		s.end()
	}
	signal(s.writable) // a Write that waits for the window is over, too
	return nil
}

// Close ends this direction and gives up on the other: what still arrives is
// thrown away, and an end that does not come in 10 s is made by a reset. What
// was written before arrives.
func (s *Stream) Close() error {
	s.once.Do(func() {
		s.mux.gate.let(s.lane)
		_ = s.CloseWrite()
		if s.mux.gate.over(s.lane) {
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
	s.buf = backlogged{}
	if s.timer != nil {
		s.timer.Stop()
	}
	s.mu.Unlock()
	if s.mux.gate.abandon(s.lane) {
		s.mux.wire.send(head{kind: typeWindow, flags: flagRST, stream: s.id})
	}
	s.mux.forget(s.id)
	s.wake()
}

// Aborted is closed when either end has reset the stream. It is not closed
// by an orderly end, nor by the loss of the session.
func (s *Stream) Aborted() <-chan struct{} { return s.lane.aborted }
