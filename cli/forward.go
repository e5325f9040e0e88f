package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"

	"github.com/spf13/cobra"

	"bottlebar.app/control"
	"bottlebar.app/internal/fault"
)

func (c *commands) forward() *cobra.Command {
	local := 0
	cmd := &cobra.Command{
		Use: "forward NAME PORT", Short: "offer a port of a bottle on this computer's loopback, until interrupted",
		Args: exactly(2, "name a bottle and one of its ports"),
		RunE: func(cmd *cobra.Command, args []string) error {
			port, err := strconv.ParseUint(args[1], 10, 16)
			if err != nil || port == 0 {
				return usageError{fmt.Errorf("%q is not a port", args[1])}
			}
			client, err := c.owner(cmd.Context())
			if err != nil {
				return err
			}
			if _, err := c.find(cmd.Context(), client, args[0]); err != nil {
				return err
			}
			if local == 0 {
				local = int(port)
			}
			var lc net.ListenConfig
			l, err := lc.Listen(cmd.Context(), "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(local)))
			if err != nil {
				return fault.New("forwarding port "+args[1], err.Error(), "choose another with --local")
			}
			fmt.Fprintln(c.out(), l.Addr())
			return accept(cmd.Context(), l, func(ctx context.Context) (io.ReadWriteCloser, error) {
				return client.Forward(ctx, args[0], control.ForwardRequest{Port: uint16(port)})
			})
		},
	}
	cmd.Flags().IntVar(&local, "local", 0, "the port on this computer (default: the same)")
	return cmd
}

// accept joins each connection to one of dial's until ctx ends.
func accept(ctx context.Context, l net.Listener, dial func(context.Context) (io.ReadWriteCloser, error)) error {
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	var open sync.WaitGroup
	defer open.Wait()
	for {
		conn, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return nil
			}
			return err
		}
		open.Go(func() {
			defer conn.Close()
			far, err := dial(ctx)
			if err != nil {
				return // the caller sees its connection end
			}
			defer far.Close()
			var back sync.WaitGroup
			back.Go(func() {
				_, _ = io.Copy(conn, far)
				_ = conn.Close()
			})
			_, _ = io.Copy(far, conn)
			if w, ok := far.(interface{ CloseWrite() error }); ok {
				_ = w.CloseWrite()
			}
			back.Wait()
		})
	}
}
