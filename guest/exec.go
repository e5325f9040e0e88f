package guest

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"bottlebar.app/hop"
	"bottlebar.app/internal/frame"
)

// After a command's end its output is read on while something comes, for the
// children that still hold it, and at most drainMax.
const (
	drainIdle = 300 * time.Millisecond
	drainMax  = 5 * time.Second
	// killAfter is what a cancelled command gets to end by itself.
	killAfter = 2 * time.Second
	// timeoutCode is the exit code of a command whose deadline passed, the
	// same that timeout(1) gives.
	timeoutCode = 124
)

// running is one command with a viewer of its own.
type running struct {
	h      *helper
	st     *hop.Stream
	out    *frame.Writer
	cmd    *exec.Cmd
	tty    *os.File // the terminal's master, for a command on one
	stdin  *os.File
	pipes  []*os.File // read ends of its output
	kinds  []frame.Kind
	copies sync.WaitGroup
	exited atomic.Int64 // when, in Unix nanoseconds
	over   chan struct{}
}

// exec serves one stream of type Exec.
func (h *helper) exec(ctx context.Context, st *hop.Stream) {
	defer func() { _ = st.Close() }()
	var req hop.ExecRequest
	if err := hop.ReadRequest(st, &req); err != nil {
		st.Reset()
		return
	}
	r := &running{h: h, st: st, out: frame.NewWriter(st), over: make(chan struct{})}
	if err := r.start(req); err != nil {
		fail(r.out, err)
		return
	}
	status := r.supervise(ctx, req.Timeout)
	_ = r.out.WriteJSON(frame.Exit, status)
}

func (r *running) start(req hop.ExecRequest) error {
	cmd, err := r.h.command(spec{argv: req.Argv, env: req.Env, workdir: req.Workdir, user: req.User, tty: req.TTY})
	if err != nil {
		return err
	}
	r.cmd = cmd
	if req.TTY {
		err = r.startTTY(req.Size)
	} else {
		err = r.startPipes()
	}
	if err != nil {
		return err
	}
	return r.out.WriteJSON(frame.Ready, hop.AttachReply{Started: true, Pid: cmd.Process.Pid})
}

func (r *running) startTTY(size frame.Size) error {
	f, err := openTTY(r.cmd, size)
	if err != nil {
		return err
	}
	r.tty, r.stdin = f, f
	r.pipes, r.kinds = []*os.File{f}, []frame.Kind{frame.Stdout}
	return nil
}

// openTTY starts cmd on a new terminal that its user owns.
func openTTY(cmd *exec.Cmd, size frame.Size) (*os.File, error) {
	opened, slave, err := pty.Open()
	if err != nil {
		return nil, remote(err, "making a terminal")
	}
	defer func() { _ = slave.Close() }()
	master, err := interruptible(opened)
	if err != nil {
		return nil, remote(err, "making a terminal")
	}
	if c := cmd.SysProcAttr.Credential; c != nil {
		_ = slave.Chown(int(c.Uid), int(c.Gid))
	}
	_ = setSize(master, size)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr.Setctty = true
	if err := cmd.Start(); err != nil {
		_ = master.Close()
		return nil, started(err, cmd.Args[0])
	}
	return master, nil
}

// interruptible gives a terminal's master under a descriptor whose reads and
// writes end when it is closed or its deadline passes. Opening it has left
// the one it came with in the other mode.
func interruptible(f *os.File) (*os.File, error) {
	defer func() { _ = f.Close() }()
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// setSize takes a size, or 80 by 24 where there is none.
func setSize(f *os.File, size frame.Size) error {
	size = sane(size)
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	cerr := raw.Control(func(fd uintptr) {
		err = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Col: size.Cols, Row: size.Rows})
	})
	return errors.Join(cerr, err)
}

func sane(size frame.Size) frame.Size {
	if size.Cols == 0 || size.Rows == 0 {
		return frame.Size{Cols: 80, Rows: 24}
	}
	return frame.Size{Cols: min(size.Cols, 2000), Rows: min(size.Rows, 1000)}
}

func (r *running) startPipes() error {
	var child, ours []*os.File
	closeAll := func(fs []*os.File) {
		for _, f := range fs {
			_ = f.Close()
		}
	}
	for range 3 {
		pr, pw, err := os.Pipe()
		if err != nil {
			closeAll(child)
			closeAll(ours)
			return remote(err, "making a pipe")
		}
		child, ours = append(child, pw), append(ours, pr)
	}
	child[0], ours[0] = ours[0], child[0]
	r.cmd.Stdin, r.cmd.Stdout, r.cmd.Stderr = child[0], child[1], child[2]
	err := r.cmd.Start()
	closeAll(child)
	if err != nil {
		closeAll(ours)
		return started(err, r.cmd.Args[0])
	}
	r.stdin, r.pipes, r.kinds = ours[0], ours[1:], []frame.Kind{frame.Stdout, frame.Stderr}
	return nil
}

