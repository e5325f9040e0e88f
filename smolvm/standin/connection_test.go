//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// begin starts commands that run until end is called.
func (in *install) begin(n int, argv ...string) (end func() []result) {
	in.t.Helper()
	var all sync.WaitGroup
	results := make([]result, n)
	for i := range n {
		c, out, errs := in.cmd("", argv...)
		if err := c.Start(); err != nil {
			in.t.Fatal(err)
		}
		all.Go(func() { results[i] = in.wait(c, out, errs) })
	}
	return func() []result { all.Wait(); return results }
}

// waitFor runs a line in the guest until it prints the text.
func (in *install) waitFor(line, text string) {
	in.t.Helper()
	eventually(in.t, fmt.Sprintf("%q prints %q", line, text), func() bool { return strings.TrimSpace(in.sh(line)) == text })
}

// hold lets n commands wait in the guest for the file /root/go.
func (in *install) hold(n int) (end func() []result) {
	in.t.Helper()
	wait := in.begin(n, "machine", "exec", "--name", "m", "-i", "--", "sh", "-c", "echo x >> /root/held; until [ -e /root/go ]; do sleep 0.05; done; echo ok")
	root := filepath.Join(newStoreAt(in.home).dir("m"), "pack/root")
	eventually(in.t, "the commands run", func() bool {
		raw, _ := os.ReadFile(filepath.Join(root, "root/held"))
		return len(raw) == 2*n
	})
	return func() []result {
		if err := os.WriteFile(filepath.Join(root, "root/go"), nil, 0o644); err != nil {
			in.t.Fatal(err)
		}
		return wait()
	}
}

func (in *install) shownState() string {
	in.t.Helper()
	var shown struct{ State string }
	if err := json.Unmarshal([]byte(in.ok("machine", "status", "--name", "m", "--json")), &shown); err != nil {
		in.t.Fatal(err)
	}
	return shown.State
}

const notRunningText = "Error: agent operation failed: connect: machine 'm' is not running. Use 'smolvm machine start --name m' first.\n"

func TestTheNinthConnectionMakesAHealthyMachineUnreachable(t *testing.T) {
	for _, v := range []string{"1.7.7", "1.9.3"} {
		t.Run(v, func(t *testing.T) {
			t.Parallel()
			in := newMachine(t, v)
			end := in.hold(8)
			if got := in.shownState(); got != "unreachable" {
				t.Errorf("state while 8 are busy: %s", got)
			}
			if r := in.run("", "machine", "exec", "--name", "m", "--", "true"); r.exit != 1 || r.stderr != notRunningText {
				t.Errorf("ninth: exit %d, %q", r.exit, r.stderr)
			}
			for _, r := range end() {
				if r.exit != 0 || r.stdout != "ok\n" {
					t.Errorf("one of the eight: %+v", r)
				}
			}
			if got := in.sh("echo hi"); got != "hi\n" {
				t.Errorf("exec afterwards: %q", got)
			}
			if got := in.shownState(); got != "unreachable" {
				t.Errorf("stored state: %s", got)
			}
			pid := in.record().PID
			if got, want := in.ok("machine", "status", "--name", "m"), fmt.Sprintf("Machine 'm': running (PID: %d)\n", pid); got != want {
				t.Errorf("text status %q, want %q", got, want)
			}
			during := in.begin(1, "machine", "exec", "--name", "m", "-i", "--", "sh", "-c", "touch /root/runs; exec sleep 300")
			in.waitFor("ls /root/runs 2>/dev/null; true", "/root/runs")
			r := in.run("", "machine", "start", "--name", "m")
			if !strings.HasPrefix(r.stdout, fmt.Sprintf("Machine 'm' is unreachable (PID %d alive but agent unresponsive); cleaning up.\nMachine 'm' running (PID: ", pid)) {
				t.Errorf("start: %+v", r)
			}
			if in.record().PID == pid {
				t.Error("the healthy VM was not killed")
			}
			if got := during()[0]; got.exit != 1 || got.stderr != "Error: io operation failed: connection closed\n" {
				t.Errorf("command in the killed VM: %+v", got)
			}
		})
	}
}

func TestTheNinthConnectionWaitsOn102(t *testing.T) {
	in := newMachine(t, "1.0.2")
	end := in.hold(8)
	ninth := in.begin(1, "machine", "exec", "--name", "m", "--", "echo", "hi")
	end()
	if got := ninth()[0]; got.exit != 0 || got.stdout != "hi\n" {
		t.Errorf("ninth: %+v", got)
	}
	if got := in.shownState(); got != "running" {
		t.Errorf("state %s", got)
	}
}

func TestAFIFOKeepsItsSlotAfterTheClientIsKilled(t *testing.T) {
	in := newMachine(t, "1.9.3")
	in.sh("mkfifo /root/fifo")
	var clients []*exec.Cmd
	for range 8 {
		c, _, _ := in.cmd("", "machine", "cp", "m:/root/fifo", filepath.Join(in.work, fmt.Sprint("out", len(clients))))
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		clients = append(clients, c)
	}
	eventually(t, "all slots are taken", func() bool { return in.shownState() == "unreachable" })
	for _, c := range clients {
		c.Process.Kill()
		c.Wait()
	}
	if r := in.run("", "machine", "exec", "--name", "m", "--", "true"); r.exit != 1 || r.stderr != notRunningText {
		t.Errorf("exec: %+v", r)
	}
	if got := in.ok("machine", "stop", "--name", "m"); !strings.Contains(got, "is unreachable") {
		t.Errorf("stop: %q", got)
	}
}
