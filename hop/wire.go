package hop

import (
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

// wire is the connection below the streams. It reads and writes whole frames;
// what they mean is the mux's.
type wire struct {
	conn net.Conn
	raw  syscall.RawConn // nil where conn has no descriptor, as in tests

	ahead lookahead // only the receive loop touches it

	wmu  sync.Mutex // one frame at a time
	vec  [3][]byte
	head [headSize]byte
	late time.Time // when the connection's write deadline has to be moved

	cmu     sync.Mutex
	control []byte // frames without a body that wait to be sent, in order
	kick    chan struct{}

	once  sync.Once
	done  chan struct{}
	cause error // set before done is closed; the first reason
}

const (
	maxControl = 256 << 10 // bytes of frames that a peer may leave untaken
	sockBuffer = 128 << 10 // about what Linux gives local sockets by itself; macOS gives 8 KiB
)

func newWire(conn net.Conn) *wire {
	w := &wire{conn: conn, kick: make(chan struct{}, 1), done: make(chan struct{})}
	if c, ok := conn.(*net.UnixConn); ok {
		_ = c.SetReadBuffer(sockBuffer)
		_ = c.SetWriteBuffer(sockBuffer)
	}
	if c, ok := conn.(syscall.Conn); ok {
		if raw, err := c.SyscallConn(); err == nil {
			w.raw = raw
		}
	}
	return w
}

// fail ends the connection; the first cause is kept.
func (w *wire) fail(cause error) {
	w.once.Do(func() {
		w.cause = cause
		close(w.done)
		_ = w.conn.Close()
	})
}

// lost words the end of a connection.
func lost(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) {
		return errors.New("the connection ended")
	}
	return err
}

// next reads the head of the next frame.
func (w *wire) next() (head, error) {
	for w.ahead.len() < headSize {
		if err := w.ahead.fill(w.conn); err != nil {
			return head{}, lost(err)
		}
	}
	var b [headSize]byte
	w.ahead.read(b[:])
	return parseHead(b[:]), nil
}

// discard skips a body that nobody reads.
func (w *wire) discard(n int) error {
	for n > 0 {
		if w.ahead.len() == 0 {
			if err := w.ahead.fill(w.conn); err != nil {
				return lost(err)
			}
		}
		n -= w.ahead.skip(n)
	}
	return nil
}

// take reads some of a body of n bytes to where into says, which is asked with
// how many are left and tells how many it took. Its slice is not touched after
// take has returned, nor while the connection is waited for: whoever gives it
// may take it back meanwhile.
func (w *wire) take(n int, into func(int, func([]byte) (int, error)) (int, error)) (int, error) {
	if w.raw == nil && w.ahead.len() == 0 {
		if err := w.ahead.fill(w.conn); err != nil {
			return 0, lost(err)
		}
	}
	if w.ahead.len() > 0 {
		return into(min(n, w.ahead.len()), func(p []byte) (int, error) { return w.ahead.read(p), nil })
	}
	got, failed := 0, error(nil)
	err := w.raw.Read(func(fd uintptr) bool {
		got, failed = into(n, func(p []byte) (int, error) { return w.ahead.readBeyond(int(fd), p) })
		return !errors.Is(failed, syscall.EAGAIN)
	})
	if err == nil {
		err = failed
	}
	if err == nil && got == 0 {
		err = io.EOF
	}
	return got, lost(err)
}

// send queues a frame without a body: it goes out before any frame that is
// written later, and whoever sends it does not wait for the peer.
func (w *wire) send(h head) {
	w.cmu.Lock()
	w.control = h.append(w.control)
	full := len(w.control) > maxControl
	w.cmu.Unlock()
	if full {
		w.fail(errors.New("the other end does not read"))
	}
	select {
	case w.kick <- struct{}{}:
	default:
	}
}

// flush sends what is queued, until the connection ends.
func (w *wire) flush() {
	for {
		select {
		case <-w.done:
			return
		case <-w.kick:
		}
		if err := w.write(head{}, nil); err != nil {
			return
		}
	}
}

// write sends a frame with a body, after what is queued; without a body it
// sends what is queued alone.
func (w *wire) write(h head, body []byte) error {
	w.wmu.Lock()
	defer w.wmu.Unlock()
	w.cmu.Lock()
	queued := w.control
	w.control = nil
	w.cmu.Unlock()
	bufs := w.vec[:0]
	if len(queued) > 0 {
		bufs = append(bufs, queued)
	}
	if body != nil {
		bufs = append(bufs, h.append(w.head[:0]), body)
	}
	if len(bufs) == 0 {
		return nil
	}
	// The deadline is moved once a second, not for each frame.
	if now := time.Now(); now.After(w.late) {
		_ = w.conn.SetWriteDeadline(now.Add(writeTimeout))
		w.late = now.Add(time.Second)
	}
	v := net.Buffers(bufs)
	if _, err := v.WriteTo(w.conn); err != nil {
		w.fail(lost(err)) // a part of a frame may be out
		return err
	}
	return nil
}
