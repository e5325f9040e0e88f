package conformance

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bottlebar.app/smolvm"
)

func (s *suite) copy(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	big := bytes.Repeat([]byte("0123456789abcde\n"), 3<<20/16)
	for _, c := range []struct {
		host, guest string
		data        []byte
	}{
		{"plain", "/root/plain", []byte("hello\n")},
		{"empty", "/root/empty", nil},
		{"with space", "/root/with space", []byte("spaced\n")},
		{"a:b", "/root/a:b", []byte("colon\n")},
		{"-rf", "/root/-rf", []byte("option\n")},
		{"big", "/root/new/a/b/big", big},
	} {
		host := filepath.Join(dir, c.host)
		if err := os.WriteFile(host, c.data, 0o640); err != nil {
			t.Fatal(err)
		}
		if err := s.c.Copy(ctx, host, name+":"+c.guest); err != nil {
			t.Errorf("in, %s: %v", c.host, err)
			continue
		}
		back := filepath.Join(dir, "back of "+c.host)
		if err := s.c.Copy(ctx, name+":"+c.guest, back); err != nil {
			t.Errorf("out, %s: %v", c.host, err)
			continue
		}
		if got, err := os.ReadFile(back); err != nil || !bytes.Equal(got, c.data) {
			t.Errorf("%s came back as %d bytes of %d, %v", c.host, len(got), len(c.data), err)
		}
		res, err := s.c.Exec(ctx, name, smolvm.ExecOptions{}, "cat", c.guest)
		if err != nil || !bytes.Equal(res.Stdout, c.data) {
			t.Errorf("%s is %d bytes in the machine, %v", c.host, len(res.Stdout), err)
		}
	}
	// A link on the host stands for its target.
	link := filepath.Join(dir, "link")
	if err := os.Symlink(filepath.Join(dir, "plain"), link); err != nil {
		t.Fatal(err)
	}
	if err := s.c.CopyIn(ctx, name, link, "/root/link", smolvm.CopyOptions{}); err != nil {
		t.Errorf("link: %v", err)
	}
	if res, err := s.c.Exec(ctx, name, smolvm.ExecOptions{}, "cat", "/root/link"); err != nil || string(res.Stdout) != "hello\n" {
		t.Errorf("link: %+v, %v", res, err)
	}
}

func (s *suite) copyFailures(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	host := filepath.Join(dir, "mine")
	if err := os.WriteFile(host, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	var e *smolvm.CommandError
	if err := s.c.CopyOut(ctx, name, "/root/none", host); !errors.As(err, &e) || e.ExitCode != 1 {
		t.Errorf("missing in the machine: %v", err)
	}
	if data, err := os.ReadFile(host); err != nil || string(data) != "mine" {
		t.Errorf("a failed copy cost the file that was there: %q, %v", data, err)
	}
	if err := s.c.CopyIn(ctx, name, dir, "/root/folder", smolvm.CopyOptions{}); err == nil {
		t.Error("a folder passed")
	}
	if err := s.c.CopyIn(ctx, name, host, "/root", smolvm.CopyOptions{}); !errors.As(err, &e) {
		t.Errorf("onto a folder: %v", err)
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 1 {
		t.Errorf("left behind: %v, %v", names, err)
	}
	if err := s.c.Copy(ctx, "", name+":/x"); err != nil {
		t.Errorf("nothing to copy: %v", err)
	}
	if strings.Contains(s.c.Home().Dir, ":") {
		t.Error("the home's path has a colon, which no copy survives")
	}
}
