package smolvm

import "fmt"

// Severity says how bad a [Notice] is.
type Severity string

// Severities, mildest first.
const (
	Info   Severity = "info"   // worth knowing
	Warn   Severity = "warn"   // works, but an update is better
	Refuse Severity = "refuse" // must not be used
)

// Notice is something a person should know about an installed release.
type Notice struct {
	Severity Severity
	Text     string // a sentence
	Cure     string // what to do
}

const updateCure = "Install smolvm 1.9.3"

// notices judges a release by what upstream fixed later; goos as in runtime.
func notices(v Version, goos string) []Notice {
	v.Pre = ""
	is := func(major, minor, patch int) bool { return v == Version{Major: major, Minor: minor, Patch: patch} }
	var out []Notice
	add := func(s Severity, text string) { out = append(out, Notice{s, text, updateCure}) }
	mac := goos == "darwin"
	switch {
	case is(1, 7, 3), is(1, 7, 4):
		add(Refuse, fmt.Sprintf("smolvm %v takes an artifact without network for a registry image and rejects it.", v))
	case mac && is(1, 7, 5):
		add(Refuse, "smolvm 1.7.5 lacks a symbol that its launcher needs on macOS.")
	case mac && v.Major == 1 && v.Minor == 7 && v.Patch <= 6:
		add(Refuse, fmt.Sprintf("On macOS many machines of smolvm %v end while they boot.", v))
	}
	if !v.AtLeast(1, 3, 8) {
		add(Warn, fmt.Sprintf("smolvm %v lets a hostile artifact overwrite files while it is unpacked; only artifacts that were checked here are safe.", v))
	}
	if is(1, 5, 0) {
		add(Warn, "smolvm 1.5.0 waits about five seconds at each start.")
	}
	if v.Compare(newest) > 0 {
		out = append(out, Notice{
			Info, fmt.Sprintf("smolvm %v is newer than %v, the newest release this app was tried with.", v, newest),
			"Update Bottlebar when something does not work",
		})
	}
	return out
}
