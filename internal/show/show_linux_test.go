package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestPicturesOfOneShowAreTold(t *testing.T) {
	for name, want := range map[string]string{
		"01-menu@1x.png":        "@1x",
		"01-menu-dark@2x.png":   "-dark@2x",
		"app-dark@1x.log":       "-dark@1x",
		"02-darkness@2x.png":    "@2x",
		"README.md":             "",
		"03-folder-dark-a@1x.x": "@1x.x",
	} {
		if got := kindOf(name); got != want {
			t.Errorf("kindOf(%q) = %q, want %q", name, got, want)
		}
	}
	if got := (options{theme: "dark", scale: 2}).suffix(); got != "-dark@2x" {
		t.Errorf("suffix %q", got)
	}
}

func TestSumsAreThoseOfSha256sum(t *testing.T) {
	f, err := makeFiles(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), sumsInBottle[0], sumsInBottle[1:]...)
	cmd.Dir = filepath.Dir(f.folder)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if string(out) != f.sums {
		t.Errorf("sha256sum says\n%swe say\n%s", out, f.sums)
	}
	if strings.Count(f.sums, "\n") < 5 || !strings.Contains(f.sums, "./src/deep er/-rf") {
		t.Errorf("the folder lacks files:\n%s", f.sums)
	}
}

func TestAProcessOfTheShowIsSeenUntilItIsGone(t *testing.T) {
	s := &stage{dir: t.TempDir()}
	home := filepath.Join(s.dir, "home", "b", "abcdefgh")
	if err := os.MkdirAll(home, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "cat")
	cmd.Env = []string{"HOME=" + home}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// Its environment is there once the program itself is.
	err = until(t.Context(), "the process is seen", func() (bool, error) {
		found, err := s.processes("abcdefgh")
		return len(found) == 1, err
	})
	if err != nil {
		t.Fatal(err)
	}
	in.Close()
	_ = cmd.Wait()
	if found, err := s.processes("abcdefgh"); err != nil || len(found) != 0 {
		t.Errorf("still seen: %v, %v", found, err)
	}
}

func TestTheJournalOfABottleIsFoundByItsID(t *testing.T) {
	home := t.TempDir()
	for name, text := range map[string]string{
		"state/journal/abcdefgh.json": `{"undo":[{"data":{"id":"sidecar1"}}]}`,
		"state/journal/zzzzzzzz.json": `{"undo":[{"data":{"id":"sidecar2"}}]}`,
		"b/abcdefgh/abcdefgh.json":    `{"not":"the journal"}`,
	} {
		name = filepath.Join(home, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text, err := journalText(home, "abcdefgh")
	if err != nil || !strings.Contains(text, "sidecar1") || strings.Contains(text, "sidecar2") || strings.Contains(text, "not") {
		t.Errorf("journal %q, %v", text, err)
	}
}

func TestWaitingSaysWhatItWaitedFor(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*pause)
	defer cancel()
	err := until(ctx, "the moon rises", func() (bool, error) { return false, os.ErrClosed })
	if err == nil || !strings.Contains(err.Error(), "the moon rises") || !strings.Contains(err.Error(), os.ErrClosed.Error()) {
		t.Errorf("waiting said %v", err)
	}
}
