package artifact

import (
	"bytes"
	"debug/macho"
	"encoding/binary"
)

// machoWith makes the least 64-bit Mach-O file with one section of data.
func machoWith(segment, name string, data []byte) []byte {
	const head, command, sect = 32, 72, 80
	name16 := func(s string) (out [16]byte) { copy(out[:], s); return out }
	var b bytes.Buffer
	write := func(v any) { _ = binary.Write(&b, binary.LittleEndian, v) }
	write(macho.FileHeader{Magic: macho.Magic64, Cpu: macho.CpuArm64, Type: macho.TypeExec, Ncmd: 1, Cmdsz: command + sect})
	write(uint32(0))
	write(macho.Segment64{
		Cmd: macho.LoadCmdSegment64, Len: command + sect, Name: name16(segment),
		Memsz: uint64(len(data)), Offset: head + command + sect, Filesz: uint64(len(data)), Nsect: 1,
	})
	write(macho.Section64{Name: name16(name), Seg: name16(segment), Size: uint64(len(data)), Offset: head + command + sect})
	b.Write(data)
	return append(b.Bytes(), make([]byte, FooterSize)...)
}
