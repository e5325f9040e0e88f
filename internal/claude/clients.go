package claude

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/gofrs/flock"

	"bottlebar.app/smolvm/artifact/build"
)

// clientsRecipe rises when what goes into the artifact of clients changes.
const clientsRecipe = 1

// Places of the artifact of clients that a caller needs.
const (
	NPM = "/opt/npm/bin/npm-cli.js" // run by node
	Pip = "/opt/pip/pip"            // run by python3
)

// Clients returns an artifact with the programs that people fetch things with:
// curl, git, node and npm, python3 and pip, apt. All of them are this
// computer's own; what is missing is named with the package that brings it. It
// lies in dir, made once.
func Clients(ctx context.Context, dir string) (string, error) {
	r, err := releases(runtime.GOARCH)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	path := filepath.Join(dir, fmt.Sprintf("clients-%s-%d.smolmachine", runtime.GOARCH, clientsRecipe))
	lock := flock.New(path + ".lock")
	if err := lock.Lock(); err != nil {
		return "", err
	}
	defer func() { _ = lock.Unlock() }()
	if _, err := os.Stat(path); err == nil {
		return path, ctx.Err()
	}
	demo, err := build.DemoFiles("")
	if err != nil {
		return "", err
	}
	t := tree{libraries: r.libraries, files: map[string]build.File{}}
	for _, f := range demo {
		t.files[f.Name] = f
	}
	if err := t.clients(); err != nil {
		return "", err
	}
	return path, build.WriteFile(path, func(w io.Writer) error {
		return build.Write(w, build.Manifest{
			Image: "bottlebar.app/clients:1", Platform: "linux/" + runtime.GOARCH,
			Cmd: []string{"sleep", "2147483647"}, CPUs: 2, MemMiB: 2048, Workdir: "/home/claude",
			Env: []string{"PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"},
		}, build.Layer{Files: t.list()})
	})
}

func (t *tree) clients() error {
	need := func(p, pkg string) error {
		if err := t.take(p, strings.TrimPrefix(p, "/")); err != nil {
			return fmt.Errorf("a program that the guest needs: %w (Debian: apt-get install %s)", err, pkg)
		}
		return nil
	}
	for _, c := range []struct{ path, pkg string }{
		{"/usr/bin/bash", "bash"},
		{"/usr/bin/curl", "curl"},
		{"/usr/bin/git", "git"},
		{"/usr/lib/git-core/git-remote-http", "git"},
		{"/usr/bin/python3", "python3"},
		{"/usr/bin/apt-get", "apt"},
		{"/usr/bin/dpkg", "dpkg"},
		{"/usr/lib/apt", "apt"},
		{"/usr/share/dpkg", "dpkg"},
		{"/usr/bin/node", "nodejs"},
	} {
		if err := need(c.path, c.pkg); err != nil {
			return err
		}
	}
	t.put(build.File{Name: "usr/lib/git-core/git-remote-https", Mode: fs.ModeSymlink | 0o777, Link: "git-remote-http"})
	for _, d := range []string{"apt.conf.d", "preferences.d"} { // apt says so where they are not
		t.put(build.File{Name: "etc/apt/" + d, Mode: fs.ModeDir | 0o755})
	}
	t.put(build.File{Name: "usr/lib/git-core/git", Mode: fs.ModeSymlink | 0o777, Link: "/usr/bin/git"})
	if err := t.pythonLibrary(); err != nil {
		return err
	}
	return t.packageManagers()
}

// pythonLibrary takes the standard library of the python3 that was taken.
func (t *tree) pythonLibrary() error {
	to, err := filepath.EvalSymlinks("/usr/bin/python3")
	if err != nil {
		return err
	}
	return t.take("/usr/lib/"+filepath.Base(to), "usr/lib/"+filepath.Base(to))
}

func (t *tree) packageManagers() error {
	npm, err := exec.LookPath("npm")
	if err == nil {
		npm, err = filepath.EvalSymlinks(npm)
	}
	if err != nil {
		return errors.New("npm is missing (Debian: apt-get install npm)")
	}
	if err := t.take(filepath.Dir(filepath.Dir(npm)), "opt/npm"); err != nil {
		return err
	}
	// Debian's npm has its libraries beside it, for all.
	if _, err := os.Stat("/usr/share/nodejs"); err == nil {
		if err := t.take("/usr/share/nodejs", "usr/share/nodejs"); err != nil {
			return err
		}
	}
	wheels, _ := filepath.Glob("/usr/share/python-wheels/pip-*.whl")
	if len(wheels) == 0 {
		return errors.New("pip is missing (Debian: apt-get install python3-pip-whl)")
	}
	return t.unpack(wheels[0], "opt/pip")
}

// unpack adds what is in a zip file.
func (t *tree) unpack(from, name string) error {
	z, err := zip.OpenReader(from)
	if err != nil {
		return err
	}
	defer z.Close()
	for _, f := range z.File {
		if f.FileInfo().IsDir() || !filepath.IsLocal(f.Name) {
			continue
		}
		r, err := f.Open()
		if err != nil {
			return err
		}
		b, err := io.ReadAll(r)
		_ = r.Close()
		if err != nil {
			return err
		}
		t.put(build.File{Name: name + "/" + f.Name, Mode: 0o644, Data: b})
	}
	return nil
}

// passedOver are folders that only fill the artifact.
var passedOver = map[string]bool{ //nolint:gochecknoglobals // a constant set
	"__pycache__": true, "test": true, "tests": true, "idlelib": true, "lib2to3": true, "ensurepip": true, "tkinter": true,
	"turtledemo": true, "docs": true, "man": true, "solvers": true, "planners": true,
}

// take adds a file, a link or a folder of this computer, with the libraries of
// the programs in it.
func (t *tree) take(from, name string) error {
	return filepath.WalkDir(from, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		at := strings.TrimSuffix(name+strings.TrimPrefix(p, from), "/")
		switch {
		case d.IsDir() && p != from && passedOver[d.Name()]:
			return fs.SkipDir
		case d.IsDir():
			t.put(build.File{Name: at, Mode: fs.ModeDir | 0o755})
			return nil
		case d.Type()&fs.ModeSymlink != 0:
			return t.takeLink(p, at)
		case !d.Type().IsRegular():
			return nil
		}
		return t.takeFile(p, at)
	})
}

func (t *tree) takeLink(p, at string) error {
	to, err := os.Readlink(p)
	if err != nil {
		return err
	}
	t.put(build.File{Name: at, Mode: fs.ModeSymlink | 0o777, Link: to})
	whole, err := filepath.EvalSymlinks(p)
	if err != nil {
		return nil //nolint:nilerr // a link that leads nowhere here does so there
	}
	if fi, err := os.Stat(whole); err != nil || fi.IsDir() || t.has(whole) {
		return err
	}
	return t.takeFile(whole, strings.TrimPrefix(whole, "/"))
}

func (t *tree) has(p string) bool { _, there := t.files[strings.TrimPrefix(p, "/")]; return there }

func (t *tree) takeFile(p, at string) error {
	b, err := os.ReadFile(p)
	if err != nil {
		return err
	}
	fi, err := os.Stat(p)
	if err != nil {
		return err
	}
	t.put(build.File{Name: at, Mode: 0o644 | fi.Mode().Perm()&0o111, Data: b})
	if len(b) > 4 && string(b[:4]) == "\x7fELF" {
		if err := t.link(b); err != nil {
			return fmt.Errorf("the libraries of %s: %w", p, err)
		}
	}
	return nil
}
