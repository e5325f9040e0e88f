package app

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"bottlebar.app/bottle"
)

// hostIdentity reads what a session takes over from this computer: the time
// zone, and the name and address that git signs commits with. What cannot be
// found stays empty.
func hostIdentity(ctx context.Context, getenv func(string) string) bottle.Identity {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	id := bottle.Identity{TimeZone: timeZone(getenv)}
	git := gitCommand(exec.LookPath)
	if git == "" {
		return id
	}
	id.GitName = gitConfig(ctx, git, "user.name")
	id.GitEmail = gitConfig(ctx, git, "user.email")
	return id
}

// timeZone is the zone's name in the tz database, such as "Europe/Berlin".
func timeZone(getenv func(string) string) string {
	if tz := strings.TrimPrefix(getenv("TZ"), ":"); tz != "" && !filepath.IsAbs(tz) {
		return tz
	}
	to, err := filepath.EvalSymlinks("/etc/localtime")
	if err != nil {
		return ""
	}
	if _, name, ok := strings.Cut(to, "zoneinfo/"); ok {
		return name
	}
	return ""
}

// gitCommand finds git, but not the placeholder that macOS keeps at
// /usr/bin/git: without the developer tools it opens an installer.
func gitCommand(look func(string) (string, error)) string {
	for _, p := range []string{"/opt/homebrew/bin/git", "/usr/local/bin/git", "/Library/Developer/CommandLineTools/usr/bin/git"} {
		if fi, err := os.Stat(p); err == nil && !fi.IsDir() {
			return p
		}
	}
	if _, err := os.Stat("/System/Library/CoreServices"); err == nil {
		return ""
	}
	p, err := look("git")
	if err != nil {
		return ""
	}
	return p
}

// gitConfig asks for one value of the person's own configuration. It runs in
// the root folder, where no repository's configuration can take part.
func gitConfig(ctx context.Context, git, key string) string {
	cmd := exec.CommandContext(ctx, git, "config", "--global", "--get", key)
	cmd.Dir = "/"
	out, err := cmd.Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}
