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

	"bottlebar.app/hop"
	"bottlebar.app/internal/frame"
)

const (
	// maxLag is how much output waits for a viewer that does not keep up;
	// beyond it the viewer gets the screen as it is by then instead.
	maxLag = 256 << 10
	// closeAfter is what a terminal's command gets between hang-up and kill.
	closeAfter = 3 * time.Second
)

// terminal is one command on a terminal that outlives its viewers.
type terminal struct {
	name    string
	cmd     *exec.Cmd
	pid     int
	master  *os.File
	started time.Time
	over    chan struct{} // closed when the command has ended and its output was read
	input   chan []byte   // what goes to the command
	exited  atomic.Int64
	wg      sync.WaitGroup // hang-up and input

	mu      sync.Mutex
	screen  Screen
	size    frame.Size
	viewers []*viewer
	leader  *viewer // typed last: its size counts
	status  *frame.Status
	ending  bool // hung up on
	said    said
	news    chan<- struct{} // the keeper's: said or status has changed
}

// viewer is one attached stream.
type viewer struct {
	size  frame.Size
	buf   []byte // output that waits
	lag   bool   // buf was given up: draw the screen anew
	drawn bool   // it has been given the screen, and what scrolled away, once
	wake  chan struct{}
}

func newTerminal(name string, cmd *exec.Cmd, master *os.File, size frame.Size, news chan<- struct{}) *terminal {
	t := &terminal{
		name: name, cmd: cmd, pid: cmd.Process.Pid, master: master, started: time.Now(), size: size,
		over: make(chan struct{}), input: make(chan []byte, 64), screen: newScreen(size), news: news,
	}
	return t
}

// run reads the command's output until it ends.
func (t *terminal) run() {
	t.wg.Go(t.feed)
	var reader sync.WaitGroup
	reader.Go(t.read)
	_ = t.cmd.Wait()
	t.exited.Store(time.Now().UnixNano())
	_ = t.master.SetReadDeadline(time.Now().Add(drainIdle))
	reader.Wait()
	status := ended(t.cmd.ProcessState)
	t.mu.Lock()
	t.status = &status
	t.announce()
	close(t.over)
	for _, v := range t.viewers {
		v.poke()
	}
	t.mu.Unlock()
	_ = t.master.Close()
	t.wg.Wait()
}

func (t *terminal) read() {
	buf := make([]byte, 32<<10)
	var replies []byte
	for {
		n, err := t.master.Read(buf)
		if n > 0 {
			replies = t.show(buf[:n], replies[:0])
			if len(replies) > 0 {
				t.reply(replies)
			}
		}
		at := t.exited.Load()
		switch {
		case err == nil && at == 0:
		case err == nil:
			next := time.Now().Add(drainIdle)
			if end := time.Unix(0, at).Add(drainMax); next.After(end) {
				next = end
			}
			_ = t.master.SetReadDeadline(next)
		case errors.Is(err, os.ErrDeadlineExceeded) && at == 0:
			_ = t.master.SetReadDeadline(time.Time{})
		default:
			return
		}
	}
}

// show draws output on the copy and queues it for the viewers. It returns
// the answers to the command's questions, if no viewer's terminal gives them.
func (t *terminal) show(p, replies []byte) []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, _ = t.screen.Write(p)
	t.hear()
	answered := false
	for _, v := range t.viewers {
		if !v.lag && len(v.buf)+len(p) > maxLag {
			v.lag, v.buf = true, nil
		}
		if !v.lag {
			v.buf = append(v.buf, p...)
			answered = answered || t.leader == nil || t.leader == v
		}
		v.poke()
	}
	if r, ok := t.screen.(replier); ok {
		replies = r.TakeReplies(replies)
	}
	if answered {
		return replies[:0]
	}
	return replies
}

func (v *viewer) poke() {
	select {
	case v.wake <- struct{}{}:
	default:
	}
}

// reply types an answer for the command. One that does not read loses it.
func (t *terminal) reply(p []byte) {
	select {
	case t.input <- append([]byte(nil), p...):
	default:
	}
}

// feed writes input, so that a command that does not read blocks nobody else.
func (t *terminal) feed() {
	for {
		select {
		case p := <-t.input:
			if _, err := t.master.Write(p); err != nil && closed(t.over) {
				return
			}
		case <-t.over:
			return
		}
	}
}

// kill ends the command: sig first, and for good after a while.
func (t *terminal) kill(sig syscall.Signal) {
	signalTree(t.pid, sig)
	signalTree(t.pid, syscall.SIGCONT)
	timer := time.NewTimer(closeAfter)
	defer timer.Stop()
	select {
	case <-t.over:
	case <-timer.C:
	}
	signalTree(t.pid, syscall.SIGKILL)
}

func (t *terminal) info() hop.TerminalInfo {
	t.mu.Lock()
	defer t.mu.Unlock()
	return hop.TerminalInfo{
		Name: t.name, Pid: t.pid, Viewers: len(t.viewers), Size: t.size, Started: t.started.UTC(), Ended: t.status,
		Title: t.said.title, Notice: t.said.notice, Rang: t.said.rang, Mark: t.said.mark, Code: t.said.code,
	}
}

