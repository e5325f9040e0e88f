package sidecar

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"bottlebar.app/egress"
)

func TestFleetHandsOutTheWarmOneAndLeavesTheClaimedOnes(t *testing.T) {
	d := dockerDriver(t)
	ctx := testContext(t)
	f := NewFleet(d, FleetOptions{})
	f.Warm()
	s, err := f.Claim(ctx) // waits for the one that is being made
	if err != nil {
		t.Fatal(err)
	}
	got, err := d.cli.ContainerInspect(ctx, s.Handle().Container)
	if err != nil || got.Config.Labels[LabelRole] != RoleWarm || got.Name != "/bb-"+s.ID() {
		t.Errorf("labels = %v, %v", got.Config.Labels, err)
	}
	for name, want := range map[string]string{LabelSidecar: s.ID(), LabelApp: d.opt.App, LabelSchema: Schema} {
		if got.Config.Labels[name] != want {
			t.Errorf("%s = %q, want %q", name, got.Config.Labels[name], want)
		}
	}
	f.Warm() // the next one, which Close removes
	if gone, err := f.Sweep(ctx, nil); err != nil || len(gone) != 0 {
		t.Errorf("a sweep took %v, %v", gone, err)
	}
	if err := f.Close(ctx); err != nil {
		t.Error(err)
	}
	if n := left(t, d); n != 2 {
		t.Errorf("%d objects after Close, want the claimed one's 2", n)
	}
	if _, err := f.Claim(ctx); err == nil {
		t.Error("a closed fleet hands out sidecars")
	}
	if err := s.Close(ctx); err != nil {
		t.Error(err)
	}
}

func TestLeasesAreRenewedOnEachBeat(t *testing.T) {
	beat := make(chan time.Time)
	f := NewFleet(drivers(t)[KindProcess], FleetOptions{Beat: beat, Cold: true})
	s, err := f.Claim(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(t.Context())
	for range 3 {
		beat <- time.Now() // taken only when the one before was handled
	}
	if _, err := s.Stats(testContext(t)); err != nil {
		t.Error(err)
	}
	if err := f.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// pipes is a Source whose streams are made by dial.
type pipes struct{ in chan Stream }

func (p *pipes) Accept(ctx context.Context) (Stream, error) {
	select {
	case s, ok := <-p.in:
		if !ok {
			return nil, io.EOF
		}
		return s, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipes) dial(t *testing.T) *net.UnixConn {
	t.Helper()
	a, b, err := socketPair()
	if err != nil {
		t.Fatal(err)
	}
	ours, err := unixConn(a)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := unixConn(b)
	if err != nil {
		t.Fatal(err)
	}
	ours.SetDeadline(time.Now().Add(30 * time.Second))
	t.Cleanup(func() { ours.Close() })
	p.in <- theirs
	return ours
}

// origin answers what it hears, after it has heard its end.
func origin(t *testing.T) netip.AddrPort {
	t.Helper()
	ln, err := net.Listen("tcp", hostAddress(t)+":0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				b, _ := io.ReadAll(c)
				c.Write(b)
			})
		}
	})
	t.Cleanup(func() { ln.Close(); wg.Wait() })
	return netip.MustParseAddrPort(ln.Addr().String())
}

