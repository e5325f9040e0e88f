package claude

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Version of Claude Code that is tested with.
const Version = "2.1.330"

// release is the client for one processor, as a package of the npm registry.
type release struct {
	name      string // of the package
	integrity string // of its tarball, as the registry states it: sha512, base64
	libraries string // where Debian keeps the libraries of that processor
}

// releases by Go's name of the processor.
func releases(arch string) (release, error) {
	switch arch {
	case "amd64":
		return release{
			name:      "@anthropic-ai/claude-code-linux-x64",
			integrity: "9Gn+V7DtJ8M1nztP9CeDVl9g3RtrepI7rOFTyPRRnZe8D6zebIHKmC7OvBauucuAP0X0k85SDN/LPVZyjsGezQ==",
			libraries: "lib/x86_64-linux-gnu",
		}, nil
	case "arm64":
		return release{
			name:      "@anthropic-ai/claude-code-linux-arm64",
			integrity: "V4yanAY5EA5UpwwRPtjSfqDbNqAlUJeVn3NYZw2AgmRHjdpSsLtHAzbxRXfkAnbjwTXzE0uedjQxUY02ARPcsA==",
			libraries: "lib/aarch64-linux-gnu",
		}, nil
	}
	return release{}, fmt.Errorf("no package of Claude Code %s is pinned for %s", Version, arch)
}

// file is the name that npm gives the package's tarball.
func (r release) file() string {
	return strings.NewReplacer("@", "", "/", "-").Replace(r.name) + "-" + Version + ".tgz"
}

// tarball returns the package's tarball in dir, brought by npm if it is not
// there, and in either case held to its checksum.
func (r release) tarball(ctx context.Context, dir string) (string, error) {
	path := filepath.Join(dir, r.file())
	err := r.check(path)
	if !errors.Is(err, os.ErrNotExist) {
		return path, err
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		return "", errors.New("bringing Claude Code for the tests: npm is missing: install it (Debian: apt-get install npm)")
	}
	scratch, err := os.MkdirTemp(dir, "npm-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(scratch)
	cmd := exec.CommandContext(ctx, npm, "pack", "--silent", "--ignore-scripts", "--pack-destination", scratch, r.name+"@"+Version)
	cmd.Dir = scratch
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm pack %s@%s: %w\n%s", r.name, Version, err, out)
	}
	fresh := filepath.Join(scratch, r.file())
	if err := r.check(fresh); err != nil {
		return "", err
	}
	return path, os.Rename(fresh, path)
}

func (r release) check(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	sum := sha512.New()
	if _, err := io.Copy(sum, f); err != nil {
		return err
	}
	if got := base64.StdEncoding.EncodeToString(sum.Sum(nil)); got != r.integrity {
		return fmt.Errorf("%s is not what was pinned: its checksum is %s: remove it and run again", path, got)
	}
	return nil
}

// program reads the client's program out of the tarball.
func program(tarball string) ([]byte, error) {
	f, err := os.Open(tarball)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	zr, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", tarball, err)
	}
	tr := tar.NewReader(zr)
	for {
		h, err := tr.Next()
		if err != nil {
			return nil, fmt.Errorf("%s: looking for package/claude: %w", tarball, err)
		}
		if h.Name != "package/claude" {
			continue
		}
		b := make([]byte, h.Size)
		_, err = io.ReadFull(tr, b)
		return b, err
	}
}
