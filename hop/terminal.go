package hop

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"bottlebar.app/internal/frame"
)

// Terminal is one viewer of a terminal that the helper keeps. Reading gives
// what the screen shows, first a redraw of it as it is. Closing it leaves
// the command running.
type Terminal struct {
	cmd   *Command
	reply AttachReply
	rest  []byte

	mu     sync.Mutex
	status *frame.Status
}

// Attach opens a viewer, and the terminal with it where the request says so.
func (s *Session) Attach(ctx context.Context, r AttachRequest) (*Terminal, error) {
	c, err := s.start(ctx, Attach, r)
	if err != nil {
		return nil, err
	}
	t := &Terminal{cmd: c}
	if err := json.Unmarshal(c.ready, &t.reply); err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	return t, nil
}

// Reply is what the helper said when the viewer was opened.
func (t *Terminal) Reply() AttachReply { return t.reply }

// Command gives the viewer as frames, for who passes them on unopened. Use
// either it or Read.
func (t *Terminal) Command() *Command { return t.cmd }

// Read gives what the terminal shows; io.EOF once its command has ended.
func (t *Terminal) Read(p []byte) (int, error) {
	for len(t.rest) == 0 {
		if t.Status() != nil {
			return 0, io.EOF
		}
		kind, b, err := t.cmd.Next()
		if err != nil {
			return 0, err
		}
		switch kind {
		case frame.Stdout, frame.Stderr:
			t.rest = b
		case frame.Exit:
			st, err := status(b)
			if err != nil {
				return 0, err
			}
			t.mu.Lock()
			t.status = &st
			t.mu.Unlock()
		case frame.Error:
			return 0, failure(b)
		}
	}
	n := copy(p, t.rest)
	t.rest = t.rest[n:]
	return n, nil
}

// Status is how the command ended; nil while it runs or Read has not come
// that far.
func (t *Terminal) Status() *frame.Status {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.status
}

// Write types into the terminal.
func (t *Terminal) Write(p []byte) (int, error) { return t.cmd.Write(p) }

// Resize tells the viewer's size. The terminal takes that of the viewer that
// typed last.
func (t *Terminal) Resize(size frame.Size) error { return t.cmd.Resize(size) }

// Close ends the viewer.
func (t *Terminal) Close() error { return t.cmd.Close() }

// KeeperRequest lists or closes terminals.
type KeeperRequest struct {
	Close string `json:"close,omitempty"` // a name; empty lists
}

// KeeperReply lists terminals.
type KeeperReply struct {
	Terminals []TerminalInfo `json:"terminals"`
}

// Terminals lists what the helper keeps, oldest first.
func (s *Session) Terminals(ctx context.Context) ([]TerminalInfo, error) {
	var reply KeeperReply
	err := s.ask(ctx, Keeper, askTimeout, KeeperRequest{}, &reply)
	for i := range reply.Terminals {
		reply.Terminals[i].Name = Clean(reply.Terminals[i].Name, 64)
	}
	return reply.Terminals, err
}

// CloseTerminal hangs up on a terminal's command, kills it after 3 s, and
// forgets its screen. A name that is not there is no error.
func (s *Session) CloseTerminal(ctx context.Context, name string) error {
	if name == "" {
		return errors.New("a terminal without a name cannot be closed")
	}
	return s.ask(ctx, Keeper, askTimeout, KeeperRequest{Close: name}, nil)
}
