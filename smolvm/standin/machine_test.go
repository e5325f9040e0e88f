//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

var allVersions = []string{"0.8.0", "1.0.2", "1.7.7", "1.9.3"}

func TestAGuestHasLoopbackAloneAndItsOwnProcesses(t *testing.T) {
	for _, v := range allVersions {
		t.Run(v, func(t *testing.T) {
			t.Parallel()
			in := newMachine(t, v)
			if got := in.sh("ls /sys/class/net"); got != "lo\n" {
				t.Errorf("devices %q", got)
			}
			if got := in.sh("ip route; cat /proc/net/route | tail -n +2"); got != "" {
				t.Errorf("routes %q", got)
			}
			if got := in.sh(fmt.Sprintf("ls -d %s /proc/%d 2>&1 | grep -c 'No such'", in.home, os.Getpid())); got != "2\n" {
				t.Errorf("%s of the host's files and processes are out of sight, want 2", strings.TrimSpace(got))
			}
			if got := in.sh("su user -c 'id -u; touch ~/x && stat -c %u ~/x'"); got != "1000\n1000\n" {
				t.Errorf("the image's user: %q", got)
			}
			if got := in.sh("mkdir /mnt/t && mount -t tmpfs t /mnt/t && echo may mount"); got != "may mount\n" {
				t.Errorf("mount: %q", got)
			}
		})
	}
}

func TestEveryMachineCanWriteTheAgentRoot(t *testing.T) {
	in := newMachine(t, "1.9.3")
	root := filepath.Join(filepath.Dir(in.command), "agent-rootfs")
	in.sh("echo replaced > /.smolvm-root/sbin/init")
	if raw, err := os.ReadFile(filepath.Join(root, "sbin/init")); err != nil || string(raw) != "replaced\n" {
		t.Errorf("agent root holds %q, %v", raw, err)
	}
	if marks, _ := filepath.Glob(filepath.Join(root, ".smolvm-ready-*")); len(marks) != 1 {
		t.Errorf("ready markers %v", marks)
	}
	in.sh("echo filling >> /.smolvm-console")
	log, err := os.ReadFile(filepath.Join(newStoreAt(in.home).dir("m"), "agent-console.log"))
	if err != nil || !bytes.HasSuffix(log, []byte("filling\n")) {
		t.Errorf("console log ends %q, %v", log, err)
	}
}

func newStoreAt(home string) store {
	return newStore(func(k string) string { return map[string]string{"HOME": home}[k] })
}

func TestAPrivateAgentRootIsTakenFromTheEnvironment(t *testing.T) {
	in := newInstall(t, "1.9.3", true)
	in.create()
	own := filepath.Join(in.work, "own-root")
	if err := layRoot(own); err != nil {
		t.Fatal(err)
	}
	in.env = []string{"SMOLVM_AGENT_ROOTFS=" + own}
	in.ok("machine", "start", "--name", "m")
	if marks, _ := filepath.Glob(filepath.Join(own, ".smolvm-ready-*")); len(marks) != 1 {
		t.Errorf("ready markers %v", marks)
	}
	in.env = []string{"SMOLVM_AGENT_ROOTFS=" + filepath.Join(in.work, "none")}
	in.ok("machine", "stop", "--name", "m")
	if r := in.run("", "machine", "start", "--name", "m"); r.exit != 1 || !strings.Contains(r.stderr, "verify rootfs: agent rootfs not found: "+in.work+"/none") {
		t.Errorf("exit %d, %q", r.exit, r.stderr)
	}
}

func TestACopiedHomeIsTheMachine(t *testing.T) {
	for _, v := range allVersions {
		t.Run(v, func(t *testing.T) {
			t.Parallel()
			in := newInstall(t, v, false)
			in.create("--ssh-agent", "-e", "FROM_CREATE=1")
			clone := in.home + "2"
			if out, err := exec.Command("cp", "-a", in.home, clone).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if err := os.RemoveAll(in.home); err != nil {
				t.Fatal(err)
			}
			os.Remove(filepath.Join(in.work, "a.smolmachine"))
			in.home = clone
			in.env = []string{"SSH_AUTH_SOCK=" + filepath.Join(in.work, "agent.sock")}
			in.ok("machine", "start", "--name", "m")
			if got := in.sh("echo $FROM_CREATE; echo kept > /root/kept"); got != "1\n" {
				t.Errorf("environment %q", got)
			}
			in.ok("machine", "stop", "--name", "m")
			in.ok("machine", "start", "--name", "m")
			if got := in.sh("cat /root/kept"); got != "kept\n" {
				t.Errorf("after restart %q", got)
			}
			in.ok("machine", "stop", "--name", "m")
			if left := processes(clone); len(left) > 0 {
				t.Errorf("processes %v after stop", left)
			}
		})
	}
}

