package claude

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"github.com/gofrs/flock"

	"bottlebar.app/smolvm/artifact/build"
)

// recipe rises when what goes into the artifact changes.
const recipe = 1

// Artifact returns an artifact with Claude Code in it for this computer's
// processor. It lies in dir; one that is not there is made, which takes some
// seconds and, the first time, a download of 175 MB.
func Artifact(ctx context.Context, dir string) (string, error) {
	if runtime.GOOS != "linux" {
		return "", errors.New("making an artifact with Claude Code: its libraries come from a Linux machine: make it on one")
	}
	r, err := releases(runtime.GOARCH)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	path := filepath.Join(dir, fmt.Sprintf("claude-%s-%s-%d.smolmachine", Version, runtime.GOARCH, recipe))
	lock := flock.New(path + ".lock") // several test programs run at once
	if err := lock.Lock(); err != nil {
		return "", err
	}
	defer func() { _ = lock.Unlock() }()
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	tgz, err := r.tarball(ctx, dir)
	if err != nil {
		return "", err
	}
	client, err := program(tgz)
	if err != nil {
		return "", err
	}
	files, err := rootfs(r, client)
	if err != nil {
		return "", err
	}
	return path, build.WriteFile(path, func(w io.Writer) error {
		return build.Write(w, build.Manifest{
			Image: "bottlebar.app/claude-code:" + Version, Platform: "linux/" + runtime.GOARCH,
			// Some releases start no artifact without a command.
			Cmd: []string{"sleep", "2147483647"}, CPUs: 2, MemMiB: 4096, Workdir: "/home/claude/work",
			Env: []string{"PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"},
		}, build.Layer{Files: files})
	})
}

// CacheDir is where the artifact is kept between runs: a folder of the person's
// cache, so that a clean checkout need not fetch and pack it again.
func CacheDir() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "bottlebar-build"), nil
}
