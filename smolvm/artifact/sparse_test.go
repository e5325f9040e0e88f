package artifact

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
)

// sparseTar is a tar with one GNU sparse file of size bytes, whose spans are
// given as offset and length, filled with x.
func sparseTar(t testing.TB, name string, size int64, body string, spans ...[2]int64) []byte {
	t.Helper()
	b := rewrite(tarOf(t, file(name, body)), 0, func(h []byte) {
		h[offType] = typeSparse
		copy(h[offMagic:], magicGNU)
		clear(h[offPrefix:])
		for i, s := range spans[:min(4, len(spans))] {
			copy(h[386+24*i:], fmt.Sprintf("%011o\x00%011o\x00", s[0], s[1]))
		}
		if len(spans) > 4 {
			h[482] = 1
		}
		copy(h[483:], fmt.Sprintf("%011o\x00", size))
	})
	var more []byte
	for rest := spans[min(4, len(spans)):]; len(rest) > 0; rest = rest[min(21, len(rest)):] {
		x := make([]byte, block)
		for i, s := range rest[:min(21, len(rest))] {
			copy(x[24*i:], fmt.Sprintf("%011o\x00%011o\x00", s[0], s[1]))
		}
		if len(rest) > 21 {
			x[504] = 1
		}
		more = append(more, x...)
	}
	return append(append(bytes.Clone(b[:block]), more...), b[block:]...)
}

func TestSparseFilesAreFollowed(t *testing.T) {
	inner := func(items ...item) string { return string(tarOf(t, items...)) }
	many := make([][2]int64, 30)
	for i := range many {
		many[i] = [2]int64{int64(i) * 1024, 1}
	}
	disk := sparseTar(t, "storage.ext4", 1<<30, "abc", [2]int64{0, 1}, [2]int64{4096, 2}, [2]int64{1 << 30, 0})
	expect(t, "disk", withOuter(t, disk), "")
	expect(t, "many spans", withOuter(t, sparseTar(t, "d", 1<<20, strings.Repeat("x", 30), many...)), "")

	// A tar that is itself stored sparse: its end mark is a hole.
	good := inner(file("a", "b"))
	expect(t, "sparse tar", withOuter(t, sparseTar(t, "agent-rootfs.tar", 10240, good[:1024], [2]int64{0, 1024})), "")
	evil := inner(symlink("foo", "/"), file("foo/bar", "x"))
	gap := make([]byte, 0, 4096)
	gap = append(gap, evil[:512]...)
	expect(t, "evil sparse tar", withOuter(t, sparseTar(t, "agent-rootfs.tar", int64(len(evil)), evil, [2]int64{0, int64(len(evil))})), "beneath the link")
	expect(t, "hole in a tar", withOuter(t, sparseTar(t, "agent-rootfs.tar", 4096, string(gap)+evil[512:1024], [2]int64{0, 512}, [2]int64{2048, 512})), "behind its end mark")

	for name, b := range map[string][]byte{
		"overlap":       sparseTar(t, "d", 100, "abcd", [2]int64{0, 2}, [2]int64{1, 2}),
		"backwards":     sparseTar(t, "d", 100, "abcd", [2]int64{50, 2}, [2]int64{0, 2}),
		"beyond":        sparseTar(t, "d", 10, "abcd", [2]int64{8, 4}),
		"body too long": sparseTar(t, "d", 100, "abcd", [2]int64{0, 2}),
		"too long":      sparseTar(t, "d", 100, "abcd", [2]int64{0, 20}),
		"after a gap":   sparseTar(t, "d", 100, "", [2]int64{1, 0})[:block],
		"posix form": rewrite(sparseTar(t, "d", 100, "ab", [2]int64{0, 2}), 0, func(h []byte) {
			copy(h[offMagic:], magicPOSIX)
			clear(h[offPrefix:386])
		}),
	} {
		if _, err := verify(t, withOuter(t, b)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	expect(t, "terabyte of holes", withOuter(t, sparseTar(t, "d", 7<<30, "ab", [2]int64{0, 2})), "")
	big := rewrite(sparseTar(t, "d", 1, "a", [2]int64{0, 1}), 0, func(h []byte) {
		clear(h[483:495])
		h[483] = 0x80
		binary.BigEndian.PutUint64(h[487:], 1<<40)
	})
	expect(t, "terabyte of holes", withOuter(t, big), "64 GiB")
}