// supervise carries bytes both ways until the command has ended and its
// output was read, and ends it when nobody waits for it any more.
func (r *running) supervise(ctx context.Context, timeout time.Duration) frame.Status {
	for i, f := range r.pipes {
		r.copies.Go(func() { r.carry(f, r.kinds[i]) })
	}
	var input sync.WaitGroup
	input.Go(r.input)
	var timedOut atomic.Bool
	var watch sync.WaitGroup
	watch.Go(func() { timedOut.Store(r.watch(ctx, timeout)) })

	_ = r.cmd.Wait()
	r.exited.Store(time.Now().UnixNano())
	close(r.over)
	_ = r.stdin.SetWriteDeadline(time.Now()) // nobody reads it any more
	for _, f := range r.pipes {
		_ = f.SetReadDeadline(time.Now().Add(drainIdle))
	}
	r.copies.Wait()
	watch.Wait()
	_ = r.stdin.Close()
	_ = r.st.SetReadDeadline(time.Unix(1, 0))
	input.Wait()
	status := ended(r.cmd.ProcessState)
	if timedOut.Load() {
		status.TimedOut, status.Code = true, timeoutCode
	}
	return status
}

// carry sends what the command writes. After its end only what comes without
// a pause is waited for.
func (r *running) carry(f *os.File, kind frame.Kind) {
	defer func() { _ = f.Close() }()
	buf := make([]byte, frame.MaxPayload)
	for {
		n, err := f.Read(buf)
		if n > 0 {
			if r.out.Write(kind, buf[:n]) != nil {
				return
			}
		}
		at := r.exited.Load()
		switch {
		case err == nil && at == 0:
		case err == nil:
			end := time.Unix(0, at).Add(drainMax)
			next := time.Now().Add(drainIdle)
			if next.After(end) {
				next = end
			}
			_ = f.SetReadDeadline(next)
		case errors.Is(err, os.ErrDeadlineExceeded) && at == 0:
			_ = f.SetReadDeadline(time.Time{})
		default:
			return
		}
	}
}

// watch ends the command when its deadline passes or nobody is there to see
// it; it reports whether it was the deadline.
func (r *running) watch(ctx context.Context, timeout time.Duration) bool {
	var deadline <-chan time.Time
	if timeout > 0 {
		t := time.NewTimer(timeout)
		defer t.Stop()
		deadline = t.C
	}
	pid := r.cmd.Process.Pid
	timedOut := false
	select {
	case <-r.over:
		return false
	case <-deadline:
		timedOut = true
	case <-ctx.Done():
	case <-r.st.Aborted():
	}
	r.hangUp(pid, timedOut)
	return timedOut
}

// hangUp ends a command: politely first, then for good.
func (r *running) hangUp(pid int, timedOut bool) {
	if !timedOut {
		signalTree(pid, syscall.SIGHUP)
	}
	signalTree(pid, syscall.SIGTERM)
	t := time.NewTimer(killAfter)
	defer t.Stop()
	select {
	case <-r.over:
	case <-t.C:
	}
	signalTree(pid, syscall.SIGKILL)
}

// input takes frames towards the command until the stream or the command
// ends.
func (r *running) input() {
	in := frame.NewReader(r.st)
	open := true
	for {
		kind, p, err := in.Next()
		if err != nil {
			return
		}
		switch kind {
		case frame.Stdin:
			if open {
				_, err := r.stdin.Write(p)
				open = err == nil || r.tty != nil
			}
		case frame.CloseStdin:
			r.endInput()
			open = open && r.tty != nil
		case frame.Resize:
			r.resize(p)
		case frame.Signal:
			if sig, ok := signals[string(p)]; ok && !closed(r.over) {
				signalTree(r.cmd.Process.Pid, sig)
			}
		}
	}
}

// endInput closes a pipe; on a terminal it is a key.
func (r *running) endInput() {
	if r.tty != nil {
		_, _ = r.tty.Write([]byte{4})
		return
	}
	_ = r.stdin.Close()
}

func (r *running) resize(p []byte) {
	var size frame.Size
	if r.tty != nil && json.Unmarshal(p, &size) == nil {
		_ = setSize(r.tty, size)
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
