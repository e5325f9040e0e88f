package transfer

import "io"

// tail counts the zeros at the end of what was read: an archive ends with
// two blocks of them, and the library takes any end between two files.
type tail struct {
	r        io.Reader
	n, zeros int64
}

const blockSize = 512

func (t *tail) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	t.n += int64(n)
	last := n
	for last > 0 && p[last-1] == 0 {
		last--
	}
	if last > 0 {
		t.zeros = 0
	}
	t.zeros += int64(n - last)
	return n, err
}
