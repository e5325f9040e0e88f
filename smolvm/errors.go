package smolvm

import (
	"errors"
	"fmt"
	"strings"
)

// What a [*CommandError] can be; ask with errors.Is.
var (
	ErrUnknownMachine = errors.New("no machine of that name")
	ErrExists         = errors.New("a machine of that name exists")
	ErrBadName        = errors.New("not a legal machine name")
	ErrNotRunning     = errors.New("the machine is not running")
	ErrRunning        = errors.New("the machine is running")
	ErrBusy           = errors.New("the machine takes no further connection")
	ErrNoHypervisor   = errors.New("no hypervisor that smolvm may use")
	ErrBadArtifact    = errors.New("not an intact artifact")
	ErrPlatform       = errors.New("the artifact is for another kind of processor")
	ErrNoSpace        = errors.New("the disk is full")
	ErrTimeout        = errors.New("no answer in time")
	ErrOutput         = errors.New("more output than allowed")
	ErrPull           = errors.New("the image could not be pulled")
	ErrUsage          = errors.New("smolvm does not take these arguments")
	ErrUnsupported    = errors.New("this release of smolvm cannot do that")
)

// CommandError is a smolvm command that failed.
type CommandError struct {
	Argv     []string // program and arguments; values of variables are replaced by "…"
	ExitCode int      // -1 when it did not exit by itself
	Stderr   string   // its last lines, cleaned
	Reason   string   // smolvm's own words without prefix, one line; may be empty
	Left     State    // state of the machine after a cancelled change; "" when not looked at or gone
	Cause    error    // one of the Err values, a context's error, or an error of the system; may be nil
}

func (e *CommandError) Error() string {
	why := e.Reason
	switch {
	case errors.Is(e.Cause, ErrTimeout), errors.Is(e.Cause, ErrOutput):
		why = e.Cause.Error()
	case why == "" && e.Cause != nil:
		why = e.Cause.Error()
	case why == "":
		why = fmt.Sprintf("exit code %d", e.ExitCode)
	}
	return verb(e.Argv) + ": " + why
}

// Unwrap gives the cause, for errors.Is and errors.As.
func (e *CommandError) Unwrap() error { return e.Cause }

// Detail is the command line and what it said, for whoever asks.
func (e *CommandError) Detail() string {
	d := strings.Join(e.Argv, " ")
	if e.Stderr != "" {
		d += "\n" + e.Stderr
	}
	return d
}

// Cure says what to do; empty when there is nothing better than the reason.
func (e *CommandError) Cure() string {
	text := e.Reason + "\n" + e.Stderr
	for _, c := range cures {
		if strings.Contains(text, c.sign) {
			return c.cure
		}
	}
	for _, c := range causeCures {
		if errors.Is(e.Cause, c.cause) {
			return c.cure
		}
	}
	return ""
}

// Texts of smolvm that deserve better words than its own.
var cures = []struct{ sign, cure string }{
	{"krun_start_enter returned: -22", "Install smolvm again: its signature or its right to use the hypervisor is gone"},
	{"kvm permission denied", "Add your user to the group kvm (sudo usermod -aG kvm $USER), then log in again"},
	{"kvm not available", "Turn on virtualization in the firmware and load the kvm module"},
	{"libkrun/libkrunfw not found", "Choose the smolvm command, not smolvm-bin beside it"},
	{"could not find libkrun", "Choose the smolvm command, not smolvm-bin beside it"},
	{"SMOLVM_LIB_DIR does not contain", "Install smolvm again: its libraries are not where it looks"},
	{"agent rootfs not found", "Install smolvm again: the system it boots is missing"},
	{"did not become ready", "Look at the machine's console log for what stopped its boot"},
	{"is already in use by running machine", "Stop the other machine or choose another port"},
	{"another process is already starting", "Wait until the other start has ended, then try again"},
	{"platform mismatch", "Pack the image for this machine's processor"},
	{"invalid magic", "Choose the file that ends in .smolmachine, not the program beside it"},
	{"No space left on device", "Free some disk space, then try again"},
	{"no command given and image", "Give the artifact a command when packing it, or update smolvm"},
	{"run container detached", "Check that the command named in the artifact exists in it"},
	{"must be pulled from a registry", "Allow the machine a network, or pack the image first"},
	{"UNAUTHORIZED", privateCure},
	{"401 Unauthorized", privateCure},
	{"DENIED", privateCure},
	{"MANIFEST_UNKNOWN", "Look at the image's name and tag: the registry has no such image"},
	{"NAME_UNKNOWN", "Look at the image's name: the registry has no such image"},
	{"no child with platform", "Choose an image that exists for this computer's processor"},
	{"packs may not carry secret refs", "Pack the image again without secrets"},
}

