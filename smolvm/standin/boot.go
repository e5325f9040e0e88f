//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// bootVM is the process that stands for the virtual machine: it stays in the
// host's namespaces, owns agent.sock and the host ends of the pipes, and
// starts the guest. It ends when the guest ends, and the guest with it.
//
// The control socket between the two carries one message each with one file
// descriptor: to the guest connections of agent.sock, from the guest
// connections to a pipe, with its number.
func bootVM(dir string) int {
	runtime.LockOSThread() // the guest dies with the thread that started it
	if err := runVM(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// Descriptors that the boot process and the guest inherit.
const (
	fdLock    = 3
	fdControl = 4
	fdConsole = 5
)

func runVM(dir string) error {
	c, err := readBootConfig(dir)
	if err != nil {
		return err
	}
	console, err := os.OpenFile(filepath.Join(dir, "agent-console.log"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer console.Close()
	sock := filepath.Join(dir, "agent.sock")
	os.Remove(sock)
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: sock, Net: "unix"})
	if err != nil {
		return err
	}
	defer ln.Close()
	own := fmt.Sprintf("%d\n%d\n", os.Getpid(), startOf(os.Getpid()))
	if err := os.WriteFile(filepath.Join(dir, "agent.pid"), []byte(own), 0o644); err != nil {
		return err
	}
	control, g, err := startGuest(dir, c, console)
	if err != nil {
		return err
	}
	ask := make(chan os.Signal, 1)
	signal.Notify(ask, syscall.SIGTERM, syscall.SIGINT)
	var dies <-chan time.Time
	if c.Dies > 0 {
		dies = time.After(c.Dies)
	}
	gone := make(chan struct{})
	go func() { _ = g.Wait(); close(gone) }()
	go passConnections(ln, control)
	go servePipes(control, c)
	select {
	case <-ask:
	case <-dies:
	case <-gone:
	}
	// Killing pid 1 kills all that is in its namespace.
	_ = g.Process.Kill() // or it is gone already
	<-gone
	return nil
}

func readBootConfig(dir string) (c bootConfig, err error) {
	raw, err := os.ReadFile(filepath.Join(dir, "boot-config.json"))
	if err != nil {
		return c, err
	}
	return c, json.Unmarshal(raw, &c)
}

func startGuest(dir string, c bootConfig, console *os.File) (*net.UnixConn, *exec.Cmd, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "control"), os.NewFile(uintptr(pair[1]), "control")
	defer ours.Close()
	defer theirs.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		return nil, nil, err
	}
	g := exec.CommandContext(context.Background(), "/proc/self/exe", "_guest", dir)
	g.Stdout, g.Stderr = os.Stdout, os.Stderr
	g.ExtraFiles = []*os.File{os.NewFile(fdLock, "lock"), theirs, console}
	g.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC,
		Pdeathsig:  syscall.SIGKILL,
		Setsid:     true,
		// Root maps all the users that an image can have; another user can
		// only map itself.
		UidMappings: idMap(os.Getuid()), GidMappings: idMap(os.Getgid()),
		GidMappingsEnableSetgroups: os.Getuid() == 0,
	}
	if c.HostNet {
		g.SysProcAttr.Cloneflags &^= unix.CLONE_NEWNET
	}
	return conn.(*net.UnixConn), g, g.Start()
}

func idMap(own int) []syscall.SysProcIDMap {
	if os.Getuid() == 0 {
		return []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 65536}}
	}
	return []syscall.SysProcIDMap{{ContainerID: 0, HostID: own, Size: 1}}
}

// passConnections hands each connection of agent.sock to the guest. The boot
// process accepts, so that a stopped one answers nobody.
func passConnections(ln *net.UnixListener, control *net.UnixConn) {
	for {
		conn, err := ln.AcceptUnix()
		if err != nil {
			return
		}
		_ = sendConn(control, []byte{0}, conn) // a dying guest ends all
	}
}

