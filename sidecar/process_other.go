//go:build !linux

package sidecar

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"syscall"

	"bottlebar.app/sidecar/control"
)

const canRunEmbedded = false

func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func inMemory([]byte) (*os.File, error) {
	return nil, errors.New("only Linux runs the embedded program")
}

// seatbelt is the sandbox of a child on macOS: it reads nothing of the
// person's, writes nothing, starts nothing, listens nowhere, and reaches no
// service of this computer over a Unix socket. program is what it may be
// started as.
func seatbelt(program string) string {
	self := strconv.Quote(program)
	return `(version 1)
(allow default)
(deny file-write*)
(deny file-read* (subpath "/Users") (subpath "/Volumes") (subpath "/private/var/folders") (subpath "/private/tmp"))
(allow file-read* (literal ` + self + `))
(deny process-fork)
(deny process-exec*)
(allow process-exec (literal ` + self + `))
(deny network-bind)
(deny network-inbound)
(deny network-outbound (remote unix-socket))
`
}

// confined is the command that starts program with args inside the sandbox.
func confined(program string, args []string) (string, []string) {
	return "/usr/bin/sandbox-exec", append([]string{"-p", seatbelt(program), program}, args...)
}

// processFacts are what the child could not do when it tried: the system shows
// nothing of another process's sandbox.
func processFacts(_ int, report control.Report) []Fact {
	var list []Fact
	for _, what := range []string{"write /", "exec", "open /root or /home"} {
		got := "unknown"
		if slices.Contains(report.Refused, what) {
			got = "refused"
		}
		if slices.Contains(report.Worked, what) {
			got = "works"
		}
		list = append(list, Fact{Name: what, Want: "refused", Got: got, Holds: got == "refused"})
	}
	return append(list, Fact{Name: "user", Want: fmt.Sprint(os.Getuid()), Got: fmt.Sprint(report.UID), Holds: report.UID == os.Getuid()})
}
