package hop

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"bottlebar.app/hop/transfer"
	"bottlebar.app/internal/frame"
)

// Send unpacks a tar stream, as [transfer.Pack] writes it, in the guest. If
// reading it fails, or ctx ends, nothing of it stays there.
func (s *Session) Send(ctx context.Context, r SendRequest, tar io.Reader) (SendReply, error) {
	var reply SendReply
	st, err := s.call(ctx, Send, r)
	if err != nil {
		return reply, err
	}
	defer func() { _ = st.Close() }()
	err = s.first(ctx, st, askTimeout, func() error { return ReadAnswer(st, nil) })
	if err != nil {
		return reply, err
	}
	stop := context.AfterFunc(ctx, st.Reset)
	defer stop()

	// The guest may answer before the stream is over: its disk is full.
	answer := make(chan error, 1)
	go func() { answer <- ReadAnswer(st, &reply) }()
	sent := make(chan error, 1)
	go func() { sent <- pour(st, tar) }()
	select {
	case err = <-sent:
		if err != nil {
			var re *readError
			if errors.As(err, &re) {
				st.Reset()
				<-answer
				return reply, ended(ctx, re.error)
			}
		}
		err = <-answer
	case err = <-answer:
		if err == nil {
			err = <-sent
			break
		}
		st.Reset()
	}
	for i := range reply.Paths {
		if !validGuestPath(reply.Paths[i]) {
			return SendReply{}, fmt.Errorf("%w: the path of a file", ErrAnswer)
		}
	}
	if err != nil {
		return SendReply{}, ended(ctx, err)
	}
	return reply, nil
}

// readError marks a failure of the source, as opposed to one of the session.
type readError struct{ error }

func pour(st *Stream, tar io.Reader) error {
	buf := make([]byte, MaxPiece)
	for {
		n, err := tar.Read(buf)
		if n > 0 {
			if _, werr := st.Write(buf[:n]); werr != nil {
				return werr
			}
		}
		if errors.Is(err, io.EOF) {
			return st.CloseWrite()
		}
		if err != nil {
			return &readError{err}
		}
	}
}

// validGuestPath refuses what the helper never answers. The path may still
// hold control characters: whoever types or shows it must see to that.
func validGuestPath(p string) bool {
	if len(p) == 0 || len(p) > 4096 || p[0] != '/' {
		return false
	}
	for i := range len(p) {
		if p[i] == 0 {
			return false
		}
	}
	return true
}

// Download is a tar stream that comes from the guest. Reading it gives
// io.EOF only if the guest said that it is whole.
type Download struct {
	cmd    *Command
	rest   []byte
	done   bool
	report transfer.Report
}

// Receive fetches files and folders as one tar stream, for
// [transfer.Unpack]. What is in it is hostile.
func (s *Session) Receive(ctx context.Context, r ReceiveRequest) (*Download, error) {
	c, err := s.start(ctx, Receive, r)
	if err != nil {
		return nil, err
	}
	return &Download{cmd: c}, nil
}

// Read implements io.Reader.
func (d *Download) Read(p []byte) (int, error) {
	for len(d.rest) == 0 {
		if d.done {
			return 0, io.EOF
		}
		kind, b, err := d.cmd.Next()
		if err != nil {
			return 0, err
		}
		switch kind {
		case frame.Stdout:
			d.rest = b
		case frame.Stderr:
			if err := json.Unmarshal(b, &d.report); err != nil {
				return 0, fmt.Errorf("%w: %w", ErrAnswer, err)
			}
		case frame.Exit:
			d.done = true
		case frame.Error:
			return 0, failure(b)
		}
	}
	n := copy(p, d.rest)
	d.rest = d.rest[n:]
	return n, nil
}

// Report is what the guest says it left out. It is complete after io.EOF;
// its texts come from the guest.
func (d *Download) Report() transfer.Report {
	r := d.report
	r.Skipped = make([]transfer.Skipped, 0, len(d.report.Skipped))
	for _, sk := range d.report.Skipped {
		r.Skipped = append(r.Skipped, transfer.Skipped{Path: Clean(sk.Path, 255), Reason: Clean(sk.Reason, maxText)})
	}
	r.Top = nil
	return r
}

// Close gives up on what has not been read.
func (d *Download) Close() error { return d.cmd.Close() }