func sendConn(control *net.UnixConn, tag []byte, conn *net.UnixConn) error {
	defer conn.Close()
	f, err := conn.File()
	if err != nil {
		return err
	}
	defer f.Close()
	_, _, err = control.WriteMsgUnix(tag, unix.UnixRights(int(f.Fd())), nil)
	return err
}

// recvConn waits for the next connection from the other side.
func recvConn(control *net.UnixConn) (tag byte, conn *net.UnixConn, err error) {
	var b [1]byte
	oob := make([]byte, unix.CmsgSpace(4))
	n, oobn, _, _, err := control.ReadMsgUnix(b[:], oob)
	if err != nil {
		return 0, nil, err
	}
	if n == 0 {
		return 0, nil, io.EOF
	}
	msgs, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil || len(msgs) == 0 {
		return b[0], nil, err
	}
	fds, err := unix.ParseUnixRights(&msgs[0])
	if err != nil || len(fds) == 0 {
		return b[0], nil, err
	}
	unix.CloseOnExec(fds[0])
	f := os.NewFile(uintptr(fds[0]), "conn")
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return b[0], nil, err
	}
	return b[0], c.(*net.UnixConn), nil
}

// agentPipe is the number of the --ssh-agent pipe; mounted sockets count from
// 1.
const agentPipe = 0

// servePipes dials the host's end for each connection that a guest makes.
func servePipes(control *net.UnixConn, c bootConfig) {
	for {
		tag, conn, err := recvConn(control)
		if err != nil {
			return
		}
		if conn == nil {
			continue
		}
		switch {
		case tag == agentPipe:
			go relay(conn, c.AuthSock, relayAgent)
		case int(tag) <= len(c.Sockets):
			go relay(conn, c.Sockets[tag-1].Host, relaySocket)
		default:
			conn.Close()
		}
	}
}

// relayAgent closes both sides at the first end of file and after 30 s
// without a byte; relaySocket passes each end of file on and waits for ever.
var (
	relayAgent  = relayRules{idle: 30 * time.Second}
	relaySocket = relayRules{halfClose: true}
)

type relayRules struct {
	halfClose bool
	idle      time.Duration
}

// relay connects a guest's connection with the socket at path. If nobody
// listens there the guest's connection just ends.
func relay(guest *net.UnixConn, path string, rules relayRules) {
	defer guest.Close()
	var d net.Dialer
	c, err := d.DialContext(context.Background(), "unix", path)
	if err != nil {
		return
	}
	host := c.(*net.UnixConn)
	defer host.Close()
	var idle *time.Timer
	if rules.idle > 0 {
		idle = time.AfterFunc(rules.idle, func() { guest.Close(); host.Close() })
		defer idle.Stop()
	}
	var both sync.WaitGroup
	half := func(dst, src *net.UnixConn) {
		defer both.Done()
		buf := make([]byte, 64<<10)
		for {
			n, err := src.Read(buf)
			if idle != nil {
				idle.Reset(rules.idle)
			}
			if n > 0 {
				if _, werr := dst.Write(buf[:n]); werr != nil {
					err = werr
				}
			}
			if err != nil {
				break
			}
		}
		if rules.halfClose {
			_ = dst.CloseWrite()
			return
		}
		guest.Close()
		host.Close()
	}
	both.Add(2)
	go half(host, guest)
	half(guest, host)
	both.Wait()
}

// logLine appends to agent-console.log, which is JSON lines.
func logLine(w io.Writer, message string, fields map[string]any) {
	if fields == nil {
		fields = map[string]any{}
	}
	fields["message"] = message
	line, err := json.Marshal(map[string]any{
		"timestamp": time.Now().UTC().Format("2006-01-02T15:04:05.000000Z"),
		"level":     "INFO", "fields": fields, "target": "smolvm_agent",
	})
	if err == nil {
		fmt.Fprintln(w, string(line))
	}
}
