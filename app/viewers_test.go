package app_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"

	"bottlebar.app/app"
	"bottlebar.app/cli"
	"bottlebar.app/control"
	"bottlebar.app/terminal/vt"
)

// lineEnv makes this test binary the command line.
const lineEnv = "BOTTLEBAR_TEST_LINE"

func runLine() {
	dir, _ := os.Getwd()
	os.Exit(cli.Run(context.Background(), cli.Env{
		Version: "line", Owner: func() (cli.Owner, error) { return app.FindOwner(serveOptions()) },
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Dir: dir,
	}, os.Args[1:]))
}

// person is somebody at a terminal of their own, on which `bottlebar attach` runs.
type person struct {
	t       *testing.T
	master  *os.File
	screen  *vt.Terminal
	changed chan struct{}
	cmd     *exec.Cmd

	ended sync.WaitGroup
	code  int // once ended is through
}

func attach(t *testing.T, h *home, bottle string, cols, rows uint16) *person {
	t.Helper()
	p := &person{t: t, screen: vt.New(vt.Options{Cols: int(cols), Rows: int(rows)}), changed: make(chan struct{}, 1)}
	p.cmd = exec.CommandContext(t.Context(), os.Args[0], "attach", bottle) //nolint:gosec // this test
	p.cmd.Env = append(os.Environ(), lineEnv+"=1", "BOTTLEBAR_HOME="+h.dir, "TERM=xterm-256color")
	var err error
	if p.master, err = pty.StartWithSize(p.cmd, &pty.Winsize{Cols: cols, Rows: rows}); err != nil {
		t.Fatal(err)
	}
	p.ended.Go(func() {
		buf := make([]byte, 4096)
		for {
			n, err := p.master.Read(buf)
			_, _ = p.screen.Write(buf[:n])
			select {
			case p.changed <- struct{}{}:
			default:
			}
			if err != nil {
				break
			}
		}
		_ = p.cmd.Wait()
		p.code = p.cmd.ProcessState.ExitCode()
	})
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		p.ended.Wait()
		_ = p.master.Close()
	})
	return p
}

func (p *person) types(s string) {
	p.t.Helper()
	if _, err := p.master.WriteString(s); err != nil {
		p.t.Fatal(err)
	}
}

func (p *person) text() (all string) {
	p.screen.View(func(s *vt.Screen) { all = s.Selected(s.All()) })
	return all
}

// sees waits until the screen shows what it must.
func (p *person) sees(what string, ok func(text string) bool) {
	p.t.Helper()
	late := time.NewTimer(30 * time.Second)
	defer late.Stop()
	for !ok(p.text()) {
		select {
		case <-p.changed:
		case <-late.C:
			p.t.Fatalf("timed out waiting for %s; the screen:\n%s", what, p.text())
		}
	}
}

// asks types a command that tells the terminal's size, and waits for the answer.
func (p *person) asks(mark, size string) {
	p.t.Helper()
	p.types("echo " + mark + "=$(busybox stty size)\r")
	p.sees("the size "+size, func(s string) bool { return strings.Contains(s, mark+"="+size) })
}

// Two people look at one session, each on a terminal of their own size: the
// session has the size of the one who typed last.
func TestOfTwoAttachedTheOneThatTypedLastSetsTheSize(t *testing.T) {
	t.Parallel()
	h := newHome(t, "driver = \"process\"\n")
	h.open()
	h.add()
	b, err := h.app.Launch(t.Context(), control.LaunchRequest{Artifact: "demo", Command: []string{"sh"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	prompt := func(s string) bool { return strings.Contains(s, "$") }
	large := attach(t, h, b.Name, 100, 30)
	large.sees("the prompt", prompt)
	large.asks("first", "30 100")
	small := attach(t, h, b.Name, 70, 20)
	small.sees("what is there already", func(s string) bool { return strings.Contains(s, "first=30 100") })
	large.asks("still", "30 100") // looking on alone changes nothing
	small.asks("second", "20 70")
	large.sees("what the other one did", func(s string) bool { return strings.Contains(s, "second=20 70") })
	large.asks("third", "30 100")
	if err := pty.Setsize(small.master, &pty.Winsize{Cols: 60, Rows: 15}); err != nil {
		t.Fatal(err)
	}
	small.screen.Resize(60, 15)
	if err := pty.Setsize(large.master, &pty.Winsize{Cols: 90, Rows: 25}); err != nil {
		t.Fatal(err)
	}
	large.screen.Resize(90, 25)
	// The signal of the new size and the keys travel apart.
	large.sees("its new size", func(s string) bool {
		large.types("echo now=$(busybox stty size)\r")
		return strings.Contains(s, "now=25 90")
	})
	large.types("true\r\x1c") // leaves; the other one's size counts from then on
	large.ended.Wait()
	if large.code != 0 {
		t.Errorf("attach that was left ended with code %d", large.code)
	}
	small.asks("alone", "15 60")
	small.types("exit 5\r")
	small.ended.Wait()
	if small.code != 5 {
		t.Errorf("the session ended with code 5, attach with %d", small.code)
	}
	if err := h.app.Stop(t.Context(), b.Name); err != nil {
		t.Fatal(err)
	}
	h.close()
	h.nothingLeft()
}
