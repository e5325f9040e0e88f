package look

import (
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"bottlebar.app/assets"
	"bottlebar.app/internal/fault"
	"bottlebar.app/snapshot"
)

// Message is something that a window has to say: what happened, a few lines on
// it, and what can be done about it.
type Message struct {
	Shape   assets.ShapeName
	Color   fyne.ThemeColorName
	Title   string
	Lines   []string
	Choices []Choice
}

// Choice is a button of a message.
type Choice struct {
	Label   string
	Primary bool
	Do      func()
}

// Trouble returns the message for a failure: what failed as the title, then
// why, then what to do.
func Trouble(p snapshot.Problem, choices ...Choice) Message {
	m := Message{Shape: assets.ShapeFailed, Color: ColorFailed, Choices: choices}
	lines := Reasons(p)
	if p.What != "" {
		m.Title = failing(Clean(p.What, 120))
		lines = Reasons(snapshot.Problem{Why: p.Why, Cure: p.Cure})
	} else if len(lines) > 0 {
		m.Title, lines = strings.TrimSuffix(lines[0], "."), lines[1:]
	}
	m.Lines = lines
	return m
}

// failing makes a title of what failed: "adding a.smolmachine" is an activity
// and wants a verb, "the VM ended" has one.
func failing(what string) string {
	first, _, _ := strings.Cut(what, " ")
	if strings.HasSuffix(first, "ing") && len(first) > 4 {
		what += " failed"
	}
	return Capital(what)
}

// Problem turns an error into the form in which problems are shown.
func Problem(err error) snapshot.Problem {
	f := fault.Of(err)
	return snapshot.Problem{What: f.What, Why: f.Why, Cure: f.Cure, Detail: f.Detail}
}

// Problems is Problem for an error that may be several joined ones.
func Problems(err error) []snapshot.Problem {
	var out []snapshot.Problem
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range many.Unwrap() {
			out = append(out, Problems(e)...)
		}
		return out
	}
	return append(out, Problem(err))
}

// Reasons gives a problem as sentences: what failed and why, then the cure.
func Reasons(p snapshot.Problem) []string {
	var out []string
	why, what := p.Why, shortWords(p.What)
	if what != "" && why != "" {
		why = what + ": " + why
	} else if why == "" {
		why = what
	}
	for _, s := range []string{why, p.Cure} {
		if s = Clean(s, 240); s != "" {
			out = append(out, Sentence(s))
		}
	}
	return out
}

// shortWords cuts long words of s, which are paths, on the left: the reason
// that stands behind them has to be seen.
func shortWords(s string) string {
	const most = 56
	words := strings.Split(s, " ")
	for i, w := range words {
		words[i] = CutLeft(w, most)
	}
	return strings.Join(words, " ")
}

// NewBar shows a message across the width of a window. It takes no focus.
func NewBar(m Message) *fyne.Container {
	text := Column(2, NewStrong(m.Title).Cutting(CutEnd))
	for _, l := range m.Lines {
		text.Add(NewSecond(l).Cutting(CutEnd))
	}
	buttons := Row(Gap)
	for _, c := range m.Choices {
		b := NewButton(c.Label, c.Do)
		if c.Primary {
			b = NewPrimary(c.Label, c.Do)
		}
		buttons.Add(b)
	}
	content := Sides(Lead(NewShape(m.Shape, m.Color), text), buttons)
	return container.NewStack(NewFill(ColorRaised), Pad(content, Gap, Edge))
}
