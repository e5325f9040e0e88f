//go:build linux

package main

import (
	"io"
	"net"
	"path/filepath"
	"testing"
)

const (
	whyGuest = "shows what is in the guest: processes, mounts, the folders of / and /dev"
	whyMany  = "several commands at once; a test of its own"
	whyKill  = "a process is killed or stopped from outside; a test of its own"
	whyTime  = "decided by the clock"
	whyTTY   = "a dialogue on a terminal, recorded as excerpts; a test of its own"
	whyInput = "its input is not recorded"
	whyOther = "no command line: an observation of another kind"
	whyDisk  = "sizes of disks and libraries, which the stand-in has not"
	whyCut   = "the recording is cut"
)

// Cases with a running machine whose outcome the guest or the clock decides.
var notRunning = []exclusion{
	{"exec-ls-root exec-dev-full exec-cmd-pack-ps exec-cmd-pack-kill-* exec-cmd-pack-after exec-cmdexit-pack files-after-restart sock-mount sock-storage-dir", whyGuest},
	{"exec-i-cat-5m exec-i-cat-100m exec-i-tar-* exec-i-early-exit exec-i-head cp-in-big* cp-out-big exec-i-interactive-lines", whyInput},
	{"exec-9-concurrent exec-9th-* exec-12-* exec-8* exec-7-* status-json-after-concurrent status-json-while-8-* status-*-all-slots-free-again exec-all-slots-free-again", whyMany},
	{"status-json-after-good-exec ls-json-after-good-exec start-healthy-* exec-during-* sock-100* sock-20-* start-2-* start-3-* start-4-*", whyMany},
	{"exec-client-* *-vm-killed* *-vm-frozen *-agent-frozen *-agent-frozen-stopped exec-after-frozen", whyKill},
	{"cp-out-fifo *-fifo-reads stop-after-fifo exec-i-reader-closes-stdout", whyKill},
	{"start-while-* status-json-after-start-while-stopping exec-i-stdin-open exec-stream-timing exec-detach exec-detach-effect exec-output-11m-plus-1", whyTime},
	{"tty-*", whyTTY},
	{"images pack-from-vm *snapshot", whyDisk},
	{"ls-json-3-machines", whyCut},
}

// What differs by release.
var notRunningIn = map[string][]exclusion{
	"0.8.0": {
		{"exec-tty-it", whyGuest},
		// Containers left behind end after 10 s and take those that joined
		// them along, on the real one too.
		{"exec-timeout-direct-i exec-timeout-child-i exec-timeout-direct-it exec-timeout-child-it", whyTime},
		{"exec-missing-command-it", whyTime},
	},
}

// before is what the recorder did, without writing it down, ahead of a case.
var before = map[string]func(in *install){
	"exec-timeout-not-hit": func(in *install) {
		if in.version != "0.8.0" {
			return
		}
		// The containers that timeouts left go, and this command with them.
		in.run("", "machine", "exec", "--name", "m", "--", "killall", "sleep")
		eventually(in.t, "the guest is idle", func() bool {
			for _, pid := range processes(in.home) {
				if pid != in.record().PID && len(children(pid)) > 0 {
					return false
				}
			}
			return true
		})
	},
	"cp-out": func(in *install) {
		in.sh(`cd /root; printf 'hello guest' > out.txt; ln -s out.txt outlink; ln -s /etc/passwd abslink; ln -s nowhere dangling; mkdir -p d; printf ab > "sp ace"`)
	},
	"cp-out-missing-over-existing": func(in *install) { put(in.t, in, "keep.out", "twelve bytes") },
	"stop":                         func(in *install) { in.sh("echo kept > /root/kept") },
	"status-json-after-two-starts": func(in *install) { in.ok("machine", "start", "--name", "m") },
	"start-final":                  func(in *install) { in.ok("machine", "start", "--name", "m") },
	"exec-newline-env": func(in *install) {
		for _, name := range []string{"par0", "par1", "par2"} {
			in.ok("machine", "start", "--name", name)
		}
	},
}

func TestRecordedCasesWithARunningMachineGiveTheSame(t *testing.T) {
	for _, version := range []string{"0.8.0", "1.0.2", "1.7.7", "1.9.3"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			in := newInstall(t, version, false)
			layWork(t, in)
			layRunning(t, in)
			count := tally{excluded: map[string]int{}}
			all := samples(t, version+"-running")
			for _, c := range all {
				why := excluded(append(notRunningIn[version], notRunning...), c.ID)
				if why == "" && c.Argv == nil {
					why = whyOther
				}
				if why != "" {
					count.excluded[why]++
					continue
				}
				if prepare := before[c.ID]; prepare != nil {
					in.env = nil
					prepare(in)
				}
				if err := replay(t, in, c); err != nil {
					t.Errorf("%s %q: %v", c.ID, c.Argv, err)
					continue
				}
				count.equal++
			}
			count.report(t, len(all))
		})
	}
}

// layRunning adds the artifacts with a guest in them and the host's sockets.
func layRunning(t *testing.T, in *install) {
	t.Helper()
	for name, cmd := range map[string][]string{
		"a": in.idle(), "cmd": {"sleep", "100000"}, "nocmd": nil, "cmdexit": {"/bin/false"}, "cmdbad": {"/no/such/cmd"},
	} {
		guestArtifact(t, filepath.Join(in.work, name+".smolmachine"), cmd)
	}
	serveUnix(t, filepath.Join(in.work, "bb.sock"), func(c *net.UnixConn) {
		io.Copy(c, c)
		c.CloseWrite()
	})
	serveUnix(t, filepath.Join(in.work, "half.sock"), func(c *net.UnixConn) {
		c.Write([]byte{1})
		c.CloseWrite()
		io.Copy(io.Discard, c)
	})
	serveUnix(t, filepath.Join(in.work, "push.sock"), func(c *net.UnixConn) {
		c.Write(make([]byte, 1<<20))
	})
}
