package smolvm

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var packCreate = []string{"pack", "create"}

func TestPackMakesTheArtifactAlone(t *testing.T) {
	dir := t.TempDir()
	c, calls := scripted(t, "1.9.3", reply{
		Args: packCreate, Make: "$5.smolmachine",
		Stdout: "Starting agent VM...\nPacking…\n",
		Stderr: "\rPulling 1%\rPulling 50%\rPulling 50%\r\u280b Assembling\x1b[K\r\u2819 Assembling\x1b[K\nlast",
	})
	template := filepath.Join(dir, "template.ext4")
	if err := os.WriteFile(template, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c.in.StorageTemplate = template
	var said []string
	o := PackOptions{Image: "alpine:3", Output: filepath.Join(dir, "x.smolmachine"), StagingDir: dir, ConfigFile: "/p/config.toml"}
	if err := c.Pack(t.Context(), o, func(l string) { said = append(said, l) }); err != nil {
		t.Fatal(err)
	}
	got := calls()[0]
	if want := "pack create --image alpine:3 -o " + filepath.Join(dir, "x") + " --staging-dir " + dir; strings.Join(got.Args, " ") != want {
		t.Errorf("%q", got.Args)
	}
	if !slices.Contains(got.Env, "SMOLVM_CONFIG=/p/config.toml") {
		t.Errorf("%q", got.Env)
	}
	if to, err := os.Readlink(filepath.Join(c.home.Dir, ".smolvm/storage-template.ext4")); err != nil || to != template {
		t.Errorf("%s, %v", to, err)
	}
	for _, want := range []string{"Starting agent VM...", "Packing…", "Pulling 1%", "Pulling 50%", "Assembling", "last"} {
		if n := len(slices.DeleteFunc(slices.Clone(said), func(s string) bool { return s != want })); n != 1 {
			t.Errorf("%q was said %d times in %q", want, n, said)
		}
	}
	if _, err := os.Stat(o.Artifact()); err != nil {
		t.Error(err)
	}
}

func TestPackLeavesNothingAfterAFailure(t *testing.T) {
	for name, r := range map[string]reply{
		"fails":       {Exit: 1, Stderr: "Error: agent operation failed: pull image: No space left on device (os error 28)\n", Make: "$5.smolmachine"},
		"no artifact": {Make: "$5"},
	} {
		dir := t.TempDir()
		r.Args = packCreate
		c, _ := scripted(t, "1.9.3", r)
		if err := c.Pack(t.Context(), PackOptions{Image: "a", Output: filepath.Join(dir, "x")}, nil); err == nil || (name == "fails") != errors.Is(err, ErrNoSpace) {
			t.Errorf("%s: %v", name, err)
		}
		if names, _ := os.ReadDir(dir); len(names) != 0 {
			t.Errorf("%s left %v", name, names)
		}
	}
}

func TestPackOverwritesNothing(t *testing.T) {
	for _, name := range []string{"x", "x.smolmachine"} {
		dir := t.TempDir()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
		c, calls := scripted(t, "1.9.3")
		if err := c.Pack(t.Context(), PackOptions{Image: "a", Output: filepath.Join(dir, "x")}, nil); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s: %v", name, err)
		}
		if data, err := os.ReadFile(path); err != nil || string(data) != "mine" || len(calls()) != 0 {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
}

func TestPackRefusesWhatIsNoReference(t *testing.T) {
	c, calls := scripted(t, "1.9.3")
	for _, image := range []string{"", "--single-file", "a b", "a\n", "ü"} {
		if err := c.Pack(t.Context(), PackOptions{Image: image, Output: filepath.Join(t.TempDir(), "x")}, nil); err == nil {
			t.Errorf("%q passed", image)
		}
	}
	if err := c.Pack(t.Context(), PackOptions{Image: "a", Output: ".smolmachine"}, nil); err == nil {
		t.Error("an artifact without a name passed")
	}
	if len(calls()) != 0 {
		t.Error("something ran")
	}
}