func TestTmpAndRunEndWithTheMachineFrom177On(t *testing.T) {
	for v, want := range map[string]string{"0.8.0": "/run/f\n/tmp/f\n", "1.9.3": ""} {
		in := newMachine(t, v)
		in.sh("touch /tmp/f /run/f")
		in.ok("machine", "stop", "--name", "m")
		in.ok("machine", "start", "--name", "m")
		if got := in.sh("ls /tmp/f /run/f 2>/dev/null; true"); got != want {
			t.Errorf("%s: %q", v, got)
		}
	}
}

// freeze stops a process and waits until all its threads stand still.
func freeze(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it stands still", func() bool {
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
		for _, f := range threads {
			if raw, err := os.ReadFile(f); err != nil || !bytes.Contains(raw, []byte(") T ")) {
				return false
			}
		}
		return len(threads) > 0
	})
}

func TestAStoppedProcessIsUnreachable(t *testing.T) {
	for _, v := range allVersions {
		t.Run(v, func(t *testing.T) {
			t.Parallel()
			in := newMachine(t, v)
			pid := in.record().PID
			freeze(t, pid)
			if got := in.shownState(); got != "unreachable" {
				t.Errorf("state %s", got)
			}
			r := in.run("", "machine", "start", "--name", "m")
			if r.exit != 0 || !strings.Contains(r.stdout, "cleaning up.\nMachine 'm' running") {
				t.Errorf("start: %+v", r)
			}
			if startOf(pid) != 0 {
				t.Error("the stopped process is still there")
			}
			if got := in.sh("echo alive"); got != "alive\n" {
				t.Errorf("exec %q", got)
			}
		})
	}
}

func TestAKilledMachineTakesItsGuestAndCommandsAlong(t *testing.T) {
	in := newMachine(t, "1.9.3")
	for _, mode := range []struct{ flag, text string }{
		{"-i", "Error: io operation failed: connection closed\n"},
		{"--stream", "error: io operation failed: connection closed\n"},
	} {
		during := in.begin(1, "machine", "exec", "--name", "m", mode.flag, "--", "sh", "-c", "touch /root/runs; exec sleep 300")
		in.waitFor("ls /root/runs 2>/dev/null; true", "/root/runs")
		syscall.Kill(in.record().PID, syscall.SIGKILL)
		if got := during()[0]; got.exit != 1 || got.stderr != mode.text {
			t.Errorf("%s: %+v", mode.flag, got)
		}
		eventually(t, "the guest is gone", func() bool { return len(processes(in.home)) == 0 })
		if got := in.shownState(); got != "stopped" {
			t.Errorf("state %s", got)
		}
		in.ok("machine", "start", "--name", "m")
		in.sh("rm /root/runs")
	}
}

func TestDeleteOf080ForgetsAMachineThatGoesOn(t *testing.T) {
	in := newMachine(t, "0.8.0")
	pid := in.record().PID
	if got := in.ok("machine", "delete", "-f", "m"); got != "Cleaning up data directory for vm: m\nDeleted machine: m\n" {
		t.Errorf("said %q", got)
	}
	if startOf(pid) == 0 {
		t.Error("the machine's process ended")
	}
	if got := in.ok("machine", "ls", "--json"); got != "[]\n" {
		t.Errorf("list %q", got)
	}
}

func TestOnlyOneOfTwoStartsAtOnceSucceeds(t *testing.T) {
	in := newInstall(t, "1.9.3", false)
	in.create()
	in.env = []string{"STANDIN_FAULT=start:slow=1ms"}
	started, refused := 0, 0
	for _, r := range in.begin(4, "machine", "start", "--name", "m")() {
		switch {
		case r.exit == 0:
			started++
		case strings.Contains(r.stderr, "another process is already starting or running this VM"):
			refused++
		default:
			t.Errorf("%+v", r)
		}
	}
	if started == 0 || started+refused != 4 {
		t.Errorf("%d started, %d refused", started, refused)
	}
	if n := len(processes(in.home)); n != 2 {
		t.Errorf("%d processes of machines, want one and its guest", n)
	}
}

// left counts guest processes with an argument.
func (in *install) left(mark string) string {
	in.t.Helper()
	n := 0
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range files {
		if raw, _ := os.ReadFile(f); bytes.Contains(raw, []byte(mark)) {
			n++
		}
	}
	return fmt.Sprint(n)
}

