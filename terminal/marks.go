package terminal

import (
	"encoding/binary"

	"bottlebar.app/terminal/vt"
)

// markBytes is the length of one run of found columns: where it begins, where
// it ends, and 1 for the place that was gone to.
const markBytes = 5

// marked returns the found columns of a line in a form that can be compared.
func (sc *scene) marked(line, cols int) string {
	var b []byte
	for i := range sc.marks {
		x0, x1 := sc.marks[i].Columns(line, cols)
		if x0 >= x1 {
			continue
		}
		b = binary.LittleEndian.AppendUint16(b, uint16(x0))
		b = binary.LittleEndian.AppendUint16(b, uint16(x1))
		if i == sc.mark {
			b = append(b, 1)
		} else {
			b = append(b, 0)
		}
	}
	return string(b)
}

// marked gives a found column the colours of a marker: a wash for all places,
// the full colour with dark letters for the one that was gone to.
func (k *inks) marked(marks string, x int, fg, bg pixel) (pixel, pixel) {
	for ; len(marks) >= markBytes; marks = marks[markBytes:] {
		x0 := int(marks[0]) | int(marks[1])<<8
		x1 := int(marks[2]) | int(marks[3])<<8
		switch {
		case x < x0 || x >= x1:
		case marks[4] == 1:
			return solid(vt.RGB{R: 0x1b, G: 0x1c, B: 0x1e}), k.marker
		default:
			return fg, bg.mix(k.marker, 110)
		}
	}
	return fg, bg
}
