//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"bottlebar.app/internal/frame"
)

func notifyChild(c chan os.Signal) { signal.Notify(c, syscall.SIGCHLD) }

// command is one exec while it runs.
type command struct {
	g    *agent
	req  request
	conn *net.UnixConn
	w    *frame.Writer
	kid  *kid
	own  bool // in a container of its own, whose pid 1 it is

	input   *os.File // where the caller's input goes: a pipe or the terminal
	outputs []*output
	gone    chan struct{} // closed when the caller is no longer there
}

// output is one stream of a command on its way to the caller.
type output struct {
	kind frame.Kind
	from *os.File
	kept bytes.Buffer // captured mode
	done chan struct{}
}

// exec runs a command and answers with its streams and its end.
func (g *agent) exec(conn *net.UnixConn, w *frame.Writer, req request) {
	path, text := g.resolve(req)
	if text != "" {
		g.execRefused(w, req, text)
		return
	}
	c := &command{g: g, req: req, conn: conn, w: w, gone: make(chan struct{})}
	if err := c.start(path); err != nil {
		g.execRefused(w, req, osText(err))
		return
	}
	if req.Mode == modeDetached {
		_ = w.Write(frame.Stdout, []byte(strconv.Itoa(c.kid.pid)+"\n"))
		end(w, frame.Status{})
		return
	}
	go c.listen()
	for _, o := range c.outputs {
		go c.pump(o)
	}
	c.finish()
}

// execRefused is the container runtime failing to start a command: its words
// on stderr, or with a time in front on the terminal.
func (g *agent) execRefused(w *frame.Writer, req request, text string) {
	code := 255
	if g.c.Release == r080 {
		code = 1
	}
	if req.Mode == modeTTY {
		_ = w.Write(frame.Stdout, []byte(time.Now().UTC().Format("2006-01-02T15:04:05.000000Z: ")+text+"\r\n"))
	} else {
		_ = w.Write(frame.Stderr, []byte(text+"\n"))
	}
	end(w, frame.Status{Code: code})
}

// start connects the streams and starts the process.
func (c *command) start(path string) error {
	attr := &os.ProcAttr{Dir: dirOr(c.req.Dir), Env: c.req.Env, Sys: &syscall.SysProcAttr{Setsid: true}}
	ends, err := c.connect(attr)
	defer func() {
		for _, f := range ends {
			f.Close()
		}
	}()
	if err != nil {
		return err
	}
	c.kid, c.own, err = c.g.startCommand(path, c.req.Argv, attr)
	return err
}

// connect makes the streams; it returns the command's ends, to be closed once
// it runs.
func (c *command) connect(attr *os.ProcAttr) (ends []*os.File, err error) {
	if c.req.Mode == modeTTY {
		master, slave, err := openTerminal()
		if err != nil {
			return nil, err
		}
		// 0.8.0 tells the terminal in the container no size, ever.
		if c.g.c.Release > r080 {
			_ = resize(master, c.req.Cols, c.req.Rows)
		}
		attr.Files = []*os.File{slave, slave, slave}
		attr.Sys.Setctty = true
		c.input = master
		c.outputs = []*output{{kind: frame.Stdout, from: master, done: make(chan struct{})}}
		if c.req.EOF {
			c.endOfInput()
		}
		return []*os.File{slave}, nil
	}
	in, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	ends = append(ends, in)
	attr.Files = []*os.File{in, in, in}
	if c.req.Mode == modeDetached {
		return ends, nil
	}
	if c.req.Mode == modeInput {
		r, w, err := os.Pipe()
		if err != nil {
			return ends, err
		}
		c.input, attr.Files[0], ends = w, r, append(ends, r)
	}
	for i, kind := range []frame.Kind{frame.Stdout, frame.Stderr} {
		r, w, err := os.Pipe()
		if err != nil {
			return ends, err
		}
		attr.Files[i+1], ends = w, append(ends, w)
		c.outputs = append(c.outputs, &output{kind: kind, from: r, done: make(chan struct{})})
	}
	return ends, nil
}

// endOfInput is the caller's input ending: on a terminal the characters that
// mean it, of which 0.8.0 writes the wrong one.
func (c *command) endOfInput() {
	switch {
	case c.req.Mode != modeTTY:
		c.input.Close()
	case c.g.c.Release == r080:
		_, _ = c.input.Write([]byte{0})
	default:
		_, _ = c.input.Write([]byte{4, 4})
	}
}

// listen takes what the caller sends until the caller is gone.
func (c *command) listen() {
	defer close(c.gone)
	r := frame.NewReader(c.conn)
	for {
		kind, p, err := r.Next()
		if err != nil {
			return
		}
		switch {
		case c.input == nil:
		case kind == frame.Stdin:
			_, _ = c.input.Write(p) // to a command that no longer reads it is lost
		case kind == frame.CloseStdin:
			c.endOfInput()
		case kind == frame.Resize && c.req.Mode == modeTTY && c.g.c.Release > r080:
			var s frame.Size
			if json.Unmarshal(p, &s) == nil {
				_ = resize(c.input, s.Cols, s.Rows)
			}
		}
	}
}

