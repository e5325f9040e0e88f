package hop

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"
)

// Incoming is a stream that the guest opened.
type Incoming struct {
	Type    Type // Egress or Event
	*Stream      // of Egress: the proxy's client
	Event   EventMessage
	done    chan struct{}
}

// Accept waits for the next stream of the guest. Streams wait, up to the
// limit of 512, when nobody accepts.
func (s *Session) Accept(ctx context.Context) (*Incoming, error) {
	select {
	case in := <-s.incoming:
		return in, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.Done():
		return nil, s.mux.lost()
	}
}

// offer reads what a guest's stream is and hands it to Accept.
func (s *Session) offer(st *Stream) {
	t, err := st.readType()
	if err != nil {
		st.Reset()
		return
	}
	in := &Incoming{Type: t, Stream: st, done: make(chan struct{})}
	switch t {
	case Egress:
	case Event:
		_ = st.SetReadDeadline(time.Now().Add(openTimeout))
		if err := ReadMessage(st, &in.Event); err != nil {
			st.Reset()
			return
		}
		_ = st.SetReadDeadline(time.Time{})
		in.Event.Name = Clean(in.Event.Name, 64)
		s.wg.Go(in.watch)
	default:
		st.Reset()
		s.mux.wire.fail(&Breach{What: "type of a stream", Number: int64(t)})
		return
	}
	select {
	case s.incoming <- in:
	case <-s.Done():
		st.Reset()
	}
}

// watch notices that the guest's hook is gone.
func (in *Incoming) watch() {
	defer close(in.done)
	var b [1]byte
	if _, err := in.Read(b[:]); errors.Is(err, io.EOF) {
		return
	}
	in.Reset()
}

// Gone is closed when the hook that sent an event waits no longer.
func (in *Incoming) Gone() <-chan struct{} { return in.done }

// Reply answers an event with what its hook is to print, and closes it.
// An empty body makes the hook print nothing.
func (in *Incoming) Reply(body json.RawMessage) error {
	defer func() { _ = in.Close() }()
	_ = in.SetWriteDeadline(time.Now().Add(openTimeout))
	return WriteAnswer(in, body)
}
