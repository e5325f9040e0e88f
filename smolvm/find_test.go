package smolvm

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// installed puts a command that is the fake at home/.local/bin/smolvm.
func installed(t *testing.T) string {
	t.Helper()
	home := t.TempDir()
	place(t, filepath.Join(home, ".local/bin/smolvm"))
	return home
}

func place(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self(t), path); err != nil {
		t.Fatal(err)
	}
}

func script(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
}

func TestFindKnowsReleaseAndStandIn(t *testing.T) {
	for _, c := range []struct {
		mode      string
		simulated bool
		notices   int
	}{
		{"0.8.0", false, 1},
		{"1.9.3", false, 0},
		{"standin 1.9.3", true, 0},
		{"7.0.0", false, 1},
	} {
		home := installed(t)
		in, err := Find(t.Context(), FindOptions{Home: home, GOOS: "linux", Env: []string{"FAKE=" + c.mode}})
		if err != nil {
			t.Errorf("%s: %v", c.mode, err)
			continue
		}
		version := strings.TrimPrefix(c.mode, "standin ")
		if in.Version.String() != version || in.Simulated != c.simulated || len(in.Notices) != c.notices || in.Path != filepath.Join(home, ".local/bin/smolvm") {
			t.Errorf("%s: %+v", c.mode, in)
		}
	}
}

func TestFindTellsWhatElseHasTheName(t *testing.T) {
	for _, c := range []struct {
		mode string
		as   any
	}{
		{"foreign", new(*ForeignError)},
		{"1.9.3 nolist", new(*ForeignError)},
		{"0.7.9", new(*TooOldError)},
		{"garbage", new(*BrokenError)},
		{"flood", new(*BrokenError)},
		{"crash", new(*BrokenError)},
	} {
		_, err := Find(t.Context(), FindOptions{Home: installed(t), GOOS: "linux", Env: []string{"FAKE=" + c.mode}})
		if !errors.As(err, c.as) {
			t.Errorf("%s: %T %v", c.mode, err, err)
			continue
		}
		var curer interface{ Cure() string }
		if !errors.As(err, &curer) || curer.Cure() == "" || strings.ContainsAny(err.Error(), "\x00\x1b\n") {
			t.Errorf("%s: no cure, or not one clean line: %v", c.mode, err)
		}
	}
}

func TestIdentifyEndsACommandThatHangs(t *testing.T) {
	ctx, cancel := context.WithTimeoutCause(t.Context(), 100*time.Millisecond, ErrTimeout)
	defer cancel()
	f := &Finder{Runner: quick}
	_, err := f.Find(ctx, FindOptions{Home: installed(t), GOOS: "linux", Env: []string{"FAKE=hang"}})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a given context: %v", err)
	}
	err = broken(t.Context(), "/x/smolvm", "--version", ErrTimeout)
	var b *BrokenError
	if !errors.As(err, &b) || !strings.Contains(err.Error(), "does not answer --version") {
		t.Errorf("its own limit: %v", err)
	}
}

func TestFindReportsWhatIsMissing(t *testing.T) {
	var none *NotFoundError
	_, err := Find(t.Context(), FindOptions{Home: t.TempDir(), GOOS: "plan9", Command: "/no/such/smolvm"})
	if !errors.As(err, &none) || none.Command == "" || none.Cure() == "" {
		t.Error(err)
	}
	_, err = Find(t.Context(), FindOptions{Command: "smolvm-of-nobody", Path: "/usr/bin:/bin"})
	if !errors.As(err, &none) || len(none.Looked) != 2 {
		t.Error(err)
	}
}

func TestFindLooksWhereAnAppFromTheFinderHasNoPath(t *testing.T) {
	got := candidates(FindOptions{Home: "/Users/p", GOOS: "darwin", Path: "/usr/bin:relative::/opt/x:/usr/local/bin"})
	want := []string{
		"/Users/p/.local/bin/smolvm", "/Users/p/.smolvm/smolvm", "/opt/homebrew/bin/smolvm", "/usr/local/bin/smolvm",
		"/usr/bin/smolvm", "/opt/x/smolvm",
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("%q", got)
	}
	for command, want := range map[string]string{"~/x/smolvm": "/Users/p/x/smolvm", "/y/s": "/y/s", "smolvm9": "/opt/x/smolvm9"} {
		if got := candidates(FindOptions{Home: "/Users/p", Path: "/opt/x", Command: command}); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q", command, got)
		}
	}
}

