//go:build linux

package main

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"bottlebar.app/internal/frame"
)

// slots is how many connections an agent serves at once; more of them wait
// unanswered.
const slots = 8

// agent serves a running machine from inside.
type agent struct {
	c       bootConfig
	console *os.File
	control *net.UnixConn // to the boot process
	outside *os.File      // the bare root, see enterRoot
	kids    *kids
	free    chan struct{} // one item per free slot

	mu     sync.Mutex
	execed bool   // the person has run a command
	main   int    // pid of the machine's own command, 0 when none runs
	cells  []*kid // containers of commands, up to 1.0.2
}

func newAgent(c bootConfig, console *os.File, control *net.UnixConn, outside *os.File) *agent {
	g := &agent{c: c, console: console, control: control, outside: outside, kids: newKids(), free: make(chan struct{}, slots)}
	for range slots {
		g.free <- struct{}{}
	}
	return g
}

// serve answers until the boot process is gone.
func (g *agent) serve() error {
	for {
		_, conn, err := recvConn(g.control)
		if err != nil {
			return nil // pid 1 ends, and everything with it
		}
		if conn == nil {
			continue
		}
		go func() {
			defer conn.Close()
			<-g.free
			defer func() { g.free <- struct{}{} }()
			g.answer(conn)
		}()
	}
}

func (g *agent) answer(conn *net.UnixConn) {
	req, err := readRequest(conn)
	if err != nil {
		return
	}
	w := frame.NewWriter(conn)
	switch req.Op {
	case "ping":
		_ = w.Write(frame.Ready, nil)
	case "exec":
		logLine(g.console, "running command", map[string]any{"command": req.Argv, "image": g.c.Image})
		if !req.Internal {
			g.mu.Lock()
			g.execed = true
			g.mu.Unlock()
		}
		g.exec(conn, w, req)
	case "main":
		g.startMain(w, req)
	case "put":
		g.put(conn, w, req)
	case "get":
		g.get(w, req)
	default:
		refuse(w, "unknown request")
	}
}

// startMain starts the machine's own command and leaves it alone.
func (g *agent) startMain(w *frame.Writer, req request) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		refuse(w, err.Error())
		return
	}
	defer null.Close()
	path, text := g.resolve(req)
	if text != "" {
		refuse(w, text)
		return
	}
	k, err := g.kids.start(path, req.Argv, &os.ProcAttr{
		Dir: dirOr(req.Dir), Env: req.Env, Files: []*os.File{null, null, null},
		Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		refuse(w, err.Error())
		return
	}
	g.mu.Lock()
	g.main = k.pid
	g.mu.Unlock()
	go func() {
		<-k.done
		g.mu.Lock()
		g.main = 0
		g.mu.Unlock()
	}()
	end(w, frame.Status{})
}

func dirOr(dir string) string {
	if dir == "" {
		return "/"
	}
	return filepath.Join("/", dir)
}

// resolve finds the program of a request as the container runtime does; text
// is what that prints when it cannot.
func (g *agent) resolve(req request) (path, text string) {
	dir := dirOr(req.Dir)
	if g.c.Release == r080 {
		_ = os.MkdirAll(dir, 0o755) // a missing folder is made; Stat says if not
	}
	if info, err := os.Stat(dir); err != nil {
		return "", "chdir `" + req.Dir + "`: No such file or directory"
	} else if !info.IsDir() {
		return "", "chdir `" + req.Dir + "`: Not a directory"
	}
	name := req.Argv[0]
	missing := "executable file `" + name + "` not found in $PATH: No such file or directory"
	candidates := []string{filepath.Join(dir, name)}
	if filepath.IsAbs(name) {
		candidates = []string{name}
	} else if !strings.Contains(name, "/") {
		candidates = nil
		for _, d := range filepath.SplitList(envValue(req.Env, "PATH")) {
			candidates = append(candidates, filepath.Join(d, name))
		}
	}
	for _, c := range candidates {
		info, err := os.Stat(c)
		switch {
		case err != nil || info.IsDir():
			continue
		case info.Mode().Perm()&0o111 == 0:
			return "", "open executable: Permission denied"
		}
		return c, ""
	}
	return "", missing
}

func envValue(env []string, key string) string {
	for i := len(env) - 1; i >= 0; i-- {
		if k, v, _ := strings.Cut(env[i], "="); k == key {
			return v
		}
	}
	return ""
}

// kids starts processes and collects them. As pid 1 the agent also inherits
// every orphan, so one place waits for all.
type kids struct {
	mu    sync.Mutex
	known map[int]*kid
}

type kid struct {
	pid  int
	done chan struct{}
	code int // valid after done: the exit code, or 128 and the signal
}

func (k *kid) ended() bool {
	select {
	case <-k.done:
		return true
	default:
		return false
	}
}

func newKids() *kids {
	k := &kids{known: map[int]*kid{}}
	ended := make(chan os.Signal, 64)
	notifyChild(ended)
	go func() {
		for range ended {
			k.collect()
		}
	}()
	return k
}

func (k *kids) collect() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for {
		var ws syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &ws, syscall.WNOHANG, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		c := k.known[pid]
		if c == nil {
			continue
		}
		delete(k.known, pid)
		c.code = ws.ExitStatus()
		if ws.Signaled() {
			c.code = 128 + int(ws.Signal())
		}
		close(c.done)
	}
}

func (k *kids) start(path string, argv []string, attr *os.ProcAttr) (*kid, error) {
	return k.startBy(func() (*os.Process, error) { return os.StartProcess(path, argv, attr) })
}

// startBy registers the new process before anyone can collect it.
func (k *kids) startBy(start func() (*os.Process, error)) (*kid, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	p, err := start()
	if err != nil {
		return nil, err
	}
	c := &kid{pid: p.Pid, done: make(chan struct{})}
	_ = p.Release() // frees memory alone
	k.known[c.pid] = c
	return c, nil
}
