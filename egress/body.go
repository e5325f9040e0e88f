package egress

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"sync/atomic"
)

const (
	// maxAPIBody is the most that the API itself takes.
	maxAPIBody = 32 << 20
	// maxBodies is what all bodies of one bottle may take at once; the sidecar's
	// container has 128 MiB.
	maxBodies = 48 << 20
)

var (
	errBodyLong = errors.New("the body is too long")
	errBodies   = errors.New("too much is being sent at once")
)

// body is a request's body as it was read: it goes upstream byte for byte.
type body struct {
	pieces [][]byte
	size   int64
	room   *atomic.Int64 // what all bodies take
	taken  int64
	free   sync.Once
}

// readBody reads src to its end, shows each piece to look as it comes, and
// keeps it. Nothing goes upstream before all of it was looked at. length is
// what the request says of it, or -1.
func readBody(src io.Reader, length int64, look func([]byte) error, room *atomic.Int64) (*body, error) {
	b := &body{room: room}
	for {
		size := int64(pieceSize)
		if left := length - b.size; length >= 0 && left < size {
			size = max(left+1, 1) // the one is for its end
		}
		piece := make([]byte, size)
		b.taken += size
		if room.Add(size) > maxBodies {
			b.release()
			return nil, errBodies
		}
		n, err := fill(src, piece)
		b.pieces = append(b.pieces, piece[:n])
		if b.size += int64(n); b.size > maxAPIBody {
			b.release()
			return nil, errBodyLong
		}
		if lerr := look(piece[:n]); lerr != nil {
			b.release()
			return nil, lerr
		}
		if errors.Is(err, io.EOF) {
			return b, nil
		}
		if err != nil {
			b.release()
			return nil, err
		}
	}
}

const pieceSize = 64 << 10

// fill reads until piece is full or src ends.
func fill(src io.Reader, piece []byte) (n int, err error) {
	for n < len(piece) && err == nil {
		var k int
		k, err = src.Read(piece[n:])
		n += k
	}
	return n, err
}

// reader reads the body from its beginning; there may be several.
func (b *body) reader() io.ReadCloser {
	rs := make([]io.Reader, 0, len(b.pieces))
	for _, p := range b.pieces {
		rs = append(rs, bytes.NewReader(p))
	}
	return io.NopCloser(io.MultiReader(rs...))
}

// release gives the memory back; no reader may be in use any more.
func (b *body) release() {
	b.free.Do(func() { b.room.Add(-b.taken) })
}
