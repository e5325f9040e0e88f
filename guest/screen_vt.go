package guest

import (
	"bottlebar.app/internal/frame"
	"bottlebar.app/terminal/vt"
)

// keptLines is how much of what scrolled away a terminal keeps, and what a
// new viewer is given of it.
const keptLines = 5000

// newScreen makes the copy of a terminal of that size. It answers a
// command's questions to its terminal while nobody watches.
func newScreen(size frame.Size) Screen {
	return vt.New(vt.Options{Cols: int(size.Cols), Rows: int(size.Rows), Scrollback: keptLines})
}
