package guest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"bottlebar.app/hop"
	"bottlebar.app/internal/frame"
)

// watch reads a terminal in the background.
type watch struct {
	t    testing.TB
	term *hop.Terminal
	mu   sync.Mutex
	b    bytes.Buffer
	err  error
	done chan struct{}
}

func (p *pair) attach(r hop.AttachRequest) *watch {
	p.t.Helper()
	term, err := p.session.Attach(p.ctx, r)
	if err != nil {
		p.t.Fatal(err)
	}
	w := &watch{t: p.t, term: term, done: make(chan struct{})}
	go func() {
		defer close(w.done)
		buf := make([]byte, 4096)
		for {
			n, err := term.Read(buf)
			w.mu.Lock()
			w.b.Write(buf[:n])
			w.err = err
			w.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	p.t.Cleanup(func() { _ = term.Close(); <-w.done })
	return w
}

func (w *watch) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}

func (w *watch) sees(s string) {
	w.t.Helper()
	eventually(w.t, "the screen shows "+s, func() bool { return strings.Contains(w.text(), s) })
}

func (w *watch) types(s string) {
	w.t.Helper()
	if _, err := w.term.Write([]byte(s)); err != nil {
		w.t.Fatal(err)
	}
}

func shell(name string) hop.AttachRequest {
	return hop.AttachRequest{Name: name, Argv: []string{"sh"}, Env: []string{"PS1=> ", "ENV="}, Workdir: "/", Size: frame.Size{Cols: 80, Rows: 24}}
}

func TestATerminalOutlivesItsViewersAndTheSession(t *testing.T) {
	p := newPair(t)
	w := p.attach(shell("claude"))
	if !w.term.Reply().Started {
		t.Error("the first attach did not start it")
	}
	w.types("X=kept; echo fir''st\n")
	w.sees("first")
	_ = w.term.Close()

	w = p.attach(hop.AttachRequest{Name: "claude", Size: frame.Size{Cols: 80, Rows: 24}})
	if w.term.Reply().Started {
		t.Error("the second attach started it again")
	}
	w.sees("first")

	_ = p.session.Close()
	<-w.done
	if !errors.Is(w.err, hop.ErrSessionLost) {
		t.Errorf("a viewer ended with %v when the session was lost", w.err)
	}
	p.session = p.next()
	w = p.attach(hop.AttachRequest{Name: "claude", Size: frame.Size{Cols: 80, Rows: 24}})
	w.types("echo still-$X\n")
	w.sees("still-kept")
	w.types("exit 7\n")
	<-w.done
	if st := w.term.Status(); !errors.Is(w.err, io.EOF) || st == nil || st.Code != 7 {
		t.Errorf("ended with %v %+v", w.err, st)
	}

	w = p.attach(hop.AttachRequest{Name: "claude", Size: frame.Size{Cols: 80, Rows: 24}})
	<-w.done
	if r := w.term.Reply(); r.Ended == nil || r.Ended.Code != 7 || !strings.Contains(w.text(), "still-kept") {
		t.Errorf("an ended terminal shows %+v %q", r, w.text())
	}
	again := shell("claude")
	again.Again = true
	if w = p.attach(again); !w.term.Reply().Started {
		t.Error("an ended terminal did not start again")
	}
	if err := p.session.CloseTerminal(p.ctx, "claude"); err != nil {
		t.Fatal(err)
	}
	<-w.done
	eventually(t, "the terminal is gone", func() bool {
		list, err := p.session.Terminals(p.ctx)
		return err == nil && len(list) == 0
	})
}

func TestTheViewerThatTypedLastSetsTheSize(t *testing.T) {
	p := newPair(t)
	a := p.attach(shell("s"))
	b := p.attach(hop.AttachRequest{Name: "s", Size: frame.Size{Cols: 100, Rows: 30}})
	size := func(want string) {
		t.Helper()
		eventually(t, "size "+want, func() bool {
			res, err := p.output(hop.ExecRequest{Argv: []string{"sh", "-c", "stty size < /proc/$1/fd/0", "sh", pidOf(t, p, "s")}})
			return err == nil && strings.TrimSpace(string(res.Stdout)) == want
		})
	}
	size("24 80")
	b.types("true\n")
	size("30 100")
	_ = a.term.Resize(frame.Size{Cols: 70, Rows: 20}) // not its turn
	a.types(" ")
	size("20 70")
	_ = a.term.Resize(frame.Size{Cols: 71, Rows: 21})
	size("21 71")
	_ = a.term.Close()
	size("30 100")
}

func pidOf(t *testing.T, p *pair, name string) string {
	t.Helper()
	list, err := p.session.Terminals(p.ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range list {
		if i.Name == name {
			return strconv.Itoa(i.Pid)
		}
	}
	t.Fatalf("no terminal %s in %+v", name, list)
	return ""
}

func TestAViewerThatDoesNotReadNeitherBlocksNorGrows(t *testing.T) {
	p := newPair(t)
	slow, err := p.session.Attach(p.ctx, hop.AttachRequest{
		Name: "flood", Argv: []string{"sh", "-c", "i=0; while [ $i -lt 3000 ]; do printf '%01000d\\n' $i; i=$((i+1)); done; echo THE-END"}, Workdir: "/",
	})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the command ends although its viewer does not read", func() bool {
		list, err := p.session.Terminals(p.ctx)
		return err == nil && len(list) == 1 && list[0].Ended != nil
	})
	var b bytes.Buffer
	if _, err := b.ReadFrom(slow); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "THE-END") {
		t.Error("the viewer that lagged was not shown the end")
	}
	if b.Len() > 2<<20 {
		t.Errorf("it was sent %d bytes, more than window and lag allow", b.Len())
	}
}

