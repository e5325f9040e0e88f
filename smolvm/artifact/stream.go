package artifact

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
)

// stream is a sequence of bytes of which most are skipped.
type stream interface {
	io.Reader
	// Skip passes over n bytes; io.ErrUnexpectedEOF when there are fewer.
	Skip(n int64) error
}

// decoded is the uncompressed assets: bounded, and ended by its context.
type decoded struct {
	br   *bufio.Reader
	left int64
}

func newDecoded(ctx context.Context, r io.Reader) *decoded {
	return &decoded{br: bufio.NewReaderSize(&cancelable{ctx, r}, 256<<10), left: maxStream}
}

func (d *decoded) Read(p []byte) (int, error) {
	if d.left <= 0 {
		return 0, errTooLarge()
	}
	n, err := d.br.Read(p[:min(int64(len(p)), d.left)])
	d.left -= int64(n)
	return n, err
}

func (d *decoded) Skip(n int64) error {
	if n > d.left {
		return errTooLarge()
	}
	d.left -= n
	// In steps, since an int has 32 bits on some machines.
	for n > 0 {
		step := min(n, 1<<30)
		if _, err := d.br.Discard(int(step)); err != nil {
			return unexpected(err)
		}
		n -= step
	}
	return nil
}

type cancelable struct {
	ctx context.Context
	r   io.Reader
}

func (c *cancelable) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// section is the next left bytes of in.
type section struct {
	in   stream
	left int64
}

func (s *section) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	n, err := s.in.Read(p[:min(int64(len(p)), s.left)])
	s.left -= int64(n)
	if s.left > 0 {
		err = unexpected(err)
	}
	return n, err
}

func (s *section) Skip(n int64) error {
	if n > s.left {
		return io.ErrUnexpectedEOF
	}
	s.left -= n
	return s.in.Skip(n)
}

// span is a stretch of a sparse file that is stored.
type span struct{ off, len int64 }

// sparse is a sparse file as its reader sees it: zeros between the spans,
// whose bytes follow each other in in.
type sparse struct {
	in    stream
	spans []span
	pos   int64
	size  int64
}

// piece returns how far the stretch at pos goes and whether it is stored.
func (s *sparse) piece() (n int64, stored bool) {
	for len(s.spans) > 0 && s.pos >= s.spans[0].off+s.spans[0].len {
		s.spans = s.spans[1:]
	}
	if len(s.spans) == 0 {
		return s.size - s.pos, false
	}
	if next := s.spans[0]; s.pos < next.off {
		return next.off - s.pos, false
	}
	return s.spans[0].off + s.spans[0].len - s.pos, true
}

func (s *sparse) Read(p []byte) (int, error) {
	n, stored := s.piece()
	if n == 0 {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), n)]
	if !stored {
		clear(p)
		s.pos += int64(len(p))
		return len(p), nil
	}
	k, err := s.in.Read(p)
	s.pos += int64(k)
	return k, unexpected(err)
}

func (s *sparse) Skip(n int64) error {
	for n > 0 {
		step, stored := s.piece()
		if step == 0 {
			return io.ErrUnexpectedEOF
		}
		step = min(step, n)
		if stored {
			if err := s.in.Skip(step); err != nil {
				return err
			}
		}
		s.pos += step
		n -= step
	}
	return nil
}

// unexpected turns an end into one that came too early.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// onlyZeros reads r to its end; false at the first byte that is not zero.
func onlyZeros(r io.Reader) (bool, error) {
	buf, zeros := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		n, err := r.Read(buf)
		if !bytes.Equal(buf[:n], zeros[:n]) {
			return false, nil
		}
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
	}
}
