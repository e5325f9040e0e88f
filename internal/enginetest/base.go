// Package enginetest makes images on the local container engine, for tests: out
// of this computer's busybox, since no registry is asked.
package enginetest

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"

	"bottlebar.app/smolvm/artifact/build"
)

// Client is one of the engine that the tests use.
func Client(t testing.TB) *client.Client {
	t.Helper()
	c, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if _, err := c.Ping(t.Context()); err != nil {
		t.Fatalf("these tests need a Docker engine (make test starts one): %v", err)
	}
	return c
}

// Base imports a small system in which the programs that a recipe installs with
// are scripts: apt-get installs nothing, npm writes a command "claude" that
// prints the version it was asked for. It returns the image's reference; the
// image goes with the test. Changes are instructions of a Dockerfile.
func Base(t testing.TB, changes ...string) string {
	t.Helper()
	files, err := build.DemoFiles("")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range scripts {
		files = append(files, build.File{Name: name, Mode: 0o755, Data: []byte("#!/bin/sh\n" + text)})
	}
	var b bytes.Buffer
	tw := tar.NewWriter(&b)
	for _, f := range files {
		h := &tar.Header{Name: f.Name, Mode: int64(f.Mode.Perm()), Uid: f.UID, Gid: f.GID, Typeflag: tar.TypeReg, Size: int64(len(f.Data))}
		switch f.Mode.Type() {
		case fs.ModeDir:
			h.Typeflag, h.Name = tar.TypeDir, f.Name+"/"
		case fs.ModeSymlink:
			h.Typeflag, h.Linkname = tar.TypeSymlink, f.Link
		}
		if err := tw.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := tw.Write(f.Data); err != nil {
			t.Fatal(err)
		}
	}
	if err := tw.Close(); err != nil {
		t.Fatal(err)
	}
	c := Client(t)
	ref := "bottlebar-test/base:" + strings.ToLower(rand.Text())
	r, err := c.ImageImport(t.Context(), image.ImportSource{Source: &b, SourceName: "-"}, ref, image.ImportOptions{Changes: changes})
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(io.Discard, r)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { Remove(t, ref) })
	return ref
}

var scripts = map[string]string{
	"usr/bin/apt-get": "exit 0\n",
	"usr/bin/getent":  "grep \":x:$2:\" /etc/passwd\n",
	"usr/bin/userdel": "sed -i \"/^$2:/d\" /etc/passwd /etc/group; rm -rf /home/$2\n",
	"usr/bin/useradd": "echo claude:x:1000:1000::/home/claude:/bin/sh >> /etc/passwd; echo claude:x:1000: >> /etc/group; mkdir -p /home/claude\n",
	"usr/bin/npm": `for last; do :; done
case "$1" in install) printf '#!/bin/sh\necho "%s (Claude Code)"\n[ "$1" = --version ] || exec sleep 2147483647\n' "${last##*@}" > /usr/local/bin/claude; chmod 755 /usr/local/bin/claude;; esac
`,
}

// Remove takes an image away, if it is there.
func Remove(t testing.TB, ref string) {
	t.Helper()
	c, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = c.ImageRemove(context.WithoutCancel(t.Context()), ref, image.RemoveOptions{Force: true}) // it may have gone
}
