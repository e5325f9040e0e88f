package session

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"fyne.io/fyne/v2"

	"bottlebar.app/assets"
	"bottlebar.app/assets/look"
	"bottlebar.app/snapshot"
)

// copies are the drops of one window: one under way, the others in line.
type copies struct {
	now   *copying
	queue [][]string
}

// copying is one copy into the VM.
type copying struct {
	paths  []string
	label  string // "3 files into ~/work"
	start  time.Time
	cancel context.CancelFunc

	mu     sync.Mutex
	done   int64
	total  int64
	told   time.Time
	queued bool // an update waits on the toolkit's goroutine
}

// dropped takes what was dropped on the window. The toolkit tells nothing
// before, and where the pointer was does not matter.
func (v *view) dropped(_ fyne.Position, uris []fyne.URI) {
	var paths []string
	var bad []snapshot.Problem
	for _, u := range uris {
		if u.Scheme() != "file" {
			bad = append(bad, snapshot.Problem{What: "copying " + u.String(), Why: "it is no file on this computer", Cure: "save it first, then drop the file"})
			continue
		}
		paths = append(paths, u.Path())
	}
	if v.bottle.State != snapshot.Ready || v.phase == removed {
		bad, paths = []snapshot.Problem{{What: "nothing was copied", Why: "the bottle is not running", Cure: "drop the files again when it is ready"}}, nil
	}
	v.drops = look.Message{} // what was said of earlier ones was seen by now
	v.complain(bad, len(uris), false)
	v.show()
	if len(paths) > 0 {
		v.copies.queue = append(v.copies.queue, paths)
		if c := v.copies.now; c != nil {
			v.copyMoved(c) // its line tells how many wait
		}
		v.nextCopy()
	}
}

// nextCopy starts the copy that is first in line, unless one runs.
func (v *view) nextCopy() {
	if v.copies.now != nil || len(v.copies.queue) == 0 {
		return
	}
	paths := v.copies.queue[0]
	v.copies.queue = v.copies.queue[1:]
	ctx, cancel := context.WithCancel(v.ctx)
	c := &copying{paths: paths, start: v.owner.o.Now(), cancel: cancel, label: copyLabel(paths, look.Folder(v.bottle), false)}
	v.copies.now = c
	v.term.Dim(true)
	v.veil.show("Copying "+c.label, "")
	v.line.transient(c.label+v.waiting(), true)
	o, folder := v.owner.o, look.Folder(v.bottle)
	v.owner.background(func(context.Context) {
		defer cancel()
		if len(paths) > 1 && onlyFiles(paths) {
			v.owner.post(func() { c.label = copyLabel(paths, folder, true); v.copyMoved(c) })
		}
		guest, err := o.Backend.CopyIn(ctx, v.k.bottle, paths, func(done, total int64) { v.report(c, done, total) })
		stopped := ctx.Err() != nil
		v.owner.post(func() { v.copied(c, guest, err, stopped) })
	})
}

// report keeps the numbers of a running copy and shows them at most ten times
// a second. It is called on the backend's goroutine.
func (v *view) report(c *copying, done, total int64) {
	now := v.owner.o.Now()
	c.mu.Lock()
	c.done, c.total = done, total
	due := !c.queued && now.Sub(c.told) >= 100*time.Millisecond
	if due {
		c.told, c.queued = now, true
	}
	c.mu.Unlock()
	if due {
		v.owner.post(func() { v.copyMoved(c) })
	}
}

func (v *view) copyMoved(c *copying) {
	c.mu.Lock()
	done, total := c.done, c.total
	c.queued = false
	c.mu.Unlock()
	if v.copies.now != c {
		return
	}
	size := ""
	if total > 0 {
		size = look.Size(total)
	}
	v.veil.show("Copying "+c.label, size)
	v.veil.progress(done, total)
	v.line.transient(progress(c.label+v.waiting(), done, total, v.owner.o.Now().Sub(c.start)), true)
}

// waiting tells how many drops are in line.
func (v *view) waiting() string {
	if n := len(v.copies.queue); n > 0 {
		return ", " + look.Count(n, "more waits", "more wait")
	}
	return ""
}

// copied ends a copy: what arrived is typed at the prompt, what did not is
// told, and the next in line starts.
func (v *view) copied(c *copying, guest []string, err error, stopped bool) {
	if v.copies.now != c || v.ctx.Err() != nil {
		return
	}
	v.copies.now = nil
	v.term.Dim(false)
	v.veil.hide()
	v.line.transient("", false)
	switch {
	case len(guest) == 0:
	case v.phase == live:
		v.term.Type(atPrompt(guest))
	default: // no prompt to say it at
		v.line.transient("Copied "+c.label, false)
	}
	if err != nil && !(stopped && errors.Is(err, context.Canceled)) {
		v.complain(look.Problems(err), len(c.paths), len(guest) == len(c.paths))
	}
	v.appeared()
	v.nextCopy()
}

// cancelCopy ends the copy under way, whose name stands beside Cancel. The next
// in line starts, and may be cancelled too.
func (v *view) cancelCopy() {
	if v.copies.now != nil {
		v.copies.now.cancel()
	}
}

// complain shows what was not copied, and why, above the status line. arrived
// says that all that was dropped is there, but for something inside it.
func (v *view) complain(bad []snapshot.Problem, of int, arrived bool) {
	if len(bad) == 0 {
		return
	}
	title := "Not copied"
	switch {
	case arrived:
		title = "Copied, but for " + look.Count(len(bad), "thing", "things")
	case of > 1:
		title = fmt.Sprintf("%d of %d dropped items not copied", min(len(bad), of), of)
	}
	v.drops = look.Message{
		Shape: assets.ShapeFailed, Color: look.ColorFailed, Title: title,
		Choices: []look.Choice{{Label: "Dismiss", Do: v.dismissDrops}},
	}
	const most = 3
	for i, p := range bad {
		if i == most-1 && len(bad) > most {
			v.drops.Lines = append(v.drops.Lines, look.Count(len(bad)-i, "more", "more"))
			break
		}
		v.drops.Lines = append(v.drops.Lines, strings.Join(look.Reasons(p), " "))
	}
	v.show()
}

// dismissDrops takes the complaint away, and gives the keyboard back.
func (v *view) dismissDrops() {
	v.drops = look.Message{}
	v.show()
	v.appeared()
}

// copyLabel says what is copied where: one by its name, more by their number.
// files says that there is no folder among them.
func copyLabel(paths []string, folder string, files bool) string {
	where := " into the session’s folder"
	if folder != "" {
		where = " into " + look.Clean(look.CutLeft(folder, 32), 32)
	}
	switch {
	case len(paths) == 1:
		return look.Clean(filepath.Base(paths[0]), 32) + where
	case files:
		return look.Count(len(paths), "file", "files") + where
	}
	return look.Count(len(paths), "item", "items") + where
}

// onlyFiles asks the disk, which may be a slow one: not for the toolkit's goroutine.
func onlyFiles(paths []string) bool {
	for _, p := range paths {
		if st, err := os.Lstat(p); err != nil || !st.Mode().IsRegular() {
			return false
		}
	}
	return true
}
