package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// module writes a module of these files, name to content, and returns its folder.
func module(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	files["go.mod"] = "module example.test/m\n\ngo 1.26.0\n"
	for name, text := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFindsWhatOnlyAMacWouldCompile(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		want  string // part of the finding; empty: there is none
	}{
		{"sound", map[string]string{
			"a.go":        "package m\n\nfunc F() int { return g() }\n",
			"a_darwin.go": "package m\n\nfunc g() int { return 1 }\n",
			"a_linux.go":  "package m\n\nfunc g() int { return 2 }\n",
		}, ""},
		{"missing twin", map[string]string{
			"a.go":       "package m\n\nfunc F() int { return g() }\n",
			"a_linux.go": "package m\n\nfunc g() int { return 2 }\n",
		}, "undefined: g"},
		{"wrong type in the darwin file", map[string]string{
			"a_darwin.go": "package m\n\nfunc g() int { return \"one\" }\n",
		}, "cannot use"},
		{"wrong type in a darwin test", map[string]string{
			"a.go":             "package m\n",
			"a_darwin_test.go": "package m\n\nimport \"testing\"\n\nfunc TestA(t *testing.T) { t.Nonsense() }\n",
		}, "Nonsense"},
		{"an external test sees what the inner one adds", map[string]string{
			"a.go":         "package m\n\nfunc g() int { return 1 }\n",
			"in_test.go":   "package m\n\nfunc G() int { return g() }\n",
			"out_test.go":  "package m_test\n\nimport (\n\t\"testing\"\n\n\t\"example.test/m\"\n)\n\nfunc TestG(t *testing.T) { _ = m.G() }\n",
			"b/b.go":       "package b\n\nimport \"example.test/m\"\n\nvar _ = m.X\n",
			"x_darwin.go":  "package m\n\nconst X = 1\n",
			"x_windows.go": "package m\n\nconst X = nonsense\n",
		}, ""},
		{"cgo is taken on trust, the Go around it is not", map[string]string{
			"a_darwin.go": "package m\n\n// #include <nothing.h>\nimport \"C\"\n\nfunc F() int { C.anything(); return \"\" }\n",
		}, "cannot use"},
		{"syntax", map[string]string{"a_darwin.go": "package m\n\nfunc {\n"}, "expected"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			ok, err := run(t.Context(), &out, module(t, c.files), "arm64", []string{"./..."})
			if err != nil {
				t.Fatal(err)
			}
			if ok != (c.want == "") {
				t.Errorf("ok = %v\n%s", ok, out.String())
			}
			if !strings.Contains(out.String(), c.want) {
				t.Errorf("no %q in\n%s", c.want, out.String())
			}
		})
	}
}

func TestCallsAFolderWithoutAModuleAnError(t *testing.T) {
	if _, err := run(t.Context(), &bytes.Buffer{}, t.TempDir(), "arm64", []string{"./..."}); err == nil {
		t.Error("an empty folder passed as checked")
	}
}
