package guest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"bottlebar.app/hop"
	"bottlebar.app/internal/noway"
)

// Bounds of the bridge, each below what the app's gate allows: a bottle that
// is merely busy must never look like one that attacks.
const (
	maxBridged  = 256
	bridgeRate  = 5 * time.Millisecond // a connection each, once the burst is used up
	bridgeBurst = 200
	bridgeWait  = 10 * time.Second // for a session, while the app restarts
)

// bridge carries each connection to the proxy as one stream.
func (h *helper) bridge(ctx context.Context, ln net.Listener) {
	slots := make(chan struct{}, maxBridged)
	pace := pacer{burst: bridgeBurst, every: bridgeRate}
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		conn, err := ln.Accept()
		if err != nil {
			<-slots
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			pause(ctx, 100*time.Millisecond) // out of descriptors
			continue
		}
		pause(ctx, pace.next(time.Now()))
		wg.Go(func() {
			defer func() { <-slots }()
			h.carry(ctx, conn)
		})
	}
}

// pacer spreads what comes faster than one per interval, after a burst.
type pacer struct {
	burst int
	every time.Duration
	due   time.Time
}

func (p *pacer) next(now time.Time) time.Duration {
	floor := now.Add(-time.Duration(p.burst) * p.every)
	if p.due.Before(floor) {
		p.due = floor
	}
	p.due = p.due.Add(p.every)
	return p.due.Sub(now)
}

func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// carry joins one connection and one stream.
func (h *helper) carry(ctx context.Context, conn net.Conn) {
	defer func() { _ = conn.Close() }()
	open, cancel := context.WithTimeout(ctx, bridgeWait)
	st, err := h.open(open, hop.Egress)
	cancel()
	if err != nil {
		unavailable(conn)
		return
	}
	join(ctx, conn.(*net.TCPConn), st)
}

// unavailable tells a proxy's client why it gets nothing.
func unavailable(conn net.Conn) {
	_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
	_ = noway.Say(conn, "This bottle is not connected to Bottlebar at the moment. Its way out returns when the app runs again.")
}

// join copies both ways until both directions have ended. An end on one side
// is passed on as an end of that direction, a failure as a reset of both.
func join(ctx context.Context, conn *net.TCPConn, st *hop.Stream) {
	abort := func() {
		st.Reset()
		_ = conn.SetLinger(0)
		_ = conn.Close()
	}
	over := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case <-over:
		case <-st.Aborted():
			abort()
		case <-ctx.Done():
			abort()
		}
	})
	up := make(chan error, 1)
	go func() {
		err := pour(st, conn)
		if err == nil {
			err = st.CloseWrite()
		}
		if err != nil {
			abort()
		}
		up <- err
	}()
	err := pour(conn, st)
	if err == nil {
		err = conn.CloseWrite()
	}
	if err != nil {
		abort()
	}
	<-up
	close(over)
	wg.Wait()
	_ = st.Close()
}

// The connection's splicing fast paths do not apply to streams.
type (
	onlyWriter struct{ io.Writer }
	onlyReader struct{ io.Reader }
)

var pourBuffers = sync.Pool{New: func() any { return new([hop.MaxPiece]byte) }}

// pour copies until src ends.
func pour(dst io.Writer, src io.Reader) error {
	buf := pourBuffers.Get().(*[hop.MaxPiece]byte)
	defer pourBuffers.Put(buf)
	_, err := io.CopyBuffer(onlyWriter{dst}, onlyReader{src}, buf[:])
	return err
}

// forward serves one stream of type Forward.
func (h *helper) forward(ctx context.Context, st *hop.Stream) {
	var req hop.ForwardRequest
	if err := hop.ReadRequest(st, &req); err != nil {
		st.Reset()
		return
	}
	conn, err := dialLoopback(ctx, req.Port)
	if err != nil {
		_ = hop.WriteFailure(st, err)
		_ = st.Close()
		return
	}
	defer func() { _ = conn.Close() }()
	if err := hop.WriteAnswer(st, struct{}{}); err != nil {
		st.Reset()
		return
	}
	join(ctx, conn, st)
}

func dialLoopback(ctx context.Context, port uint16) (*net.TCPConn, error) {
	d := net.Dialer{Timeout: 3 * time.Second}
	for _, host := range []string{"127.0.0.1", "::1"} {
		conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(host, fmt.Sprint(port)))
		if err == nil {
			return conn.(*net.TCPConn), nil
		}
	}
	return nil, &hop.RemoteError{Code: hop.CodeUnreached, Message: fmt.Sprintf("nobody listens on port %d in the bottle", port)}
}
