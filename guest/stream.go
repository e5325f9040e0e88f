package guest

import (
	"context"
	"encoding/json"
	"time"

	"bottlebar.app/hop"
	"bottlebar.app/terminal/vt"
)

// Bounds of what terminals tell of themselves.
const (
	maxTold   = 200                    // bytes of a title or a notification
	tellEvery = 250 * time.Millisecond // between two tellings
)

// teller is a Screen that knows what a program said besides its text.
type teller interface{ TakeEvents() []vt.Event }

// said is what a terminal's program told of itself. All text is the guest's,
// without controls.
type said struct {
	title  string
	notice string // asked for with OSC 9 or 777, and nobody has typed since
	rang   bool   // BEL, likewise
	mark   string // the shell's last one (OSC 133), "A" to "D"
	code   int    // of "D"; -1 if it said none
	news   bool   // the app does not know yet
}

// hear takes what was said in the output just written. The caller holds t.mu.
func (t *terminal) hear() {
	src, ok := t.screen.(teller)
	if !ok {
		return
	}
	was := t.said
	for _, e := range src.TakeEvents() {
		switch e.Kind {
		case vt.EventTitle:
			t.said.title = vt.Clean(e.Text, maxTold)
		case vt.EventNotify:
			text := e.Text
			if e.Title != "" {
				text = e.Title + ": " + text
			}
			t.said.notice = vt.Clean(text, maxTold)
		case vt.EventBell:
			t.said.rang = true
		case vt.EventPrompt:
			t.said.mark, t.said.code = string(rune(e.Mark)), e.Code
		}
	}
	t.changed(was)
}

// isReport tells what a viewer's terminal says by itself from what is typed:
// a cursor position, which shells ask for at each prompt, looks like F3 with a
// modifier, and is the likelier one.
func isReport(p []byte) bool {
	if len(p) < 3 || p[0] != 0x1b || p[1] != '[' && p[1] != ']' && p[1] != 'P' {
		return false
	}
	switch p[len(p)-1] {
	case 'c', 'n', 'y', 't', 'R', 'I', 'O', '\\', 0x07:
		return true
	}
	return false
}

// answered notes that the person typed: what the program wanted was seen.
func (t *terminal) answered() {
	was := t.said
	t.said.notice, t.said.rang = "", false
	t.changed(was)
}

func (t *terminal) changed(was said) {
	if t.said != was {
		t.announce()
	}
}

// announce has the app told how the terminal is now. The caller holds t.mu.
func (t *terminal) announce() {
	t.said.news = true
	select {
	case t.news <- struct{}{}:
	default:
	}
}

// tell passes on what terminals say of themselves, each at most as often as
// tellEvery, until the helper ends.
func (k *keeper) tell(ctx context.Context) {
	for {
		select {
		case <-k.news:
		case <-ctx.Done():
			return
		}
		k.mu.Lock()
		all := make([]*terminal, 0, len(k.terminals))
		for _, t := range k.terminals {
			all = append(all, t)
		}
		k.mu.Unlock()
		for _, t := range all {
			if info, ok := t.untold(); ok {
				k.h.told(ctx, info)
			}
		}
		pause(ctx, tellEvery)
	}
}

// untold returns what the app does not know yet.
func (t *terminal) untold() (hop.TerminalInfo, bool) {
	t.mu.Lock()
	news := t.said.news
	t.said.news = false
	t.mu.Unlock()
	return t.info(), news
}

// told sends an event about a terminal. One that cannot be sent is no loss:
// the app asks for the list when it is back.
func (h *helper) told(ctx context.Context, info hop.TerminalInfo) {
	body, err := json.Marshal(info)
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, hookConnect)
	defer cancel()
	st, err := h.open(ctx, hop.Event)
	if err != nil {
		return
	}
	defer func() { _ = st.Close() }()
	stop := context.AfterFunc(ctx, st.Reset)
	defer stop()
	if hop.WriteMessage(st, hop.EventMessage{Name: hop.TerminalEvent, Body: body}) == nil {
		var reply json.RawMessage
		_ = hop.ReadAnswer(st, &reply) // the app decides nothing
	}
}
