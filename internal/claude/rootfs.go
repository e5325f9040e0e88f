package claude

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"bottlebar.app/smolvm/artifact/build"
)

// borrowed are programs of this computer that the guest gets, with their
// libraries: the client looks for bash, and for git in most that it does.
var borrowed = []string{"/usr/bin/bash", "/usr/bin/git"} //nolint:gochecknoglobals // a constant list

// rootfs is a small Linux around the client: busybox, the borrowed programs,
// what all of them are linked with, and a user "claude" with id 1000.
func rootfs(r release, client []byte) ([]build.File, error) {
	demo, err := build.DemoFiles("")
	if err != nil {
		return nil, err
	}
	t := tree{libraries: r.libraries, files: map[string]build.File{}}
	for _, f := range demo {
		t.files[f.Name] = f
	}
	t.put(build.File{Name: "usr/local/bin/claude", Mode: 0o755, Data: client})
	t.put(build.File{Name: "etc/os-release", Mode: 0o644, Data: []byte("NAME=\"Claude Code for tests\"\nID=bottlebar-claude\nPRETTY_NAME=\"Claude Code " + Version + " for tests\"\n")})
	t.put(build.File{Name: "etc/profile", Mode: 0o644, Data: []byte("export PS1='\\w $ '\n")})
	if err := t.link(client); err != nil {
		return nil, fmt.Errorf("the client's libraries: %w", err)
	}
	for _, p := range borrowed {
		b, err := os.ReadFile(p)
		if err != nil {
			return nil, fmt.Errorf("a program that the guest needs: %w (Debian: apt-get install %s)", err, filepath.Base(p))
		}
		t.put(build.File{Name: strings.TrimPrefix(p, "/"), Mode: 0o755, Data: b})
		if err := t.link(b); err != nil {
			return nil, fmt.Errorf("the libraries of %s: %w", p, err)
		}
	}
	t.put(build.File{Name: "bin/bash", Mode: fs.ModeSymlink | 0o777, Link: "../usr/bin/bash"})
	if roots, err := os.ReadFile("/etc/ssl/certs/ca-certificates.crt"); err == nil {
		t.put(build.File{Name: "etc/ssl/certs/ca-certificates.crt", Mode: 0o644, Data: roots})
	}
	return t.list(), nil
}

// tree collects files under their names, so that a folder or a library that
// several need is there once.
type tree struct {
	libraries string
	files     map[string]build.File
}

// put adds a file and the folders that it lies in.
func (t *tree) put(f build.File) {
	t.files[f.Name] = f
	for dir := path.Dir(f.Name); dir != "."; dir = path.Dir(dir) {
		if _, there := t.files[dir]; !there {
			t.files[dir] = build.File{Name: dir, Mode: fs.ModeDir | 0o755}
		}
	}
}

// list is the tree with every folder before what lies in it.
func (t *tree) list() []build.File {
	var out []build.File
	for _, name := range slices.Sorted(maps.Keys(t.files)) {
		out = append(out, t.files[name])
	}
	return out
}

// link adds the loader and the libraries that a program names, and theirs.
func (t *tree) link(program []byte) error {
	f, err := elf.NewFile(bytes.NewReader(program))
	if err != nil {
		return err
	}
	for _, p := range f.Progs {
		if p.Type != elf.PT_INTERP {
			continue
		}
		name, err := io.ReadAll(p.Open())
		if err != nil {
			return err
		}
		if err := t.library(string(bytes.TrimRight(name, "\x00"))); err != nil {
			return err
		}
	}
	needed, err := f.ImportedLibraries()
	if err != nil {
		return err
	}
	for _, n := range needed {
		if strings.HasPrefix(n, "ld-linux") {
			continue // the loader, which has its own place
		}
		if err := t.library("/" + t.libraries + "/" + n); err != nil {
			return err
		}
	}
	return nil
}

func (t *tree) library(at string) error {
	name := strings.TrimPrefix(at, "/")
	if _, there := t.files[name]; there {
		return nil
	}
	b, err := os.ReadFile(at)
	if errors.Is(err, fs.ErrNotExist) && !strings.HasPrefix(at, "/usr/") {
		b, err = os.ReadFile("/usr" + at)
	}
	if err != nil {
		return err
	}
	t.put(build.File{Name: name, Mode: 0o755, Data: b})
	return t.link(b)
}