func TestTheKeeperAnswersQuestionsWhileNobodyWatches(t *testing.T) {
	p := newPair(t)
	// Asks what kind of terminal it is once its viewer has left, and keeps
	// the answer's start.
	dir := shortDir(t)
	ask := "stty raw -echo; until [ -e go ]; do sleep 0.02; done; printf '\\033[c'; dd bs=1 count=3 of=answer 2>/dev/null; sleep 1000"
	term, err := p.session.Attach(p.ctx, hop.AttachRequest{Name: "q", Argv: []string{"sh", "-c", ask}, Workdir: dir})
	if err != nil {
		t.Fatal(err)
	}
	_ = term.Close()
	eventually(t, "the viewer has left", func() bool {
		list, err := p.session.Terminals(p.ctx)
		return err == nil && len(list) == 1 && list[0].Viewers == 0
	})
	if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the answer arrives", func() bool {
		b, _ := os.ReadFile(filepath.Join(dir, "answer"))
		return string(b) == "\x1b[?"
	})
}

func TestTerminalsNeedNamesAndCommands(t *testing.T) {
	p := newPair(t)
	for name, r := range map[string]hop.AttachRequest{
		"no command": {Name: "x"},
		"bad name":   {Name: "a/b", Argv: []string{"sh"}},
		"escape":     {Name: "\x1b[2J", Argv: []string{"sh"}},
		"empty":      {Argv: []string{"sh"}},
	} {
		_, err := p.session.Attach(p.ctx, r)
		var f *frame.Failure
		if !errors.As(err, &f) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestTheAppIsToldWhatATerminalSays(t *testing.T) {
	p := newPair(t)
	dir := shortDir(t)
	w := p.attach(hop.AttachRequest{Name: "talk", Workdir: dir, Argv: []string{
		"sh", "-c",
		`stty -echo; printf '\033]2;a title\033\\'; printf '\033]777;notify;Build;is \302\233done\007\a'; read x; printf '\033]133;D;3\007'; sleep 1000`,
	}})
	next := func(what string, ok func(hop.TerminalInfo) bool) {
		t.Helper()
		for {
			in, err := p.session.Accept(p.ctx)
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			_ = in.Reply(nil)
			var info hop.TerminalInfo
			if in.Event.Name != hop.TerminalEvent || json.Unmarshal(in.Event.Body, &info) != nil || info.Name != "talk" {
				t.Fatalf("told %+v", in.Event)
			}
			if ok(info) {
				return
			}
		}
	}
	next("title, notification and bell", func(i hop.TerminalInfo) bool {
		return i.Title == "a title" && i.Notice == "Build: is done" && i.Rang
	})
	_, _ = w.term.Write([]byte("\x1b[?1;2c")) // an answer of the viewer's terminal is no typing
	_, _ = w.term.Write([]byte("\n"))
	next("what came after somebody typed", func(i hop.TerminalInfo) bool {
		return i.Title == "a title" && i.Notice == "" && !i.Rang && i.Mark == "D" && i.Code == 3
	})
	list, err := p.session.Terminals(p.ctx)
	if err != nil || len(list) != 1 || list[0].Title != "a title" || list[0].Mark != "D" {
		t.Errorf("listed as %+v, %v", list, err)
	}
}

func TestTheAppIsToldAtOnceThatATerminalEndedAndThatABellWasAnswered(t *testing.T) {
	p := newPair(t)
	w := p.attach(hop.AttachRequest{Name: "bell", Workdir: shortDir(t), Argv: []string{"sh", "-c", `stty -echo; printf '\a'; read x; read x; exit 7`}})
	next := func(what string, ok func(hop.TerminalInfo) bool) {
		t.Helper()
		for {
			in, err := p.session.Accept(p.ctx)
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			_ = in.Reply(nil)
			var info hop.TerminalInfo
			if err := json.Unmarshal(in.Event.Body, &info); err != nil {
				t.Fatal(err)
			}
			if ok(info) {
				return
			}
		}
	}
	next("the bell", func(i hop.TerminalInfo) bool { return i.Rang && i.Ended == nil })
	_, _ = w.term.Write([]byte("\n"))
	next("that somebody typed", func(i hop.TerminalInfo) bool { return !i.Rang && i.Ended == nil })
	_, _ = w.term.Write([]byte("\n"))
	next("the end", func(i hop.TerminalInfo) bool { return i.Ended != nil && i.Ended.Code == 7 })
}

func TestOnlyTheOneThatTypedLastAnswersForTheTerminal(t *testing.T) {
	p := newPair(t)
	large := shell("s")
	large.Size = frame.Size{Cols: 100, Rows: 30}
	a := p.attach(large)
	a.types("echo first=$(stty size)\n")
	a.sees("first=30 100")
	b := p.attach(hop.AttachRequest{Name: "s", Size: frame.Size{Cols: 70, Rows: 20}})
	b.sees("first=30 100") // at its own size, though it has not typed
	b.types("\x1b[7;9R")   // its terminal's answer to a question that both see
	a.types("echo still=$(stty size)\n")
	a.sees("still=30 100")
	b.types("echo second=$(stty size)\n")
	b.sees("second=20 70")
	a.types("\x1b[3;5R\x1b[?997;1n")
	a.sees("second=20 70") // drawn anew
	b.types("read -r x; echo got=$x\n\n")
	b.sees("got=\r\n")
}
