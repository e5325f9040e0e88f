package hop

import "encoding/binary"

// The multiplexer's frame: version, type, flags, stream number, length, all
// big endian. The format is that of github.com/hashicorp/yamux, version 0.
const (
	headSize = 12

	typeData   = 0
	typeWindow = 1
	typePing   = 2
	typeGoAway = 3

	flagSYN = 1
	flagACK = 2
	flagFIN = 4
	flagRST = 8

	firstWindow = 256 << 10 // what a new stream may send before its first update
	window      = 1 << 20   // what both ends offer
)

type head struct {
	version, kind byte
	flags         uint16
	stream, size  uint32
}

func parseHead(b []byte) head {
	return head{
		version: b[0], kind: b[1], flags: binary.BigEndian.Uint16(b[2:]),
		stream: binary.BigEndian.Uint32(b[4:]), size: binary.BigEndian.Uint32(b[8:]),
	}
}

func (h head) append(b []byte) []byte {
	b = append(b, h.version, h.kind)
	b = binary.BigEndian.AppendUint16(b, h.flags)
	b = binary.BigEndian.AppendUint32(b, h.stream)
	return binary.BigEndian.AppendUint32(b, h.size)
}

// body is how many bytes follow the header.
func (h head) body() uint32 {
	if h.kind == typeData {
		return h.size
	}
	return 0
}
