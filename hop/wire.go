package hop

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// wire is the connection that the multiplexer sees. It passes whole frames
// both ways through the gate, sends header and bytes of a frame in one
// write, and adds what the multiplexer cannot do: resetting one stream.
type wire struct {
	conn net.Conn
	gate *gate

	// Only the multiplexer's receive loop touches these.
	in    *bufio.Reader
	ready []byte // header bytes to hand over
	space [2 * headSize]byte
	body  uint32 // bytes of the current frame still to hand over

	wmu     sync.Mutex
	pending []byte // a data header whose bytes come with the next write

	rmu    sync.Mutex
	local  []uint32 // streams that the multiplexer must forget
	remote []uint32 // streams whose reset has to be sent
	kick   chan struct{}

	once  sync.Once
	done  chan struct{}
	cause error // set before done is closed; the first reason
	wg    sync.WaitGroup
}

func newWire(conn net.Conn, strict bool, limits Limits, peerOdd uint32) *wire {
	w := &wire{
		conn: conn, gate: newGate(strict, limits, peerOdd, time.Now),
		in: bufio.NewReaderSize(conn, 64<<10), kick: make(chan struct{}, 1), done: make(chan struct{}),
	}
	w.wg.Go(w.sendResets)
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

// Close implements io.Closer for the multiplexer.
func (w *wire) Close() error {
	w.fail(errors.New("the session was closed"))
	w.wg.Wait()
	return nil
}

// Read hands over checked frames.
func (w *wire) Read(p []byte) (int, error) {
	for len(w.ready) == 0 && w.body == 0 {
		if err := w.next(); err != nil {
			w.fail(err)
			return 0, err
		}
	}
	if len(w.ready) > 0 {
		n := copy(p, w.ready)
		w.ready = w.ready[n:]
		return n, nil
	}
	for {
		n, err := w.in.Read(p[:min(len(p), int(w.body))])
		w.body -= uint32(n)
		if n > 0 {
			return n, nil
		}
		if err != nil && !w.woken(err) {
			w.fail(lost(err))
			return 0, err
		}
	}
}

// woken says whether a read ended only because a reset was made here, and
// lets reading go on.
func (w *wire) woken(err error) bool {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	_ = w.conn.SetReadDeadline(time.Time{})
	return true
}

// next takes one frame from the connection, and before it a reset that was
// made here since the last one.
func (w *wire) next() error {
	if w.takeLocal() {
		return nil
	}
	b, err := w.in.Peek(headSize) // a read that is woken loses nothing
	if err != nil {
		if w.woken(err) {
			return nil
		}
		return lost(err)
	}
	h := parseHead(b)
	_, _ = w.in.Discard(headSize)
	v, breach := w.gate.in(h)
	if breach != nil {
		return breach
	}
	if v != pass && h.body() > 0 {
		if err := w.discard(int(h.body())); err != nil {
			return lost(err)
		}
	}
	switch v {
	case pass:
		w.ready = h.append(w.space[:0])
		w.body = h.body()
	case strip:
		h.size = 0
		if h.flags != 0 {
			w.ready = h.append(w.space[:0])
		}
	}
	return nil
}

func (w *wire) discard(n int) error {
	for n > 0 {
		k, err := w.in.Discard(n)
		n -= k
		if err != nil && !w.woken(err) {
			return err
		}
	}
	return nil
}

func (w *wire) takeLocal() bool {
	w.rmu.Lock()
	defer w.rmu.Unlock()
	if len(w.local) == 0 {
		return false
	}
	id := w.local[0]
	w.local = w.local[1:]
	w.ready = head{kind: typeWindow, flags: flagRST, stream: id}.append(w.space[:0])
	return true
}

// lost words the end of a connection.
func lost(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) {
		return errors.New("the connection ended")
	}
	return err
}

// errFrame can only come from a multiplexer that writes otherwise than this
// one was seen to.
var errFrame = errors.New("the multiplexer wrote something that is not a frame")

// Write takes a header, or the bytes that the header before announced: the
// two writes of which the multiplexer makes a frame.
func (w *wire) Write(p []byte) (int, error) {
	w.wmu.Lock()
	defer w.wmu.Unlock()
	if w.pending != nil {
		if h := parseHead(w.pending); len(p) != int(h.size) {
			return 0, errFrame
		}
		bufs := net.Buffers{w.pending, p}
		w.pending = nil
		if _, err := bufs.WriteTo(w.conn); err != nil {
			return 0, err
		}
		return len(p), nil
	}
	if len(p) != headSize {
		return 0, errFrame
	}
	h := parseHead(p)
	w.gate.out(h)
	if h.body() > 0 {
		w.pending = append([]byte(nil), p...)
		return len(p), nil
	}
	return w.conn.Write(p)
}

// reset ends a stream in both directions at once, here and there.
func (w *wire) reset(l *lane) {
	if !w.gate.abandon(l) {
		return
	}
	w.rmu.Lock()
	w.local = append(w.local, l.id)
	w.remote = append(w.remote, l.id)
	w.rmu.Unlock()
	// The multiplexer must hear of it even if the peer sends nothing more.
	_ = w.conn.SetReadDeadline(time.Unix(1, 0))
	select {
	case w.kick <- struct{}{}:
	default:
	}
}

// sendResets writes resets between frames, so that whoever resets a stream
// need not wait for a peer that does not read.
func (w *wire) sendResets() {
	for {
		select {
		case <-w.done:
			return
		case <-w.kick:
		}
		w.rmu.Lock()
		ids := w.remote
		w.remote = nil
		w.rmu.Unlock()
		var b []byte
		for _, id := range ids {
			b = head{kind: typeWindow, flags: flagRST, stream: id}.append(b)
		}
		if err := w.writeRaw(b); err != nil {
			w.fail(lost(err))
			return
		}
	}
}

func (w *wire) writeRaw(b []byte) error {
	w.wmu.Lock()
	defer w.wmu.Unlock()
	_, err := w.conn.Write(b)
	return err
}

// LocalAddr and RemoteAddr let the multiplexer name its ends in log lines.
func (w *wire) LocalAddr() net.Addr  { return w.conn.LocalAddr() }
func (w *wire) RemoteAddr() net.Addr { return w.conn.RemoteAddr() }
