package app_test

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"bottlebar.app/app"
	"bottlebar.app/control"
	"bottlebar.app/internal/frame"
	artifact "bottlebar.app/smolvm/artifact/build"
	"bottlebar.app/snapshot"
	"bottlebar.app/terminal/vt"
)

// vimEnv makes the child that is to be killed launch the artifact of that name
// and edit in it.
const vimEnv = "BOTTLEBAR_TEST_VIM"

// edit is what the session runs: a scheme of direct colours, line numbers, and
// a text of its own.
var edit = []string{ //nolint:gochecknoglobals // a constant list
	"vim", "-u", "NONE", "-n", "--cmd", "set encoding=utf-8", "-c", "set termguicolors number cursorline laststatus=2 t_Co=256",
	"-c", "hi Normal guifg=#ffcc66 guibg=#102030 | hi LineNr guifg=#80a0c0 gui=italic | hi CursorLine guibg=#304050", "notes.txt",
}

var window = frame.Size{Cols: 100, Rows: 30} //nolint:gochecknoglobals // a constant

// picture is all that is seen of a screen: text, looks and cursor.
func picture(t *vt.Terminal) string {
	var b strings.Builder
	t.View(func(s *vt.Screen) {
		fmt.Fprintf(&b, "%dx%d cursor %+v alternate %v %+v\n", s.Cols, s.Rows, s.Cursor, s.Modes.AltScreen, s.Title)
		for y := s.Top; y < s.Top+s.Rows; y++ {
			var last vt.Cell
			for _, c := range s.Line(y).Cells {
				if c.FG != last.FG || c.BG != last.BG || c.Attr != last.Attr {
					fmt.Fprintf(&b, "<%x %x %x>", c.FG, c.BG, c.Attr)
				}
				b.WriteString(s.Text(c))
				last = c
			}
			b.WriteString("\n")
		}
	})
	return b.String()
}

// typeIntoVim is the child's part: it edits, and returns what it sees then.
func typeIntoVim(a *app.App, bottle string) string {
	ours, theirs := net.Pipe()
	go func() { _ = a.Attach(context.Background(), bottle, control.AttachRequest{Size: window}, theirs) }()
	term := vt.New(vt.Options{Cols: int(window.Cols), Rows: int(window.Rows)})
	// Nothing lies between the ends of a pipe: writing must not wait for reading.
	keys := make(chan []byte, 1000)
	go func() {
		for p := range keys {
			_ = frame.NewWriter(ours).Write(frame.Stdin, p)
		}
	}()
	steps := []struct{ await, keys string }{
		{"notes.txt", "ohello 日本 from before\x1b:set ruler\r"},
		{"hello 日本 from before", "yy5p2k0"},
		{"7 hello", ":\"done\r"},
	}
	for in := frame.NewReader(ours); ; {
		kind, p, err := in.Next()
		if err != nil {
			return "error " + err.Error()
		}
		if kind != frame.Stdout {
			continue
		}
		_, _ = term.Write(p)
		if r := term.TakeReplies(nil); len(r) > 0 {
			keys <- r
		}
		seen, row := "", 0
		term.View(func(s *vt.Screen) { seen, row = s.Selected(s.All()), s.Cursor.Y })
		if len(steps) == 0 {
			// The command is typed, and done once the cursor is back in the text.
			if strings.Contains(seen, ":\"done") && row != int(window.Rows)-1 {
				return picture(term)
			}
			continue
		}
		if strings.Contains(seen, steps[0].await) {
			keys <- []byte(steps[0].keys)
			steps = steps[1:]
		}
	}
}

// vimArtifact is the demo artifact with this computer's vim in it.
func vimArtifact(t *testing.T) string {
	t.Helper()
	files, err := artifact.DemoFiles("")
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	for _, f := range files {
		have[f.Name] = true
	}
	put := func(at, as string) {
		name := strings.TrimPrefix(as, "/")
		if have[name] {
			return
		}
		b, err := os.ReadFile(at)
		if err != nil {
			t.Fatalf("%v: script/setup.sh test brings vim", err)
		}
		var folders []string
		for dir := path.Dir(name); dir != "." && !have[dir]; dir = path.Dir(dir) {
			folders = append(folders, dir)
		}
		for i := len(folders) - 1; i >= 0; i-- {
			have[folders[i]] = true
			files = append(files, artifact.File{Name: folders[i], Mode: fs.ModeDir | 0o755})
		}
		have[name] = true
		files = append(files, artifact.File{Name: name, Mode: 0o755, Data: b})
	}
	put("/usr/bin/vim", "/usr/bin/vim")
	terminfo := "/usr/share/terminfo/x/xterm-256color"
	if _, err := os.Stat(terminfo); err != nil {
		terminfo = "/lib/terminfo/x/xterm-256color" // Debian
	}
	put(terminfo, "/usr/share/terminfo/x/xterm-256color")
	out, err := exec.Command("ldd", "/usr/bin/vim").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range strings.Fields(string(out)) {
		if strings.HasPrefix(word, "/") {
			put(word, word)
		}
	}
	at := filepath.Join(t.TempDir(), "vim.smolmachine")
	err = artifact.WriteFile(at, func(w io.Writer) error {
		return artifact.Write(w, artifact.Manifest{
			Image: "bottlebar.app/vim:1", Cmd: []string{"sleep", "2147483647"}, Env: []string{"PATH=/usr/bin:/bin"},
		}, artifact.Layer{Files: files})
	})
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestVimIsAsItWasAfterTheAppWasKilled(t *testing.T) {
	t.Parallel()
	h := newHome(t, "driver = \"process\"\n")
	h.open()
	if _, err := h.app.AddArtifact(t.Context(), control.AddRequest{Path: vimArtifact(t), Name: "vim"}, nil); err != nil {
		t.Fatal(err)
	}
	h.close()
	h.env[vimEnv] = "vim"
	line := killAt(t, h, "vim ")
	before, err := strconv.Unquote(strings.TrimPrefix(line, "vim "))
	if err != nil || !strings.Contains(before, "alternate true") {
		t.Fatalf("before the kill: %v\n%s", err, line)
	}
	delete(h.env, vimEnv)
	h.open()
	all := h.app.Snapshot().Bottles
	if len(all) != 1 || all[0].State != snapshot.Ready {
		t.Fatalf("after the kill: %+v", all)
	}
	v := view(t, h, all[0].Name, "vim", window)
	same := func(string) bool { return picture(v.term) == before }
	deadline := time.AfterFunc(20*time.Second, func() { t.Errorf("now it is\n%s\nand was\n%s", picture(v.term), before) })
	defer deadline.Stop()
	v.await("the same screen", same)
	v.typed(":wq")
	v.key(vt.KeyEnter)
	eventually(t, "the end of vim", func() bool { b, _ := h.bottle(all[0].ID); return b.ExitCode != nil })
	if got := h.run("vim", "cat", "notes.txt"); strings.Count(got, "hello 日本 from before\n") != 6 {
		t.Errorf("vim wrote %q", got)
	}
	if err := h.app.Stop(t.Context(), "vim"); err != nil {
		t.Fatal(err)
	}
	h.close()
	h.nothingLeft()
}