func TestFindGoesOnAfterAnotherProgramOfTheName(t *testing.T) {
	home, dir := t.TempDir(), t.TempDir()
	script(t, filepath.Join(home, ".local/bin/smolvm"), "#!/bin/sh\necho SmolVM 0.2\n")
	place(t, filepath.Join(dir, "smolvm"))
	in, err := Find(t.Context(), FindOptions{Home: home, GOOS: "darwin", Path: dir, Env: []string{"FAKE=1.9.3"}})
	if err != nil || in.Path != filepath.Join(dir, "smolvm") {
		t.Errorf("%+v, %v", in, err)
	}
}

func TestFindNeverCallsTheInnerProgram(t *testing.T) {
	home := t.TempDir()
	inner := filepath.Join(home, "dist/smolvm-bin")
	script(t, inner, "#!/bin/sh\ntouch "+filepath.Join(home, "called")+"\n")
	if err := os.MkdirAll(filepath.Join(home, ".local/bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(inner, filepath.Join(home, ".local/bin/smolvm")); err != nil {
		t.Fatal(err)
	}
	o := FindOptions{Home: home, Command: "~/.local/bin/smolvm", Env: []string{"FAKE=1.9.3"}}
	var b *BrokenError
	if _, err := Find(t.Context(), o); !errors.As(err, &b) {
		t.Errorf("without a wrapper: %v", err)
	}
	place(t, filepath.Join(home, "dist/smolvm"))
	in, err := Find(t.Context(), o)
	if err != nil || in.Path != filepath.Join(home, "dist/smolvm") {
		t.Errorf("with a wrapper beside it: %+v, %v", in, err)
	}
	if _, err := os.Stat(filepath.Join(home, "called")); err == nil {
		t.Error("the inner program was called")
	}
}

func TestFinderAsksAgainOnlyWhenTheFileChanged(t *testing.T) {
	dir := t.TempDir()
	count := filepath.Join(dir, "count")
	wrapper := filepath.Join(dir, "smolvm")
	text := "#!/bin/sh\nexec " + self(t) + " \"$@\"\n"
	script(t, wrapper, text)
	f := new(Finder)
	o := FindOptions{Command: wrapper, Env: []string{"FAKE=1.9.3", "FAKE_COUNT=" + count}}
	asked := func() int {
		if _, err := f.Find(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(count)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(data), "--version")
	}
	if n := asked(); n != 1 {
		t.Fatalf("asked %d times", n)
	}
	if n := asked(); n != 1 {
		t.Errorf("asked again, %d", n)
	}
	script(t, wrapper, text+"\n# changed\n")
	if n := asked(); n != 2 {
		t.Errorf("a changed file was not asked, %d", n)
	}
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(wrapper, later, later); err != nil {
		t.Fatal(err)
	}
	if n := asked(); n != 3 {
		t.Errorf("a file with another time was not asked, %d", n)
	}
}

func TestPiecesAreFoundWhereTheWrapperLooks(t *testing.T) {
	home := t.TempDir()
	mk := func(p string) string {
		p = filepath.Join(home, p)
		if err := os.MkdirAll(p, 0o700); err != nil {
			t.Fatal(err)
		}
		return p
	}
	given, data, mac := mk("given"), mk(".local/share/smolvm/agent-rootfs"), mk("Library/Application Support/smolvm/agent-rootfs")
	xdg := mk("xdg/smolvm/agent-rootfs")
	wrapper := filepath.Join(home, "dist/smolvm")
	script(t, wrapper, "#!/bin/sh\n")
	link := filepath.Join(home, "smolvm")
	if err := os.Symlink(wrapper, link); err != nil {
		t.Fatal(err)
	}
	root := func(o FindOptions) string {
		o.Home = home
		r, _ := pieces(link, o)
		return r
	}
	if got := root(FindOptions{GOOS: "linux"}); got != data {
		t.Errorf("data folder: %s", got)
	}
	if got := root(FindOptions{GOOS: "linux", DataHome: filepath.Join(home, "xdg")}); got != xdg {
		t.Errorf("XDG data folder: %s", got)
	}
	if got := root(FindOptions{GOOS: "darwin"}); got != mac {
		t.Errorf("data folder of macOS: %s", got)
	}
	beside := mk("dist/agent-rootfs")
	if got := root(FindOptions{GOOS: "linux"}); got != beside {
		t.Errorf("beside the resolved wrapper: %s", got)
	}
	if got := root(FindOptions{GOOS: "linux", AgentRoot: given}); got != given {
		t.Errorf("given: %s", got)
	}
	if got := root(FindOptions{GOOS: "linux", AgentRoot: "/no/such"}); got != beside {
		t.Errorf("given and not there: %s", got)
	}
	template := filepath.Join(home, "dist", templateName)
	script(t, template, "")
	if _, got := pieces(link, FindOptions{Home: home}); got != template {
		t.Errorf("template: %s", got)
	}
}
