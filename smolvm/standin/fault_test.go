//go:build linux

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestFaultsAreReadFromTheEnvironmentAndBesideTheCommand(t *testing.T) {
	in := newInstall(t, "1.9.3", false)
	conf := filepath.Join(filepath.Dir(in.command), "standin.conf")
	if err := os.WriteFile(conf, []byte("# for the tests\nversion = 0.8.0\nfault = ls:exit=3\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if r := in.run("", "machine", "ls", "--json"); r.exit != 3 {
		t.Errorf("exit %d", r.exit)
	}
	in.env = []string{"STANDIN_FAULT=version:exit=4"}
	if r := in.run("", "machine", "ls", "--json"); r.exit != 0 || r.stdout != "[]\n" {
		t.Errorf("the environment does not come first: %+v", r)
	}
	in.env = []string{"STANDIN_VERSION="}
	if r := in.run("", "--version"); r.stdout != "smolvm 0.8.0\n" {
		t.Errorf("version %q", r.stdout)
	}
}

func TestFaults(t *testing.T) {
	in := newMachine(t, "1.9.3")
	put(t, in, "f", "x")
	for _, c := range []struct {
		fault string
		argv  []string
		exit  int
		says  string
	}{
		{"version:garbage", []string{"--version"}, 0, "not what was asked for"},
		{"exec:exit=137", []string{"machine", "exec", "--name", "m", "--", "true"}, 137, ""},
		{"start:exit=1", []string{"machine", "start", "--name", "m"}, 1, "Error: agent operation failed"},
		{"cp:enospc", []string{"machine", "cp", "f", "m:/f"}, 1, "No space left on device"},
		{"create:enospc,ls:exit=9", []string{"machine", "create", "--name", "x"}, 1, "No space left on device"},
		{"exec:slow=10ms", []string{"machine", "exec", "--name", "m", "--", "echo", "late"}, 0, "late"},
		{"nonsense", []string{"--version"}, 1, "is not VERB:ACTION"},
	} {
		in.env = []string{"STANDIN_FAULT=" + c.fault}
		if r := in.run("", c.argv...); r.exit != c.exit || !strings.Contains(r.stdout+r.stderr, c.says) {
			t.Errorf("%s: %+v", c.fault, r)
		}
	}
}

func TestAHangingVerbNeverAnswers(t *testing.T) {
	in := newMachine(t, "1.9.3")
	in.env = []string{"STANDIN_FAULT=stop:hang"}
	c, out, _ := in.cmd("", "machine", "stop", "--name", "m")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	in.env = nil
	if got := in.shownState(); got != "running" {
		t.Errorf("state %s", got)
	}
	c.Process.Kill()
	c.Wait()
	if out.Len() > 0 {
		t.Errorf("said %q", out)
	}
}

func TestAMachineCanBeGivenANetworkOnPurpose(t *testing.T) {
	in := newInstall(t, "1.9.3", false)
	in.create()
	in.env = []string{"STANDIN_FAULT=start:nic"}
	in.ok("machine", "start", "--name", "m")
	if got := in.sh("ls /sys/class/net | wc -l"); got != "3\n" {
		t.Errorf("devices with a veth pair: %q", got)
	}
	in.ok("machine", "stop", "--name", "m")
	in.env = []string{"STANDIN_FAULT=start:netns=host"}
	in.ok("machine", "start", "--name", "m")
	host, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	if got := in.sh("readlink /proc/self/ns/net"); got != host+"\n" {
		t.Errorf("guest's network namespace %q, the host's is %q", got, host)
	}
}

func TestAMachineCanDieByItself(t *testing.T) {
	in := newInstall(t, "1.9.3", false)
	in.create()
	in.env = []string{"STANDIN_FAULT=start:dies=300ms"}
	in.ok("machine", "start", "--name", "m")
	eventually(t, "the machine is gone", func() bool { return in.shownState() == "stopped" })
}

func TestTheStandInSaysThatItIsOne(t *testing.T) {
	in := newInstall(t, "1.7.7", true)
	if got := in.ok("standin"); got != "standin 1.7.7: simulated, no VM\n" {
		t.Errorf("said %q", got)
	}
	root := filepath.Join(in.work, "root")
	in.ok("standin", "--lay-root", root)
	if _, err := os.Stat(filepath.Join(root, "sbin/init")); err != nil {
		t.Error(err)
	}
}

func TestAVersionActsAsTheNewestThatIsNotNewer(t *testing.T) {
	for version, want := range map[string]release{
		"0.7.9": r080, "0.8.0": r080, "0.9.0": r080, "1.0.2": r102, "1.7.6": r102, "1.7.7": r177, "1.9.3": r193, "1.14.0": r193, "2.0.0-rc1": r193,
	} {
		if got, err := behaviour(version); err != nil || got != want {
			t.Errorf("%s acts as %d, %v, want %d", version, got, err, want)
		}
	}
	if _, err := behaviour("latest"); err == nil {
		t.Error("a word passes as a version")
	}
}

func TestPackTakesALocalRootFileSystem(t *testing.T) {
	in := newMachine(t, "1.9.3")
	in.sh("echo packed > /root/mark")
	in.ok("machine", "stop", "--name", "m")
	images := filepath.Join(in.work, "images")
	if err := os.MkdirAll(images, 0o755); err != nil {
		t.Fatal(err)
	}
	src := filepath.Join(newStoreAt(in.home).dir("m"), "pack/root")
	if out, err := exec.Command("cp", "-a", src, filepath.Join(images, "reg_team_app_1")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	in.env = []string{"STANDIN_IMAGES=" + images}
	out := filepath.Join(in.work, "app")
	r := in.run("", "pack", "create", "--image", "reg/team/app:1", "-o", out, "--cpus", "3")
	if r.exit != 0 || !strings.Contains(r.stdout, "Packed: "+out) || !strings.Contains(r.stderr, "\rPulling") {
		t.Fatalf("%+v", r)
	}
	if info, err := os.Stat(out); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("stub: %v, %v", info, err)
	}
	in.ok("machine", "create", "--name", "p", "--from", out+".smolmachine")
	in.ok("machine", "start", "--name", "p")
	if got := in.ok("machine", "exec", "--name", "p", "--", "cat", "/root/mark"); got != "packed\n" {
		t.Errorf("inside %q", got)
	}
	in.ok("pack", "create", "--from-vm", "m", "-o", filepath.Join(in.work, "snap"))
	if r := in.run("", "pack", "create", "--image", "reg/other:1", "-o", out); r.exit != 1 || !strings.Contains(r.stderr, "Error: ") {
		t.Errorf("unknown image: %+v", r)
	}
}
