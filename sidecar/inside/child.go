package inside

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"syscall"
)

// childPlace takes connections as descriptors over a socket that the app
// handed down when it started this process. There is no port, so nobody else
// can connect, and TLS would prove nothing: a descriptor can only come from
// the app.
type childPlace struct{ conn *net.UnixConn }

func newChildPlace(fd string) (*childPlace, error) {
	n, err := strconv.Atoi(fd)
	if err != nil || n < 3 {
		return nil, fmt.Errorf("not a descriptor: %q", fd)
	}
	f := os.NewFile(uintptr(n), "connections")
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		c.Close()
		return nil, fmt.Errorf("descriptor %d is not a Unix socket", n)
	}
	return &childPlace{conn: u}, nil
}

func (c *childPlace) listen([]byte) (net.Listener, int, []byte, error) {
	if c.conn == nil {
		return nil, 0, nil, errors.New("keys came twice")
	}
	ln := &handedListener{conn: c.conn}
	c.conn = nil
	return ln, 0, nil, nil
}

// never is empty: the app sends the host's prefixes with each policy, since
// it sees when they change.
func (c *childPlace) never() []netip.Prefix { return nil }

// handedListener accepts descriptors, one per message of one byte.
type handedListener struct {
	conn *net.UnixConn
	mu   sync.Mutex
}

// Accept waits for the next descriptor.
func (h *handedListener) Accept() (net.Conn, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		var b [1]byte
		oob := make([]byte, syscall.CmsgSpace(4*4))
		n, oobn, _, _, err := h.conn.ReadMsgUnix(b[:], oob)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return nil, net.ErrClosed
		}
		if c := received(oob[:oobn]); c != nil {
			return c, nil
		}
	}
}

// received makes a connection of the one descriptor in a control message;
// anything else is closed and nil.
func received(oob []byte) net.Conn {
	msgs, err := syscall.ParseSocketControlMessage(oob)
	if err != nil {
		return nil
	}
	var fds []int
	for i := range msgs {
		if got, err := syscall.ParseUnixRights(&msgs[i]); err == nil {
			fds = append(fds, got...)
		}
	}
	var conn net.Conn
	for i, fd := range fds {
		syscall.CloseOnExec(fd)
		f := os.NewFile(uintptr(fd), "connection")
		if i == 0 && len(fds) == 1 {
			conn, _ = net.FileConn(f)
		}
		f.Close()
	}
	return conn
}

// Close ends Accept.
func (h *handedListener) Close() error { return h.conn.Close() }

// Addr is the socket's, which has no name.
func (h *handedListener) Addr() net.Addr { return h.conn.LocalAddr() }
