package sidecar

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"

	"bottlebar.app/sidecar/control"
)

// ProcessOptions are what the process driver needs.
type ProcessOptions struct {
	// Binaries holds sidecar-<GOARCH>.gz. Linux runs it from memory.
	Binaries fs.FS
	// Path, absolute, and Args start a program that calls inside.Main with what follows
	// Args. They are used where Binaries cannot be: the sandbox on Linux needs
	// a program without cgo.
	Path string
	Args []string
	Log  *slog.Logger // nil: none
}

// process makes sidecars that are child processes of this one. They have no
// port: a connection is a pair of sockets of which the child is given one. They
// end with this process and cannot be adopted.
type process struct {
	opt ProcessOptions
	log *slog.Logger

	mu    sync.Mutex
	image *os.File // the embedded program, unpacked into memory
}

// NewProcess returns the driver that needs no engine.
func NewProcess(o ProcessOptions) (Driver, error) {
	if o.Path == "" && !o.embedded() {
		return nil, errors.New("the process driver needs a program to run")
	}
	p := &process{opt: o, log: o.Log}
	if p.log == nil {
		p.log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	return p, nil
}

// embedded reports whether the embedded program is what runs.
func (o ProcessOptions) embedded() bool { return canRunEmbedded && o.Binaries != nil }

func (p *process) Kind() string { return KindProcess }

// Start starts a child and waits until it is ready.
func (p *process) Start(ctx context.Context, warm bool) (*Sidecar, error) {
	path, args, err := p.program()
	if err != nil {
		return nil, err
	}
	u := &processUnit{h: Handle{ID: newID(), Driver: KindProcess, Created: time.Now().UTC()}, dead: make(chan struct{})}
	if err := u.start(path, args); err != nil {
		return nil, fmt.Errorf("starting the sidecar's process: %w", err)
	}
	id, err := control.NewIdentity()
	if err != nil {
		return nil, errors.Join(err, u.remove(ctx))
	}
	s, err := launch(ctx, u, id, p.log)
	if err != nil {
		return nil, errors.Join(err, u.remove(ctx))
	}
	return s, nil
}

// Adopt is not possible: a child ends with the app that started it.
func (p *process) Adopt(context.Context, Handle) (*Sidecar, error) { return nil, ErrNotAdoptable }

// Sweep has nothing to do, for the same reason.
func (p *process) Sweep(context.Context, []string) ([]string, error) { return nil, nil }

// Close frees the unpacked program.
func (p *process) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.image == nil {
		return nil
	}
	err := p.image.Close()
	p.image = nil
	return err
}

