package sidecar

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"bottlebar.app/egress"
	"bottlebar.app/sidecar/control"
)

const (
	readyTimeout = 15 * time.Second // from keys to ready
	ackTimeout   = 10 * time.Second
	tryTimeout   = 20 * time.Second // of a credential's test, which asks the API
	stepTimeout  = 10 * time.Second // of each step of a teardown
)

// unit is what a driver adds to a Sidecar: where it runs.
type unit interface {
	handle() Handle
	// control is the sidecar's standard input and output.
	control() (io.Writer, io.Reader)
	// ready is called once with what the sidecar announced, before dial.
	ready(ctx context.Context, e control.Event) error
	// dial returns a connection that is authenticated both ways.
	dial(ctx context.Context) (net.Conn, error)
	// floor are the host's own prefixes, as they are now.
	floor() []string
	// inspect is what the host can see; report is what the sidecar says.
	inspect(ctx context.Context, report control.Report) (Facts, error)
	// exit says why the sidecar ended, once its output did.
	exit() error
	// release lets go of control without ending the sidecar, where it can live
	// on; elsewhere it ends with us. Idempotent.
	release()
	// remove undoes everything. Idempotent; it may run twice at once.
	remove(ctx context.Context) error
}

// Sidecar is one running sidecar. It is used from any goroutine, and ends by
// Close or by itself; Done tells.
type Sidecar struct {
	unit     unit
	log      *slog.Logger
	identity *control.Identity
	nonce    string
	out      *control.Writer
	pool     *pool
	lines    *queue
	spending spending

	done    chan struct{}
	reading sync.WaitGroup
	writing sync.WaitGroup
	turn    chan struct{} // of whoever writes a command

	mu    sync.Mutex
	last  uint64 // id of the last command
	waits map[uint64]chan control.Event
	err   error // why it ended; set before done is closed
	ended bool
}

// launch connects to a unit that runs: it sends fresh keys and waits until
// connections are taken. On an error the unit is still there.
func launch(ctx context.Context, u unit, id *control.Identity, log *slog.Logger) (*Sidecar, error) {
	in, out := u.control()
	s := &Sidecar{
		unit: u, log: log, identity: id, nonce: randomHex(16), out: control.NewWriter(in),
		lines: newQueue(), done: make(chan struct{}), turn: make(chan struct{}, 1), waits: map[uint64]chan control.Event{}, spending: newSpending(),
	}
	s.pool = newPool(u.dial)
	s.reading.Go(func() { s.read(out) })
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	e, err := s.call(ctx, control.Command{Op: control.Keys, Client: id.DER, Nonce: s.nonce})
	if err == nil && e.Proto != control.Proto {
		err = fmt.Errorf("the sidecar speaks version %d of the control lines, this app version %d", e.Proto, control.Proto)
	}
	if err == nil {
		err = u.ready(ctx, e)
	}
	if err != nil {
		s.end(err)
		return nil, fmt.Errorf("waiting for the sidecar: %w", err)
	}
	s.pool.fill()
	return s, nil
}

// ID is the sidecar's own id; Docker objects are called bb-<ID>.
func (s *Sidecar) ID() string { return s.unit.handle().ID }

// Handle is what the journal keeps of it.
func (s *Sidecar) Handle() Handle { return s.unit.handle() }

// Nonce is what GET /healthz of this sidecar answers with, and no other's.
func (s *Sidecar) Nonce() string { return s.nonce }

// Dial returns one connection to the proxy, authenticated both ways, for one
// stream. It has a CloseWrite method. It ends when the sidecar does.
func (s *Sidecar) Dial(ctx context.Context) (net.Conn, error) {
	c, err := s.pool.get(ctx)
	if err != nil && s.isDone() {
		return nil, s.gone()
	}
	return c, err
}

// Configure sends the policy and the credential (nil: none), and waits until
// both are in force.
func (s *Sidecar) Configure(ctx context.Context, p egress.Policy, c *egress.Credential) error {
	if err := s.SetPolicy(ctx, p); err != nil {
		return err
	}
	cmd := control.Command{Op: control.Cred}
	if c != nil {
		cmd.Cred = &control.Credential{Kind: c.Kind, Secret: c.Secret, Placeholder: c.Placeholder}
	}
	if _, err := s.call(ctx, cmd); err != nil {
		return fmt.Errorf("sending the credential: %w", err)
	}
	return nil
}

// SetWay says how the sidecar gets out: straight, or through a company's proxy
// with l (nil: it asks for none). It is in force when SetWay returns; one that
// cannot be meant gives an error and changes nothing.
func (s *Sidecar) SetWay(ctx context.Context, w egress.Way, l *egress.Login) error {
	if err := w.Check(); err != nil {
		return err
	}
	cmd := control.Command{Op: control.Way, Way: &w}
	if l != nil {
		cmd.Login = &control.Login{User: l.User, Password: l.Password}
	}
	if _, err := s.call(ctx, cmd); err != nil {
		return fmt.Errorf("sending the way out: %w", err)
	}
	return nil
}