func TestWhatAKilledClientLeavesBehind(t *testing.T) {
	// From 1.7.7 on a captured command is killed with its client.
	for _, c := range []struct {
		version string
		flags   []string
		stays   bool
	}{
		{"1.9.3", nil, false},
		{"1.9.3", []string{"-i"}, true},
		{"1.9.3", []string{"--stream"}, true},
		{"1.9.3", []string{"-i", "-t"}, false},
		{"0.8.0", nil, true},
		{"0.8.0", []string{"-i"}, true},
		{"0.8.0", []string{"-i", "-t"}, false},
		{"1.0.2", nil, true},
	} {
		t.Run(c.version+" "+strings.Join(c.flags, ""), func(t *testing.T) {
			t.Parallel()
			in := newMachine(t, c.version)
			mark := fmt.Sprint("7", time.Now().UnixNano()%1e8)
			argv := append(append([]string{"machine", "exec", "--name", "m"}, c.flags...), "--", "sleep", mark)
			cmd, _, _ := in.cmd("", argv...)
			in2, err := cmd.StdinPipe()
			if err != nil {
				cmd.Stdin = nil
				in2, err = cmd.StdinPipe()
			}
			if err != nil {
				t.Fatal(err)
			}
			defer in2.Close()
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the command runs in the guest", func() bool { return in.left(mark) == "2" })
			cmd.Process.Kill()
			cmd.Wait()
			if !c.stays {
				eventually(t, "the command is gone", func() bool { return in.left(mark) == "0" })
				return
			}
			// Its slot is free, or it would not answer; the command stays.
			in.sh("true")
			if got := in.left(mark); got != "1" {
				t.Errorf("%s processes left, want 1", got)
			}
		})
	}
}

func TestABackgroundProcessDiesWithItsExecOn080Only(t *testing.T) {
	for v, want := range map[string]string{"0.8.0": "0\n", "1.0.2": "1\n", "1.9.3": "1\n"} {
		in := newMachine(t, v)
		in.sh("setsid sleep 8111 >/dev/null 2>&1 </dev/null & true")
		if got := in.sh("ps | grep -c '[s]leep 8111'; true"); got != want {
			t.Errorf("%s: %q", v, got)
		}
	}
}

func TestAHelperHeldOpenOn080KeepsRunningBesideOtherExecs(t *testing.T) {
	in := newMachine(t, "0.8.0")
	held, out, errs := in.cmd("", "machine", "exec", "--name", "m", "-i", "--", "sh", "-c", "read secret; echo got $secret; touch /root/up; read end; echo bye")
	stdin, err := held.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := held.Start(); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(stdin, "s3cret")
	up := filepath.Join(newStoreAt(in.home).dir("m"), "root/root/up")
	eventually(t, "the helper is up", func() bool { _, err := os.Stat(up); return err == nil })
	for range 3 {
		if got := in.sh("echo beside"); got != "beside\n" {
			t.Errorf("exec beside it: %q", got)
		}
	}
	fmt.Fprintln(stdin, "now")
	if r := in.wait(held, out, errs); r.exit != 0 || r.stdout != "got s3cret\nbye\n" {
		t.Errorf("%+v", r)
	}
}

func TestADetachedExecAnswersWithItsProcess(t *testing.T) {
	in := newMachine(t, "1.9.3")
	if got := in.ok("machine", "exec", "--name", "m", "-d", "--", "sh", "-c", "echo done > /root/detached"); !strings.HasSuffix(got, "\n") || strings.Trim(got, "0123456789\n") != "" {
		t.Errorf("said %q", got)
	}
	in.waitFor("cat /root/detached 2>/dev/null; true", "done")
}

func TestInputAndOutputPassAsTheyCome(t *testing.T) {
	in := newMachine(t, "1.9.3")
	big := strings.Repeat("0123456789abcdef", 5<<16)
	if r := in.run(big, "machine", "exec", "--name", "m", "-i", "--", "cat"); r.exit != 0 || r.stdout != big {
		t.Errorf("exit %d, %d bytes back of %d", r.exit, len(r.stdout), len(big))
	}
	if r := in.run(big, "machine", "exec", "--name", "m", "-i", "--", "true"); r.exit != 0 {
		t.Errorf("a command that does not read: %+v", r)
	}
	if err := os.WriteFile(filepath.Join(in.work, "big"), []byte(big), 0o600); err != nil {
		t.Fatal(err)
	}
	in.ok("machine", "cp", "big", "m:/root/big")
	in.ok("machine", "cp", "m:/root/big", "back")
	if raw, err := os.ReadFile(filepath.Join(in.work, "back")); err != nil || string(raw) != big {
		t.Errorf("a copied file comes back with %d bytes, %v", len(raw), err)
	}
}

func TestCopyBeforeTheFirstExecIsOutOfSightUnderAMount(t *testing.T) {
	in := newMachine(t, "1.9.3")
	put(t, in, "f", "x")
	in.ok("machine", "cp", "f", "m:/tmp/early")
	in.sh("true")
	in.ok("machine", "cp", "f", "m:/tmp/late")
	if got := in.sh("ls /tmp"); got != "late\n" {
		t.Errorf("the guest sees %q", got)
	}
}
