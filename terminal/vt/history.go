package vt

import (
	"encoding/binary"
	"math"
	"slices"
)

// history is the scrollback: lines packed as text and runs of attributes into
// slabs of bytes, oldest first. Lines have absolute numbers that go on when
// old ones leave.
type history struct {
	max   int
	first int // number of the oldest line
	refs  []lineRef
	head  int // index in refs of the oldest
	count int
	slabs []slab // of the lines kept, oldest first
	base  uint32 // number of slabs[0]
	spare []byte
	buf   []byte
}

type slab struct{ b []byte }

const (
	slabSize = 64 << 10

	// maxSlabs bounds the packed text. Only lines in which nearly every cell
	// has colours of its own are so large that fewer of them are kept.
	maxSlabs = (56 << 20) / slabSize
)

// lineRef says where a packed line lies.
type lineRef struct {
	seq    uint64
	slab   uint32
	off    uint32
	size   uint32
	flags  uint8
	widest uint16 // columns used
}

const (
	refWrapped uint8 = 1 << iota
	refPrompt
)

// Kinds of runs: the first byte of each.
const (
	runStyled uint8 = 1 << iota // twelve bytes of colours and attributes follow the count
	runASCII                    // one byte for each cell, else a varint: value*2 + wide
)

func (h *history) init(limit int) { h.max = limit }

// next is the number that the line pushed next will have.
func (h *history) next() int { return h.first + h.count }

func (h *history) clear() {
	h.first += h.count
	h.refs, h.head, h.count = nil, 0, 0
	h.base += uint32(len(h.slabs))
	h.slabs, h.spare = nil, nil
}

// push packs a line and drops the oldest one where there is no room.
func (h *history) push(r *row) {
	if h.max == 0 {
		h.first++
		return
	}
	h.buf = packLine(h.buf[:0], r.cells[:r.used])
	ref := lineRef{seq: r.seq, size: uint32(len(h.buf)), widest: uint16(r.used)}
	if r.wrapped {
		ref.flags |= refWrapped
	}
	if r.prompt {
		ref.flags |= refPrompt
	}
	if h.count == h.max {
		h.dropOldest()
	}
	if len(h.slabs) == 0 || len(h.slabs[len(h.slabs)-1].b)+len(h.buf) > slabSize {
		for n := len(h.slabs); n >= maxSlabs && len(h.slabs) == n; {
			h.dropOldest()
		}
		b := h.spare
		h.spare = nil
		if b == nil {
			b = make([]byte, 0, slabSize)
		}
		h.slabs = append(h.slabs, slab{b[:0]})
	}
	s := &h.slabs[len(h.slabs)-1]
	ref.slab, ref.off = h.base+uint32(len(h.slabs)-1), uint32(len(s.b))
	s.b = append(s.b, h.buf...)
	h.add(ref)
}

func (h *history) add(ref lineRef) {
	if h.count == len(h.refs) {
		grown := make([]lineRef, min(max(2*len(h.refs), 256), h.max))
		n := copy(grown, h.refs[h.head:])
		copy(grown[n:], h.refs[:h.head])
		h.refs, h.head = grown, 0
	}
	h.refs[(h.head+h.count)%len(h.refs)] = ref
	h.count++
}

func (h *history) dropOldest() {
	h.head = (h.head + 1) % len(h.refs)
	h.count--
	h.first++
	keep := h.base + uint32(len(h.slabs)) // number of the slab of the oldest line left
	if h.count > 0 {
		keep = h.refs[h.head].slab
	}
	for h.base < keep && len(h.slabs) > 0 {
		h.spare = h.slabs[0].b
		h.base++
		n := copy(h.slabs, h.slabs[1:])
		h.slabs[n] = slab{}
		h.slabs = h.slabs[:n]
	}
}

func (h *history) ref(n int) (lineRef, bool) {
	if n < h.first || n >= h.next() {
		return lineRef{}, false
	}
	return h.refs[(h.head+n-h.first)%len(h.refs)], true
}

