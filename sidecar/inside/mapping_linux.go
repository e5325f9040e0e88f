package inside

import (
	"bytes"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// mapping is a part of the program's file in memory that is never written.
type mapping struct{ from, to uintptr }

// mappings reads where the program lies (proc_pid_maps(5)): the parts that are
// mapped from its own file without the right to write. It is asked before the
// process is confined.
func mappings() []mapping {
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return nil
	}
	text, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return nil
	}
	var out []mapping
	for line := range bytes.Lines(text) {
		f := bytes.Fields(line)
		if len(f) != 6 || string(f[5]) != exe || bytes.IndexByte(f[1], 'w') >= 0 {
			continue
		}
		var m mapping
		if n, err := fmt.Sscanf(string(f[0]), "%x-%x", &m.from, &m.to); n == 2 && err == nil {
			out = append(out, m)
		}
	}
	return out
}

// drop takes the pages out of this process. They stay in the system's cache,
// from where the next use maps them again.
func (m mapping) drop() {
	_, _, _ = unix.Syscall(unix.SYS_MADVISE, m.from, m.to-m.from, unix.MADV_DONTNEED)
}
