package guest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"bottlebar.app/hop"
	"bottlebar.app/hop/transfer"
	"bottlebar.app/internal/frame"
)

// put sends one path of this machine.
func (p *pair) put(r hop.SendRequest, paths ...string) (hop.SendReply, error) {
	pr, pw := io.Pipe()
	go func() {
		var sources []transfer.Source
		for _, path := range paths {
			sources = append(sources, transfer.Source{Path: path})
		}
		_, err := transfer.Pack(p.ctx, pw, sources, nil)
		pw.CloseWithError(err)
	}()
	defer func() { _ = pr.Close() }()
	return p.session.Send(p.ctx, r, pr)
}

// openDir is a folder that every user of the test may use.
func openDir(t *testing.T) string {
	dir := shortDir(t)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

func owner(t *testing.T, path string) uint32 {
	t.Helper()
	fi, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return fi.Sys().(*syscall.Stat_t).Uid
}

func TestFilesGoInAsTheUserAndComeBackUnchanged(t *testing.T) {
	p := newPair(t)
	src, dst, back := t.TempDir(), openDir(t), t.TempDir()
	names := []string{"-rf", "a:b", "line\nbreak", strings.Repeat("z", 255), "日本"}
	for i, n := range names {
		if err := os.WriteFile(filepath.Join(src, n), []byte(strings.Repeat(fmt.Sprint(i), 1000*i)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(src, "large"), bytes.Repeat([]byte("large"), 1<<19), 0o755); err != nil {
		t.Fatal(err)
	}
	reply, err := p.put(hop.SendRequest{Dest: dst, Place: hop.PlaceInto, User: "nobody"}, src, src)
	if err != nil {
		t.Fatal(err)
	}
	first := filepath.Join(dst, filepath.Base(src))
	if len(reply.Paths) != 2 || reply.Paths[0] != first || reply.Paths[1] != first+"-2" || reply.Files != 12 {
		t.Errorf("%+v", reply)
	}
	if owner(t, filepath.Join(first, "-rf")) != 65534 {
		t.Error("the files are not the user's")
	}
	d, err := p.session.Receive(p.ctx, hop.ReceiveRequest{Paths: []string{first}, User: "nobody"})
	if err != nil {
		t.Fatal(err)
	}
	report, err := transfer.Unpack(p.ctx, d, back, transfer.HostOptions(true))
	if err != nil || report.Files != 6 {
		t.Fatalf("%+v %v", report, err)
	}
	for _, n := range append(names, "large") {
		a, err1 := os.ReadFile(filepath.Join(src, n))
		b, err2 := os.ReadFile(filepath.Join(back, filepath.Base(src), n))
		if err1 != nil || err2 != nil || !bytes.Equal(a, b) {
			t.Errorf("%q came back otherwise: %v %v", n, err1, err2)
		}
	}
}

func TestCopyingNamesTheTargetAsCpDoes(t *testing.T) {
	p := newPair(t)
	src, dst := t.TempDir(), openDir(t)
	f := filepath.Join(src, "f")
	if err := os.WriteFile(f, []byte("new"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dst, "d"), 0o777); err != nil {
		t.Fatal(err)
	}
	for dest, want := range map[string]string{"d": "d/f", "d/": "d/f", "g": "g"} {
		reply, err := p.put(hop.SendRequest{Dest: dst + "/" + dest, Place: hop.PlaceAuto, Exists: transfer.ExistsReplace}, f)
		if err != nil || len(reply.Paths) != 1 || reply.Paths[0] != filepath.Join(dst, want) {
			t.Errorf("to %s: %+v %v", dest, reply, err)
		}
	}
	for _, dest := range []string{"none/", "none/x"} {
		_, err := p.put(hop.SendRequest{Dest: dst + "/" + dest, Place: hop.PlaceAuto}, f)
		var re *hop.RemoteError
		if !errors.As(err, &re) || re.Code != hop.CodeNoFolder {
			t.Errorf("to %s: %v", dest, err)
		}
	}
}

func TestFilesThatCannotBeWrittenAreNamed(t *testing.T) {
	p := newPair(t)
	dst := shortDir(t) // root's alone
	f := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(f, make([]byte, 1<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := p.put(hop.SendRequest{Dest: dst, Place: hop.PlaceInto, User: "nobody"}, f)
	var re *hop.RemoteError
	if !errors.As(err, &re) || re.Code != hop.CodeDenied {
		t.Errorf("a folder of root's: %v", err)
	}
	_, err = p.put(hop.SendRequest{Dest: "/tmp", Place: hop.PlaceInto}, filepath.Join(dst, "vanished"))
	var fe *transfer.FileError
	if !errors.As(err, &fe) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that vanished: %v", err)
	}
}

func TestATransferThatBreaksOffLeavesNothing(t *testing.T) {
	p := newPair(t)
	dst := openDir(t)
	ctx, cancel := context.WithCancel(p.ctx)
	pr, pw := io.Pipe()
	go func() {
		f := filepath.Join(t.TempDir(), "f")
		_ = os.WriteFile(f, make([]byte, 8<<20), 0o644)
		var b bytes.Buffer
		_, _ = transfer.Pack(p.ctx, &b, []transfer.Source{{Path: f}}, nil)
		_, _ = pw.Write(b.Bytes()[:b.Len()/2])
		cancel()
	}()
	_, err := p.session.Send(ctx, hop.SendRequest{Dest: dst, Place: hop.PlaceInto, User: "nobody"}, pr)
	_ = pr.Close()
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	eventually(t, "the folder is empty again", func() bool {
		entries, err := os.ReadDir(dst)
		return err == nil && len(entries) == 0
	})
}

func TestFetchingSaysWhatIsMissing(t *testing.T) {
	p := newPair(t)
	d, err := p.session.Receive(p.ctx, hop.ReceiveRequest{Paths: []string{"/no/such"}})
	if err == nil {
		_, err = io.Copy(io.Discard, d)
	}
	var f *frame.Failure
	if !errors.As(err, &f) || f.Code != hop.CodeNotFound || !strings.Contains(f.Message, "/no/such") {
		t.Errorf("got %v", err)
	}
	// Two reads may pass before the guest knows: an unreadable file inside.
	dir := openDir(t)
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if d, err = p.session.Receive(p.ctx, hop.ReceiveRequest{Paths: []string{dir}, User: "nobody"}); err != nil {
		t.Fatal(err)
	}
	if _, err := transfer.Unpack(p.ctx, d, t.TempDir(), transfer.HostOptions(true)); err != nil {
		t.Fatal(err)
	}
	if r := d.Report(); len(r.Skipped) != 1 || !strings.HasSuffix(r.Skipped[0].Path, "secret") {
		t.Errorf("%+v", r)
	}
}

func TestSeedAddsAndNeverOverwrites(t *testing.T) {
	p := newPair(t)
	home := openDir(t)
	for name, text := range map[string]string{
		".claude.json": `{"theme":"dark","hasCompletedOnboarding":true,"projects":{"/other":{"x":1}},"n":12345678901234567890}`,
		".gitconfig":   "[user]\n\tname = Mine\n[core]\n\temail = no\n",
	} {
		if err := os.WriteFile(filepath.Join(home, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(filepath.Join(home, name), 65534, 65534); err != nil {
			t.Fatal(err)
		}
	}
	h := &helper{opts: Options{Passwd: filepath.Join(home, "passwd")}.filled()}
	if err := os.WriteFile(h.opts.Passwd, []byte("me:x:65534:65534::"+home+":/bin/sh\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	exe, _ := os.Executable()
	h.opts.Self = []string{exe}
	req := hop.SeedRequest{User: "me", Folder: "~/work", GitName: `An "Other"`, GitEmail: "a@b.example"}
	got, err := h.seed(p.ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	reply := got.(hop.SeedReply)
	if reply.Folder != home+"/work" || len(reply.Changed) != 2 || owner(t, home+"/work") != 65534 {
		t.Errorf("%+v", reply)
	}
	b, _ := os.ReadFile(filepath.Join(home, ".claude.json"))
	for _, want := range []string{`"theme": "dark"`, `"x": 1`, "12345678901234567890", `"hasTrustDialogAccepted": true`, home + `/work"`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("%s is not in %s", want, b)
		}
	}
	if owner(t, filepath.Join(home, ".claude.json")) != 65534 {
		t.Error("the file changed hands")
	}
	b, _ = os.ReadFile(filepath.Join(home, ".gitconfig"))
	if want := "[user]\n\tname = Mine\n[core]\n\temail = no\n[user]\n\temail = \"a@b.example\"\n"; string(b) != want {
		t.Errorf("git's configuration is %q", b)
	}
	if got, err = h.seed(p.ctx, req); err != nil || len(got.(hop.SeedReply).Changed) != 0 {
		t.Errorf("the second time: %+v %v", got, err)
	}
	if err := os.WriteFile(filepath.Join(home, ".claude.json"), []byte("[1,2]"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := h.seed(p.ctx, req); err == nil {
		t.Error("something that is no object was replaced")
	}
}

func TestSeedFollowsNoPlantedLinkPastTheUsersRights(t *testing.T) {
	home, secret := openDir(t), filepath.Join(shortDir(t), "roots")
	if err := os.WriteFile(secret, []byte(`{"root":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, filepath.Join(home, ".claude.json")); err != nil {
		t.Fatal(err)
	}
	passwd := filepath.Join(home, "passwd")
	if err := os.WriteFile(passwd, []byte("me:x:65534:65534::"+home+":/bin/sh\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	exe, _ := os.Executable()
	h := &helper{opts: Options{Passwd: passwd, Self: []string{exe}}.filled()}
	if _, err := h.seed(testContext(t), hop.SeedRequest{User: "me"}); err == nil {
		t.Error("it went well")
	}
	if b, _ := os.ReadFile(secret); string(b) != `{"root":1}` {
		t.Errorf("root's file is %q", b)
	}
}
