package sidecar

import (
	"fmt"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"bottlebar.app/sidecar/control"
)

const canRunEmbedded = true

// childAttributes: the kernel ends the child with the thread that started it,
// and signals of this process's terminal do not reach it.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

// inMemory puts a program into a file that has no name and cannot change.
func inMemory(bin []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate("bottlebar-sidecar", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, err
	}
	// A number that the descriptors handed to the child do not reach: they are
	// put in place before the program is opened by its number.
	high, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 100)
	unix.Close(fd)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(high), "bottlebar-sidecar")
	if _, err := f.Write(bin); err != nil {
		f.Close()
		return nil, err
	}
	seals := unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	if _, err := unix.FcntlInt(uintptr(high), unix.F_ADD_SEALS, seals); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// processFacts compares what the kernel shows of a child with what it should
// be.
func processFacts(pid int, report control.Report) []Fact {
	var list []Fact
	add := func(name string, want, got any) {
		w, g := fmt.Sprint(want), fmt.Sprint(got)
		list = append(list, Fact{Name: name, Want: w, Got: g, Holds: w == g})
	}
	status := kernelStatus(pid)
	add("parent", os.Getpid(), status["PPid"])
	add("kernel-no-new-privs", "1", status["NoNewPrivs"])
	add("kernel-seccomp", "2", status["Seccomp"])
	add("dumpable", false, report.Dumpable)
	add("files", true, report.Landlock)
	for _, what := range []string{"write /", "exec", "mount", "unix socket", "open /root or /home"} {
		got := "unknown"
		for _, r := range report.Refused {
			if r == what {
				got = "refused"
			}
		}
		for _, w := range report.Worked {
			if w == what {
				got = "works"
			}
		}
		add(what, "refused", got)
	}
	return list
}

func kernelStatus(pid int) map[string]string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	out := map[string]string{}
	if err != nil {
		return out
	}
	for line := range strings.Lines(string(b)) {
		if key, value, ok := strings.Cut(line, ":"); ok {
			out[key] = strings.TrimSpace(value)
		}
	}
	return out
}

// confined is the command that starts program: the child confines itself.
func confined(program string, args []string) (string, []string) { return program, args }
