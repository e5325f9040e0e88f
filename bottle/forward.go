package bottle

import (
	"context"
	"io"
	"sync"
)

// Forward connects to a TCP port of the bottle's own loopback and carries bytes
// between it and conn until either side ends. The bottle's way out is not
// involved: the host asked for this one.
func (b *Bottle) Forward(ctx context.Context, port uint16, conn io.ReadWriter) error {
	l, err := b.running()
	if err != nil {
		return err
	}
	s, err := l.session(ctx)
	if err != nil {
		return err
	}
	st, err := s.Forward(ctx, port)
	if err != nil {
		return err
	}
	defer st.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	context.AfterFunc(ctx, st.Reset)
	var up sync.WaitGroup
	up.Go(func() {
		// Its end is the end of what the caller sends: the guest may go on.
		if _, err := io.Copy(st, conn); err != nil {
			cancel()
			return
		}
		_ = st.CloseWrite()
	})
	_, err = io.Copy(conn, st)
	if c, ok := conn.(io.Closer); ok {
		_ = c.Close() // ends the other direction, which reads from it
	}
	up.Wait()
	return err
}
