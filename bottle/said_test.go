package bottle

import (
	"encoding/json"
	"testing"

	"bottlebar.app/hop"
	"bottlebar.app/internal/frame"
	"bottlebar.app/snapshot"
)

func TestWhatATerminalSaysIsAState(t *testing.T) {
	for _, c := range []struct {
		info hop.TerminalInfo
		want snapshot.SessionState
	}{
		{hop.TerminalInfo{}, snapshot.Idle},
		{hop.TerminalInfo{Mark: "A"}, snapshot.Idle},
		{hop.TerminalInfo{Mark: "C"}, snapshot.Working},
		{hop.TerminalInfo{Mark: "D", Code: 1}, snapshot.Done},
		{hop.TerminalInfo{Mark: "C", Notice: "look"}, snapshot.NeedsYou},
	} {
		if got := stateOf(c.info); got != c.want {
			t.Errorf("%+v is %q, want %q", c.info, got, c.want)
		}
	}
}

func TestATerminalsWordsCountUntilAHookIsHeard(t *testing.T) {
	b := newBottle(&Rack{cfg: Config{Changed: func() {}}}, &entry{})
	tell := func(i hop.TerminalInfo) {
		body, _ := json.Marshal(i)
		b.heard(hop.EventMessage{Name: hop.TerminalEvent, Body: body})
	}
	expect := func(state snapshot.SessionState, title string) {
		t.Helper()
		if v := b.View(); v.Session != state || v.Title != title {
			t.Errorf("shown as %q %q, want %q %q", v.Session, v.Title, state, title)
		}
	}
	tell(hop.TerminalInfo{Name: "shell-1", Title: "another's", Notice: "x"})
	expect(snapshot.NoSession, "")
	tell(hop.TerminalInfo{Name: mainSession, Title: "make\x1b[2J", Mark: "C"})
	expect(snapshot.Working, "make\ufffd[2J")
	tell(hop.TerminalInfo{Name: mainSession, Title: "make", Mark: "D", Notice: "built"})
	expect(snapshot.NeedsYou, "built")
	tell(hop.TerminalInfo{Name: mainSession, Title: "make", Mark: "D"})
	expect(snapshot.Done, "make")
	b.heard(hop.EventMessage{Body: json.RawMessage(`{"hook_event_name":"UserPromptSubmit"}`)})
	tell(hop.TerminalInfo{Name: mainSession, Title: "a task", Notice: "x"})
	expect(snapshot.Working, "a task")
	for _, rang := range []bool{true, false} {
		tell(hop.TerminalInfo{Name: mainSession, Title: "a task", Rang: rang})
		if v := b.View(); v.Rang != rang || v.Session != snapshot.Working {
			t.Errorf("the bell: %v in the state %q, want %v", v.Rang, v.Session, rang)
		}
	}
}

func TestAnEndThatIsToldCountsAtOnceAndOlderNewsDoesNotUndoIt(t *testing.T) {
	b := newBottle(&Rack{cfg: Config{Changed: func() {}}}, &entry{})
	tell := func(i hop.TerminalInfo) {
		body, _ := json.Marshal(i)
		b.heard(hop.EventMessage{Name: hop.TerminalEvent, Body: body})
	}
	tell(hop.TerminalInfo{Name: "shell-1", Ended: &frame.Status{Code: 9}})
	if v := b.View(); v.ExitCode != nil {
		t.Errorf("a further shell's end is the session's: %d", *v.ExitCode)
	}
	tell(hop.TerminalInfo{Name: mainSession, Rang: true})
	tell(hop.TerminalInfo{Name: mainSession, Ended: &frame.Status{Code: 7}})
	tell(hop.TerminalInfo{Name: mainSession, Rang: true})
	if v := b.View(); v.ExitCode == nil || *v.ExitCode != 7 || v.Session != snapshot.Ended || v.Rang {
		t.Errorf("after the end it is shown as %+v", v)
	}
}