// SetPolicy sends the policy alone, and waits until it is in force: tunnels that
// it does not allow are closed then. The host's own addresses are added to its
// floor. A policy that cannot be meant gives an *egress.RuleError and changes
// nothing.
func (s *Sidecar) SetPolicy(ctx context.Context, p egress.Policy) error {
	if _, err := p.Compile(); err != nil {
		return err
	}
	p.Floor = append(append([]string(nil), p.Floor...), s.unit.floor()...)
	e, err := s.call(ctx, control.Command{Op: control.Policy, Policy: &p})
	if err != nil {
		return fmt.Errorf("sending the policy: %w", err)
	}
	if e.Revision != p.Revision {
		return fmt.Errorf("sending the policy: revision %d came back as %d", p.Revision, e.Revision)
	}
	return nil
}

// Open lets the bottle out, as far as the policy goes. Until then the sidecar
// serves health and echo only.
func (s *Sidecar) Open(ctx context.Context) error {
	_, err := s.call(ctx, control.Command{Op: control.Open})
	return err
}

// Shut takes Open back and ends every tunnel.
func (s *Sidecar) Shut(ctx context.Context) error {
	_, err := s.call(ctx, control.Command{Op: control.Shut})
	return err
}

// Stats are the proxy's counters.
func (s *Sidecar) Stats(ctx context.Context) (egress.Stats, error) {
	e, err := s.call(ctx, control.Command{Op: control.Stats})
	if err != nil || e.Stats == nil {
		return egress.Stats{}, err
	}
	return *e.Stats, nil
}

// Selftest asks the sidecar to look at itself. It supports what Inspect sees;
// by itself it proves nothing.
func (s *Sidecar) Selftest(ctx context.Context) (control.Report, error) {
	e, err := s.call(ctx, control.Command{Op: control.Selftest})
	if err != nil || e.Report == nil {
		return control.Report{}, err
	}
	return *e.Report, nil
}

// Decisions are the proxy's lines, in order. The channel must be read: when
// thousands wait, denies are dropped with a count and everything else waits.
// It is closed after the sidecar has ended.
func (s *Sidecar) Decisions() <-chan egress.Decision { return s.lines.out }

// Inspect compares what the host sees of the sidecar with what it should be.
func (s *Sidecar) Inspect(ctx context.Context) (Facts, error) {
	report, err := s.Selftest(ctx)
	if err != nil {
		return Facts{}, err
	}
	return s.unit.inspect(ctx, report)
}

// Done is closed when the sidecar has ended, by Close or by itself. Every
// connection to it is closed before.
func (s *Sidecar) Done() <-chan struct{} { return s.done }

// Err says why Done is closed; nil before. After Close it is ErrGone.
func (s *Sidecar) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Close removes the sidecar: container and network, or process. It goes on
// when ctx is cancelled, with a deadline for each step, and may be called
// again.
func (s *Sidecar) Close(ctx context.Context) error {
	s.end(ErrGone)
	err := s.unit.remove(context.WithoutCancel(ctx))
	s.reading.Wait()
	s.writing.Wait()
	s.lines.close()
	s.pool.wait()
	return err
}

// Release lets go of the sidecar without ending it, for the next owner to adopt;
// one that cannot outlive this process ends. Nothing of it runs here afterwards.
func (s *Sidecar) Release() {
	s.end(ErrGone)
	s.unit.release()
	s.reading.Wait()
	s.writing.Wait()
	s.lines.close()
	s.pool.wait()
}

func (s *Sidecar) isDone() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// gone is ErrGone with the reason, if there is one.
func (s *Sidecar) gone() error {
	err := s.Err()
	if err == nil || errors.Is(err, ErrGone) {
		return ErrGone
	}
	return fmt.Errorf("%w: %w", ErrGone, err)
}

// end marks the sidecar as ended; the first reason stays.
func (s *Sidecar) end(why error) {
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return
	}
	s.ended, s.err = true, why
	s.mu.Unlock()
	s.pool.close()
	close(s.done)
	s.lines.finish()
}

// read handles the sidecar's lines until they end.
func (s *Sidecar) read(out io.Reader) {
	lines := control.NewLines(out, control.MaxEvent)
	for {
		b, err := lines.Next()
		if errors.Is(err, control.ErrLongLine) {
			continue
		}
		if err != nil {
			s.end(s.unit.exit())
			return
		}
		e, err := control.ReadEvent(b)
		if err != nil {
			s.log.Warn("a line from the sidecar makes no sense", "sidecar", s.ID())
			continue
		}
		s.event(e)
	}
}

func (s *Sidecar) event(e control.Event) {
	switch e.Event {
	case control.Decision:
		s.lines.put(*e.Decision, s.done)
	case control.Ready, control.Ack:
		s.mu.Lock()
		answer := s.waits[e.ID]
		delete(s.waits, e.ID)
		s.mu.Unlock()
		if answer != nil {
			answer <- e
		}
	case control.Spent:
		s.spending.set(*e.Totals)
	case control.Want:
		s.spending.wish(*e.Want)
	case control.Fault:
		s.log.Warn("the sidecar reports", "sidecar", s.ID(), "text", clean(e.Error))
	}
}

// clean makes one short printable line of text that came from a sidecar.
func clean(text string) string {
	if len(text) > 300 {
		text = text[:300]
	}
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e {
			return '?'
		}
		return r
	}, text)
}

func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails; crypto/rand ends the program instead
	return hex.EncodeToString(b)
}

// newID is 8 base32 characters, lower case.
func newID() string {
	b := make([]byte, 5)
	_, _ = rand.Read(b)
	return strings.ToLower(base32.StdEncoding.EncodeToString(b))
}
