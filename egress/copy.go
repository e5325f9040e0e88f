package egress

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// chunk is how much is copied between two looks at the clock.
const chunk = 1 << 20

type halfCloser interface{ CloseWrite() error }

// bothWays copies until both directions have ended, one has failed, nothing
// moved for idle, or ctx ends; then both connections are closed. up counts
// bytes from a to b. Two *net.TCPConn are spliced by the kernel, which is why
// nothing here wraps them.
func bothWays(ctx context.Context, a, b net.Conn, idle time.Duration) (up, down int64, why Reason) {
	closeBoth := func() { a.Close(); b.Close() }
	stop := context.AfterFunc(ctx, closeBoth)
	defer stop()
	w := &watch{idle: idle, expire: closeBoth}
	w.start()
	defer w.stop()
	var wg sync.WaitGroup
	run := func(dst, src net.Conn, n *int64) {
		err := oneWay(dst, src, n, w)
		if err == nil {
			if h, ok := dst.(halfCloser); ok && h.CloseWrite() == nil {
				return
			}
		}
		closeBoth()
	}
	wg.Go(func() { run(a, b, &down) })
	run(b, a, &up)
	wg.Wait()
	closeBoth()
	if w.expired() {
		why = Idled
	}
	return up, down, why
}

// watch calls expire once nothing has moved for idle.
type watch struct {
	idle   time.Duration
	expire func()

	mu    sync.Mutex
	last  time.Time
	timer *time.Timer
	over  bool
}

func (w *watch) start() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = time.Now()
	w.timer = time.AfterFunc(w.idle, w.look)
}

func (w *watch) look() {
	w.mu.Lock()
	left := w.idle - time.Since(w.last)
	if left > 0 {
		w.timer.Reset(left)
		w.mu.Unlock()
		return
	}
	w.over = true
	w.mu.Unlock()
	w.expire()
}

func (w *watch) moved() {
	w.mu.Lock()
	w.last = time.Now()
	w.mu.Unlock()
}

func (w *watch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer.Stop()
}

func (w *watch) expired() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.over
}

var buffers = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// oneWay copies src to dst until its end. A read's deadline is only there to
// learn now and then what a splice has moved; it loses nothing, since bytes
// that were read are always written before the next read.
func oneWay(dst, src net.Conn, total *int64, w *watch) error {
	step := max(w.idle/4, time.Millisecond)
	for {
		if err := src.SetReadDeadline(time.Now().Add(step)); err != nil {
			return err
		}
		n, err := copySome(dst, src)
		*total += n
		if n > 0 {
			w.moved()
		}
		switch {
		case err == nil || errors.Is(err, os.ErrDeadlineExceeded):
		case errors.Is(err, io.EOF):
			return nil
		default:
			return err
		}
	}
}

// errNotTaken hides why a write failed: a write's deadline must not look like
// a read's.
var errNotTaken = errors.New("the other side takes no bytes")

// copySome copies up to one chunk; io.EOF is the end of src.
func copySome(dst, src net.Conn) (int64, error) {
	from, spliced := src.(*net.TCPConn)
	to, ok := dst.(*net.TCPConn)
	if spliced && ok {
		n, err := io.Copy(to, io.LimitReader(from, chunk))
		if err == nil && n < chunk {
			err = io.EOF
		}
		return n, err
	}
	return copyBuffered(dst, src)
}

// copyBuffered copies through a buffer that is small while little comes, since
// a tunnel holds one for as long as it waits, and large in a stream.
func copyBuffered(dst io.Writer, src io.Reader) (total int64, err error) {
	few := fewBytes.Get().(*[2 << 10]byte)
	defer fewBytes.Put(few)
	take := takeMany
	if _, ok := src.(interface{ ConnectionState() tls.ConnectionState }); ok {
		take = takeRecord // a read gives one record at most
	}
	give := func() {}
	defer func() { give() }()
	buf := few[:]
	for total < chunk {
		n, err := src.Read(buf)
		if n > 0 {
			sent, werr := dst.Write(buf[:n])
			total += int64(sent)
			if werr != nil {
				return total, errNotTaken
			}
		}
		if err != nil {
			return total, err
		}
		switch {
		case n == len(few) && len(buf) == len(few):
			buf, give = take()
		case n < len(few) && len(buf) > len(few):
			give()
			buf, give = few[:], func() {}
		}
	}
	return total, nil
}

var (
	fewBytes = sync.Pool{New: func() any { return new([2 << 10]byte) }}
	records  = sync.Pool{New: func() any { return new([16 << 10]byte) }}
)

func takeMany() ([]byte, func()) {
	b := buffers.Get().(*[64 << 10]byte)
	return b[:], func() { buffers.Put(b) }
}

func takeRecord() ([]byte, func()) {
	b := records.Get().(*[16 << 10]byte)
	return b[:], func() { records.Put(b) }
}
