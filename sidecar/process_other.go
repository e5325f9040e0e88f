//go:build !linux

package sidecar

import (
	"errors"
	"os"
	"syscall"

	"bottlebar.app/sidecar/control"
)

const canRunEmbedded = false

func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func inMemory([]byte) (*os.File, error) {
	return nil, errors.New("only Linux runs the embedded program")
}

// processFacts has nothing that the kernel would show of the sandbox here: the
// proof does not hold until there is one.
func processFacts(int, control.Report) []Fact {
	return []Fact{{Name: "sandbox", Want: "on", Got: "none on this system"}}
}
