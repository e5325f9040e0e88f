package app_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"bottlebar.app/control"
	"bottlebar.app/snapshot"
)

// replacing returns the Linux programs with one of app/testdata in another's
// place: "helper" or "sidecar".
func replacing(t *testing.T, what, program string) fs.FS {
	t.Helper()
	in, err := packed(filepath.Join(t.TempDir(), program), "bottlebar.app/app/testdata/"+program)
	if err != nil {
		t.Fatal(err)
	}
	files := fstest.MapFS{}
	for _, name := range []string{"helper", "sidecar"} {
		file := name + "-" + runtime.GOARCH + ".gz"
		files[file] = in
		if name == what {
			continue
		}
		b, err := fs.ReadFile(shared.binaries, file)
		if err != nil {
			t.Fatal(err)
		}
		files[file] = &fstest.MapFile{Data: b, Mode: 0o444}
	}
	return files
}

// misses are the names of the lines that do not hold in a kept report.
func misses(t *testing.T, dir string) []string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "report.json"))
	if err != nil {
		t.Fatalf("no evidence: %v", err)
	}
	var r snapshot.Proof
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, l := range r.Lines {
		if !l.Holds {
			out = append(out, l.Name)
		}
	}
	return out
}

// The helper says that all is closed, and there is a network device: the
// verdict rests on what this computer sees of the machine.
func TestALyingHelperInAMachineWithANetworkDeviceFailsTheProof(t *testing.T) {
	t.Parallel()
	binaries := replacing(t, "helper", "liar")
	for _, fault := range []string{"start:nic", "start:netns=host"} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			h := newHome(t, "driver = \"process\"\n", "STANDIN_FAULT="+fault)
			h.binaries = binaries
			h.open()
			h.add()
			_, err := h.app.Launch(t.Context(), control.LaunchRequest{Artifact: "demo"}, nil)
			says(t, err, "proving isolation")
			b := h.app.Snapshot().Bottles[0]
			if b.State != snapshot.Failed || b.Isolation != snapshot.ProofFailed || b.Evidence == "" {
				t.Fatalf("shown as %s, isolation %s, evidence %q", b.State, b.Isolation, b.Evidence)
			}
			// Nothing that the liar said gave it away.
			if got := misses(t, b.Evidence); !slices.Equal(got, []string{"guest-devices"}) {
				t.Errorf("what missed: %v", got)
			}
			h.nothingLeft()
			if err := h.app.Stop(t.Context(), b.ID); err != nil { // Discard
				t.Fatal(err)
			}
			if _, err := os.Stat(b.Evidence); !os.IsNotExist(err) {
				t.Errorf("the evidence outlives its bottle: %v", err)
			}
		})
	}
}

