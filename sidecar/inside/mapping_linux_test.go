package inside

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

func TestGivingBackShrinksTheProgramAndLeavesItWorking(t *testing.T) {
	program := mappings()
	if len(program) < 2 {
		t.Fatalf("mappings = %v, want code and constants", program)
	}
	_ = len(roots().Subjects()) //nolint:staticcheck // uses much of the program
	before := resident(t)
	giveBack(program)
	if after := resident(t); after >= before {
		t.Errorf("%d kB of files were in memory before, and %d after", before, after)
	}
	if n := len(roots().Subjects()); n < 100 { //nolint:staticcheck // and again
		t.Errorf("afterwards %d certificates are read", n)
	}
}

// resident is what this process holds of files, in kB (proc_pid_status(5)).
func resident(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "RssFile:"); ok {
			kb, err := strconv.Atoi(strings.Fields(value)[0])
			if err != nil {
				t.Fatal(err)
			}
			return kb
		}
	}
	t.Fatal("the kernel does not say what is in memory")
	return 0
}
