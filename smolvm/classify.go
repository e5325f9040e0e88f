package smolvm

import (
	"regexp"
	"strings"
)

// verdict is what a text of smolvm means.
type verdict struct {
	cause  error  // one of the Err values; nil when none fits
	reason string // the line without "Error: "; "" when there is none
	ours   bool   // it has one of the shapes in which smolvm reports
}

// shapes in which smolvm reports, after "Error: "; those of 0.8.0 to 1.9.3.
var shapes = []string{
	"vm not found: ", "config operation failed: ", "agent operation failed: ", "invalid vm state: ",
	"mount source not found: ", "mount operation failed: ", "kvm not available: ", "kvm permission denied: ",
	"io operation failed: ", "database not available: ", "streaming output exceeded ",
}

var rules = []struct {
	text  *regexp.Regexp
	cause error
}{
	// Before all others: it can be the reason within any of them.
	{regexp.MustCompile(`No space left on device|os error 28`), ErrNoSpace},
	{regexp.MustCompile(`^vm not found: `), ErrUnknownMachine},
	{regexp.MustCompile(`^config operation failed: [^:]+: machine '[^']*' not found`), ErrUnknownMachine},
	{regexp.MustCompile(`^agent operation failed: (connect: machine|pack from VM: VM) '[^']*' not found`), ErrUnknownMachine},
	{regexp.MustCompile(`^config operation failed: create machine: machine '[^']*' already exists`), ErrExists},
	{regexp.MustCompile(`^config operation failed: create machine: machine name `), ErrBadName},
	{regexp.MustCompile(`^agent operation failed: connect: machine '[^']*' is not running`), ErrNotRunning},
	{regexp.MustCompile(`^invalid vm state: expected stopped, got Running`), ErrRunning},
	{regexp.MustCompile(`^agent operation failed: pack from VM: VM '[^']*' is running`), ErrRunning},
	{regexp.MustCompile(`kvm not available: |kvm permission denied: |krun_start_enter returned: -22`), ErrNoHypervisor},
	{regexp.MustCompile(`^agent operation failed: platform mismatch: `), ErrPlatform},
	{regexp.MustCompile(`^agent operation failed: (read \.smolmachine|extract sidecar( \(shared\))?): `), ErrBadArtifact},
	{regexp.MustCompile(`^config operation failed: create from \.smolmachine: `), ErrBadArtifact},
	{regexp.MustCompile(`^agent operation failed: pull image: `), ErrPull},
	{regexp.MustCompile(`agent did not become ready within `), ErrTimeout},
	{regexp.MustCompile(`^streaming output exceeded `), ErrOutput},
}

// classify reads what smolvm wrote to its standard error before it exited 1,
// or 2 for arguments that it does not take.
func classify(stderr string, exit int) verdict {
	text := report(stderr, exit)
	if text == "" {
		return verdict{}
	}
	v := verdict{reason: clip(firstLine(text), 300)}
	if exit == 2 {
		v.cause, v.ours = ErrUsage, true
		return v
	}
	for _, s := range shapes {
		v.ours = v.ours || strings.HasPrefix(text, s)
	}
	for _, r := range rules {
		if r.text.MatchString(text) {
			v.cause = r.cause
			break
		}
	}
	return v
}

// report returns smolvm's own report, from the last line that begins one to
// the end, without the mark at its beginning. Other text may come before it;
// the report itself may have several lines.
func report(stderr string, exit int) string {
	stderr = clean(stderr)
	at := -1
	mark := ""
	for i := 0; i < len(stderr); {
		line := stderr[i:]
		for _, m := range []string{"Error: ", "error: "} {
			if strings.HasPrefix(line, m) {
				at, mark = i, m
			}
		}
		next := strings.IndexByte(line, '\n')
		if next < 0 {
			break
		}
		i += next + 1
	}
	if at < 0 || (exit == 2 && (mark != "error: " || !parserText(stderr[at:]))) {
		return ""
	}
	return strings.TrimSpace(stderr[at+len(mark):])
}

// parserText tells a message of the argument parser from a guest command that
// exits 2 with a text of its own.
func parserText(s string) bool {
	return strings.Contains(s, "try '--help'") || strings.Contains(s, "Usage: smolvm ")
}
