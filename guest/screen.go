package guest

import "io"

// Screen is a copy of what a terminal shows, from which a new viewer's
// terminal is brought to the same picture.
type Screen interface {
	io.Writer
	Resize(cols, rows int)
	// AppendRedraw appends bytes that draw the screen in another terminal.
	AppendRedraw(dst []byte) []byte
}

// replier is a Screen that can answer a program's questions to its terminal.
type replier interface {
	TakeReplies(dst []byte) []byte
}

// replayer is a Screen that can also give what scrolled away.
type replayer interface {
	AppendReplay(dst []byte, history int) []byte
}

// recent is a Screen that only remembers the last bytes.
type recent struct {
	b   []byte
	max int
}

// recentSize is more than full-screen programs need for one picture.
const recentSize = 256 << 10

func newRecent() *recent { return &recent{max: recentSize} }

func (r *recent) Write(p []byte) (int, error) {
	r.b = append(r.b, p[max(0, len(p)-r.max):]...)
	if len(r.b) > 2*r.max {
		r.b = append(r.b[:0], r.b[len(r.b)-r.max:]...)
	}
	return len(p), nil
}

func (r *recent) Resize(int, int) {}

func (r *recent) AppendRedraw(dst []byte) []byte {
	dst = append(dst, "\x1bc"...)
	return append(dst, r.b[max(0, len(r.b)-r.max):]...)
}
