package guest

import (
	"context"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// nobodyUID is told where the user at the other end is unknown.
const nobodyUID = 65534

// peerUID is the user at the other end of a Unix socket.
func peerUID(conn *net.UnixConn) uint32 {
	if c := credentials(conn); c != nil {
		return c.Uid
	}
	return nobodyUID
}

func credentials(conn *net.UnixConn) (c *unix.Ucred) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil
	}
	_ = raw.Control(func(fd uintptr) {
		c, _ = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	return c
}

// replaceAfter is what a helper that is replaced gets to end by itself.
const replaceAfter = 5 * time.Second

// replace ends the process that listens for hooks, by the number that the
// kernel gives for it. It may be stopped or stuck.
func replace(ctx context.Context, events string) {
	conn, err := net.DialTimeout("unix", events, time.Second)
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	c := credentials(conn.(*net.UnixConn))
	if c == nil || c.Pid <= 1 || int(c.Pid) == unix.Getpid() || int(c.Uid) != unix.Geteuid() {
		return
	}
	fd, err := unix.PidfdOpen(int(c.Pid), 0)
	if err != nil {
		return
	}
	defer func() { _ = unix.Close(fd) }()
	gone := func(d time.Duration) bool {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(d/time.Millisecond))
		return n > 0 || (err != nil && err != unix.EINTR)
	}
	_ = unix.PidfdSendSignal(fd, unix.SIGTERM, nil, 0)
	if ctx.Err() == nil && !gone(replaceAfter) {
		_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
		gone(replaceAfter)
	}
}

// hide keeps other processes, also of the same user, from reading this one's
// memory: it holds the secret.
func hide() error { return unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) }

// enlarge makes a pipe hold more, as far as the system lets it.
func enlarge(f *os.File) {
	raw, err := f.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { _, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, pipeSize) })
}

// vsockDial connects to a port of the host by the machine's own socket
// family, past the pipe. Nothing must answer there.
func vsockDial(port uint32, millis int) error {
	fd, err := unix.Socket(unix.AF_VSOCK, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	err = unix.Connect(fd, &unix.SockaddrVM{CID: unix.VMADDR_CID_HOST, Port: port})
	if err != unix.EINPROGRESS {
		return err
	}
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
	n, err := unix.Poll(fds, millis)
	if err != nil {
		return err
	}
	if n == 0 {
		return unix.ETIMEDOUT
	}
	code, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return err
	}
	if code != 0 {
		return unix.Errno(code)
	}
	return nil
}
