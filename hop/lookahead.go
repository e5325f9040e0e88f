package hop

import (
	"errors"
	"io"
	"syscall"

	"golang.org/x/sys/unix"
)

// lookahead is what was read off a connection beyond what was asked for. It is
// small on purpose: it takes heads together with little bodies, and lets large
// ones pass it by. The zero value is empty.
type lookahead struct {
	buf  [4 << 10]byte
	r, w int
}

func (a *lookahead) len() int { return a.w - a.r }

// fill reads more, at least one byte. What is there is less than a head.
func (a *lookahead) fill(from io.Reader) error {
	a.r, a.w = 0, copy(a.buf[:], a.buf[a.r:a.w])
	for range 100 { // as often as bufio takes a reader's nothing for patience
		n, err := from.Read(a.buf[a.w:])
		a.w += n
		if n > 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

func (a *lookahead) read(p []byte) int {
	n := copy(p, a.buf[a.r:a.w])
	a.r += n
	return n
}

func (a *lookahead) skip(n int) int {
	n = min(n, a.len())
	a.r += n
	return n
}

// readBeyond reads what is there into p without waiting, and what follows it
// into the lookahead, which must be empty: the head behind a large body costs
// no call of its own.
func (a *lookahead) readBeyond(fd int, p []byte) (int, error) {
	a.r, a.w = 0, 0
	for {
		n, err := unix.Readv(fd, [][]byte{p, a.buf[:]})
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		a.w = max(n-len(p), 0)
		return min(max(n, 0), len(p)), err
	}
}