func TestRelayCarriesStreamsWithHalfCloseAndFailsClosed(t *testing.T) {
	for kind, d := range drivers(t) {
		t.Run(kind, func(t *testing.T) {
			ctx := testContext(t)
			s := start(t, d)
			to := origin(t)
			p := egress.Policy{Hosts: []egress.Rule{{Host: to.Addr().String(), Port: to.Port(), Private: true}}}
			if err := s.Configure(ctx, p, nil); err != nil {
				t.Fatal(err)
			}
			if err := s.Open(ctx); err != nil {
				t.Fatal(err)
			}
			src := &pipes{in: make(chan Stream)}
			var traffic Traffic
			ended := make(chan error, 1)
			go func() { ended <- Relay(ctx, src, s, &traffic) }()

			body := strings.Repeat("0123456789abcdef", 128<<10) // 2 MiB
			var wg sync.WaitGroup
			for range 8 {
				c := src.dial(t)
				wg.Go(func() {
					br := bufio.NewReader(c)
					fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: x\r\n\r\n", to)
					resp, err := http.ReadResponse(br, &http.Request{Method: http.MethodConnect})
					if err != nil || resp.StatusCode != 200 {
						t.Errorf("%v, %v", resp, err)
						return
					}
					io.WriteString(c, body)
					c.CloseWrite() // the origin answers only after this has arrived
					if got, err := io.ReadAll(br); err != nil || string(got) != body {
						t.Errorf("%d of %d bytes, %v", len(got), len(body), err)
					}
				})
			}
			wg.Wait()
			open := src.dial(t)
			fmt.Fprintf(open, "CONNECT %s HTTP/1.1\r\nHost: x\r\n\r\n", to)
			br := bufio.NewReader(open)
			if _, err := http.ReadResponse(br, &http.Request{Method: http.MethodConnect}); err != nil {
				t.Fatal(err)
			}
			if traffic.Streams.Load() != 9 || traffic.Up.Load() < 16<<20 || traffic.Down.Load() < 16<<20 {
				t.Errorf("traffic: %d streams, %d up, %d down", traffic.Streams.Load(), traffic.Up.Load(), traffic.Down.Load())
			}
			if err := s.Close(ctx); err != nil {
				t.Error(err)
			}
			if _, err := br.ReadByte(); err == nil {
				t.Error("a stream outlives the sidecar")
			}
			if err := <-ended; !errors.Is(err, ErrGone) {
				t.Errorf("Relay = %v", err)
			}
			if traffic.Now.Load() != 0 {
				t.Errorf("%d streams are still carried", traffic.Now.Load())
			}
		})
	}
}

func TestNetworksAvoidWhatThisComputerRoutes(t *testing.T) {
	pool := netip.MustParsePrefix(DefaultSubnet)
	free := candidates("abcdefgh", pool, nil)
	if len(free) != maxTries {
		t.Fatalf("%d candidates", len(free))
	}
	again := candidates("abcdefgh", pool, nil)
	seen := map[netip.Prefix]bool{}
	for i, p := range free {
		if p != again[i] || seen[p] || !pool.Overlaps(p) || p.Bits() != netBits || p != p.Masked() {
			t.Errorf("candidate %d is %s", i, p)
		}
		seen[p] = true
	}
	without := candidates("abcdefgh", pool, []netip.Prefix{free[0]})
	if without[0] != free[1] {
		t.Errorf("first is %s, want %s", without[0], free[1])
	}
	spare := candidates("abcdefgh", pool, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")})
	if len(spare) == 0 || !netip.MustParsePrefix(spareSubnet).Overlaps(spare[0]) {
		t.Errorf("with 10.0.0.0/8 routed: %v", spare)
	}
	for _, bad := range []string{"x", "10.0.0.0", "10.0.0.0/30", "10.0.0.0/4", "fd00::/16"} {
		if _, err := parsePool(bad); err == nil {
			t.Errorf("the pool %q is taken", bad)
		}
	}
}

func TestTakenSubnetsAreSteppedOver(t *testing.T) {
	d := dockerDriver(t)
	ctx := testContext(t)
	// Two networks that want the same piece: a pool of two pieces.
	pool := netip.MustParsePrefix("10.231.255.224/27")
	var made []string
	for i := range 3 {
		id := newID()
		n, err := createNetwork(ctx, d.cli, "bb-"+id, id, pool, d.labels(id, false))
		if err == nil {
			made = append(made, n)
		}
		// The interfaces of the first two are this computer's by then, so the
		// third comes out of the spare pool, or is refused in clear words.
		var full *SubnetError
		if err != nil && !errors.As(err, &full) {
			t.Errorf("network %d: %v", i, err)
		}
	}
	if len(made) < 2 {
		t.Errorf("%d networks", len(made))
	}
}

// An engine that was restarted has the ended container and its network still.
func TestASidecarThatEndedIsNotAdoptedAndNothingOfItStays(t *testing.T) {
	d := dockerDriver(t)
	ctx := testContext(t)
	s, err := d.Start(ctx, false)
	if err != nil {
		t.Fatal(err)
	}
	s.Release()
	timeout := 0
	if err := d.cli.ContainerStop(ctx, s.Handle().Container, container.StopOptions{Timeout: &timeout}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Adopt(ctx, s.Handle()); !errors.Is(err, ErrNotAdoptable) {
		t.Errorf("adopting it gives %v", err)
	}
	if n := left(t, d); n != 0 {
		t.Errorf("%d objects are left", n)
	}
}