// tamper gives every sidecar of h that a bottle has a second network.
func tamper(t *testing.T, h *home) {
	t.Helper()
	for _, id := range claimed(t, h) {
		if out, err := exec.Command("docker", "network", "connect", "bridge", id).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
}

func TestAMissStopsTheBottleAndKeepsTheEvidence(t *testing.T) {
	t.Parallel()
	for why, ask := range map[string]func(h *home, b snapshot.Bottle){
		"asked": func(h *home, b snapshot.Bottle) {
			p, err := h.app.Prove(t.Context(), b.Name)
			if err != nil || p.Holds || p.Evidence == "" {
				t.Errorf("the proof: holds %v, evidence %q, %v", p.Holds, p.Evidence, err)
			}
		},
		"wake": func(h *home, _ snapshot.Bottle) { h.app.Woke() },
	} {
		t.Run(why, func(t *testing.T) {
			t.Parallel()
			h, b := ready(t, "")
			h.run(b.Name, "sh", "-c", "echo kept > ~/work/kept.txt")
			tamper(t, h)
			ask(h, b)
			eventually(t, "the bottle to be stopped", func() bool {
				got, _ := h.bottle(b.ID)
				return got.State == snapshot.Stopped
			})
			got, _ := h.bottle(b.ID)
			if got.Isolation != snapshot.ProofFailed || got.Problem == nil || !strings.Contains(got.Problem.Cure, got.Evidence) || got.Evidence == "" {
				t.Fatalf("shown as %+v", got)
			}
			if left := claimed(t, h); len(left) > 0 {
				t.Errorf("it still has %v", left)
			}
			if got := misses(t, got.Evidence); !slices.Equal(got, []string{"sidecar-networks"}) {
				t.Errorf("what missed: %v", got)
			}
			for _, name := range []string{"report.txt", "record.json", "process.json", "journal.json", "sidecar.json", "activity.log", "helper.log", "console.log"} {
				text, err := os.ReadFile(filepath.Join(got.Evidence, name))
				if err != nil || len(text) == 0 && name != "console.log" {
					t.Errorf("%s: %d bytes, %v", name, len(text), err)
				}
				if bytes.Contains(text, []byte("sk-ant-")) {
					t.Errorf("%s holds a credential, or its placeholder", name)
				}
				if name == "process.json" && bytes.Contains(text, []byte("PATH=")) {
					t.Error("the environment of the VM's process is kept")
				}
			}
			h.close()
			h.open() // and it is so after a restart
			got, _ = h.bottle(b.ID)
			if got.State != snapshot.Stopped || got.Isolation != snapshot.ProofFailed || got.Evidence == "" {
				t.Errorf("after a restart: %s, %s, %q", got.State, got.Isolation, got.Evidence)
			}
			resumed, err := h.app.Resume(t.Context(), b.Name, nil)
			if err != nil || resumed.Isolation != snapshot.Proved || resumed.Evidence != "" {
				t.Errorf("resumed: %+v, %v", resumed, err)
			}
			if text := h.run(b.Name, "cat", "kept.txt"); text != "kept\n" {
				t.Errorf("the file holds %q", text)
			}
			if err := h.app.Stop(t.Context(), b.Name); err != nil {
				t.Fatal(err)
			}
			h.nothingLeft()
		})
	}
}

// report is the last proof of a bottle that was just asked for.
func (h *home) proof(name string) snapshot.Proof {
	h.t.Helper()
	p, err := h.app.Prove(h.t.Context(), name)
	if err != nil {
		h.t.Fatal(err)
	}
	return p
}

func TestAReportSaysWhatWasTriedAndWhatStoppedIt(t *testing.T) {
	t.Parallel()
	h, b := ready(t, "")
	p := h.proof(b.Name)
	if !p.Holds || p.Why != "asked" || p.Release == "" || p.Took <= 0 {
		t.Errorf("report: holds %v, why %q, release %q, took %v", p.Holds, p.Why, p.Release, p.Took)
	}
	var groups []string
	names := map[string]int{}
	for _, l := range p.Lines {
		if l.Tried == "" || l.Expect == "" || l.Found == "" || l.By == "" || l.Group == "" {
			t.Errorf("a line that leaves something open: %+v", l)
		}
		if len(groups) == 0 || groups[len(groups)-1] != l.Group {
			groups = append(groups, l.Group)
		}
		names[l.Name]++
	}
	for _, want := range []string{
		"arguments", "agent-root", "record-network", "record-ports", "record-mounts", "record-restart", "process", "process-home",
		"process-sockets", "process-devices", "guest-devices", "sidecar-networks", "sidecar-listening", "way-out", "way-bulk", "way-parallel",
		"host-loopback-v4", "smolvm-gateway-v4", "smolvm-gateway-v6", "smolvm-host-name", "sidecar-direct", "engine-host",
		"internet-https", "internet-dns-tcp", "internet-dns-udp", "metadata", "name-lookup", "proxy-refusal", "host-vsock", "interfaces",
		"canaries-answer", "canaries", "decision",
	} {
		if names[want] == 0 {
			t.Errorf("nothing is said of %s", want)
		}
	}
	for i, g := range groups {
		if slices.Contains(groups[:i], g) {
			t.Errorf("the lines of %q are not together: %q", g, groups)
		}
	}
}

func TestAWakeProvesEveryBottleAgain(t *testing.T) {
	t.Parallel()
	h, b := ready(t, "driver = \"process\"\n")
	second := h.launch()
	once := control.PolicyChange{Action: "allow", Scope: "once", Bottle: b.Name, Host: "files.example", For: time.Hour}
	if _, err := h.app.ChangePolicy(t.Context(), once); err != nil {
		t.Fatal(err)
	}
	h.app.Woke()
	v, err := h.app.Policy(t.Context(), b.Name)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range v.Rules {
		if r.Origin == "once" {
			t.Errorf("%s is still allowed for a while, after a sleep", r.Host)
		}
	}
	for _, was := range []snapshot.Bottle{b, second} {
		eventually(t, "another proof", func() bool {
			got, _ := h.bottle(was.ID)
			return got.Isolation == snapshot.Proved && got.ProvedAt.After(*was.ProvedAt)
		})
		if r, err := h.exec(was.Name, control.ExecRequest{Argv: []string{"wget", "-q", "-Y", "off", "-O", "-", "http://127.0.0.1:3128/healthz"}}); err != nil || r.code != 0 {
			t.Errorf("the way out afterwards: %+v, %v", r, err)
		}
	}
}

// A helper that does not answer is no miss: nothing leaves the bottle until it
// does.
func TestABottleThatCannotBeProvedStaysShutUntilItCan(t *testing.T) {
	t.Parallel()
	h, b := ready(t, "driver = \"process\"\n")
	pids := helperPIDs(t, h, b.ID)
	signal := func(how string) {
		if out, err := exec.Command("kill", append([]string{how}, pids...)...).CombinedOutput(); err != nil {
			t.Fatalf("kill: %v %s", err, out)
		}
	}
	signal("-STOP")
	h.app.Woke()
	eventually(t, "the attempt to be given up", func() bool {
		got, _ := h.bottle(b.ID)
		return got.Problem != nil
	})
	if got, _ := h.bottle(b.ID); got.State != snapshot.Ready || got.Isolation != snapshot.Unproved || got.Evidence != "" {
		t.Errorf("shown as %s, %s, evidence %q", got.State, got.Isolation, got.Evidence)
	}
	signal("-CONT")
	eventually(t, "the proof to hold", func() bool { // by the shared timer
		got, _ := h.bottle(b.ID)
		return got.Isolation == snapshot.Proved && got.Problem == nil
	})
}

// helperPIDs are the helper's processes in a bottle, seen from here.
func helperPIDs(t *testing.T, h *home, id string) []string {
	t.Helper()
	out, err := exec.Command("pgrep", "-f", "serve-detached").Output()
	if err != nil {
		t.Fatal(err)
	}
	vm := vmPID(t, h, id)
	var mine []string
	for _, pid := range strings.Fields(string(out)) {
		if descends(pid, vm) {
			mine = append(mine, pid)
		}
	}
	if len(mine) == 0 {
		t.Fatal("the helper's process was not found")
	}
	return mine
}

func TestAnUpdatedCommandProvesTheBottleAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if out, err := exec.Command("cp", "-a", filepath.Dir(shared.standin), filepath.Join(dir, "bin")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	command := filepath.Join(dir, "bin", "smolvm")
	h, b := ready(t, "driver = \"process\"\n", "BOTTLEBAR_SMOLVM="+command)
	// An installer puts the new one in the place of the old.
	if out, err := exec.Command("sh", "-c", "cp $0 $0.new && mv $0.new $0", command).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	// Its agent root is another one, too; this start's was checked at the start.
	if err := os.WriteFile(filepath.Join(dir, "bin", "agent-rootfs", "new"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "another proof", func() bool {
		got, _ := h.bottle(b.ID)
		return got.State == snapshot.Stopped || got.Isolation == snapshot.Proved && got.ProvedAt.After(*b.ProvedAt)
	})
	if got, _ := h.bottle(b.ID); got.State != snapshot.Ready || got.Isolation != snapshot.Proved {
		t.Errorf("afterwards it is %s, %s: %+v", got.State, got.Isolation, got.Problem)
	}
	if err := h.app.Stop(t.Context(), b.Name); err != nil {
		t.Error(err)
	}
}

func TestAnEngineRestartUnderFiveBottlesProvesAllOfThemAgain(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.live(t, "")
	h := newHome(t, "", "BOTTLEBAR_DOCKER_HOST=unix://"+e.path)
	h.open()
	h.add()
	var all []snapshot.Bottle
	for range 5 {
		all = append(all, h.launch())
	}
	e.die()
	for _, b := range all {
		eventually(t, "the loss to be told", func() bool {
			got, _ := h.bottle(b.ID)
			return got.Isolation != snapshot.Proved && got.Problem != nil
		})
	}
	e.live(t, "")
	for _, b := range all {
		eventually(t, "a new sidecar and a proof", func() bool {
			got, _ := h.bottle(b.ID)
			return got.State == snapshot.Ready && got.Isolation == snapshot.Proved && got.ProvedAt.After(*b.ProvedAt) && got.Problem == nil
		})
		h.run(b.Name, "true")
	}
	for _, b := range all {
		if err := h.app.Stop(t.Context(), b.ID); err != nil {
			t.Error(err)
		}
	}
	h.close()
	h.nothingLeft()
}

// descends tells whether a process is below another one.
func descends(pid string, of int) bool {
	for range 20 {
		b, err := os.ReadFile("/proc/" + pid + "/stat")
		if err != nil {
			return false
		}
		_, rest, _ := strings.Cut(string(b), ") ")
		f := strings.Fields(rest)
		if len(f) < 2 {
			return false
		}
		if pid = f[1]; pid == strconv.Itoa(of) {
			return true
		}
	}
	return false
}
