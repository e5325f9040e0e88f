//go:build linux

package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTheAgentPipeDialsTheSocketThatStartWasGiven(t *testing.T) {
	for _, v := range allVersions {
		t.Run(v, func(t *testing.T) {
			t.Parallel()
			in := newInstall(t, v, false)
			in.create("--ssh-agent")
			sock := filepath.Join(in.work, "agent.sock")
			serveUnix(t, sock, func(c *net.UnixConn) {
				line, _ := bufio.NewReader(c).ReadString('\n')
				fmt.Fprintf(c, "heard %s", line)
			})
			in.env = []string{"SSH_AUTH_SOCK=" + sock}
			in.ok("machine", "start", "--name", "m")
			in.env = nil
			if got := in.sh("stat -c '%A %u' /tmp/ssh-agent.sock; echo $SSH_AUTH_SOCK"); got != "srwxrwxrwx 0\n/tmp/ssh-agent.sock\n" {
				t.Errorf("guest's end %q", got)
			}
			for _, user := range []string{"root", "user"} {
				if got := in.sh("su " + user + " -c 'echo hello | sockt ask /tmp/ssh-agent.sock'"); got != "heard hello\n" {
					t.Errorf("%s: %q", user, got)
				}
			}
		})
	}
}

func TestTheHostEndMayComeLaterAndComeBack(t *testing.T) {
	in := newInstall(t, "1.9.3", false)
	sock := filepath.Join(in.work, "agent.sock")
	in.create("--ssh-agent", "--mount-socket", sock+":/run/bb.sock")
	in.env = []string{"SSH_AUTH_SOCK=" + sock}
	in.ok("machine", "start", "--name", "m")
	for range 2 {
		for _, guest := range []string{"/tmp/ssh-agent.sock", "/run/bb.sock"} {
			if got := in.sh("echo x | sockt ask " + guest); got != "" {
				t.Errorf("%s without a listener: %q", guest, got)
			}
		}
		ln := serveUnix(t, sock, func(c *net.UnixConn) { io.Copy(c, c) })
		for _, guest := range []string{"/tmp/ssh-agent.sock", "/run/bb.sock"} {
			if got := in.sh("echo x | sockt ask " + guest); got != "x\n" {
				t.Errorf("%s with a listener: %q", guest, got)
			}
		}
		ln.Close()
	}
}

func TestAMountedSocketPassesEachEndOfFileOn(t *testing.T) {
	in := newInstall(t, "1.9.3", false)
	sock := filepath.Join(in.work, "half.sock")
	received := make(chan int64, 1)
	serveUnix(t, sock, func(c *net.UnixConn) {
		c.Write([]byte{1})
		c.CloseWrite()
		n, _ := io.Copy(io.Discard, c)
		received <- n
	})
	in.create("--mount-socket", sock+":/run/half.sock")
	in.ok("machine", "start", "--name", "m")
	if got := in.sh("sockt late /run/half.sock 1000000"); got != "first read 1\neof seen, now writing\nsent 1000000\n" {
		t.Errorf("guest %q", got)
	}
	if n := <-received; n != 1000000 {
		t.Errorf("host got %d bytes after its own end", n)
	}
	if r := in.run("", "machine", "exec", "--name", "m", "--", "rm", "-f", "/run/half.sock"); r.exit != 1 || !strings.Contains(r.stderr, "busy") {
		t.Errorf("removing it: %+v", r)
	}
	if got := in.sh("su user -c 'sockt late /run/half.sock 10'"); !strings.HasSuffix(got, "sent 10\n") {
		t.Errorf("as another user %q", got)
	}
	<-received
}

func TestManyConnectionsPassAtOnce(t *testing.T) {
	in := newInstall(t, "1.9.3", false)
	sock := filepath.Join(in.work, "bb.sock")
	serveUnix(t, sock, func(c *net.UnixConn) { io.Copy(c, c); c.CloseWrite() })
	in.create("--mount-socket", sock+":/run/bb.sock")
	in.ok("machine", "start", "--name", "m")
	got := in.sh("for i in $(seq 30); do sockt send /run/bb.sock 200000 & done; wait")
	if want := strings.Repeat("sent 200000 recv 200000\n", 30); got != want {
		t.Errorf("got %q", got)
	}
}

func TestOn177AMountedSocketIsSeenUnderTheWorkspaceOnly(t *testing.T) {
	in := newInstall(t, "1.7.7", false)
	sock := filepath.Join(in.work, "bb.sock")
	serveUnix(t, sock, func(c *net.UnixConn) { io.Copy(c, c); c.CloseWrite() })
	in.create("--mount-socket", sock+":/run/bb.sock", "--mount-socket", sock+":/storage/workspace/ws.sock")
	in.ok("machine", "start", "--name", "m")
	if got := in.sh("ls /run/bb.sock 2>&1; echo x | sockt echo /workspace/ws.sock"); got != "ls: /run/bb.sock: No such file or directory\nx\n" {
		t.Errorf("got %q", got)
	}
}

// pipePair returns the two ends of a connected pair of sockets.
func pipePair(t testing.TB, dir string) (near, far *net.UnixConn) {
	t.Helper()
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "pair"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c, err := net.Dial("unix", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if far, err = ln.AcceptUnix(); err != nil {
		t.Fatal(err)
	}
	return c.(*net.UnixConn), far
}

func TestTheAgentPipeEndsBothWaysAtTheFirstEndOfFile(t *testing.T) {
	dir := t.TempDir()
	hostGot := make(chan error, 1)
	serveUnix(t, filepath.Join(dir, "host"), func(c *net.UnixConn) {
		_, err := io.Copy(io.Discard, c)
		hostGot <- err
	})
	guest, far := pipePair(t, dir)
	go relay(far, filepath.Join(dir, "host"), relayAgent)
	guest.CloseWrite()
	<-hostGot
	if _, err := guest.Read(make([]byte, 1)); err == nil {
		t.Error("the guest's side stayed open")
	}
}

func TestTheAgentPipeClosesWhenNothingPasses(t *testing.T) {
	dir := t.TempDir()
	serveUnix(t, filepath.Join(dir, "host"), func(c *net.UnixConn) { io.Copy(c, c) })
	guest, far := pipePair(t, dir)
	ended := make(chan struct{})
	go func() {
		relay(far, filepath.Join(dir, "host"), relayRules{idle: 200 * time.Millisecond})
		close(ended)
	}()
	// Traffic holds it beyond its limit.
	b := make([]byte, 1)
	for began := time.Now(); time.Since(began) < 400*time.Millisecond; {
		if _, err := guest.Write(b); err != nil {
			t.Fatalf("closed in spite of traffic: %v", err)
		}
		if _, err := guest.Read(b); err != nil {
			t.Fatalf("closed in spite of traffic: %v", err)
		}
	}
	<-ended
	if _, err := guest.Read(b); err == nil {
		t.Error("still open")
	}
	if relayAgent.idle != 30*time.Second {
		t.Errorf("limit is %v", relayAgent.idle)
	}
}

func TestStartNeedsTheAgentSocketsPath(t *testing.T) {
	in := newInstall(t, "1.9.3", false)
	in.create("--ssh-agent")
	if r := in.run("", "machine", "start", "--name", "m"); r.exit != 1 || !strings.Contains(r.stderr, "SSH_AUTH_SOCK") {
		t.Errorf("%+v", r)
	}
	if got := in.shownState(); got != "created" {
		t.Errorf("state %s", got)
	}
	if _, err := os.Stat(filepath.Join(newStoreAt(in.home).dir("m"), "agent.sock")); err == nil {
		t.Error("a socket was left")
	}
}
