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
