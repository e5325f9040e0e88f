package egress

import (
	"errors"
	"hash/maphash"
)

const (
	maxDepth  = 256      // objects and lists within each other
	maxKey    = 16 << 10 // bytes of a key, decoded
	maxKeys   = 1 << 18  // keys of the objects that are open
	maxString = 256      // bytes of a value that a visitor sees
)

var (
	errJSON      = errors.New("it is not JSON in UTF-8")
	errTwice     = errors.New("a key is there twice")
	errTooNested = errors.New("it is nested too deep or has too many keys")
)

// visitor is told what a body holds, in order. What it is given is valid until
// it returns; an error ends the reading.
type visitor interface {
	begin(kind byte) error               // '{' or '['
	end() error                          // of either
	key(name []byte) error               // decoded
	text(value []byte, size int64) error // decoded; no more than maxString bytes of size
	other(value []byte) error            // a number as written (its first maxString bytes), true, false, null
}

// jsonReader reads one JSON text that comes in pieces, cut anywhere, without
// keeping it. It takes less than RFC 8259 allows: nothing that two parsers
// could read in two ways. A key that is there twice, bytes that are not UTF-8,
// half a surrogate in a key, a byte order mark, anything behind the text, all
// are errors.
type jsonReader struct {
	v      visitor
	state  jsonState
	frames []jsonFrame
	held   int // keys in frames
	seed   maphash.Seed

	inKey  bool
	buf    []byte // of the string, number or word that is being read
	size   int64  // of all of it; buf may hold its beginning only
	more   int    // bytes that are missing of a character in UTF-8
	lo, hi byte   // between which the next of them lies
	hex    int    // digits that are missing of \u
	code   rune   // of \u so far
	high   rune   // the first half of a surrogate pair
	word   string // what is left of true, false or null
}

type jsonState uint8

const (
	wantValue jsonState = iota
	wantFirst           // a value, or the end of the list
	wantKey
	wantFirstKey // a key, or the end of the object
	wantColon
	wantNext // a comma or an end
	inString
	inEscape
	inHex
	inLowEscape // after the first half of a pair: a backslash …
	inLowU      // … and a u must follow
	inWord
	numMinus
	numZero
	numInt
	numDot
	numFrac
	numE
	numSign
	numExp
	atEnd
)

// jsonFrame is an open object or list. Keys are kept by a seeded hash: two
// that collide by chance are refused as one that is there twice.
type jsonFrame struct {
	list bool
	few  []uint64
	many map[uint64]struct{}
}

const fewKeys = 12

func (f *jsonFrame) add(h uint64) bool {
	if f.many != nil {
		_, twice := f.many[h]
		f.many[h] = struct{}{}
		return !twice
	}
	for _, k := range f.few {
		if k == h {
			return false
		}
	}
	if f.few = append(f.few, h); len(f.few) > fewKeys {
		f.many = make(map[uint64]struct{}, 4*fewKeys)
		for _, k := range f.few {
			f.many[k] = struct{}{}
		}
	}
	return true
}

func (f *jsonFrame) size() int { return max(len(f.few), len(f.many)) }

func newJSONReader(v visitor) *jsonReader { return &jsonReader{v: v, seed: maphash.MakeSeed()} }

