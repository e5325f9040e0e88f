package hop

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// MaxMessage bounds one JSON message in either direction.
const MaxMessage = 64 << 10

// ErrMessage is returned for a message that is longer than [MaxMessage].
var ErrMessage = errors.New("message longer than its limit")

// WriteMessage sends v as JSON behind its big-endian uint32 length.
func WriteMessage(w io.Writer, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if len(b) > MaxMessage {
		return fmt.Errorf("%w: %d bytes", ErrMessage, len(b))
	}
	buf := make([]byte, 4, 4+len(b))
	binary.BigEndian.PutUint32(buf, uint32(len(b)))
	_, err = w.Write(append(buf, b...))
	return err
}

// ReadMessage reads one message into v. The other end is not trusted.
func ReadMessage(r io.Reader, v any) error {
	var h [4]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(h[:])
	if n > MaxMessage {
		return ErrMessage
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("message is not the JSON that belongs here: %w", err)
	}
	return nil
}

// Answer is the message that opens or ends a reply: either a failure or a
// body of the kind that the request asks for.
type Answer struct {
	Failure *RemoteError    `json:"failure,omitempty"`
	Body    json.RawMessage `json:"body,omitempty"`
}

// RemoteError is why the helper did not do what it was asked. Its text comes
// from the guest and is cleaned and cut when it is read.
type RemoteError struct {
	Message string `json:"message"`
	Code    string `json:"code,omitempty"`
}

func (e *RemoteError) Error() string { return e.Message }

// WriteAnswer sends body as a good answer.
func WriteAnswer(w io.Writer, body any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return WriteMessage(w, Answer{Body: b})
}

// WriteFailure sends err as a failure, with the code it carries.
func WriteFailure(w io.Writer, err error) error {
	var re *RemoteError
	if !errors.As(err, &re) {
		re = &RemoteError{Message: err.Error(), Code: CodeInternal}
	}
	return WriteMessage(w, Answer{Failure: &RemoteError{Message: Clean(re.Message, maxText), Code: re.Code}})
}

// ReadAnswer reads one answer; body may be nil. A failure is returned as a
// [*RemoteError].
func ReadAnswer(r io.Reader, body any) error {
	var a Answer
	if err := ReadMessage(r, &a); err != nil {
		return err
	}
	if a.Failure != nil {
		return &RemoteError{Message: Clean(a.Failure.Message, maxText), Code: Clean(a.Failure.Code, 32)}
	}
	if body == nil {
		return nil
	}
	if err := json.Unmarshal(a.Body, body); err != nil {
		return fmt.Errorf("answer is not the JSON that belongs here: %w", err)
	}
	return nil
}
