//go:build linux

package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// screen is a client under a terminal that the test owns.
type screen struct {
	in     *install
	cmd    *exec.Cmd
	master *os.File
	slave  *os.File

	mu  sync.Mutex
	all bytes.Buffer
}

func newScreen(in *install, cols, rows uint16, argv ...string) *screen {
	in.t.Helper()
	master, slave, err := openTerminal()
	if err != nil {
		in.t.Fatal(err)
	}
	if err := resize(master, cols, rows); err != nil {
		in.t.Fatal(err)
	}
	c, _, _ := in.cmd("", argv...)
	c.Stdin, c.Stdout, c.Stderr = slave, slave, slave
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := c.Start(); err != nil {
		in.t.Fatal(err)
	}
	s := &screen{in: in, cmd: c, master: master, slave: slave}
	go io.Copy(s, master)
	in.t.Cleanup(func() { master.Close(); slave.Close() })
	return s
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.Write(p)
}

func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.String()
}

// say types a line and waits for a text.
func (s *screen) say(line, want string) {
	s.in.t.Helper()
	if _, err := s.master.WriteString(line); err != nil {
		s.in.t.Fatal(err)
	}
	defer func() {
		if s.in.t.Failed() {
			s.in.t.Logf("screen: %q", s.text())
		}
	}()
	eventually(s.in.t, "the screen shows "+want, func() bool { return strings.Contains(s.text(), want) })
}

func (s *screen) raw() bool {
	t, err := unix.IoctlGetTermios(int(s.slave.Fd()), unix.TCGETS)
	return err == nil && t.Lflag&unix.ICANON == 0
}

func TestATerminalHasTheCallersSizeAndFollowsIt(t *testing.T) {
	for _, v := range []string{"1.0.2", "1.7.7", "1.9.3"} {
		t.Run(v, func(t *testing.T) {
			t.Parallel()
			in := newMachine(t, v)
			s := newScreen(in, 100, 30, "machine", "exec", "--name", "m", "-i", "-t", "-e", "PS1=> ", "--", "sh")
			eventually(t, "the prompt comes", func() bool { return strings.Contains(s.text(), "> ") })
			if !s.raw() {
				t.Error("the caller's terminal is not raw")
			}
			s.say("stty size\n", "30 100")
			s.say("trap 'echo size changed' WINCH\n", "WINCH")
			if err := resize(s.master, 132, 43); err != nil {
				t.Fatal(err)
			}
			s.say("\nstty size\n", "43 132")
			s.say("sleep 555\n", "sleep 555")
			in.waitFor("ps | grep -c '[s]leep 555'; true", "1") // in the foreground by then
			s.say("\x03", "^C")
			s.say("echo code $?\n", "code 130")
			s.say("exit 9\n", "exit 9")
			s.cmd.Wait()
			if code := s.cmd.ProcessState.ExitCode(); code != 9 {
				t.Errorf("exit %d", code)
			}
			if s.raw() {
				t.Error("the caller's terminal stayed raw")
			}
		})
	}
}

func TestATerminalOf080HasNoSize(t *testing.T) {
	in := newMachine(t, "0.8.0")
	s := newScreen(in, 100, 30, "machine", "exec", "--name", "m", "-i", "-t", "-e", "PS1=> ", "--", "sh")
	s.say("stty -a | head -1\n", "speed 38400 baud; line = 0;")
	if err := resize(s.master, 132, 43); err != nil {
		t.Fatal(err)
	}
	s.say("echo; stty -a | head -1; echo 'fin'ished\n", "finished")
	if strings.Contains(s.text(), "132") {
		t.Errorf("the size arrived: %q", s.text())
	}
}

func TestClosingTheCallersTerminalHangsTheCommandUp(t *testing.T) {
	// Where this process ignores the signal, as under nohup, what it starts would too.
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, syscall.SIGHUP)
	defer signal.Stop(heard)
	in := newMachine(t, "1.9.3")
	s := newScreen(in, 80, 24, "machine", "exec", "--name", "m", "-i", "-t", "--", "sh", "-c", "echo ready; exec sleep 8123")
	eventually(t, "it runs", func() bool { return strings.Contains(s.text(), "ready") })
	s.slave.Close()
	s.master.Close()
	s.cmd.Wait()
	eventually(t, "the command is gone", func() bool { return in.sh("ps | grep -c '[s]leep 8123'; true") == "0\n" })
}

func TestTheShellVerbIsAShellOnATerminal(t *testing.T) {
	in := newMachine(t, "1.9.3")
	s := newScreen(in, 80, 24, "machine", "shell", "--name", "m")
	s.say("echo shell-$((1+1))\n", "shell-2")
	s.say("exit 3\n", "exit 3")
	s.cmd.Wait()
	if code := s.cmd.ProcessState.ExitCode(); code != 3 {
		t.Errorf("exit %d", code)
	}
}

func TestAnEndOfInputEndsAReaderOnATerminal(t *testing.T) {
	in := newMachine(t, "1.9.3")
	r := in.run("partial", "machine", "exec", "--name", "m", "-i", "-t", "--", "cat")
	if r.exit != 0 || !strings.Contains(r.stdout, "partial") {
		t.Errorf("%+v", r)
	}
}
