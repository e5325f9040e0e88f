package window

import (
	"strings"
	"sync"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/widget"

	"bottlebar.app/assets/look"
)

// tailLines is how much of a program's output is kept.
const tailLines = 200

// tail shows the last lines of what a program prints.
type tail struct {
	root   *container.Scroll
	label  *widget.Label
	mu     sync.Mutex
	kept   []string
	queued bool // a redraw waits on the toolkit's goroutine
}

func newTail() *tail {
	t := &tail{label: mono("")}
	t.label.Wrapping = fyne.TextWrapBreak
	t.root = container.NewVScroll(t.label)
	return t
}

// lines returns a function that takes lines on any goroutine. Lines that come
// faster than they are drawn are drawn together.
func (t *tail) lines(post func(func())) func(string) {
	return func(line string) {
		t.mu.Lock()
		t.kept = append(t.kept, look.Clean(line, 240))
		if len(t.kept) > tailLines {
			t.kept = t.kept[len(t.kept)-tailLines:]
		}
		due := !t.queued
		t.queued = true
		t.mu.Unlock()
		if due {
			post(t.draw)
		}
	}
}

func (t *tail) draw() {
	t.mu.Lock()
	text := strings.Join(t.kept, "\n")
	t.queued = false
	t.mu.Unlock()
	t.label.SetText(text)
	t.end()
}

// end shows the last lines; the room for them changes with what stands below.
func (t *tail) end() { t.root.ScrollToBottom() }

// clear forgets what was printed.
func (t *tail) clear() {
	t.mu.Lock()
	t.kept = nil
	t.mu.Unlock()
	t.label.SetText("")
}
