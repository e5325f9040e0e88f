package vt

import (
	"io"
	"sync"
)

// maxReplies bounds the queue of answers in bytes.
const maxReplies = 64 << 10

// replyQueue holds answers until somebody takes them to the program. It has a
// lock of its own, so a writer that is stuck never holds up the screen.
type replyQueue struct {
	mu     sync.Mutex
	ready  sync.Cond
	buf    []byte
	closed bool
}

func (q *replyQueue) init() { q.ready.L = &q.mu }

func (q *replyQueue) add(b []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || len(q.buf)+len(b) > maxReplies {
		return
	}
	q.buf = append(q.buf, b...)
	q.ready.Broadcast()
}

func (q *replyQueue) take(dst []byte) []byte {
	q.mu.Lock()
	defer q.mu.Unlock()
	dst = append(dst, q.buf...)
	q.buf = q.buf[:0]
	return dst
}

func (q *replyQueue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.ready.Broadcast()
}

// Replies reads the answers of a Terminal.
type Replies struct{ q *replyQueue }

// Read waits for an answer. After the Terminal is closed it returns what is
// left, then io.EOF.
func (r *Replies) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	q := r.q
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.buf) == 0 {
		if q.closed {
			return 0, io.EOF
		}
		q.ready.Wait()
	}
	n := copy(p, q.buf)
	q.buf = q.buf[:copy(q.buf, q.buf[n:])]
	return n, nil
}
