package smolvm

import (
	"errors"
	"syscall"
)

// processAlive tells whether a process of that id exists, be it ours or not.
func processAlive(pid int) bool {
	if pid <= 1 {
		return false
	}
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}
