package cache

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"bottlebar.app/internal/fault"
)

// Settings are what a launch starts from. Zero values mean: as the artifact or
// smolvm says.
type Settings struct {
	Command    []string `json:"command,omitempty"`     // run as it is, without a shell
	User       string   `json:"user,omitempty"`        // name or number in the guest
	Folder     string   `json:"folder,omitempty"`      // absolute, or ~/…
	CPUs       int      `json:"cpus,omitempty"`        // 1 to 255
	MemMiB     int      `json:"mem_mib,omitempty"`     // at least 64
	StorageGiB int      `json:"storage_gib,omitempty"` //
	OverlayGiB int      `json:"overlay_gib,omitempty"` //
	Permission string   `json:"permission,omitempty"`  // one of PermissionModes
}

// PermissionModes are the modes that Claude Code starts in.
func PermissionModes() []string {
	return []string{"default", "acceptEdits", "plan", "auto", "bypassPermissions"}
}

const (
	maxCPUs     = 255
	minMemMiB   = 64
	maxMemMiB   = 4 << 20  // 4 TiB
	maxGiB      = 64 << 10 // 64 TiB
	maxWords    = 256
	maxArgument = 4096 // bytes
)

// reUser is what useradd accepts, and numbers.
var reUser = regexp.MustCompile(`^([a-z_][a-z0-9_-]{0,31}|[0-9]{1,10})$`)

// Validate says what is wrong with s, and what may be there instead.
func (s *Settings) Validate() error {
	for _, n := range []struct {
		what     string
		v        int
		min, max int
	}{
		{"CPUs", s.CPUs, 1, maxCPUs},
		{"memory in MiB", s.MemMiB, minMemMiB, maxMemMiB},
		{"storage in GiB", s.StorageGiB, 1, maxGiB},
		{"overlay in GiB", s.OverlayGiB, 1, maxGiB},
	} {
		if n.v != 0 && (n.v < n.min || n.v > n.max) {
			return invalid(n.what+" cannot be "+strconv.Itoa(n.v), "choose "+strconv.Itoa(n.min)+" to "+strconv.Itoa(n.max))
		}
	}
	if s.Permission != "" && !slices.Contains(PermissionModes(), s.Permission) {
		return invalid("there is no permission mode "+strconv.QuoteToGraphic(s.Permission), "choose one of "+strings.Join(PermissionModes(), ", "))
	}
	if s.User != "" && !reUser.MatchString(s.User) {
		return invalid(strconv.QuoteToGraphic(s.User)+" is not a user", "use a Linux user's name or number")
	}
	if s.Folder != "" && !legalFolder(s.Folder) {
		return invalid(strconv.QuoteToGraphic(s.Folder)+" is not a folder in the guest", "use a path that starts with / or ~/, without ..")
	}
	return validCommand(s.Command)
}

func legalFolder(f string) bool {
	if f == "~" {
		return true
	}
	rest, home := strings.CutPrefix(f, "~")
	if !strings.HasPrefix(rest, "/") || len(f) > maxArgument || strings.ContainsFunc(f, control) {
		return false
	}
	return !slices.Contains(strings.Split(rest, "/"), "..") && (home || path.IsAbs(f))
}

func validCommand(words []string) error {
	if len(words) > maxWords {
		return invalid("the command has more than "+strconv.Itoa(maxWords)+" words", "put it into a script in the artifact")
	}
	for i, w := range words {
		if (i == 0 && w == "") || len(w) > maxArgument || strings.ContainsRune(w, 0) {
			return invalid("the command has a word that cannot be passed", "use a program's name and arguments without NUL")
		}
	}
	return nil
}

func control(r rune) bool { return r < ' ' || r == 0x7f }

func invalid(why, cure string) error { return fault.New("changing settings", why, cure) }
