package smolvm

import (
	"fmt"
	"os"
	"strings"
)

// gone tells that a process has ended; a zombie has, too.
func gone(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, rest, _ := strings.Cut(string(data), ") ")
	return strings.HasPrefix(rest, "Z")
}
