package hop

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"
)

// Session is the live connection to the helper of one bottle. Its methods
// may be called from any goroutine and end with [ErrSessionLost] when the
// session does.
type Session struct {
	mux      *mux
	incoming chan *Incoming
	wg       sync.WaitGroup
}

func newSession(m *mux) *Session {
	return &Session{mux: m, incoming: make(chan *Incoming)}
}

// run accepts the guest's streams until the session ends.
func (s *Session) run() {
	defer s.wg.Wait()
	for {
		st, err := s.mux.accept()
		if err != nil {
			s.mux.close(err)
			return
		}
		s.wg.Go(func() { s.offer(st) })
	}
}

// Done is closed when the session has ended.
func (s *Session) Done() <-chan struct{} { return s.mux.wire.done }

// Err is why it ended; nil while it lives.
func (s *Session) Err() error {
	if !isClosed(s.mux.wire.done) {
		return nil
	}
	return newLost(s.mux.wire.cause)
}

// Close ends the session. The helper comes back within a second while the
// listener serves.
func (s *Session) Close() error {
	s.mux.close(net.ErrClosed)
	return nil
}

// Ping measures a round trip through pipe and helper.
func (s *Session) Ping(ctx context.Context) (time.Duration, error) {
	return s.mux.roundTrip(ctx)
}

// call opens a stream, sends the request and ties the stream to ctx. settle
// must be called with the outcome of the first read of the answer.
func (s *Session) call(ctx context.Context, t Type, request any) (*Stream, error) {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	st, err := s.mux.open(ctx, t)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, st.Reset)
	err = WriteMessage(st, request)
	if !stop() || err != nil {
		st.Reset()
		s.mux.opened()
		return nil, ended(ctx, err)
	}
	return st, nil
}

// first runs read, which reads the first of an answer, with a deadline.
func (s *Session) first(ctx context.Context, st *Stream, d time.Duration, read func() error) error {
	defer s.mux.opened()
	ctx, cancel := context.WithTimeoutCause(ctx, d, errNoAnswer)
	defer cancel()
	stop := context.AfterFunc(ctx, st.Reset)
	err := read()
	if !stop() || err != nil {
		st.Reset()
		return ended(ctx, err)
	}
	return nil
}

var errNoAnswer = errors.New("the bottle's helper does not answer")

// ended prefers the reason for which a stream was reset over its echo.
func ended(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(err, ErrSessionLost) {
		return cause
	}
	return err
}

// ask makes a call with one answer.
func (s *Session) ask(ctx context.Context, t Type, d time.Duration, request, answer any) error {
	st, err := s.call(ctx, t, request)
	if err != nil {
		return err
	}
	defer func() { _ = st.Close() }()
	return s.first(ctx, st, d, func() error { return ReadAnswer(st, answer) })
}

const (
	askTimeout   = 10 * time.Second
	probeTimeout = 15 * time.Second
)

// About asks the helper about itself and its guest.
func (s *Session) About(ctx context.Context) (Info, error) {
	var info Info
	err := s.ask(ctx, About, askTimeout, struct{}{}, &info)
	info.clean()
	return info, err
}

// Probe runs one round of the escape test in the guest.
func (s *Session) Probe(ctx context.Context, r ProbeRequest) (ProbeReply, error) {
	var reply ProbeReply
	err := s.ask(ctx, Probe, probeTimeout, r, &reply)
	reply.clean()
	return reply, err
}

// Seed prepares a user's home.
func (s *Session) Seed(ctx context.Context, r SeedRequest) (SeedReply, error) {
	var reply SeedReply
	err := s.ask(ctx, Seed, askTimeout, r, &reply)
	if err == nil && reply.Folder != "" && !validGuestPath(reply.Folder) {
		err = fmt.Errorf("%w: the session's folder", ErrAnswer)
	}
	for i := range reply.Changed {
		reply.Changed[i] = Clean(reply.Changed[i], maxText)
	}
	return reply, err
}

// clean makes the guest's texts fit to be shown.
func (i *Info) clean() {
	for _, s := range []*string{&i.Version, &i.Kernel, &i.Arch, &i.Hostname} {
		*s = Clean(*s, 128)
	}
	i.Users = slices.DeleteFunc(i.Users, func(u User) bool {
		return u.Name == "" || !validGuestPath(u.Home) || Clean(u.Name+u.Home+u.Shell, 2048) != u.Name+u.Home+u.Shell
	})
	cleanInterfaces(i.Interfaces)
}

func (r *ProbeReply) clean() {
	for i := range r.Attempts {
		a := &r.Attempts[i]
		for _, s := range []*string{&a.Name, &a.Kind, &a.Target, &a.Outcome, &a.Body, &a.Detail} {
			*s = Clean(*s, 512)
		}
	}
	cleanInterfaces(r.Interfaces)
}

func cleanInterfaces(list []Interface) {
	for i := range list {
		list[i].Name = Clean(list[i].Name, 64)
		for j := range list[i].Addrs {
			list[i].Addrs[j] = Clean(list[i].Addrs[j], 64)
		}
	}
}

// Forward connects to a port of the guest's loopback. Who calls closes.
func (s *Session) Forward(ctx context.Context, port uint16) (*Stream, error) {
	st, err := s.call(ctx, Forward, ForwardRequest{Port: port})
	if err != nil {
		return nil, err
	}
	if err := s.first(ctx, st, askTimeout, func() error { return ReadAnswer(st, nil) }); err != nil {
		return nil, err
	}
	return st, nil
}
