package bottle

import (
	"bottlebar.app/hop"
	"bottlebar.app/snapshot"
)

// saw takes what the session's terminal tells of itself by control sequences.
// Its title is shown while no hook has something better. Its state counts only
// for a program that has no hooks of ours: a shell that marks its prompts, or
// anything that asks for a notification. The bell counts for all. All of it is the guest's word.
func (b *Bottle) saw(t hop.TerminalInfo) {
	if t.Name != mainSession {
		return
	}
	screen := hop.Clean(t.Title, maxWish)
	b.mu.Lock()
	state, title := b.activity, b.title
	if !b.hooked {
		title = ""
		if state = stateOf(t); state == snapshot.NeedsYou {
			title = hop.Clean(t.Notice, maxWish)
		}
	}
	if b.exit != nil {
		state = b.activity // how it ended counts
	}
	rang := t.Rang && b.exit == nil
	same := b.rang == rang && b.screen == screen && b.activity == state && b.title == title
	b.mu.Unlock()
	if !same {
		b.set(func() { b.screen, b.activity, b.title, b.rang = screen, state, title, rang })
	}
}

// stateOf is what a terminal's words say of its program.
func stateOf(t hop.TerminalInfo) snapshot.SessionState {
	switch {
	case t.Notice != "":
		return snapshot.NeedsYou
	case t.Mark == "C":
		return snapshot.Working
	case t.Mark == "D":
		return snapshot.Done
	}
	return snapshot.Idle
}
