package sidecar

import (
	"context"
	"errors"
	"net"
	"sync"
	"syscall"
	"time"
)

const (
	ahead       = 2 // connections kept open for streams to come
	dialTimeout = 10 * time.Second
)

// pool opens connections to one sidecar ahead of the streams that will use
// them, and closes them all when the sidecar ends: whoever takes over its port
// afterwards gets nothing.
type pool struct {
	dial func(context.Context) (net.Conn, error)
	ctx  context.Context // ends with close
	stop context.CancelFunc
	wg   sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	idle    []*link
	all     map[*link]struct{}
	filling int
}

func newPool(dial func(context.Context) (net.Conn, error)) *pool {
	p := &pool{dial: dial, all: map[*link]struct{}{}}
	p.ctx, p.stop = context.WithCancel(context.Background())
	return p
}

// get returns a connection that was opened ahead, or a new one.
func (p *pool) get(ctx context.Context) (net.Conn, error) {
	defer p.fill()
	for {
		p.mu.Lock()
		if p.closed {
			p.mu.Unlock()
			return nil, ErrGone
		}
		if len(p.idle) == 0 {
			p.mu.Unlock()
			return p.open(ctx)
		}
		l := p.idle[0]
		p.idle = p.idle[1:]
		p.mu.Unlock()
		if alive(l.Conn) {
			return l, nil
		}
		l.Close()
	}
}

func (p *pool) open(ctx context.Context) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	defer context.AfterFunc(p.ctx, cancel)()
	c, err := p.dial(ctx)
	if err != nil {
		return nil, err
	}
	l := &link{Conn: c, pool: p}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		c.Close()
		return nil, ErrGone
	}
	p.all[l] = struct{}{}
	return l, nil
}

// fill opens what is missing, in the background. One that fails is not tried
// again before the next get.
func (p *pool) fill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for !p.closed && len(p.idle)+p.filling < ahead {
		p.filling++
		p.wg.Go(func() {
			l, err := p.open(p.ctx)
			p.mu.Lock()
			defer p.mu.Unlock()
			p.filling--
			if err == nil && !p.closed {
				p.idle = append(p.idle, l)
			}
		})
	}
}

// close closes every connection, used or not.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	links := make([]*link, 0, len(p.all))
	for l := range p.all {
		links = append(links, l)
	}
	p.all, p.idle = map[*link]struct{}{}, nil
	p.mu.Unlock()
	p.stop()
	for _, l := range links {
		abort(l.Conn)
	}
}

func (p *pool) wait() { p.wg.Wait() }

// abort closes a connection without a word: what TLS says at its end could
// wait for somebody who does not read.
func abort(c net.Conn) {
	if t, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = t.NetConn()
	}
	c.Close()
}

// link is one connection of a pool.
type link struct {
	net.Conn
	pool *pool
}

// Close closes the connection.
func (l *link) Close() error {
	l.pool.mu.Lock()
	delete(l.pool.all, l)
	l.pool.mu.Unlock()
	return l.Conn.Close()
}

// CloseWrite ends our direction.
func (l *link) CloseWrite() error {
	if h, ok := l.Conn.(interface{ CloseWrite() error }); ok {
		return h.CloseWrite()
	}
	return errors.ErrUnsupported
}

// alive reports whether a connection that waits is still one: the other side
// has nothing to say before it is asked, so anything to read is its end.
func alive(c net.Conn) bool {
	if t, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = t.NetConn()
	}
	sc, ok := c.(syscall.Conn)
	if !ok {
		return true
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	quiet := false
	err = raw.Read(func(fd uintptr) bool {
		var b [1]byte
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		quiet = errors.Is(err, syscall.EAGAIN)
		return true
	})
	return err == nil && quiet
}
