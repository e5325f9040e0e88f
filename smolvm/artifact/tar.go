package artifact

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Tars are read here, not by archive/tar, because a tar is safe only if every
// program that may unpack it understands the same by it, and they differ: in
// which of two sizes or names holds, in whether a folder has a body, in what
// follows the end mark. Whatever can be read in two ways is refused.

const block = 512

// Types of tar entries.
const (
	typeFile     = '0'
	typeHardlink = '1'
	typeSymlink  = '2'
	typeChar     = '3'
	typeBlock    = '4'
	typeFolder   = '5'
	typeFIFO     = '6'
	typeSparse   = 'S' // GNU
	typeLongName = 'L' // GNU: the next entry's name
	typeLongLink = 'K' // GNU: the next entry's link target
	typePAX      = 'x' // attributes of the next entry
	typeGlobal   = 'g' // attributes of all that follow
)

// maxExtension bounds a long name or a set of attributes, in bytes.
const maxExtension = 1 << 20

// entry is one entry of a tar as all readers understand it.
type entry struct {
	name   string // as stored
	link   string // target of a link
	kind   byte   // one of the types from typeFile to typeSparse
	stored int64  // bytes that follow in the tar
	size   int64  // bytes of the file; more than stored for a sparse one
	spans  []span // of a sparse file
}

// tarFault is what is wrong with a tar; the caller adds which tar.
type tarFault struct{ text string }

func (e *tarFault) Error() string { return e.text }

func bad(format string, args ...any) error { return &tarFault{fmt.Sprintf(format, args...)} }

// scanner goes through the entries of one tar.
type scanner struct {
	in   stream
	rest int64        // of the last entry's body and padding, still to be passed
	any  bool         // an entry was read
	tick func() error // called for each header, also those that belong to another
}

// pending is what the headers before an entry's own say about it.
type pending struct {
	name, link       string
	hasName, hasLink bool
	size             int64
	hasSize          bool
	pax, any         bool
}

// next returns the next entry, or nil behind the last one, when the end mark
// was there and nothing but zeros followed.
func (s *scanner) next() (*entry, error) {
	if err := s.in.Skip(s.rest); err != nil {
		return nil, err
	}
	s.rest = 0
	var p pending
	for {
		var b [block]byte
		if done, err := s.header(&b, p.any); done || err != nil {
			return nil, err
		}
		if err := s.tick(); err != nil {
			return nil, err
		}
		h, err := parseHeader(&b)
		if err != nil {
			return nil, err
		}
		switch h.kind {
		case typePAX, typeGlobal, typeLongName, typeLongLink:
			if err := s.extension(h, &p); err != nil {
				return nil, err
			}
			continue
		}
		return s.finish(h, &b, &p)
	}
}

// header reads one block; done says that the tar ended as it should.
func (s *scanner) header(b *[block]byte, pending bool) (done bool, err error) {
	switch _, err := io.ReadFull(s.in, b[:]); {
	case errors.Is(err, io.EOF) && !s.any && !pending:
		return true, nil // nothing at all is an empty tar
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return false, bad("ends too early")
	case err != nil:
		return false, err
	}
	s.any = true
	if *b != [block]byte{} {
		return false, nil
	}
	if pending {
		return false, bad("ends behind a header that belongs to an entry")
	}
	ok, err := onlyZeros(s.in)
	if err == nil && !ok {
		err = bad("goes on behind its end mark")
	}
	return err == nil, err
}

// finish makes an entry of its own header and those before it.
func (s *scanner) finish(h header, b *[block]byte, p *pending) (*entry, error) {
	e := &entry{name: h.name, link: h.link, kind: h.kind, stored: h.size, size: h.size}
	if p.hasName {
		e.name = p.name
	}
	if p.hasLink {
		e.link = p.link
	}
	if p.hasSize && p.size != h.size {
		return nil, bad("gives two sizes for %s", quote(e.name))
	}
	switch e.kind {
	case typeFile:
		if len(e.name) > 0 && e.name[len(e.name)-1] == '/' {
			return nil, bad("has %s as a file with a folder's name", quote(e.name))
		}
	case typeSparse:
		if !h.gnu {
			return nil, bad("has %s sparse in a form that readers disagree on", quote(e.name))
		}
		if err := s.sparseMap(b, e); err != nil {
			return nil, err
		}
	default:
		if h.size != 0 {
			return nil, bad("gives %s contents, though it is no file", quote(e.name))
		}
	}
	s.rest = padded(e.stored)
	return e, nil
}

func padded(n int64) int64 { return (n + block - 1) / block * block }

// extension reads a header that belongs to the entry behind it.
func (s *scanner) extension(h header, p *pending) error {
	if h.size > maxExtension {
		return bad("has a header of %d bytes", h.size)
	}
	data := make([]byte, padded(h.size))
	if _, err := io.ReadFull(s.in, data); err != nil {
		return unexpected(err)
	}
	data = data[:h.size]
	if h.kind == typeGlobal {
		// Some readers apply a name or size from here to every entry, others to none.
		if p.any {
			return bad("has a global header between an entry and its own")
		}
		return records(data, nil)
	}
	p.any = true
	if h.kind == typePAX {
		if p.pax {
			return bad("has two attribute headers for one entry")
		}
		p.pax = true
		return records(data, p)
	}
	text, ok := bytes.CutSuffix(data, []byte{0})
	if !ok || len(text) == 0 || bytes.IndexByte(text, 0) >= 0 {
		return bad("has a long name that is none")
	}
	if h.kind == typeLongName {
		return p.setName(string(text))
	}
	return p.setLink(string(text))
}

func (p *pending) setName(s string) error {
	if p.hasName || s == "" {
		return bad("gives two names for one entry, or an empty one")
	}
	p.name, p.hasName = s, true
	return nil
}

func (p *pending) setLink(s string) error {
	if p.hasLink || s == "" {
		return bad("gives two targets for one link, or an empty one")
	}
	p.link, p.hasLink = s, true
	return nil
}
