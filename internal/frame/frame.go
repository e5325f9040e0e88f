// Package frame is the wire format of a running command: what it reads and
// writes, its window size, its signals and its end, over one byte stream.
// The hop uses it between app and helper, control between app and command
// line, so a frame can pass from one to the other unopened.
//
// A frame is one kind byte, a big-endian uint32 payload length of at most
// [MaxPayload], and the payload.
package frame

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Kind says what a frame's payload is.
type Kind byte

// The kinds. Stdin, Resize, Signal and CloseStdin go towards the command, the
// others come from it; Exit or Error is the last frame of its direction.
const (
	Stdin      Kind = 'i' // bytes for the command's input
	CloseStdin Kind = 'c' // end of input; no payload
	Resize     Kind = 'w' // Size as JSON
	Signal     Kind = 's' // name such as "INT", as text
	Stdout     Kind = 'o' // bytes
	Stderr     Kind = 'e' // bytes
	Exit       Kind = 'x' // Status as JSON
	Error      Kind = 'f' // Failure as JSON: the command did not run, or its end is unknown
	Ready      Kind = 'r' // the command runs; payload is JSON of the opener's choice
)

// MaxPayload bounds one frame; longer writes are cut into several.
const MaxPayload = 32 << 10

// Size is a terminal's size in cells.
type Size struct {
	Cols uint16 `json:"cols"`
	Rows uint16 `json:"rows"`
}

// Status is how a command ended: its exit code, or 128+N and the signal's name.
type Status struct {
	Code   int    `json:"code"`
	Signal string `json:"signal,omitempty"`
	// TimedOut says that the deadline given with the request ended it.
	TimedOut bool `json:"timed_out,omitempty"`
}

// Failure is why a command did not run.
type Failure struct {
	Message string `json:"message"`
	Cure    string `json:"cure,omitempty"`
	Code    string `json:"code,omitempty"` // a word that callers branch on, such as "not-found"
}

func (f *Failure) Error() string { return f.Message }

// Writer writes frames. It is safe for concurrent use.
type Writer struct {
	mu  sync.Mutex
	w   io.Writer
	buf []byte
}

// NewWriter returns a Writer on w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Write sends p as one frame, or as several where it is longer than MaxPayload.
func (w *Writer) Write(kind Kind, p []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for first := true; first || len(p) > 0; first = false {
		n := min(len(p), MaxPayload)
		w.buf = append(w.buf[:0], byte(kind), 0, 0, 0, 0)
		binary.BigEndian.PutUint32(w.buf[1:], uint32(n))
		w.buf = append(w.buf, p[:n]...)
		if _, err := w.w.Write(w.buf); err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// WriteJSON sends v as the payload of one frame.
func (w *Writer) WriteJSON(kind Kind, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if len(b) > MaxPayload {
		return fmt.Errorf("frame of kind %q is %d bytes, the limit is %d", kind, len(b), MaxPayload)
	}
	return w.Write(kind, b)
}

// Stream returns an io.Writer whose bytes become frames of one kind.
func (w *Writer) Stream(kind Kind) io.Writer { return stream{w, kind} }

type stream struct {
	w    *Writer
	kind Kind
}

func (s stream) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if err := s.w.Write(s.kind, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// ErrTooLong is returned for a frame that claims more than MaxPayload.
var ErrTooLong = errors.New("frame longer than its limit")

// Reader reads frames. The other end is not trusted.
type Reader struct {
	r   io.Reader
	buf []byte
}

// NewReader returns a Reader on r.
func NewReader(r io.Reader) *Reader { return &Reader{r: r} }

// Next returns the next frame. The payload is valid until the next call.
// At a clean end it returns io.EOF, inside a frame io.ErrUnexpectedEOF.
func (r *Reader) Next() (Kind, []byte, error) {
	var h [5]byte
	if _, err := io.ReadFull(r.r, h[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(h[1:])
	if n > MaxPayload {
		return 0, nil, ErrTooLong
	}
	if cap(r.buf) < int(n) {
		r.buf = make([]byte, MaxPayload)
	}
	b := r.buf[:n]
	if _, err := io.ReadFull(r.r, b); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, err
	}
	return Kind(h[0]), b, nil
}
