package hop

import (
	"net"
	"testing"

	"golang.org/x/sync/errgroup"
)

func TestStreamsOpenedAtOnceAreNoAttack(t *testing.T) {
	inner, outer := net.Pipe()
	type made struct {
		m   *mux
		err error
	}
	other := make(chan made, 1)
	go func() {
		m, err := newMux(inner, true, Limits{}, func(string) {})
		other <- made{m, err}
	}()
	host, err := newMux(outer, false, Limits{}, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	defer host.close(net.ErrClosed)
	guest := <-other
	if guest.err != nil {
		t.Fatal(guest.err)
	}
	defer guest.m.close(net.ErrClosed)

	// As many as may be opened in one burst, from as many goroutines.
	const streams = 60
	var group errgroup.Group
	for range streams {
		group.Go(func() error {
			s, err := guest.m.open(t.Context(), Egress)
			if err == nil {
				guest.m.opened()
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
