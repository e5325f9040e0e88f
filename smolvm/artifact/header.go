package artifact

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
)

// header is one 512-byte header by itself.
type header struct {
	name, link string
	kind       byte
	size       int64
	gnu        bool
}

// Where the fields of a header lie. Name and link are each 100 bytes, ended by
// a NUL unless full; numbers are octal text, or binary behind a set top bit.
const (
	offSize   = 124
	offSum    = 148
	offType   = 156
	offLink   = 157
	offMagic  = 257
	offPrefix = 345
)

const (
	magicPOSIX = "ustar\x0000"
	magicGNU   = "ustar  \x00"
	magicNone  = "\x00\x00\x00\x00\x00\x00\x00\x00"
)

// parseHeader reads a header in one of the three forms that all readers know:
// POSIX, GNU and the one from before both.
func parseHeader(b *[block]byte) (header, error) {
	var h header
	sum, err := number(b[offSum:offType])
	if err != nil || sum != checksum(b) {
		return h, bad("is damaged, or is none")
	}
	if h.size, err = number(b[offSize : offSize+12]); err != nil {
		return h, bad("has a size that is none")
	}
	h.kind = b[offType]
	switch h.kind {
	case 0:
		h.kind = typeFile
	case typeFile, typeHardlink, typeSymlink, typeChar, typeBlock, typeFolder, typeFIFO,
		typeSparse, typeLongName, typeLongLink, typePAX, typeGlobal:
	default:
		return h, bad("has an entry of unknown type %s", quote(string(rune(h.kind))))
	}
	h.name, h.link = text(b[:100]), text(b[offLink:offLink+100])
	switch string(b[offMagic : offMagic+8]) {
	case magicPOSIX:
		if string(b[508:]) == "tar\x00" { // star's own: part of the prefix is times
			return h, bad("has a header in a form that readers disagree on")
		}
		if prefix := text(b[offPrefix:500]); prefix != "" {
			h.name = prefix + "/" + h.name
		}
	case magicGNU:
		h.gnu = true
		// Here lie two times; names that were put there are read by some.
		for _, f := range [][]byte{b[345:357], b[357:369]} {
			if _, err := number(f); err != nil {
				return h, bad("has a header in a form that readers disagree on")
			}
		}
	case magicNone:
	default:
		return h, bad("has a header in a form that is not known")
	}
	return h, nil
}

// checksum adds the bytes of a header, its checksum field read as spaces.
func checksum(b *[block]byte) int64 {
	var sum int64
	for _, c := range b[:offSum] {
		sum += int64(c)
	}
	sum += 8 * ' '
	for _, c := range b[offType:] {
		sum += int64(c)
	}
	return sum
}

func text(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}

// number reads a field of a header: octal digits between spaces and NULs, or
// a big-endian number behind 0x80. Nothing at all is 0.
func number(b []byte) (int64, error) {
	if b[0]&0x80 != 0 {
		if b[0] != 0x80 {
			return 0, bad("has a number that is negative or too large")
		}
		var n uint64
		for _, c := range b[1:] {
			if n >= 1<<54 {
				return 0, bad("has a number that is too large")
			}
			n = n<<8 | uint64(c)
		}
		return int64(n), nil
	}
	digits := strings.TrimRight(strings.TrimLeft(string(b), " "), " \x00")
	if digits == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(digits, 8, 62)
	if err != nil {
		return 0, bad("has a number that is none")
	}
	return int64(n), nil
}

// reHidden finds the start of a record inside a value. Records carry their
// length, but a reader that goes by lines instead would take this for one.
var reHidden = regexp.MustCompile(`\n[0-9]+ (path|linkpath|size|GNU\.sparse\.[^=\n]*)=`)

// records reads PAX attributes, "LENGTH KEY=VALUE\n" each, into p. With a nil
// p none that name or measure an entry may be there.
func records(data []byte, p *pending) error {
	for len(data) > 0 {
		key, value, rest, ok := record(data)
		if !ok {
			return bad("has attributes that are none")
		}
		data = rest
		if reHidden.MatchString(value) {
			return bad("hides an attribute inside another")
		}
		if err := attribute(key, value, p); err != nil {
			return err
		}
	}
	return nil
}

func record(data []byte) (key, value string, rest []byte, ok bool) {
	digits, _, ok := bytes.Cut(data[:min(len(data), 12)], []byte(" "))
	if !ok {
		return "", "", nil, false
	}
	n, err := strconv.ParseUint(string(digits), 10, 31)
	if err != nil || int(n) > len(data) || int(n) < len(digits)+4 || data[n-1] != '\n' {
		return "", "", nil, false
	}
	key, value, ok = strings.Cut(string(data[len(digits)+1:n-1]), "=")
	return key, value, data[n:], ok && key != ""
}

func attribute(key, value string, p *pending) error {
	switch key {
	case "path", "linkpath", "size":
	default:
		if strings.HasPrefix(key, "GNU.sparse.") {
			return bad("has a sparse file in a form that readers disagree on")
		}
		return nil
	}
	if p == nil {
		return bad("gives all its entries one %s", key)
	}
	if strings.ContainsRune(value, 0) {
		return bad("has a name with a NUL")
	}
	switch key {
	case "path":
		return p.setName(value)
	case "linkpath":
		return p.setLink(value)
	}
	n, err := strconv.ParseUint(value, 10, 62)
	if err != nil || p.hasSize {
		return bad("has a size that is none")
	}
	p.size, p.hasSize = int64(n), true
	return nil
}
