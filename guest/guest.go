package guest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"bottlebar.app/hop"
)

// Version is the helper's version, as told to the app. The build sets it.
var Version = "dev"

// redial is the pause between attempts to reach the app.
const redial = time.Second

// Options are what tests and the command's verbs differ in. The zero value
// is right inside a bottle.
type Options struct {
	Self   []string           // how the helper starts itself; empty means /proc/self/exe
	Env    []string           // variables that everything it starts begins with; nil means its own
	Passwd string             // the guest's user list; empty means /etc/passwd
	Group  string             // the guest's group list; empty means /etc/group
	Log    func(string)       // lines for whoever debugs it; may be nil
	Ready  func(proxy string) // called once everything listens, with the proxy's address
}

func (o Options) filled() Options {
	if len(o.Self) == 0 {
		o.Self = []string{"/proc/self/exe"}
	}
	if o.Env == nil {
		o.Env = os.Environ()
	}
	if o.Passwd == "" {
		o.Passwd = "/etc/passwd"
	}
	if o.Group == "" {
		o.Group = "/etc/group"
	}
	if o.Log == nil {
		o.Log = func(string) {}
	}
	if o.Ready == nil {
		o.Ready = func(string) {}
	}
	return o
}

// helper is one run.
type helper struct {
	cfg     hop.HelperConfig
	opts    Options
	begun   time.Time
	keeper  *keeper
	wg      sync.WaitGroup
	mu      sync.Mutex
	peer    *hop.Peer
	changed chan struct{} // closed and replaced when peer changes
}

// Run is the helper: it listens for the proxy's and the hooks' connections
// and keeps the session to the app, dialling again each second, until ctx
// ends. Then everything it started is ended.
func Run(ctx context.Context, cfg hop.HelperConfig, opts Options) error {
	if len(cfg.Secret) != hop.SecretSize || cfg.Socket == "" {
		return fmt.Errorf("the helper's configuration needs a socket and a secret of %d bytes", hop.SecretSize)
	}
	h := &helper{cfg: cfg, opts: opts.filled(), begun: time.Now(), changed: make(chan struct{})}
	if h.cfg.Proxy == "" {
		h.cfg.Proxy = hop.DefaultProxy
	}
	if h.cfg.Events == "" {
		h.cfg.Events = hop.DefaultEvents
	}
	if h.cfg.Replace {
		replace(ctx, h.cfg.Events)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer h.wg.Wait()
	defer cancel()
	h.keeper = newKeeper(ctx, h)
	defer h.keeper.close()

	proxy, err := net.Listen("tcp", h.cfg.Proxy)
	if err != nil {
		return fmt.Errorf("listening for the proxy's clients: %w", err)
	}
	events, err := listenEvents(h.cfg.Events)
	if err != nil {
		_ = proxy.Close()
		return fmt.Errorf("listening for hooks: %w", err)
	}
	context.AfterFunc(ctx, func() { _, _ = proxy.Close(), events.Close() })
	h.wg.Go(func() { h.bridge(ctx, proxy) })
	h.wg.Go(func() { h.events(ctx, events) })
	h.opts.Ready(proxy.Addr().String())
	h.dial(ctx)
	return ctx.Err()
}

// dial keeps a session.
func (h *helper) dial(ctx context.Context) {
	for ctx.Err() == nil {
		if err := h.session(ctx); err != nil && ctx.Err() == nil {
			h.opts.Log(err.Error())
		}
		t := time.NewTimer(redial)
		select {
		case <-ctx.Done():
		case <-t.C:
		}
		t.Stop()
	}
}

// session lives through one session with the app.
func (h *helper) session(ctx context.Context) error {
	d := net.Dialer{Timeout: 5 * time.Second}
	conn, err := d.DialContext(ctx, "unix", h.cfg.Socket)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	peer, err := hop.Dial(conn, h.cfg.Secret)
	if err != nil {
		return err
	}
	defer func() { _ = peer.Close() }()
	h.set(peer)
	defer h.set(nil)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for {
		st, err := peer.Accept()
		if err != nil {
			return err
		}
		// Run waits for them, not this session: ending a command takes a
		// while, and the next session need not.
		h.wg.Go(func() { h.serve(ctx, st) })
	}
}

func (h *helper) set(p *hop.Peer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.peer = p
	close(h.changed)
	h.changed = make(chan struct{})
}

var errNoSession = errors.New("the bottle is not connected to its app")

// open opens a stream to the app, waiting for a session as long as ctx.
func (h *helper) open(ctx context.Context, t hop.Type) (*hop.Stream, error) {
	for {
		h.mu.Lock()
		p, changed := h.peer, h.changed
		h.mu.Unlock()
		if p != nil {
			st, err := p.Open(ctx, t)
			if err == nil || !errors.Is(err, hop.ErrSessionLost) {
				return st, err
			}
		}
		select {
		case <-ctx.Done():
			return nil, errNoSession
		case <-changed:
		}
	}
}

// serve does what one stream of the app asks.
func (h *helper) serve(ctx context.Context, st *hop.Stream) {
	t, err := st.Begin()
	if err != nil {
		st.Reset()
		return
	}
	switch t {
	case hop.Exec:
		h.exec(ctx, st)
	case hop.Attach:
		h.keeper.attach(ctx, st)
	case hop.Keeper:
		answer(st, h.keeper.serve)
	case hop.Send:
		h.receive(ctx, st)
	case hop.Receive:
		h.send(ctx, st)
	case hop.Probe:
		answer(st, func(r hop.ProbeRequest) (any, error) { return h.probe(ctx, r), nil })
	case hop.Forward:
		h.forward(ctx, st)
	case hop.About:
		answer(st, func(struct{}) (any, error) { return h.about(), nil })
	case hop.Seed:
		answer(st, func(r hop.SeedRequest) (any, error) { return h.seed(ctx, r) })
	default:
		st.Reset()
	}
}

// answer serves a stream with one request and one answer.
func answer[R any](st *hop.Stream, do func(R) (any, error)) {
	defer func() { _ = st.Close() }()
	var r R
	if err := hop.ReadRequest(st, &r); err != nil {
		st.Reset()
		return
	}
	body, err := do(r)
	if err != nil {
		_ = hop.WriteFailure(st, err)
		return
	}
	if err := hop.WriteAnswer(st, body); errors.Is(err, hop.ErrMessage) {
		_ = hop.WriteFailure(st, err)
	}
}

// account is the user of a request.
func (h *helper) account(user string) (account, error) {
	if user == "" {
		user = h.cfg.User
	}
	if user == "" {
		user = "0"
		if os.Geteuid() != 0 {
			user = fmt.Sprint(os.Geteuid())
		}
	}
	return accounts{h.opts.Passwd, h.opts.Group}.lookup(user)
}