// feed reads the next piece.
func (r *jsonReader) feed(p []byte) error {
	for len(p) > 0 {
		n, err := 1, error(nil)
		switch r.state {
		case inString:
			n, err = r.stringBytes(p)
		case inEscape, inHex, inLowEscape, inLowU:
			err = r.escape(p[0])
		case inWord:
			err = r.wordByte(p[0])
		case numMinus, numZero, numInt, numDot, numFrac, numE, numSign, numExp:
			n, err = r.numberByte(p[0])
		default:
			err = r.structure(p[0])
		}
		if err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// finish is called after the last piece.
func (r *jsonReader) finish() error {
	if len(r.frames) == 0 && r.numberEnds() {
		if err := r.numberDone(); err != nil {
			return err
		}
	}
	if r.state != atEnd {
		return errJSON
	}
	return nil
}

func space(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

// structure reads a byte between values.
func (r *jsonReader) structure(c byte) error {
	if space(c) {
		return nil
	}
	switch r.state {
	case wantValue, wantFirst:
		if c == ']' && r.state == wantFirst {
			return r.close(c)
		}
		return r.value(c)
	case wantKey, wantFirstKey:
		if c == '}' && r.state == wantFirstKey {
			return r.close(c)
		}
		if c != '"' {
			return errJSON
		}
		r.startString(true)
		return nil
	case wantColon:
		if c != ':' {
			return errJSON
		}
		r.state = wantValue
		return nil
	case wantNext:
		if c != ',' {
			return r.close(c)
		}
		if r.state = wantKey; r.frames[len(r.frames)-1].list {
			r.state = wantValue
		}
		return nil
	}
	return errJSON // behind the end
}

func (r *jsonReader) value(c byte) error {
	switch {
	case c == '"':
		r.startString(false)
		return nil
	case c == '{' || c == '[':
		if len(r.frames) == maxDepth {
			return errTooNested
		}
		r.frames = append(r.frames, jsonFrame{list: c == '['})
		if r.state = wantFirstKey; c == '[' {
			r.state = wantFirst
		}
		return r.v.begin(c)
	case c == 't':
		return r.startWord("true")
	case c == 'f':
		return r.startWord("false")
	case c == 'n':
		return r.startWord("null")
	case c == '-':
		r.state = numMinus
	case c == '0':
		r.state = numZero
	case c >= '1' && c <= '9':
		r.state = numInt
	default:
		return errJSON
	}
	r.buf, r.size = append(r.buf[:0], c), 1
	return nil
}

func (r *jsonReader) close(c byte) error {
	n := len(r.frames)
	if n == 0 || c != '}' && c != ']' || r.frames[n-1].list != (c == ']') {
		return errJSON
	}
	r.held -= r.frames[n-1].size()
	r.frames = r.frames[:n-1]
	r.done()
	return r.v.end()
}

// done is called after each value.
func (r *jsonReader) done() {
	if r.state = wantNext; len(r.frames) == 0 {
		r.state = atEnd
	}
}

func (r *jsonReader) startWord(w string) error {
	r.buf, r.word, r.state = append(r.buf[:0], w...), w[1:], inWord
	return nil
}

func (r *jsonReader) wordByte(c byte) error {
	if c != r.word[0] {
		return errJSON
	}
	if r.word = r.word[1:]; r.word != "" {
		return nil
	}
	r.done()
	return r.v.other(r.buf)
}

// numberByte reads a byte of a number, or the byte behind it, which is then not
// taken.
func (r *jsonReader) numberByte(c byte) (int, error) {
	if next, ok := afterNumber(r.state, c); ok {
		r.state = next
		r.keep(c)
		return 1, nil
	}
	if !r.numberEnds() {
		return 0, errJSON
	}
	return 0, r.numberDone()
}

// afterNumber is the grammar of numbers (RFC 8259 §6): what c leads to from a
// state, or false when it does not belong to the number.
func afterNumber(s jsonState, c byte) (jsonState, bool) {
	whole := s == numZero || s == numInt
	switch c {
	case '.':
		return numDot, whole
	case 'e', 'E':
		return numE, whole || s == numFrac
	case '+', '-':
		return numSign, s == numE
	}
	if c < '0' || c > '9' {
		return s, false
	}
	return afterDigit(s, c)
}

func afterDigit(s jsonState, c byte) (jsonState, bool) {
	switch s {
	case numMinus:
		if c == '0' {
			return numZero, true
		}
		return numInt, true
	case numZero:
		return s, false // nothing follows a leading zero
	case numInt:
		return numInt, true
	case numDot, numFrac:
		return numFrac, true
	}
	return numExp, true
}

func (r *jsonReader) numberEnds() bool {
	return r.state == numZero || r.state == numInt || r.state == numFrac || r.state == numExp
}

func (r *jsonReader) numberDone() error {
	r.done()
	return r.v.other(r.buf)
}
