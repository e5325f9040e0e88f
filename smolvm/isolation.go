package smolvm

import (
	"errors"
	"fmt"
	"slices"
)

// IsolationArgs returns the arguments with which create makes a machine that
// has one pipe to the outside and nothing else.
func IsolationArgs(v Version, o CreateOptions) ([]string, error) {
	o.Isolated = true
	return createArgs(v, o)
}

// Flags of create that a machine without a network may have, all with a value
// but --ssh-agent. None of them opens a way out besides the one pipe.
var isolated = []string{"--name", "--from", "--cpus", "--mem", "--storage", "--overlay", "--mount-socket"}

// CheckIsolation tells whether the arguments of a create, without the
// program's name, can give the machine no network, folder or port and exactly
// one pipe. What it does not know it refuses.
func CheckIsolation(args []string) error {
	if len(args) < 2 || args[0] != "machine" || args[1] != "create" {
		return errors.New("isolation: not a create")
	}
	seen, err := countFlags(args[2:])
	if err != nil {
		return err
	}
	for flag, n := range seen {
		if n > 1 {
			return fmt.Errorf("isolation: %s more than once", flag)
		}
	}
	if seen["--name"] != 1 || seen["--from"] != 1 {
		return errors.New("isolation: a name and an artifact are needed")
	}
	if seen["--ssh-agent"]+seen["--mount-socket"] != 1 {
		return errors.New("isolation: exactly one pipe is needed")
	}
	return nil
}

// countFlags says how often each allowed flag occurs; a name by position, as
// it is given up to 1.0.1, counts as --name.
func countFlags(args []string) (map[string]int, error) {
	seen := map[string]int{}
	for i := 0; i < len(args); i++ {
		switch a := args[i]; {
		case a == "--":
			return seen, nil // the machine's own command follows
		case a == "--ssh-agent":
			seen[a]++
		case slices.Contains(isolated, a):
			seen[a]++
			if i++; i == len(args) {
				return nil, fmt.Errorf("isolation: %s without a value", a)
			}
			if a == "--name" && CheckName(args[i]) != nil {
				return nil, errors.New("isolation: no legal name")
			}
		case CheckName(a) == nil:
			seen["--name"]++
		default:
			return nil, fmt.Errorf("isolation: %q is not allowed", clip(clean(a), 40))
		}
	}
	return seen, nil
}
