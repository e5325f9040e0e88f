package bottle

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"bottlebar.app/hop"
)

// diarySize bounds what is remembered of one bottle's pipe.
const diarySize = 500

// diary remembers what happened lately at a bottle's pipe: the log of its
// helper, as the host saw it. The guest's own words are cleaned.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) add(at time.Time, h hop.Happening) {
	line := at.UTC().Format(time.RFC3339) + " " + string(h.Kind)
	if h.Text != "" {
		line += ": " + hop.Clean(h.Text, 300)
	}
	if h.Err != nil {
		line += ": " + hop.Clean(h.Err.Error(), 300)
	}
	if h.Number != 0 {
		line += fmt.Sprintf(" (%d)", h.Number)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.lines = append(d.lines, line+"\n"); len(d.lines) > diarySize {
		d.lines = append(d.lines[:0:0], d.lines[len(d.lines)-diarySize:]...)
	}
}

func (d *diary) text() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Join(d.lines, "")
}
