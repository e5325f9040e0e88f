package artifact

import (
	"errors"
	"io"
)

// maxSpans bounds the stretches of one sparse file.
const maxSpans = 1 << 20

// Where GNU keeps the list of a sparse file's stretches: four in the header,
// 21 in each block that follows while the one before says so, 24 bytes each.
const (
	offSpans    = 386
	offExtended = 482
	offRealSize = 483
	spanSize    = 24
)

// sparseMap reads e's list of stretches; b is its header.
func (s *scanner) sparseMap(b *[block]byte, e *entry) error {
	var err error
	if e.size, err = number(b[offRealSize : offRealSize+12]); err != nil {
		return err
	}
	m := spanList{size: e.size}
	fields, more := b[offSpans:offExtended], b[offExtended]
	var next [block]byte
	for {
		for ; len(fields) >= spanSize; fields = fields[spanSize:] {
			if !m.add(fields[:spanSize]) {
				return bad("has a damaged sparse map at %s", quote(e.name))
			}
		}
		if more == 0 {
			break
		}
		if m.ended || more != 1 {
			return bad("has a damaged sparse map at %s", quote(e.name))
		}
		if _, err := io.ReadFull(s.in, next[:]); err != nil {
			return unexpected(err)
		}
		fields, more = next[:block-8], next[block-8]
	}
	if m.stored != e.stored {
		return bad("has a damaged sparse map at %s", quote(e.name))
	}
	e.spans = m.spans
	return nil
}

// spanList is a list of stretches while it is read.
type spanList struct {
	size   int64 // of the file
	spans  []span
	stored int64 // bytes in all stretches
	end    int64 // of the last one
	ended  bool  // an unused place came: no used one may follow
}

// add takes one place of the list; false when it cannot be there.
func (m *spanList) add(b []byte) bool {
	off, err1 := number(b[:12])
	n, err2 := number(b[12:])
	if errors.Join(err1, err2) != nil {
		return false
	}
	if b[0] == 0 || b[12] == 0 {
		m.ended = true
		return off == 0 && n == 0
	}
	if m.ended || off < m.end || n > m.size || off > m.size-n || len(m.spans) == maxSpans {
		return false
	}
	m.end = off + n
	m.stored += n
	m.spans = append(m.spans, span{off, n})
	return true
}
