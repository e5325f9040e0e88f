package sidecar

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
)

// maxStreams is how many of a bottle's streams are carried at once; one more
// waits. The sidecar's own limits are higher, so that this one is met first.
const maxStreams = 512

// Traffic counts what a Relay carried.
type Traffic struct {
	Streams atomic.Int64 // ever
	Now     atomic.Int64 // at this moment
	Up      atomic.Int64 // bytes from the bottle
	Down    atomic.Int64 // bytes to the bottle
}

// Relay carries src's streams to s, each over a connection of its own, until
// ctx ends, src ends or s dies; then it closes all of them, waits for that,
// and says which it was: ctx's error, src's, or ErrGone. t may be nil.
func Relay(ctx context.Context, src Source, s *Sidecar, t *Traffic) error {
	if t == nil {
		t = new(Traffic)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel(nil)
	stop := make(chan struct{})
	defer close(stop)
	wg.Go(func() {
		select {
		case <-s.Done():
			cancel(s.gone())
		case <-stop:
		}
	})
	slots := make(chan struct{}, maxStreams)
	for {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		stream, err := src.Accept(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return err
		}
		wg.Go(func() {
			defer func() { <-slots }()
			carry(ctx, stream, s, t)
		})
	}
}

// carry copies one stream both ways. The end of one direction is passed on;
// the other goes on.
func carry(ctx context.Context, stream Stream, s *Sidecar, t *Traffic) {
	t.Streams.Add(1)
	t.Now.Add(1)
	defer t.Now.Add(-1)
	defer stream.Close()
	conn, err := s.Dial(ctx)
	if err != nil {
		return
	}
	defer conn.Close()
	closeBoth := func() { abortLink(conn); stream.Close() }
	defer context.AfterFunc(ctx, closeBoth)()
	var wg sync.WaitGroup
	wg.Go(func() {
		if n, err := copyTo(conn, stream, &t.Up); err != nil || conn.(*link).CloseWrite() != nil {
			_ = n
			closeBoth()
		}
	})
	if _, err := copyTo(stream, conn, &t.Down); err != nil || stream.CloseWrite() != nil {
		closeBoth()
	}
	wg.Wait()
}

func abortLink(c net.Conn) {
	if l, ok := c.(*link); ok {
		abort(l.Conn)
	}
	c.Close()
}

var relayBuffers = sync.Pool{New: func() any { return new([64 << 10]byte) }}

func copyTo(dst io.Writer, src io.Reader, count *atomic.Int64) (int64, error) {
	buf := relayBuffers.Get().(*[64 << 10]byte)
	defer relayBuffers.Put(buf)
	var total int64
	for {
		n, err := src.Read(buf[:])
		if n > 0 {
			w, werr := dst.Write(buf[:n])
			total += int64(w)
			count.Add(int64(w))
			if werr != nil {
				return total, werr
			}
		}
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}
