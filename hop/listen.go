package hop

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"bottlebar.app/internal/fault"
)

// MaxSocketPath is the longest path that a socket may have on every system:
// the address structure of macOS holds 104 bytes with the closing zero.
const MaxSocketPath = 103

// Listener owns the host's end of one bottle's pipe.
type Listener struct {
	path string
	ln   *net.UnixListener

	mu      sync.Mutex
	session *Session
	changed chan struct{} // closed and replaced when session changes
	closed  bool
}

// Listen makes the socket at path. The folder must be the caller's alone
// (0700). A socket that is there is replaced only if nobody answers on it.
func Listen(path string) (*Listener, error) {
	what := "opening the bottle's socket"
	if len(path) > MaxSocketPath {
		return nil, fault.New(what, fmt.Sprintf("its path has %d bytes and %d are possible: %s", len(path), MaxSocketPath, path),
			"use a shorter folder for BOTTLEBAR_HOME")
	}
	if err := checkFolder(filepath.Dir(path)); err != nil {
		return nil, fault.Wrap(err, what, "")
	}
	if err := clearStale(path); err != nil {
		return nil, fault.Wrap(err, what, "")
	}
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fault.Wrap(err, what, "")
	}
	if err := os.Chmod(path, 0o600); err != nil {
		_ = ln.Close()
		return nil, fault.Wrap(err, what, "")
	}
	return &Listener{path: path, ln: ln, changed: make(chan struct{})}, nil
}

func checkFolder(dir string) error {
	fi, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !fi.IsDir() {
		// A link is fine where the folder behind it is: short names of long
		// paths are made that way.
		if fi, err = os.Stat(dir); err != nil {
			return err
		}
	}
	if !fi.IsDir() {
		return fmt.Errorf("%s is not a folder", dir)
	}
	if fi.Mode().Perm()&0o077 != 0 {
		return fault.New("", fmt.Sprintf("other users can enter %s (mode %04o)", dir, fi.Mode().Perm()), "chmod 700 "+dir)
	}
	if !ownedByUs(fi) {
		return fault.New("", dir+" belongs to another user", "remove it")
	}
	return nil
}

// clearStale removes a socket that a program left behind.
func clearStale(path string) error {
	fi, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if fi.Mode().Type() != fs.ModeSocket {
		return fault.New("", path+" is there and is not a socket", "move it away")
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		_ = conn.Close()
		return fault.New("", "another program serves this bottle", "quit the other Bottlebar")
	}
	if !refused(err) {
		return err
	}
	return os.Remove(path)
}

// Path is the host path that [Pipe.Wire] wants.
func (l *Listener) Path() string { return l.path }

// Close stops listening, ends the session and removes the socket.
func (l *Listener) Close() error {
	l.mu.Lock()
	l.closed = true
	s := l.session
	l.mu.Unlock()
	err := l.ln.Close()
	if s != nil {
		_ = s.Close()
	}
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	return err
}

// EventKind says what happened on a listener.
type EventKind string

// The kinds.
const (
	EventUp      EventKind = "up"      // a session is there
	EventLost    EventKind = "lost"    // it ended; Err says why
	EventBreach  EventKind = "breach"  // it ended because the guest broke a rule: Err is a [*Breach]
	EventRefused EventKind = "refused" // a connection did not prove itself
	EventSecond  EventKind = "second"  // a second one did while the first session is alive
	EventCrowd   EventKind = "crowd"   // too many connections that have not proved themselves
)

// Happening is told to Config.Log. Text and Err may hold text of the guest,
// cleaned.
type Happening struct {
	Kind   EventKind
	Text   string
	Number int64 // of a breach, or how many like it were left out before
	Err    error
}

// Config is what a listener needs to accept sessions.
type Config struct {
	Secret []byte // of this start of the machine
	Limits Limits
	// Log is told what happens; it must not block. Floods are thinned.
	Log func(Happening)
}