// pump moves one stream until its end. Captured output ends at capBytes and
// closes the pipe: whoever still writes gets SIGPIPE.
func (c *command) pump(o *output) {
	defer close(o.done)
	defer func() {
		if c.req.Mode != modeTTY {
			o.from.Close()
		}
	}()
	buf := make([]byte, frame.MaxPayload)
	for {
		n, err := o.from.Read(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			c.rest(o, buf)
			return
		}
		if n > 0 && !c.keep(o, buf[:n]) || err != nil {
			return
		}
	}
}

func (c *command) keep(o *output, p []byte) bool {
	if c.req.Mode != modeCaptured {
		return c.w.Write(o.kind, p) == nil
	}
	room := capBytes - o.kept.Len()
	o.kept.Write(p[:min(room, len(p))])
	return len(p) < room
}

// rest takes what is already in a pipe whose other end somebody still holds.
func (c *command) rest(o *output, buf []byte) {
	raw, err := o.from.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		for {
			n, err := syscall.Read(int(fd), buf)
			if n <= 0 || err != nil || !c.keep(o, buf[:n]) {
				return
			}
		}
	})
}

// finish waits for the command, its deadline or the caller's end.
func (c *command) finish() {
	var deadline <-chan time.Time
	if c.req.Timeout > 0 {
		deadline = time.After(time.Duration(c.req.Timeout) * time.Millisecond)
	}
	gone := c.gone
	if c.req.Mode == modeCaptured && c.g.c.Release < r177 {
		gone = nil // a captured command runs to its end, keeping its slot
	}
	select {
	case <-c.kid.done:
		c.drain()
		c.closeStreams() // whoever hears of the end finds them closed
		c.report(frame.Status{Code: c.kid.code}, "")
	case <-deadline:
		text := c.expire()
		c.closeStreams()
		c.report(frame.Status{Code: 124, TimedOut: true}, text)
	case <-gone:
		c.abandon()
		c.closeStreams()
	}
}

// drain lets the streams end: a captured command's for up to 5 s, should a
// child still hold them; the others' just with what is there.
func (c *command) drain() {
	wait := 5 * time.Second
	if c.req.Mode == modeStream || c.req.Mode == modeInput {
		wait = 0
	}
	limit := time.AfterFunc(wait, func() {
		for _, o := range c.outputs {
			_ = o.from.SetReadDeadline(time.Now())
		}
	})
	defer limit.Stop()
	for _, o := range c.outputs {
		<-o.done
	}
}

// expire is --timeout: captured commands (from 1.7.7) and those on a terminal
// are killed, streamed ones stay. It returns what is added to the errors.
func (c *command) expire() (text string) {
	switch c.req.Mode {
	case modeCaptured:
		what := "command"
		if c.own {
			what = "container"
		}
		text = fmt.Sprintf("\n%s timed out after %dms", what, c.req.Timeout)
		// A container of its own ends with its command; before 1.7.7 one
		// that was joined goes on with it.
		if c.own || c.g.c.Release >= r177 {
			killTree(c.kid.pid)
			<-c.kid.done
		}
	case modeTTY:
		killTree(c.kid.pid)
		<-c.kid.done
	}
	for _, o := range c.outputs {
		_ = o.from.SetReadDeadline(time.Now())
		<-o.done
	}
	return text
}

// report sends what was captured and how it ended.
func (c *command) report(s frame.Status, text string) {
	if c.req.Mode == modeCaptured {
		for _, o := range c.outputs {
			if o.kind == frame.Stderr {
				o.kept.WriteString(text)
			}
			_ = c.w.Write(o.kind, o.kept.Bytes())
		}
	}
	end(c.w, s)
}

// abandon is a caller that went away.
func (c *command) abandon() {
	switch {
	case c.req.Mode == modeCaptured:
		killTree(c.kid.pid)
	case c.req.Mode == modeTTY && c.own && !ignoresHangup(c.kid.pid):
		// A namespace's first process does not feel the hang-up.
		_ = syscall.Kill(c.kid.pid, syscall.SIGKILL)
	}
}

// closeStreams hangs a terminal up, ends the command's input and breaks its
// outputs.
func (c *command) closeStreams() {
	if c.input != nil {
		c.input.Close()
	}
	var all sync.WaitGroup
	for _, o := range c.outputs {
		o.from.Close()
		all.Go(func() { <-o.done })
	}
	all.Wait()
}

// killTree kills a process and its descendants, children first found.
func killTree(pid int) {
	_ = syscall.Kill(pid, syscall.SIGSTOP) // so that it makes no more
	for _, child := range children(pid) {
		killTree(child)
	}
	_ = syscall.Kill(pid, syscall.SIGKILL)
}

func children(pid int) []int {
	var out []int
	tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	for _, t := range tasks {
		raw, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, t.Name()))
		for _, f := range strings.Fields(string(raw)) {
			if n, err := strconv.Atoi(f); err == nil {
				out = append(out, n)
			}
		}
	}
	return out
}

// ignoresHangup reads the mask of ignored signals.
func ignoresHangup(pid int) bool {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return false
	}
	defer f.Close()
	raw, _ := io.ReadAll(f)
	for _, line := range strings.Split(string(raw), "\n") {
		if hex, ok := strings.CutPrefix(line, "SigIgn:"); ok {
			mask, _ := strconv.ParseUint(strings.TrimSpace(hex), 16, 64)
			return mask&1 != 0
		}
	}
	return false
}