// view serves one viewer until it leaves or the command ends.
func (t *terminal) view(ctx context.Context, st *hop.Stream, out *frame.Writer, size frame.Size, fresh bool) {
	v := &viewer{size: size, lag: !fresh, drawn: fresh, wake: make(chan struct{}, 1)}
	reply := t.join(v)
	reply.Started = fresh
	defer t.leave(v)
	if err := out.WriteJSON(frame.Ready, reply); err != nil {
		return
	}
	var input sync.WaitGroup
	input.Go(func() { t.listen(st, v) })
	defer input.Wait()
	defer func() {
		_ = st.SetReadDeadline(time.Unix(1, 0))
		if !closed(t.over) {
			st.Reset() // also lets go of input that the command does not take
		}
	}()
	for {
		p, end := t.take(v)
		if len(p) > 0 {
			if out.Write(frame.Stdout, p) != nil {
				return
			}
			continue
		}
		if end != nil {
			_ = out.WriteJSON(frame.Exit, end)
			return
		}
		select {
		case <-v.wake:
		case <-ctx.Done():
			return
		case <-st.Aborted():
			return
		}
	}
}

// take gives what a viewer has to be sent next; the status once nothing is
// left to show.
func (t *terminal) take(v *viewer) ([]byte, *frame.Status) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if v.lag {
		return t.picture(v), nil
	}
	p := v.buf
	v.buf = nil
	if len(p) == 0 {
		return nil, t.status
	}
	return p, nil
}

// picture brings a viewer's terminal to what is to be seen. The caller holds t.mu.
func (t *terminal) picture(v *viewer) []byte {
	first, screen := !v.drawn, t.screen
	v.lag, v.drawn = false, true
	if v.size != t.size {
		screen = t.fitted(v.size)
	}
	if r, ok := screen.(replayer); ok && first {
		return r.AppendReplay(nil, keptLines)
	}
	// The viewer may have been cut off inside a sequence: cancel it.
	return screen.AppendRedraw([]byte{0x18})
}

// fitted is a copy of the screen as it looks at another size, for a viewer that
// has not typed: its own terminal could not tell what lies where.
func (t *terminal) fitted(size frame.Size) Screen {
	s := newScreen(t.size)
	if r, ok := t.screen.(replayer); ok {
		_, _ = s.Write(r.AppendReplay(nil, keptLines))
	} else {
		_, _ = s.Write(t.screen.AppendRedraw(nil))
	}
	s.Resize(int(size.Cols), int(size.Rows))
	return s
}

// typed notes what comes from a viewer, and says whether it is for the command:
// a question is answered by the terminal of the one who typed last alone.
func (t *terminal) typed(v *viewer, p []byte) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if isReport(p) {
		return t.leader == v || t.leader == nil
	}
	t.takeOver(v)
	t.answered()
	return true
}

// takeOver makes v, which types now, the one whose size counts. All are drawn
// anew where that changes it: to each the lines lie elsewhere now.
func (t *terminal) takeOver(v *viewer) {
	if t.leader == v {
		return
	}
	was := t.size
	t.lead(v)
	if t.size == was {
		return
	}
	for _, o := range t.viewers {
		o.lag, o.buf = true, nil
		o.poke()
	}
}

// join adds a viewer. The only one's size counts from the start.
func (t *terminal) join(v *viewer) hop.AttachReply {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.viewers = append(t.viewers, v)
	if len(t.viewers) == 1 {
		t.lead(v)
	}
	return hop.AttachReply{Pid: t.pid, Size: t.size, Ended: t.status}
}

func (t *terminal) leave(v *viewer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, o := range t.viewers {
		if o == v {
			t.viewers = append(t.viewers[:i:i], t.viewers[i+1:]...)
			break
		}
	}
	if t.leader == v {
		t.leader = nil
	}
	if len(t.viewers) == 1 {
		t.lead(t.viewers[0])
	}
}

// lead makes v's size the terminal's.
func (t *terminal) lead(v *viewer) {
	t.leader = v
	if t.size == v.size || t.status != nil {
		return
	}
	t.size = v.size
	t.screen.Resize(int(v.size.Cols), int(v.size.Rows))
	_ = setSize(t.master, v.size)
}

// listen takes a viewer's frames.
func (t *terminal) listen(st *hop.Stream, v *viewer) {
	in := frame.NewReader(st)
	for {
		kind, p, err := in.Next()
		if err != nil {
			if !closed(t.over) {
				st.Reset() // the viewer is gone: end its other direction too
			}
			return
		}
		switch kind {
		case frame.Stdin:
			if !t.typed(v, p) {
				continue
			}
			select {
			case t.input <- append([]byte(nil), p...):
			case <-t.over:
			case <-st.Aborted():
				return
			}
		case frame.Resize:
			var size frame.Size
			if json.Unmarshal(p, &size) == nil {
				t.mu.Lock()
				v.size = sane(size)
				if t.leader == v {
					t.lead(v)
				}
				t.mu.Unlock()
			}
		case frame.Signal:
			if sig, ok := signals[string(p)]; ok && !closed(t.over) {
				signalTree(t.pid, sig)
			}
		}
	}
}
