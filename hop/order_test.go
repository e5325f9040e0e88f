package hop

import (
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
