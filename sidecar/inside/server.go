package inside

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"bottlebar.app/egress"
	"bottlebar.app/sidecar/control"
)

// lease is how long a sidecar lets new requests out after it last heard of
// the app.
const lease = 60 * time.Second

// place is where connections come from.
type place interface {
	// listen starts anew for the holder of the certificate client, and
	// returns the port and the certificate to announce.
	listen(client []byte) (ln net.Listener, port int, cert []byte, err error)
	// never are prefixes that no policy may open there.
	never() []netip.Prefix
}

// tcpPlace is a port, with TLS pinned both ways.
type tcpPlace struct{ port int }

func (t *tcpPlace) listen(client []byte) (net.Listener, int, []byte, error) {
	if len(client) == 0 {
		return nil, 0, nil, errors.New("keys without a certificate")
	}
	id, err := control.NewIdentity()
	if err != nil {
		return nil, 0, nil, err
	}
	ln, err := net.Listen("tcp4", net.JoinHostPort("", strconv.Itoa(t.port)))
	if err != nil {
		return nil, 0, nil, err
	}
	return tls.NewListener(ln, id.Server(client)), ln.Addr().(*net.TCPAddr).Port, id.DER, nil
}

// never is the network the container stands in: its gateway is the engine's
// host, its neighbour could be another sidecar.
func (t *tcpPlace) never() []netip.Prefix {
	var out []netip.Prefix
	addrs, _ := net.InterfaceAddrs()
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			out = append(out, p.Masked())
		}
	}
	return out
}

// server is the running program.
type server struct {
	ctx   context.Context
	fail  context.CancelFunc // when there is nobody left to tell
	out   *control.Writer
	place place
	roots func() *x509.CertPool // read when the first server is asked for one
	proxy *egress.Proxy
	meter *egress.Meter // of all proxies, one after the other

	stop context.CancelFunc // of what is being served; nil before the first keys
	wg   sync.WaitGroup
}

func newServer(ctx context.Context, fail context.CancelFunc, out *control.Writer, at place) *server {
	s := &server{ctx: ctx, fail: fail, out: out, place: at, roots: sync.OnceValue(roots)}
	s.meter = egress.NewMeter(
		func(n egress.Totals) { s.tell(control.Event{Event: control.Spent, Totals: &n}) },
		func(w egress.Want) { s.tell(control.Event{Event: control.Want, Want: &w}) },
	)
	s.proxy = s.newProxy(nil)
	return s
}

// newProxy makes a proxy that knows nothing but what was counted, and whether
// the one before shut itself.
func (s *server) newProxy(tripped *egress.Trip) *egress.Proxy {
	return egress.New(egress.Options{
		Tell:  func(d egress.Decision) { s.tell(control.Event{Event: control.Decision, Decision: &d}) },
		Never: s.place.never(), Meter: s.meter, Tripped: tripped, Roots: s.roots,
	})
}

// tell writes an event; a sidecar that nobody hears ends.
func (s *server) tell(e control.Event) {
	if err := s.out.Write(e); err != nil {
		s.fail()
	}
}

func (s *server) handle(l line) {
	if l.err != nil {
		s.tell(control.Event{Event: control.Fault, Error: l.err.Error()})
		return
	}
	c := l.cmd
	ack := control.Event{Event: control.Ack, ID: c.ID}
	var err error
	switch c.Op {
	case control.Keys:
		if err = s.keys(c); err == nil {
			return
		}
	case control.Ping:
		s.proxy.Renew(lease)
		return
	case control.Policy:
		err = s.proxy.SetPolicy(*c.Policy)
		ack.Revision = c.Policy.Revision
	case control.Way:
		err = s.way(c)
	case control.Cred:
		s.credential(c.Cred)
	case control.Open:
		s.proxy.Open()
	case control.Shut:
		s.proxy.Shut()
	case control.Watch, control.Reopen, control.Allow:
		s.spending(c, &ack)
	case control.Try:
		s.try(ack)
		return
	case control.Stats:
		st := s.proxy.Stats()
		ack.Stats = &st
	case control.Selftest:
		r := lookAtSelf()
		ack.Report = &r
	}
	if err != nil {
		ack.Error = err.Error()
	}
	s.tell(ack)
}

// spending obeys what concerns decoys and tokens.
func (s *server) spending(c control.Command, ack *control.Event) {
	switch c.Op {
	case control.Watch:
		s.proxy.SetDecoys(c.Decoys)
	case control.Reopen:
		s.proxy.Reopen()
	case control.Allow:
		a, n := s.meter.Allow(*c.Allow, c.Want)
		ack.Allow, ack.Totals = &a, &n
	}
}

// try asks the API; the answer comes when it is there, and holds up nothing
// meanwhile.
func (s *server) try(ack control.Event) {
	proxy := s.proxy
	s.wg.Go(func() {
		t := proxy.Try(s.ctx)
		ack.Trial = &t
		s.tell(ack)
	})
}

func (s *server) credential(c *control.Credential) {
	if c == nil {
		s.proxy.SetCredential(nil)
		return
	}
	s.proxy.SetCredential(&egress.Credential{Kind: c.Kind, Secret: c.Secret, Placeholder: c.Placeholder})
}

func (s *server) way(c control.Command) error {
	if c.Login == nil {
		return s.proxy.SetWay(*c.Way, nil)
	}
	return s.proxy.SetWay(*c.Way, &egress.Login{User: c.Login.User, Password: c.Login.Password})
}

// keys begins anew: whoever sends them is the one that is served from now on,
// and what an earlier one set up is gone.
func (s *server) keys(c control.Command) error {
	if s.stop != nil {
		s.halt()
		s.proxy = s.newProxy(s.proxy.Tripped())
	}
	ln, port, cert, err := s.place.listen(c.Client)
	if err != nil {
		return err
	}
	s.proxy.SetNonce(c.Nonce)
	s.proxy.Renew(lease)
	ctx, cancel := context.WithCancel(s.ctx)
	s.stop = cancel
	proxy := s.proxy
	s.wg.Go(func() {
		if err := proxy.Serve(ctx, ln); err != nil {
			s.tell(control.Event{Event: control.Fault, Error: "the listener ended: " + err.Error()})
			s.fail()
		}
	})
	s.tell(control.Event{Event: control.Ready, ID: c.ID, Proto: control.Proto, Port: port, Cert: cert})
	return nil
}

// halt ends everything that is being served and waits for it.
func (s *server) halt() {
	if s.stop != nil {
		s.stop()
	}
	s.proxy.Close()
	s.wg.Wait()
}

func (s *server) close() { s.halt() }
