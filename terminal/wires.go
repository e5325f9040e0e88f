package terminal

import (
	"errors"
	"io"
	"sync"
	"time"

	"bottlebar.app/terminal/vt"
)

// Conn is the program at the other end: its output is read, input is written.
// Read ends with io.EOF when the program has ended in order. Resize may be
// called while a Read or Write is under way; Close ends both.
type Conn interface {
	io.ReadWriteCloser
	Resize(cols, rows int) error
}

// maxQueued bounds the input that waits for a program that does not read.
const maxQueued = 8 << 20

// maxPending bounds the events that wait for the toolkit's goroutine.
const maxPending = 256

// wires carries bytes between a Conn and the emulator, with one goroutine for
// each direction, so that neither a full pipe nor a busy screen stops the
// other or the toolkit.
type wires struct {
	mu     sync.Mutex
	link   *connection
	events []vt.Event
}

// connection is one attached Conn.
type connection struct {
	conn  Conn
	wg    sync.WaitGroup
	mu    sync.Mutex
	ready sync.Cond
	out   []byte
	cols  int // a size to be told; 0 for none
	rows  int
	done  bool
	heard chan struct{} // holds one once output was taken in
}

// Attach shows and feeds conn from now on. A Conn that was attached before is
// closed first. The size is told at once.
func (t *Terminal) Attach(conn Conn) {
	_ = t.detach() // its end is of no interest any more
	l := &connection{conn: conn, heard: make(chan struct{}, 1)}
	l.ready.L = &l.mu
	l.cols, l.rows = t.core.Size()
	t.wires.mu.Lock()
	t.link = l
	t.wires.mu.Unlock()
	l.wg.Add(2)
	go t.read(l)
	go l.write()
	t.frame.wake()
}

// read feeds the emulator until the Conn ends.
func (t *Terminal) read(l *connection) {
	defer l.wg.Done()
	buf := make([]byte, 32<<10)
	for {
		n, err := l.conn.Read(buf)
		if n > 0 {
			_, _ = t.core.Write(buf[:n])
			l.send(t.core.TakeReplies(nil))
			t.keep(t.core.TakeEvents())
			select {
			case l.heard <- struct{}{}:
			default:
			}
			t.frame.wake()
		}
		if err != nil {
			t.ended(l, err)
			return
		}
	}
}

// ended tells the owner once that the program has ended, unless we ended it.
func (t *Terminal) ended(l *connection, err error) {
	if l.finish() {
		return
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	t.post(func() {
		t.tick()
		if t.OnEnd != nil {
			t.OnEnd(err)
		}
	})
}

// write carries input and sizes to the Conn.
func (l *connection) write() {
	defer l.wg.Done()
	for {
		l.mu.Lock()
		for len(l.out) == 0 && l.cols == 0 && !l.done {
			l.ready.Wait()
		}
		out, cols, rows := l.out, l.cols, l.rows
		l.out, l.cols = nil, 0
		done := l.done
		l.mu.Unlock()
		if done {
			return
		}
		if cols > 0 {
			_ = l.conn.Resize(cols, rows) // the reader learns of a broken Conn
		}
		if len(out) == 0 {
			continue
		}
		if _, err := l.conn.Write(out); err != nil {
			return
		}
	}
}

// send queues input.
func (l *connection) send(b []byte) {
	if len(b) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done || len(l.out)+len(b) > maxQueued {
		return
	}
	l.out = append(l.out, b...)
	l.ready.Signal()
}

// finish stops the writer and says whether that had been done before.
func (l *connection) finish() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	was := l.done
	l.done = true
	l.ready.Signal()
	return was
}

func (w *wires) current() *connection {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.link
}

func (w *wires) resize(cols, rows int) {
	if l := w.current(); l != nil {
		l.mu.Lock()
		l.cols, l.rows = cols, rows
		l.ready.Signal()
		l.mu.Unlock()
	}
}

// keep holds events until the toolkit's goroutine takes them.
func (w *wires) keep(ev []vt.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, ev...)
	if over := len(w.events) - maxPending; over > 0 {
		w.events = append(w.events[:0], w.events[over:]...)
	}
}

// deliver hands events to the owner.
func (t *Terminal) deliver() {
	t.wires.mu.Lock()
	ev := t.events
	t.events = nil
	t.wires.mu.Unlock()
	for _, e := range ev {
		switch {
		case e.Kind == vt.EventClipboard:
			t.offer(e.Text)
		case t.OnEvent != nil:
			t.OnEvent(e)
		}
	}
}

// input sends bytes to the program.
func (t *Terminal) input(b []byte) {
	if l := t.wires.current(); l != nil {
		l.send(b)
	}
}

// echoWait is how long a key waits for its echo. The toolkit draws right after
// it has handled a key: an echo that is there by then is seen a whole frame
// sooner. Programs on this computer answer in well under a millisecond.
const echoWait = 2 * time.Millisecond

// sendKey sends what a key writes, and shows its echo if that comes at once.
func (t *Terminal) sendKey(b []byte) {
	l := t.wires.current()
	if len(b) == 0 || l == nil || t.hidden {
		t.typed(b)
		return
	}
	select {
	case <-l.heard:
	default:
	}
	t.typed(b)
	late := time.NewTimer(echoWait)
	defer late.Stop()
	select {
	case <-l.heard:
		t.tick()
	case <-late.C:
	}
}

// detach ends the Conn and waits for its goroutines.
func (t *Terminal) detach() error {
	t.wires.mu.Lock()
	l := t.link
	t.link = nil
	t.wires.mu.Unlock()
	if l == nil {
		return nil
	}
	l.finish()
	err := l.conn.Close()
	l.wg.Wait()
	return err
}

// Close ends the Conn, without OnEnd, and waits for the goroutines to stop.
func (t *Terminal) Close() error {
	t.frame.stop()
	t.auto.stop()
	t.size.stop()
	err := t.detach()
	_ = t.core.Close()
	return err
}
