package hop

import "sync"

// backlogged is what arrived while nobody read: a queue of pieces.
type backlogged struct {
	pieces []*[pieceSize]byte
	r, w   int // where reading goes on in the first piece, and writing in the last
}

const pieceSize = 64 << 10

// pieces are used again: a stream that is read too slowly for a moment must not
// make the collector's work.
var pieces = sync.Pool{New: func() any { return new([pieceSize]byte) }}

func (q *backlogged) len() int {
	if len(q.pieces) == 0 {
		return 0
	}
	return (len(q.pieces)-1)*pieceSize + q.w - q.r
}

func (q *backlogged) read(p []byte) int {
	n := 0
	for n < len(p) && len(q.pieces) > 0 {
		end := pieceSize
		if len(q.pieces) == 1 {
			end = q.w
		}
		k := copy(p[n:], q.pieces[0][q.r:end])
		n, q.r = n+k, q.r+k
		if q.r == end {
			pieces.Put(q.pieces[0])
			q.pieces[0] = nil
			q.pieces, q.r = q.pieces[1:], 0
			if len(q.pieces) == 0 {
				q.w = 0
			}
		}
	}
	return n
}

// room is a place for some of n bytes, at least one; grow follows it.
func (q *backlogged) room(n int) []byte {
	if len(q.pieces) == 0 || q.w == pieceSize {
		q.pieces = append(q.pieces, pieces.Get().(*[pieceSize]byte)) //nolint:forcetypeassert // the only type stored
		q.w = 0
	}
	return q.pieces[len(q.pieces)-1][q.w:min(q.w+n, pieceSize)]
}

// grow counts n bytes that were put into room, also if there were none.
func (q *backlogged) grow(n int) {
	if q.w += n; q.w == 0 { // a fresh piece that nothing came into
		last := len(q.pieces) - 1
		pieces.Put(q.pieces[last])
		q.pieces = q.pieces[:last]
		if last > 0 {
			q.w = pieceSize
		}
	}
}
