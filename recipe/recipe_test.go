package recipe

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bottlebar.app/internal/fault"
)

// write lays a recipe's folder down and returns the folder of recipes.
func write(t *testing.T, name string, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for file, text := range files {
		path := filepath.Join(dir, name, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestTheShippedRecipeIsSound(t *testing.T) {
	r, err := Load("", Default)
	if err != nil {
		t.Fatal(err)
	}
	if r.Own || len(r.Hash) != 64 || r.Title == "" || r.Session.User != "claude" {
		t.Errorf("%+v", r)
	}
	d := string(r.file(Dockerfile))
	for _, want := range []string{"ARG BASE=", "FROM ${BASE}", "git", "ripgrep", "@anthropic-ai/claude-code@${CLAUDE_VERSION}", "USER claude", "CLAUDE_CONFIG_DIR=", "COPY " + HelperName} {
		if !strings.Contains(d, want) {
			t.Errorf("its Dockerfile lacks %q", want)
		}
	}
}

func TestAPersonsRecipeTakesTheShippedOnesPlace(t *testing.T) {
	dir := write(t, Default, map[string]string{"Dockerfile": "FROM x\n"})
	list, err := List(dir)
	if err != nil || len(list) != 1 || !list[0].Own || list[0].Err != nil {
		t.Errorf("%+v %v", list, err)
	}
	if list, err = List(filepath.Join(dir, "none")); err != nil || len(list) != 1 || list[0].Own {
		t.Errorf("without a folder: %+v %v", list, err)
	}
}

func TestTheHashFollowsEveryByteAndName(t *testing.T) {
	seen := map[string]string{}
	for what, files := range map[string]map[string]string{
		"plain":         {"Dockerfile": "FROM x\n"},
		"other text":    {"Dockerfile": "FROM y\n"},
		"another file":  {"Dockerfile": "FROM x\n", "a": "1"},
		"another name":  {"Dockerfile": "FROM x\n", "b": "1"},
		"other content": {"Dockerfile": "FROM x\n", "a": "2"},
		"a setting":     {"Dockerfile": "FROM x\n", "recipe.toml": "base = \"x\"\n"},
	} {
		r, err := Load(write(t, "r", files), "r")
		if err != nil {
			t.Fatal(err)
		}
		if seen[r.Hash] != "" {
			t.Errorf("%s and %s hash alike", what, seen[r.Hash])
		}
		seen[r.Hash] = what
	}
}

func TestWhatIsNoRecipeSaysWhy(t *testing.T) {
	for why, files := range map[string]map[string]string{
		"it has no Dockerfile":               {"readme": ""},
		"it has no FROM":                     {"Dockerfile": "# FROM x\nRUN true\n"},
		"escape character":                   {"Dockerfile": "# escape=`\nFROM x\n"},
		"line 2: there is no setting sesion": {"Dockerfile": "FROM x\n", "recipe.toml": "title = \"a\"\nsesion = 1\n"},
		"line 1: ":                           {"Dockerfile": "FROM x\n", "recipe.toml": "title = \n"},
		"looks like a secret":                {"Dockerfile": "FROM x\n", "recipe.toml": "[args]\nGITHUB_TOKEN = \"x\"\n"},
		"is not a name for one":              {"Dockerfile": "FROM x\n", "recipe.toml": "[args]\n\"a b\" = \"x\"\n"},
		"the base is among the arguments":    {"Dockerfile": "FROM x\n", "recipe.toml": "[args]\nBASE = \"x\"\n"},
		"the title is not one line":          {"Dockerfile": "FROM x\n", "recipe.toml": "title = \"a\\nb\"\n"},
		"bottlebar-helper is put there":      {"Dockerfile": "FROM x\n", "bottlebar-helper": ""},
		"a file has a control character":     {"Dockerfile": "FROM x\n", "a\nb": ""},
	} {
		_, err := Load(write(t, "r", files), "r")
		if err == nil || !strings.Contains(err.Error(), why) || fault.Of(err).Cure == "" {
			t.Errorf("%s: %v", why, err)
		}
	}
	for _, name := range []string{"", ".", "..", "../r", "a/b", "A", "a--b", "-a", "a b", "ü", strings.Repeat("a", 64), "a\x00"} {
		if _, err := Load(write(t, "r", map[string]string{"Dockerfile": "FROM x\n"}), name); err == nil || fault.Of(err).Cure == "" {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestARecipeLeadsNowhereElse(t *testing.T) {
	dir := write(t, "r", map[string]string{"Dockerfile": "FROM x\n"})
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("s"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "r", "link")
	if err := os.Symlink(secret, link); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir, "r"); err == nil || !strings.Contains(err.Error(), "is a link or a device") {
		t.Errorf("a link inside: %v", err)
	}
	if err := os.Symlink(filepath.Join(dir, "r"), filepath.Join(dir, "other")); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir, "other"); err == nil || !strings.Contains(err.Error(), "is not a folder") {
		t.Errorf("a link as the folder: %v", err)
	}
}

func TestEveryStageCarriesTheLabels(t *testing.T) {
	const label = `LABEL bottlebar.recipe="1" "k"="v \"q\""` + "\n"
	for in, want := range map[string]string{
		"FROM a\nRUN x\n": "FROM a\n" + label + "RUN x\n",
		"FROM a":          "FROM a\n" + label,
		"ARG B\nfrom $B as one\nFROM \\\n  c\nRUN y": "ARG B\nfrom $B as one\n" + label + "FROM \\\n  c\n" + label + "RUN y",
		"FROM a\nRUN echo \\\n# FROM z\nFROM b\n":    "FROM a\n" + label + "RUN echo \\\n# FROM z\nFROM b\n",
		"#FROM x\nRUN FROM\n":                        "#FROM x\nRUN FROM\n",
		"FROM a \\\n\n  AS x\nRUN y\n":               "FROM a \\\n\n  AS x\n" + label + "RUN y\n",
	} {
		if got := string(labelled([]byte(in), map[string]string{"k": `v "q"`})); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func TestTheContextHoldsTheRecipeAndTheHelper(t *testing.T) {
	dir := write(t, "r", map[string]string{"Dockerfile": "FROM x\n", "bin/tool": "#!/bin/sh\n", ".dockerignore": "*\n"})
	if err := os.Chmod(filepath.Join(dir, "r/bin/tool"), 0o755); err != nil {
		t.Fatal(err)
	}
	r, err := Load(dir, "r")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := r.Context(&b, []byte("helper"), map[string]string{"a": "b"}); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for tr := tar.NewReader(&b); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		got[h.Name] = h.FileInfo().Mode().String() + " " + string(text)
	}
	for name, want := range map[string]string{
		"Dockerfile": "-rw-r--r-- FROM x\nLABEL bottlebar.recipe=\"1\" \"a\"=\"b\"\n", "bin/tool": "-rwxr-xr-x #!/bin/sh\n", HelperName: "-rwxr-xr-x helper",
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
	if len(got) != 3 {
		t.Errorf("%d files: %v", len(got), got)
	}
}

func TestWhatIsGivenWinsOverTheRecipe(t *testing.T) {
	r := Recipe{Config: Config{Base: "debian:13", Args: map[string]string{"A": "1", "B": "1"}}}
	got, err := r.BuildArgs("", map[string]string{"B": "2"})
	if err != nil || got["A"] != "1" || got["B"] != "2" || got[BaseArg] != "debian:13" {
		t.Errorf("%v %v", got, err)
	}
	if got, err = r.BuildArgs("debian:14", nil); err != nil || got[BaseArg] != "debian:14" || r.Args["B"] != "1" {
		t.Errorf("%v %v", got, err)
	}
	if _, err := r.BuildArgs("", map[string]string{"MY_SECRET": "x"}); err == nil {
		t.Error("a secret passed")
	}
}

// No recipe.toml makes the parser fail otherwise than in words.
func FuzzConfig(f *testing.F) {
	for _, s := range []string{"", "title = \"x\"\n[args]\nA = \"1\"\n", "[session]\ncommand = [\"a\"]\ncpus = 3\n", "x", "[args]\nTOKEN=\"\"", "title=1"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := parseConfig(b)
		if err != nil {
			if fault.Of(err).Why == "" || strings.ContainsAny(err.Error(), "\n\x00\x1b") {
				t.Fatalf("%q: %q", b, err)
			}
			return
		}
		for k, v := range c.Args {
			if CheckArg(k, v) != nil {
				t.Fatalf("%q let the argument %q pass", b, k)
			}
		}
	})
}

// Labels change nothing but what they add.
func FuzzLabelled(f *testing.F) {
	for _, s := range []string{"FROM a\nRUN b\n", "FROM a \\\n AS b\n", "# c\nFROM x", "RUN \\\nFROM"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		out := labelled(b, nil)
		rest := strings.ReplaceAll(string(out), "LABEL bottlebar.recipe=\"1\"\n", "")
		if strings.Contains(string(b), "bottlebar.recipe") {
			return
		}
		if rest != string(b) && rest != string(b)+"\n" {
			t.Fatalf("%q became %q", b, out)
		}
	})
}