// Serve accepts connections until ctx ends or the listener is closed, and
// then ends the session. Only one session lives at a time.
func (l *Listener) Serve(ctx context.Context, cfg Config) error {
	if len(cfg.Secret) != SecretSize {
		return fmt.Errorf("a secret has %d bytes, this one %d", SecretSize, len(cfg.Secret))
	}
	cfg.Limits = cfg.Limits.filled()
	srv := &server{l: l, cfg: cfg, tell: newTeller(cfg.Log), slots: make(chan struct{}, cfg.Limits.Handshakes)}
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	defer srv.wg.Wait()
	defer func() { _ = l.Close() }()
	for {
		conn, err := l.ln.AcceptUnix()
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if errors.Is(err, net.ErrClosed) {
				return nil
			}
			return fault.Wrap(err, "accepting the bottle's connection", "")
		}
		select {
		case srv.slots <- struct{}{}:
			srv.wg.Go(func() { srv.greet(ctx, conn) })
		default:
			srv.tell.tell(Happening{Kind: EventCrowd})
			_ = conn.Close()
		}
	}
}

// server is one run of Serve.
type server struct {
	l     *Listener
	cfg   Config
	tell  *teller
	slots chan struct{}
	wg    sync.WaitGroup
	admit sync.Mutex // one connection at a time is admitted
}

// greet lets one connection prove itself and then lives with its session.
func (s *server) greet(ctx context.Context, conn net.Conn) {
	var session *Session
	locked := false
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	err := greetGuest(conn, s.cfg.Secret, func() bool {
		s.admit.Lock()
		locked = true
		return s.makeRoom()
	})
	stop()
	<-s.slots
	if err == nil {
		session, err = s.begin(conn)
	}
	if locked {
		s.admit.Unlock()
	}
	if err != nil {
		_ = conn.Close()
		kind := EventRefused
		if errors.Is(err, ErrBusy) {
			kind = EventSecond
		}
		if ctx.Err() == nil {
			s.tell.tell(Happening{Kind: kind, Err: err})
		}
		return
	}
	s.tell.tell(Happening{Kind: EventUp})
	session.run()
	s.l.set(session, nil)
	s.ended(session)
}

// makeRoom says whether a new session may begin: there is none, or the one
// that is there does not answer.
func (s *server) makeRoom() bool {
	s.l.mu.Lock()
	old := s.l.session
	s.l.mu.Unlock()
	if old == nil || isClosed(old.Done()) {
		return true
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if _, err := old.Ping(ctx); err == nil {
		return false
	}
	old.mux.close(errors.New("it did not answer, and its helper came back"))
	return true
}

func (s *server) begin(conn net.Conn) (*Session, error) {
	m := newMux(conn, false, s.cfg.Limits)
	session := newSession(m)
	if !s.l.set(nil, session) {
		m.close(net.ErrClosed)
		return nil, net.ErrClosed
	}
	return session, nil
}

func (s *server) ended(session *Session) {
	err := session.Err()
	var b *Breach
	if errors.As(err, &b) {
		s.tell.tell(Happening{Kind: EventBreach, Text: b.What, Number: b.Number, Err: b})
		return
	}
	s.tell.tell(Happening{Kind: EventLost, Err: err})
}

// set replaces the session: old by nil when it ended, nil by a new one.
func (l *Listener) set(old, new *Session) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if new == nil && l.session != old {
		return true
	}
	if new != nil && l.closed {
		return false
	}
	l.session = new
	close(l.changed)
	l.changed = make(chan struct{})
	return true
}

// Session returns the live session, or waits for the next one.
func (l *Listener) Session(ctx context.Context) (*Session, error) {
	for {
		l.mu.Lock()
		s, changed, closed := l.session, l.changed, l.closed
		l.mu.Unlock()
		if s != nil && !isClosed(s.Done()) {
			return s, nil
		}
		if closed {
			return nil, net.ErrClosed
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-changed: // also when a session that has just died is taken off
		}
	}
}
