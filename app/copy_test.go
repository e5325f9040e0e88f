package app_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"bottlebar.app/control"
	"bottlebar.app/internal/fault"
)

func TestACopyThatCannotBeMadeSaysWhatAndWhyAndLeavesNothing(t *testing.T) {
	t.Parallel()
	h, b := ready(t, "")
	src, out := t.TempDir(), t.TempDir()
	fifo, file := filepath.Join(src, "fifo"), filepath.Join(src, "file")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	h.run(b.Name, "mkdir", "-p", "there")
	into := func(host, guest string) control.CopyRequest {
		return control.CopyRequest{In: true, Host: []string{host}, Guest: guest}
	}
	from := func(guest, host string) control.CopyRequest {
		return control.CopyRequest{Host: []string{host}, Guest: guest}
	}
	for name, c := range map[string]struct {
		req  control.CopyRequest
		why  string
		cure string
	}{
		"a pipe":                             {into(fifo, ""), "neither a file nor a folder", "choose a file"},
		"a device":                           {into("/dev/zero", ""), "neither a file nor a folder", "choose a file"},
		"nothing":                            {into(filepath.Join(src, "gone"), ""), "no such file", "still there"},
		"a missing folder":                   {into(file, "nowhere/x"), "is not there", "ls -la"},
		"a folder of root's":                 {into(file, "/root/x"), "permission denied", "ls -la"},
		"out of nothing":                     {from("gone", out), "not there", "ls -la"},
		"out of a device":                    {from("/dev/zero", out), "device", "ls -la"},
		"out of all":                         {from("/", out), "whole machine", "name a folder"},
		"out to nowhere":                     {from("there", filepath.Join(out, "no", "x")), "no folder", "make the folder"},
		"out to what is no folder for files": {from("there", "/proc/x"), "no such file", "can be written"},
	} {
		_, err := h.app.Copy(t.Context(), b.Name, c.req, nil)
		f := fault.Of(err)
		if f == nil || !strings.HasPrefix(f.What, "copying") || !strings.Contains(f.Why, c.why) || !strings.Contains(f.Cure, c.cure) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if left, _ := os.ReadDir(out); len(left) > 0 {
		t.Errorf("left on this computer: %v", left)
	}
	if got := h.run(b.Name, "ls", "-A"); got != "README.md\nthere\n" {
		t.Errorf("the session's folder holds %q", got)
	}
}

func TestARepositoryComesOutWithoutWhatRunsInIt(t *testing.T) {
	t.Parallel()
	h, b := ready(t, "")
	h.run(b.Name, "sh", "-c", "mkdir -p repo/.git/hooks repo/src && echo 1 > repo/src/a && echo 2 > repo/.git/hooks/pre-commit && echo 3 > repo/._a")
	out := t.TempDir()
	reply, err := h.app.Copy(t.Context(), b.Name, control.CopyRequest{Guest: "repo", Host: []string{out}}, nil)
	if err != nil || len(reply.Paths) != 1 || reply.Files != 1 {
		t.Fatalf("%+v, %v", reply, err)
	}
	var left []string
	for _, s := range reply.Skipped {
		left = append(left, s.What)
	}
	slices.Sort(left)
	if !slices.Equal(left, []string{"left out repo/._a", "left out repo/.git"}) {
		t.Errorf("left out: %q", left)
	}
	if _, err := os.Stat(filepath.Join(out, "repo", "src", "a")); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(out, "repo", ".git")); err == nil {
		t.Error("the repository's own folder came out")
	}
}
