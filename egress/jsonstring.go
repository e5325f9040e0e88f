package egress

import (
	"encoding/binary"
	"hash/maphash"
	"unicode/utf8"
)

// keep adds a byte to what a visitor sees.
func (r *jsonReader) keep(c byte) {
	limit := maxString
	if r.inKey {
		limit = maxKey
	}
	if r.size++; len(r.buf) < limit {
		r.buf = append(r.buf, c)
	}
}

func (r *jsonReader) startString(key bool) {
	r.inKey, r.buf, r.size, r.state = key, r.buf[:0], 0, inString
}

// plainByte marks the bytes of a string that stand for themselves.
var plainByte = func() (t [256]bool) {
	for c := 0x20; c < 0x80; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

// plainRun is how many bytes at the beginning of p stand for themselves. It
// looks at eight at a time: the highest bit of a byte is set where it is below
// 0x20, '"', '\\' or above 0x7f, and perhaps in bytes behind one that is.
func plainRun(p []byte) int {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	n := 0
	for ; n+8 <= len(p); n += 8 {
		w := binary.LittleEndian.Uint64(p[n:])
		quote, slash := w^(ones*'"'), w^(ones*'\\')
		if odd := ((w - ones*0x20) | (quote - ones) | (slash - ones) | w) & tops; odd != 0 {
			break
		}
	}
	for n < len(p) && plainByte[p[n]] {
		n++
	}
	return n
}

// stringBytes reads bytes of a string up to its end or an escape that it does
// not know by one letter, and returns how many.
func (r *jsonReader) stringBytes(p []byte) (int, error) {
	i := 0
	for i < len(p) {
		if r.more > 0 {
			if p[i] < r.lo || p[i] > r.hi {
				return 0, errJSON
			}
			r.more, r.lo, r.hi = r.more-1, 0x80, 0xbf
			r.keep(p[i])
			i++
			continue
		}
		if n := plainRun(p[i:]); n > 0 {
			r.keepAll(p[i : i+n])
			if i += n; i == len(p) {
				break
			}
		}
		c := p[i]
		i++
		switch {
		case c == '"':
			return i, r.endString()
		case c == '\\':
			if i < len(p) && shortEscape[p[i]] != 0 {
				c = shortEscape[p[i]]
				i++
				break
			}
			r.state = inEscape
			return i, nil
		case c < 0x80 || !r.lead(c):
			return 0, errJSON
		}
		r.keep(c)
	}
	return i, nil
}

func (r *jsonReader) keepAll(p []byte) {
	limit := maxString
	if r.inKey {
		limit = maxKey
	}
	r.size += int64(len(p))
	r.buf = append(r.buf, p[:min(len(p), limit-len(r.buf))]...)
}

// lead takes the first byte of a character in UTF-8 (RFC 3629 §4).
func (r *jsonReader) lead(c byte) bool {
	r.lo, r.hi = 0x80, 0xbf
	switch {
	case c >= 0xc2 && c <= 0xdf:
		r.more = 1
	case c >= 0xe0 && c <= 0xef:
		r.more = 2
		if c == 0xe0 {
			r.lo = 0xa0
		} else if c == 0xed {
			r.hi = 0x9f
		}
	case c >= 0xf0 && c <= 0xf4:
		r.more = 3
		if c == 0xf0 {
			r.lo = 0x90
		} else if c == 0xf4 {
			r.hi = 0x8f
		}
	default:
		return false
	}
	return true
}

func (r *jsonReader) endString() error {
	if !r.inKey {
		r.done()
		return r.v.text(r.buf, r.size)
	}
	if r.size > int64(len(r.buf)) {
		return errTooNested
	}
	f := &r.frames[len(r.frames)-1]
	before := f.size()
	if !f.add(maphash.Bytes(r.seed, r.buf)) {
		return errTwice
	}
	if r.held += f.size() - before; r.held > maxKeys {
		return errTooNested
	}
	r.inKey, r.state = false, wantColon
	return r.v.key(r.buf)
}

// escapes are what a backslash and one letter stand for.
var escapes = map[byte]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// shortEscape is the same as a table.
var shortEscape = func() (t [256]byte) {
	for c, plain := range escapes {
		t[c] = plain
	}
	return t
}()

// escape reads a byte after a backslash.
func (r *jsonReader) escape(c byte) error {
	switch r.state {
	case inLowEscape:
		if c != '\\' {
			return r.lone(c)
		}
		r.state = inLowU
		return nil
	case inEscape, inLowU:
		if c == 'u' {
			r.hex, r.code, r.state = 4, 0, inHex
			return nil
		}
		if r.state == inLowU {
			if err := r.half(); err != nil {
				return err
			}
		}
		plain, ok := escapes[c]
		if !ok {
			return errJSON
		}
		r.state = inString
		r.keep(plain)
		return nil
	}
	d, ok := hexDigit(c)
	if !ok {
		return errJSON
	}
	r.code = r.code<<4 | d
	if r.hex--; r.hex > 0 {
		return nil
	}
	return r.unit()
}

// unit takes one UTF-16 unit of \u.
func (r *jsonReader) unit() error {
	low := r.code >= 0xdc00 && r.code < 0xe000
	if r.high != 0 {
		if low {
			c := (r.high-0xd800)<<10 + (r.code - 0xdc00) + 0x10000
			r.high, r.state = 0, inString
			r.keepRune(c)
			return nil
		}
		if err := r.half(); err != nil {
			return err
		}
	}
	switch {
	case r.code >= 0xd800 && r.code < 0xdc00:
		r.high, r.state = r.code, inLowEscape
		return nil
	case low:
		r.high = r.code
		r.state = inString
		return r.half()
	}
	r.state = inString
	r.keepRune(r.code)
	return nil
}

// half is half a surrogate pair: parsers differ in what they make of it, so a
// key has none.
func (r *jsonReader) half() error {
	if r.inKey {
		return errJSON
	}
	r.high = 0
	r.keepRune(utf8.RuneError)
	return nil
}

// lone is half a pair before a byte that is no backslash.
func (r *jsonReader) lone(c byte) error {
	if err := r.half(); err != nil {
		return err
	}
	r.state = inString
	_, err := r.stringBytes([]byte{c})
	return err
}

func (r *jsonReader) keepRune(c rune) {
	var b [utf8.UTFMax]byte
	r.keepAll(b[:utf8.EncodeRune(b[:], c)])
}

func hexDigit(c byte) (rune, bool) {
	switch {
	case c >= '0' && c <= '9':
		return rune(c - '0'), true
	case c >= 'a' && c <= 'f':
		return rune(c-'a') + 10, true
	case c >= 'A' && c <= 'F':
		return rune(c-'A') + 10, true
	}
	return 0, false
}
