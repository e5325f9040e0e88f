package policy

import (
	"strings"
	"testing"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestAnEditLeavesEverythingElse(t *testing.T) {
	x, err := newEdit("p", []byte(sample))
	must(t, err)
	n, err := x.remove(tableAllow, func(f found) bool { return f.Host.Name == "mirror.example" })
	must(t, err)
	if n != 1 {
		t.Errorf("%d were removed", n)
	}
	must(t, x.setNames("presets", []string{"go"}))
	must(t, x.add(tableBlock, `host = "new.example"`))
	want := strings.Replace(sample, "[[allow]]\nhost = \"mirror.example\"\nport = 80\nmethods = [\"get\", \"HEAD\"]\n\n", "", 1)
	want = strings.Replace(want, `presets = ["node", "Git hosts"]`, `presets = ["go"]`, 1) + "\n[[block]]\nhost = \"new.example\"\n"
	if got := string(x.doc.text); got != want {
		t.Errorf("edited to\n%s\nwant\n%s", got, want)
	}
}

func TestEditsOfOddFiles(t *testing.T) {
	names := func(key string, names ...string) func(*edit) error {
		return func(x *edit) error { return x.setNames(key, names) }
	}
	remove := func(host string) func(*edit) error {
		return func(x *edit) error {
			_, err := x.remove(tableAllow, func(f found) bool { return f.Host.Name == host })
			return err
		}
	}
	for name, c := range map[string]struct {
		text string
		edit func(*edit) error
		want string
	}{
		"into nothing":           {"", names("presets", "go"), "presets = [\"go\"]\n"},
		"without a last newline": {"# mine", names("presets", "go"), "# mine\npresets = [\"go\"]\n"},
		"above the first table and its comment": {
			"# mine\n\n# why\n[[block]]\nhost = \"a.example\"\n", names("presets", "go"),
			"# mine\n\npresets = [\"go\"]\n# why\n[[block]]\nhost = \"a.example\"\n",
		},
		"below other keys": {"a = 1 # x\n\n[[block]]\nhost = \"a.example\"\n", names("without", "go"), "a = 1 # x\nwithout = [\"go\"]\n\n[[block]]\nhost = \"a.example\"\n"},
		"a list over several lines": {
			"presets = [ # first\n  \"node\", # one\n] # last\n", names("presets"), "presets = [] # last\n",
		},
		"a table in text is none": {
			"[[block]]\nhost = \"b.example\"\nnote = '''\n[[allow]]\nhost = \"a.example\"\n'''\n", remove("a.example"),
			"[[block]]\nhost = \"b.example\"\nnote = '''\n[[allow]]\nhost = \"a.example\"\n'''\n",
		},
		"quoted and spaced headers": {"[[ \"allow\" ]] # x\n host = 'A.example' # y\n# after\n", remove("a.example"), "# after\n"},
		"the last, without newline": {"# top\n\n[[allow]]\nhost = \"a.example\"", remove("a.example"), "# top\n\n"},
		"lines that end as on Windows": {
			"# top\r\n\r\n[[allow]]\r\nhost = \"a.example\"\r\n\r\n[[block]]\r\nhost = \"b.example\"\r\n", remove("a.example"),
			"# top\r\n\r\n\r\n[[block]]\r\nhost = \"b.example\"\r\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			x, err := newEdit("p", []byte(c.text))
			must(t, err)
			must(t, c.edit(x))
			if got := string(x.doc.text); got != c.want {
				t.Errorf("edited to %q, want %q", got, c.want)
			}
		})
	}
}

// editKeeps adds a rule to a good file and takes it out again.
func editKeeps(t *testing.T, text string) {
	t.Helper()
	before, err := Parse("p", []byte(text))
	must(t, err)
	x, err := newEdit("p", []byte(text))
	must(t, err)
	is := func(f found) bool { return f.Host.Name == "added-by-a-test.example" }
	if n, err := x.remove(tableAllow, is); n > 0 || err != nil {
		return
	}
	must(t, x.add(tableAllow, `host = "added-by-a-test.example"`))
	with, err := Parse("p", x.doc.text)
	if err != nil {
		if strings.Contains(err.Error(), "at most") {
			return
		}
		t.Fatalf("%q with a rule more: %v", text, err)
	}
	if len(with.Allow) != len(before.Allow)+1 {
		t.Errorf("%q: %d rules became %d", text, len(before.Allow), len(with.Allow))
	}
	if n, err := x.remove(tableAllow, is); n != 1 || err != nil {
		t.Errorf("%q: %d were taken out, %v", text, n, err)
	}
	if got := string(x.doc.text); !strings.HasPrefix(strings.TrimRight(got, "\n"), strings.TrimRight(text, "\n")) {
		t.Errorf("%q became %q", text, got)
	}
}
