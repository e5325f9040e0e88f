package screen

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"bottlebar.app/control"
	"bottlebar.app/internal/fault"
	"bottlebar.app/internal/frame"
	"bottlebar.app/terminal"
)

// sessions answers the session windows.
type sessions struct{ *screen }

func (s sessions) CopyIn(ctx context.Context, bottle string, paths []string, progress func(done, total int64)) ([]string, error) {
	return copier(s).CopyIn(ctx, bottle, paths, progress)
}

// Attach joins a session. Its bytes cross a pipe in this process as the frames
// that the command line gets, so there is one way into a bottle.
func (s sessions) Attach(ctx context.Context, bottle, name string, cols, rows int) (terminal.Conn, error) {
	ours, theirs := net.Pipe()
	run, cancel := context.WithCancel(s.ctx)
	c := &conn{pipe: ours, in: frame.NewReader(ours), out: frame.NewWriter(ours), cancel: cancel}
	req := control.AttachRequest{Session: name, Size: frame.Size{Cols: uint16(cols), Rows: uint16(rows)}, Again: true} //nolint:gosec // a window's size in cells
	ended := make(chan error, 1)
	s.work.Go(func() {
		err := s.app.Attach(run, bottle, req, theirs)
		ended <- err
		_ = theirs.Close()
	})
	ready := make(chan error, 1)
	go func() { ready <- c.first() }()
	select {
	case err := <-ready:
		if err == nil {
			return c, nil
		}
		_ = c.Close()
		if failed := <-ended; failed != nil {
			return nil, failed
		}
		return nil, err
	case <-ctx.Done():
		_ = c.Close()
		<-ready
		return nil, ctx.Err()
	}
}

// conn is one viewer of a session as the terminal widget wants it.
type conn struct {
	pipe   net.Conn
	in     *frame.Reader
	out    *frame.Writer
	cancel context.CancelFunc
	rest   []byte

	mu     sync.Mutex
	status *frame.Status
}

// first waits until the viewer is there.
func (c *conn) first() error {
	kind, p, err := c.in.Next()
	switch {
	case err != nil:
		return err
	case kind == frame.Error:
		return failure(p)
	case kind != frame.Ready:
		return fmt.Errorf("frame %q before the session's first", kind)
	}
	return nil
}

func failure(p []byte) error {
	var f frame.Failure
	if err := json.Unmarshal(p, &f); err != nil {
		return err
	}
	return &fault.Error{Why: f.Message, Cure: f.Cure, Err: &f}
}

// Read implements terminal.Conn: what the session shows, io.EOF at its end.
func (c *conn) Read(p []byte) (int, error) {
	for len(c.rest) == 0 {
		c.mu.Lock()
		over := c.status != nil
		c.mu.Unlock()
		if over {
			return 0, io.EOF
		}
		kind, b, err := c.in.Next()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF // an end without a status: the viewer was cut off
			}
			return 0, err
		}
		switch kind {
		case frame.Stdout, frame.Stderr:
			c.rest = b
		case frame.Exit:
			st := new(frame.Status)
			if err := json.Unmarshal(b, st); err != nil {
				return 0, err
			}
			c.mu.Lock()
			c.status = st
			c.mu.Unlock()
		case frame.Error:
			return 0, failure(b)
		}
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// Write implements terminal.Conn: what the person types.
func (c *conn) Write(p []byte) (int, error) { return c.out.Stream(frame.Stdin).Write(p) }

// Resize implements terminal.Conn.
func (c *conn) Resize(cols, rows int) error {
	return c.out.WriteJSON(frame.Resize, frame.Size{Cols: uint16(cols), Rows: uint16(rows)}) //nolint:gosec // a window's size in cells
}

// Close implements terminal.Conn; the session goes on.
func (c *conn) Close() error {
	c.cancel()
	return c.pipe.Close()
}

// ExitCode implements session.Exiter.
func (c *conn) ExitCode() (code int, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.status == nil {
		return 0, false
	}
	return c.status.Code, true
}
