//go:build linux

package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A fault is "VERB:ACTION". The verb is version, create, start, stop, delete,
// ls, status, exec, cp, update or pack. The actions that every verb knows:
//
//	hang         never answers
//	exit=N       ends with N and nothing done; a text on stderr unless N is 0
//	slow=2s      waits first, then does it
//	garbage      prints bytes that are no text of smolvm, exit 0
//	enospc       the disk is full: error text, exit 1
//
// and those of start alone:
//
//	nic          the guest gets a network device (a veth pair)
//	netns=host   the guest gets no network namespace of its own
//	dies=2s      the machine's process ends by itself after that time
//
// and that of pack alone:
//
//	noloopback   its machine does not reach this computer's loopback
type faults []struct{ verb, action, value string }

func parseFaults(s string) (faults, error) {
	var out faults
	for _, item := range strings.Split(s, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		verb, action, ok := strings.Cut(item, ":")
		if !ok {
			return nil, fmt.Errorf("stand-in: fault %q is not VERB:ACTION", item)
		}
		action, value, _ := strings.Cut(action, "=")
		if _, why := duration(value); (action == "slow" || action == "dies") && why != "" {
			return nil, fmt.Errorf("stand-in: fault %q: %s", item, why)
		}
		out = append(out, struct{ verb, action, value string }{verb, action, value})
	}
	return out, nil
}

// has returns a fault's value and whether it is asked for.
func (f faults) has(verb, action string) (string, bool) {
	for _, x := range f {
		if x.verb == verb && x.action == action {
			return x.value, true
		}
	}
	return "", false
}

// fault carries out the faults of a verb; done says that nothing else is to
// be done. Those that a verb handles itself are left alone.
func (a *app) fault(verb string) (code int, done bool) {
	for _, f := range a.faults {
		if f.verb != verb {
			continue
		}
		switch f.action {
		case "slow":
			d, _ := duration(f.value)
			time.Sleep(d)
		case "hang":
			for {
				time.Sleep(time.Hour)
			}
		case "exit":
			n, _ := strconv.Atoi(f.value)
			if n != 0 {
				fmt.Fprintf(a.stderr, "Error: agent operation failed: %s: fault asked for\n", verb)
			}
			return n, true
		case "garbage":
			fmt.Fprint(a.stdout, "\x00\xff\x1b]0;no\x07 not what was asked for\n{[\n")
			return 0, true
		case "enospc":
			if verb == "cp" {
				return a.fail(failf("agent operation failed: write file: No space left on device (os error 28)")), true
			}
			return a.fail(failf("io operation failed: No space left on device (os error 28)")), true
		}
	}
	return 0, false
}
