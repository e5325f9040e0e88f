package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// files are what is dropped on the session: made anew for each show.
type files struct {
	note   string // a file whose name needs quoting
	folder string
	sums   string // of the folder's files, as sha256sum prints them from within
}

// makeFiles makes them below dir.
func makeFiles(dir string) (files, error) {
	f := files{note: filepath.Join(dir, "Meeting notes, über alles #1.md"), folder: filepath.Join(dir, "project")}
	if err := os.MkdirAll(filepath.Join(f.folder, "src", "deep er"), 0o755); err != nil {
		return f, err
	}
	contents := map[string]string{
		f.note:                               "# Notes\n\nThis file was dropped on the window.\n",
		filepath.Join(f.folder, "README.md"): "# Project\n\nA folder that was dropped on the window.\n",
		filepath.Join(f.folder, "src", "deep er", "-rf"):      "a name like an option\n",
		filepath.Join(f.folder, "src", "empty"):               "",
		filepath.Join(f.folder, "assets.bin"):                 noise(24 << 20),
		filepath.Join(f.folder, "src", "main.go"):             "package main\n\nfunc main() {}\n",
		filepath.Join(f.folder, "src", "deep er", "größe.md"): "Umlaute\n",
	}
	for name, text := range contents {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			return f, err
		}
	}
	var err error
	f.sums, err = sumFolder(f.folder)
	return f, err
}

// noise is n bytes that no compression makes smaller, the same each time.
func noise(n int) string {
	var b strings.Builder
	b.Grow(n)
	block := sha256.Sum256([]byte("noise"))
	for b.Len() < n {
		b.Write(block[:])
		block = sha256.Sum256(block[:])
	}
	return b.String()
}

func hashFile(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// sumFolder lists the hashes of a folder's files, in the order of their names.
func sumFolder(dir string) (string, error) {
	var lines []string
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		sum, err := hashFile(name)
		rel, _ := filepath.Rel(dir, name)
		lines = append(lines, sum+"  ./"+rel+"\n")
		return err
	})
	// By the name, which starts after the hash, byte by byte.
	sort.Slice(lines, func(i, j int) bool { return lines[i][66:] < lines[j][66:] })
	return strings.Join(lines, ""), err
}

// sumsInBottle prints the same from inside.
var sumsInBottle = []string{"sh", "-c", `cd project && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum`}

func dropsFile(ctx context.Context, p *play) error {
	var err error
	if p.given, err = makeFiles(filepath.Join(p.dir, "user")); err != nil {
		return err
	}
	want, err := hashFile(p.given.note)
	if err != nil {
		return err
	}
	// The path is typed after this, which makes a command of it.
	if err := p.display.Focus(ctx, p.session); err != nil {
		return err
	}
	if err := p.display.Type(ctx, "!sha256sum < "); err != nil {
		return err
	}
	if err := p.display.Drop(ctx, p.session, middle(p.session), p.given.note); err != nil {
		return err
	}
	name := filepath.Base(p.given.note)
	if err := p.awaitInBottle(ctx, want+"  "+name+"\n", "sha256sum", name); err != nil {
		return err
	}
	// The path appears a moment after the file: the screen comes to rest when it has.
	if err := p.settle(ctx, p.session.Area); err != nil {
		return err
	}
	if err := p.display.Type(ctx, "> sum.txt; cat sum.txt\n"); err != nil {
		return err
	}
	if err := p.awaitInBottle(ctx, want+"  -\n", "cat", "sum.txt"); err != nil {
		return fmt.Errorf("the path at the prompt does not name the file: %w", err)
	}
	return p.picture(ctx, "file-dropped", p.session.Area)
}

func dropsFolder(ctx context.Context, p *play) error {
	if err := p.display.Focus(ctx, p.session); err != nil {
		return err
	}
	if err := p.display.Type(ctx, "!ls -l "); err != nil {
		return err
	}
	if err := p.display.Drop(ctx, p.session, middle(p.session), p.given.folder); err != nil {
		return err
	}
	if err := p.liveliest(ctx, "folder-copying", p.session.Area); err != nil {
		return err
	}
	if err := p.awaitInBottle(ctx, p.given.sums, sumsInBottle...); err != nil {
		return err
	}
	if err := p.settle(ctx, p.session.Area); err != nil {
		return err
	}
	if err := p.display.Type(ctx, "\n"); err != nil {
		return err
	}
	return p.picture(ctx, "folder-dropped", p.session.Area)
}

func copiesOut(ctx context.Context, p *play) error {
	back := filepath.Join(p.dir, "user", "back")
	if err := os.Mkdir(back, 0o755); err != nil {
		return err
	}
	if _, err := p.ask(ctx, "cp", p.bottle.Name+":project", back+"/"); err != nil {
		return err
	}
	got, err := sumFolder(filepath.Join(back, "project"))
	if err != nil {
		return err
	}
	if got != p.given.sums {
		return fmt.Errorf("the folder came back changed:\n%swant\n%s", got, p.given.sums)
	}
	return nil
}

func execs(ctx context.Context, p *play) error {
	release, err := p.ask(ctx, "exec", p.bottle.Name, "--", "cat", "/etc/os-release")
	if err != nil {
		return err
	}
	if !strings.Contains(release, "ID=bottlebar-demo") {
		return fmt.Errorf("/etc/os-release is %q", release)
	}
	r, err := p.cli(ctx, "exec", p.bottle.Name, "--", "sh", "-c", "echo out; echo err >&2; exit 37")
	if err != nil {
		return err
	}
	if r.code != 37 || r.stdout != "out\n" || r.stderr != "err" {
		return fmt.Errorf("a command with exit code 37 came back as %+v", r)
	}
	return nil
}

func proves(ctx context.Context, p *play) error {
	_, err := p.ask(ctx, "prove", p.bottle.Name)
	return err
}
