package recipe

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"bottlebar.app/internal/fault"
)

// The names in a recipe's folder.
const (
	Dockerfile = "Dockerfile"
	configName = "recipe.toml"
	// HelperName is where the build's context has the guest helper. A recipe
	// puts it to HelperPlace, from where a launch need not bring it.
	HelperName = "bottlebar-helper"
)

// Default is the recipe that ships with the app.
const Default = "claude"

//go:embed claude
var shipped embed.FS

// Recipe is one recipe, read and found good.
type Recipe struct {
	Name  string
	Own   bool   // a person's, not the app's
	Dir   string // the folder of a person's
	Hash  string // SHA-256 of all that it consists of, hex
	files []file // by name
	Config
}

// file is one file of a recipe.
type file struct {
	name string // with slashes
	exec bool
	data []byte
}

// Bounds of a recipe: it is a description, not a place for data.
const (
	maxFiles = 256
	maxBytes = 32 << 20
	maxOwn   = 100
)

// reName is a DNS label, as artifacts are called.
var reName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

func legalName(s string) bool { return reName.MatchString(s) && !strings.Contains(s, "--") }

// Listed is a recipe, or why it is none.
type Listed struct {
	Recipe
	Err error
}

// List returns the shipped recipe and those in a person's folder, by name; one
// of the same name as the shipped takes its place. A folder that is not there
// is empty.
func List(folder string) ([]Listed, error) {
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Wrap(err, "listing the recipes", "look whether the folder can be read")
	}
	var out []Listed
	own := false
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") || len(out) >= maxOwn {
			continue
		}
		r, err := Load(folder, e.Name())
		if err != nil {
			r = Recipe{Name: printable(e.Name()), Own: true, Dir: filepath.Join(folder, e.Name())}
		}
		own = own || e.Name() == Default
		out = append(out, Listed{Recipe: r, Err: err})
	}
	if !own {
		r, err := Load("", Default)
		out = append(out, Listed{Recipe: r, Err: err})
	}
	slices.SortFunc(out, func(a, b Listed) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// Load reads one recipe: a person's, else the shipped one of that name.
func Load(folder, name string) (Recipe, error) {
	what := "reading the recipe " + printable(name)
	if !legalName(name) {
		return Recipe{}, fault.New(what, "that is not a recipe's name", "use small letters, digits and single hyphens, as in claude-python")
	}
	r := Recipe{Name: name, Own: true, Dir: filepath.Join(folder, name)}
	info, err := os.Lstat(r.Dir)
	switch {
	case folder == "" || errors.Is(err, fs.ErrNotExist):
		if name != Default {
			return Recipe{}, fault.New(what, "there is none of that name", "list them with bottlebar library recipes")
		}
		r.Own, r.Dir = false, ""
		sub, err := fs.Sub(shipped, name)
		if err != nil {
			return Recipe{}, err
		}
		return r, r.read(sub, what)
	case err != nil:
		return Recipe{}, fault.Wrap(err, what, "look whether it can be read")
	case !info.IsDir():
		return Recipe{}, fault.New(what, "it is not a folder", "make a folder of that name with a Dockerfile in it")
	}
	root, err := os.OpenRoot(r.Dir)
	if err != nil {
		return Recipe{}, fault.Wrap(err, what, "look whether it can be read")
	}
	defer root.Close()
	return r, r.read(root.FS(), what)
}

// read takes a recipe's files in and judges them.
func (r *Recipe) read(from fs.FS, what string) error {
	total := int64(0)
	err := fs.WalkDir(from, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fault.Wrap(err, what, "look whether it can be read")
		case d.IsDir():
			return nil
		case !d.Type().IsRegular():
			return fault.New(what, printable(name)+" is a link or a device", "put a plain file there")
		case path.Base(name) == HelperName:
			return fault.New(what, "a file "+HelperName+" is put there by Bottlebar", "give yours another name")
		case strings.ContainsFunc(name, func(c rune) bool { return c < ' ' || c == 0x7f }):
			return fault.New(what, "a file has a control character in its name", "rename it")
		}
		f, err := readFile(from, name, maxBytes-total)
		if err != nil {
			return fault.Wrap(err, what, "keep a recipe below 32 MB; fetch what is larger in the Dockerfile")
		}
		if total += int64(len(f.data)); len(r.files) >= maxFiles {
			return fault.New(what, fmt.Sprintf("it has more than %d files", maxFiles), "fetch what it needs in the Dockerfile")
		}
		r.files = append(r.files, f)
		return nil
	})
	if err != nil {
		return err
	}
	if r.file(Dockerfile) == nil {
		return fault.New(what, "it has no Dockerfile", "put one into the folder")
	}
	if r.Config, err = parseConfig(r.file(configName)); err != nil {
		return fault.Wrap(err, what, "")
	}
	if err := checkDockerfile(r.file(Dockerfile)); err != nil {
		return fault.Wrap(err, what, "")
	}
	r.Hash = r.hash()
	return nil
}

func readFile(from fs.FS, name string, limit int64) (file, error) {
	in, err := from.Open(name)
	if err != nil {
		return file{}, err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return file{}, err
	}
	b, err := io.ReadAll(io.LimitReader(in, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = errors.New("it is too large")
	}
	return file{name: name, exec: info.Mode()&0o111 != 0, data: b}, err
}

func (r *Recipe) file(name string) []byte {
	for _, f := range r.files {
		if f.name == name {
			return f.data
		}
	}
	return nil
}

// hash covers every name and every byte.
func (r *Recipe) hash() string {
	h := sha256.New()
	for _, f := range r.files {
		fmt.Fprintf(h, "%q %v %d\n", f.name, f.exec, len(f.data))
		_, _ = io.Copy(h, bytes.NewReader(f.data))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// printable is a name for one line of output.
func printable(s string) string {
	s = strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return '?'
		}
		return c
	}, s)
	return s[:min(len(s), 80)]
}
