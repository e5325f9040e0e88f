package sidecar

import (
	"context"
	"fmt"
	"time"

	"bottlebar.app/sidecar/control"
)

// call sends a command and waits for its answer.
func (s *Sidecar) call(ctx context.Context, c control.Command) (control.Event, error) {
	return s.callWithin(ctx, ackTimeout, c)
}

func (s *Sidecar) callWithin(ctx context.Context, limit time.Duration, c control.Command) (control.Event, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	answer := make(chan control.Event, 1)
	s.mu.Lock()
	s.last++
	c.ID = s.last
	s.waits[c.ID] = answer
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.waits, c.ID)
		s.mu.Unlock()
	}()
	if err := s.send(ctx, c); err != nil {
		return control.Event{}, err
	}
	select {
	case e := <-answer:
		if e.Error != "" {
			return e, fmt.Errorf("the sidecar refuses: %s", clean(e.Error))
		}
		return e, nil
	case <-s.done:
		return control.Event{}, s.gone()
	case <-ctx.Done():
		return control.Event{}, fmt.Errorf("the sidecar does not answer: %w", ctx.Err())
	}
}

// send writes a command. A sidecar that reads nothing keeps whoever asks for
// something waiting no longer than ctx, and nobody else at all.
func (s *Sidecar) send(ctx context.Context, c control.Command) error {
	select {
	case s.turn <- struct{}{}:
	case <-s.done:
		return s.gone()
	case <-ctx.Done():
		return fmt.Errorf("the sidecar does not take commands: %w", ctx.Err())
	}
	select {
	case err := <-s.write(c):
		return err
	case <-ctx.Done():
		return fmt.Errorf("the sidecar does not take commands: %w", ctx.Err())
	}
}

// write writes a command in the background. It is called with the turn held,
// and gives it back when all of the command is out, or the sidecar is gone.
func (s *Sidecar) write(c control.Command) <-chan error {
	wrote := make(chan error, 1)
	s.mu.Lock()
	ended := s.ended
	if !ended {
		s.writing.Add(1)
	}
	s.mu.Unlock()
	if ended {
		<-s.turn
		wrote <- s.gone()
		return wrote
	}
	go func() {
		defer s.writing.Done()
		err := s.out.Write(c)
		<-s.turn
		if err != nil {
			err = fmt.Errorf("the sidecar does not take commands: %w", err)
		}
		wrote <- err
	}()
	return wrote
}

// ping renews the lease; nothing answers it. While a command waits to be read
// there is none: the lease of a sidecar that hangs runs out.
func (s *Sidecar) ping() {
	select {
	case s.turn <- struct{}{}:
		s.write(control.Command{Op: control.Ping})
	default:
	}
}
