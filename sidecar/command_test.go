package sidecar

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"bottlebar.app/egress"
	"bottlebar.app/sidecar/control"
)

// deaf is a sidecar that answers the keys and then reads no more.
type deaf struct {
	unit
	in  *io.PipeWriter
	out *io.PipeReader
}

func newDeaf(t *testing.T) *Sidecar {
	t.Helper()
	theirs, in := io.Pipe()
	out, tell := io.Pipe()
	go func() {
		var c control.Command
		line, err := bufio.NewReader(theirs).ReadBytes('\n')
		if err == nil {
			err = json.Unmarshal(line, &c)
		}
		if err == nil {
			_ = control.NewWriter(tell).Write(control.Event{Event: control.Ready, ID: c.ID, Proto: control.Proto})
		}
	}()
	id, err := control.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	s, err := launch(t.Context(), &deaf{in: in, out: out}, id, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (d *deaf) handle() Handle                             { return Handle{} }
func (d *deaf) control() (io.Writer, io.Reader)            { return d.in, d.out }
func (d *deaf) ready(context.Context, control.Event) error { return nil }
func (d *deaf) dial(context.Context) (net.Conn, error)     { return nil, ErrGone }
func (d *deaf) floor() []string                            { return nil }
func (d *deaf) exit() error                                { return ErrGone }
func (d *deaf) remove(context.Context) error               { return errors.Join(d.in.Close(), d.out.Close()) }

// One clock renews the leases of all sidecars, and one till answers for all of
// them: neither may wait for one that hangs.
func TestASidecarThatReadsNothingHoldsUpNobody(t *testing.T) {
	s := newDeaf(t)
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err := s.Allow(ctx, egress.Allowance{}, 0)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "does not take commands") {
			t.Errorf("a command ends with %v", err)
		}
		s.ping()
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.Shut(t.Context()); !errors.Is(err, ErrGone) {
		t.Errorf("after its end: %v", err)
	}
}