// line appends the cells of line n to dst, without the blank ones at its end.
func (h *history) line(n int, dst []Cell) ([]Cell, lineRef) {
	ref, ok := h.ref(n)
	if !ok {
		return dst, ref
	}
	b := h.slabs[ref.slab-h.base].b
	return unpackLine(dst, b[ref.off:ref.off+ref.size]), ref
}

// sameStyle compares all but the character and its width.
func sameStyle(a, b Cell) bool {
	const mask = ^(attrWide | attrSpacer)
	return a.FG == b.FG && a.BG == b.BG && a.Attr&mask == b.Attr&mask
}

func packLine(dst []byte, cells []Cell) []byte {
	for len(cells) > 0 && cells[len(cells)-1].empty() {
		cells = cells[:len(cells)-1]
	}
	for len(cells) > 0 {
		n := asciiRun(cells)
		ascii := n > 0
		for first := cells[0]; !ascii && n < len(cells) && sameStyle(cells[n], first) &&
			(cells[n].ch >= 0x80 || cells[n].Attr&attrSpacer != 0); {
			n++
		}
		dst = packRun(dst, cells[:n], ascii)
		cells = cells[n:]
	}
	return dst
}

// asciiRun counts the cells of one style from the first on that hold ASCII.
func asciiRun(cells []Cell) int {
	first := cells[0]
	if first.Attr&attrSpacer != 0 {
		return 0
	}
	for i := range cells {
		c := &cells[i]
		if c.ch >= 0x80 || c.Attr != first.Attr || c.FG != first.FG || c.BG != first.BG {
			return i
		}
	}
	return len(cells)
}

func packRun(dst []byte, cells []Cell, ascii bool) []byte {
	c := cells[0]
	c.Attr &^= attrWide | attrSpacer
	kind := uint8(0)
	if c.FG != 0 || c.BG != 0 || c.Attr != 0 {
		kind |= runStyled
	}
	if ascii {
		kind |= runASCII
	}
	dst = append(dst, kind)
	dst = binary.AppendUvarint(dst, uint64(len(cells)))
	if kind&runStyled != 0 {
		dst = binary.LittleEndian.AppendUint32(dst, uint32(c.FG))
		dst = binary.LittleEndian.AppendUint32(dst, uint32(c.BG))
		dst = binary.LittleEndian.AppendUint32(dst, uint32(c.Attr))
	}
	if ascii {
		n := len(dst)
		dst = slices.Grow(dst, len(cells))[:n+len(cells)]
		text := dst[n:]
		for i := range text {
			text[i] = byte(cells[i].ch)
		}
		return dst
	}
	for _, c := range cells {
		if c.Attr&attrSpacer != 0 {
			continue
		}
		v := uint64(c.ch) << 1
		if c.Attr&attrWide != 0 {
			v |= 1
		}
		dst = binary.AppendUvarint(dst, v)
	}
	return dst
}

func unpackLine(dst []Cell, b []byte) []Cell {
	for len(b) > 0 {
		kind := b[0]
		count, k := binary.Uvarint(b[1:])
		b = b[1+k:]
		var c Cell
		if kind&runStyled != 0 {
			c.FG = Color(binary.LittleEndian.Uint32(b))
			c.BG = Color(binary.LittleEndian.Uint32(b[4:]))
			c.Attr = Attr(binary.LittleEndian.Uint32(b[8:]))
			b = b[12:]
		}
		if kind&runASCII != 0 {
			for _, ch := range b[:count] {
				c.ch = uint32(ch)
				dst = append(dst, c)
			}
			b = b[count:]
			continue
		}
		for i := uint64(0); i < count; i++ {
			v, k := binary.Uvarint(b)
			b = b[k:]
			c.ch = uint32(v >> 1 & math.MaxUint32)
			if v&1 == 0 {
				dst = append(dst, c)
				continue
			}
			w := c
			w.Attr |= attrWide
			dst = append(dst, w)
			w.ch, w.Attr = 0, c.Attr|attrSpacer
			dst = append(dst, w)
			i++
		}
	}
	return dst
}
