package session

import (
	"context"
	"net/url"
	"time"

	"golang.org/x/net/idna"

	"bottlebar.app/assets"
	"bottlebar.app/assets/look"
	"bottlebar.app/terminal"
)

// offerShown is how long one can take back what a program put on the
// clipboard.
const offerShown = 15 * time.Second

// ask shows a question about the terminal above the status line, in place of
// an earlier one. It takes no keyboard: Return answers nothing.
func (v *view) ask(m look.Message) {
	for i, c := range m.Choices {
		m.Choices[i].Do = func() {
			v.asking = look.Message{}
			v.show()
			v.appeared()
			if c.Do != nil {
				c.Do()
			}
		}
	}
	v.asked++
	v.asking, v.pastes = m, false
	v.show()
}

// doubtful asks before text is pasted that may do more than one thinks.
func (v *view) doubtful(d terminal.PasteDoubt, paste func()) {
	v.ask(pasting(d, paste))
	v.pastes = true
}

// forgetPaste takes back a question about a paste: no program is there to take
// it any more.
func (v *view) forgetPaste() {
	if v.pastes {
		v.asking, v.pastes = look.Message{}, false
	}
}

// pasting is the question about a doubtful paste.
func pasting(d terminal.PasteDoubt, paste func()) look.Message {
	m := look.Message{
		Shape: assets.ShapeNeeds, Color: look.ColorNeedsYou,
		Choices: []look.Choice{{Label: "Cancel"}, {Label: "Paste", Primary: true, Do: paste}},
	}
	if d.Lines > 0 {
		m.Title = "Paste " + look.Count(d.Lines, "line", "lines")
		m.Lines = append(m.Lines, "The program takes pasted lines as if you typed each one and pressed Return.")
	}
	if d.Controls > 0 {
		if m.Title == "" {
			m.Title = "Paste text with " + look.Count(d.Controls, "control character", "control characters")
		}
		m.Lines = append(m.Lines, "Control characters can press keys for you. They are taken out.")
	}
	return m
}

// follow opens a link that was clicked with the modifier held: at once where
// the address was there to read, else after it was shown.
func (v *view) follow(l terminal.Link) {
	u, err := url.Parse(l.URI)
	if err != nil {
		return
	}
	if l.Plain {
		v.owner.link(u)
		return
	}
	v.ask(look.Message{
		Shape: assets.ShapeNeeds, Color: look.ColorNeedsYou,
		Title: "Open a page of " + look.Clean(realHost(u), 120),
		Lines: []string{look.Clean(l.URI, 400)},
		Choices: []look.Choice{
			{Label: "Cancel"},
			{Label: "Copy address", Do: func() { v.owner.o.App.Clipboard().SetContent(l.URI) }},
			{Label: "Open", Primary: true, Do: func() { v.owner.link(u) }},
		},
	})
}

// realHost is a link's host in the form in which no letter can look like
// another one.
func realHost(u *url.URL) string {
	if h, err := idna.ToASCII(u.Hostname()); err == nil {
		return h
	}
	return u.Hostname()
}

// offered tells that a program has put text on the clipboard, for as long as
// one is likely to want it back.
func (v *view) offered(text string, undo func()) {
	v.ask(look.Message{
		Shape: assets.ShapeIdle, Color: look.ColorQuiet,
		Title: "The program in this bottle has put text on the clipboard", Lines: []string{look.Clean(text, 160)},
		Choices: []look.Choice{{Label: "Undo", Do: undo}, {Label: "Keep", Primary: true}},
	})
	asked := v.asked
	v.owner.background(func(context.Context) {
		t := time.NewTimer(offerShown)
		defer t.Stop()
		select {
		case <-t.C:
			v.owner.post(func() {
				if v.asked == asked && v.asking.Title != "" {
					v.asking = look.Message{}
					v.show()
				}
			})
		case <-v.ctx.Done():
		}
	})
}
