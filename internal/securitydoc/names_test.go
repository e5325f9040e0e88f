package securitydoc

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	named    = regexp.MustCompile("`(?:([a-z][a-z/]*)\\.)?((?:Test|Fuzz)[A-Z]\\w*)`")
	declared = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Z]\w*)\(`)
)

// tests lists the tests of the module as package.Name, and as Name alone.
func tests(t *testing.T, root string) map[string]bool {
	t.Helper()
	all := make(map[string]bool)
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		dir, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		for _, m := range declared.FindAllStringSubmatch(string(text), -1) {
			all[filepath.ToSlash(dir)+"."+m[1]], all[m[1]] = true, true
			// A package with its parts: sidecar.X may lie in sidecar/control.
			if top, _, ok := strings.Cut(filepath.ToSlash(dir), "/"); ok {
				all[top+"."+m[1]] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestEveryTestThatTheSecurityModelNamesExists(t *testing.T) {
	root := filepath.Join("..", "..")
	text, err := os.ReadFile(filepath.Join(root, "docs", "security.md"))
	if err != nil {
		t.Fatal(err)
	}
	all, count := tests(t, root), 0
	for _, m := range named.FindAllStringSubmatch(string(text), -1) {
		name := m[2]
		if m[1] != "" {
			name = m[1] + "." + name
		}
		if count++; !all[name] {
			t.Errorf("there is no %s", name)
		}
	}
	if count < 60 {
		t.Errorf("the tables name %d tests", count)
	}
}

// A row without a test is a promise that nobody keeps.
func TestEveryRowOfTheThreatTableNamesATest(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "security.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(text), "## How it is tested\n")
	if !ok {
		t.Fatal("there is no table")
	}
	rows := 0
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) != 5 || strings.Contains(cells[1], "**") || strings.Contains(cells[1], "---") || strings.Contains(cells[1], "What is tried") {
			continue
		}
		if rows++; !named.MatchString(cells[3]) {
			t.Errorf("no test for:%s", cells[1])
		}
	}
	if rows < 30 {
		t.Errorf("%d rows", rows)
	}
}