var causeCures = []struct {
	cause error
	cure  string
}{
	{ErrUnknownMachine, "List the machines to see which exist"},
	{ErrExists, "Choose another name or delete that machine first"},
	{ErrBadName, nameCure},
	{ErrNotRunning, "Start the machine first"},
	{ErrRunning, "Stop the machine first"},
	{ErrBusy, "Close a terminal or wait for a running command, then try again"},
	{ErrBadArtifact, "Fetch or pack the artifact again"},
	{ErrOutput, "Write the output to a file in the machine and copy that"},
	{ErrPull, "Look at the image's name and at the network"},
	{ErrUsage, "Update Bottlebar or smolvm: they do not fit together"},
}

// verb is the part of an argument list that says what was asked:
// "smolvm machine start".
func verb(argv []string) string {
	words := []string{"smolvm"}
	for i := 1; i < len(argv) && len(words) < 3; i++ {
		if strings.HasPrefix(argv[i], "-") {
			if i == 1 {
				words = append(words, argv[i])
			}
			break
		}
		words = append(words, argv[i])
	}
	return strings.Join(words, " ")
}

const (
	// The registry says the same of an image that needs a login and of one that is not there.
	privateCure  = "Bring it with docker pull and pack it from the engine, or name user and password for its registry in ~/.config/smolvm/config.toml"
	nameCure     = "Use letters, digits and single hyphens, beginning and ending with a letter or digit"
	hiddenValue  = "…"
	argvShown    = 24  // items of an argument list kept in an error
	argShownSize = 120 // runes kept of each
)

// redact copies an argument list for an error: values of variables hidden,
// the command for the guest shortened.
func redact(argv []string) []string {
	out := make([]string, 0, min(len(argv), argvShown))
	hide, guest := false, false
	for i, a := range argv {
		if i == argvShown {
			out = append(out, hiddenValue)
			break
		}
		switch {
		case hide:
			a, hide = hideValue(a), false
		case guest:
		case a == "--":
			guest = true
		case a == "-e" || a == "--env" || a == "--secret-env" || a == "--secret-file":
			hide = true
		case strings.HasPrefix(a, "--env=") || strings.HasPrefix(a, "-e="):
			flag, kv, _ := strings.Cut(a, "=")
			a = flag + "=" + hideValue(kv)
		}
		out = append(out, clip(clean(a), argShownSize))
	}
	return out
}

func hideValue(kv string) string {
	if k, _, ok := strings.Cut(kv, "="); ok {
		return k + "=" + hiddenValue
	}
	return kv
}

// UnsupportedError says that a release lacks something; it is ErrUnsupported.
type UnsupportedError struct {
	Version Version
	What    string // "mounting a socket in a machine made from an artifact"
	Since   string // first release that can, "" when none
}

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("smolvm %v: %s is not possible", e.Version, e.What)
}

// Cure names the release to install.
func (e *UnsupportedError) Cure() string {
	if e.Since == "" {
		return ""
	}
	return "Install smolvm " + e.Since + " or newer"
}

// Is makes it an [ErrUnsupported].
func (e *UnsupportedError) Is(target error) bool { return target == ErrUnsupported }
