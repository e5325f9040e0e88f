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

// Command is a command that runs in the guest, as frames in both directions.
// They can be passed on unopened, or used through the methods.
type Command struct {
	stream *Stream
	in     *frame.Writer
	out    *frame.Reader
	stop   func() bool
	once   sync.Once
	ready  []byte
}

// Exec starts a command. It returns once the command runs; a
// [*frame.Failure] says why it does not. When ctx ends, or the Command is
// closed before its end, the command and its children are killed.
func (s *Session) Exec(ctx context.Context, r ExecRequest) (*Command, error) {
	return s.start(ctx, Exec, r)
}

func (s *Session) start(ctx context.Context, t Type, r any) (*Command, error) {
	st, err := s.call(ctx, t, r)
	if err != nil {
		return nil, err
	}
	c := &Command{stream: st, in: frame.NewWriter(st), out: frame.NewReader(st)}
	err = s.first(ctx, st, askTimeout, func() error {
		kind, p, err := c.out.Next()
		switch {
		case err != nil:
			return err
		case kind == frame.Error:
			return failure(p)
		case kind != frame.Ready:
			return fmt.Errorf("%w: frame %q before the command runs", ErrAnswer, kind)
		}
		c.ready = append([]byte(nil), p...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	c.stop = context.AfterFunc(ctx, st.Reset)
	return c, nil
}

// ErrAnswer is returned for an answer that the helper never gives.
var ErrAnswer = errors.New("the helper's answer makes no sense")

// failure reads the payload of an Error frame; its text is cleaned.
func failure(p []byte) error {
	var f frame.Failure
	if err := json.Unmarshal(p, &f); err != nil {
		return fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	return &frame.Failure{Message: Clean(f.Message, maxText), Cure: Clean(f.Cure, maxText), Code: Clean(f.Code, 32)}
}

// Next returns the next frame of the command: Stdout, Stderr, and at last
// Exit or Error, after which it returns io.EOF. The payload is valid until
// the next call.
func (c *Command) Next() (frame.Kind, []byte, error) {
	kind, p, err := c.out.Next()
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		// An end of the stream is never the end of a command: that is a frame.
		err = fmt.Errorf("%w: the stream ended before the command", ErrAnswer)
	}
	if err == nil && (kind == frame.Exit || kind == frame.Error) {
		c.finish()
	}
	return kind, p, err
}

// Send sends one frame to the command: Stdin, CloseStdin, Resize or Signal.
func (c *Command) Send(kind frame.Kind, p []byte) error { return c.in.Write(kind, p) }

// Write gives the command input.
func (c *Command) Write(p []byte) (int, error) { return c.in.Stream(frame.Stdin).Write(p) }

// CloseStdin ends the command's input.
func (c *Command) CloseStdin() error { return c.in.Write(frame.CloseStdin, nil) }

// Resize sets the size of the command's terminal.
func (c *Command) Resize(size frame.Size) error { return c.in.WriteJSON(frame.Resize, size) }

// Signal sends a signal, such as "INT", to the command and its children.
func (c *Command) Signal(name string) error { return c.in.Write(frame.Signal, []byte(name)) }

// Run copies the command's output until it ends, and returns how. Either
// writer may be nil.
func (c *Command) Run(stdout, stderr io.Writer) (frame.Status, error) {
	for {
		kind, p, err := c.Next()
		if err != nil {
			return frame.Status{}, err
		}
		w := stdout
		switch kind {
		case frame.Exit:
			return status(p)
		case frame.Error:
			return frame.Status{}, failure(p)
		case frame.Stderr:
			w = stderr
		case frame.Stdout:
		default:
			continue
		}
		if w == nil {
			continue
		}
		if _, err := w.Write(p); err != nil {
			_ = c.Close()
			return frame.Status{}, err
		}
	}
}

func status(p []byte) (frame.Status, error) {
	var st frame.Status
	if err := json.Unmarshal(p, &st); err != nil {
		return st, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	st.Signal = Clean(st.Signal, 16)
	return st, nil
}

// Result is what a command left when it ended.
type Result struct {
	frame.Status
	Stdout, Stderr []byte
	Cut            bool // there was more than the limit
}

// Output runs a command without input and collects what it writes, at most
// limit bytes of each stream; the rest is thrown away.
func (s *Session) Output(ctx context.Context, r ExecRequest, limit int) (Result, error) {
	var res Result
	c, err := s.Exec(ctx, r)
	if err != nil {
		return res, err
	}
	defer func() { _ = c.Close() }()
	if err := c.CloseStdin(); err != nil {
		return res, ended(ctx, err)
	}
	out, errs := capped{limit: limit}, capped{limit: limit}
	res.Status, err = c.Run(&out, &errs)
	res.Stdout, res.Stderr, res.Cut = out.b, errs.b, out.cut || errs.cut
	if err != nil {
		return res, ended(ctx, err)
	}
	return res, nil
}

type capped struct {
	b     []byte
	limit int
	cut   bool
}

func (c *capped) Write(p []byte) (int, error) {
	n := min(len(p), c.limit-len(c.b))
	c.b = append(c.b, p[:n]...)
	c.cut = c.cut || n < len(p)
	return len(p), nil
}

func (c *Command) finish() {
	c.once.Do(func() {
		c.stop()
		_ = c.stream.Close()
	})
}

// Close gives up on the command: if it still runs, it is killed.
func (c *Command) Close() error {
	c.once.Do(func() {
		c.stop()
		c.stream.Reset()
	})
	return nil
}
