package hop

import (
	"io"
	"net"
	"testing"

	"golang.org/x/sync/errgroup"
)

func TestStreamsOpenedAtOnceAreNoAttack(t *testing.T) {
	inner, outer := net.Pipe()
	guest, host := newMux(inner, true, Limits{}), newMux(outer, false, Limits{})
	defer host.close(net.ErrClosed)
	defer guest.close(net.ErrClosed)

	// As many as may be opened in one burst, from as many goroutines.
	const streams = 60
	var group errgroup.Group
	for range streams {
		group.Go(func() error {
			s, err := guest.open(t.Context(), Egress)
			if err == nil {
				guest.opened()
				_ = s.Close()
			}
			return err
		})
	}
	for range streams {
		if _, err := host.accept(); err != nil {
			t.Fatal(err)
		}
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
}

// An end that is asked for while a frame is being written goes out after it.
func TestAnEndWaitsForTheFrameThatIsBeingWritten(t *testing.T) {
	inner, outer := net.Pipe()
	m := newMux(outer, false, Limits{})
	defer m.close(net.ErrClosed)
	s := &Stream{}
	opened := make(chan struct{})
	go func() {
		defer close(opened)
		s, _ = m.open(t.Context(), Forward)
	}()
	read := func() head {
		b := make([]byte, headSize)
		if _, err := io.ReadFull(inner, b); err != nil {
			t.Fatal(err)
		}
		h := parseHead(b)
		if _, err := io.CopyN(io.Discard, inner, int64(h.body())); err != nil {
			t.Fatal(err)
		}
		return h
	}
	for read().kind != typeData { // the frame that opens it, then its type
	}
	<-opened
	s.mu.Lock()
	s.flying = true
	s.mu.Unlock()
	if err := s.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	m.wire.cmu.Lock()
	early := len(m.wire.control)
	m.wire.cmu.Unlock()
	if early != 0 || m.gate.lanes[s.id].sentFIN {
		t.Error("the end is on its way before the frame")
	}
	s.landed()
	if h := read(); h.flags != flagFIN {
		t.Errorf("what follows is %+v", h)
	}
}