func (p *process) program() (string, []string, error) {
	if !p.opt.embedded() {
		return p.opt.Path, p.opt.Args, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.image == nil {
		bin, err := readBinary(p.opt.Binaries, runtime.GOARCH)
		if err != nil {
			return "", nil, err
		}
		if p.image, err = inMemory(bin); err != nil {
			return "", nil, fmt.Errorf("unpacking the sidecar's program: %w", err)
		}
	}
	return fmt.Sprintf("/proc/self/fd/%d", p.image.Fd()), nil, nil
}

// processUnit is one child.
type processUnit struct {
	h    Handle
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  io.ReadCloser
	tail tailWriter
	dead chan struct{} // closed when it was waited for

	mu   sync.Mutex
	hand *net.UnixConn // descriptors go to the child over it
}

func (u *processUnit) start(path string, args []string) error {
	ours, theirs, err := socketPair()
	if err != nil {
		return err
	}
	defer theirs.Close()
	if u.hand, err = unixConn(ours); err != nil {
		return err
	}
	// The child sees nothing of this process's environment, and no descriptor
	// but its own four.
	path, args = confined(path, append(append([]string(nil), args...), "child", strconv.Itoa(3)))
	u.cmd = &exec.Cmd{Path: path, Args: append([]string{"bottlebar-sidecar"}, args...)}
	u.cmd.Env = []string{"GODEBUG=netdns=go"}
	u.cmd.Dir = "/"
	u.cmd.ExtraFiles = []*os.File{theirs}
	u.cmd.Stderr = &u.tail
	u.cmd.SysProcAttr = childAttributes()
	if u.in, err = u.cmd.StdinPipe(); err != nil {
		return err
	}
	if u.out, err = u.cmd.StdoutPipe(); err != nil {
		return err
	}
	started := make(chan error, 1)
	go u.wait(started)
	return <-started
}

// wait starts the child and waits for it on one thread: the kernel ends the
// child when the thread that started it ends, so it must live as long.
func (u *processUnit) wait(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(u.dead)
	err := u.cmd.Start()
	started <- err
	if err != nil {
		u.hand.Close()
		return
	}
	// Not Cmd.Wait: it would close the output before the last lines are read.
	_, _ = u.cmd.Process.Wait()
	u.mu.Lock()
	defer u.mu.Unlock()
	u.hand.Close()
}

func (u *processUnit) handle() Handle { return u.h }

// release ends the child: it has no port, and would end with this process.
func (u *processUnit) release() { _ = u.remove(context.Background()) }

func (u *processUnit) control() (io.Writer, io.Reader) { return u.in, u.out }

func (u *processUnit) ready(context.Context, control.Event) error { return nil }

// dial makes a pair of sockets and gives the child one of them. Nothing else
// can reach that end, so there is nothing that TLS could add.
func (u *processUnit) dial(context.Context) (net.Conn, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	conn, err := unixConn(ours)
	if err != nil {
		return nil, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if _, _, err := u.hand.WriteMsgUnix([]byte{1}, syscall.UnixRights(int(theirs.Fd())), nil); err != nil {
		conn.Close()
		return nil, fmt.Errorf("connecting to the sidecar: %w", err)
	}
	return conn, nil
}

// floor is every network that this computer stands in: a child process dials
// from here, and nothing but the policy lies between it and the neighbours.
func (u *processUnit) floor() []string {
	var out []string
	for _, p := range ownPrefixes() {
		out = append(out, p.Masked().String())
	}
	return out
}

func (u *processUnit) inspect(_ context.Context, report control.Report) (Facts, error) {
	f := Facts{Driver: KindProcess, ID: u.h.ID, Holds: true, Lines: processFacts(u.cmd.Process.Pid, report)}
	for _, l := range f.Lines {
		f.Holds = f.Holds && l.Holds
	}
	return f, nil
}

func (u *processUnit) exit() error {
	if text := u.tail.text(); text != "" {
		return fmt.Errorf("the sidecar's process has ended: %s", text)
	}
	return errors.New("the sidecar's process has ended")
}

// remove ends the child: first by closing its input, then by force.
func (u *processUnit) remove(ctx context.Context) error {
	if u.cmd.Process == nil {
		return nil
	}
	u.in.Close()
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	defer u.out.Close()
	select {
	case <-u.dead:
		return nil
	case <-ctx.Done():
	}
	_ = u.cmd.Process.Kill()
	select {
	case <-u.dead:
		return nil
	case <-time.After(stepTimeout):
		return errors.New("the sidecar's process does not end")
	}
}

// tailWriter keeps the end of what is written to it.
type tailWriter struct {
	mu sync.Mutex
	b  []byte
}

func (w *tailWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.b = append(w.b, b...)
	w.b = w.b[max(0, len(w.b)-maxTail):]
	return len(b), nil
}

func (w *tailWriter) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return clean(string(w.b))
}

// socketPair returns two connected sockets that a child does not inherit.
func socketPair() (*os.File, *os.File, error) {
	syscall.ForkLock.RLock()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fds[0])
		syscall.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, fmt.Errorf("making a pair of sockets: %w", err)
	}
	return os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs"), nil
}

// unixConn makes a connection of a socket and closes the file.
func unixConn(f *os.File) (*net.UnixConn, error) {
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	return c.(*net.UnixConn), nil
}
