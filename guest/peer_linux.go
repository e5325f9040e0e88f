package guest

import (
	"net"

	"golang.org/x/sys/unix"
)

// nobodyUID is told where the user at the other end is unknown.
const nobodyUID = 65534

// peerUID is the user at the other end of a Unix socket.
func peerUID(conn *net.UnixConn) uint32 {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nobodyUID
	}
	uid := uint32(nobodyUID)
	_ = raw.Control(func(fd uintptr) {
		if c, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			uid = c.Uid
		}
	})
	return uid
}

// hide keeps other processes, also of the same user, from reading this one's
// memory: it holds the secret.
func hide() error { return unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) }

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
